"""Which column says on which day a row belongs, and how its days are written: decided by the whole column, or asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.intake.sources.steps import Steps
from tieout.store.trees import call, column, named, sql_of, string

NO_COLUMN = "-"
"""What a user says for "no column is the date"."""

ORDERS = ("DMY", "MDY", "YMD")
FORMATS = ("ISO", *ORDERS)
_MACROS = {"ISO": "day_iso", "DMY": "day_dmy", "MDY": "said_mdy", "YMD": "said_ymd"}

HEAD_ROWS = 2_000
_MIN_SHARE = 0.9
_MIN_SHARE_NAMED = 0.5
_MIN_SHARE_UNNAMED = 0.95

_BOOKED = re.compile(r"book|buchung|post(ed|ing)")
_DATE = re.compile(r"\b(date|datum|day|fecha|tag)\b")
_HINT = re.compile(r"date|datum|day|fecha|valuta|time|zeit|created|settled")
_SECONDARY = re.compile(r"value|valuta|wert|due|birth|expir|updat|settle|modified|payout")
_RANK_UNNAMED = 4


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
    """What the user said about days, None where nothing, and what the source's earlier loads settled."""

    column: str | None
    format: str | None
    settled: DayColumn | None


@dataclass(frozen=True)
class _Fit:
    """How many of the cells that say something each format reads, and which pairs of formats differ on some."""

    name: str
    said: int
    read: dict[str, int]
    differing: frozenset[frozenset[str]] = frozenset()

    @property
    def best(self) -> int:
        return max(self.read.values())

    @property
    def share(self) -> float:
        return self.best / self.said if self.said else 0.0


def day_expression(text: exp.Expr, day_format: str) -> exp.Expr:
    """Return the DATE that a text of `said_text` says; null where the calendar has none such."""
    if _is_pattern(day_format):
        return call("in_calendar", call("try_strptime", text, string(day_format)))
    return call(_MACROS[day_format], text)


def text_expression(cell: exp.Expr, day_format: str) -> exp.Expr:
    """Return what of a cell says the day: all of it under a pattern, else without time and offset; null for no day."""
    return call("said_cell" if _is_pattern(day_format) else "day_part", cell)


def find_days(steps: Steps, columns: Sequence[str], wish: DayWish, file: str) -> DayColumn | None:
    """Return which column of `staged_cell` says the day of a row and how it is written, None where none does.

    Raises SourceColumnMissing, DatesAmbiguous and DatesDoNotFit.
    """
    if wish.column == NO_COLUMN:
        return None
    said = _known_format(wish.format)
    settled = wish.settled
    name = wish.column or (settled.name if settled else _likely_column(steps, columns, said))
    if name is None:
        return None
    if name not in columns:
        whose = "" if wish.column else ", which says the day in the files loaded before"
        raise SourceColumnMissing(
            f"{file} has no column {name!r}{whose}.",
            subject=name,
            remedy=f"Name the column of its days with --date, or --date {NO_COLUMN} for none. "
            f"It has: {', '.join(columns)}.",
        )
    if said is not None:
        return _held_to(steps, name, said, _MIN_SHARE_NAMED, file)
    if settled is not None and _is_pattern(settled.format):
        return _held_to(steps, name, settled.format, _MIN_SHARE, file)
    _say_text(steps, exp.select(named(column(name), "cell"), named(string(name), "name")).from_("staged_cell"), "")
    fit = next(iter(_fit_all(steps)), _Fit(name, 0, {"ISO": 0}))
    return DayColumn(name, _decided(fit, settled.format if settled else "ISO", file))


def _decided(fit: _Fit, settled: str, file: str) -> str:
    """Return the format that reads all that any reads; where several do, the one that was settled, or none."""
    if fit.said and fit.share < _MIN_SHARE_NAMED:
        raise _misfit(file, fit, "any known way")
    if fit.read["ISO"] == fit.best:
        return settled
    best = [order for order in ORDERS if fit.read[order] == fit.best]
    if settled != "ISO":
        if settled not in best:
            raise _misfit(file, fit, settled)
        return settled
    if any(frozenset((best[0], other)) in fit.differing for other in best[1:]):
        raise DatesAmbiguous(
            f"The days in column {fit.name!r} of {file} can be read as {' or '.join(best)}.",
            subject=fit.name,
            remedy=f"Say which with --date-format, such as --date-format {best[0]}.",
        )
    return best[0]


def _held_to(steps: Steps, name: str, day_format: str, least: float, file: str) -> DayColumn:
    cells = exp.select(named(column(name), "cell"), named(string(name), "name")).from_("staged_cell")
    _say_text(steps, cells, day_format)
    fit = next(iter(_fit_one(steps, day_format)), _Fit(name, 0, {day_format: 0}))
    if fit.said and fit.share < least:
        raise _misfit(file, fit, day_format)
    return DayColumn(name, day_format)


