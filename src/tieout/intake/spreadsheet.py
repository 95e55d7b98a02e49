"""Read one sheet of a workbook (XLSX, XLS, ODS): typed cells as exact text, header and footers found as in CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import python_calamine as calamine

from tieout.core.errors import TieoutError
from tieout.intake.csv_records import Parsed, Refusal
from tieout.intake.formats import FileIsDamaged, FileIsEncrypted, NoTableFound
from tieout.intake.records import Records
from tieout.intake.records_file import RecordsFile
from tieout.intake.row_sorter import RowSorter
from tieout.intake.table_shape import TableStart, find_table
from tieout.intake.text_encoding import Progress, chunks_of
from tieout.intake.workbook_guard import WorkbookLimits, check_workbook

SAMPLE_ROWS = 2_000
BATCH_ROWS = 10_000

Cell = int | float | str | bool | time | date | datetime | timedelta


class UnknownSheet(TieoutError):
    """The workbook has no sheet of the name or number that was asked for."""

    code = "unknown_sheet"
    http_status = 422


def read_spreadsheet(
    path: Path,
    out_dir: Path,
    sheet: str | None = None,
    *,
    name: str = "",
    file_format: str = "xlsx",
    max_rows: int | None = None,
    limits: WorkbookLimits | None = None,
    on_progress: Progress | None = None,
) -> Records:
    """Read the first visible sheet that holds a table, or the one named or numbered (from 1) by `sheet`.

    `__line` is the row of the sheet. Numbers are written with all their digits and no exponent, days as
    2024-01-31, moments as 2024-01-31 14:30:00; a column in which a moment occurs has moments only.
    Raises FileIsEncrypted, FileIsDamaged, UnsafeWorkbook, UnknownSheet, NoTableFound and TooManyRows.
    """
    name = name or path.name
    if file_format == "xls":
        _refuse_encrypted(path, name)
    else:
        check_workbook(path, name, limits)
    with path.open("rb") as file:
        workbook = _open(file, name)
        chosen, table = _choose(workbook, sheet, name)
        source = workbook.get_sheet_by_name(chosen)
        with RecordsFile(out_dir, name, table.columns, max_rows=max_rows) as records:
            sorter = RowSorter(records, table.profile, "\t")
            with_time = _columns_with_time(source, table)
            total = source.end[0] + 1 if source.end else 0
            for first_row, rows in _batches(source, table):
                texts: list[list[str] | Refusal] = [_row_text(row, with_time) for row in rows]
                raws = ["\t".join(row) + "\n" for row in texts if isinstance(row, list)]
                sorter.take(Parsed(texts, list(range(first_row, first_row + len(rows))), raws, []))
                if on_progress is not None:
                    on_progress(first_row + len(rows) - 1, total)
            sorter.finish()
            return records.finish(file_format, (*_sheet_notes(workbook, chosen, table), *sorter.notes()))


def _refuse_encrypted(path: Path, name: str) -> None:
    """Refuse an XLSX with a password, which is wrapped in the container of old binary workbooks."""
    needle, overlap = "EncryptedPackage".encode("utf-16-le"), b""
    for chunk in chunks_of(path):
        if needle in overlap + chunk:
            raise _encrypted(name)
        overlap = chunk[-len(needle) :]


def _encrypted(name: str) -> FileIsEncrypted:
    return FileIsEncrypted(f"{name} is encrypted.", subject=name, remedy="Save it without a password.")


def text_of(value: Cell) -> str:
    """Return a cell as exact text: the shortest decimal that is the number, no exponent, no '.0'."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, timedelta):
        return _duration_text(value)
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()


