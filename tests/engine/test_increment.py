"""Rows that come day by day: however a world is cut into days, the last run says what one run of all rows says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.builders import Result, Side, plan_for, reconcile, run, table
from tests.engine.days import Day, by_date, cut, joined, left_by, run_chain, run_days
from tests.engine.scoring.test_learned_pass import learned_plan, world
from tests.engine.test_properties import worlds
from tieout.engine.loading import LayoutDiffers
from tieout.engine.plan import LearnedWeights, Plan

some_days = settings(max_examples=3, deadline=None, derandomize=True, database=None)
"""A chain is several runs, so examples are few and their worlds are full."""

DAYS = 3


@st.composite
def days_of(draw: st.DrawFn) -> tuple[list[Day], dict[str, Any]]:
    """Draw a world with references, groups and text, and on which day each row of it arrives; a day may be empty."""
    ours, theirs, rules = draw(worlds())
    cuts = [
        cut(side, draw(st.lists(st.integers(0, DAYS - 1), min_size=len(side.rows), max_size=len(side.rows))), DAYS)
        for side in (ours, theirs)
    ]
    return list(zip(*cuts, strict=True)), rules


def in_one(days: list[Day]) -> Day:
    return joined([ours for ours, _ in days]), joined([theirs for _, theirs in days])


def judged(result: Result) -> set[tuple[int, int, str]]:
    return {(row["ours_row"], row["theirs_row"], row["outcome"]) for row in result.facts["match"]}


def counted(result: Result, step: str) -> int:
    """Return how many rows a step made the last time, 0 where it did not run."""
    return next((one.rows for one in reversed(result.outcome.steps) if one.name == step), 0)


# By reference and by group: the same bytes


@some_days
@given(days_of(), st.sampled_from(["typed", "text"]))
def test_by_reference_and_group_a_chain_of_days_writes_the_bytes_of_one_run(
    drawn: tuple[list[Day], dict[str, Any]], written: str
) -> None:
    days, rules = drawn
    ours, theirs = in_one(days)
    plan = without_likeness(plan_for(ours, theirs, **rules))
    whole = run(ours, theirs, plan, as_text=written == "text")
    chain = run_chain(days, plan, as_text=written == "text")
    assert chain.contents == whole.contents


def without_likeness(plan: Plan) -> Plan:
    """Return the plan with nothing that a scored pass could weigh."""
    return replace(plan, ours=replace(plan.ours, text=(), units=()), rules=replace(plan.rules, review_threshold=1.5))


# By likeness: the same pairs


@some_days
@given(days_of())
def test_by_given_scores_a_chain_of_days_finds_the_pairs_of_one_run(drawn: tuple[list[Day], dict[str, Any]]) -> None:
    days, rules = drawn
    ours, theirs = in_one(days)
    plan = plan_for(ours, theirs, **rules)
    assert judged(run_chain(days, plan)) == judged(run(ours, theirs, plan))


def weighed(ours: Side, theirs: Side) -> Plan:
    """Return the plan with the weights that its first run learns."""
    plan = learned_plan(ours, theirs)
    return replace(plan, learned=run(ours, theirs, plan).outcome.learned)


@some_days
@given(st.integers(0, 10_000), st.integers(20, 90), st.data())
def test_by_learned_weights_a_chain_of_days_finds_the_pairs_of_one_run(
    seed: int, facts: int, data: st.DataObject
) -> None:
    ours, theirs = world(facts, seed)
    plan = weighed(*world(400, 1))
    cuts = [
        cut(side, data.draw(st.lists(st.integers(0, 2), min_size=len(side.rows), max_size=len(side.rows))), 3)
        for side in (ours, theirs)
    ]
    days = list(zip(*cuts, strict=True))
    assert judged(run_chain(days, plan)) == judged(run(*in_one(days), plan))


def weighed_pairs(result: Result) -> set[tuple[int, int]]:
    """The chosen pairs of which it is told what their evidence weighs."""
    chosen = (row for row in result.facts["candidate"] if row["chosen"] and row["weight_pair"] is not None)
    return {(row["ours_row"], row["theirs_row"]) for row in chosen}


def test_most_of_what_was_settled_is_not_compared_again() -> None:
    days = by_date(*world(400, 2), 5)
    plan = weighed(*world(400, 2))
    chain, whole = run_chain(days, plan), run(*in_one(days), plan)
    assert judged(chain) == judged(whole)
    assert counted(chain, "left_expected") < counted(whole, "block_expected") * 2 / 3
    assert counted(chain, "sure_candidate") < counted(whole, "sure_candidate") / 3
    assert weighed_pairs(chain) == weighed_pairs(whole)


SETTLED = """
    day        | currency | amount | text
    2026-01-05 | EUR      | 120.00 | alba foods 811
    2026-01-06 | EUR      | 77.50  | brook metals 417
