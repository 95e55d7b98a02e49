"""Bring the rows of both inputs under the engine: typed, numbered in file order, bad ones set apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.engine.plan import SidePlan
from tieout.engine.projection import REJECTED, column, is_text_source, rows_projection, sql_of, typed_columns
from tieout.intake.csv_dialect import duckdb_arguments
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Records

SideName = Literal["ours", "theirs"]


class ColumnGone(TieoutError):
    """A plan names a column that the file does not have."""

    code = "column_gone"


class FastReadFailed(Exception):
    """DuckDB refused a file that looked plain; `side` is ours or theirs."""

    def __init__(self, side: SideName, reason: str) -> None:
        super().__init__(reason)
        self.side: SideName = side


@dataclass(frozen=True)
class Loaded:
    """A side under the engine: `rows` is the relation of typed rows, `row_no` the column that numbers them.

    `row_no` is bare, so that a join on it can skip what it does not need; plus `offset` it is the number from 1.

    `row_count` counts data records, refused ones included; `refused` counts those whose text is no value and
    `taken` those that became entries.
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


def source_relation(source: Direct | Records) -> exp.Expr:
    """Return the table function that reads a source as it was received."""
    if isinstance(source, Records):
        return _call("read_parquet", str(source.rows), {})
    if source.format == "parquet":
        return _call("read_parquet", str(source.path), {"file_row_number": True})
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
    return {name: kind for name, kind in types.items() if name not in (ROW_NO, LINE, "file_row_number")}


def load(
    con: duckdb.DuckDBPyConnection,
    side: SideName,
    source: Direct | Records,
    plan: SidePlan,
    compared: list[str],
    *,
    is_loaded: bool = False,
) -> Loaded:
    """Load one side; with `is_loaded` a checkpoint has brought its table back already.

    Raises FastReadFailed when a plain CSV turns out not to be plain, ColumnGone for a stale plan.
    """
    types = source_types(con, source)
    for name in plan.columns:
        if name not in types:
            raise ColumnGone(
                f"The plan names column {name!r}, which the file of {side} does not have.",
                subject=name,
                remedy=f"It has: {', '.join(types)}. Infer a new plan, or give the file that the plan was made for.",
            )
    needs_parsing = any(is_text_source(types[name]) for name in typed_columns(plan, compared))
    if isinstance(source, Direct) and source.format == "csv":
        return _load_csv(con, side, source, plan, compared=compared, types=types, is_loaded=is_loaded)
    is_records = isinstance(source, Records)
    number = column(ROW_NO if is_records else "file_row_number")
    extra = [ROW_NO, LINE] if is_records else ["file_row_number"]
    form = "table" if needs_parsing else "view"
    for is_quick in (True, False):
        query = rows_projection(source_relation(source), types, plan, compared, extra, is_quick=is_quick)
        if form == "view" or not is_loaded:
            con.execute(f"create or replace {form} {side}_rows as {sql_of(query)}")
        rows, refused = _count(con, side, needs_parsing=needs_parsing)
        if is_loaded or not refused:
            break
    refused_before = source.rejected_count if isinstance(source, Records) else 0
    offset = 0 if is_records else 1
    return Loaded(
        side, f"{side}_rows", number, offset, types, rows + refused_before, refused, rows - refused, is_records
    )


def _load_csv(
    con: duckdb.DuckDBPyConnection,
    side: SideName,
    source: Direct,
    plan: SidePlan,
    *,
    compared: list[str],
    types: dict[str, str],
    is_loaded: bool,
) -> Loaded:
    for is_quick in (True, False):
        query = rows_projection(source_relation(source), types, plan, compared, [], is_quick=is_quick)
        try:
            if not is_loaded:
                con.execute(f"create or replace table {side}_rows as {sql_of(query)}")
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise FastReadFailed(side, str(error)) from error
        rows, refused = _count(con, side, needs_parsing=True)
        if is_loaded or not refused:
            break
    return Loaded(side, f"{side}_rows", exp.column("rowid"), 1, types, rows, refused, rows - refused, has_lines=False)


