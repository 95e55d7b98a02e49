"""What each column of a side holds: its type by the whole column, and the figures that later questions rest on.

A look at the shapes of some rows proposes readings; all rows decide, in a few queries a side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

import duckdb
from sqlglot import exp

from tieout.books.compare.column_type import TEXT, Look, Reading, choose, is_enough, look_at, propose
from tieout.books.compare.number_format import Shape
from tieout.books.compare.statements import create, rows_of, run_file, select, union
from tieout.engine.parse import (
    CURRENCY_CODES,
    FORMAT_SEPARATOR,
    NULL_TOKENS,
    has_offset,
    is_float,
    is_text,
    parse_expression,
)
from tieout.engine.plan import ColumnType
from tieout.store.trees import call, cast, column, integer, is_present, named, sql_of, string

SideName = Literal["ours", "theirs", "advice"]

LOOK_ROWS = 1_000
SPARSE_CELLS = 40
CLEARLY_UNIQUE = 0.97
FEW_ROWS = 5_000
"""Up to here every distinct value is kept and counted; above, an estimate says how many are worth keeping."""
_TOKENS = sorted({form for token in NULL_TOKENS for form in (token, token.upper(), token.capitalize())} | {"NaN"})
_LONGEST_TOKEN = max(len(token.encode()) for token in _TOKENS)


@dataclass(frozen=True)
class Asked:
    """The readings that are settled beforehand: for one (side, column), or for every column that could be read so.

    `amounts` are the (side, column) pairs that the user named as amounts: they hold numbers, in a format to be found.
    """

    types: Mapping[tuple[str, str], ColumnType] = field(default_factory=dict)
    orders: Mapping[tuple[str, str], str] = field(default_factory=dict)
    number: ColumnType | None = None
    order: str = ""
    pattern: ColumnType | None = None
    amounts: frozenset[tuple[str, str]] = frozenset()

    def is_forced(self, side: str, name: str) -> bool:
        return (side, name) in self.types

    def readings(self, side: str, name: str, proposed: Sequence[Reading]) -> tuple[Reading, ...]:
        """Return the readings to measure, of those that the shapes of a column propose."""
        if (side, name) in self.types:
            return (Reading(self.types[side, name]),)
        order = self.orders.get((side, name), self.order)
        if order == "YDM":
            proposed = [_day_before_month(reading) for reading in proposed]
        kept = [r for r in proposed if r.type.kind == "number" or not order or r.order in (order, "ISO")] or [*proposed]
        if self.number and any(r.type.kind == "number" for r in kept):
            kept = [*(r for r in kept if r.type.kind != "number"), Reading(self.number)]
        if self.pattern and any(r.type.kind in ("date", "timestamp") and r.order != "ISO" for r in kept):
            kept = [*(r for r in kept if r.type.kind == "number"), Reading(self.pattern)]
        return tuple(kept)


def _day_before_month(reading: Reading) -> Reading:
    """Return a reading of ISO dates with the day before the month, which nobody means who does not say so."""
    if reading.type != ColumnType("date"):
        return reading
    forms = FORMAT_SEPARATOR.join(("%Y-%d-%m", "%Y/%d/%m"))
    return Reading(ColumnType("date", date_format=forms), "YDM")


@dataclass(frozen=True)
class Column:
    """One column of a side.

    `no` is its place in the file from 1. `filled` counts values that are no null token, `parsed` those that the type
    takes. `rivals` are other readings that take as many, `measured` all that were counted. `distinct` is estimated
    where there are many rows. `copies` counts rows of the side that repeat another in every column.
    """

    side: SideName
    no: int
    name: str
    source_type: str
    rows: int
    type: ColumnType = TEXT
    filled: int = 0
    parsed: int = 0
    reading: Reading | None = None
    rivals: tuple[Reading, ...] = ()
    measured: tuple[Reading, ...] = ()
    look: Look = field(default_factory=Look, repr=False)
    distinct: int = 0
    low: Any = None
    high: Any = None
    negatives: int = 0
    zeros: int = 0
    is_whole: bool = False
    max_length: int = 0
    copies: int = 0

    @property
    def alias(self) -> str:
        return f"c{self.no}"

    @property
    def kind(self) -> str:
        return self.type.kind

    @property
    def filled_share(self) -> float:
        return self.filled / self.rows if self.rows else 0.0

    @property
    def uniqueness(self) -> float:
        """The share of values that are no other's, exact copies of rows set aside."""
        own = max(self.distinct, self.filled - self.copies * self.filled_share)
        return self.distinct / own if own else 0.0

    @property
    def is_currency(self) -> bool:
        """Whether the column holds currency codes, at least nearly all of them."""
        known = sum(shape.rows for shape in self.look.shapes if shape.text.strip().upper() in CURRENCY_CODES)
        return self.kind == "text" and self.look.total > 0 and known >= 0.9 * self.look.total

    @property
    def is_free_text(self) -> bool:
        """Whether the column holds words for people to read rather than codes."""
        return self.kind == "text" and self.look.mean_words >= 1.5 and self.look.mean_length >= 8

    @property
    def is_digits(self) -> bool:
        """Whether the column is text of digits only, or whole numbers of the file's own type."""
        return self.look.is_digits if is_text(self.source_type) else self.kind == "text" or self.is_whole


