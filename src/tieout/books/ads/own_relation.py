"""Our own records as the relations of this book, read where they lie: from the columns of a file to typed ones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.engine.parse import is_integer, parse_expression
from tieout.engine.plan import ColumnType
from tieout.engine.projection import as_received
from tieout.store.trees import call, cast, column, is_present, named, sql_of, string, try_cast

OwnKind = Literal["events", "receipts"]
RELATIONS: Mapping[OwnKind, str] = {"events": "revenue_event", "receipts": "receipt"}
Kind = Literal["text", "instant", "micros", "nanos", "ppm"]


class OwnColumnsMissing(TieoutError):
    """A file of our own records lacks columns that their relation needs."""

    code = "own_columns_missing"
    http_status = 422


@dataclass(frozen=True)
class OwnColumn:
    """A column of a relation: the names it is read from, and the key of a JSON column that may hold it instead."""

    name: str
    kind: Kind
    names: tuple[str, ...]
    is_required: bool
    inside: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnFile:
    """A file of our own records: where it lies, what it holds, and how DuckDB reads it (`arguments` of `function`).

    `first_us` and `last_us` are the instants of its first and last record. One that `is_typed` has the columns of its
    relation as they must be, so that it is read as it stands.
    """

    path: str
    sha256: str
    byte_count: int
    function: Literal["read_parquet", "read_csv", "read_json"]
    arguments: Mapping[str, Any]
    records: int = 0
    first_us: int | None = None
    last_us: int | None = None
    is_typed: bool = False

    @property
    def relation(self) -> exp.Expr:
        """The table function that reads it."""
        told = [exp.EQ(this=exp.column(name), expression=_argument(value)) for name, value in self.arguments.items()]
        return exp.Anonymous(this=self.function, expressions=[exp.Literal.string(self.path), *told])


def _argument(value: Any) -> exp.Expr:
    if not isinstance(value, dict):
        return exp.convert(value)
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=exp.Literal.string(kind))
        for name, kind in value.items()
    ]
    return exp.Struct(expressions=fields)


@cache
def own_columns(kind: OwnKind) -> tuple[OwnColumn, ...]:
    """Return the columns of a relation, in order."""
    told = tomllib.loads((files("tieout.books.ads") / "own_columns.toml").read_text("utf-8"))[kind]
    return tuple(
        OwnColumn(
            name,
            one["kind"],
            tuple(one["names"]),
            one.get("required", False),
            one.get("inside", ""),
            tuple(one.get("keys", ())),
        )
        for name, one in told.items()
    )


def column_types(con: duckdb.DuckDBPyConnection, file: OwnFile) -> dict[str, str]:
    """Return the columns of a file with DuckDB's type of each."""
    found = con.sql(sql_of(exp.select("*").from_(file.relation).limit(0)))
    return dict(zip(found.columns, [str(kind) for kind in found.types], strict=True))


def own_projection(kind: OwnKind, file: OwnFile, types: Mapping[str, str]) -> exp.Select:
    """Return the query that reads a file as its relation. Raises OwnColumnsMissing."""
    return exp.select(*[named(value, name) for name, value, _ in _values(kind, file, types)]).from_(file.relation)


def refusals_query(kind: OwnKind, file: OwnFile, types: Mapping[str, str]) -> exp.Select:
    """Return the query of one row: the number of records, then of those that each column of the relation refuses.

    A column refuses a record whose text is no value of its kind, or that lacks a value where one is needed.
    """
    values = _values(kind, file, types)
    needed = {one.name for one in own_columns(kind) if one.is_required}
    counts = []
    for name, value, said in values:
        is_absent = exp.not_(is_present(exp.paren(value.copy())))
        is_refused = is_absent if name in needed else exp.and_(is_absent, is_present(exp.paren(said.copy())))
        counts.append(
            named(exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=is_refused)), f"refused_{name}")
        )
    return exp.select(named(exp.Count(this=exp.Star()), "records"), *counts).from_(file.relation)