def _count(con: duckdb.DuckDBPyConnection, side: SideName, *, needs_parsing: bool) -> tuple[int, int]:
    if not needs_parsing:
        return int(con.sql(f"select count(*) from {side}_rows").fetchall()[0][0]), 0
    row = con.sql(f'select count(*), count(*) filter ("{REJECTED}" > 0) from {side}_rows').fetchall()[0]
    return int(row[0]), int(row[1])


def sample_relation(con: duckdb.DuckDBPyConnection, name: str, source: Direct | Records, limit: int | None) -> None:
    """Make a table `name` of the first `limit` rows of a source (all with None), as received, without row numbers.

    Raises FastReadFailed when a plain CSV turns out not to be plain.
    """
    columns = [column(own) for own in source_types(con, source)]
    query = exp.select(*columns).from_(source_relation(source))
    if limit is not None:
        query = query.limit(limit)
    side: SideName = "ours" if name.startswith("ours") else "theirs"
    try:
        con.execute(f"create or replace table {name} as {sql_of(query)}")
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise FastReadFailed(side, str(error)) from error


def refused_by_column(con: duckdb.DuckDBPyConnection, loaded: Loaded, plan: SidePlan) -> dict[str, int]:
    """Return how many rows each column refused."""
    names = list(plan.columns)
    counts = con.sql(
        f'select "{REJECTED}", count(*) from {loaded.rows} where "{REJECTED}" > 0 group by all order by all'
    ).fetchall()
    return {names[position - 1]: count for position, count in counts}


Locate = Callable[[list[int]], dict[int, tuple[int, str]]]


def refused_rows(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, source: Direct | Records, plan: SidePlan, locate: Locate
) -> list[tuple[int, int | None, str, str, str, str]]:
    """Return (row_no, line, column, reason_code, reason, raw) for each row that the typing refused.

    `locate` finds physical line and raw text of rows of a plain CSV, which the fast way does not keep.
    """
    if not loaded.refused:
        return []
    names = list(plan.columns)
    line = f'"{LINE}"' if loaded.has_lines else "null"
    rows = con.sql(
        f'select {sql_of(loaded.row_no)} + {loaded.offset} as n, {line}, "{REJECTED}" from {loaded.rows}'
        f' where "{REJECTED}" > 0 order by n'
    ).fetchall()
    raw = _raw_values(con, source, [n for n, _, _ in rows])
    found = {} if loaded.has_lines else locate([n for n, _, _ in rows])
    result = []
    for number, at_line, position in rows:
        name = names[position - 1]
        kind = plan.columns[name].kind
        value = raw.get(number, {}).get(name)
        physical, text = found.get(number, (at_line, ""))
        result.append(
            (
                number,
                physical,
                name,
                f"bad_{kind}",
                f"{name}: {value!r} is not a {kind} that the plan's format can read or that fits",
                text or str(raw.get(number, {}))[:1000],
            )
        )
    return result


def _raw_values(
    con: duckdb.DuckDBPyConnection, source: Direct | Records, numbers: list[int]
) -> dict[int, dict[str, object]]:
    con.execute("create or replace temp table refused_no as select unnest(?::bigint[]) as n", [numbers])
    if isinstance(source, Direct) and source.format == "csv":
        inner = exp.select(exp.alias_(exp.Window(this=exp.func("row_number")), ROW_NO, quoted=True), "*").from_(
            source_relation(source)
        )
        base = exp.select("*").from_(inner.subquery("s"))
    else:
        base = exp.select("*").from_(source_relation(source))
        if not isinstance(source, Records):
            shift = exp.Add(this=column("file_row_number"), expression=exp.Literal.number(1))
            base = base.select(exp.alias_(shift, ROW_NO, quoted=True))
    query = f'select * from ({sql_of(base)}) r semi join refused_no on n = r."{ROW_NO}"'
    relation = con.sql(query)
    names = relation.columns
    at = names.index(ROW_NO)
    keep = [i for i, name in enumerate(names) if name not in (ROW_NO, LINE, "file_row_number")]
    return {row[at]: {names[i]: row[i] for i in keep} for row in relation.fetchall()}
