"""Read delimited text record by record: what cannot be taken is set apart with its reason, and nothing is lost.

For files that DuckDB refuses or would take otherwise than meant. Memory stays bounded by the size of a record.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tieout.intake.csv_columns import columns_of
from tieout.intake.csv_dialect import CsvDialect
from tieout.intake.csv_records import (
    MAX_RECORD_BYTES,
    Parsed,
    Refusal,
    parse,
    printable,
    read_blocks,
    refuse_suspect,
)
from tieout.intake.records import Records
from tieout.intake.records_file import RecordsFile
from tieout.intake.row_sorter import RowSorter
from tieout.intake.table_shape import is_blank
from tieout.intake.text_encoding import Progress


def read_csv_carefully(
    path: Path,
    dialect: CsvDialect,
    out_dir: Path,
    on_progress: Progress | None = None,
    max_record_bytes: int = MAX_RECORD_BYTES,
    *,
    name: str = "",
    max_rows: int | None = None,
) -> Records:
    """Read the file as `dialect` says into `rows.parquet` and `rejected.parquet` in `out_dir`.

    Reason codes of refused rows: ragged_row, wrong_encoding, nul_byte, line_too_long, unclosed_quote, stray_quote;
    of lines that are no rows and have no number: footer, section_record, repeated_header.
    Blank lines and those above the header are passed over; the notes count them.
    Raises TooManyRows beyond `max_rows`.
    """
    total = path.stat().st_size
    with RecordsFile(out_dir, name or path.name, dialect.columns, max_rows=max_rows) as file:
        sorter = RowSorter(file, dialect.profile, dialect.delimiter)
        for found, bytes_read in _records(path, dialect, max_record_bytes):
            _hand_over(found, dialect, sorter)
            if on_progress is not None:
                on_progress(min(bytes_read, total), total)
        sorter.finish()
        return file.finish("csv", (*dialect.notes, *sorter.notes()))


def _hand_over(found: Parsed | _Columns, dialect: CsvDialect, sorter: RowSorter) -> None:
    if isinstance(found, Parsed):
        sorter.take(found)
    elif not sorter.take_columns(found.cells, found.first_line, found.lines.__getitem__):
        sorter.take(parse(found.lines, found.first_line, dialect.grammar, is_last=True))


def locate_rows(path: Path, dialect: CsvDialect, row_nos: Collection[int]) -> dict[int, tuple[int, str]]:
    """Return physical line and raw text (at most 1,000 characters) of rows of a plain file, by row number."""
    wanted = set(row_nos)
    found: dict[int, tuple[int, str]] = {}
    for number, (line, raw) in enumerate(_numbered(path, dialect), 1):
        if number in wanted:
            found[number] = (line, printable(raw))
            if len(found) == len(wanted):
                break
    return found


def has_more_rows(path: Path, dialect: CsvDialect, limit: int) -> bool:
    """Tell whether a plain file has more than `limit` rows, reading no further than it takes."""
    return next(itertools.islice(_numbered(path, dialect), limit, None), None) is not None


def _numbered(path: Path, dialect: CsvDialect) -> Iterator[tuple[int, str]]:
    """Yield physical line and raw text of each row of a plain file."""
    for parsed, _ in _parsed(path, dialect, MAX_RECORD_BYTES):
        for row, line, raw in zip(parsed.rows, parsed.lines, parsed.raws, strict=True):
            if isinstance(row, Refusal) or not is_blank(row, raw, dialect.delimiter):
                yield line, raw


@dataclass(frozen=True)
class _Columns:
    """Lines that are a record each, and their cells column by column."""

    lines: list[str]
    first_line: int
    cells: list[pa.Array]


def _records(path: Path, dialect: CsvDialect, max_record_bytes: int) -> Iterator[tuple[Parsed | _Columns, int]]:
    """Yield all records below the header, with the bytes read so far."""
    return _read(
        path, dialect, max_record_bytes, lambda lines: columns_of(lines, dialect.grammar, len(dialect.columns))
    )


def _parsed(path: Path, dialect: CsvDialect, max_record_bytes: int) -> Iterator[tuple[Parsed, int]]:
    """Yield all records below the header row by row, with the bytes read so far."""
    for found, bytes_read in _read(path, dialect, max_record_bytes, lambda _: None):
        if isinstance(found, Parsed):
            yield found, bytes_read


def _read(
    path: Path, dialect: CsvDialect, max_record_bytes: int, find_columns: Callable[[list[str]], list[pa.Array] | None]
) -> Iterator[tuple[Parsed | _Columns, int]]:
    grammar, width = dialect.grammar, len(dialect.columns)
    open_lines: list[str] = []
    is_suspect = False
    for block in read_blocks(path, dialect.encoding, grammar.newline, max_line_bytes=max_record_bytes):
        is_suspect = block.is_suspect or (is_suspect and bool(open_lines))
        begin = min(len(block.lines), max(0, dialect.skip_lines + 1 - block.first_line))
        too_long = sorted(i for i in block.too_long if i >= begin)
        if not (open_lines or is_suspect or too_long):
            lines = block.lines[begin:]
            cells = find_columns(lines)
            if cells is not None:
                yield _Columns(lines, block.first_line + begin, cells), block.bytes_read
                continue
        for end in [*too_long, len(block.lines)]:
            parsed = parse(
                [*open_lines, *block.lines[begin:end]],
                block.first_line + begin - len(open_lines),
                grammar,
                is_last=block.is_last or end < len(block.lines),
                width=width,
                max_record_bytes=max_record_bytes,
            )
            if is_suspect:
                refuse_suspect(parsed, dialect.columns)
            open_lines = parsed.rest
            if end < len(block.lines):
                _append_too_long(parsed, block.lines[end], block.first_line + end, block.too_long[end])
            yield parsed, block.bytes_read
            begin = end + 1


def _append_too_long(parsed: Parsed, raw: str, line: int, size: int) -> None:
    parsed.rows.append(Refusal("line_too_long", f"The line has {size:,} bytes."))
    parsed.lines.append(line)
    parsed.raws.append(raw)
