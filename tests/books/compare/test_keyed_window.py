"""Dates of rows that a key pairs: a finding where they differ though they are the same as a rule, else a window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.books.compare.builders import amounts, find_decision, get_decision, infer_plan, references
from tieout.engine.plan import Plan

ROWS = 60
FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=7 * row % 90) for row in range(ROWS)]
MOMENTS = [
    datetime(2026, 1, 1, 8, 30, tzinfo=UTC) + timedelta(hours=7 * row, minutes=row, seconds=row) for row in range(ROWS)
]


def _plan(ours: list[str], theirs: list[str], names: tuple[str, str] = ("date", "date"), **options: object) -> Plan:
    mine = {"id": references(ROWS), names[0]: ours, "amount": amounts(ROWS)}
    return infer_plan(mine, {"id": references(ROWS), names[1]: theirs, "amount": amounts(ROWS)}, **options)


def _later(days: list[int]) -> list[str]:
    return [str(day + timedelta(days=late)) for day, late in zip(DAYS, days, strict=True)]


def _dates(plan: Plan) -> list[str]:
    return [item.ours for item in plan.compared if item.kind in ("date", "timestamp")]


@pytest.mark.parametrize("share", [0, 4])
def test_dates_that_are_the_same_as_a_rule_are_compared_to_the_day(share: int) -> None:
    plan = _plan(_later([0] * ROWS), _later([3 if share and row % share == 0 else 0 for row in range(ROWS)]))
    assert plan.rules.window_days == 0
    assert _dates(plan) == ["date"]
    assert find_decision(plan, "window") is None


def test_dates_that_are_seldom_the_same_are_compared_within_the_days_that_are_usual() -> None:
    paid = [3 + row % 17 for row in range(ROWS)]
    plan = _plan(_later([0] * ROWS), _later([75, *paid[1:]]), ("invoiced", "booked"))
    assert (plan.rules.window_days, _dates(plan)) == (19, ["invoiced"])
    decision = get_decision(plan, "window")
    assert decision.evidence == "invoiced = booked is the same on 0% of 60 paired rows, and so near on 98%"
    assert decision.option == "--window-days"


def test_the_user_has_the_last_word_on_the_window() -> None:
    plan = _plan(_later([0] * ROWS), _later([5] * ROWS), window_days=2)
    assert (plan.rules.window_days, get_decision(plan, "window").evidence) == (2, "as you said")


def test_dates_that_lie_apart_by_any_number_of_days_are_not_compared() -> None:
    plan = _plan(_later([0] * ROWS), _later([5 * row for row in range(ROWS)]))
    assert (plan.rules.window_days, _dates(plan)) == (0, [])
    assert "more than 90 days apart on many" in get_decision(plan, "not compared").evidence


def test_a_clock_that_is_an_hour_ahead_makes_no_differences_and_is_told() -> None:
    theirs = [str(moment.replace(tzinfo=None) + timedelta(hours=1)) for moment in MOMENTS]
    plan = _plan([str(moment.replace(tzinfo=None)) for moment in MOMENTS], theirs)
    assert plan.rules.window_days == 1
    assert "at the same second on 0% of 60 paired rows, 1 hour later on 100%" in get_decision(plan, "window").evidence


def test_moments_that_are_the_same_as_a_rule_are_compared_to_the_second() -> None:
    theirs = [
        str(moment.replace(tzinfo=None) + timedelta(seconds=9 if row % 5 == 0 else 0))
        for row, moment in enumerate(MOMENTS)
    ]
    plan = _plan([str(moment.replace(tzinfo=None)) for moment in MOMENTS], theirs)
    assert (plan.rules.window_days, find_decision(plan, "window")) == (0, None)
    assert [item.kind for item in plan.compared] == ["timestamp"]


@pytest.mark.parametrize(("codes", "compared"), [(["EUR", "USD"], []), (["eur", "usd"], ["currency"])])
def test_currencies_in_other_letters_are_the_same_currency(codes: list[str], compared: list[str]) -> None:
    table = {"id": references(ROWS), "amount": amounts(ROWS)}
    ours = table | {"currency": ["eur", "usd"] * (ROWS // 2)}
    plan = infer_plan(ours, table | {"currency": codes * (ROWS // 2)})
    assert [item.name for item in plan.compared] == compared
    assert (plan.ours.currency, plan.theirs.currency) == ("currency", "currency")