@dataclass(frozen=True)
class SideProfile:
    """A side: its columns in file order, and how many rows they were told from."""

    side: SideName
    name: str
    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def replaced(self, changed: Mapping[str, Column]) -> SideProfile:
        return replace(self, columns=tuple(changed.get(column.name, column) for column in self.columns))


def profile_side(
    con: duckdb.DuckDBPyConnection,
    side: SideName,
    relation: str,
    types: Mapping[str, str],
    asked: Asked,
) -> tuple[Column, ...]:
    """Decide the type of every column of a relation and keep its rows as values.

    `types` maps each column to DuckDB's type of it.
    Leaves `infer_<side>_raw` (as received, columns c1, c2, … and row_no) and `infer_<side>` (the values of the
    columns that are not text, in the same order of rows).
    """
    rows = _take_rows(con, side, relation, types)
    columns = [Column(side, no, name, kind, rows) for no, (name, kind) in enumerate(types.items(), start=1)]
    columns = _looked_at(con, columns, types)
    readings = {c.no: _proposed(c, asked) for c in columns}
    columns = _decided(con, columns, readings)
    missed = [c for c in columns if c.reading and c.parsed < c.filled and is_text(c.source_type)]
    extended = _looked_again(con, [c for c in missed if not asked.is_forced(side, c.name)], readings, asked)
    if extended:
        columns = [replace(c, look=extended.get(c.no, c).look) for c in columns]
        readings |= {c.no: _proposed(c, asked) for c in extended.values()}
        columns = _decided(con, columns, readings)
    return tuple(c if asked.is_forced(side, c.name) else _settled(c, asked) for c in columns)


def set_copies_aside(con: duckdb.DuckDBPyConnection, side: SideProfile) -> SideProfile:
    """Keep the numbers of the rows that repeat an earlier one in every column, and count them on every column.

    They are duplicates to be found and say nothing about which column identifies a row. Where a column does, there
    is nothing to look for.
    """
    row_hash = call("hash", *[column(c.alias) for c in sorted(side.columns, key=lambda c: c.name)])
    hashed = exp.select("row_no", exp.alias_(row_hash, "row_hash")).from_(f"infer_{side.side}_raw")
    is_clear = any(c.distinct >= CLEARLY_UNIQUE * c.rows for c in side.columns)
    first = exp.select(exp.alias_(call("min", exp.column("row_no")), "row_no")).from_(hashed.subquery("hashed"))
    every = exp.select(exp.column("row_no", table="raw")).from_(exp.to_table(f"infer_{side.side}_raw").as_("raw"))
    copies = every.join(first.group_by("row_hash").subquery("first"), using=["row_no"], join_type="anti")
    create(con, f"infer_{side.side}_copies", copies if not is_clear else every.where(exp.false()))
    number = int(con.sql(f"select count(*) from infer_{side.side}_copies").fetchall()[0][0])
    return side.replaced({c.name: replace(c, copies=number) for c in side.columns}) if number else side


def _proposed(c: Column, asked: Asked) -> tuple[Reading, ...]:
    """Return the readings of a column that its look and the user leave open."""
    is_amount = (c.side, c.name) in asked.amounts
    return asked.readings(c.side, c.name, propose(c.name, c.source_type, c.look, is_amount=is_amount))


