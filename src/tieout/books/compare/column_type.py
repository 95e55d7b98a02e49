"""Which type a column has: readings proposed by the shapes of its values, and decided by the count of all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tieout.books.compare.date_format import DateLook, Order, look_at_dates
from tieout.books.compare.names import says, words_of
from tieout.books.compare.number_format import NumberLook, Shape, look_at_numbers
from tieout.engine.parse import (
    COUNTED_FORMATS,
    EXCEL_SERIAL,
    UNIX_MILLISECONDS,
    UNIX_SECONDS,
    is_decimal,
    is_float,
    is_integer,
    is_moment,
    is_text,
)
from tieout.engine.plan import ColumnType, Kind

PARSED_SHARE = 0.95
"""A column is of a type when at least this share of its values are; the others are rejected one by one.

A run that has to reject more than the rest distrusts its plan."""
NAMED_SHARE = 0.70
"""The same where the name of the column says that it is an amount or a date."""
FEW_STRAY = 3
"""In a column that is an amount or a date by its name so many values may be neither, where at least as many are."""
CODE_DIGITS = 13
"""Whole numbers this long do not fit an amount; they are account, card or order numbers."""

TEXT = ColumnType("text")
NUMBER = ColumnType("number")


@dataclass(frozen=True)
class Reading:
    """One way to read a column; once measured, how many values it takes and the days they span."""

    type: ColumnType
    order: Order = "ISO"
    parsed: int = 0
    low: date | None = None
    high: date | None = None

    @property
    def span_days(self) -> int:
        return (self.high - self.low).days if self.low and self.high else 0


NO_NUMBERS = NumberLook((), 0.0, {}, is_decorated=False)
NO_DATES = DateLook({}, 0.0, has_time=False, is_digits=False)
_MONEY = re.compile(r"\(?[-+]?9{1,3}(?:[ ,.']?999)*[.,]99[-)]?")


@dataclass(frozen=True)
class Look:
    """What a look at some values of a column shows. `zero_led` counts 007, `padded` blanks at either end."""

    shapes: tuple[Shape, ...] = ()
    total: int = 0
    zero_led: int = 0
    padded: int = 0
    numbers: NumberLook = NO_NUMBERS
    dates: DateLook = NO_DATES

    @property
    def is_digits(self) -> bool:
        return bool(self.shapes) and all(shape.text and set(shape.text) == {"9"} for shape in self.shapes)

    @property
    def lengths(self) -> frozenset[int]:
        return frozenset(len(shape.text) for shape in self.shapes)

    @property
    def mean_words(self) -> float:
        rows = sum(shape.rows for shape in self.shapes)
        return sum((shape.text.count(" ") + 1) * shape.rows for shape in self.shapes) / rows if rows else 0.0

    @property
    def mean_length(self) -> float:
        rows = sum(shape.rows for shape in self.shapes)
        return sum(len(shape.text) * shape.rows for shape in self.shapes) / rows if rows else 0.0


def look_at(shapes: Sequence[Shape], total: int, zero_led: int = 0, padded: int = 0) -> Look:
    """Return what the shapes of a column show, the commonest first; `total` counts the rows of all of them."""
    numbers, dates = look_at_numbers(shapes, total), look_at_dates(shapes, total)
    return Look(tuple(shapes), total, zero_led, padded, numbers, dates)


def propose(name: str, source_type: str, look: Look, *, is_amount: bool = False) -> tuple[Reading, ...]:
    """Return the readings of a column that are worth counting on all its rows. None: it is text.

    With `is_amount` the user says that it holds numbers, whatever its name and its digits look like.
    """
    if is_moment(source_type):
        return (Reading(ColumnType("date" if source_type.upper() == "DATE" else "timestamp")),)
    if is_integer(source_type) or is_decimal(source_type) or is_float(source_type):
        if is_amount:
            return (Reading(NUMBER),)
        is_code_of_file = is_integer(source_type) and _is_named_code(name)
        return () if is_code_of_file else (Reading(NUMBER), *_counted(name, source_type))
    if not is_text(source_type):
        return ()
    if is_amount:
        return tuple(Reading(number) for number in look.numbers.types) or (Reading(NUMBER),)
    readings: list[Reading] = []
    is_dated = says(name, "date", "month")
    is_bare = look.dates.is_digits or look.dates.is_month_in_digits
    if look.dates.share >= 0.5 and (not is_bare or is_dated or _may_be_digit_dates(look)):
        kind: Kind = "timestamp" if look.dates.has_time else "date"
        readings += [Reading(ColumnType(kind, date_format=form), order) for order, form in look.dates.formats.items()]
    if look.numbers.share >= 0.5 and not is_code(name, look):
        readings += [Reading(number) for number in look.numbers.types]
    if look.is_digits:
        readings += _counted(name, source_type)
    return tuple(readings)


def _may_be_digit_dates(look: Look) -> bool:
    return look.lengths in (frozenset({8}), frozenset({14})) and look.total >= 5


def _counted(name: str, source_type: str) -> tuple[Reading, ...]:
    """Return the readings of whole numbers as dates, for a column whose name says that it holds dates."""
    if not says(name, "date", "created"):
        return ()
    found = [Reading(ColumnType("date", date_format=EXCEL_SERIAL))]
    found += [Reading(ColumnType("timestamp", date_format=form)) for form in (UNIX_SECONDS, UNIX_MILLISECONDS)]
    if is_integer(source_type):
        forms = (("YMD", "%Y%m%d"), ("DMY", "%d%m%Y"), ("MDY", "%m%d%Y"), ("YMD", "%y%m%d"))
        found += [Reading(ColumnType("date", date_format=form), _order(order)) for order, form in forms]
    return tuple(found)


def _order(order: str) -> Order:
    return "DMY" if order == "DMY" else "MDY" if order == "MDY" else "YMD"


def is_code(name: str, look: Look) -> bool:
    """Say whether the numbers of a column of text are names of things (orders, accounts, phones), not quantities."""
    if _is_named_code(name):
        return says(name, "id", "reference") or not _is_written_as_money(look)
    if not look.is_digits:
        return False
    longest, total = max(look.lengths, default=0), max(look.total, 1)
    is_uniform = len(look.lengths) == 1 and longest >= 8 and total > 1 and not _is_named_quantity(name)
    return look.zero_led >= 0.01 * total or longest >= CODE_DIGITS or is_uniform


def _is_written_as_money(look: Look) -> bool:
    """Say whether nearly all values have two decimals, as no card, account or phone has: card_sales, account total."""
    money = sum(shape.rows for shape in look.shapes if _MONEY.fullmatch(shape.text.strip()))
    return money >= PARSED_SHARE * sum(shape.rows for shape in look.shapes) > 0


def _is_named_quantity(name: str) -> bool:
    words = words_of(name)
    is_count_of = any(words[i : i + 2] in (("number", "of"), ("no", "of"), ("num", "of")) for i in range(len(words)))
    quantities = ("amount", "quantity", "fee", "tax", "rate", "net", "gross", "debit", "credit", "percent")
    return is_count_of or says(name, *quantities)


def _is_named_code(name: str) -> bool:
    codes = ("id", "reference", "account", "phone", "postcode", "card", "birth")
    return says(name, *codes) and not _is_named_quantity(name)


def choose(
    name: str, readings: Sequence[Reading], filled: int, look: Look
) -> tuple[Reading | None, tuple[Reading, ...]]:
    """Return the reading that takes the most values, dates before numbers, and its equal rivals."""
    dates = [one for one in readings if one.type.kind != "number" and is_believable(name, one, filled, look)]
    if dates:
        best = max(reading.parsed for reading in dates)
        equal = [reading for reading in dates if reading.parsed == best]
        by_span = sorted(equal, key=lambda reading: reading.span_days)
        first = by_span[0] if _is_clearly_shorter(by_span) else equal[0]
        return first, tuple(reading for reading in equal if reading is not first)
    numbers = [reading for reading in readings if reading.type.kind == "number"]
    if not numbers:
        return None, ()
    best = max(reading.parsed for reading in numbers)
    equal = [reading for reading in numbers if reading.parsed == best]
    return equal[0], tuple(equal[1:])


def is_enough(name: str, reading: Reading, filled: int, look: Look, *, is_amount: bool = False) -> bool:
    """Say whether so many values are of the type that the others are mistakes rather than the column a text."""
    if not filled:
        return is_amount
    if reading.type.kind != "number":
        return is_believable(name, reading, filled, look)
    is_named = is_amount or says(name, "amount", "debit", "credit", "fee", "net", "gross", "tax")
    if not is_named:
        return reading.parsed >= PARSED_SHARE * filled
    return reading.parsed >= NAMED_SHARE * filled or _has_few_strays(reading.parsed, filled)


def _has_few_strays(parsed: int, filled: int) -> bool:
    return filled - parsed <= min(FEW_STRAY, parsed)


def is_believable(name: str, reading: Reading, filled: int, look: Look) -> bool:
    """Say whether a column is of this date format: nearly all values parse, or nearly all look so and most parse.

    Of a column that dates by its name a few values may be anything at all. Plain digits must all but all be dates of
    our time, since other numbers sometimes look like one.
    """
    if reading.low is None or reading.high is None or not filled:
        return False
    share = reading.parsed / filled
    form = reading.type.date_format
    if form in (UNIX_SECONDS, UNIX_MILLISECONDS) and reading.low < date(1990, 1, 1):
        return False
    if form and is_of_months(form):  # ledgers have a thirteenth
        return share == 1.0 and date(1950, 1, 1) <= reading.low and reading.high <= date(2100, 1, 1)
    is_digits = form in COUNTED_FORMATS or (form != "" and not set(form) & set("-/. :,"))
    if is_digits:
        return share >= 0.99 and date(1950, 1, 1) <= reading.low and reading.high <= date(2100, 1, 1)
    if says(name, "date") and _has_few_strays(reading.parsed, filled):
        return True
    return share >= PARSED_SHARE or (look.dates.share >= PARSED_SHARE and share >= 0.5)


def is_of_months(date_format: str) -> bool:
    """Say whether dates of this format are months, each read as the first of its days."""
    return ("%m" in date_format or "%b" in date_format) and "%d" not in date_format


def _is_clearly_shorter(by_span: Sequence[Reading]) -> bool:
    """Say whether the first reading covers so much less time than any other that the dates must be written so."""
    if len(by_span) < 2:
        return False
    shortest, next_one = by_span[0].span_days, by_span[1].span_days
    return next_one > 366 and 5 * max(shortest, 31) < next_one
