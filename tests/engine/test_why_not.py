"""What would match an unmatched row: against brute force, by making the change, and by hand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.builders import Result, Row, Side, permuted, plan_for, reconcile, run, table
from tests.engine.why_not_oracle import smallest_changes
from tieout.core.money import to_micros
from tieout.engine import run as engine_run
from tieout.engine.plan import Plan, Weights
from tieout.engine.why_not import KINDS, Subject

few_runs = settings(max_examples=5, deadline=None, derandomize=True, database=None)
CHANGES_MADE = 3
"""Of each world so many changes are made, for each takes a run: those of the rarest kinds."""
MICROS = 1_000_000
FIRST_DAY = date(2026, 3, 1)
COLUMNS = ("id", "day", "currency", "amount", "text", "unit")

rows = st.builds(
    Row,
    id=st.none()
    | st.none()
    | st.sampled_from(["INV-0007", "inv 7", "INV-0070", "INV-0012", "INV-0021", "X9", "INV-0031"]),
    day=st.sampled_from([0, 0, 1, 3, 9, 40, 60]).map(lambda days: FIRST_DAY + timedelta(days=days)),
    currency=st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
    amount=st.sampled_from([54_300, 45_300, 54_300, 77_000, -77_000, 80_000, 130_000, 999_010, 7]).map(
        lambda thousandths: thousandths * 1_000
    ),
    text=st.none() | st.sampled_from(["acme rent", "rent acme", "acme limited rent", "beta fuel", "gamma"]),
    unit=st.none() | st.sampled_from(["berlin", "paris"]),
)
sides = st.lists(rows, min_size=1, max_size=9).map(lambda found: Side(tuple(found), COLUMNS))
rules = st.fixed_dictionaries(
    {
        "tolerance": st.sampled_from(["0", "0.01"]),
        "window_days": st.sampled_from([0, 1, 4]),
        "weights": st.sampled_from([Weights(), Weights(0.3, 0.3, 0.1, 0.3)]),
        "review_threshold": st.sampled_from([0.5, 0.7, 0.8]),
    }
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Side, Side, Plan]:
    """Draw two sides; most rows of theirs are a row of ours with one field changed."""
    ours = draw(sides)
    theirs = list(draw(st.lists(rows, max_size=4)))
    for row in draw(st.lists(st.sampled_from(ours.rows), max_size=9)):
        name = draw(st.sampled_from(COLUMNS))
        theirs.append(replace(row, **{name: getattr(draw(rows), name)}))
    found = Side(tuple(theirs), COLUMNS)
    return ours, found, plan_for(ours, found, **draw(rules))


def made(line: dict[str, Any], ours: Side, theirs: Side, plan: Plan) -> tuple[Side, Side, Plan]:
    """Return the world with the change of a line made: in the plan, or in the row that is concerned."""
    kind, to_value = line["kind"], line["to_value"]
    rules: dict[str, Any] = {
        "window_days": lambda: {"window_days": int(to_value)},
        "tolerance": lambda: {"tolerance_micros": to_micros(to_value)},
        "review_threshold": lambda: {"review_threshold": float(to_value)},
    }
    if kind in rules:
        return ours, theirs, replace(plan, rules=replace(plan.rules, **rules[kind]()))
    side, other = (ours, theirs) if line["side"] == "ours" else (theirs, ours)
    partner = other.rows[line["partner_row"] - 1]
    field = FIELDS[kind]
    changed = replace(side.rows[line["row_no"] - 1], **{field: getattr(partner, field)})
    rows = tuple(changed if number == line["row_no"] else row for number, row in enumerate(side.rows, start=1))
    side = replace(side, rows=rows)
    return (side, theirs, plan) if line["side"] == "ours" else (ours, side, plan)


FIELDS = {
    "reference_form": "id",
    "reference": "id",
    "reference_part": "id",
    "other_reference": "id",
    "amount_digits": "amount",
    "amount_sign": "amount",
    "amount": "amount",
    "date": "day",
    "currency": "currency",
    "text": "text",
}


def pairs(result: Result) -> set[tuple[int, int]]:
    return {(line["ours_row"], line["theirs_row"]) for line in result.facts["match"]}


def pair_of(line: dict[str, Any]) -> tuple[int, int]:
    pair = (line["row_no"], line["partner_row"])
    return pair if line["side"] == "ours" else (pair[1], pair[0])


# Every world


@few_runs
@given(worlds())
def test_a_change_that_is_certain_does_match_the_row_with_that_partner(world: tuple[Side, Side, Plan]) -> None:
    ours, theirs, plan = world
    result = run(ours, theirs, plan)
    assert not [line for line in result.facts["why_not"] if pair_of(line) in pairs(result)]
    certain = [line for line in result.facts["why_not"] if line["certainty"] == "certain"]
    often = Counter(line["kind"] for line in certain)
    for line in sorted(certain, key=lambda line: (often[line["kind"]], line["kind"]))[:CHANGES_MADE]:
        assert pair_of(line) in pairs(run(*made(line, ours, theirs, plan))), line


@settings(few_runs, max_examples=8)
@given(worlds())
def test_the_smallest_change_is_the_one_that_brute_force_finds(world: tuple[Side, Side, Plan]) -> None:
    ours, theirs, plan = world
    result = run(ours, theirs, plan)
    found = {(line["side"], line["row_no"]): line for line in result.facts["why_not"]}
    for key, expected in smallest_changes(ours, theirs, plan, result).items():
        line = found[key]
        if expected:
            assert (line["kind"], line["size"]) in [(change.kind, change.size) for change in expected], (line, expected)
        else:
            assert line["kind"] in ("tolerance", "taken_reference", "taken", "nothing_near"), line


@few_runs
@given(worlds())
def test_each_unmatched_row_has_one_line_and_no_other_row_has(world: tuple[Side, Side, Plan]) -> None:
    ours, theirs, plan = world
    facts = run(ours, theirs, plan).facts
    lone = [(side, line[f"{side}_row"]) for side in ("ours", "theirs") for line in facts[f"unmatched_{side}"]]
    assert sorted(lone) == [(line["side"], line["row_no"]) for line in facts["why_not"]]
    assert {line["kind"] for line in facts["why_not"]} <= set(KINDS)


@few_runs
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing_but_row_numbers(world: tuple[Side, Side, Plan], rnd: Any) -> None:
    ours, theirs, plan = world
    mixed = [permuted(side, rnd.sample(range(len(side.rows)), len(side.rows))) for side in (ours, theirs)]

    def told(ours: Side, theirs: Side) -> tuple[Counter[Any], Any]:
        result = run(ours, theirs, plan)
        lines: Counter[Any] = Counter()
        for line in result.facts["why_not"]:
            side, other = (ours, theirs) if line["side"] == "ours" else (theirs, ours)
            who = [
                None if number is None else rows.rows[number - 1]
                for rows, number in ((side, line["row_no"]), (other, line["partner_row"]), (side, line["rival_row"]))
            ]
            rest = tuple(value for name, value in line.items() if name not in ("row_no", "partner_row", "rival_row"))
            lines[(*who, rest)] += 1
        return lines, result.summary["why_not"]

    assert told(ours, theirs) == told(*mixed)


@few_runs
@given(worlds())
def test_what_a_rule_is_said_to_change_is_so_where_it_is_exact_and_no_less_where_it_is_a_bound(
    world: tuple[Side, Side, Plan],
) -> None:
    ours, theirs, plan = world
    result = run(ours, theirs, plan)
    for change in result.summary["why_not"]["rules"]:
        after = run(ours, theirs, replace(plan, rules=replace(plan.rules, **RULES[change["rule"]](change["to"]))))
        if change["rule"] == "auto":
            assert result.summary["review"]["matches"] - after.summary["review"]["matches"] == change["ours_rows"]
        if change["rule"] == "review":
            gained = after.summary["matched"]["ours_rows"] - result.summary["matched"]["ours_rows"]
            assert 0 <= gained <= change["ours_rows"]
        if change["rule"] == "tolerance" and change["basis"] == "exact":
            assert gaps(result) - gaps(after) == change["ours_rows"]


RULES: dict[str, Callable[[str], dict[str, Any]]] = {
    "auto": lambda value: {"auto_threshold": float(value)},
    "review": lambda value: {"review_threshold": float(value)},
    "window": lambda value: {"window_days": int(value)},
    "tolerance": lambda value: (
        {"tolerance_ppm": int(float(value.split("+")[-1].rstrip("%")) * 10_000)}
        if "%" in value
        else {"tolerance_micros": to_micros(value)}
    ),
}


def gaps(result: Result) -> int:
    return sum(line["kind"] in ("underpay", "overpay") for line in result.facts["delta"])


# By hand


def change(result: Result, side: str, row_no: int) -> tuple[Any, ...]:
    [line] = [line for line in result.facts["why_not"] if (line["side"], line["row_no"]) == (side, row_no)]
    return line["kind"], line["from_value"], line["to_value"], line["partner_row"], line["certainty"]


HEAD = "id | day | currency | amount | text\n"
HERE = "2026-03-05"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("PMT-00007 | - | EUR | 5 | -", "pmt 7 | - | EUR | 9 | -", ("reference_form", "PMT-00007", "pmt 7")),
        ("INV-17 | - | EUR | 5 | -", "INV-71 | - | EUR | 5 | -", ("reference", "INV-17", "INV-71")),
        ("INV-17 | - | EUR | 5 | -", "INV-71 | - | EUR | 6 | -", ("nothing_near", "", "")),
        (f"A | {HERE} | EUR | 5 | -", f"Q99 | {HERE} | EUR | 5 | -", ("other_reference", "A", "Q99")),
        (f"- | {HERE} | EUR | 5 | -", "- | 2026-03-09 | EUR | 5 | -", ("window_days", "2", "4")),
        (f"- | {HERE} | EUR | 5 | -", "- | 2027-03-05 | EUR | 5 | -", ("date", HERE, "2027-03-05")),
        (f"- | {HERE} | EUR | 5 | -", f"- | {HERE} | USD | 5 | -", ("currency", "EUR", "USD")),
        (f"- | {HERE} | EUR | 5 | x", f"- | {HERE} | EUR | -5 | x", ("amount_sign", "5", "-5")),
        (f"- | {HERE} | EUR | 96.30 | x", f"- | {HERE} | EUR | 69.30 | x", ("amount_digits", "96.3", "69.3")),
        (f"- | {HERE} | EUR | 80 | x y", f"- | {HERE} | EUR | 60 | x y", ("amount", "80", "60")),
        (f"- | {HERE} | EUR | 80 | -", f"- | {HERE} | EUR | 1 | -", ("nothing_near", "", "")),
        ("- | - | - | - | -", "- | - | - | - | -", ("nothing_near", "", "")),
        (f"- | {HERE} | EUR | 0 | -", "- | 2026-03-20 | EUR | 0 | -", ("window_days", "2", "15")),
    ],
)
def test_a_pair_apart_in_one_thing_is_told_that_thing_from_either_side(
    ours: str, theirs: str, expected: tuple[str, str, str]
) -> None:
    result = reconcile(HEAD + ours, HEAD + theirs, window_days=2, review_threshold=0.65 if "x" in ours else 0.4)
    kind, before, after = expected
    partner = None if kind == "nothing_near" else 1
    certainty = "" if kind == "nothing_near" else "certain"
    assert change(result, "ours", 1) == (kind, before, after, partner, certainty)
    told = (kind, after, before) if kind != "window_days" else expected
    assert change(result, "theirs", 1) == (*told, partner, certainty)


def test_a_score_below_the_threshold_is_told_as_the_threshold_that_it_reaches() -> None:
    line = f"- | {HERE} | EUR | 100 | acme"
    result = reconcile(HEAD + line, HEAD + f"- | {HERE} | EUR | 88 | acme", review_threshold=0.8)
    kind, before, after, partner, certainty = change(result, "ours", 1)
    assert (kind, before, partner, certainty) == ("review_threshold", "0.8", 1, "certain")
    assert 0.7 < float(after) < 0.8


def test_a_copy_too_many_is_told_who_took_its_partner() -> None:
    result = reconcile(HEAD + "R | - | EUR | 5 | -\nR | - | EUR | 5 | -", HEAD + "R | - | EUR | 5 | -")
    [line] = result.facts["why_not"]
    assert (line["kind"], line["partner_row"], line["from_value"], line["to_value"]) == ("taken_reference", 1, "0", "0")
    assert {line["row_no"], line["rival_row"]} == {1, 2}


def test_a_likely_partner_that_another_row_has_is_told_with_both_scores() -> None:
    ours = "- | 2026-03-06 | EUR | 100 | -\n- | 2026-03-06 | EUR | 99 | -"
    result = reconcile(HEAD + ours, HEAD + f"- | {HERE} | EUR | 100 | -", window_days=1)
    [line] = result.facts["why_not"]
    assert (line["row_no"], line["kind"], line["partner_row"], line["rival_row"]) == (2, "taken", 1, 1)
    assert 0.5 < float(line["from_value"]) < float(line["to_value"])


def test_sums_behind_one_reference_that_nearly_tie_are_told_the_tolerance_that_ties_them() -> None:
    ours = table(HEAD + "R | - | EUR | 60 | -\nR | - | EUR | 40 | -")
    theirs = table(HEAD + "R | - | EUR | 100.02 | -")
    plan = plan_for(ours, theirs)
    result = run(ours, theirs, plan)
    [line] = result.facts["why_not"]
    assert (line["kind"], line["from_value"], line["to_value"], line["certainty"]) == (
        "tolerance",
        "0",
        "0.02",
        "certain",
    )
    assert pair_of(line) in pairs(run(*made(line, ours, theirs, plan)))


def test_of_two_equal_changes_the_nearer_amount_then_the_nearer_day_decides() -> None:
    ours = f"INV-11 | {HERE} | EUR | 5 | -"
    theirs = "INV-12 | 2026-03-09 | EUR | 5 | -\nINV-13 | 2026-03-06 | EUR | 5 | -"
    assert change(reconcile(HEAD + ours, HEAD + theirs), "ours", 1)[3] == 2


def test_a_wider_window_that_another_row_may_profit_by_gives_way_to_a_change_that_is_certain() -> None:
    ours = f"- | {HERE} | EUR | 5 | -\n- | {HERE} | EUR | 5 | -"
    result = reconcile(HEAD + ours, HEAD + "- | 2026-03-09 | EUR | 5 | -", window_days=1, review_threshold=0.4)
    assert {change(result, "ours", row)[0] for row in (1, 2)} == {"date"}
    assert change(result, "theirs", 1)[0::4] == ("window_days", "likely")


def test_a_reference_that_stands_twice_is_no_ones_to_take() -> None:
    result = reconcile(HEAD + "X-1 | - | EUR | 5 | -", HEAD + "X-2 | - | EUR | 5 | -\nX-2 | - | EUR | 5 | -")
    assert change(result, "ours", 1)[0] == "nothing_near"


def test_where_nothing_is_unmatched_nothing_is_asked() -> None:
    result = reconcile(HEAD + "R | - | EUR | 5 | -", HEAD + "R | - | EUR | 6 | -")
    assert result.facts["why_not"] == []
    assert result.summary["why_not"] == {"rows": [], "rules": []}
    assert not {"lone_row", "near_reference", "tolerance_change"} & {step.name for step in result.outcome.steps}


def test_only_the_rows_of_weight_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_run, "WHY_NOT_ROWS", 2)
    ours = HEAD + "\n".join(f"A{n} | - | {c} | {n} | -" for n in range(1, 6) for c in ("EUR", "USD"))
    facts = reconcile(ours, HEAD + "R | - | EUR | - | -").facts["why_not"]
    assert [(line["currency"], line["amount_micros"] // MICROS) for line in facts if line["side"] == "ours"] == [
        ("EUR", 4), ("USD", 4), ("EUR", 5), ("USD", 5),
    ]  # fmt: skip


def test_one_row_can_be_asked_whatever_its_weight() -> None:
    ours, theirs = table(HEAD + "A1 | - | EUR | 5 | -\nB7 | - | EUR | 900 | -"), table(HEAD + "A2 | - | EUR | 5 | -")
    result = run(ours, theirs, plan_for(ours, theirs), subject=Subject("ours", 1))
    assert [(line["side"], line["row_no"], line["kind"]) for line in result.facts["why_not"]] == [
        ("ours", 1, "reference")
    ]


def test_the_kinds_are_those_that_sql_ranks_and_the_glossary_explains() -> None:
    sql = (files("tieout.engine") / "sql" / "macros.sql").read_text(encoding="utf-8")
    ranked = re.findall(r"'(\w+)'", sql.partition("macro change_rank")[2].partition("];")[0].partition("]")[0])
    assert tuple(ranked) == KINDS
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if kind not in glossary] == []
