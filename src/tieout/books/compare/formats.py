"""Formats that the user prescribed, and the settling of columns that two formats read equally well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from tieout.books.compare.column_profile import Asked, Column, SideProfile
from tieout.books.compare.column_type import Reading
from tieout.books.compare.correspondence import Likenesses
from tieout.books.compare.settled import (
    InferOptions,
    Names,
    check_date_format,
    number_marks,
    split_amounts,
    split_format,
)
from tieout.books.compare.statements import rows_of
from tieout.books.compare.wording import count
from tieout.engine.parse import COUNTED_FORMATS, parse_expression
from tieout.engine.plan import ColumnType, Kind
from tieout.store.trees import call, cast, column, integer

_EXAMPLES = {
    (".", ""): "1234.56",
    (",", ""): "1234,56",
    (".", ","): "1,234.56",
    (",", "."): "1.234,56",
    (",", " "): "1 234,56",
    (".", " "): "1 234.56",
    (".", "'"): "1'234.56",
    (",", "'"): "1'234,56",
}
CLOSE_DAYS = 5


@dataclass(frozen=True)
class Verdict:
    """How an ambiguous column is read after all, how sure that is, and why."""

    type: ColumnType
    confidence: float
    evidence: str


def asked_formats(options: InferOptions, names: Names) -> Asked:
    """Return what the user prescribed about formats. Raises UnknownColumn and UnknownFormat."""
    types: dict[tuple[str, str], ColumnType] = {}
    orders: dict[tuple[str, str], str] = {}
    number: ColumnType | None = None
    pattern: ColumnType | None = None
    order = ""
    if options.number_format:
        form, places = split_format(options.number_format, names, "--number-format")
        wanted = ColumnType("number", *number_marks(form))
        types |= dict.fromkeys(places, wanted)
        number = None if places else wanted
    if options.date_format:
        form, places = split_format(options.date_format, names, "--date-format")
        form = check_date_format(form)
        if "%" not in form and form not in COUNTED_FORMATS:
            orders |= dict.fromkeys(places, form)
            order = "" if places else form
        else:
            wanted = ColumnType(_kind_of(form), date_format=form)
            types |= dict.fromkeys(places, wanted)
            pattern = None if places else wanted
    return Asked(types, orders, number, order, pattern, _asked_amounts(options, names))


def _asked_amounts(options: InferOptions, names: Names) -> frozenset[tuple[str, str]]:
    terms = split_amounts(options.amount, names) if options.amount else ((), ())
    return frozenset((side, term.column) for side, of in zip(("ours", "theirs"), terms, strict=True) for term in of)


def _kind_of(form: str) -> Kind:
    return "timestamp" if "%H" in form or "%I" in form or form.startswith("unix") else "date"


def shown(column_type: ColumnType) -> str:
    """Return a format as a person writes it."""
    if column_type.kind == "number":
        marks = (column_type.decimal_mark, column_type.group_mark)
        return _EXAMPLES.get(marks, f"decimals after {marks[0]!r}, groups by {marks[1]!r}")
    return column_type.date_format or ("ISO 8601" if column_type.kind in ("date", "timestamp") else column_type.kind)


def settle_rivals(
    con: duckdb.DuckDBPyConnection, c: Column, own: SideProfile, other: SideProfile, likenesses: Likenesses, pairs: int
) -> Verdict:
    """Decide between readings of a column that take the same number of values.

    Evidence, the strongest first: rows that are paired, values that the other side has too, other columns of the
    same file. Where none tells, the first reading stays, at low confidence.
    """
    if c.reading is None:
        return Verdict(c.type, 1.0, "")
    readings = [c.reading, *c.rivals]
    peers = _peers(c, other, likenesses)
    for is_paired in (True, False):
        if peers and (pairs >= 3 or not is_paired):
            counts = _counts(con, c, readings, peers, is_paired=is_paired)
            best, second = sorted(counts, reverse=True)[:2]
            if best >= 2 and best > 1.2 * second + 1:
                told = f"{count(best)} paired rows" if is_paired else f"{count(best)} values"
                how = "are as on the other side" if is_paired else "stand on the other side too"
                chosen = readings[counts.index(best)]
                return Verdict(chosen.type, 0.95 if is_paired else 0.9, f"read so, {told} {how}, else {count(second)}")
    for reading in readings:
        like = _siblings(c, own, reading)
        if like:
            return Verdict(reading.type, 0.85, f"column {like} of the same file can only be read so")
    if c.reading.type.kind != "number" and "." in c.reading.type.date_format and c.reading.order == "DMY":
        return Verdict(c.reading.type, 0.85, "dates with full stops are written day first")
    others = " or ".join(shown(reading.type) for reading in readings)
    return Verdict(c.reading.type, 0.5, f"every value can be read as {others}, and nothing else tells")


def _peers(c: Column, other: SideProfile, likenesses: Likenesses) -> list[Column]:
    """Return the columns of the other side that a column could be held against, likeliest names first."""
    same = [o for o in other.columns if o.parsed and (o.kind == "number") == (c.kind == "number") and o.kind != "text"]

    def likeness(o: Column) -> float:
        return likenesses[(c.no, o.no) if c.side == "ours" else (o.no, c.no)]

    return sorted(same, key=lambda o: (-likeness(o), o.name))[:3]


def _counts(
    con: duckdb.DuckDBPyConnection, c: Column, readings: Sequence[Reading], peers: Sequence[Column], *, is_paired: bool
) -> list[int]:
    """Return for each reading how much of it the other side confirms, by the column and reading that confirm most."""
    counts = [0] * len(readings)
    for peer in peers:
        peer_readings = [peer.reading or Reading(peer.type), *peer.rivals]
        for place, reading in enumerate(readings):
            for peer_reading in peer_readings:
                met = _met(con, c, reading, peer, peer_reading, is_paired=is_paired)
                counts[place] = max(counts[place], met)
    return counts


def _met(
    con: duckdb.DuckDBPyConnection, c: Column, reading: Reading, peer: Column, peer_reading: Reading, *, is_paired: bool
) -> int:
    mine, yours = _value(c, reading, "mine"), _value(peer, peer_reading, "yours")
    if is_paired:
        near: exp.Expression = exp.EQ(this=mine, expression=yours)
        if c.kind != "number":
            distance = call("abs", call("date_diff", exp.Literal.string("day"), mine.copy(), yours.copy()))
            near = exp.LTE(this=distance, expression=integer(CLOSE_DAYS))
        query = (
            exp.select(call("count_if", near))
            .from_(exp.to_table("infer_pair").as_("pair"))
            .join(_raw(c, "mine"), on=f"mine.row_no = pair.{c.side}_row")
            .join(_raw(peer, "yours"), on=f"yours.row_no = pair.{peer.side}_row")
        )
        return int(rows_of(con, query)[0][0] or 0)
    left = exp.select(exp.alias_(mine, "value")).distinct().from_(_raw(c, "mine")).subquery("l")
    right = exp.select(exp.alias_(yours, "value")).distinct().from_(_raw(peer, "yours")).subquery("r")
    query = exp.select(exp.Count(this=exp.Star())).from_(left).join(right, using=["value"])
    return int(rows_of(con, query)[0][0])


def _raw(c: Column, alias: str) -> exp.Expr:
    return exp.alias_(exp.to_table(f"infer_{c.side}_raw"), alias, table=True)


def _value(c: Column, reading: Reading, table: str) -> exp.Expression:
    is_decorated = c.look.numbers.is_decorated
    value = parse_expression(column(c.alias, table), reading.type, c.source_type, is_decorated=is_decorated)
    return value if reading.type.kind == "number" else cast(value, "DATE")


def _siblings(c: Column, own: SideProfile, reading: Reading) -> str:
    """Return a column of the same file whose format leaves no choice and is that of a reading; '' for none."""
    for other in sorted(own.columns, key=lambda o: o.name):
        if other.name == c.name or other.rivals or other.reading is None:
            continue
        if c.kind == "number" and other.kind == "number":
            is_marked = any(mark in shape.text for shape in other.look.shapes for mark in ".,")
            if is_marked and other.type.decimal_mark == reading.type.decimal_mark:
                return other.name
        if c.kind != "number" and other.reading.order == reading.order != "ISO":
            return other.name
    return ""
