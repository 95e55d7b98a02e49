"""Which column says on which day a row belongs, and how its days are written: decided by the whole column, or asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.intake.sources.projection import call, cast, column, named, sql_of, string

NO_COLUMN = "-"
"""What a user says for "no column is the date"."""

HEAD_ROWS = 10_000
_MIN_SHARE = 0.9
_MIN_SHARE_NAMED = 0.5
_MIN_SHARE_UNNAMED = 0.95

_CLEAR = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %y", "%d/%b/%Y", "%d %B %Y",
    "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%a, %d %b %Y", "%a %d %b %Y",
)  # fmt: skip
# A year of two digits is tried first: %Y would read 24 as the year 24.
_ORDERED = {
    "DMY": ("%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y"),
    "MDY": ("%m/%d/%y", "%m-%d-%y", "%m/%d/%Y", "%m-%d-%Y"),
    "YMD": ("%y-%m-%d",),
}
# What nobody writes, and is read so only where the user says it: 12.31.2024, 24.12.31.
_SAID = {"MDY": ("%m.%d.%y", "%m.%d.%Y"), "YMD": ("%y/%m/%d", "%y.%m.%d")}
_ORDERS = tuple(_ORDERED)
FORMATS = ("ISO", *_ORDERS)
_COMPACT = "%Y%m%d"

_NO_DAY = ("-", "--", "n/a", "na", "#n/a", "null", "none", "nil", "nat", "0000-00-00")
_DAY_PART = r"^(.*?)(?:[T ,]+[0-9]{1,2}:[0-9]{2}.*|Z|[+-][0-9]{2}:[0-9]{2})?$"
_FIRST_DAY, _LAST_DAY = "1000-01-01", "9999-12-31"

_BOOKED = re.compile(r"book|buchung|post(ed|ing)")
_DATE = re.compile(r"\b(date|datum|day|fecha|tag|transaction ?date)\b")
_HINT = re.compile(r"date|datum|day|fecha|valuta|time|zeit|created|settled")
_SECONDARY = re.compile(r"value|valuta|wert|due|birth|expir|updat|settle|modified|payout")


class DatesAmbiguous(TieoutError):
    """The days of a file can be read day first or month first, and nothing in it says which."""

    code = "dates_ambiguous"
    http_status = 422


class DatesDoNotFit(TieoutError):
    """The days of a file are not written as said, or not as in the files that were loaded before."""

    code = "dates_do_not_fit"
    http_status = 422


class SourceColumnMissing(TieoutError):
    """A file lacks a column that the user named or that the source needs."""

    code = "source_column_missing"
    http_status = 422


@dataclass(frozen=True)
class DayColumn:
    """The column of days, and how they are written: ISO (or any way without a choice), DMY, MDY, YMD or a pattern."""

    name: str
    format: str


@dataclass(frozen=True)
class DayWish:
    """What the user said about days, '' or None where nothing, and what the source's earlier loads settled."""

    column: str | None
    format: str | None
    settled: DayColumn | None


@dataclass(frozen=True)
class _Fit:
    """How many values each format reads of those that are there, and which formats read some value differently."""

    name: str
    values: int
    read: dict[str, int]
    differing: frozenset[frozenset[str]]

    @property
    def best(self) -> int:
        return max(self.read.values())

    @property
    def share(self) -> float:
        return self.best / self.values if self.values else 0.0


def day_expression(text: exp.Expr, day_format: str, *, is_sure: bool = True, is_said: bool = True) -> exp.Expr:
    """Return the DATE that a cell says; null where it says none or none that the calendar has.

    The day is taken as written: a time of day and an offset after it do not move it. Eight digits are a day only
    where it is sure that the column holds days, and rare ways of writing one only where the user said the format.
    """
    part = day_text(text)
    if "%" in day_format:
        moment = call("try_strptime", part if "%H" not in day_format else text.copy(), string(day_format))
        return _within_calendar(moment)
    rare = _SAID.get(day_format, ()) if is_said else ()
    patterns = (*_ORDERED.get(day_format, ()), *rare, *_CLEAR)
    moment = call("try_strptime", part, exp.Array(expressions=[string(pattern) for pattern in patterns]))
    is_compact = call("regexp_full_match", part.copy(), string("[0-9]{8}"))
    compact = call("try_strptime", part.copy(), string(_COMPACT)) if is_sure else exp.null()
    return _within_calendar(exp.Case().when(is_compact, compact).else_(moment))


