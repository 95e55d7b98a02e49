"""Look at a Parquet file; what DuckDB cannot read as it is (nested, named alike, long decimals) goes to a copy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.intake.formats import FileIsDamaged, FileIsEncrypted, NoTableFound
from tieout.intake.table_shape import name_columns

_BATCH_ROWS = 20_000


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file that has one flat column a field, each name once."""

    path: Path
    columns: tuple[str, ...]
    row_count: int
    notes: tuple[str, ...]


def open_parquet(path: Path, name: str, copy: Path) -> ParquetTable:
    """Return the file, or a copy at `copy` with nested values as JSON text and names made unique.

    Decimals of more than 38 digits become text too, which is exact: DuckDB reads them as floating point.
    Raises FileIsEncrypted, FileIsDamaged and NoTableFound.
    """
    with path.open("rb") as file:
        if file.read(4) == b"PARE":
            raise _encrypted(name)
    try:
        with pq.ParquetFile(path) as source:
            return _flatten(source, path, name, copy)
    except pa.ArrowException as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        if "ncrypt" in str(error) or "ecrypt" in str(error):
            raise _encrypted(name) from error
        raise _damaged(name, error) from error


def _encrypted(name: str) -> FileIsEncrypted:
    return FileIsEncrypted(f"{name} is encrypted.", subject=name, remedy="Write it without encryption.")


def _damaged(name: str, error: Exception) -> FileIsDamaged:
    reason = str(error).splitlines()[0]
    return FileIsDamaged(f"{name} is a broken Parquet file ({reason}).", subject=name, remedy="Write or copy it again.")


def _flatten(source: pq.ParquetFile, path: Path, name: str, copy: Path) -> ParquetTable:
    schema, rows = source.schema_arrow, source.metadata.num_rows
    if not len(schema):
        raise NoTableFound(f"{name} has no columns.", subject=name, remedy="Check how it was written.")
    columns, notes = name_columns(schema.names, len(schema))
    nested = [i for i, field in enumerate(schema) if pa.types.is_nested(field.type)]
    long = [i for i, field in enumerate(schema) if pa.types.is_decimal256(field.type)]
    if list(columns) == schema.names and not nested and not long:
        return ParquetTable(path, columns, rows, ())
    fields = [
        pa.field(column, pa.string() if i in nested or i in long else schema.field(i).type)
        for i, column in enumerate(columns)
    ]
    flat = pa.schema(fields)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(copy, flat) as writer:
        for batch in source.iter_batches(_BATCH_ROWS):
            arrays = [batch.column(i) for i in range(len(schema))]
            for i in nested:
                arrays[i] = _json_array(arrays[i])
            for i in long:
                arrays[i] = _plain_array(arrays[i])
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=flat))
    for found, what in ((nested, "Nested values are read as JSON text"), (long, "Long decimals are read as text")):
        if found:
            notes = (*notes, f"{what}: {', '.join(repr(columns[i]) for i in found)}.")
    return ParquetTable(copy, columns, rows, notes)


def _json_array(values: pa.Array) -> pa.Array:
    texts = [
        None if value is None else json.dumps(value, default=_plain, ensure_ascii=False) for value in values.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _plain_array(values: pa.Array) -> pa.Array:
    return pa.array([None if value is None else f"{value:f}" for value in values.to_pylist()], pa.string())


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
