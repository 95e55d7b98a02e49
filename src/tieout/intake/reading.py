"""One way in for every received file: detect what it is, then hand it to the engine directly or read it to Parquet."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tieout.core.errors import TieoutError
from tieout.intake.csv_careful import has_more_rows, read_csv_carefully
from tieout.intake.csv_dialect import CsvDialect, CsvHints, sniff
from tieout.intake.formats import FORMATS, UnknownFileFormat, detect, size_of
from tieout.intake.json_rows import read_json
from tieout.intake.parquet_file import open_parquet
from tieout.intake.records import Records
from tieout.intake.records_file import too_many_rows
from tieout.intake.spreadsheet import read_spreadsheet
from tieout.intake.text_encoding import Progress, transcode


class InputTooLarge(TieoutError):
    """A file has more bytes than the limit allows; nothing of it was read."""

    code = "input_too_large"
    http_status = 413


class FileChanged(TieoutError):
    """A file changed while it was read, so that what was read is no version of it."""

    code = "file_changed"
    http_status = 409


class DiskFull(TieoutError):
    """There is no space left to write to."""

    code = "disk_full"
    http_status = 507


@dataclass(frozen=True)
class Limits:
    """What a file may come to; None is no limit."""

    max_bytes: int | None = None
    max_rows: int | None = None


@dataclass(frozen=True)
class ReadOptions:
    """What the user said about a file: its format, sheet, list of records, or how its text is written."""

    format: str = ""
    sheet: str | None = None
    records: str | None = None
    csv: CsvHints = field(default_factory=CsvHints)


@dataclass(frozen=True)
class Direct:
    """A file that the engine may read itself: plain CSV by `duckdb_arguments(dialect)`, or Parquet (dialect None).

    `path` may be a copy in the directory that `read` was given. All its records are rows, numbered in file order.
    `row_count` is None where only reading tells. A CSV that DuckDB refuses after all goes to `read_csv_carefully`.
    """

    format: Literal["csv", "parquet"]
    path: Path
    columns: tuple[str, ...]
    dialect: CsvDialect | None = None
    row_count: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Job:
    path: Path
    name: str
    out_dir: Path
    format: str
    limits: Limits
    options: ReadOptions
    on_progress: Progress | None


def read(
    path: Path,
    name: str,
    out_dir: Path,
    *,
    limits: Limits | None = None,
    options: ReadOptions | None = None,
    on_progress: Progress | None = None,
) -> Direct | Records:
    """Read the file at `path`, which was received under `name`; what has to be written goes to `out_dir`.

    Raises InputTooLarge before anything is read and TooManyRows before anything is kept, FileChanged, DiskFull,
    and what the reader of its format raises; all are TieoutError.
    """
    limits, options = limits or Limits(), options or ReadOptions()
    size = size_of(path, name)
    if limits.max_bytes is not None and size > limits.max_bytes:
        raise InputTooLarge(
            f"{name} has {size:,} bytes, more than the limit of {limits.max_bytes:,}.",
            subject=name,
            remedy="Split the file, or raise the limit on bytes.",
        )
    before = path.stat()
    file_format = _format(path, name, options)
    job = _Job(path, name, out_dir, file_format, limits, options, on_progress)
    with _full_disk_told(out_dir):
        found = _READERS[file_format](job)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise FileChanged(
            f"{name} changed while it was read.", subject=name, remedy="Wait until it is complete, then try again."
        )
    return found


def _format(path: Path, name: str, options: ReadOptions) -> str:
    detected = detect(path, name)
    if not options.format:
        return detected
    if options.format not in FORMATS:
        raise UnknownFileFormat(
            f"There is no format {options.format!r}.", subject=name, remedy=f"Name one of {', '.join(FORMATS)}."
        )
    return options.format


@contextmanager
def _full_disk_told(out_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DiskFull(
            f"There is no space left in {out_dir}.", subject=str(out_dir), remedy="Free some space, then try again."
        ) from error


def _read_csv(job: _Job) -> Direct | Records:
    hints = job.options.csv
    dialect = sniff(job.path, hints, name=job.name)
    if dialect.encoding == "utf-8":
        return _read_utf8(job, job.path, dialect)
    copy = job.out_dir / "utf8.csv"
    job.out_dir.mkdir(parents=True, exist_ok=True)
    if transcode(job.path, dialect.encoding, copy, on_progress=job.on_progress) is not None:
        return _read_carefully(job, job.path, dialect)
    of_copy = sniff(copy, replace(hints, encoding="utf-8"), name=job.name)
    notes = tuple(note for note in dialect.notes if note not in of_copy.notes)
    found = _read_utf8(job, copy, replace(of_copy, notes=(*notes, *of_copy.notes)))
    if isinstance(found, Records):
        copy.unlink()
    return found


def _read_utf8(job: _Job, path: Path, dialect: CsvDialect) -> Direct | Records:
    if not dialect.is_plain:
        return _read_carefully(job, path, dialect)
    _check_rows(job, path, dialect)
    return Direct("csv", path, dialect.columns, dialect, notes=dialect.notes)


def _check_rows(job: _Job, path: Path, dialect: CsvDialect) -> None:
    limit = job.limits.max_rows
    if limit is not None and has_more_rows(path, dialect, limit):
        raise too_many_rows(job.name, limit)


def _read_carefully(job: _Job, path: Path, dialect: CsvDialect) -> Records:
    return read_csv_carefully(path, dialect, job.out_dir, job.on_progress, name=job.name, max_rows=job.limits.max_rows)


def _read_spreadsheet(job: _Job) -> Records:
    return read_spreadsheet(
        job.path,
        job.out_dir,
        job.options.sheet,
        name=job.name,
        file_format=job.format,
        max_rows=job.limits.max_rows,
        on_progress=job.on_progress,
    )


def _read_json(job: _Job) -> Records:
    return read_json(
        job.path,
        job.out_dir,
        job.options.records,
        name=job.name,
        file_format=job.format,
        max_rows=job.limits.max_rows,
        on_progress=job.on_progress,
    )


def _read_parquet(job: _Job) -> Direct:
    table = open_parquet(job.path, job.name, job.out_dir / "flat.parquet")
    if job.limits.max_rows is not None and table.row_count > job.limits.max_rows:
        raise too_many_rows(job.name, job.limits.max_rows)
    return Direct("parquet", table.path, table.columns, row_count=table.row_count, notes=table.notes)


def _read_statement(job: _Job) -> Records:
    """Read a bank format by `read_<format>` of the module that is named after it."""
    module = importlib.import_module(f"tieout.intake.{job.format}")
    reader: Callable[[Path, Path, str], Records] = getattr(module, f"read_{job.format}")
    records = reader(job.path, job.out_dir, job.name)
    if job.limits.max_rows is not None and records.row_count + records.rejected_count > job.limits.max_rows:
        raise too_many_rows(job.name, job.limits.max_rows)
    return records


_READERS: dict[str, Callable[[_Job], Direct | Records]] = {
    "csv": _read_csv,
    "tsv": _read_csv,
    "xlsx": _read_spreadsheet,
    "xls": _read_spreadsheet,
    "ods": _read_spreadsheet,
    "json": _read_json,
    "ndjson": _read_json,
    "parquet": _read_parquet,
    "ofx": _read_statement,
    "mt940": _read_statement,
    "camt": _read_statement,
    "bai2": _read_statement,
}
