"""Run the SQL of the inference: files with static SQL, and trees where columns are only known at run time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
from sqlglot import exp


def column(name: str, table: str | None = None) -> exp.Expression:
    """Return a quoted column."""
    return exp.column(name, table=table, quoted=True)


def sql_of(tree: exp.Expression) -> str:
    """Return DuckDB's text of a tree."""
    return tree.sql(dialect="duckdb", identify=True)


def create(con: duckdb.DuckDBPyConnection, name: str, query: exp.Expression) -> None:
    """Keep the rows of a query as a temporary table."""
    con.execute(f"create or replace temp table {name} as {sql_of(query)}")


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
    """Drop every table that the inference made."""
    tables = con.sql("select table_name from duckdb_tables() where temporary and starts_with(table_name, 'infer_')")
    for (name,) in tables.fetchall():
        con.execute(f"drop table if exists temp.{exp.to_identifier(name, quoted=True).sql(dialect='duckdb')}")


def rows_of(con: duckdb.DuckDBPyConnection, query: exp.Expression) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return con.sql(sql_of(query)).fetchall()


def union(selects: Sequence[exp.Select]) -> exp.Expression:
    """Return the rows of all queries together."""
    tree: exp.Expression = selects[0]
    for select in selects[1:]:
        tree = exp.Union(this=tree, expression=select, distinct=False)
    return tree
