"""A reviewer's decisions in a run: what was accepted is matched, what was rejected never is, nothing else is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.builders import Result, Side, decided, keys_of, permuted, plan_for, run, settling_plan, table
from tests.engine.scoring.test_learned_pass import learned_plan, world
from tieout.engine.plan import Plan

OURS = table("""
    id | day        | amount | text
    -  | 2026-01-05 | 100.00 | alba foods
    -  | 2026-01-06 | 100.00 | alba metals
    -  | 2026-01-07 | 40.00  | corvin print
    A4 | 2026-01-08 | 7.00   | delta dental
""")
THEIRS = table("""
    id | day        | amount | text
    -  | 2026-01-05 | 100.00 | alba metals
    -  | 2026-01-06 | 99.00  | alba foods
    -  | 2026-01-07 | 40.00  | corvin print
    -  | 2026-01-09 | 7.00   | ember
""")
PLAN = plan_for(OURS, THEIRS, compared=(), window_days=5, review_threshold=0.1)


def pairs(result: Result) -> dict[tuple[int, int], tuple[str, str]]:
    return {(row["ours_row"], row["theirs_row"]): (row["pass"], row["outcome"]) for row in result.facts["match"]}


def reviewed(ours: Side, theirs: Side, plan: Plan, **rulings: list[tuple[int, int]]) -> Result:
    return run(ours, theirs, plan, decisions=decided(ours, theirs, plan, **rulings))


@pytest.mark.parametrize("scoring", ["weighted", "learned"])
def test_an_accepted_pair_is_matched_and_its_rows_take_part_in_nothing_else(scoring: str) -> None:
    plan = replace(PLAN, rules=replace(PLAN.rules, scoring=scoring))
    found = reviewed(OURS, THEIRS, plan, accepted=[(3, 1)])
    assert pairs(found)[3, 1] == ("reviewed", "auto")
    assert [row["confidence"] for row in found.facts["match"] if row["ours_row"] == 3] == [1.0]
    assert not [row for row in found.facts["candidate"] if row["ours_row"] == 3 or row["theirs_row"] == 1]
    assert found.summary["review"]["accepted"] == 1


@pytest.mark.parametrize("scoring", ["weighted", "learned"])
def test_a_rejected_pair_is_never_matched_nor_an_alternative(scoring: str) -> None:
    plan = replace(PLAN, rules=replace(PLAN.rules, scoring=scoring))
    assert (3, 3) in pairs(run(OURS, THEIRS, plan))
    found = reviewed(OURS, THEIRS, plan, rejected=[(3, 3)])
    assert (3, 3) not in pairs(found)
    assert not [row for row in found.facts["candidate"] if (row["ours_row"], row["theirs_row"]) == (3, 3)]
    assert (found.summary["review"]["rejected"], found.summary["review"]["not_followed"]) == (1, 0)


def test_an_accepted_row_keeps_its_partner_when_another_row_brings_its_reference() -> None:
    later = table("""
        id | day        | amount | text
        A4 | 2026-01-08 | 7.00   | delta dental
    """)
    theirs = Side((*THEIRS.rows, *later.rows), THEIRS.columns)
    assert pairs(run(OURS, theirs, PLAN))[4, 5] == ("reference", "auto")
    found = reviewed(OURS, theirs, PLAN, accepted=[(4, 4)])
    assert pairs(found)[4, 4] == ("reviewed", "auto")
    assert not [pair for pair in pairs(found) if pair[1] == 5]


def test_a_decision_holds_for_the_same_rows_in_another_order_and_among_more_rows() -> None:
    decisions = decided(OURS, THEIRS, PLAN, accepted=[(1, 2)], rejected=[(3, 3)])
    more = Side(
        (*permuted(THEIRS, [3, 2, 1, 0]).rows, *table("day | amount | text\n2026-02-01 | 1.00 | new").rows),
        (THEIRS.columns),
    )
    found = pairs(run(permuted(OURS, [2, 0, 3, 1]), more, PLAN, decisions=decisions))
    assert found[2, 3] == ("reviewed", "auto")
    assert (1, 2) not in found


def test_copies_are_told_apart_by_number() -> None:
    twice = Side((OURS.rows[2], OURS.rows[2], OURS.rows[2]), OURS.columns)
    keys, _ = keys_of(twice, THEIRS, PLAN)
    assert [key.copy_no for key in keys] == [1, 2, 3]
    assert len({key.content for key in keys}) == 1
    found = reviewed(twice, Side((THEIRS.rows[2], THEIRS.rows[0]), THEIRS.columns), PLAN, accepted=[(2, 2)])
    assert pairs(found)[2, 2] == ("reviewed", "auto")
    assert len(pairs(found)) == 2


def test_a_decision_about_rows_that_are_not_there_is_left_aside_and_counted() -> None:
    decisions = decided(OURS, THEIRS, PLAN, accepted=[(1, 2)], rejected=[(3, 3)])
    rest = Side(OURS.rows[1:], OURS.columns)
    found = run(rest, THEIRS, PLAN, decisions=decisions)
    assert found.summary["review"]["left_aside"] == 1
    assert found.summary["review"]["accepted"] == 0
    assert [row["ours_row"] for row in found.facts["review_decision"] if row["ruling"] == "accepted"] == [None]


def test_only_what_is_left_may_have_been_decided() -> None:
    ours, theirs = Side(OURS.rows[:1], OURS.columns), Side(THEIRS.rows[1:2], THEIRS.columns)
    assert pairs(reviewed(ours, theirs, PLAN, accepted=[(1, 1)])) == {(1, 1): ("reviewed", "auto")}
    assert pairs(reviewed(ours, theirs, PLAN, rejected=[(1, 1)])) == {}


def test_a_pair_in_two_currencies_may_be_accepted_and_the_money_still_ties() -> None:
    ours = table("day | currency | amount | text\n2026-01-05 | EUR | 10.00 | alba foods")
    theirs = table("day | currency | amount | text\n2026-01-05 | USD | 11.00 | alba foods")
    plan = plan_for(ours, theirs, compared=(), window_days=3, scoring="learned", review_threshold=0.1)
    found = reviewed(ours, theirs, plan, accepted=[(1, 1)])
    assert pairs(found) == {(1, 1): ("reviewed", "auto")}
    assert found.lines("delta", "kind", "currency", "amount") == [
        ("currency_mismatch", "EUR", "10"),
        ("currency_mismatch", "USD", "-11"),
    ]


def test_a_run_without_decisions_runs_no_step_of_theirs() -> None:
    names = {step.name for step in run(OURS, THEIRS, PLAN).outcome.steps}
    with_them = {step.name for step in reviewed(OURS, THEIRS, PLAN, accepted=[(1, 2)]).outcome.steps}
    assert not {name for name in names if "decided" in name or "accepted" in name or "rejected" in name}
    assert {"decided_pair", "review_decision", "unrejected_candidate", "add_accepted"} <= with_them


def test_accepted_pairs_teach_what_evidence_is_worth() -> None:
    """Pairs that only a person could know: they come ten days late, which few others do."""
    ours, theirs = world(120, 3)
    plan = learned_plan(ours, theirs)
    before = run(ours, theirs, plan)
    late = [(o, t) for o, t in ((n, n) for n in range(1, 60))]
    labelled = run(ours, theirs, plan, decisions=decided(ours, theirs, plan, accepted=late))
    assert labelled.outcome.learned is not None
    assert before.outcome.learned is not None
    assert labelled.outcome.learned.labels
    assert labelled.outcome.learned.levels != before.outcome.learned.levels


def test_weights_of_a_plan_are_learned_anew_once_for_decisions_that_they_have_not_seen() -> None:
    ours, theirs = world(80, 8)
    plan = learned_plan(ours, theirs)
    given = replace(plan, learned=run(ours, theirs, plan).outcome.learned)
    sure = sorted(pairs(run(ours, theirs, plan)))[:5]
    decisions = decided(ours, theirs, plan, accepted=sure)
    first = run(ours, theirs, given, decisions=decisions)
    assert first.summary["review"]["relearned"]
    again = run(ours, theirs, replace(plan, learned=first.outcome.learned), decisions=decisions)
    assert not again.summary["review"]["relearned"]
    assert again.outcome.learned == first.outcome.learned
    assert again.contents["match"] == first.contents["match"]
    assert run(ours, theirs, given).outcome.learned == given.learned


@st.composite
def decided_worlds(draw: st.DrawFn) -> tuple[Side, Side, list[tuple[int, int]], list[tuple[int, int]], int]:
    ours, theirs = world(24, draw(st.integers(0, 30)))
    accepted: list[tuple[int, int]] = []
    pair = st.tuples(st.integers(1, len(ours.rows)), st.integers(1, len(theirs.rows)))
    for o, t in draw(st.lists(pair, max_size=5)):
        if all(o != left and t != right for left, right in accepted):
            accepted.append((o, t))
    rejected = [one for one in draw(st.lists(pair, max_size=6, unique=True)) if one not in accepted]
    diagonal = [(n, n) for n in draw(st.lists(st.integers(1, 15), max_size=6, unique=True)) if (n, n) not in accepted]
    return ours, theirs, accepted, sorted({*rejected, *diagonal}), draw(st.integers(0, 10**6))


@given(decided_worlds(), st.sampled_from(["weighted", "learned"]))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_accepted_pairs_are_always_matched_rejected_ones_never_and_the_rest_one_to_one(made, scoring: str) -> None:
    ours, theirs, accepted, rejected, seed = made
    plan = learned_plan(ours, theirs)
    plan = replace(plan, rules=replace(plan.rules, scoring=scoring))
    decisions = decided(ours, theirs, plan, accepted=accepted, rejected=rejected)
    found = run(ours, theirs, plan, decisions=decisions)
    matched = pairs(found)
    assert set(accepted) <= set(matched)
    assert not set(rejected) & set(matched)
    for side in (0, 1):
        rows = [pair[side] for pair in matched]
        assert len(rows) == len(set(rows))
    order = sorted(range(len(ours.rows)), key=lambda row: (row * 7919 + seed) % 101)
    moved = run(permuted(ours, order), theirs, plan, decisions=decisions)
    assert {(order[o - 1] + 1, t): told for (o, t), told in pairs(moved).items()} == matched
    assert moved.outcome.learned == found.outcome.learned


def test_accepted_rows_are_no_open_items_of_the_settlement() -> None:
    ours = table("""
        day        | currency | amount | text | unit
        2026-01-05 | EUR      | 60.00  | alba | INV-1
        2026-01-06 | EUR      | 40.00  | alba | INV-2
        2026-01-07 | EUR      | 33.00  | brook | INV-3
    """)
    theirs = table("""
        day        | currency | amount | text | unit
        2026-01-09 | EUR      | 100.00 | alba | PAY-1
        2026-01-10 | EUR      | 39.00  | alba | PAY-2
        2026-01-10 | EUR      | 33.00  | brook | PAY-3
    """)
    plan = settling_plan(ours, theirs, None, compared=(), window_days=20, review_threshold=0.1)
    assert pairs(run(ours, theirs, plan))[2, 1] == ("settlement", "auto")
    found = reviewed(ours, theirs, plan, accepted=[(2, 2)])
    assert pairs(found)[2, 2] == ("reviewed", "auto")
    assert (2, 1) not in pairs(found)
    kept = reviewed(ours, theirs, plan, rejected=[(2, 1)])
    assert kept.summary["review"]["not_followed"] == 1