def value_of(c: Column) -> exp.Expression:
    """Return the expression of a column's value over the raw rows."""
    if c.kind == "text" and is_text(c.source_type) and not c.look.padded:
        return column(c.alias)
    return parse_expression(column(c.alias), c.type, c.source_type, is_decorated=c.look.numbers.is_decorated)


def table_of(c: Column) -> str:
    """Return the relation that has the value of a column: text stays where it was received."""
    return f"infer_{c.side}_raw" if c.kind == "text" else f"infer_{c.side}"


def kept_value(c: Column) -> exp.Expression:
    """Return the expression of a column's value over `table_of` it."""
    return value_of(c) if c.kind == "text" else column(c.alias)


def _take_rows(con: duckdb.DuckDBPyConnection, side: SideName, relation: str, types: Mapping[str, str]) -> int:
    """Give the columns short names and each row a number. What is no table yet is copied, so that it is read once."""
    is_table = (
        con.execute("select count(*) from duckdb_tables() where table_name = ?", [relation]).fetchall()[0][0] == 1
    )
    source = exp.Table(this=exp.to_identifier(relation, quoted=True))
    if not is_table or "rowid" in {name.lower() for name in types}:
        aliased = [exp.alias_(column(name), f"c{no}") for no, name in enumerate(types, start=1)]
        create(con, f"infer_{side}_copy", exp.select(*aliased).from_(source))
        aliased = [exp.column(f"c{no}") for no in range(1, len(types) + 1)]
        source = exp.to_table(f"infer_{side}_copy")
    else:
        aliased = [exp.alias_(column(name), f"c{no}") for no, name in enumerate(types, start=1)]
    query = exp.select(*aliased, exp.alias_(exp.column("rowid"), "row_no")).from_(source)
    con.execute(f"create or replace temp view infer_{side}_raw as {sql_of(query)}")
    return int(con.sql(f"select count(*) from infer_{side}_raw").fetchall()[0][0])


