"""Small inputs for the inference: columns of text, one plan, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from tieout.books.compare.column_profile import Column, profile_side
from tieout.books.compare.formats import asked_formats
from tieout.books.compare.infer import InferOptions, infer
from tieout.books.compare.settled import Names
from tieout.books.compare.statements import drop_all
from tieout.engine.parse import parse_expression
from tieout.engine.plan import ColumnType, Decision, Plan

Columns = Mapping[str, Sequence[str | None]]
"""A table of text by column; a `pa.Table` is taken too, where columns are typed."""


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """Return the connection that all tests share: an inference drops what it made."""
    con = duckdb.connect()
    con.execute("set threads = 1; set TimeZone = 'UTC'")
    return con


def infer_plan(
    ours: Columns | pa.Table,
    theirs: Columns | pa.Table,
    *,
    ours_name: str = "ours.csv",
    theirs_name: str = "theirs.csv",
    is_sample: bool = False,
    **options: Any,
) -> Plan:
    """Infer the plan of two tables; `options` are those of InferOptions."""
    con = connection()
    for relation, table in (("ours_given", ours), ("theirs_given", theirs)):
        _give(con, relation, table if isinstance(table, pa.Table) else text_table(table))
    return infer(
        con,
        "ours_given",
        "theirs_given",
        InferOptions(**options),
        ours_name=ours_name,
        theirs_name=theirs_name,
        is_sample=is_sample,
    )


def _give(con: duckdb.DuckDBPyConnection, relation: str, table: pa.Table) -> None:
    con.register("given_arrow", table)
    con.execute(f"create or replace table {relation} as select * from given_arrow")
    con.unregister("given_arrow")


def text_table(columns: Columns) -> pa.Table:
    """Return the columns as a table of text."""
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def infer_type(values: Sequence[str | None], *, name: str = "field", **options: Any) -> ColumnType:
    """Return the type of a column, told from its values and its name alone."""
    return infer_types({name: values}, **options)[name]


def infer_types(columns: Columns, **options: Any) -> dict[str, ColumnType]:
    """Return the type of each column, told from its values and its name alone."""
    return {column.name: column.type for column in profiled(columns, **options)}


def profiled(columns: Columns, **options: Any) -> tuple[Column, ...]:
    """Return what is told of each column from its values and its name alone."""
    con = connection()
    asked = asked_formats(InferOptions(**options), Names(tuple(columns), (), "ours.csv", "theirs.csv"))
    _give(con, "ours_given", text_table(columns))
    found = profile_side(con, "ours", "ours_given", dict.fromkeys(columns, "VARCHAR"), asked)
    drop_all(con)
    return found


def values_read(values: Sequence[str | None], kind: ColumnType) -> list[Any]:
    """Return what the engine reads from texts under a type."""
    con = connection()
    tree = exp.select(parse_expression(exp.column("value", quoted=True), kind, "VARCHAR")).from_("values_given")
    _give(con, "values_given", text_table({"value": values}))
    return [value for (value,) in con.sql(tree.sql(dialect="duckdb")).fetchall()]


def references(count: int, prefix: str = "INV") -> list[str]:
    """Return that many values that identify a row."""
    return [f"{prefix}-{number:05}" for number in range(1, count + 1)]


def amounts(count: int) -> list[str]:
    """Return that many amounts, all different, the whole part of no two in a fixed order."""
    return [f"{37 * number % 1009 + 10}.{13 * number % 90 + 10}" for number in range(1, count + 1)]


def find_decision(plan: Plan, subject: str) -> Decision | None:
    """Return the decision about a subject, if there is one."""
    return next((decision for decision in plan.decisions if decision.subject == subject), None)


def get_decision(plan: Plan, subject: str) -> Decision:
    """Return the decision about a subject; a test fails with all subjects when there is none."""
    found = find_decision(plan, subject)
    assert found is not None, [decision.subject for decision in plan.decisions]
    return found
