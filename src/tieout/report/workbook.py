"""One XLSX file: xlsxwriter lays out the book, and the rows go into it column by column.

Writing cell by cell takes about four seconds for each million cells; joining whole columns in Arrow takes a tenth of
that. So xlsxwriter writes every sheet with its head, widths, formats and filters, and the rows are put in its place in
the sheet's XML afterwards. Every text is a text cell: there is no formula and no link in the file.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from tieout.core.formulas import neutralise
from tieout.report.words import plain

MAX_CELL_CHARACTERS = 32_767
MAX_COLUMNS = 16_384
MAX_EXACT_DIGITS = 15
CUT_NOTE = "… (cut)"
BATCH_BYTES = 32 << 20
BATCH_ROWS = 20_000
# Deflate at its quickest: the slow levels make a sheet a tenth smaller in twice the time.
COMPRESSION = 1
EPOCH = (1980, 1, 1, 0, 0, 0)

_FIRST_DAY = date(1900, 3, 1)
_DAY_ZERO = (date(1970, 1, 1) - date(1899, 12, 30)).days
_ILLEGAL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
_COLUMN = re.compile(rb'<col min="(\d+)" max="(\d+)"([^>]*)/>')
_STYLE = re.compile(rb' style="(\d+)"')
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')
_END_OF_ROWS = b"</sheetData>"
_EMPTY_ROWS = b"<sheetData/>"

Style = Literal["money", "number", "whole", "day", "text"]
_FORMATS: dict[Style, dict[str, object]] = {
    "money": {"num_format": "#,##0.00####"},
    "number": {"num_format": "0.######"},
    "whole": {"num_format": "0"},
    "day": {"num_format": "yyyy-mm-dd"},
    "text": {"num_format": "@"},
}
_WIDTHS: dict[Style, int] = {"money": 16, "number": 11, "whole": 11, "day": 12, "text": 22}


@dataclass(frozen=True)
class Sheet:
    """A table as a sheet: the rows to show, how many there are in all, and the files that hold every one."""

    name: str
    rows: pa.Table
    total: int
    whole: str


@dataclass(frozen=True)
class Cover:
    """The first sheet: a title, facts about the run, and tables with their heads; numbers are numbers."""

    title: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str | int | Decimal | None]]]]


def write_workbook(path: Path, cover: Cover, sheets: Sequence[Sheet]) -> None:
    """Write the book to `path`; the same content gives the same bytes."""
    frame = _lay_out(cover, sheets)
    rows_of = {f"xl/worksheets/sheet{place}.xml": sheet for place, sheet in enumerate(sheets, start=2)}
    with (
        zipfile.ZipFile(frame) as laid_out,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as book,
    ):
        for name in laid_out.namelist():
            content = laid_out.read(name)
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with book.open(entry, "w", force_zip64=True) as target:
                for piece in _fill(content, rows_of[name].rows) if name in rows_of else (content,):
                    target.write(piece)


def _lay_out(cover: Cover, sheets: Sequence[Sheet]) -> io.BytesIO:
    frame = io.BytesIO()
    with xlsxwriter.Workbook(
        frame, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    ) as book:
        book.set_properties({"title": plain(cover.title, 200), "created": datetime(*EPOCH)})  # noqa: DTZ001 no zone there
        _write_cover(book, cover)
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        formats = {style: book.add_format(options) for style, options in _FORMATS.items()}
        for sheet in sheets:
            _lay_out_sheet(book, sheet, head, formats)
    return frame


def _lay_out_sheet(
    book: xlsxwriter.Workbook,
    sheet: Sheet,
    head: xlsxwriter.format.Format,
    formats: dict[Style, xlsxwriter.format.Format],
) -> None:
    page = book.add_worksheet(sheet.name)
    for place, field in enumerate(sheet.rows.schema):
        style = _style_of(field.type)
        page.set_column(place, place, _WIDTHS[style], formats[style])
        page.write_string(0, place, clean_cell(field.name), head)
    page.freeze_panes(1, 0)
    page.repeat_rows(0)
    _fit_to_paper(page)
    if sheet.rows.num_columns:
        page.autofilter(0, 0, sheet.rows.num_rows, sheet.rows.num_columns - 1)


def _write_cover(book: xlsxwriter.Workbook, cover: Cover) -> None:
    page = book.add_worksheet("Summary")
    page.set_column(0, 0, 26)
    page.set_column(1, 12, 20)
    page.hide_gridlines(2)
    _fit_to_paper(page)
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00####"})
    head = book.add_format({"bold": True, "bottom": 1})
    number_head = book.add_format({"bold": True, "bottom": 1, "align": "right"})
    page.write_string(0, 0, clean_cell(cover.title), book.add_format({"bold": True, "font_size": 16}))
    line = 2
    for label, value in cover.facts:
        page.write_string(line, 0, clean_cell(label), bold)
        page.write_string(line, 1, clean_cell(value))
        line += 1
    for title, heads, rows in cover.tables:
        line += 1
        page.write_string(line, 0, clean_cell(title), bold)
        for place, column in enumerate(heads):
            is_number = any(place < len(row) and isinstance(row[place], int | Decimal) for row in rows)
            page.write_string(line + 1, place, clean_cell(column), number_head if is_number else head)
        line += 2
        for row in rows:
            for place, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(line, place, clean_cell(cell))
                elif cell is not None:
                    page.write_number(line, place, cell, None if isinstance(cell, int) else money)
            line += 1


def _fit_to_paper(page: xlsxwriter.worksheet.Worksheet) -> None:
    page.set_paper(9)
    page.set_landscape()
    page.fit_to_pages(1, 0)


def clean_cell(text: str) -> str:
    """Return a text that is safe as a cell: no formula, no character that XML forbids, not too long."""
    return neutralise(plain(text, 1000))


def _style_of(kind: pa.DataType) -> Style:
    if pa.types.is_decimal(kind):
        return "money"
    if pa.types.is_integer(kind):
        return "whole"
    if pa.types.is_floating(kind):
        return "number"
    return "day" if pa.types.is_date(kind) else "text"


def _fill(content: bytes, rows: pa.Table) -> Iterator[bytes | memoryview]:
    """Yield a sheet's XML with the rows put after its head."""
    corner = f"{xl_col_to_name(max(rows.num_columns, 1) - 1)}{rows.num_rows + 1}"
    content = _DIMENSION.sub(f'<dimension ref="A1:{corner}"/>'.encode(), content, count=1)
    before, end, after = content.partition(_END_OF_ROWS)
    if not end:
        before, _, after = content.partition(_EMPTY_ROWS)
        yield content
        return
    yield before
    yield from _row_pieces(rows, _styles_in(content, rows.num_columns))
    yield _END_OF_ROWS + after


