"""Bring the rows of both inputs under the engine: typed, numbered in file order, bad ones set apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.core.money import MAX_MICROS, format_micros
from tieout.engine.parse import NOT_A_NUMBER, TOO_LARGE, refusal_code_expression
from tieout.engine.plan import ColumnType, SidePlan
from tieout.engine.projection import (
    MAY_BE_LARGE,
    REJECTED,
    Reading,
    as_received,
    fit_questions,
    has_refusals,
    is_plainly_read,
    is_text_source,
    read_columns,
    rows_projection,
)
from tieout.intake.csv_bare_row import assert_no_bare_row
from tieout.intake.csv_dialect import duckdb_arguments
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Check, Records
from tieout.store.relations import RelationForm, replace_relation
from tieout.store.trees import column, sql_of

SideName = Literal["ours", "theirs", "advice"]
"""The two sides of a leg, and the advice that tells which row of theirs goes with which of ours."""
SIDES: tuple[SideName, ...] = ("ours", "theirs")

Locate = Callable[[list[int]], dict[int, tuple[int, str]]]
"""Finds physical line and raw text of rows of a plain CSV, by their numbers from 1."""

# What DuckDB raises for a CSV that is not plain after all; a line beyond its buffer is not implemented to it.
NOT_PLAIN = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.NotImplementedException)


class ColumnGone(TieoutError):
    """A plan names a column that the file does not have."""

    code = "column_gone"


class LayoutDiffers(TieoutError):
    """Files of one side have a column in types that cannot be one column."""

    code = "layout_differs"


class FastReadFailed(Exception):
    """DuckDB refused a file that looked plain; `side` is ours or theirs."""

    def __init__(self, side: SideName, reason: str) -> None:
        super().__init__(reason)
        self.side: SideName = side


@dataclass(frozen=True)
class Input:
    """One side's received file and how to read it. `byte_count` is the size as received.

    `more` are the files that came after it (`tieout compare --after`); the rows of all are numbered on through them.
    """

    name: str
    artifact_id: str
    byte_count: int
    source: Direct | Records
    locate: Locate = lambda _: {}
    more: tuple[Input, ...] = ()

    @property
    def parts(self) -> tuple[Input, ...]:
        """The files of the side, in order."""
        return (self, *self.more)

    @property
    def whole(self) -> Source:
        """What the engine reads: the file, or all of them one after another."""
        return Parts(tuple(part.source for part in self.parts)) if self.more else self.source

    @property
    def called(self) -> str:
        """The name for people."""
        return f"{self.name} and {len(self.more)} more" if self.more else self.name

    @property
    def checks(self) -> tuple[tuple[str, Check], ...]:
        """What the files claim about themselves, each with the name of its file."""
        return tuple((part.name, check) for part in self.parts for check in _checks_of(part.source))


@dataclass(frozen=True)
class Parts:
    """Several files that are one side, one after another."""

    sources: tuple[Direct | Records, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all are plain CSV, whose rows DuckDB numbers as it stores them."""
        return all(isinstance(source, Direct) and source.format == "csv" for source in self.sources)


Source = Direct | Records | Parts


def _checks_of(source: Direct | Records) -> tuple[Check, ...]:
    return source.checks if isinstance(source, Records) else ()


@dataclass(frozen=True)
class Loaded:
    """A side under the engine: `rows` is the relation of typed rows, `row_no` the column that numbers them.

    `row_no` is bare, so that a join on it can skip what it does not need; plus `offset` it is the number from 1.

    `row_count` counts data records, refused ones included; `refused` counts those whose text is no value and
    `taken` those that became entries. With `is_ref_bare` every reference is spelt as it must be.
    """

    side: SideName
    rows: str
    row_no: exp.Column
    offset: int
    types: dict[str, str]
    row_count: int
    refused: int
    taken: int
    has_lines: bool
    is_ref_bare: bool = False


FILE_ROW_NUMBER = "file_row_number"
"""The column of row numbers from 0 that DuckDB adds to a Parquet file; intake gives no column of a file this name."""


def source_relation(source: Direct | Records) -> exp.Expr:
    """Return the table function that reads a source as it was received."""
    if isinstance(source, Records):
        return _call("read_parquet", str(source.rows), {})
    if source.format == "parquet":
        return _call("read_parquet", str(source.path), {FILE_ROW_NUMBER: True})
    if source.dialect is None:
        raise TieoutError(f"{source.path} has no dialect.", subject=str(source.path))
    return _call("read_csv", str(source.path), duckdb_arguments(source.dialect))


