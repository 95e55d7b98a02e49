"""Sums, copies and reversals among rows without a key: what is found, and what must not change it."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.engine.builders import Result, Row, Side, permuted, plan_for, reconcile, run, table

FIRST_DAY = date(2026, 3, 2)
MICROS = 1_000_000
COLUMNS = ("day", "currency", "amount", "text")
NAMES = tuple(
    f"{first}{last}"
    for first in ("Alba", "Brook", "Corvin", "Delta", "Ember", "Fjord", "Garnet", "Harbor")
    for last in ("mund", "wick", "sted", "holm", "gard", "feld")
)
PURPOSES = ("invoice", "rent", "services", "order", "supplies", "licence")
WINDOW_DAYS = 10
Groups = set[tuple[frozenset[int], frozenset[int]]]


def world(facts: int, seed: int) -> tuple[Side, Side, Groups]:
    """Return bookings, receipts and the true groups: in one fact of five, two to four rows of a side make up one.

    One fact in twelve is missing on either side; receipts come some days later, some in capitals, some less a fee.
    """
    rng = random.Random(seed)
    sides: tuple[list[Row], list[Row]] = ([], [])
    groups: Groups = set()
    for number in range(facts):
        text = f"{rng.choice(NAMES)} {rng.choice(PURPOSES)}"
        day = FIRST_DAY + timedelta(days=rng.randrange(90))
        cents = rng.randrange(900, 400_000)
        parts = _cut(rng, cents) if number % 5 == 0 else [cents]
        many = number % 2
        amounts = (parts, [cents]) if many == 0 else ([cents], parts)
        if number % 5 and rng.random() < 0.15:
            amounts = ([cents], [cents - cents // 40])
        kept = (number % 12 != 3, number % 12 != 7)
        rows = []
        for place, (side, values) in enumerate(zip(sides, amounts, strict=True)):
            for value in values if kept[place] else ():
                lag = place * rng.choice((0, 1, 1, 2, 4)) + (rng.randrange(3) if len(values) > 1 else 0)
                said = rng.choice((text, text, text.upper())) if place else text
                side.append(Row(day=day + timedelta(days=lag), currency="EUR", amount=value * MICROS // 100, text=said))
            rows.append(frozenset(range(len(side) - len(values) + 1, len(side) + 1)))
        if len(parts) > 1 and all(kept):
            groups.add((rows[0], rows[1]))
    return Side(tuple(sides[0]), COLUMNS), Side(tuple(sides[1]), COLUMNS), groups


def _cut(rng: random.Random, cents: int) -> list[int]:
    places = sorted(rng.sample(range(1, cents), rng.randrange(1, 4)))
    return [after - before for before, after in zip([0, *places], [*places, cents], strict=True)]


def reconciled(ours: Side, theirs: Side, **rules: object) -> Result:
    plan = plan_for(
        ours, theirs, compared=(), scoring="learned", window_days=WINDOW_DAYS, review_threshold=0.1, **rules
    )
    return run(ours, theirs, plan)


def groups_of(result: Result, outcome: str | None = None) -> Groups:
    rows: dict[int, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for match in result.facts["match"]:
        by_sum = (match["pass"], outcome or match["outcome"]) == ("sum", match["outcome"])
        if by_sum:
            rows[match["match_id"]][0].add(match["ours_row"])
            rows[match["match_id"]][1].add(match["theirs_row"])
    return {(frozenset(ours), frozenset(theirs)) for ours, theirs in rows.values()}


@pytest.fixture(scope="module")
def told() -> tuple[Side, Side, Groups, Result]:
    ours, theirs, groups = world(500, 4)
    return ours, theirs, groups, reconciled(ours, theirs)


@pytest.mark.parametrize(("facts", "seed"), [(120, 1), (300, 2), (500, 3)])
def test_nearly_all_sums_are_found_and_those_taken_are_right(facts: int, seed: int) -> None:
    ours, theirs, groups = world(facts, seed)
    found = groups_of(reconciled(ours, theirs), "auto")
    assert len(found & groups) >= 0.98 * len(found)
    assert len(found & groups) >= 0.6 * len(groups)


def test_a_sum_is_the_amount_of_its_whole_and_no_row_is_used_twice(
    told: tuple[Side, Side, Groups, Result],
) -> None:
    ours, theirs, _, result = told
    for of_ours, of_theirs in groups_of(result):
        expected = sum(ours.rows[row - 1].amount or 0 for row in of_ours)
        assert expected == sum(theirs.rows[row - 1].amount or 0 for row in of_theirs)
        assert min(len(of_ours), len(of_theirs)) == 1
    match_of: dict[tuple[str, int], set[int]] = defaultdict(set)
    for match in result.facts["match"]:
        for side in ("ours", "theirs"):
            match_of[side, match[f"{side}_row"]].add(match["match_id"])
    assert {len(matches) for matches in match_of.values()} == {1}


def test_each_part_is_an_application_with_a_verdict(told: tuple[Side, Side, Groups, Result]) -> None:
    ours, theirs, _, result = told
    groups = groups_of(result)
    applied = [row for row in result.facts["application"] if row["kind"] == "sum"]
    assert sum(len(of_ours) * len(of_theirs) for of_ours, of_theirs in groups) == len(applied)
    for row in applied:
        amounts = (ours.rows[row["ours_row"] - 1].amount or 0, theirs.rows[row["theirs_row"] - 1].amount or 0)
        assert row["applied_micros"] == min(amounts)
        assert row["verdict"] == "unique" or row["outcome"] == "review"


def test_the_order_of_the_rows_changes_no_sum(told: tuple[Side, Side, Groups, Result]) -> None:
    ours, theirs, _, before = told
    rng = random.Random(8)
    left, right = (rng.sample(range(len(side.rows)), len(side.rows)) for side in (ours, theirs))
    after = reconciled(permuted(ours, left), permuted(theirs, right))
    moved = {
        (frozenset(left[row - 1] + 1 for row in of_ours), frozenset(right[row - 1] + 1 for row in of_theirs))
        for of_ours, of_theirs in groups_of(after)
    }
    assert moved == groups_of(before)


def test_to_swap_the_sides_swaps_the_sums() -> None:
    ours, theirs, _ = world(300, 6)
    swapped = {(of_ours, of_theirs) for of_theirs, of_ours in groups_of(reconciled(theirs, ours))}
    assert swapped == groups_of(reconciled(ours, theirs))


def test_rows_of_another_currency_are_no_part_of_a_sum() -> None:
    ours, theirs, _ = world(120, 7)
    strangers = [replace(row, currency="JPY") for row in ours.rows]
    found = groups_of(reconciled(Side((*ours.rows, *strangers), COLUMNS), theirs))
    assert all(row <= len(ours.rows) for of_ours, _ in found for row in of_ours)


def test_a_run_whose_rows_all_found_partners_looks_for_no_sums() -> None:
    steps = {record.name for record in reconcile(FEW, FEW, scoring="learned", window_days=5).outcome.steps}
    assert "lone_rows_are_left" in steps
    assert "loose_row" not in steps


def test_a_run_by_key_does_not_even_ask() -> None:
    steps = {record.name for record in reconcile("id | amount\nA | 1", "id | amount\nB | 1").outcome.steps}
    assert "lone_rows_are_left" not in steps


FEW = """
day | amount | text
2026-03-02 | 120.10 | Alder Metals
2026-03-03 | 75.25 | Birch Foods
"""


# Cases, each beside a world that teaches the run how pairs differ. Rows of a case are numbered from 1.


class Case:
    """What a run says of a few rows that stand beside a world, by their numbers among themselves."""

    def __init__(self, ours: str, theirs: str, *more_columns: str) -> None:
        world_of_ours, world_of_theirs, _ = world(240, 21)
        self.before = (len(world_of_ours.rows), len(world_of_theirs.rows))
        sides = [
            Side(
                (*others.rows, *(replace(row, currency="EUR") for row in _rows(text, *more_columns))),
                (*COLUMNS, *more_columns),
            )
            for others, text in ((world_of_ours, ours), (world_of_theirs, theirs))
        ]
        self.result = reconciled(*sides)

    @property
    def matches(self) -> set[tuple[int, int, str, str]]:
        return {
            (*self._numbers(row), row["pass"], row["outcome"])
            for row in self.result.facts["match"]
            if row["ours_row"] > self.before[0] or row["theirs_row"] > self.before[1]
        }

    def told(self, fact: str) -> list[dict[str, object]]:
        """Return the rows of a fact that concern the case."""
        return [
            row | dict(zip(("ours_row", "theirs_row"), self._numbers(row), strict=True))
            for row in self.result.facts[fact]
            if (row["ours_row"] or 0) > self.before[0] or (row["theirs_row"] or 0) > self.before[1]
        ]

    def _numbers(self, row: dict[str, int]) -> tuple[int, int]:
        return (row["ours_row"] or 0) - self.before[0], (row["theirs_row"] or 0) - self.before[1]


def _rows(text: str, *more_columns: str) -> tuple[Row, ...]:
    names = " | ".join(("day", "amount", "text", *more_columns))
    return table(f"{names}\n{text.strip()}").rows if text.strip() else ()


def test_a_payment_of_three_invoices_is_their_sum() -> None:
    case = Case(
        """
        2026-04-09 | 412.37 | Walnut Textiles March
        2026-04-10 | 98.05 | Walnut Textiles freight
        2026-04-11 | 1204.99 | Walnut Textiles April
        """,
        "2026-04-12 | 1715.41 | WALNUT TEXTILES",
    )
    assert case.matches == {(row, 1, "sum", "auto") for row in (1, 2, 3)}
    assert case.told("delta") == []


def test_an_invoice_paid_in_two_parts_of_which_one_has_its_name_mistyped_is_their_sum() -> None:
    known = "\n".join(f"2026-04-{day} | {day * 31}.17 | Walnutex services" for day in range(12, 20))
    case = Case(
        f"2026-05-09 | 1715.41 | Walnutex supplies\n{known}",
        f"2026-05-10 | 1204.99 | Walnutex supplies\n2026-05-11 | 510.42 | Walnotex supplies\n{known}",
    )
    assert {match for match in case.matches if match[0] == 1} == {(1, 1, "sum", "auto"), (1, 2, "sum", "auto")}


def test_a_payout_net_of_a_fee_that_it_states_is_the_sum_of_its_payments_and_the_fee_explains_the_rest() -> None:
    case = Case(
        """
        2026-04-09 | 412.37 | Walnut Textiles | -
        2026-04-10 | 98.05 | Walnut Textiles | -
        """,
        "2026-04-12 | 495.61 | WALNUT TEXTILES | 14.81",
        "fee",
    )
    assert case.matches == {(1, 1, "sum", "auto"), (2, 1, "sum", "auto")}
    (delta,) = case.told("delta")
    assert (delta["amount_micros"], delta["fee_micros"], delta["unexplained_micros"]) == (14_810_000, 14_810_000, 0)


def test_a_payout_less_a_refund_is_the_sum_of_both() -> None:
    case = Case(
        """
        2026-04-09 | 412.37 | Walnut Textiles
        2026-04-10 | 698.05 | Walnut Textiles
        2026-04-10 | -99.43 | Walnut Textiles
        """,
        "2026-04-12 | 1010.99 | WALNUT TEXTILES",
    )
    assert case.matches == {(row, 1, "sum", "auto") for row in (1, 2, 3)}


def test_where_two_sets_fit_as_well_one_is_proposed_and_what_would_settle_it_is_said() -> None:
    case = Case(
        """
        2026-04-09 | 700.13 | Walnut Textiles
        2026-04-09 | 300.20 | Walnut Textiles
        2026-04-09 | 600.11 | Walnut Textiles
        2026-04-09 | 400.22 | Walnut Textiles
        """,
        "2026-04-10 | 1000.33 | WALNUT TEXTILES",
    )
    assert {match[2:] for match in case.matches} == {("sum", "review")}
    assert {match[0] for match in case.matches} in ({1, 2}, {3, 4})
    applied = case.told("application")
    assert {row["verdict"] for row in applied} == {"2 alternatives"}
    assert all(
        f"whether row {case.before[0] + 1} belongs to it would settle it" in str(row["reason"]) for row in applied
    )
    assert {row["alternatives"] for row in case.told("match")} == {1}


def test_a_sum_of_rows_of_other_parties_is_chance() -> None:
    case = Case(
        "2026-04-09 | 412.37 | Walnut Textiles\n2026-04-10 | 98.05 | Maple Optics",
        "2026-04-12 | 510.42 | Hazel Timber",
    )
    assert case.matches == set()


def test_a_sum_outside_the_window_is_none() -> None:
    case = Case(
        "2026-03-03 | 412.37 | Walnut Textiles\n2026-03-04 | 98.05 | Walnut Textiles",
        "2026-04-12 | 510.42 | Walnut Textiles",
    )
    assert case.matches == set()


def test_a_payment_of_a_third_of_an_invoice_is_found_by_its_party() -> None:
    case = Case("2026-04-09 | 1412.37 | Walnut Textiles rent", "2026-04-10 | 470.79 | WALNUT TEXTILES RENT")
    assert {match[:3] for match in case.matches} == {(1, 1, "scored")}


def test_a_payment_sent_twice_pairs_with_the_first_and_the_second_is_a_duplicate() -> None:
    case = Case(
        "2026-04-09 | 412.37 | Walnut Textiles",
        "2026-04-12 | 412.37 | WALNUT TEXTILES\n2026-04-10 | 412.37 | Walnut Textiles",
    )
    assert case.matches == {(1, 2, "scored", "auto")}
    assert [(row["kind"], row["reason_code"], row["theirs_row"]) for row in case.told("delta")] == [
        ("duplicate", "copy_on_their_side", 1)
    ]


def test_a_booking_made_twice_pairs_by_its_first_and_the_second_is_a_duplicate() -> None:
    case = Case(
        "2026-04-10 | 412.37 | Walnut Textiles\n2026-04-09 | 412.37 | Walnut Textiles",
        "2026-04-11 | 412.37 | WALNUT TEXTILES",
    )
    assert case.matches == {(2, 1, "scored", "auto")}
    assert [(row["kind"], row["reason_code"], row["ours_row"]) for row in case.told("delta")] == [
        ("duplicate", "copy_on_our_side", 1)
    ]


def test_a_booking_and_its_reversal_are_known_by_the_name_though_the_texts_differ() -> None:
    case = Case("2026-04-09 | 412.37 | Walnut Textiles invoice\n2026-04-12 | -412.37 | CORRECTION Walnut Textiles", "")
    assert [row["reason_code"] for row in case.told("delta")] == ["reversed", "reversed"]


def test_opposite_amounts_of_different_parties_are_no_reversal() -> None:
    case = Case("2026-04-09 | 412.37 | Walnut Textiles\n2026-04-12 | -412.37 | Maple Optics", "")
    assert {row["reason_code"] for row in case.told("delta")} == {"not_reported"}
