"""Rows and refused rows on their way to Parquet, a batch at a time, for readers of tables whose columns are text."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError
from tieout.intake.records import LINE, REJECTED_SCHEMA, ROW_NO, Records, Rejected

BATCH_ROWS = 50_000
BATCH_BYTES = 32 << 20
MAX_COLUMNS = 4_000

Column: TypeAlias = Sequence[str | None] | pa.Array
"""Cells of one column; in an Arrow array, empty ones are NULL already."""


class TooManyRows(TieoutError):
    """A file holds more rows than the limit allows."""

    code = "too_many_rows"
    http_status = 413


class TooManyColumns(TieoutError):
    """A file has more columns than any table is meant to have."""

    code = "too_many_columns"
    http_status = 422


def too_many_rows(name: str, limit: int) -> TooManyRows:
    """Return the error for a file that exceeds the limit on rows."""
    return TooManyRows(
        f"{name} has more than {limit:,} rows.", subject=name, remedy="Split the file, or raise the limit on rows."
    )


class RecordsFile:
    """Writes `rows.parquet` and `rejected.parquet` into `out_dir`; when the reader fails, neither is left.

    Columns may be added while rows are written: rows before have NULL there. An empty cell is NULL.
    """

    def __init__(self, out_dir: Path, name: str, columns: Sequence[str] = (), *, max_rows: int | None = None) -> None:
        self.row_count = 0
        self.rejected_count = 0
        self._out_dir = out_dir
        self._name = name
        self._columns = list(columns)
        self._max_rows = max_rows
        self._batches: list[pa.RecordBatch] = []
        self._batch_rows = 0
        self._batch_bytes = 0
        self._parts: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._writer_columns = 0
        self._rejected: list[Rejected] = []
        self._rejected_writer: pq.ParquetWriter | None = None
        self._check_columns()

    def __enter__(self) -> Self:
        self._out_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except OSError:
            if kind is None:
                raise
        finally:
            for part in self._parts:
                part.unlink(missing_ok=True)
            if kind is not None:
                self._rows_path.unlink(missing_ok=True)
                self._rejected_path.unlink(missing_ok=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def add_columns(self, names: Sequence[str]) -> None:
        """Let rows from now on have more columns."""
        self._columns.extend(names)
        self._check_columns()

    def append(self, row_nos: Sequence[int], lines: Sequence[int], columns: Sequence[Column]) -> None:
        """Write rows given column by column, in the order of `columns`; those missing at the end are NULL."""
        if not row_nos:
            return
        self.check_row_limit(row_nos[-1])
        names = [ROW_NO, LINE, *self._columns[: len(columns)]]
        arrays = [_number_array(row_nos), _number_array(lines), *map(_text_array, columns)]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        self.row_count += len(row_nos)
        self._batches.append(batch)
        self._batch_rows += batch.num_rows
        self._batch_bytes += batch.nbytes
        if self._batch_rows >= BATCH_ROWS or self._batch_bytes >= BATCH_BYTES:
            self._flush()

    def reject(self, rejected: Rejected) -> None:
        """Quarantine one row or a record that is none."""
        if rejected.row_no is not None:
            self.check_row_limit(rejected.row_no)
        self.rejected_count += 1
        self._rejected.append(rejected)
        if len(self._rejected) >= BATCH_ROWS:
            self._flush_rejected()

    def check_row_limit(self, row_no: int) -> None:
        """Raise TooManyRows where `row_no` is beyond the limit."""
        if self._max_rows is not None and row_no > self._max_rows:
            raise too_many_rows(self._name, self._max_rows)

    def finish(self, file_format: str, notes: Sequence[str] = ()) -> Records:
        """Write what is left and return the records."""
        self._flush()
        if not self._parts:
            self._open_part()
        self._close()
        self._join_parts()
        return Records(
            format=file_format,
            rows=self._rows_path,
            columns=self.columns,
            row_count=self.row_count,
            rejected=self._rejected_path if self.rejected_count else None,
            rejected_count=self.rejected_count,
            notes=tuple(notes),
        )

    @property
    def _rows_path(self) -> Path:
        return self._out_dir / "rows.parquet"

    @property
    def _rejected_path(self) -> Path:
        return self._out_dir / "rejected.parquet"

    @property
    def _schema(self) -> pa.Schema:
        numbers = [pa.field(ROW_NO, pa.int64(), nullable=False), pa.field(LINE, pa.int64())]
        return pa.schema([*numbers, *(pa.field(name, pa.string()) for name in self._columns)])

    def _check_columns(self) -> None:
        if len(self._columns) > MAX_COLUMNS:
            raise TooManyColumns(
                f"{self._name} has more than {MAX_COLUMNS:,} columns.",
                subject=self._name,
                remedy="Its records seem to have little in common; check that this is a table.",
            )

    def _open_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
        part = self._out_dir / f"rows.part-{len(self._parts)}.parquet"
        self._parts.append(part)
        self._writer = pq.ParquetWriter(part, self._schema, use_dictionary=False)
        self._writer_columns = len(self._columns)

    def _flush(self) -> None:
        if not self._batches:
            return
        if self._writer is None or self._writer_columns != len(self._columns):
            self._open_part()
        schema = self._schema
        batches = [_widen(batch, schema) for batch in self._batches]
        if self._writer is not None:
            self._writer.write_table(pa.Table.from_batches(batches, schema=schema))
        self._batches, self._batch_rows, self._batch_bytes = [], 0, 0

    def _flush_rejected(self) -> None:
        if not self._rejected:
            return
        if self._rejected_writer is None:
            self._rejected_writer = pq.ParquetWriter(self._rejected_path, REJECTED_SCHEMA)
        table = pa.Table.from_pylist([vars(rejected) for rejected in self._rejected], schema=REJECTED_SCHEMA)
        self._rejected_writer.write_table(table)
        self._rejected = []

    def _close(self) -> None:
        self._flush_rejected()
        writers, self._writer, self._rejected_writer = (self._writer, self._rejected_writer), None, None
        for writer in writers:
            if writer is not None:
                writer.close()

    def _join_parts(self) -> None:
        """Make one file of the parts, in order; there are several only where columns were added."""
        if len(self._parts) == 1:
            self._parts.pop().replace(self._rows_path)
            return
        schema = self._schema
        with pq.ParquetWriter(self._rows_path, schema, use_dictionary=False) as writer:
            for part in self._parts:
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(BATCH_ROWS):
                        writer.write_batch(_widen(batch, schema))


def _number_array(numbers: Sequence[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(array("q", numbers))])


def _text_array(cells: Column) -> pa.Array:
    if isinstance(cells, pa.Array):
        return cells
    texts = pa.array(cells, pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts) if "" in cells else texts


def _widen(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    missing = len(schema) - batch.num_columns
    empty = [pa.nulls(batch.num_rows, pa.string()) for _ in range(missing)]
    return pa.RecordBatch.from_arrays([*batch.columns, *empty], schema=schema)