"""


@pytest.fixture(scope="module")
def learned() -> LearnedWeights | None:
    return weighed(*world(400, 1)).learned


def test_a_new_row_that_fits_better_takes_the_partner_of_a_settled_pair(learned: LearnedWeights) -> None:
    nearly = SETTLED.replace("alba foods 811", "alba foods").replace("2026-01-05", "2026-01-06")
    late = table("day | currency | amount | text\n2026-01-05 | EUR | 120.00 | alba foods 811")
    none = replace(late, rows=())
    days = [(table(SETTLED), table(nearly)), (none, late)]
    plan = replace(learned_plan(*days[0]), learned=learned)
    assert (1, 1) in {pair[:2] for pair in judged(run_days(days[:1], plan))}
    chain = run_chain(days, plan)
    assert (1, 3) in {pair[:2] for pair in judged(chain)}
    assert judged(chain) == judged(run(*in_one(days), plan))


def test_a_day_without_rows_on_either_side_changes_nothing(learned: LearnedWeights) -> None:
    ours, theirs = world(80, 5)
    none = replace(ours, rows=())
    plan = replace(learned_plan(ours, theirs), learned=learned)
    chain = run_chain([(ours, theirs), (none, none)], plan)
    assert judged(chain) == judged(run(ours, theirs, plan))


def test_what_was_settled_among_few_rows_is_asked_anew_among_many(learned: LearnedWeights, tmp_path: Any) -> None:
    """A pair needs more evidence among more rows, so a growth of a hundred times opens what was barely settled."""
    first = (table(SETTLED), table(SETTLED.replace("811", "812").replace("417", "418")))
    more = world(300, 7)
    plan = replace(learned_plan(*first), learned=learned)
    before = run_days([first], plan)
    after = run_days([first, more], plan, settled=left_by(before, [first], tmp_path))
    assert counted(after, "likely_settled") <= counted(after, "settled_pair")
    assert judged(after) == judged(run(*in_one([first, more]), plan))


# Files of one side


def test_rows_are_numbered_on_through_the_files_and_refused_ones_keep_their_file() -> None:
    side = table("id | amount\nA | 1\nB | 2")
    refused = replace(side, rows=(side.rows[0], replace(side.rows[1], id="C", refused=True)))
    result = run_days([(side, side), (refused, side)], plan_for(side, side), as_text=True)
    found = [(row["file"], row["row_no"], row["line"]) for row in result.facts["quarantine"]]
    assert found == [("ours-1", 4, 3)]
    assert result.summary["ours"]["rows"] == 4
    assert [part["name"] for part in result.summary["ours"]["parts"]] == ["ours-0", "ours-1"]


def test_a_run_of_one_file_a_side_takes_no_step_for_days() -> None:
    result = reconcile("id | amount\nA | 1", "id | amount\nA | 1")
    names = {step.name for step in result.outcome.steps}
    assert not names & {"settled_row", "every_candidate", "open_candidate"}
    assert "parts" not in result.summary["ours"]


def test_a_column_of_another_type_is_named(tmp_path: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.engine.builders import connection
    from tieout.engine.loading import Parts, types_of
    from tieout.intake.reading import Direct

    side = table("id | amount\nA | 1")
    sources = []
    for name, amount in (("typed", pa.array([1], pa.int64())), ("text", pa.array(["1,5"]))):
        pq.write_table(pa.table({"id": ["A"], "amount": amount}), tmp_path / f"{name}.parquet")
        sources.append(Direct("parquet", tmp_path / f"{name}.parquet", ("id", "amount")))
    with pytest.raises(LayoutDiffers) as raised:
        types_of(connection(), "ours", Parts(tuple(sources)), plan_for(side, side).ours)
    assert raised.value.subject == "amount"
