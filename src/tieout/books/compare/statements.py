"""Run the SQL of the inference: files with static SQL, and trees where columns are only known at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
from sqlglot import exp

from tieout.store.trees import column, is_present, named, sql_of


def select(table: str | exp.Expr, *expressions: exp.Expr, where: exp.Expr | None = None) -> exp.Select:
    """Return a query over a table. Nothing is parsed or copied, which the builder of sqlglot does at every step."""
    source = exp.Table(this=exp.to_identifier(table, quoted=True)) if isinstance(table, str) else table
    query = exp.Select(expressions=list(expressions), from_=exp.From(this=source))
    if where is not None:
        query.set("where", exp.Where(this=where))
    return query


def create(con: duckdb.DuckDBPyConnection, name: str, query: exp.Expression) -> None:
    """Keep the rows of a query as a temporary table."""
    con.execute(f"create or replace temp table {name} as {sql_of(query, is_spent=True)}")


@cache
def _text(name: str) -> str:
    return (files("tieout.books.compare") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def run_file(con: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    """Return the rows of a SQL file."""
    return con.sql(_text(name)).fetchall()


def create_from_file(con: duckdb.DuckDBPyConnection, table: str, name: str) -> None:
    """Keep the rows of a SQL file as a temporary table."""
    con.execute(f"create or replace temp table {table} as {_text(name)}")


def drop_all(con: duckdb.DuckDBPyConnection) -> None:
    """Drop every table and view that the inference made."""
    for form, name in con.sql(_text("made")).fetchall():
        con.execute(f"drop {form} if exists {sql_of(exp.to_identifier(name, quoted=True))}")


def rows_of(con: duckdb.DuckDBPyConnection, query: exp.Expression) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return con.sql(sql_of(query, is_spent=True)).fetchall()


def union(selects: Sequence[exp.Select]) -> exp.Expression:
    """Return the rows of all queries together."""
    tree: exp.Expression = selects[0]
    for select in selects[1:]:
        tree = exp.Union(this=tree, expression=select, distinct=False)
    return tree


def lags_of(
    con: duckdb.DuckDBPyConnection, ours: exp.Expression, theirs: exp.Expression, days: int
) -> tuple[dict[int, int], dict[int, float]]:
    """Return how many rows that a key pairs lie how many days apart, and in what proportions any rows do, up to `days`.

    The key is the one that was met last; `ours` and `theirs` are the dates over the values of their side.
    """
    for side, value in (("ours", ours), ("theirs", theirs)):
        day = named(exp.Cast(this=value, to=exp.DataType.build("DATE", dialect="duckdb")), "day")
        create(
            con, f"infer_dated_{side}", select(f"infer_{side}", column("row_no"), day, where=is_present(value.copy()))
        )
    lags = {int(lag): int(pairs) for lag, pairs in run_file(con, "lag")}
    if not lags:
        return {}, {}
    found = con.execute(_text("lag_chance"), {"days": days}).fetchall()
    return lags, {int(distance): float(pairs) for distance, pairs in found}


@dataclass(frozen=True)
class Moments:
    """How many rows that a key pairs have a moment on both sides, and are of one second; what is usual in seconds."""

    pairs: int
    same: int
    usual_s: int
    usual_pairs: int


def moments_of(con: duckdb.DuckDBPyConnection, ours: exp.Expression, theirs: exp.Expression) -> Moments:
    """Return how far the rows that `pair_rows` left lie apart in seconds, theirs less ours."""
    for side, value in (("ours", ours), ("theirs", theirs)):
        moment = select(f"infer_{side}", column("row_no"), named(value, "moment"), where=is_present(value.copy()))
        create(con, f"infer_moment_{side}", moment)
    pairs, same, usual_s, usual_pairs = run_file(con, "moment")[0]
    return Moments(int(pairs), int(same), int(usual_s or 0), int(usual_pairs))


def accidents_of(con: duckdb.DuckDBPyConnection) -> float:
    """Return about how many rows a unique amount pairs by accident; the key that was met last is the amount."""
    return float(run_file(con, "accident")[0][0])


def rows_of_file(con: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return the rows of a SQL file with parameters, by name of the column."""
    found = con.execute(_text(name), dict(parameters))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