def day_text(text: exp.Expr) -> exp.Expr:
    """Return the part of a cell that says the day; null where the cell says that there is none."""
    part = call("regexp_extract", text.copy(), string(_DAY_PART), exp.Literal.number(1))
    is_none = exp.In(this=call("lower", text.copy()), expressions=[string(word) for word in _NO_DAY])
    return exp.Case().when(exp.Not(this=is_none), part)


def _within_calendar(moment: exp.Expr) -> exp.Expr:
    """Return the day of a moment, null outside the years 1000 to 9999, as 24 read by %Y is."""
    day = cast(moment, "DATE")
    low, high = (cast(string(limit), "DATE") for limit in (_FIRST_DAY, _LAST_DAY))
    return exp.Case().when(exp.Between(this=day, low=low, high=high), day.copy())


def find_days(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], wish: DayWish, file: str
) -> DayColumn | None:
    """Return which column of `relation` (cells as text) says the day of a row, None where none does.

    Raises SourceColumnMissing, DatesAmbiguous and DatesDoNotFit.
    """
    if wish.column == NO_COLUMN:
        return None
    settled = wish.settled
    said = wish.column or (settled.name if settled else None)
    if said is None:
        said = _likely_column(con, relation, columns, _known_format(wish.format))
        if said is None:
            return None
    elif said not in columns:
        whose = "" if wish.column else ", which says the day in the files loaded before"
        raise SourceColumnMissing(
            f"{file} has no column {said!r}{whose}.",
            subject=said,
            remedy=f"Name the column of its days with --date, or --date {NO_COLUMN} for none. "
            f"It has: {', '.join(columns)}.",
        )
    return _format_of(con, relation, said, wish, file)


def _format_of(con: duckdb.DuckDBPyConnection, relation: str, name: str, wish: DayWish, file: str) -> DayColumn:
    said = _known_format(wish.format)
    settled = wish.settled.format if wish.settled is not None and wish.settled.format != "ISO" else None
    if said is not None or (settled is not None and "%" in settled):
        wanted = said or settled or ""
        fit = _fit(con, relation, [name], [wanted], None)[0]
        if fit.values and fit.share < (_MIN_SHARE_NAMED if said else _MIN_SHARE):
            raise _misfit(file, fit, wanted)
        return DayColumn(name, wanted)
    fit = _fit(con, relation, [name], list(FORMATS), None)[0]
    if not fit.values:
        return DayColumn(name, settled or "ISO")
    if fit.share < _MIN_SHARE_NAMED:
        raise _misfit(file, fit, settled or "any known way")
    if fit.read["ISO"] == fit.best:
        return DayColumn(name, settled or "ISO")
    best = [order for order in _ORDERS if fit.read[order] == fit.best]
    if settled is not None:
        if settled not in best:
            raise _misfit(file, fit, settled)
        return DayColumn(name, settled)
    if any(frozenset((best[0], other)) in fit.differing for other in best[1:]):
        raise DatesAmbiguous(
            f"The days in column {name!r} of {file} can be read in several ways: {' or '.join(best)}.",
            subject=name,
            remedy=f"Say which with --date-format {best[0]} or --date-format {best[1]}.",
        )
    return DayColumn(name, best[0])


def _known_format(said: str | None) -> str | None:
    if said is None or "%" in said:
        return said
    if said.upper() not in FORMATS:
        raise DatesDoNotFit(
            f"{said!r} is no way of writing days.",
            subject=said,
            remedy=f"Say {', '.join(FORMATS)}, or a pattern such as %d.%m.%Y.",
        )
    return said.upper()