def _call(function: str, path: str, arguments: dict[str, object]) -> exp.Expr:
    named = [exp.EQ(this=exp.column(name), expression=_argument(value)) for name, value in arguments.items()]
    return exp.Anonymous(this=function, expressions=[exp.Literal.string(path), *named])


def _argument(value: object) -> exp.Expr:
    """Return an argument of a table function; the columns of read_csv are a struct of name to type."""
    if not isinstance(value, dict):
        return exp.convert(value)
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=exp.Literal.string(kind))
        for name, kind in value.items()
    ]
    return exp.Struct(expressions=fields)


def source_types(con: duckdb.DuckDBPyConnection, source: Direct | Records) -> dict[str, str]:
    """Return the file's own columns with DuckDB's type of each, in file order."""
    if isinstance(source, Direct) and source.format == "csv":
        return dict.fromkeys(source.columns, "VARCHAR")
    query = exp.select("*").from_(source_relation(source)).limit(0)
    relation = con.sql(sql_of(query))
    types = dict(zip(relation.columns, [str(kind) for kind in relation.types], strict=True))
    return {name: kind for name, kind in types.items() if name not in (ROW_NO, LINE, FILE_ROW_NUMBER)}


def load(
    con: duckdb.DuckDBPyConnection,
    side: SideName,
    source: Source,
    plan: SidePlan,
    compared: list[str],
    types: dict[str, str],
    *,
    as_typed: frozenset[str] = frozenset(),
    is_loaded: bool = False,
) -> Loaded:
    """Load one side, whose columns have `types` (see `types_of`); those in `as_typed` keep them.

    With `is_loaded` a checkpoint has brought its table back already. Raises FastReadFailed when a plain CSV turns out
    not to be plain.
    """
    is_csv = _is_csv(source)
    is_records = isinstance(source, (Records, Parts)) and not is_csv
    number = exp.column("rowid") if is_csv else column(ROW_NO if is_records else FILE_ROW_NUMBER)
    extra = [] if is_csv else [ROW_NO, LINE] if is_records else [FILE_ROW_NUMBER]
    if is_csv and _hides_rowid(types):
        number, extra = column(FILE_ROW_NUMBER), [FILE_ROW_NUMBER]
    offset = 0 if is_records else 1
    try:
        counted = _make_rows(con, side, source, types, plan, compared, extra, as_typed=as_typed, is_loaded=is_loaded)
        for part in parts_of(source):
            assert_no_bare_row(con, exp.to_table(f"{side}_rows"), part, list(plan.columns))
    except NOT_PLAIN as error:
        if any(_is_csv(part) for part in parts_of(source)):
            raise FastReadFailed(side, str(error)) from error
        raise
    refused_before = sum(part.rejected_count for part in parts_of(source) if isinstance(part, Records))
    return Loaded(
        side=side,
        rows=f"{side}_rows",
        row_no=number,
        offset=offset,
        types=types,
        row_count=counted.rows + refused_before,
        refused=counted.refused,
        taken=counted.rows - counted.refused,
        has_lines=is_records,
    )


def parts_of(source: Source) -> tuple[Direct | Records, ...]:
    """Return the files of a source, in order."""
    return source.sources if isinstance(source, Parts) else (source,)


def _is_csv(source: Source) -> bool:
    return source.is_plain if isinstance(source, Parts) else isinstance(source, Direct) and source.format == "csv"


def types_of(con: duckdb.DuckDBPyConnection, side: SideName, source: Source, plan: SidePlan) -> dict[str, str]:
    """Return DuckDB's type of each column, of several files those that the plan names; each file must have these.

    Raises ColumnGone for a stale plan, and LayoutDiffers.
    """
    found = [source_types(con, part) for part in parts_of(source)]
    for position, types in enumerate(found, start=1):
        for name in plan.columns:
            if name not in types:
                which = f"the file of {side}" if len(found) == 1 else f"file {position} of {side}"
                raise ColumnGone(
                    f"The plan names column {name!r}, which {which} does not have.",
                    subject=name,
                    remedy=f"It has: {', '.join(types)}. Infer a new plan, or give the file that the plan was made"
                    " for.",
                )
    if len(found) == 1:
        return found[0]
    return {name: _common_type(name, plan, [types[name] for types in found]) for name in plan.columns}


