"""From the bytes of a delimited text to its records: lines in bounded blocks, then cells, with nothing lost.

A record that cannot be read as such becomes a `Refusal` in its place, and reading resumes at the next line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from tieout.intake.text_encoding import chunks_of

MAX_RECORD_BYTES = 1 << 20
RAW_CHARACTERS = 1_000
"""How much of a refused record is kept to show."""

_BYTE_ORDER_MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
_UNDECODABLE = "\udcff"


@dataclass(frozen=True)
class Grammar:
    """How cells are written.

    `quote` is '' where there are no quotes, `escape` is '' where a doubled quote stands for one. `newline` ends a
    line: a line feed (a carriage return before it is stripped) or a carriage return.
    """

    delimiter: str
    quote: str = '"'
    escape: str = ""
    newline: str = "\n"


class Refusal:
    """Stands in the list of records for one that cannot be taken. Its length is 0, as that of a blank line."""

    __slots__ = ("column", "reason", "reason_code")

    def __init__(self, reason_code: str, reason: str, column: str | None = None) -> None:
        self.reason_code = reason_code
        self.reason = reason
        self.column = column

    def __len__(self) -> int:
        return 0


@dataclass
class Block:
    """Lines of text that follow one another in a file.

    `first_line` is the physical line (from 1) of `lines[0]`; `is_suspect` tells that a NUL or an undecodable byte
    is among them; `too_long` maps an index of a line that was cut to its length in bytes.
    """

    lines: list[str]
    first_line: int
    is_suspect: bool
    bytes_read: int
    is_last: bool = False
    too_long: dict[int, int] = field(default_factory=dict)


@dataclass
class Parsed:
    """Records of a block in three lists side by side; `rest` are the lines of a record that is still open."""

    rows: list[list[str] | Refusal]
    lines: list[int]
    raws: list[str]
    rest: list[str]


@dataclass(frozen=True)
class _Bounds:
    is_last: bool
    width: int
    max_record_bytes: int


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _UNDECODABLE, max(error.end, error.start + 1)


codecs.register_error("tieout.mark", _mark_undecodable)
csv.field_size_limit(2**31 - 1)  # the bound on a record is ours; the module's own of 128 KiB would refuse long memos


def read_blocks(path: Path, encoding: str, newline: str, *, max_line_bytes: int = MAX_RECORD_BYTES) -> Iterator[Block]:
    """Yield the lines of a file in blocks of about 1 MiB; memory stays bounded whatever the file holds.

    Undecodable bytes become lone surrogates. Of a line longer than `max_line_bytes` only the beginning is kept.
    """
    errors = "surrogateescape" if encoding == "utf-8" else "tieout.mark"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    reader = _LineCutter(newline, max_line_bytes)
    bytes_read = 0
    for chunk in chunks_of(path):
        text = decoder.decode(chunk if bytes_read else chunk.removeprefix(_BYTE_ORDER_MARKS.get(encoding, b"")))
        bytes_read += len(chunk)
        block = reader.cut(text, bytes_read)
        if block is not None:
            yield block
    yield reader.finish(decoder.decode(b"", final=True), bytes_read)


def lines_of(text: str, newline: str) -> list[str]:
    """Split at `newline` only (not at form feeds, line separators and the like), line ends kept."""
    return io.StringIO(text, newline=newline).readlines()


def parse(
    lines: list[str],
    first_line: int,
    grammar: Grammar,
    *,
    is_last: bool,
    width: int = 0,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Parsed:
    """Read `lines` as records. Blank lines give empty rows.

    Unless `is_last`, a record that is open at the end is handed back in `rest`, to be put before the next lines;
    one that is longer than `max_record_bytes` is refused. Where `width` is known, a record over several lines
    that has another number of cells, while its lines on their own have that many, is taken as an unclosed quote.
    """
    bounds = _Bounds(is_last=is_last, width=width, max_record_bytes=max_record_bytes)
    if not grammar.quote:
        return _parse_unquoted(lines, first_line, grammar.delimiter)
    if needs_exact("".join(lines), grammar):
        return _parse_stepwise(lines, first_line, _ExactReader(lines, grammar), bounds)
    rows: list[list[str] | Refusal] = []
    reader = csv.reader(lines, **_csv_options(grammar))
    try:
        rows.extend(reader)
    except csv.Error:
        return _parse_stepwise(lines, first_line, _CsvReader(lines, grammar), bounds)
    if len(rows) == len(lines):
        return Parsed(rows, list(range(first_line, first_line + len(lines))), lines, [])
    reader = csv.reader(lines, **_csv_options(grammar))
    ends = [reader.line_num for _ in reader]
    starts = [0, *ends[:-1]]
    if width and any(end - start > 2 and len(row) != width for row, start, end in zip(rows, starts, ends, strict=True)):
        return _parse_stepwise(lines, first_line, _CsvReader(lines, grammar), bounds)
    raws = ["".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    return Parsed(rows, [first_line + start for start in starts], raws, [])


def refuse_suspect(parsed: Parsed, columns: Sequence[str]) -> None:
    """Put a refusal in place of each record that holds a NUL or undecodable bytes, naming the column where it can."""
    for i, raw in enumerate(parsed.raws):
        if "\0" in raw:
            refusal = Refusal("nul_byte", "The row holds a NUL byte.")
        elif is_undecodable(raw):
            refusal = Refusal("wrong_encoding", "The row holds bytes that are no text in the file's encoding.")
        else:
            continue
        row = parsed.rows[i]
        if isinstance(row, list) and len(row) == len(columns):
            at = next((at for at, cell in enumerate(row) if "\0" in cell or is_undecodable(cell)), None)
            refusal.column = None if at is None else columns[at]
        parsed.rows[i] = refusal


def is_undecodable(text: str) -> bool:
    """Tell whether `text` holds a mark of undecodable bytes."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def printable(raw: str) -> str:
    """Return what can be shown of a refused record: without its line end, cut, and bytes that are no text spelt out."""
    cut = raw[:RAW_CHARACTERS].rstrip("\r\n").replace("\0", "\\x00")
    return cut.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:RAW_CHARACTERS]


