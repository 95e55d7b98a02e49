"""Rows of a CSV that hold delimiters only: no records, but DuckDB makes rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from tieout.intake.csv_dialect import CsvDialect
from tieout.intake.csv_traps import holds_bare_row
from tieout.intake.reading import Direct
from tieout.intake.records import Records
from tieout.intake.text_encoding import chunks_of
from tieout.store.trees import column, is_present, sql_of


def assert_no_bare_row(
    con: duckdb.DuckDBPyConnection, loaded: exp.Expr, source: Direct | Records, columns: Sequence[str]
) -> None:
    """Raise what DuckDB raises for other lines that are no records, where a row of a plain CSV holds delimiters only.

    The file is looked through only if a row of what was `loaded` from it has no value in any of `columns`.
    """
    if isinstance(source, Records) or source.dialect is None or not columns:
        return
    empty = [exp.Not(this=is_present(column(name))) for name in columns]
    query = exp.select(exp.Literal.number(1)).from_(loaded).where(*empty).limit(1)
    if con.sql(sql_of(query)).fetchall() and has_bare_row(source.path, source.dialect):
        raise duckdb.InvalidInputException("A row holds delimiters only.")


def has_bare_row(path: Path, dialect: CsvDialect) -> bool:
    """Tell whether a plain CSV has such a row."""
    return holds_bare_row(chunks_of(path), dialect.newline, dialect.delimiter, len(dialect.columns))