def _common_type(name: str, plan: SidePlan, types: Sequence[str]) -> str:
    """Return the one type of a column of several files. Text beside typed values is one column only as text."""
    if len(set(types)) == 1:
        return types[0]
    if plan.columns[name].kind == "text":
        return "VARCHAR"
    raise LayoutDiffers(
        f"Column {name!r} is {types[0]} in the first file and {next(kind for kind in types if kind != types[0])} in"
        " another.",
        subject=name,
        remedy="Give the new file in the format of the first, or compare all rows again without --after.",
    )


def part_starts(con: duckdb.DuckDBPyConnection, sources: Sequence[Direct | Records]) -> list[int]:
    """Return for each file how many rows stand before it, those that its reader refused included."""
    starts = [0]
    for source in sources[:-1]:
        refused = source.rejected_count if isinstance(source, Records) else 0
        starts.append(starts[-1] + _counted(con, source) + refused)
    return starts


def _counted(con: duckdb.DuckDBPyConnection, source: Direct | Records) -> int:
    if source.row_count is not None:
        return source.row_count
    return int(con.sql(sql_of(exp.select("count(*)").from_(source_relation(source)))).fetchall()[0][0])


def _hides_rowid(types: dict[str, str]) -> bool:
    """Say whether a column is called as the number that DuckDB gives each row of a table, which it then hides."""
    return "rowid" in {name.lower() for name in types}


def _numbered_relation(
    con: duckdb.DuckDBPyConnection, source: Source, types: dict[str, str], extra: list[str]
) -> exp.Expr:
    """Return the source with the columns of `extra`; a CSV has no row numbers of its own."""
    relation = parts_relation(con, source, types) if isinstance(source, Parts) else source_relation(source)
    if not _is_csv(source) or not extra:
        return relation
    number = exp.Sub(this=exp.Window(this=exp.func("row_number")), expression=exp.Literal.number(1))
    return exp.select(exp.alias_(number, FILE_ROW_NUMBER, quoted=True), "*").from_(relation).subquery("s")


def parts_relation(con: duckdb.DuckDBPyConnection, source: Parts, types: dict[str, str]) -> exp.Expr:
    """Return the rows of several files one after another, with the columns of `types`.

    Unless all are plain CSV each row has its number (from 1, through all files) and its line, null where only the file
    tells.
    """
    starts = [0] * len(source.sources) if source.is_plain else part_starts(con, source.sources)
    queries = []
    for part, start in zip(source.sources, starts, strict=True):
        own = source_types(con, part)
        cells = [
            column(name) if own[name] == kind else exp.alias_(as_received(name, own[name]), name, quoted=True)
            for name, kind in types.items()
        ]
        numbers = [] if source.is_plain else _numbers_of(part, start)
        queries.append(exp.select(*numbers, *cells).from_(source_relation(part)))
    # Rows of a union of this kind come in the order of the files.
    return exp.union(*queries, distinct=False).subquery("s") if len(queries) > 1 else queries[0].subquery("s")


def as_text(con: duckdb.DuckDBPyConnection, source: Direct | Records, columns: Sequence[str]) -> exp.Select:
    """Return the query of some columns of a file as the text that each value has, in file order."""
    types = source_types(con, source)
    cells = [exp.alias_(as_received(name, types[name]), name, quoted=True) for name in columns]
    return exp.select(*cells).from_(source_relation(source))


def _numbers_of(source: Direct | Records, start: int) -> list[exp.Expr]:
    """Return number and line of each row of a file that begins after `start` others."""
    number: exp.Expr
    line: exp.Expr = exp.Cast(this=exp.null(), to=exp.DataType.build("BIGINT"))
    if isinstance(source, Records):
        number, line, shift = column(ROW_NO), column(LINE), start
    elif source.format == "parquet":
        number, shift = column(FILE_ROW_NUMBER), start + 1
    else:
        number, shift = exp.Window(this=exp.func("row_number")), start
    number = exp.Add(this=number, expression=exp.Literal.number(shift))
    return [exp.alias_(number, ROW_NO, quoted=True), exp.alias_(line, LINE, quoted=True)]


@dataclass(frozen=True)
class _Count:
    """The rows of a side; `maybe_large` of the refused ones may hold a number when it is read at its full width."""

    rows: int
    refused: int = 0
    maybe_large: int = 0


