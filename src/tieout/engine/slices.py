"""A fact in several files: which rows each holds, and what it is called."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

Range = tuple[int, int]
"""The first and the last number of the rows of a slice; both belong to it."""

EVERYTHING: Range = (0, 2**62)
SLICE_ROWS = 1 << 20
"""So many rows are written in a second or less, and a day of ten million keeps several cores at work."""
_MARGIN = 1 << 16
_NAME = re.compile(r"^(\w+)-\d+$")


def slice_ranges(con: duckdb.DuckDBPyConnection, relation: str, column: str) -> tuple[Range, ...]:
    """Return ranges of the numbers in `column` that hold about `SLICE_ROWS` rows of `relation` each, in order.

    They follow from the numbers alone, not from how many cores there are, and together cover every number from 0.
    """
    counts = con.sql(f"select {column} // {_margin()}, count(*) from {relation} group by all order by all").fetchall()
    starts, rows = [0], 0
    for bucket, count in counts:
        if rows and rows + count > SLICE_ROWS:
            starts.append(bucket * _margin())
            rows = 0
        rows += count
    return tuple(zip(starts, [*(start - 1 for start in starts[1:]), EVERYTHING[1]], strict=True))


def _margin() -> int:
    return max(1, min(_MARGIN, SLICE_ROWS // 16))


def slice_path(folder: Path, fact: str, number: int) -> Path:
    """Return the file of a slice; the first, which is often the only one, is called as the fact is."""
    return folder / (f"{fact}.parquet" if number == 1 else f"{fact}-{number}.parquet")


def slice_paths(folder: Path, fact: str) -> list[Path]:
    """Return the files of a fact that are there, in the order of its slices."""
    found, number = [], 1
    while (path := slice_path(folder, fact, number)).is_file():
        found.append(path)
        number += 1
    return found


def fact_of(name: str) -> str:
    """Return the fact of which the file of that name, without its suffix, holds the rows or a slice of them."""
    found = _NAME.match(name)
    return found[1] if found else name
