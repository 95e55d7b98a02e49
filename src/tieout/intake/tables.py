"""Tables of the caller's own (Arrow, Polars, pandas) as a file, so that they go the same way as any other input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError


class NotATable(TieoutError):
    """What was given is neither a path nor a table."""

    code = "not_a_table"


def is_table(given: Any) -> bool:
    """Say whether `given` is a table rather than a path."""
    return not isinstance(given, str | Path)


def write_table(given: Any, path: Path) -> Path:
    """Write an Arrow, Polars or pandas table (anything with the Arrow C stream interface) to `path` as Parquet.

    Raises NotATable for anything else.
    """
    try:
        table = _arrow_table(given)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise NotATable(
            f"A {type(given).__name__} is no table that can be taken: {error}.",
            subject=type(given).__name__,
            remedy="Give a path, or an Arrow, Polars or pandas table with one type a column.",
        ) from error
    table = table.replace_schema_metadata(None)
    pq.write_table(table, path, compression="snappy", store_schema=False)
    return path


def _arrow_table(given: Any) -> pa.Table:
    if isinstance(given, pa.Table):
        return given
    if type(given).__module__.partition(".")[0] == "pandas":
        return pa.Table.from_pandas(given, preserve_index=False)
    if hasattr(given, "to_arrow"):
        return pa.table(given.to_arrow())
    return pa.table(given)