def _misfit(file: str, fit: _Fit, wanted: str) -> DatesDoNotFit:
    read = fit.read.get(wanted, fit.best)
    others = ", ".join(f"{name} {count:,}" for name, count in fit.read.items() if name != wanted and count > read)
    return DatesDoNotFit(
        f"Of {fit.values:,} values in column {fit.name!r} of {file}, {read:,} are days as {wanted} writes them"
        + (f" ({others})." if others else "."),
        subject=fit.name,
        remedy="Say how they are written with --date-format (ISO, DMY, MDY, YMD or a pattern), or which column "
        "holds them with --date.",
    )


def _likely_column(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], said: str | None
) -> str | None:
    """Return the column that most likely says the day of a row, by its first rows and its name."""
    fits = _fit(con, relation, list(columns), [said] if said else list(FORMATS), HEAD_ROWS)
    ranked = []
    for position, fit in enumerate(fits):
        rank = _rank(fit.name)
        least = _MIN_SHARE_NAMED if rank < _RANK_UNNAMED else _MIN_SHARE_UNNAMED
        if fit.values and fit.share >= least:
            ranked.append((rank, position, fit.name))
    return min(ranked)[2] if ranked else None


_RANK_UNNAMED = 4


def _rank(name: str) -> int:
    """Return how well a name suits the day of a row: 0 the day it was booked … 4 nothing speaks for it."""
    words = re.sub(r"[^a-z]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    if _SECONDARY.search(words):
        return 3 if _HINT.search(words) else _RANK_UNNAMED
    for rank, pattern in enumerate((_BOOKED, _DATE, _HINT)):
        if pattern.search(words):
            return rank
    return _RANK_UNNAMED


def _fit(
    con: duckdb.DuckDBPyConnection, relation: str, columns: list[str], formats: list[str], limit: int | None
) -> list[_Fit]:
    """Return how well each format fits each column, in one query over the first `limit` rows (None: all)."""
    pairs = [(one, other) for i, one in enumerate(formats) for other in formats[i + 1 :]]
    selected: list[exp.Expr] = []
    inner: list[exp.Expr] = []
    for at, name in enumerate(columns):
        is_said = formats != list(FORMATS)
        is_sure = limit is None or _rank(name) < _RANK_UNNAMED
        inner.append(named(day_text(column(name)), f"v{at}"))
        selected.append(exp.Count(this=column(f"v{at}")))
        for number, day_format in enumerate(formats):
            inner.append(
                named(day_expression(column(name), day_format, is_sure=is_sure, is_said=is_said), f"d{at}_{number}")
            )
            selected.append(exp.Count(this=column(f"d{at}_{number}")))
        for one, other in pairs:
            days = (column(f"d{at}_{formats.index(one)}"), column(f"d{at}_{formats.index(other)}"))
            selected.append(call("count_if", exp.NullSafeNEQ(this=days[0], expression=days[1])))
    query = exp.select(*[column(name) for name in columns]).from_(exp.to_table(relation))
    query = query if limit is None else query.limit(limit)
    days_of = exp.select(*inner).from_(query.subquery("head"))
    try:
        row = con.sql(sql_of(exp.select(*selected).from_(days_of.subquery("days")))).fetchall()[0]
    except duckdb.InvalidInputException as error:
        raise DatesDoNotFit(
            f"{formats[0]!r} is no pattern of days: {str(error).splitlines()[0]}",
            subject=formats[0],
            remedy="Write it as strptime does, such as %d.%m.%Y.",
        ) from error
    width = 1 + len(formats) + len(pairs)
    fits = []
    for at, name in enumerate(columns):
        counts = [int(count) for count in row[at * width : (at + 1) * width]]
        differing = frozenset(
            frozenset(pair) for pair, count in zip(pairs, counts[1 + len(formats) :], strict=True) if count
        )
        fits.append(_Fit(name, counts[0], dict(zip(formats, counts[1:], strict=False)), differing))
    return fits