def _make_rows(
    con: duckdb.DuckDBPyConnection,
    side: SideName,
    source: Source,
    types: dict[str, str],
    plan: SidePlan,
    compared: list[str],
    extra: list[str],
    *,
    as_typed: frozenset[str],
    is_loaded: bool,
) -> _Count:
    """Make the relation of typed rows.

    It is read strictly, quickly where that stops, with care where that refuses, then wide where numbers ask for it.
    """
    is_csv = _is_csv(source)
    relation = _numbered_relation(con, source, types, extra)
    wide = _wide_columns(con, relation, types, plan, compared)
    read = read_columns(plan, compared)
    text_numbers = {name for name in read if is_text_source(types[name]) and plan.columns[name].kind == "number"}
    form: RelationForm = "table" if is_csv or any(is_text_source(types[name]) for name in read) else "view"
    can_refuse = has_refusals(plan, types, compared, wide)
    if is_loaded and form == "table":
        return _count(con, side, can_refuse=REJECTED in con.table(f"{side}_rows").columns)
    quick = Reading(is_quick=True, wide=wide, as_typed=as_typed)
    slow = replace(quick, is_quick=False)
    readings = [quick, slow, replace(slow, wide=wide | text_numbers)]
    if form == "table" and is_plainly_read(plan, types, compared, wide):
        query = rows_projection(relation, types, plan, compared, extra, replace(quick, is_strict=True))
        with suppress(*NOT_PLAIN):
            replace_relation(con, form, f"{side}_rows", sql_of(query))
            return _count(con, side, can_refuse=False)
    for reading in readings:
        query = rows_projection(relation, types, plan, compared, extra, reading)
        replace_relation(con, form, f"{side}_rows", sql_of(query))
        counted = _count(con, side, can_refuse=can_refuse)
        is_done = counted.refused == 0 if reading.is_quick else counted.maybe_large == 0
        if is_done or form == "view":
            break
    return counted


def _wide_columns(
    con: duckdb.DuckDBPyConnection,
    relation: exp.Expr,
    types: dict[str, str],
    plan: SidePlan,
    compared: list[str],
) -> frozenset[str]:
    wide: set[str] = set()
    for names, query in fit_questions(relation, types, plan, compared):
        answers = con.sql(sql_of(query)).fetchall()[0]
        wide |= {name for name, is_beyond in zip(names, answers, strict=True) if is_beyond}
    return frozenset(wide)


def _count(con: duckdb.DuckDBPyConnection, side: SideName, *, can_refuse: bool) -> _Count:
    if not can_refuse:
        return _Count(int(con.sql(f"select count(*) from {side}_rows").fetchall()[0][0]))
    row = con.sql(
        f'select count(*), count(*) filter ("{REJECTED}" > 0), count(*) filter ("{REJECTED}" > {MAY_BE_LARGE})'
        f" from {side}_rows"
    ).fetchall()[0]
    return _Count(*map(int, row))


def sample_relation(con: duckdb.DuckDBPyConnection, name: str, source: Direct | Records, limit: int | None) -> None:
    """Make a table `name` of the first `limit` rows of a source (all with None), as received, without row numbers.

    Raises FastReadFailed when a plain CSV turns out not to be plain.
    """
    columns = list(source_types(con, source))
    query = exp.select(*map(column, columns)).from_(source_relation(source))
    if limit is not None:
        query = query.limit(limit)
    side: SideName = "ours" if name.startswith("ours") else "theirs"
    try:
        replace_relation(con, "table", name, sql_of(query))
        assert_no_bare_row(con, exp.to_table(name), source, columns)
    except NOT_PLAIN as error:
        raise FastReadFailed(side, str(error)) from error


def count_rows(con: duckdb.DuckDBPyConnection, source: Direct | Records) -> int:
    """Return how many rows a source has. Raises FastReadFailed when a plain CSV turns out not to be plain."""
    try:
        return _counted(con, source)
    except NOT_PLAIN as error:
        raise FastReadFailed("ours", str(error)) from error


def refused_by_column(con: duckdb.DuckDBPyConnection, loaded: Loaded, plan: SidePlan) -> dict[str, int]:
    """Return how many rows each column refused."""
    names = list(plan.columns)
    counts = con.sql(
        f'select "{REJECTED}", count(*) from {loaded.rows} where "{REJECTED}" > 0 group by all order by all'
    ).fetchall()
    return {names[position - 1]: count for position, count in counts}


