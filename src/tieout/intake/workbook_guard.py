"""Look into a zipped workbook before it is opened: does it expand beyond reason, hold XML entities, or sprawl.

What a ZIP directory declares is a claim, so each part is also inflated, counted and thrown away.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tieout.core.errors import TieoutError
from tieout.intake.formats import FileIsDamaged, FileIsEncrypted

CHUNK_BYTES = 1 << 20
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
MAX_RATIO_FREE_BYTES = 16 << 20
"""A part up to this size may be compressed as well as it likes."""


class UnsafeWorkbook(TieoutError):
    """Opening a workbook would take far more memory than its size suggests."""

    code = "unsafe_workbook"
    http_status = 422


@dataclass(frozen=True)
class WorkbookLimits:
    """What a workbook may come to: bytes of all parts unpacked, their ratio to the packed, cells of one sheet."""

    max_expanded_bytes: int = 2 << 30
    max_ratio: int = 300
    max_parts: int = 10_000
    max_cells: int = 50_000_000


_ENTITY = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_XLSX_CELL = re.compile(rb"<c\b[^<>]*?\br=\"([A-Z]{1,3})([0-9]{1,7})\"[^<>]*?(/?)>")
_ODS_TAG = re.compile(rb"<(table:table-row|table:table-cell|table:table)\b([^<>]*)>")
_ODS_ROWS = re.compile(rb"table:number-rows-repeated=\"([0-9]{1,9})\"")
_ODS_COLUMNS = re.compile(rb"table:number-columns-repeated=\"([0-9]{1,9})\"")


def check_workbook(path: Path, name: str, limits: WorkbookLimits | None = None) -> None:
    """Refuse a zipped workbook (XLSX, ODS) that is unsafe to open.

    Raises UnsafeWorkbook, FileIsEncrypted or FileIsDamaged.
    """
    limits = limits or WorkbookLimits()
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            parts = archive.infolist()
            _check_directory(parts, name, limits)
            _check_contents(file, parts, name, limits)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError) as error:
        raise FileIsDamaged(
            f"{name} is a broken workbook ({error}).", subject=name, remedy="Open and save it again."
        ) from error


def _check_directory(parts: list[zipfile.ZipInfo], name: str, limits: WorkbookLimits) -> None:
    if len(parts) > limits.max_parts:
        raise UnsafeWorkbook(f"{name} consists of {len(parts):,} parts.", subject=name, remedy="Save it anew as XLSX.")
    if sum(part.file_size for part in parts) > limits.max_expanded_bytes:
        raise _expands(name, limits)
    for part in parts:
        if part.flag_bits & 0x1:
            raise FileIsEncrypted(f"{name} is encrypted.", subject=name, remedy="Save it without a password.")


def _check_contents(file: BinaryIO, parts: list[zipfile.ZipInfo], name: str, limits: WorkbookLimits) -> None:
    expanded = 0
    for part in parts:
        size = 0
        is_xml = part.filename.endswith((".xml", ".rels"))
        extent = _extent_of(part.filename)
        overlap = b""
        for chunk in _inflate(file, part):
            size += len(chunk)
            if expanded + size > limits.max_expanded_bytes:
                raise _expands(name, limits)
            if size > MAX_RATIO_FREE_BYTES and size > limits.max_ratio * max(1, part.compress_size):
                raise _expands(name, limits)
            data = overlap + chunk
            if is_xml and _ENTITY.search(data):
                raise UnsafeWorkbook(
                    f"{part.filename} in {name} declares XML entities, which no spreadsheet program does.",
                    subject=name,
                    remedy="Save it anew from a spreadsheet program.",
                )
            overlap = data[extent.watch(data) :][-8192:]
        expanded += size
        if extent.cells > limits.max_cells:
            raise UnsafeWorkbook(
                f"A sheet of {name} reaches over {extent.cells:,} cells, empty ones included.",
                subject=name,
                remedy="Delete the stray cells far right or below, or save the sheet as CSV.",
            )
        if part.filename == "META-INF/manifest.xml" and extent.is_encrypted:
            raise FileIsEncrypted(f"{name} is encrypted.", subject=name, remedy="Save it without a password.")


def _expands(name: str, limits: WorkbookLimits) -> UnsafeWorkbook:
    return UnsafeWorkbook(
        f"{name} unpacks to more than {limits.max_expanded_bytes >> 20:,} MiB or {limits.max_ratio} times its size.",
        subject=name,
        remedy="If it is what it should be, save the sheet as CSV.",
    )


def _inflate(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the unpacked bytes of a part, whatever size its headers state."""
    file.seek(part.header_offset)
    header = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    file.seek(header[9] + header[10], 1)
    left = part.compress_size
    if part.compress_type == zipfile.ZIP_STORED:
        while left > 0 and (packed := file.read(min(left, CHUNK_BYTES))):
            left -= len(packed)
            yield packed
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise zipfile.BadZipFile(f"{part.filename} is packed by method {part.compress_type}")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while left > 0 and (packed := file.read(min(left, CHUNK_BYTES))):
        left -= len(packed)
        while packed and not inflater.eof:
            yield inflater.decompress(packed, CHUNK_BYTES)
            packed = inflater.unconsumed_tail


def _extent_of(filename: str) -> _Extent:
    if filename.startswith("xl/worksheets/") and filename.endswith(".xml"):
        return _XlsxExtent()
    if filename == "content.xml":
        return _OdsExtent()
    if filename == "META-INF/manifest.xml":
        return _Manifest()
    return _Extent()


class _Extent:
    """How far a sheet reaches. `watch` takes a chunk that may end within a tag and returns where to go on."""

    is_encrypted = False

    @property
    def cells(self) -> int:
        return 0

    def watch(self, data: bytes) -> int:
        return max(0, len(data) - 16)


class _Manifest(_Extent):
    def watch(self, data: bytes) -> int:
        self.is_encrypted = self.is_encrypted or b"encryption-data" in data
        return super().watch(data)


class _XlsxExtent(_Extent):
    def __init__(self) -> None:
        self._columns: set[bytes] = set()
        self._last_row = 0

    @property
    def cells(self) -> int:
        return self._last_row * max(map(_column_number, self._columns), default=0)

    def watch(self, data: bytes) -> int:
        filled = [(column, int(row)) for column, row, empty in _XLSX_CELL.findall(data) if not empty]
        self._columns.update(column for column, _ in filled)
        self._last_row = max(self._last_row, max((row for _, row in filled), default=0))
        end = data.rfind(b">") + 1
        return end or super().watch(data)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


class _OdsExtent(_Extent):
    def __init__(self) -> None:
        self._largest = 0
        self._row = self._last_row = self._width = 0
        self._repeat = 1
        self._column = 0

    @property
    def cells(self) -> int:
        return max(self._largest, self._last_row * self._width)

    def watch(self, data: bytes) -> int:
        for match in _ODS_TAG.finditer(data):
            tag, attributes = match[1], match[2]
            if tag == b"table:table":
                self._largest = self.cells
                self._row = self._last_row = self._width = 0
            elif tag == b"table:table-row":
                found = _ODS_ROWS.search(attributes)
                self._row += int(found[1]) if found else 1
                self._column = 0
            else:
                found = _ODS_COLUMNS.search(attributes)
                self._column += int(found[1]) if found else 1
                if b"value-type=" in attributes:
                    self._last_row, self._width = self._row, max(self._width, self._column)
        end = data.rfind(b">") + 1
        return end or super().watch(data)