def _looked_at(con: duckdb.DuckDBPyConnection, columns: Sequence[Column], types: Mapping[str, str]) -> list[Column]:
    """Look at some rows that their content picks, so that neither the order of rows nor of columns matters."""
    text = [c for c in columns if is_text(c.source_type)]
    if not text or not text[0].rows:
        return list(columns)
    side, rows = text[0].side, text[0].rows
    by_name = {c.name: c for c in columns}
    row_hash = call("hash", *[column(by_name[name].alias) for name in sorted(types)])
    head = exp.select(*[column(c.alias) for c in text], exp.alias_(row_hash, "row_hash")).from_(f"infer_{side}_raw")
    if rows > LOOK_ROWS:
        limit = exp.Literal.number(2**64 * LOOK_ROWS // rows)
        head = head.where(exp.LT(this=row_hash.copy(), expression=limit))
    create(con, "infer_head", head)
    counts = [call("count", column(c.alias)) for c in text]
    seen = rows_of(con, exp.select(*counts).from_("infer_head"))[0]
    there = rows_of(con, exp.select(*counts).from_(f"infer_{side}_raw"))[0]
    cells: list[exp.Select] = []
    for c, few, all_ in zip(text, seen, there, strict=True):
        is_sparse = few < SPARSE_CELLS and few < all_
        source = _cells(c, f"infer_{side}_raw" if is_sparse else "infer_head").where(is_present(column(c.alias)))
        if is_sparse:
            order = call("hash", *[column(by_name[name].alias) for name in sorted(types)])
            source = exp.select("*").from_(source.order_by(order).limit(LOOK_ROWS // 4).subquery("cell"))
        cells.append(source)
    looks = _looks(con, cells)
    return [replace(c, look=looks.get(c.no, c.look)) for c in columns]


def _cells(c: Column, table: str) -> exp.Select:
    return select(table, named(integer(c.no), "column_no"), named(column(c.alias), "value"))


def _looks(con: duckdb.DuckDBPyConnection, cells: Sequence[exp.Select]) -> dict[int, Look]:
    create(con, "infer_cell", union(cells))
    shapes: dict[int, list[Shape]] = {}
    counts: dict[int, tuple[int, int, int]] = {}
    for no, shape, rows, zero_led, padded, total in run_file(con, "shape"):
        shapes.setdefault(no, []).append(Shape(shape, rows))
        _, so_far, padded_so_far = counts.get(no, (0, 0, 0))
        counts[no] = (total, so_far + zero_led, padded_so_far + padded)
    return {no: look_at(found, *counts[no]) for no, found in shapes.items()}


def _looked_again(
    con: duckdb.DuckDBPyConnection,
    missed: Sequence[Column],
    readings: Mapping[int, Sequence[Reading]],
    asked: Asked,
) -> dict[int, Column]:
    """Look at the values that a reading did not take; return the columns for which that brings other readings."""
    if not missed:
        return {}
    cells = []
    for c in missed:
        unread = exp.Is(this=parse_expression(column(c.alias), c.type, c.source_type), expression=exp.null())
        cells.append(_cells(c, f"infer_{c.side}_raw").where(unread, is_present(column(c.alias))))
    unread_looks = _looks(con, cells)
    extended: dict[int, Column] = {}
    for c in missed:
        known = {shape.text for shape in c.look.shapes}
        unread_shapes = unread_looks[c.no].shapes if c.no in unread_looks else ()
        rare = [Shape(shape.text, 1) for shape in unread_shapes if shape.text not in known]
        look = look_at([*c.look.shapes, *rare], c.look.total + len(rare), c.look.zero_led, c.look.padded)
        wider = replace(c, look=look)
        is_new = {reading.type for reading in _proposed(wider, asked)} - {reading.type for reading in readings[c.no]}
        if rare and (is_new or look.numbers.is_decorated > c.look.numbers.is_decorated):
            extended[c.no] = wider
    return extended


def _decided(
    con: duckdb.DuckDBPyConnection, columns: Sequence[Column], readings: Mapping[int, Sequence[Reading]]
) -> list[Column]:
    """Choose between the readings of each column by all its rows; keep and count the values of those chosen."""
    if not columns:
        return []
    contested = [c for c in columns if len(readings[c.no]) > 1]
    measured = _measured(con, contested, readings) if contested else {}
    decided = []
    for c in columns:
        filled, counted = measured.get(c.no, (0, readings[c.no]))
        chosen, rivals = (
            choose(c.name, counted, filled, c.look) if c.no in measured else (next(iter(counted), None), ())
        )
        found = tuple(counted) if c.no in measured else ()
        decided.append(replace(c, type=chosen.type if chosen else TEXT, reading=chosen, rivals=rivals, measured=found))
    values = [exp.alias_(value_of(c), c.alias) for c in decided if c.kind != "text"]
    side = columns[0].side
    create(con, f"infer_{side}", exp.select(*values, "row_no").from_(f"infer_{side}_raw"))
    return _figured(con, decided)


def _measured(
    con: duckdb.DuckDBPyConnection, columns: Sequence[Column], readings: Mapping[int, Sequence[Reading]]
) -> dict[int, tuple[int, list[Reading]]]:
    """Count on all rows what each reading of each column takes, and the days it spans, in one query."""
    wanted: list[exp.Expression] = []
    for c in columns:
        wanted.append(_filled(c))
        for reading in readings[c.no]:
            is_decorated = c.look.numbers.is_decorated
            value = parse_expression(column(c.alias), reading.type, c.source_type, is_decorated=is_decorated)
            wanted.append(call("count", value))
            if reading.type.kind != "number":
                day = cast(value.copy(), "DATE")
                wanted += [call("min", day), call("max", day.copy())]
    row = iter(_one_row(con, f"infer_{columns[0].side}_raw", wanted))
    measured: dict[int, tuple[int, list[Reading]]] = {}
    for c in columns:
        filled = int(next(row) or 0)
        found: list[Reading] = []
        for reading in readings[c.no]:
            counted = replace(reading, parsed=int(next(row)))
            found.append(counted if reading.type.kind == "number" else replace(counted, low=next(row), high=next(row)))
        measured[c.no] = filled, found
    return measured


def _one_row(con: duckdb.DuckDBPyConnection, table: str, wanted: Sequence[exp.Expression]) -> tuple[Any, ...]:
    return rows_of(con, select(table, *[named(value, f"v{i}") for i, value in enumerate(wanted)]))[0]


def _filled(c: Column) -> exp.Expression:
    """Return the count of values that do not say "no value"."""
    value = column(c.alias)
    if is_float(c.source_type):
        return call("count_if", exp.Not(this=call("isnan", value)))
    if not is_text(c.source_type):
        return call("count", value)
    is_long = exp.GT(this=call("strlen", value), expression=integer(_LONGEST_TOKEN))
    is_token = exp.In(this=value.copy(), expressions=[string(token) for token in _TOKENS])
    return call("count_if", exp.Case().when(is_long, exp.true()).else_(exp.Not(this=is_token)))


def _figured(con: duckdb.DuckDBPyConnection, columns: Sequence[Column]) -> list[Column]:
    """Add what the values of each column are like: one query over the raw rows, one over the values."""
    side, is_exact = columns[0].side, columns[0].rows <= FEW_ROWS
    received: list[exp.Expression] = []
    values: list[exp.Expression] = [integer(0)]
    for c in columns:
        received.append(_filled(c))
        if c.kind == "text":
            length = call("strlen", value_of(c)) if is_text(c.source_type) else integer(0)
            received += [_distinct(value_of(c), is_exact=is_exact), call("max", length)]
        else:
            values += _value_figures(c, is_exact=is_exact)
    raw = iter(_one_row(con, f"infer_{side}_raw", received))
    typed = iter(_one_row(con, f"infer_{side}", values)[1:])
    return [_with_figures(c, raw, typed) for c in columns]


def _distinct(value: exp.Expression, *, is_exact: bool) -> exp.Expression:
    """Return an estimate of distinct values; of few rows they are counted later, so that their number will do."""
    return call("count" if is_exact else "approx_count_distinct", value)


def _value_figures(c: Column, *, is_exact: bool) -> list[exp.Expression]:
    value, zero = column(c.alias), integer(0)
    figures = [call("count", value), _distinct(value.copy(), is_exact=is_exact), call("min", value.copy())]
    figures.append(call("max", value.copy()))
    if c.kind == "number":
        part = exp.Mod(this=value.copy(), expression=integer(1))
        figures += [
            call("count_if", exp.LT(this=value.copy(), expression=zero)),
            call("count_if", exp.EQ(this=value.copy(), expression=zero.copy())),
            call("count_if", exp.NEQ(this=part, expression=zero.copy())),
        ]
    elif c.kind == "timestamp":
        midnight = call("date_trunc", string("day"), value.copy())
        figures.append(call("count_if", exp.NEQ(this=value.copy(), expression=midnight)))
    return figures


def _with_figures(c: Column, raw: Iterator[Any], typed: Iterator[Any]) -> Column:
    filled = int(next(raw) or 0)
    if c.kind == "text":
        return replace(c, filled=filled, parsed=filled, distinct=min(int(next(raw)), filled), max_length=next(raw) or 0)
    parsed, distinct, low, high = int(next(typed)), int(next(typed)), next(typed), next(typed)
    c = replace(c, filled=filled, parsed=parsed, distinct=min(distinct, parsed), low=low, high=high)
    if c.kind == "number":
        negatives, zeros, broken = (int(next(typed) or 0) for _ in range(3))
        return replace(c, negatives=negatives, zeros=zeros, is_whole=parsed > 0 and not broken)
    if c.kind == "timestamp" and not int(next(typed) or 0) and parsed and not has_offset(c.source_type):
        c = replace(c, type=replace(c.type, kind="date"))
    first, last = (value if type(value) is date else value.date() if value else None for value in (low, high))
    reading = replace(c.reading or Reading(c.type), parsed=parsed, low=first, high=last)
    return replace(c, low=first, high=last, reading=reading)


def _settled(c: Column, asked: Asked) -> Column:
    """Take a column back to text when too few of its values are of the type that it seemed to have."""
    if c.kind == "text" or not is_text(c.source_type):
        return c
    reading = replace(c.reading or Reading(c.type), parsed=c.parsed)
    if is_enough(c.name, reading, c.filled, c.look, is_amount=(c.side, c.name) in asked.amounts):
        return replace(c, reading=reading)
    shortened = max((len(shape.text) for shape in c.look.shapes), default=0)
    return replace(c, type=TEXT, reading=None, rivals=(), parsed=c.filled, max_length=shortened, low=None, high=None)
