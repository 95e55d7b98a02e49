"""What a column holds is told from all of its values: numbers in any notation, dates in any order, ids as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.books.compare.builders import find_decision, get_decision, infer_plan, infer_type, references, values_read
from tieout.books.compare.actions import MAX_REFUSED_SHARE
from tieout.engine.plan import ColumnType, SignedColumn

TEXT = ColumnType("text")

# Numbers


@pytest.mark.parametrize(
    ("values", "decimal_mark", "group_mark"),
    [
        pytest.param(["1234.56", "0.10", "-7.00"], ".", "", id="1234.56"),
        pytest.param(["1,234.56", "0.10", "-7.00"], ".", ",", id="1,234.56"),
        pytest.param(["1.234,56", "0,10", "-7,00"], ",", ".", id="1.234,56"),
        pytest.param(["1234,56", "0,10", "-7,00"], ",", "", id="1234,56"),
        pytest.param(["1'234.56", "0.10", "-7.00"], ".", "'", id="1'234.56"),
        pytest.param(["1’234.56", "0.10", "-7.00"], ".", "'", id="1’234.56"),
        pytest.param(["1'234,56", "0,10", "-7,00"], ",", "'", id="1'234,56"),
        pytest.param(["1 234,56", "0,10", "-7,00"], ",", " ", id="1 234,56"),
        pytest.param(["1\u00a0234,56", "0,10", "-7,00"], ",", " ", id="hard space"),
        pytest.param(["1\u202f234,56", "0,10", "-7,00"], ",", " ", id="narrow space"),
        pytest.param(["1 234.56", "0.10", "-7.00"], ".", " ", id="1 234.56"),
        pytest.param(["12,34,567.00", "0.10", "-7.00"], ".", ",", id="12,34,567.00"),
        pytest.param(["7", "10", "-350"], ".", "", id="whole"),
        pytest.param(["1.5E3", "0.10", "-7.00"], ".", "", id="1.5E3"),
        pytest.param([".50", "5.", "-.25"], ".", "", id=".50"),
    ],
)
def test_marks_of_numbers_are_told_from_where_they_stand(values: list[str], decimal_mark: str, group_mark: str) -> None:
    assert infer_type(values) == ColumnType("number", decimal_mark, group_mark)


@pytest.mark.parametrize(
    ("values", "read"),
    [
        pytest.param(["1,234.56", "(1,234.56)", "3.00"], ["1234.56", "-1234.56", "3"], id="(1,234.56)"),
        pytest.param(["1,234.56", "1,234.56-", "3.00"], ["1234.56", "-1234.56", "3"], id="1,234.56-"),
        pytest.param(["1.234,56", "1.234,56-", "3,00"], ["1234.56", "-1234.56", "3"], id="1.234,56-"),
        pytest.param(["1,234.56", "\u22121,234.56", "3.00"], ["1234.56", "-1234.56", "3"], id="minus sign"),
        pytest.param(["1,234.56 CR", "1,234.56 DR", "3.00 CR"], ["1234.56", "-1234.56", "3"], id="CR and DR"),
        pytest.param(["$1,234.56", "-$1,234.56", "($3.00)"], ["1234.56", "-1234.56", "-3"], id="$1,234.56"),
        pytest.param(["€1.234,56", "-€1.234,56", "€ 3,00"], ["1234.56", "-1234.56", "3"], id="€1.234,56"),
        pytest.param(["1.234,56 €", "-1.234,56 €", "3,00€"], ["1234.56", "-1234.56", "3"], id="1.234,56 €"),
        pytest.param(["EUR 1,234.56", "EUR -1,234.56", "EUR 3.00"], ["1234.56", "-1234.56", "3"], id="EUR 1,234.56"),
        pytest.param(["1.234,56 EUR", "-1.234,56 EUR", "3,00 EUR"], ["1234.56", "-1234.56", "3"], id="1.234,56 EUR"),
        pytest.param(["1 234,56 kr", "-1 234,56 kr", "3,00 kr"], ["1234.56", "-1234.56", "3"], id="1 234,56 kr"),
        pytest.param(["CHF 1'234.50", "CHF -1'234.50", "CHF 3.-"], ["1234.50", "-1234.50", "3"], id="CHF 1'234.50"),
        pytest.param(["US$1,234.56", "US$-1,234.56", "US$3.00"], ["1234.56", "-1234.56", "3"], id="US$1,234.56"),
    ],
)
def test_amounts_with_signs_and_currencies_are_read_as_an_accountant_reads_them(
    values: list[str], read: list[str]
) -> None:
    kind = infer_type(values, name="amount")
    assert kind.kind == "number"
    assert values_read(values, kind) == [Decimal(text) for text in read]


def test_one_value_among_hundreds_settles_which_mark_groups_thousands() -> None:
    values = [f"{number},{number % 10}{number % 7}0" for number in range(1, 400)]
    assert infer_type([*values, "1.234,560"]) == ColumnType("number", ",", ".")


def test_a_rare_notation_that_no_look_at_some_rows_shows_is_found_by_counting_all() -> None:
    plain = [f"{number % 997},{number % 90 + 10}" for number in range(8_000)]
    assert infer_type([*plain, "1.234,50"]) == ColumnType("number", ",", ".")
    assert values_read([*plain[:2], "(1.234,50)"], infer_type([*plain, "(1.234,50)"]))[2] == Decimal("-1234.50")


def test_the_other_notation_in_a_few_rows_does_not_turn_the_column_round() -> None:
    values = [f"{number}.{number % 90 + 10}" for number in range(1, 200)]
    assert infer_type([*values, "17,25", "18,25"]) == ColumnType("number", ".", "")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["7%", "10%", "99%"], id="percentages"),
        pytest.param(["1.2.3", "1.2.4", "2.0.1"], id="versions"),
        pytest.param(["10:30", "11:45", "23:59"], id="times of day"),
        pytest.param(["12 km", "3 km", "5 km"], id="lengths"),
        pytest.param(["1,23,4", "12,3,4", "1,2,34"], id="lists"),
        pytest.param(["192.168.0.1", "10.0.0.1", "10.0.0.2"], id="addresses"),
        pytest.param(["DE44 5001 0517", "DE12 5001 0517", "DE90 5001 0517"], id="account numbers"),
        pytest.param(["1-2", "3-4", "5-6"], id="ranges"),
    ],
)
def test_what_only_looks_like_a_number_stays_text(values: list[str]) -> None:
    assert infer_type(values) == TEXT


def test_a_column_is_of_numbers_when_no_more_are_refused_than_a_run_puts_up_with_and_else_text() -> None:
    numbers = [f"{number}.50" for number in range(1, 100)]
    assert MAX_REFUSED_SHARE == 0.05
    assert infer_type([*numbers[:95], *["see note"] * 5]).kind == "number"
    assert infer_type([*numbers[:94], *["see note"] * 6]) == TEXT


def test_a_column_that_is_named_as_an_amount_may_have_more_mistakes() -> None:
    numbers = [f"{number}.50" for number in range(1, 100)]
    assert infer_type([*numbers[:70], *["see note"] * 30], name="amount").kind == "number"
    assert infer_type([*numbers[:69], *["see note"] * 31], name="amount") == TEXT


# Ids


@pytest.mark.parametrize(
    ("name", "values"),
    [
        pytest.param("field", ["007", "010", "100"], id="leading zeros"),
        pytest.param("field", ["4111111111111111", "4222222222222222", "4333333333333333"], id="card numbers"),
        pytest.param("field", ["30112233", "30112244", "30112255"], id="eight digits each"),
        pytest.param("order_no", ["7", "10", "350"], id="named a number"),
        pytest.param("Customer ID", ["7", "10", "350"], id="named an id"),
        pytest.param("postcode", ["10115", "80331", "20095"], id="postcodes"),
        pytest.param("Telefon", ["30112233", "89112244", "401122551"], id="telephone numbers"),
        pytest.param("Konto", ["4400", "1200", "8400"], id="accounts"),
    ],
)
def test_numbers_that_name_things_stay_text(name: str, values: list[str]) -> None:
    assert infer_type(values, name=name) == TEXT


def test_leading_zeros_in_one_row_of_a_hundred_keep_a_column_text() -> None:
    values = [str(number) for number in range(100, 199)]
    assert infer_type(values).kind == "number"
    assert infer_type([*values, "0042"]) == TEXT


def test_amounts_below_one_have_no_leading_zero() -> None:
    assert infer_type(["0.50", "0.75", "0.99"]) == ColumnType("number")


def test_a_number_of_things_is_a_quantity_although_it_is_called_a_number() -> None:
    assert infer_type(["7", "10", "350"], name="Number of items").kind == "number"


# Dates


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        pytest.param(["2026-01-05", "2026-02-28"], "", id="ISO"),
        pytest.param(["2026/01/05", "2026/02/28"], "", id="ISO with slashes"),
        pytest.param(["05/01/2026", "28/02/2026"], "%d/%m/%Y", id="day first"),
        pytest.param(["01/05/2026", "02/28/2026"], "%m/%d/%Y", id="month first"),
        pytest.param(["05.01.2026", "28.02.2026"], "%d.%m.%Y", id="full stops"),
        pytest.param(["5.1.2026", "28.2.2026"], "%d.%m.%Y", id="single digits"),
        pytest.param(["05-01-2026", "28-02-2026"], "%d-%m-%Y", id="hyphens"),
        pytest.param(["05/01/26", "28/02/26"], "%d/%m/%y", id="day first, short year"),
        pytest.param(["01/05/26", "02/28/26"], "%m/%d/%y", id="month first, short year"),
        pytest.param(["99/01/05", "99/02/28"], "%y/%m/%d", id="short year first"),
        pytest.param(["2026.01.05", "2026.02.28"], "%Y.%m.%d", id="year first, full stops"),
        pytest.param(["2026.05.01", "2026.28.02"], "%Y.%d.%m", id="year, day, month"),
        pytest.param(["5 Feb 2026", "28 Jan 2026"], "%d %b %Y|%d %B %Y", id="short month"),
        pytest.param(["5 February 2026", "28 Jan 2026"], "%d %b %Y|%d %B %Y", id="long and short months"),
        pytest.param(["Feb 5, 2026", "Jan 28, 2026"], "%b %d, %Y|%B %d, %Y", id="month before day"),
        pytest.param(["05-FEB-26", "28-JAN-26"], "%d-%b-%y|%d-%B-%y", id="capitals"),
        pytest.param(["2026-Feb-05", "2026-Jan-28"], "%Y-%b-%d|%Y-%B-%d", id="year, month name, day"),
        pytest.param(["Thu, 05 Feb 2026", "Wed, 28 Jan 2026"], "%a, %d %b %Y|%a, %d %B %Y", id="weekday"),
        pytest.param(["2026-01-05", "28/02/2026"], "%Y-%m-%d|%d/%m/%Y", id="two notations"),
    ],
)
def test_dates_are_read_in_the_order_that_the_whole_column_allows(values: list[str], date_format: str) -> None:
    assert infer_type(values, name="day") == ColumnType("date", date_format=date_format)


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        (["2026-01", "2026-12"], "%Y-%m"),
        (["2026/01", "2026/12"], "%Y/%m"),
        (["01/2026", "12/2026"], "%m/%Y"),
        (["1-2026", "12-2026"], "%m-%Y"),
        (["Jan 2026", "December 2026"], "%b %Y|%B %Y"),
        (["Jan-26", "Dec-26"], "%b-%y|%B-%y"),
        (["2026 Jan", "2026 Dec"], "%Y %b|%Y %B"),
    ],
)
def test_months_are_the_first_of_their_days(values: list[str], date_format: str) -> None:
    kind = infer_type(values, name="period")
    assert kind == ColumnType("date", date_format=date_format)
    assert values_read(values, kind) == [date(2026, 1, 1), date(2026, 12, 1)]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (["2026-01", "2026-13"], "period"),  # the thirteenth of a ledger
        (["2026-01", "2026-12"], "lot"),
        (["1001-01", "1001-12"], "period"),
        (["12.2026", "11.2026"], "lot"),
        (["Jan", "Feb"], "month"),
        (["26-Jan", "05-Dec"], "month"),
        (["Unit 2026", "May 2026"], "month"),
    ],
)
def test_what_may_be_no_month_is_none(values: list[str], name: str) -> None:
    assert infer_type(values, name=name).kind != "date"


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        pytest.param(["2026-01-05T10:00:00", "2026-02-28T11:30:00"], "", id="ISO"),
        pytest.param(["2026-01-05T10:00:00Z", "2026-02-28T11:30:00+02:00"], "", id="ISO with zone"),
        pytest.param(["2026-01-05 10:00:00.123456+00:00", "2026-02-28 11:30:00+05:30"], "", id="ISO with fraction"),
        pytest.param(["05.01.2026 10:00", "28.02.2026 11:30"], "%d.%m.%Y %H:%M", id="day first"),
        pytest.param(["05.01.2026, 10:00:05", "28.02.2026, 11:30:00"], "%d.%m.%Y, %H:%M:%S", id="comma"),
        pytest.param(["1/5/2026 10:00 AM", "2/28/2026 11:30 PM"], "%m/%d/%Y %I:%M %p", id="AM and PM"),
        pytest.param(["20260105T101010Z", "20260228T101010Z"], "%Y%m%dT%H%M%SZ", id="compact"),
    ],
)
def test_times_of_day_are_kept(values: list[str], date_format: str) -> None:
    assert infer_type(values, name="day") == ColumnType("timestamp", date_format=date_format)


def test_a_zone_decides_the_instant() -> None:
    values = ["2026-01-05T23:30:00-05:00", "2026-01-06T04:30:00Z", "2026-01-06T06:30:00+02:00"]
    instants = values_read(values, infer_type(values, name="day"))
    assert instants == [datetime(2026, 1, 6, 4, 30)] * 3  # noqa: DTZ001 - the engine keeps UTC without saying so


def test_instants_that_are_all_midnight_are_dates() -> None:
    assert infer_type(["2026-01-05 00:00:00", "2026-02-28 00:00:00"], name="day").kind == "date"


@pytest.mark.parametrize("late", [3_000, 1])
def test_one_date_anywhere_in_the_file_settles_day_and_month(late: int) -> None:
    values = [f"{number % 12 + 1:02}/{number % 11 + 1:02}/2026" for number in range(3_000)]
    values.insert(late, "12/31/2026")
    assert infer_type(values, name="day") == ColumnType("date", date_format="%m/%d/%Y")


def test_a_date_that_no_calendar_has_does_not_make_text_of_the_others() -> None:
    assert infer_type(["05/01/2026", "28/02/2026", "13/03/2026", "99/99/2026"], name="day") == ColumnType(
        "date", date_format="%d/%m/%Y"
    )


def test_a_reading_that_spans_days_is_taken_before_one_that_spans_years() -> None:
    # Read with the day first these days lie in ten years, with the year first in one week.
    values = [f"26/01/{day:02}" for day in range(5, 13)]
    assert infer_type(values, name="day") == ColumnType("date", date_format="%y/%m/%d")


@pytest.mark.parametrize(
    ("values", "form", "first"),
    [
        pytest.param(["1767607200", "1767693600", "1767780000"], "unix-seconds", datetime(2026, 1, 5, 10), id="s"),  # noqa: DTZ001
        pytest.param(
            ["1767607200000", "1767693600000", "1767780000000"],
            "unix-milliseconds",
            datetime(2026, 1, 5, 10),  # noqa: DTZ001
            id="ms",
        ),
        pytest.param(["46027", "46028", "46040"], "excel-serial", date(2026, 1, 5), id="Excel"),
        pytest.param(["20260105", "20260228", "20260313"], "%Y%m%d", date(2026, 1, 5), id="20260105"),
        pytest.param(["260105", "260228", "260313"], "%y%m%d", date(2026, 1, 5), id="260105"),
    ],
)
def test_digits_are_dates_where_the_name_says_so(values: list[str], form: str, first: date) -> None:
    kind = infer_type(values, name="created_at")
    assert kind.date_format == form
    assert values_read(values, kind)[0] == first
    assert infer_type(values, name="order_no") == TEXT


@pytest.mark.parametrize("name", ["created_at", "day"])
def test_digits_that_are_no_dates_of_our_time_are_not_taken_for_dates(name: str) -> None:
    assert infer_type(["1", "2", "3"], name=name).date_format == ""
    assert infer_type(["99999999", "20260228", "20260313"], name=name).kind != "date"


def test_eight_digits_that_are_all_dates_are_dates_whatever_the_name() -> None:
    days = [f"202601{day:02}" for day in range(10, 20)]
    assert infer_type(days, name="field") == ColumnType("date", date_format="%Y%m%d")
    assert infer_type([*days, "20261399"], name="field").kind != "date"


# No value


@pytest.mark.parametrize("token", ["", None, "NULL", "n/a", "N/A", "NaN", "None", "-", "--", "—", "#N/A", "nil"])
@pytest.mark.parametrize(
    ("values", "name", "kind"),
    [
        (["1,234.56", "3.00"], "amount", ColumnType("number", ".", ",")),
        (["28/02/2026", "05/01/2026"], "day", ColumnType("date", date_format="%d/%m/%Y")),
    ],
)
def test_texts_that_say_no_value_do_not_count(
    token: str | None, values: list[str], name: str, kind: ColumnType
) -> None:
    assert infer_type([token, *values, token, token], name=name) == kind


@pytest.mark.parametrize("values", [[None, None], ["", ""], ["N/A", "null"], ["-", "NaN"]])
def test_a_column_without_any_value_is_text(values: Sequence[str | None]) -> None:
    assert infer_type(values, name="amount") == TEXT


def test_blanks_around_values_do_not_count() -> None:
    assert infer_type([" 1,234.56", "3.00 ", "\t4.00"], name="amount") == ColumnType("number", ".", ",")
    assert infer_type([" 28/02/2026", "05/01/2026 "], name="day") == ColumnType("date", date_format="%d/%m/%Y")


# Columns that the file has typed already


def test_types_of_the_file_itself_are_kept() -> None:
    count = 6
    ours = pa.table(
        {
            "id": references(count),
            "amount": pa.array([Decimal(f"{n}.50") for n in range(count)], pa.decimal128(18, 2)),
            "day": pa.array([date(2026, 1, 1 + n) for n in range(count)], pa.date32()),
            "seen_at": pa.array([datetime(2026, 1, 1, n) for n in range(count)], pa.timestamp("us")),  # noqa: DTZ001
            "weight": pa.array([n / 3 for n in range(count)], pa.float64()),
            "order_id": pa.array([10 * n for n in range(count)], pa.int64()),
            "open": pa.array([n % 2 == 0 for n in range(count)], pa.bool_()),
        }
    )
    kinds = {name: kind.kind for name, kind in infer_plan(ours, ours).ours.columns.items()}
    assert kinds == {
        "id": "text",
        "amount": "number",
        "day": "date",
        "seen_at": "timestamp",
        "weight": "number",
        "order_id": "text",
        "open": "text",
    }


def test_whole_numbers_of_the_file_are_dates_where_name_and_values_say_so() -> None:
    ids = references(3)
    ours = pa.table({"id": ids, "booking_date": pa.array([5012026, 28022026, 13032026], pa.int64())})
    plan = infer_plan(ours, {"id": ids})
    assert plan.ours.columns["booking_date"] == ColumnType("date", date_format="%d%m%Y")


# What is said about it


def test_a_format_that_some_values_settle_is_said_with_their_number() -> None:
    ids = references(4)
    days = ["05/01/2026", "28/02/2026", "13/03/2026", "04/04/2026"]
    decision = get_decision(infer_plan({"id": ids, "day": days}, {"id": ids}), "format of day (ours)")
    assert decision.choice == "%d/%m/%Y"
    assert "4 of 4 values can be read so, 2 of them in no other way" in decision.evidence
    assert decision.confidence >= 0.95
    assert decision.option == "--date-format"


def test_values_that_cannot_be_read_lower_the_confidence_in_a_format() -> None:
    ids = references(10)
    amounts = [f"{number}.25" for number in range(1, 10)]
    clean = infer_plan({"id": ids, "amount": [*amounts, "77.25"]}, {"id": ids, "amount": [*amounts, "77.25"]})
    broken = infer_plan({"id": ids, "amount": [*amounts, "soon"]}, {"id": ids, "amount": [*amounts, "77.25"]})
    assert find_decision(clean, "format of amount (ours)") is None
    decision = get_decision(broken, "format of amount (ours)")
    assert decision.evidence.startswith("9 of 10 values can be read so")
    assert decision.confidence < 0.99
    assert broken.ours.amount == (SignedColumn("amount"),)


@pytest.mark.parametrize("name", ["card_sales", "account total", "phone charges", "mobile"])
def test_two_decimals_are_money_whatever_the_name_is_about(name: str) -> None:
    assert infer_type(["1229.97", "3244.08", "812.50", "19.00"], name=name).kind == "number"


@pytest.mark.parametrize(("name", "values"), [("card", ["4111", "4242"]), ("section id", ["12.01", "12.02"])])
def test_codes_by_name_stay_text(name: str, values: list[str]) -> None:
    assert infer_type(values, name=name).kind == "text"