def _styles_in(content: bytes, columns: int) -> list[str]:
    """Return the style number that xlsxwriter gave to each column."""
    styles = [""] * columns
    for found in _COLUMN.finditer(content):
        if style := _STYLE.search(found[3]):
            for place in range(int(found[1]) - 1, min(int(found[2]), columns)):
                styles[place] = f' s="{style[1].decode()}"'
    return styles


def _row_pieces(rows: pa.Table, styles: Sequence[str]) -> Iterator[memoryview]:
    if not rows.num_rows:
        return
    batch_rows = max(1, min(BATCH_ROWS, BATCH_BYTES * rows.num_rows // max(1, rows.nbytes)))
    for start in range(0, rows.num_rows, batch_rows):
        batch = rows.slice(start, batch_rows)
        numbers = pa.array(range(start + 2, start + 2 + batch.num_rows)).cast(pa.large_string())
        cells = [_cells(column.combine_chunks(), style) for column, style in zip(batch.columns, styles, strict=True)]
        yield _bytes_of(_join('<row r="', numbers, '">', *cells, "</row>"))


def _cells(column: pa.Array, style: str) -> pa.Array:
    """Return one column as XML, one cell a row.

    Cells carry no address, which the format leaves open: they stand in order, and the file is half as large.
    """
    kind = column.type
    if pa.types.is_decimal(kind):
        cells = _numbers(column.cast(pa.large_string()), style)
    elif pa.types.is_integer(kind):
        cells = _exact_integers(column, style)
    elif pa.types.is_floating(kind):
        cells = _numbers(pc.if_else(pc.is_finite(column), column, None).cast(pa.large_string()), style)
    elif pa.types.is_date(kind):
        cells = _days(column, style)
    elif pa.types.is_boolean(kind):
        cells = _join(f'<c{style} t="b"><v>', pc.if_else(column, "1", "0").cast(pa.large_string()), "</v></c>")
    else:
        cells = _texts(column.cast(pa.large_string()), style)
    return cells.fill_null("<c/>")


def _numbers(values: pa.Array, style: str) -> pa.Array:
    return _join(f"<c{style}><v>", values, "</v></c>")


def _exact_integers(column: pa.Array, style: str) -> pa.Array:
    """Spreadsheets keep fifteen digits: a longer number is an identifier and goes in as text."""
    values = column.cast(pa.large_string())
    is_exact = pc.less_equal(pc.utf8_length(pc.utf8_ltrim(values, "-")), MAX_EXACT_DIGITS)
    return pc.if_else(is_exact, _numbers(values, style), _texts(values, style))


def _days(column: pa.Array, style: str) -> pa.Array:
    """Days are numbers from 1900-03-01 on; what is older stays text."""
    days = column.cast(pa.date32())
    is_number = pc.greater_equal(days, pa.scalar(_FIRST_DAY, pa.date32()))
    serial = pc.add(days.cast(pa.int32()).cast(pa.int64()), _DAY_ZERO).cast(pa.large_string())
    return pc.if_else(is_number, _numbers(serial, style), _texts(days.cast(pa.large_string()), style))


def _texts(values: pa.Array, style: str) -> pa.Array:
    text = _cut(values)
    if _any(text, r"[&<>_\x00-\x1f\x{fffe}\x{ffff}]"):
        text = pc.replace_substring_regex(text, r"\r\n?", "\n")
        text = pc.replace_substring_regex(text, _ILLEGAL, "")
        text = pc.replace_substring_regex(text, "_(x[0-9A-Fa-f]{4}_)", r"_x005F_\1")
        for plain_form, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = pc.replace_substring(text, plain_form, escaped)
    space = ' xml:space="preserve"' if _any(text, r"^\s|\s$|\n|  ") else ""
    return _join(f'<c{style} t="inlineStr"><is><t{space}>', text, "</t></is></c>")


def _cut(values: pa.Array) -> pa.Array:
    """Cut texts that no cell can hold; a cell counts UTF-16 units, of which a text has at most one a byte."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= MAX_CELL_CHARACTERS:
        return values
    return pa.array([_cut_one(text) for text in values.to_pylist()], pa.large_string())


def _cut_one(text: str | None) -> str | None:
    if text is None:
        return None
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * MAX_CELL_CHARACTERS:
        return text
    return units[: 2 * (MAX_CELL_CHARACTERS - len(CUT_NOTE))].decode("utf-16-le", "ignore") + CUT_NOTE


def _any(text: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _join(*pieces: pa.Array | str) -> pa.Array:
    """Join texts row by row; a row with a null piece is null."""
    joined = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*joined, pa.scalar("", pa.large_string()), null_handling="emit_null")


def _bytes_of(texts: pa.Array) -> memoryview:
    """Return all texts of an array, one after the other, without copying them."""
    _, offsets, data = texts.buffers()
    places = memoryview(offsets).cast("q")
    return memoryview(data)[places[texts.offset] : places[texts.offset + len(texts)]]
