"""Builders and readers for tables in tests of intake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from tieout.intake.csv_careful import read_csv_carefully
from tieout.intake.csv_dialect import CsvDialect, CsvHints, duckdb_arguments, sniff
from tieout.intake.records import LINE, ROW_NO, Records

Row = tuple[str | None, ...]


def save(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(records: Records) -> list[Row]:
    """The cells, row by row."""
    table = pq.read_table(records.rows).drop_columns([ROW_NO, LINE])
    assert tuple(table.column_names) == records.columns
    assert table.num_rows == records.row_count
    return [tuple(row.values()) for row in table.to_pylist()]


def places_of(records: Records) -> list[tuple[int, int]]:
    """(row number, line) of each row."""
    table = pq.read_table(records.rows, columns=[ROW_NO, LINE])
    return [(row[ROW_NO], row[LINE]) for row in table.to_pylist()]


def rejected_of(records: Records) -> list[dict[str, Any]]:
    if records.rejected is None:
        assert records.rejected_count == 0
        return []
    rejected = pq.read_table(records.rejected).to_pylist()
    assert len(rejected) == records.rejected_count
    return rejected


def reasons_of(records: Records) -> list[tuple[int | None, int | None, str]]:
    """(row number, line, reason code) of each refused row."""
    return [(row["row_no"], row["line"], row["reason_code"]) for row in rejected_of(records)]


def careful(folder: Path, content: str | bytes, hints: CsvHints | None = None, **options: Any) -> Records:
    """Read CSV the careful way, as it is sniffed."""
    path = save(folder, content)
    return read_csv_carefully(path, sniff(path, hints), folder / "out", **options)


def fast_rows(path: Path, dialect: CsvDialect, **extra: object) -> list[Row]:
    """Read CSV by DuckDB with exactly the arguments that the engine is given."""
    arguments = ", ".join(
        f"{name} = {_literal(value)}" for name, value in {**duckdb_arguments(dialect), **extra}.items()
    )
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute(f"create table t as select * from read_csv({_literal(str(path))}, {arguments})")
        return con.execute("select * from t order by rowid").fetchall()


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"


def without_profile(dialect: CsvDialect) -> CsvDialect:
    """The dialect of a file of which nothing is known but its grammar."""
    return replace(dialect, profile=type(dialect.profile)())