def _number_text(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def _duration_text(value: timedelta) -> str:
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    text += f".{micros:06}".rstrip("0") if micros else ""
    return f"-{text}" if value < timedelta(0) else text


def _open(file: BinaryIO, name: str) -> calamine.CalamineWorkbook:
    with _faults_told(name):
        return calamine.CalamineWorkbook.from_filelike(file)


@contextmanager
def _faults_told(name: str) -> Iterator[None]:
    """Turn what calamine raises over a file into our errors."""
    try:
        yield
    except calamine.PasswordError as error:
        raise _encrypted(name) from error
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"  # what Rust code raises is no Exception
        if not is_panic and not isinstance(error, calamine.CalamineError | OSError | ValueError):
            raise
        raise FileIsDamaged(
            f"{name} is a broken workbook ({error}).",
            subject=name,
            remedy="Open it in a spreadsheet program and save it again, or save the sheet as CSV.",
        ) from error


def _choose(workbook: calamine.CalamineWorkbook, wanted: str | None, name: str) -> tuple[str, TableStart]:
    names = workbook.sheet_names
    if wanted is not None:
        chosen = _named(names, wanted, name)
        table = _table_of(workbook, chosen, name)
        if table is None:
            raise NoTableFound(f"Sheet {chosen!r} of {name} is empty.", subject=name, remedy=_others(names, chosen))
        return chosen, table
    visible = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.visible == calamine.SheetVisibleEnum.Visible and sheet.typ == calamine.SheetTypeEnum.WorkSheet
    ]
    narrow: tuple[str, TableStart] | None = None
    for candidate in visible:
        table = _table_of(workbook, candidate, name)
        if table is not None and table.width > 1:
            return candidate, table
        if table is not None and narrow is None:
            narrow = (candidate, table)
    if narrow is not None:
        return narrow
    raise NoTableFound(f"No visible sheet of {name} holds a table.", subject=name, remedy=_others(names, ""))


def _named(names: Sequence[str], wanted: str, name: str) -> str:
    for candidate in names:
        if candidate.casefold() == wanted.casefold():
            return candidate
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return names[int(wanted) - 1]
    raise UnknownSheet(f"{name} has no sheet {wanted!r}.", subject=wanted, remedy=_others(names, ""))


def _others(names: Sequence[str], chosen: str) -> str:
    others = ", ".join(repr(other) for other in names if other != chosen)
    return f"Name another with --sheet: {others}." if others else "The workbook has no other sheet."


def _table_of(workbook: calamine.CalamineWorkbook, sheet: str, name: str) -> TableStart | None:
    source = _load(workbook, sheet, name)
    sample = [[text_of(cell) for cell in row] for row in itertools.islice(source.iter_rows(), SAMPLE_ROWS)]
    return find_table(sample)


def _load(workbook: calamine.CalamineWorkbook, sheet: str, name: str) -> calamine.CalamineSheet:
    with _faults_told(name):
        return workbook.get_sheet_by_name(sheet)


def _batches(source: calamine.CalamineSheet, table: TableStart) -> Iterator[tuple[int, list[list[Cell]]]]:
    """Yield the rows below the header, with the number in the sheet of the first of each batch."""
    rows = itertools.islice(source.iter_rows(), table.first_data, None)
    first_row = table.first_data + 1
    while batch := list(itertools.islice(rows, BATCH_ROWS)):
        yield first_row, batch
        first_row += len(batch)


def _columns_with_time(source: calamine.CalamineSheet, table: TableStart) -> frozenset[int]:
    """Return the columns in which a day with a time of day occurs; days alone come as plain dates."""
    found: set[int] = set()
    for _, rows in _batches(source, table):
        for row in rows:
            found.update(i for i, cell in enumerate(row) if type(cell) is datetime)
    return frozenset(found)


def _row_text(row: Sequence[Cell], with_time: frozenset[int]) -> list[str]:
    texts = [text_of(cell) for cell in row]
    for i in with_time:
        if type(row[i]) is date:
            texts[i] += " 00:00:00"
    return texts


def _sheet_notes(workbook: calamine.CalamineWorkbook, chosen: str, table: TableStart) -> list[str]:
    notes = []
    others = [name for name in workbook.sheet_names if name != chosen]
    if others:
        listed = ", ".join(repr(name) for name in others[:10])
        notes.append(f"Sheet {chosen!r} was read; the workbook also has {listed} (--sheet takes another).")
    above = table.first_data if table.header is None else table.header
    if above:
        notes.append(f"{above} row(s) above the table were passed over.")
    return [*notes, *table.notes]
