"""A fee is a cause only where gaps are the fee; otherwise its column explains nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.books.compare.builders import amounts, find_decision, get_decision, infer_plan, references
from tieout.books.compare.infer import PlanUndecided
from tieout.engine.plan import Plan, SignedColumn

ROWS = 24
IDS = references(ROWS)
GROSS = [f"{Decimal(value) + 50:.2f}" for value in amounts(ROWS)]
FEES = [f"0.{row + 10}" for row in range(ROWS)]
NET = [f"{Decimal(gross) - Decimal(fee):.2f}" for gross, fee in zip(GROSS, FEES, strict=True)]


def _fees(plan: Plan) -> tuple[str | None, str | None]:
    return plan.ours.fee, plan.theirs.fee


def _wrong(values: list[str], rows: range, by: str = "0.37") -> list[str]:
    """Return the values with those of some rows off by an amount that is no fee."""
    return [f"{Decimal(value) + Decimal(by):.2f}" if row in rows else value for row, value in enumerate(values)]


def test_a_fee_that_is_taken_off_between_both_sides_is_a_cause() -> None:
    plan = infer_plan({"id": IDS, "amount": GROSS}, {"id": IDS, "net_amount": NET, "fee": FEES})
    assert _fees(plan) == (None, "fee")
    decision = get_decision(plan, "fee")
    assert decision.evidence == "ours less theirs is the fee in 24 of 24 keys with a fee"
    assert (decision.confidence > 0.85, decision.option) == (True, "--fee")


def test_a_fee_that_our_side_states_is_a_cause_where_theirs_is_before_it() -> None:
    plan = infer_plan({"id": IDS, "net_amount": NET, "fee": FEES}, {"id": IDS, "amount": GROSS})
    assert _fees(plan) == ("fee", None)


def test_a_fee_that_a_few_rows_were_charged_explains_those() -> None:
    charged = [net if row < 3 else gross for row, (net, gross) in enumerate(zip(NET, GROSS, strict=True))]
    plan = infer_plan({"id": IDS, "amount": GROSS}, {"id": IDS, "amount": charged, "fee": FEES})
    assert _fees(plan) == (None, "fee")


@pytest.mark.parametrize("name", ["net", "amount"])
def test_amounts_that_are_both_after_the_fee_are_not_explained_by_it(name: str) -> None:
    """Three rows are wrong by 0.37, which a fee of about as much would seem to explain in part."""
    theirs = {"id": IDS, "gross": GROSS, "fee": FEES, name: _wrong(NET, range(3))}
    plan = infer_plan({"id": IDS, "amount": NET}, theirs)
    assert plan.theirs.amount == (SignedColumn(name),)
    assert _fees(plan) == (None, None)
    decision = get_decision(plan, "fee")
    assert decision.choice == "none"
    assert decision.evidence.startswith("none = fee: the amounts are equal in 21 of 24 keys with a fee")


def test_amounts_before_the_fee_on_both_sides_are_not_explained_by_it() -> None:
    theirs = {"id": IDS, "amount": _wrong(GROSS, range(3)), "fee": FEES}
    assert _fees(infer_plan({"id": IDS, "amount": GROSS}, theirs)) == (None, None)


def test_gaps_that_are_never_the_fee_are_not_explained_by_it() -> None:
    theirs = {"id": IDS, "amount": _wrong(GROSS, range(ROWS)), "fee": FEES}
    plan = infer_plan({"id": IDS, "amount": GROSS}, theirs)
    assert _fees(plan) == (None, None)
    assert "the gap is the fee in 0 of 24 keys" in get_decision(plan, "fee").evidence


def test_a_fee_that_changed_between_both_sides_is_a_cause() -> None:
    """Both sides are after their own fee; theirs charged 0.40 more on four rows."""
    more, less = _wrong(FEES, range(4), "0.40"), _wrong(NET, range(4), "-0.40")
    ours, theirs = ({"id": IDS, "net": net, "fee": fee} for net, fee in ((NET, FEES), (less, more)))
    plan = infer_plan(ours, theirs)
    assert _fees(plan) == ("fee", "fee")
    assert "ours less theirs is the fee in 4 of 4 keys" in get_decision(plan, "fee").evidence


def test_the_fees_of_a_group_are_held_against_the_gap_of_its_sum() -> None:
    payouts = [f"P-{row // 4:05}" for row in range(ROWS)]
    sums = [sum(Decimal(value) for value in NET[at : at + 4]) for at in range(0, ROWS, 4)]
    totals = [sum(Decimal(value) for value in GROSS[at : at + 4]) for at in range(0, ROWS, 4)]
    parts = {"payout_id": payouts, "net": NET, "fee": FEES}
    paid = {"payout_id": payouts[::4], "amount": [str(value) for value in sums]}
    assert _fees(infer_plan(parts, paid)) == (None, None)
    before = {**paid, "amount": [str(value) for value in totals]}
    assert _fees(infer_plan(parts, before, group_by="payout_id")) == ("fee", None)


def test_a_fee_beside_amounts_in_cents_is_in_cents_too() -> None:
    cents = {"id": IDS, "net": [v.replace(".", "") for v in NET], "fee": [v.replace("0.", "") for v in FEES]}
    plan = infer_plan({"id": IDS, "amount": GROSS}, cents, amount="amount=net", scale="units=cents")
    assert _fees(plan) == (None, "fee")


def test_without_a_key_the_amounts_that_both_sides_have_tell() -> None:
    days = [f"2026-01-{row % 28 + 1:02}" for row in range(ROWS)]
    theirs = {"date": days, "amount": NET, "fee": FEES}
    assert _fees(infer_plan({"date": days, "amount": NET}, theirs)) == (None, None)
    assert _fees(infer_plan({"date": days, "amount": GROSS}, theirs)) == (None, "fee")


def test_an_amount_that_is_another_column_less_the_fee_is_after_it() -> None:
    """Of two rows there is no telling by the gaps, and the rest of the file has them all."""
    theirs = {"id": references(ROWS, "X"), "sale": GROSS, "fee": FEES, "paid": NET}
    theirs = {**theirs, "id": [*IDS[:2], *theirs["id"][2:]]}
    ours = {"id": IDS[:2], "paid": [f"{Decimal(value) + 7:.2f}" for value in NET[:2]]}
    plan = infer_plan(ours, theirs, on=("id",), amount="paid")
    assert _fees(plan) == (None, None)
    assert "paid of theirs.csv is sale less the fee" in get_decision(plan, "fee").evidence


def test_the_fee_that_the_user_names_is_taken_against_the_evidence() -> None:
    ours, theirs = {"id": IDS, "amount": NET}, {"id": IDS, "amount": NET, "fee": FEES}
    assert _fees(infer_plan(ours, theirs, fee="fee")) == (None, "fee")
    assert _fees(infer_plan(theirs, theirs, fee="fee=fee")) == ("fee", "fee")
    assert get_decision(infer_plan(ours, theirs, fee="fee"), "fee").evidence == "as you said"


def test_no_fee_is_taken_when_the_user_says_so() -> None:
    plan = infer_plan({"id": IDS, "amount": GROSS}, {"id": IDS, "net_amount": NET, "fee": FEES}, fee="none")
    assert _fees(plan) == (None, None)
    assert get_decision(plan, "fee").confidence == 1.0


def test_a_column_named_as_the_fee_that_holds_no_numbers_is_refused() -> None:
    table = {"id": IDS, "amount": NET}
    with pytest.raises(PlanUndecided) as raised:
        infer_plan(table, table, fee="id")
    assert raised.value.what == "id of ours.csv cannot be read as numbers."
    assert "--fee" in raised.value.remedy


def test_a_file_without_fees_has_no_word_on_them() -> None:
    table = {"id": IDS, "amount": NET}
    assert find_decision(infer_plan(table, table), "fee") is None
