"""Cents and units: what was taken is said, doubted where names or values hint at cents, and settled by --scale."""

from __future__ import annotations

import pytest

from tests.books.compare.builders import amounts, find_decision, get_decision, infer_plan, references
from tieout.books.compare.infer import UnknownFormat
from tieout.engine.plan import Plan

ROWS = 24
IDS = references(ROWS)
UNITS = amounts(ROWS)
CENTS = [value.replace(".", "") for value in UNITS]
SMALL = [str(row % 40 + 1) for row in range(ROWS)]


def _exponents(plan: Plan) -> tuple[int, int]:
    return plan.ours.amount_exponent, plan.theirs.amount_exponent


def test_whole_numbers_on_both_sides_are_taken_as_units_and_that_is_said() -> None:
    table = {"id": IDS, "amount": SMALL}
    plan = infer_plan(table, table)
    assert _exponents(plan) == (0, 0)
    decision = get_decision(plan, "scale")
    assert (decision.choice, decision.option) == ("both in units", "--scale")
    assert decision.evidence == "whole numbers on both sides, taken as they stand"
    assert 0.5 < decision.confidence < 0.9


def test_whole_numbers_that_look_like_cents_are_doubted() -> None:
    table = {"id": IDS, "amount": CENTS}
    decision = get_decision(infer_plan(table, table), "scale")
    assert decision.confidence == 0.5
    assert "nearly all amounts of ours.csv are 100 or more, and few are round" in decision.evidence
    assert "--scale cents" in decision.evidence


@pytest.mark.parametrize("name", ["livemode", "amount_refunded", "tip_money_currency"])
def test_columns_of_payment_providers_make_whole_numbers_doubtful(name: str) -> None:
    ours, theirs = {"id": IDS, "amount": SMALL}, {"id": IDS, "amount": SMALL, name: ["0"] * ROWS}
    decision = get_decision(infer_plan(ours, theirs), "scale")
    assert decision.confidence == 0.5
    assert f"{name} of theirs.csv is usual where amounts are in cents" in decision.evidence


def test_a_currency_without_cents_leaves_no_doubt() -> None:
    table = {"id": IDS, "amount": CENTS, "currency": ["JPY", "KRW"] * (ROWS // 2)}
    assert get_decision(infer_plan(table, table), "scale").confidence > 0.5


def test_amounts_with_decimals_need_no_word_on_their_scale() -> None:
    for values in (UNITS, [f"{value}.00" for value in SMALL]):
        table = {"id": IDS, "amount": values}
        assert find_decision(infer_plan(table, table), "scale") is None


def test_a_name_that_speaks_of_cents_on_one_side_holds_for_equal_numbers_of_the_other() -> None:
    named, plain = {"id": IDS, "amount_cents": CENTS}, {"id": IDS, "amount": CENTS}
    assert _exponents(infer_plan(named, plain)) == _exponents(infer_plan(plain, named)) == (-2, -2)


@pytest.mark.parametrize(
    ("asked", "exponents", "choice"),
    [
        ("cents", (-2, -2), "both in hundredths"),
        ("units", (0, 0), "both in units"),
        ("-3", (-3, -3), "both in thousandths"),
        ("3", (3, 3), "both in 10^3"),
        ("cents=units", (-2, 0), "ours is in hundredths"),
        ("=cents", (-2, -2), "both in hundredths"),
        ("-2=", (-2, -2), "both in hundredths"),
    ],
)
def test_the_scale_that_the_user_names_is_taken(asked: str, exponents: tuple[int, int], choice: str) -> None:
    table = {"id": IDS, "amount": CENTS}
    plan = infer_plan(table, table, scale=asked)
    assert _exponents(plan) == exponents
    decision = get_decision(plan, "scale")
    assert (decision.choice, decision.confidence, decision.evidence) == (choice, 1.0, "as you said")


def test_the_scale_named_for_one_side_sets_the_other_by_the_ratio_that_is_seen() -> None:
    ours, theirs = {"id": IDS, "amount": UNITS}, {"id": IDS, "amount": CENTS}
    assert _exponents(infer_plan(ours, theirs)) == (0, -2)
    assert _exponents(infer_plan(ours, theirs, scale="-1=")) == (-1, -3)
    assert _exponents(infer_plan(ours, theirs, scale="=-3")) == (-1, -3)
    assert get_decision(infer_plan(ours, theirs), "scale").option == "--scale"


@pytest.mark.parametrize("asked", ["pence", "0.01", "-12", "cents=x"])
def test_a_scale_that_is_none_is_refused(asked: str) -> None:
    table = {"id": IDS, "amount": CENTS}
    with pytest.raises(UnknownFormat) as raised:
        infer_plan(table, table, scale=asked)
    assert "is no scale" in raised.value.what
    assert "cents" in raised.value.remedy
