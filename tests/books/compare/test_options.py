"""What a user settles on the command line is understood exactly, or refused with what to write instead."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.books.compare.infer import InferOptions, UnknownColumn, UnknownFormat
from tieout.books.compare.options import BadReading, BadTolerance, BadWindow, infer_options, parse_tolerance, reading_of
from tieout.books.compare.settled import (
    Names,
    check_date_format,
    number_marks,
    split_amounts,
    split_currency,
    split_format,
    split_sides,
)
from tieout.core.money import AmountOutOfRange
from tieout.engine.plan import SignedColumn

many = settings(max_examples=300, deadline=None, derandomize=True, database=None)

NAMES = Names(
    ("Invoice No", "net", "net-of-tax", "tax", "a=b", "Credit", "Debit", "USD"),
    ("id", "amount", "net", "b", "Währung"),
    "ours.csv",
    "theirs.csv",
)

# Tolerances


@pytest.mark.parametrize(
    ("given_", "micros", "ppm"),
    [
        ([], 0, 0),
        (["0.01"], 10_000, 0),
        ([" 5 "], 5_000_000, 0),
        (["0"], 0, 0),
        (["1e-2"], 10_000, 0),
        (["0.5%"], 0, 5_000),
        (["0.0001 %"], 0, 1),
        (["100%"], 0, 1_000_000),
        (["0.01", "0.5%"], 10_000, 5_000),
        (["0.01", "0.05", "1%", "0.5%"], 50_000, 10_000),
    ],
)
def test_a_tolerance_is_an_amount_or_a_percentage_and_the_larger_of_each_counts(
    given_: list[str], micros: int, ppm: int
) -> None:
    assert parse_tolerance(given_) == (micros, ppm)


@many
@given(st.integers(0, 10**12), st.integers(0, 10**6))
def test_every_micro_and_every_millionth_can_be_said(micros: int, ppm: int) -> None:
    assert parse_tolerance([f"{Decimal(micros).scaleb(-6):f}", f"{Decimal(ppm).scaleb(-4):f}%"]) == (micros, ppm)


@pytest.mark.parametrize("text", ["", "a cent", "-0.01", "NaN", "inf", "1,5", "0.5 percent", "%", "-1%", "1%%", "1e3%"])
def test_a_text_that_is_no_tolerance_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadTolerance) as raised:
        parse_tolerance([text])
    assert raised.value.subject == text
    assert raised.value.remedy == "Give an amount such as 0.01, or a percentage such as 0.5%."


def test_a_percentage_finer_than_a_millionth_is_refused() -> None:
    with pytest.raises(BadTolerance, match=r"0\.00005% is finer than 0\.0001%\."):
        parse_tolerance(["0.00005%"])


@pytest.mark.parametrize("text", ["0.0000001", "1e-7", "0.0100001"])
def test_an_amount_finer_than_a_millionth_is_refused_and_not_rounded(text: str) -> None:
    with pytest.raises(BadTolerance) as raised:
        parse_tolerance([text])
    assert raised.value.what == f"{text} is finer than 0.000001."


@pytest.mark.parametrize("text", ["1e30", "99999999999999"])
def test_an_amount_that_no_column_can_hold_is_refused(text: str) -> None:
    with pytest.raises(AmountOutOfRange):
        parse_tolerance([text])


@pytest.mark.parametrize("text", ["100.0001%", "1000000000000000000000%"])
def test_more_than_the_whole_amount_is_no_tolerance(text: str) -> None:
    with pytest.raises(BadTolerance) as raised:
        parse_tolerance([text])
    assert raised.value.what == f"{text} is more than the whole amount."


def test_options_that_are_not_given_stay_open() -> None:
    assert infer_options() == InferOptions()
    assert infer_options(tolerance=[]).tolerance_micros is None


def test_options_are_handed_on() -> None:
    assert infer_options(on=["id"], tolerance=["0"], window_days=0, ignore=["a", "b"], date="day") == InferOptions(
        on=("id",), tolerance_micros=0, tolerance_ppm=0, window_days=0, ignore=("a", "b"), date="day"
    )


@pytest.mark.parametrize("days", [-1, 36_501, 10**30])
def test_a_window_of_less_than_no_days_or_of_centuries_is_refused(days: int) -> None:
    with pytest.raises(BadWindow, match=f"{days} is no number of days") as raised:
        infer_options(window_days=days)
    assert "0 to 36,500" in raised.value.remedy


# Columns


@pytest.mark.parametrize(
    ("spec", "sides"),
    [
        ("net", ("net", "net")),
        ("Invoice No=id", ("Invoice No", "id")),
        (" invoice no = ID ", ("Invoice No", "id")),
        ("tax", ("tax", None)),
        ("amount", (None, "amount")),
        ("a=b", ("a=b", None)),
        ("a=b=b", ("a=b", "b")),
        ("WÄHRUNG", (None, "Währung")),
    ],
)
def test_a_column_is_named_for_both_sides_or_one(spec: str, sides: tuple[str | None, str | None]) -> None:
    assert split_sides(spec, NAMES, "--on") == sides


@pytest.mark.parametrize(
    ("spec", "subject", "side"),
    [
        ("nett", "nett", "ours.csv"),
        ("x=id", "x", "ours.csv"),
        ("net=x", "x", "theirs.csv"),
        ("amounts", "amounts", "theirs.csv"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_side_that_lacks_it(spec: str, subject: str, side: str) -> None:
    with pytest.raises(UnknownColumn, match=f"--on names column '{subject}', which {side} does not have") as raised:
        split_sides(spec, NAMES, "--on")
    assert raised.value.subject == subject


@pytest.mark.parametrize(
    ("spec", "ours", "theirs"),
    [
        ("net", [("net", 1)], [("net", 1)]),
        ("net-of-tax=amount", [("net-of-tax", 1)], [("amount", 1)]),
        ("net-of-tax-tax=amount", [("net-of-tax", 1), ("tax", -1)], [("amount", 1)]),
        ("Credit - Debit=amount", [("Credit", 1), ("Debit", -1)], [("amount", 1)]),
        ("credit-debit", [("Credit", 1), ("Debit", -1)], []),
        ("-Debit=amount", [("Debit", -1)], [("amount", 1)]),
        ("net + tax=-amount", [("net", 1), ("tax", 1)], [("amount", -1)]),
        ("-net", [("net", -1)], [("net", -1)]),
        ("a=b=amount", [("a=b", 1)], [("amount", 1)]),
    ],
)
def test_an_amount_is_a_sum_of_signed_columns(
    spec: str, ours: list[tuple[str, int]], theirs: list[tuple[str, int]]
) -> None:
    found = [[(term.column, term.sign) for term in side] for side in split_amounts(spec, NAMES)]
    assert found == [ours, theirs]


@many
@given(st.lists(st.tuples(st.sampled_from(NAMES.ours), st.sampled_from([1, -1])), min_size=1, max_size=5))
def test_any_sum_of_columns_is_understood_as_it_was_written(terms: list[tuple[str, int]]) -> None:
    written = " ".join(("- " if sign < 0 else "+ ") + name for name, sign in terms).removeprefix("+ ")
    ours, theirs = split_amounts(f"{written}=amount", NAMES)
    assert [(term.column, term.sign) for term in ours] == terms
    assert theirs == (SignedColumn("amount"),)


@pytest.mark.parametrize("spec", ["", "=", "+", "net + x=amount", "net=x", "x"])
def test_a_sum_with_an_unknown_column_is_refused(spec: str) -> None:
    with pytest.raises(UnknownColumn, match="^--amount names column"):
        split_amounts(spec, NAMES)


@pytest.mark.parametrize(
    ("spec", "sides"),
    [
        ("EUR", ("EUR", "EUR")),
        ("eur", ("EUR", "EUR")),
        ("Währung", (None, "Währung")),
        ("EUR=Währung", ("EUR", "Währung")),
        ("CHF=EUR", ("CHF", "EUR")),
        ("USD=EUR", ("USD", "EUR")),
        ("none", ("", "")),
    ],
)
def test_a_currency_is_a_code_or_a_column(spec: str, sides: tuple[str | None, str | None]) -> None:
    assert split_currency(spec, NAMES) == sides


# Formats


@pytest.mark.parametrize(
    ("spec", "form", "places"),
    [
        ("DMY", "DMY", set()),
        ("net=1.234,56", "1.234,56", {("ours", "net"), ("theirs", "net")}),
        ("tax=amount=DMY", "DMY", {("ours", "tax"), ("theirs", "amount")}),
        ("a=b=%d.%m.%Y", "%d.%m.%Y", {("ours", "a=b")}),
    ],
)
def test_a_format_is_for_every_column_or_for_those_named(spec: str, form: str, places: set[tuple[str, str]]) -> None:
    assert split_format(spec, NAMES, "--date-format") == (form, places)


@pytest.mark.parametrize(
    "form",
    [
        "DMY",
        "mdy",
        "%d.%m.%Y",
        "%d %b %y",
        "%-d/%-m/%Y",
        "%a %d %B %Y %I:%M:%S.%f %p %z",
        "%Y-%m-%d|%d/%m/%Y",
        "unix-seconds",
        "excel-serial",
    ],
)
def test_known_date_formats_are_taken(form: str) -> None:
    assert check_date_format(form) in (form, form.upper())


@pytest.mark.parametrize(
    "form", ["", "DM", "dd/mm/yyyy", "%H:%M", "%m/%Y", "%d.%m.%Y|", "%d.%m", "%d.%m.%Y %Q", "%d.%m.%Y %"]
)
def test_other_date_formats_are_refused_with_those_known(form: str) -> None:
    with pytest.raises(UnknownFormat) as raised:
        check_date_format(form)
    assert "DMY, MDY, YMD, YDM, a pattern such as %d.%m.%Y" in raised.value.remedy


def test_number_formats_are_given_as_examples() -> None:
    assert number_marks(" 1.234,56 ") == (",", ".")
    with pytest.raises(UnknownFormat, match=r"--number-format '1,234\.567' is not one of the examples"):
        number_marks("1,234.567")


# How files are read


def test_a_reading_holds_for_all_files_or_for_each() -> None:
    every = reading_of(delimiter="semicolon")
    assert {side: reading.csv.delimiter for side, reading in every.items()} == dict.fromkeys(
        ("ours", "theirs", "advice"), ";"
    )
    one = reading_of(sheet="March=")
    assert {side: reading.sheet for side, reading in one.items()} == {"ours": "March"}
    each = reading_of(header_line="3=0")
    assert {side: reading.csv.header_line for side, reading in each.items()} == {"ours": 3, "theirs": 0}
    advice = reading_of(encoding="==cp1252", format="csv==xlsx")
    assert {side: (reading.csv.encoding, reading.format) for side, reading in advice.items()} == {
        "ours": ("", "csv"),
        "advice": ("cp1252", "xlsx"),
    }
    assert reading_of() == {}


@pytest.mark.parametrize(("option", "said"), [("delimiter", "semi"), ("header_line", "first")])
def test_a_reading_without_meaning_is_refused(option: str, said: str) -> None:
    with pytest.raises(BadReading, match=said) as raised:
        reading_of(**{option: said})
    assert raised.value.subject == "--" + option.replace("_", "-")
