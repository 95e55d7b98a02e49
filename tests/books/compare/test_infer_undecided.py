"""What two inputs do not tell is not guessed in silence: it is refused or less sure, and an option is named for it."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.books.compare.builders import (
    Columns,
    amounts,
    connection,
    get_decision,
    infer_plan,
    infer_type,
    references,
    values_read,
)
from tieout.books.compare.infer import PlanUndecided, UnknownColumn, UnknownFormat
from tieout.core.errors import TieoutError
from tieout.engine.plan import ColumnType, SignedColumn

ROWS = 24
IDS = references(ROWS)
AMOUNTS = amounts(ROWS)
DAYS = [f"2026-01-{row % 28 + 1:02}" for row in range(ROWS)]

EITHER_WAY = [f"{row % 12 + 1:02}/{5 * row % 12 + 1:02}/2026" for row in range(ROWS)]
"""Dates that a calendar has whether the day or the month stands first."""
DAY_FIRST = [f"2026-{5 * row % 12 + 1:02}-{row % 12 + 1:02}" for row in range(ROWS)]
MONTH_FIRST = [f"2026-{row % 12 + 1:02}-{5 * row % 12 + 1:02}" for row in range(ROWS)]

THOUSANDS_OR_THOUSANDTHS = [f"{row + 1}.{37 * row % 1000:03}" for row in range(ROWS)]
"""Numbers whose only mark could group thousands or set off decimals."""


def _refusal(error: type[TieoutError], ours: Columns, theirs: Columns, **options: Any) -> TieoutError:
    with pytest.raises(error) as raised:
        infer_plan(ours, theirs, **options)
    return raised.value


# Keys


def test_two_keys_that_pair_different_rows_are_refused_with_both_named() -> None:
    ours = {"order_id": references(ROWS, "O"), "invoice_id": IDS}
    refused = _refusal(PlanUndecided, ours, {**ours, "invoice_id": IDS[::-1]})
    assert refused.subject == "key"
    assert refused.what == "invoice_id and order_id could both identify a row, and they pair different rows."
    assert refused.remedy == "Say which with --on invoice_id or --on order_id."


def test_the_option_named_for_two_keys_settles_them() -> None:
    ours = {"order_id": references(ROWS, "O"), "invoice_id": IDS}
    theirs = {"bestell_id": ours["order_id"], "rechnungs_id": IDS[::-1]}
    refused = _refusal(PlanUndecided, ours, theirs)
    assert refused.remedy == "Say which with --on invoice_id=rechnungs_id or --on order_id=bestell_id."
    assert infer_plan(ours, theirs, on=("order_id=bestell_id",)).theirs.key == ("bestell_id",)


def test_without_a_key_and_amounts_nothing_is_matched() -> None:
    refused = _refusal(PlanUndecided, {"a": ["x", "y", "z"]}, {"b": ["1.50", "2.50", "3.50"]})
    assert "there are neither amounts on both sides to match by" in refused.what
    assert "--on OURS=THEIRS" in refused.remedy
    assert "--amount OURS=THEIRS" in refused.remedy


def test_amounts_alone_do_not_match_rows() -> None:
    refused = _refusal(PlanUndecided, {"amount": ["5", "5", "7", "8"]}, {"amount": ["5", "7", "5", "9"]})
    assert "amounts alone do not tell which rows belong together" in refused.what
    for option in ("--on", "--date", "--text"):
        assert f"{option} OURS=THEIRS" in refused.remedy


def test_a_key_with_nothing_to_check_it_against_is_less_sure() -> None:
    alone = get_decision(infer_plan({"id": IDS}, {"id": IDS}), "key")
    backed = get_decision(infer_plan({"id": IDS, "amount": AMOUNTS}, {"id": IDS, "amount": AMOUNTS}), "key")
    assert alone.evidence.endswith("; no other column to check it against")
    assert alone.confidence <= 0.85 < backed.confidence


def test_a_key_whose_rows_do_not_agree_is_less_sure_and_says_so() -> None:
    ours = {"order_id": IDS, "amount": AMOUNTS, "day": DAYS}
    theirs = {
        "order_id": IDS,
        "amount": amounts(2 * ROWS)[ROWS:],
        "day": [f"2024-05-{row + 1:02}" for row in range(ROWS)],
    }
    decision = get_decision(infer_plan(ours, theirs), "key")
    assert decision.choice == "order_id"
    assert decision.confidence <= 0.8
    assert "other columns of the rows it pairs" in decision.evidence or "no other column" in decision.evidence


def test_a_sample_says_that_it_is_one() -> None:
    table = {"id": IDS, "amount": AMOUNTS}
    assert (
        "24 of 24 values in common of the sample"
        in get_decision(infer_plan(table, table, is_sample=True), "key").evidence
    )


def test_few_values_in_common_refute_a_key_of_whole_files_but_not_of_samples() -> None:
    ours = {"id": references(400), "amount": amounts(400)}
    theirs = {"id": references(800)[395:795], "amount": [*amounts(400)[395:], *amounts(395)]}
    assert infer_plan(ours, theirs, is_sample=True).ours.key == ("id",)
    assert "amounts alone do not tell" in _refusal(PlanUndecided, ours, theirs).what


@pytest.mark.parametrize("others", [1, 24])
def test_a_single_row_is_found_by_a_column_that_is_called_an_id(others: int) -> None:
    one = {"invoice_id": IDS[:1], "amount": AMOUNTS[:1]}
    many = {"invoice_id": IDS[:others], "amount": AMOUNTS[:others]}
    assert infer_plan(one, many).ours.key == ("invoice_id",)
    assert infer_plan(many, one).theirs.key == ("invoice_id",)


def test_a_single_row_is_not_found_by_a_value_that_many_rows_have() -> None:
    one = {"status": ["paid"], "amount": AMOUNTS[:1]}
    many = {"status": ["paid", "open", "void"] * 8, "amount": AMOUNTS}
    assert "amounts alone" in _refusal(PlanUndecided, one, many).what


@pytest.mark.parametrize(("ours", "theirs", "empty"), [([], IDS, "ours.csv"), (IDS, [], "theirs.csv")])
def test_an_input_without_rows_is_named(ours: list[str], theirs: list[str], empty: str) -> None:
    refused = _refusal(PlanUndecided, {"id": ours}, {"id": theirs})
    assert refused.subject == empty
    assert refused.what == f"{empty} has no rows, so nothing can be told about its columns."
    assert "--plan" in refused.remedy


def test_a_currency_ties_no_rows_of_unrelated_files() -> None:
    """Two settlements of one row with an amount each: the same currencies, one equal sum, and nothing in common."""
    donation = {
        "psp reference": ["5364893193133131", ""],
        "gross currency": ["USD", "EUR"],
        "gross debit": ["", ""],
        "gross credit": ["1.00", ""],
        "date": ["2016-02-18", "2016-02-18"],
    }
    refund = {
        "psp reference": ["4522268860022701", "", ""],
        "gross currency": ["USD", "EUR", "EUR"],
        "gross debit": ["1.00", "", ""],
        "gross credit": ["", "", ""],
        "date": ["2016-02-10", "2016-02-15", "2016-02-16"],
    }
    for ours, theirs in ((donation, refund), (refund, donation)):
        plan = infer_plan(ours, theirs)
        assert (plan.ours.key, plan.ours.group) == ((), ())
        decision = get_decision(plan, "amount")
        assert decision.confidence <= 0.6
        assert infer_plan(ours, theirs, group_by="gross currency").ours.group == ("gross currency",)


@pytest.mark.parametrize("name", ["currency", "status", "type", "country"])
def test_a_column_of_kinds_is_no_key_however_well_it_meets(name: str) -> None:
    kinds = ["EUR", "USD", "CHF", "GBP", "SEK"]
    few = {name: kinds, "amount": AMOUNTS[:5], "date": DAYS[:1] * 5}
    plan = infer_plan(few, few)
    assert (plan.ours.key, plan.ours.group) == ((), ())


def test_one_group_that_ties_is_no_evidence_and_two_are() -> None:
    ours = {"store": ["north", "north", "south", "south"], "amount": ["1.25", "2.50", "3.75", "9.10"], "date": DAYS[:4]}
    theirs = {"store": ["north", "south"], "amount": ["3.75", "12.85"], "date": DAYS[:2]}
    assert infer_plan(ours, theirs).ours.group == ("store",)
    one_only = {**theirs, "amount": ["3.75", "88.00"]}
    assert infer_plan(ours, one_only).ours.group == ()


# Currencies


@pytest.mark.parametrize("holder", ["ours.csv", "theirs.csv"])
def test_amounts_in_several_currencies_against_amounts_in_none_are_refused(holder: str) -> None:
    plain = {"id": IDS, "amount": AMOUNTS}
    mixed = {**plain, "cur": ["EUR", "USD", "EUR"] * (ROWS // 3)}
    is_turned = holder == "ours.csv"
    ours, theirs = (mixed, plain) if is_turned else (plain, mixed)
    refused = _refusal(PlanUndecided, ours, theirs, on=("id",))
    silent = "theirs.csv" if is_turned else "ours.csv"
    assert refused.subject == "currency"
    assert refused.what == (
        f"{holder} has amounts in EUR and USD (cur); {silent} does not say in which currency its amounts are."
    )
    named = "cur=EUR" if is_turned else "EUR=cur"
    assert f"--currency {named};" in refused.remedy
    assert "--currency none" in refused.remedy
    plan = infer_plan(ours, theirs, on=("id",), currency=named)
    assert {plan.ours.currency, plan.theirs.currency} == {"cur", None}
    assert {plan.ours.currency_constant, plan.theirs.currency_constant} == {"EUR", ""}


def test_many_currencies_are_named_in_part() -> None:
    codes = ["EUR", "EUR", "USD", "CHF", "GBP", "SEK", "NOK", "DKK"] * (ROWS // 8)
    refused = _refusal(PlanUndecided, {"id": IDS, "amount": AMOUNTS, "cur": codes}, {"id": IDS, "amount": AMOUNTS})
    assert "has amounts in EUR, CHF, DKK, GBP and 3 more currencies (cur)" in refused.what


# Days and months


def test_dates_that_could_be_either_way_are_taken_day_first_and_said() -> None:
    table = {"id": IDS, "day": EITHER_WAY}
    plan = infer_plan(table, table)
    assert plan.ours.columns["day"].date_format == "%d/%m/%Y"
    for side in ("ours", "theirs"):
        decision = get_decision(plan, f"format of day ({side})")
        assert decision.evidence == "every value can be read as %d/%m/%Y or %m/%d/%Y, and nothing else tells"
        assert decision.confidence == 0.5
        assert decision.option == "--date-format"


@pytest.mark.parametrize("asked", ["MDY", "day=MDY", "day=day=MDY", "%m/%d/%Y", "day=%m/%d/%Y"])
def test_the_option_named_for_dates_settles_them(asked: str) -> None:
    table = {"id": IDS, "day": EITHER_WAY}
    plan = infer_plan(table, table, date_format=asked)
    assert plan.ours.columns["day"].date_format == plan.theirs.columns["day"].date_format == "%m/%d/%Y"
    assert get_decision(plan, "format of day (ours)").confidence > 0.9


@pytest.mark.parametrize(("other", "date_format"), [(DAY_FIRST, "%d/%m/%Y"), (MONTH_FIRST, "%m/%d/%Y")])
def test_paired_rows_of_the_other_side_settle_day_and_month(other: list[str], date_format: str) -> None:
    plan = infer_plan({"id": IDS, "day": EITHER_WAY}, {"id": IDS, "booked": other})
    assert plan.ours.columns["day"].date_format == date_format
    decision = get_decision(plan, "format of day (ours)")
    assert decision.confidence == 0.95
    assert decision.evidence.startswith("read so, 24 paired rows are as on the other side")


def test_another_column_of_the_same_file_settles_day_and_month() -> None:
    due = [f"{row % 12 + 1:02}/{row % 9 + 20}/2026" for row in range(ROWS)]
    plan = infer_plan({"id": IDS, "day": EITHER_WAY, "due": due}, {"id": IDS})
    assert plan.ours.columns["day"].date_format == "%m/%d/%Y"
    decision = get_decision(plan, "format of day (ours)")
    assert decision.evidence == "column due of the same file can only be read so"
    assert decision.confidence == 0.85


def test_full_stops_speak_for_the_day_first() -> None:
    values = [value.replace("/", ".") for value in EITHER_WAY]
    plan = infer_plan({"id": IDS, "day": values}, {"id": IDS})
    assert plan.ours.columns["day"].date_format == "%d.%m.%Y"
    assert get_decision(plan, "format of day (ours)").confidence == 0.85


def test_year_day_and_month_are_read_when_the_user_says_so() -> None:
    values = ["2026-28-02", "2026-13-03", "2026-05-01"]
    days = [date(2026, 2, 28), date(2026, 3, 13), date(2026, 1, 5)]
    assert infer_type(values, name="day").kind == "text"
    for written in (values, [value.replace("-", "/") for value in values]):
        for asked in ("YDM", "day=YDM"):
            assert values_read(written, infer_type(written, name="day", date_format=asked)) == days


# Thousands and decimals


def test_numbers_that_could_be_either_way_are_said() -> None:
    table = {"id": IDS, "amount": THOUSANDS_OR_THOUSANDTHS}
    plan = infer_plan(table, table)
    decision = get_decision(plan, "format of amount (ours)")
    assert decision.evidence == "every value can be read as 1234.56 or 1.234,56, and nothing else tells"
    assert (decision.confidence, decision.option) == (0.5, "--number-format")


@pytest.mark.parametrize("asked", ["1.234,56", "amount=1.234,56"])
def test_the_option_named_for_numbers_settles_them(asked: str) -> None:
    table = {"id": IDS, "amount": THOUSANDS_OR_THOUSANDTHS}
    plan = infer_plan(table, table, number_format=asked)
    assert plan.ours.columns["amount"] == ColumnType("number", ",", ".")
    assert get_decision(plan, "format of amount (ours)").confidence > 0.9


def test_paired_rows_of_the_other_side_settle_thousands_and_decimals() -> None:
    thousands = [f"{value.replace('.', '')},00" for value in THOUSANDS_OR_THOUSANDTHS]
    plan = infer_plan({"id": IDS, "amount": THOUSANDS_OR_THOUSANDTHS}, {"id": IDS, "amount": thousands})
    assert plan.ours.columns["amount"] == ColumnType("number", ",", ".")
    assert get_decision(plan, "format of amount (ours)").confidence == 0.95


def test_another_column_of_the_same_file_settles_thousands_and_decimals() -> None:
    taxes = [f"{row},25" for row in range(ROWS)]
    plan = infer_plan({"id": IDS, "amount": THOUSANDS_OR_THOUSANDTHS, "tax": taxes}, {"id": IDS, "amount": AMOUNTS})
    assert plan.ours.columns["amount"] == ColumnType("number", ",", ".")
    assert get_decision(plan, "format of amount (ours)").evidence == "column tax of the same file can only be read so"


# Amounts and dates


def test_two_amounts_that_are_as_good_are_said_and_less_sure() -> None:
    theirs = {"id": IDS, "amount one": AMOUNTS, "amount two": AMOUNTS}
    decision = get_decision(infer_plan({"id": IDS, "amount": AMOUNTS}, theirs), "amount")
    assert decision.evidence.endswith("; amount = amount two would do as well")
    assert decision.confidence <= 0.8
    assert decision.option == "--amount"


def test_amounts_that_no_paired_row_bears_out_are_refused() -> None:
    rnd = random.Random(7)
    ours, theirs = (
        {"id": IDS, name: [f"{rnd.lognormvariate(4, 2):.2f}" for _ in IDS]}
        for name in ("shipping_price_amount", "order_total_amount")
    )
    refused = _refusal(PlanUndecided, ours, theirs)
    assert refused.subject == "amount"
    assert refused.what == (
        "No amount of ours.csv agrees with one of theirs.csv: the likeliest, "
        "shipping_price_amount = order_total_amount, is equal in 0% of 24 paired rows."
    )
    assert "--amount OURS=THEIRS" in refused.remedy
    assert "--amount none" in refused.remedy
    named = infer_plan(ours, theirs, amount="shipping_price_amount=order_total_amount")
    assert named.theirs.amount == (SignedColumn("order_total_amount"),)
    assert infer_plan(ours, theirs, amount="none").ours.amount == ()


def test_amounts_of_one_name_are_held_against_each_other_though_all_differ() -> None:
    rnd = random.Random(11)
    ours, theirs = ({"id": IDS, "amount": [f"{rnd.lognormvariate(4, 2):.2f}" for _ in IDS]} for _ in range(2))
    plan = infer_plan(ours, theirs)
    assert plan.ours.amount == (SignedColumn("amount"),)
    assert get_decision(plan, "amount").confidence <= 0.6


def test_amounts_that_a_fee_keeps_from_being_equal_are_near_and_not_refused() -> None:
    less = [f"{Decimal(value) * Decimal('0.97'):.2f}" for value in AMOUNTS]
    plan = infer_plan({"id": IDS, "order_total": AMOUNTS}, {"id": IDS, "paid_amount": less})
    assert plan.theirs.amount == (SignedColumn("paid_amount"),)


def test_two_dates_that_are_as_good_are_said_and_less_sure() -> None:
    theirs = {"id": IDS, "amount": AMOUNTS, "date one": DAYS, "date two": DAYS}
    decision = get_decision(infer_plan({"id": IDS, "amount": AMOUNTS, "date": DAYS}, theirs), "date")
    assert decision.evidence.endswith("; date = date two would do as well")
    assert (decision.confidence <= 0.7, decision.option) == (True, "--date")


def test_a_window_that_few_rows_tell_is_the_usual_one_and_less_sure() -> None:
    table = {"amount": ["5", "6", "7", "8"], "day": ["2026-01-01", "2026-01-03", "2026-02-05", "2026-03-09"]}
    decision = get_decision(infer_plan(table, table), "window")
    assert decision.choice == "30 days"
    assert decision.evidence == "a unique amount pairs only 4 rows beyond doubt, so the usual window is taken"
    assert (decision.confidence, decision.option) == (0.4, "--window-days")


def test_a_column_named_as_the_date_that_holds_none_is_refused() -> None:
    refused = _refusal(PlanUndecided, {"id": IDS, "memo": IDS}, {"id": IDS, "day": DAYS}, date="memo=day")
    assert refused.subject == "memo"
    assert refused.what == "memo of ours.csv cannot be read as dates."
    assert "--date-format memo=DMY" in refused.remedy


@pytest.mark.parametrize("asked", ["memo=amount", "amount - memo=amount"])
def test_a_column_named_as_the_amount_that_holds_none_is_refused(asked: str) -> None:
    ours = {"id": IDS, "memo": references(ROWS, "M"), "amount": AMOUNTS}
    refused = _refusal(PlanUndecided, ours, {"id": IDS, "amount": AMOUNTS}, amount=asked)
    assert refused.subject == "memo"
    assert refused.what == "memo of ours.csv cannot be read as numbers."
    assert "--number-format memo=" in refused.remedy


@pytest.mark.parametrize(
    ("options", "what", "option"),
    [
        ({"currency": "amount"}, "amount of ours.csv holds no currency codes.", "--currency EUR"),
        ({"currency": "day=EUR"}, "day of ours.csv holds no currency codes.", "--currency EUR"),
        ({"text": "amount"}, "amount of ours.csv holds numbers, not words.", "--text"),
        ({"text": "id=day"}, "day of theirs.csv holds dates, not words.", "--text"),
        (
            {"date_format": "amount=%d.%m.%Y"},
            "No value of amount in ours.csv can be read as %d.%m.%Y.",
            "--date-format",
        ),
        ({"date_format": "amount=DMY"}, "No value of amount in ours.csv can be read as DMY.", "--date-format"),
        ({"number_format": "day=1.234,56"}, "No value of day in ours.csv can be read as 1.234,56.", "--number-format"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_an_option_that_the_values_of_its_column_contradict_is_refused(
    options: dict[str, Any], what: str, option: str
) -> None:
    table = {"id": IDS, "amount": AMOUNTS, "day": DAYS}
    refused = _refusal(PlanUndecided, table, table, **options)
    assert refused.what == what
    assert option in refused.remedy


def test_digits_that_look_like_codes_are_numbers_when_the_user_names_them_as_the_amount() -> None:
    codes = [str(10_000_000 + 37 * row) for row in range(ROWS)]
    table = {"id": IDS, "booked": codes}
    assert infer_plan(table, table).ours.columns["booked"].kind == "text"
    plan = infer_plan(table, table, amount="booked")
    assert plan.ours.amount == (SignedColumn("booked"),)
    assert plan.ours.columns["booked"] == ColumnType("number")


# Options that cannot be followed


@pytest.mark.parametrize(
    ("options", "what", "remedy"),
    [
        ({"on": ("invoise",)}, "--on names column 'invoise', which ours.csv does not have.", "Did you mean 'invoice'?"),
        ({"on": ("invoice=xx",)}, "--on names column 'xx', which theirs.csv does not have.", "Its columns are:"),
        ({"amount": "ammount"}, "--amount names column 'ammount', which ours.csv", "Did you mean 'amount'?"),
        ({"date": "when"}, "--date names column 'when', which ours.csv does not have.", "Its columns are: invoice,"),
        ({"text": "memo"}, "--text names column 'memo', which ours.csv does not have.", "Its columns are: invoice,"),
        ({"group_by": "lot"}, "--group-by names column 'lot', which ours.csv does not have.", "Its columns are:"),
        ({"currency": "XXZ"}, "--currency names column 'XXZ', which ours.csv does not have.", "Its columns are:"),
        ({"currency": "EUR=x"}, "--currency names column 'x', which theirs.csv does not have.", "Its columns are:"),
        ({"ignore": ("memo",)}, "--ignore names column 'memo', which ours.csv does not have.", "Its columns are:"),
        ({"date_format": "dy=DMY"}, "--date-format names column 'dy', which ours.csv does not have.", "Its columns"),
        ({"number_format": "x=1,234.56"}, "--number-format names column 'x', which ours.csv does", "Its columns are:"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_an_option_that_names_an_unknown_column_is_refused(options: dict[str, Any], what: str, remedy: str) -> None:
    table = {"invoice": IDS, "amount": AMOUNTS, "day": DAYS}
    refused = _refusal(UnknownColumn, table, table, **options)
    assert refused.what.startswith(what)
    assert remedy in refused.remedy


@pytest.mark.parametrize(
    ("options", "what", "remedy"),
    [
        ({"date_format": "day first"}, "--date-format 'day first' is neither", "DMY, MDY, YMD, YDM"),
        ({"date_format": "amount=%H:%M"}, "--date-format '%H:%M' is neither an order nor a pattern", "%d.%m.%Y"),
        ({"number_format": "1_234"}, "--number-format '1_234' is not one of the examples", "1.234,56"),
        ({"number_format": "amount=German"}, "--number-format 'German' is not one of the examples", "1.234,56"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_an_option_that_gives_an_unknown_format_is_refused(options: dict[str, Any], what: str, remedy: str) -> None:
    table = {"invoice": IDS, "amount": AMOUNTS}
    refused = _refusal(UnknownFormat, table, table, **options)
    assert refused.what.startswith(what)
    assert remedy in refused.remedy


def test_a_column_is_found_whatever_the_case_it_is_typed_in() -> None:
    table = {"Invoice": IDS, "Amount": AMOUNTS}
    assert infer_plan(table, table, on=("INVOICE",)).ours.key == ("Invoice",)


def test_nothing_is_left_behind_in_the_database_when_it_is_refused() -> None:
    _refusal(PlanUndecided, {"amount": ["5", "5", "7"]}, {"amount": ["5", "7", "5"]})
    left = connection().sql("select table_name from duckdb_tables() where table_name like 'infer%'").fetchall()
    assert left == []