def _known_format(said: str | None) -> str | None:
    if said is None or _is_pattern(said):
        return said
    if said.upper() not in FORMATS:
        raise DatesDoNotFit(
            f"{said!r} is no way of writing days.",
            subject=said,
            remedy=f"Say {', '.join(FORMATS)}, or a pattern such as %d.%m.%Y.",
        )
    return said.upper()


def _is_pattern(day_format: str) -> bool:
    return "%" in day_format


def _misfit(file: str, fit: _Fit, wanted: str) -> DatesDoNotFit:
    read = fit.read.get(wanted, fit.best)
    more = ", ".join(f"{name} reads {count:,}" for name, count in fit.read.items() if count > read)
    return DatesDoNotFit(
        f"Of {fit.said:,} values in column {fit.name!r} of {file}, {read:,} are days in {wanted}"
        + (f"; {more}." if more else "."),
        subject=fit.name,
        remedy="Say how they are written with --date-format (ISO, DMY, MDY, YMD or a pattern), or which column "
        "holds them with --date.",
    )


def _likely_column(steps: Steps, columns: Sequence[str], said: str | None) -> str | None:
    """Return the column that most likely says the day of a row, by its first rows and its name."""
    head = exp.select(*[column(name) for name in columns]).from_("staged_cell").limit(HEAD_ROWS)
    steps.con.execute(f"create or replace table head as {sql_of(head)}")
    steps.run("head_cell")
    _say_text(steps, exp.select("name", "cell").from_("head_cell"), said or "")
    ranked = []
    for fit in _fit_one(steps, said) if said else _fit_all(steps):
        rank = _rank(fit.name)
        least = _MIN_SHARE_NAMED if rank < _RANK_UNNAMED else _MIN_SHARE_UNNAMED
        if fit.share >= least and not (rank == _RANK_UNNAMED and _is_all_digits(steps, fit.name)):
            ranked.append((rank, list(columns).index(fit.name), fit.name))
    return min(ranked)[2] if ranked else None


def _is_all_digits(steps: Steps, name: str) -> bool:
    """Tell a column whose first cells are digits only: 20240131 is a day only where the name says so."""
    query = exp.select(call("bool_and", call("regexp_full_match", column("text"), string("[0-9]+")))).from_("said_text")
    query = query.where(exp.EQ(this=column("name"), expression=string(name)))
    return bool(steps.con.sql(sql_of(query)).fetchall()[0][0])


def _rank(name: str) -> int:
    """Return how well a name suits the day of a row: 0 the day it was booked … 4 nothing speaks for it."""
    words = re.sub(r"[^a-z]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    if _SECONDARY.search(words):
        return 3 if _HINT.search(words) else _RANK_UNNAMED
    for rank, pattern in enumerate((_BOOKED, _DATE, _HINT)):
        if pattern.search(words):
            return rank
    return _RANK_UNNAMED


def _say_text(steps: Steps, cells: exp.Select, day_format: str) -> None:
    """Make `said_text`: each text that says a day, once, with its rows: days repeat, so there are few."""
    text = exp.select("name", named(text_expression(exp.column("cell"), day_format), "text")).from_(cells.subquery("c"))
    said = exp.Not(this=exp.Is(this=exp.column("text"), expression=exp.null()))
    query = exp.select("name", "text", named(exp.Count(this=exp.Star()), "rows")).from_(text.subquery("t")).where(said)
    steps.con.execute(f"create or replace table said_text as {sql_of(query.group_by('name', 'text'))}")


def _fit_all(steps: Steps) -> list[_Fit]:
    steps.run("day_fit")
    fits = []
    for name, said, *counts in steps.con.sql("from day_fit").fetchall():
        pairs = zip((("DMY", "MDY"), ("DMY", "YMD"), ("MDY", "YMD")), counts[len(FORMATS) :], strict=True)
        differing = frozenset(frozenset(pair) for pair, count in pairs if count)
        fits.append(_Fit(name, said, dict(zip(FORMATS, counts, strict=False)), differing))
    return fits


def _fit_one(steps: Steps, day_format: str) -> list[_Fit]:
    rows = exp.column("rows", quoted=True)
    is_read = exp.Not(this=exp.Is(this=day_expression(exp.column("text"), day_format), expression=exp.null()))
    read = exp.Case().when(is_read, rows.copy()).else_(exp.Literal.number(0))
    query = exp.select("name", exp.Sum(this=rows), exp.Sum(this=read)).from_("said_text").group_by("name")
    try:
        found = steps.con.sql(sql_of(query)).fetchall()
    except duckdb.InvalidInputException as error:
        raise DatesDoNotFit(
            f"{day_format!r} is no pattern of days: {str(error).splitlines()[0]}",
            subject=day_format,
            remedy="Write it as strptime does, such as %d.%m.%Y.",
        ) from error
    return [_Fit(name, int(said), {day_format: int(count)}) for name, said, count in found]
