"""Short names for the nodes of SQL expression trees that we build: text and identifiers are quoted by sqlglot."""

from __future__ import annotations

from functools import cache

from sqlglot import exp


def column(name: str, table: str | None = None) -> exp.Column:
    """Return a quoted column."""
    return exp.column(name, table=table, quoted=True)


def named(value: exp.Expr, name: str) -> exp.Expr:
    """Return a value under a quoted name."""
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def sql_of(tree: exp.Expr, *, is_spent: bool = False) -> str:
    """Return DuckDB's text of a tree; one that is spent, so not used again, need not be copied first."""
    return tree.sql(dialect="duckdb", identify=True, copy=not is_spent)


def call(name: str, *arguments: exp.Expr) -> exp.Expression:
    """Return the call of a DuckDB function."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def string(text: str) -> exp.Expression:
    """Return a text literal."""
    return exp.Literal.string(text)


def integer(number: int) -> exp.Expression:
    """Return an integer literal."""
    return exp.Literal.number(number) if number >= 0 else exp.Neg(this=exp.Literal.number(-number))


def cast(value: exp.Expr, kind: str) -> exp.Expression:
    """Return a cast that fails on a value it cannot take."""
    return exp.Cast(this=value, to=_type(kind).copy())


def try_cast(value: exp.Expr, kind: str) -> exp.Expression:
    """Return a cast that yields null for a value it cannot take."""
    return exp.TryCast(this=value, to=_type(kind).copy())


@cache
def _type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb")


def is_present(value: exp.Expr) -> exp.Expression:
    """Return the predicate that a value is there."""
    return exp.Not(this=exp.Is(this=value, expression=exp.null()))