def first_refused_query(kind: OwnKind, file: OwnFile, types: Mapping[str, str], name: str) -> exp.Select:
    """Return the query of the first record that a column refuses: its number from 1 and what it says."""
    [(_, value, said)] = [one for one in _values(kind, file, types) if one[0] == name]
    number = exp.Window(this=exp.func("row_number"))
    inner = exp.select(named(number, "n"), named(value.copy(), "value"), named(cast(said.copy(), "VARCHAR"), "said"))
    is_needed = any(one.is_required for one in own_columns(kind) if one.name == name)
    refused: exp.Expr = exp.not_(is_present(column("value")))
    if not is_needed:
        refused = exp.and_(refused, is_present(column("said")))
    return exp.select("n", "said").from_(inner.from_(file.relation).subquery("r")).where(refused).order_by("n").limit(1)


def is_typed(kind: OwnKind, file: OwnFile, types: Mapping[str, str]) -> bool:
    """Tell whether a file holds the columns of its relation under their names, in their types."""
    wanted = {one.name: _duckdb_type(one.kind) for one in own_columns(kind)}
    return file.function == "read_parquet" and wanted.items() <= {**types}.items()


def empty_projection(kind: OwnKind) -> exp.Select:
    """Return the query of a relation without rows."""
    columns = [named(cast(exp.null(), _duckdb_type(one.kind)), one.name) for one in own_columns(kind)]
    return exp.select(*columns).where(exp.false())


def _duckdb_type(kind: Kind) -> str:
    return "VARCHAR" if kind == "text" else "BIGINT"


def _values(kind: OwnKind, file: OwnFile, types: Mapping[str, str]) -> list[tuple[str, exp.Expr, exp.Expr]]:
    """Return for each column of the relation its name, its value and what the file says there."""
    by_name = {name.strip().lower(): name for name in reversed(list(types))}
    values: list[tuple[str, exp.Expr, exp.Expr]] = []
    missing: list[str] = []
    for one in own_columns(kind):
        found = next((name for name in one.names if name in by_name), None)
        if found is not None:
            own = by_name[found]
            values.append((one.name, _value(one, own, types[own], is_in_unit=found == one.name), column(own)))
        elif one.inside in by_name:
            own = by_name[one.inside]
            paths = [call("json_extract_string", column(own), string(f"$.{key}")) for key in one.keys]
            said = call("coalesce", *paths)
            values.append((one.name, _converted(one, said, "VARCHAR"), said))
        elif one.is_required:
            missing.append(f"{one.name} ({', '.join(one.names)})")
        else:
            nothing = cast(exp.null(), _duckdb_type(one.kind))
            values.append((one.name, nothing, nothing))
    if missing:
        raise OwnColumnsMissing(
            f"{file.path} lacks {'; '.join(missing)}.",
            subject=file.path,
            remedy=f"It has: {', '.join(types)}. Name the columns so, or give a query with --sql that does.",
        )
    return values


def _value(one: OwnColumn, name: str, source_type: str, *, is_in_unit: bool) -> exp.Expr:
    if one.kind == "text":
        if source_type.upper() == "VARCHAR":
            return call("nullif", column(name), string(""))
        return as_received(name, source_type)
    if is_in_unit:
        return column(name) if source_type.upper() == "BIGINT" else try_cast(column(name), "BIGINT")
    return _converted(one, column(name), source_type)


def _converted(one: OwnColumn, said: exp.Expression, source_type: str) -> exp.Expr:
    """Return a value in the unit of its kind, from one in plain units."""
    if one.kind == "text":
        return said.copy()
    if one.kind == "instant":
        if is_integer(source_type):
            return cast(exp.null(), "BIGINT")  # a count of what since when is not guessed
        return call("epoch_us", parse_expression(said, ColumnType("timestamp"), source_type))
    if one.kind == "nanos":
        wide = try_cast(cast(said.copy(), "VARCHAR"), "DECIMAL(28, 9)")
        return try_cast(exp.Mul(this=wide, expression=exp.Literal.number(10**9)), "BIGINT")
    # A share of 1 in millionths and an amount in micros are the same arithmetic.
    return call("to_micros", parse_expression(said, ColumnType("number"), source_type, is_wide=True))


def own_query(con: duckdb.DuckDBPyConnection, kind: OwnKind, every: Sequence[OwnFile]) -> exp.Query:
    """Return the query of all records of several files, as their relation."""
    queries = [own_projection(kind, file, column_types(con, file)) for file in every]
    if not queries:
        return empty_projection(kind)
    return exp.union(*queries, distinct=False) if len(queries) > 1 else queries[0]