def refused_rows(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, given: Input, plan: SidePlan
) -> list[tuple[str, int, int | None, str, str, str, str]]:
    """Return (file, row_no, line, column, reason_code, reason, raw) for each row that the typing refused.

    Physical line and raw text of rows of a plain CSV, which the fast way does not keep, are found in the file.
    """
    if not loaded.refused:
        return []
    names = list(plan.columns)
    line = f'"{LINE}"' if loaded.has_lines else "null"
    rows = con.sql(
        f'select {sql_of(loaded.row_no)} + {loaded.offset} as n, {line}, "{REJECTED}" from {loaded.rows}'
        f' where "{REJECTED}" > 0 order by n'
    ).fetchall()
    numbers = [n for n, _, _ in rows]
    refusing = sorted({names[position - 1] for _, _, position in rows})
    codes = {name: _code_of(name, plan, loaded) for name in refusing}
    raw = _raw_values(con, given.whole, loaded.types, numbers, codes)
    found = places_of(con, given, [n for n, line, _ in rows if line is None])
    file_of = _file_of(con, given)
    result = []
    for number, at_line, position in rows:
        name = names[position - 1]
        values, reasons = raw.get(number, ({}, {}))
        code = reasons.get(name, f"bad_{plan.columns[name].kind}")
        said = _REASONS.get(code, f"is not a {plan.columns[name].kind} that the plan's format can read or that fits")
        physical, text = found.get(number, (at_line, ""))
        told = f"{name}: {_shown(values.get(name))} {said}"
        result.append((file_of(number), number, physical, name, code, told, text or str(values)[:1000]))
    return result


def _file_of(con: duckdb.DuckDBPyConnection, given: Input) -> Callable[[int], str]:
    """Return what finds the name of the file that a row of the side stands in."""
    starts = part_starts(con, [part.source for part in given.parts])
    return lambda number: given.parts[bisect_left(starts, number) - 1].name


def places_of(con: duckdb.DuckDBPyConnection, given: Input, numbers: list[int]) -> dict[int, tuple[int, str]]:
    """Return physical line and raw text of rows, by their numbers through the files of the side, where a file tells."""
    if not numbers:
        return {}
    starts = part_starts(con, [part.source for part in given.parts])
    found: dict[int, tuple[int, str]] = {}
    for part, start, end in zip(given.parts, starts, [*starts[1:], None], strict=True):
        own = [number - start for number in numbers if number > start and (end is None or number <= end)]
        found |= {number + start: place for number, place in part.locate(own).items()} if own else {}
    return found


_REASONS = {
    TOO_LARGE: f"is too large: an amount, a quantity or a fee reaches {format_micros(MAX_MICROS)}"
    " (an amount in the plan's unit and currency), a rate 9.2 billion and any other number 32 digits",
    NOT_A_NUMBER: "is not a finite number",
}


def _shown(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def _code_of(name: str, plan: SidePlan, loaded: Loaded) -> exp.Expr:
    kind = ColumnType("number") if name == plan.fx_rate else plan.columns[name]
    return refusal_code_expression(column(name), kind, loaded.types[name])


def _raw_values(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    types: dict[str, str],
    numbers: list[int],
    codes: dict[str, exp.Expr],
) -> dict[int, tuple[dict[str, object], dict[str, str]]]:
    """Return for each row its values as received, and for each column of `codes` the reason that it would give."""
    con.execute("create or replace temp table refused_no as select unnest(?::bigint[]) as n", [numbers])
    rows = parts_relation(con, source, types) if isinstance(source, Parts) else source_relation(source)
    if _is_csv(source):
        inner = exp.select(exp.alias_(exp.Window(this=exp.func("row_number")), ROW_NO, quoted=True), "*").from_(rows)
        base = exp.select("*").from_(inner.subquery("n"))
    else:
        base = exp.select("*").from_(rows)
        if isinstance(source, Direct):
            shift = exp.Add(this=column(FILE_ROW_NUMBER), expression=exp.Literal.number(1))
            base = base.select(exp.alias_(shift, ROW_NO, quoted=True))
    coded = ", ".join(f"({sql_of(code)})" for code in codes.values())
    query = f'select *, [{coded}] from ({sql_of(base)}) r semi join refused_no on n = r."{ROW_NO}"'
    relation = con.sql(query)
    names = relation.columns[:-1]
    at = names.index(ROW_NO)
    keep = [i for i, name in enumerate(names) if name not in (ROW_NO, LINE, FILE_ROW_NUMBER)]
    return {
        row[at]: ({names[i]: row[i] for i in keep}, dict(zip(codes, row[-1], strict=True)))
        for row in relation.fetchall()
    }