class _LineCutter:
    """Cuts decoded text into blocks of whole lines and keeps the beginning of a line until its end comes."""

    def __init__(self, newline: str, max_line_bytes: int) -> None:
        self._newline = newline
        self._max = max_line_bytes
        self._next_line = 1
        self._open: list[str] = []
        self._open_bytes = 0
        self._is_cut = False

    def cut(self, text: str, bytes_read: int) -> Block | None:
        end = text.rfind(self._newline) + 1
        if not end:
            self._hold(text)
            return None
        return self._block(text[:end], text[end:], bytes_read, is_last=False)

    def finish(self, text: str, bytes_read: int) -> Block:
        return self._block(text, "", bytes_read, is_last=True)

    def _block(self, whole: str, rest: str, bytes_read: int, *, is_last: bool) -> Block:
        first_end = whole.find(self._newline) + 1 or len(whole)
        if self._open:
            self._hold(whole[:first_end])
        else:
            self._open_bytes = 0
        head, was_cut, head_bytes = "".join(self._open), self._is_cut, self._open_bytes
        self._open, self._open_bytes, self._is_cut = [], 0, False
        lines = lines_of(whole[first_end:] if head else whole, self._newline)
        if head:
            lines.insert(0, head)
        too_long = self._find_too_long(lines)
        if was_cut:
            too_long[0] = head_bytes
        block = Block(lines, self._next_line, _is_suspect(head, whole), bytes_read, is_last, too_long)
        self._next_line += len(lines)
        if rest:
            self._hold(rest)
        return block

    def _hold(self, text: str) -> None:
        """Keep more of a line whose end has not come, but no more of it than a record may have."""
        size = len(text.encode("utf-8", "surrogatepass"))
        self._open_bytes += size
        if self._is_cut:
            return
        if self._open_bytes > self._max:
            kept = "".join(self._open)[: RAW_CHARACTERS * 4]
            self._open = [kept + text[: max(0, RAW_CHARACTERS * 4 - len(kept))]]
            self._is_cut = True
        else:
            self._open.append(text)

    def _find_too_long(self, lines: list[str]) -> dict[int, int]:
        quarter = self._max // 4
        if not lines or max(map(len, lines)) <= quarter:
            return {}
        sizes = {i: len(line.encode("utf-8", "surrogatepass")) for i, line in enumerate(lines) if len(line) > quarter}
        return {i: size for i, size in sizes.items() if size > self._max}


def _is_suspect(head: str, text: str) -> bool:
    if "\0" in text or "\0" in head:
        return True
    return is_undecodable(head) or is_undecodable(text)


def _csv_options(grammar: Grammar) -> dict[str, Any]:
    return {
        "delimiter": grammar.delimiter,
        "quotechar": grammar.quote,
        "escapechar": grammar.escape or None,
        "doublequote": not grammar.escape,
        "strict": True,
    }


def _parse_unquoted(lines: list[str], first_line: int, delimiter: str) -> Parsed:
    rows: list[list[str] | Refusal] = [
        stripped.split(delimiter) if stripped else [] for stripped in (line.rstrip("\r\n") for line in lines)
    ]
    return Parsed(rows, list(range(first_line, first_line + len(lines))), lines, [])


def needs_exact(text: str, grammar: Grammar) -> bool:
    """Tell whether the text holds what the csv module reads otherwise than we do.

    That is spaces between a delimiter and a quote, and carriage returns that end no line.
    """
    if grammar.escape:
        return False
    if grammar.newline == "\n" and "\r" in text and text.count("\r") != text.count("\r\n"):
        return True
    quote = grammar.quote
    if not quote or (f" {quote}" not in text and f"{quote} " not in text):
        return False
    return _spaced_quote(grammar.delimiter, quote).search(text) is not None


@cache
def _spaced_quote(delimiter: str, quote: str) -> re.Pattern[str]:
    d, q = re.escape(delimiter), re.escape(quote)
    return re.compile(rf"(?:\A|[\r\n]|{d}) +{q}|{q} +(?:{d}|[\r\n]|\Z)")


class _Reader(Protocol):
    grammar: Grammar
    position: int

    def __init__(self, lines: list[str], grammar: Grammar) -> None: ...

    def read(self, start: int) -> list[str] | Refusal | None:
        """Read the record that starts at line `start`; `position` is then the line after it, or that of the error.

        None: the record is open where the lines end.
        """


def _parse_stepwise(lines: list[str], first_line: int, reader: _Reader, bounds: _Bounds) -> Parsed:
    parsed = Parsed([], [], [], [])
    start = 0
    while start < len(lines):
        row = reader.read(start)
        end = reader.position
        if row is None:
            rest = lines[start:]
            if not bounds.is_last and sum(map(len, rest)) <= bounds.max_record_bytes:
                parsed.rest = rest
                return parsed
            row = Refusal("unclosed_quote", "A quote is opened in this line and not closed.")
        elif _is_overlong(row, end - start, bounds) and _are_rows(lines[start + 1 : end - 1], bounds.width, reader):
            row = Refusal("unclosed_quote", "A quote is opened in this line and closed only among later rows.")
        if isinstance(row, Refusal):
            end = start + 1
        parsed.rows.append(row)
        parsed.lines.append(first_line + start)
        parsed.raws.append(lines[start] if end == start + 1 else "".join(lines[start:end]))
        start = end
    return parsed


def _is_overlong(row: list[str] | Refusal, line_count: int, bounds: _Bounds) -> bool:
    return bounds.width > 0 and line_count > 2 and len(row) != bounds.width


def _are_rows(lines: Sequence[str], width: int, reader: _Reader) -> bool:
    """Tell whether at least half of the lines are rows of the table, each on its own."""
    probe = type(reader)(list(lines), reader.grammar)
    whole = [probe.read(i) for i in range(len(lines))]
    return 2 * sum(1 for row in whole if row is not None and len(row) == width) >= len(lines)


class _CsvReader:
    """Reads single records by the csv module, from any line on."""

    def __init__(self, lines: list[str], grammar: Grammar) -> None:
        self.grammar = grammar
        self.position = 0
        self._lines = lines
        self._has_ended = False
        self._reader = csv.reader(self, **_csv_options(grammar))

    def __iter__(self) -> _CsvReader:
        return self

    def __next__(self) -> str:
        if self.position >= len(self._lines):
            self._has_ended = True
            raise StopIteration
        self.position += 1
        return self._lines[self.position - 1]

    def read(self, start: int) -> list[str] | Refusal | None:
        self.position, self._has_ended = start, False
        try:
            return next(self._reader)
        except csv.Error:
            if self._has_ended:
                return None
            return _misplaced_quote(is_in_first_line=self.position == start + 1)


class _ExactReader:
    """Reads single records cell by cell: spaces around quotes are dropped, a carriage return within a line is data."""

    def __init__(self, lines: list[str], grammar: Grammar) -> None:
        self.grammar = grammar
        self.position = 0
        self._lines = lines
        self._delimiter = grammar.delimiter
        self._quote = grammar.quote

    def read(self, start: int) -> list[str] | Refusal | None:
        self.position = start + 1
        line = self._lines[start].rstrip("\r\n")
        if not line:
            return []
        cells: list[str] = []
        at = 0
        while True:
            begin = at
            while line.startswith(" ", begin):
                begin += 1
            if line.startswith(self._quote, begin):
                closed = self._read_quoted(begin + 1)
                if closed is None:
                    return None
                cell, line, at = closed
                while line.startswith(" ", at):
                    at += 1
                if at < len(line) and not line.startswith(self._delimiter, at):
                    return _misplaced_quote(is_in_first_line=self.position == start + 1)
                end = at
            else:
                end = line.find(self._delimiter, at)
                end = len(line) if end < 0 else end
                cell = line[at:end]
            cells.append(cell)
            if end >= len(line):
                return cells
            at = end + 1

    def _read_quoted(self, at: int) -> tuple[str, str, int] | None:
        """Return a quoted cell from `at` in the current line, the line it ends in without its end, and where."""
        parts: list[str] = []
        line = self._lines[self.position - 1]
        while True:
            end = line.find(self._quote, at)
            if end < 0:
                parts.append(line[at:])
                if self.position >= len(self._lines):
                    return None
                line, at = self._lines[self.position], 0
                self.position += 1
            elif line.startswith(self._quote, end + 1):
                parts.append(line[at : end + 1])
                at = end + 2
            else:
                parts.append(line[at:end])
                return "".join(parts), line.rstrip("\r\n"), end + 1


def _misplaced_quote(*, is_in_first_line: bool) -> Refusal:
    if is_in_first_line:
        return Refusal("stray_quote", "Text follows a closing quote, so the cells of this row are uncertain.")
    return Refusal("unclosed_quote", "A quote is opened in this line and closed only within a later row.")
