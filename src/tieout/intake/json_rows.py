"""Read records from JSON: a list of objects, an object that holds one, or one object a line (NDJSON).

Numbers keep every digit they were written with. Lists at the top and lines are read piece by piece; only an
object that holds the list is loaded whole, up to a limit.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieout.core.errors import TieoutError
from tieout.intake.csv_records import Refusal, is_undecodable, printable, read_blocks
from tieout.intake.formats import FileIsDamaged, FileIsEmpty, NoTableFound
from tieout.intake.records import Records, Rejected
from tieout.intake.records_file import RecordsFile
from tieout.intake.table_shape import RESERVED_NAMES, free_name, note_renamed
from tieout.intake.text_encoding import Progress, by_mark, chunks_of

MAX_RECORD_BYTES = 16 << 20
MAX_DOCUMENT_BYTES = 128 << 20
FLATTENED_LEVELS = 16
SEARCHED_LEVELS = 5
CLEAR_LEAD = 4
"""By how many times a list must outnumber the next for it to be the one that is meant."""

_BATCH_ROWS = 10_000
_BATCH_CHARACTERS = 16 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class RecordsAreAmbiguous(TieoutError):
    """A JSON document holds several lists of records, and none is clearly the one that is meant."""

    code = "records_are_ambiguous"
    http_status = 422


class UnknownRecords(TieoutError):
    """A JSON document has no list of records under the path that was asked for."""

    code = "unknown_records"
    http_status = 422


class DocumentTooLarge(TieoutError):
    """A JSON document has to be loaded whole and is too large for that."""

    code = "document_too_large"
    http_status = 413


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _RepeatedKey(ValueError):
    """An object has the same key twice, so one value would be lost."""


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _RepeatedKey(f"The key {repeated!r} occurs twice.")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_to_object, parse_float=_Number, parse_int=_Number, parse_constant=_Number, strict=False
)


def read_json(
    path: Path,
    out_dir: Path,
    records: str | None = None,
    *,
    name: str = "",
    file_format: str = "json",
    max_rows: int | None = None,
    on_progress: Progress | None = None,
) -> Records:
    """Read the records of a JSON or NDJSON file; `records` is the dotted path of their list within an object.

    Objects within a record become columns with dotted names, lists their JSON text. `__line` is the line
    on which a record starts. Reason codes: bad_json, not_an_object, repeated_key, too_deep,
    wrong_encoding, nul_byte, line_too_long; they refuse a record. A document that breaks off is refused whole:
    FileIsDamaged. Raises also RecordsAreAmbiguous, UnknownRecords, NoTableFound, DocumentTooLarge, TooManyRows.
    """
    name = name or path.name
    with path.open("rb") as file:
        encoding, mark = by_mark(file.read(4096))
    source = _Source(path, name, encoding or "utf-8", mark, on_progress)
    with RecordsFile(out_dir, name, max_rows=max_rows) as file_out:
        rows = _Rows(file_out)
        notes: list[str] = []
        if file_format == "ndjson" and records is None:
            _read_lines(source, rows)
        else:
            text = _Text(source)
            document = None if text.starts_list else _load(text)
            if document is not None:
                found, notes = _find_records(document.value, records, name)
                for element, line in zip(found.elements, document.lines_of(found), strict=True):
                    rows.take(element, "", line)
            else:
                _refuse_path(records, name)
                is_list = text.starts_list
                file_format = "json" if is_list else "ndjson"
                if is_list:
                    _read_list(text, rows)
                else:
                    _read_lines(source, rows)
        rows.finish()
        if not rows.has_objects:
            raise NoTableFound(
                f"{name} holds no objects that could be records.",
                subject=name,
                remedy="Export it as a list of objects.",
            )
        return file_out.finish(file_format, (*notes, *rows.notes))


def _refuse_path(records: str | None, name: str) -> None:
    if records is not None:
        raise UnknownRecords(
            f"{name} is a plain list of records, so it has nothing at {records!r}.",
            subject=records,
            remedy="Leave --records out.",
        )


@dataclass(frozen=True)
class _Source:
    """A file of JSON; `mark` is the length of its byte order mark."""

    path: Path
    name: str
    encoding: str
    mark: int
    on_progress: Progress | None

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def tell(self, done: int) -> None:
        """Report progress."""
        if self.on_progress is not None:
            self.on_progress(done, self.size)

    def pieces(self) -> Iterator[str]:
        """Yield the text. Raises FileIsDamaged at bytes that are none."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        done = self.mark
        try:
            for chunk in chunks_of(self.path, self.mark):
                yield decoder.decode(chunk)
                done += len(chunk)
                self.tell(done)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise FileIsDamaged(
                f"{self.name} holds bytes that are no {self.encoding} text (near byte {done + error.start:,}).",
                subject=self.name,
                remedy="JSON is UTF-8; export it again as such.",
            ) from error


class _Text:
    """The text of a file piece by piece, with the place of what was consumed."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.name = source.name
        self._line = 1
        self._buffer = ""
        self._at = 0
        self._pieces = source.pieces()
        self.is_at_end = False
        self._skip_space()
        if not self._buffer:
            raise FileIsEmpty(f"{self.name} holds no text.", subject=self.name, remedy="Export or download it again.")

    @property
    def starts_list(self) -> bool:
        return self._buffer.startswith("[", self._at)

    @property
    def line(self) -> int:
        return self._line

    def rest(self) -> str:
        """Return all text from here on."""
        return self._buffer[self._at :] + "".join(self._pieces)

    def elements(self) -> Iterator[tuple[Any, str, int]]:
        """Yield each element of the list at the top with its text and the line on which it starts."""
        self._at += 1
        self._skip_space()
        if self._take("]"):
            self._expect_end()
            return
        while True:
            value, raw = self._element()
            yield value, raw, self._line
            self._line += raw.count("\n")
            self._skip_space()
            if self._take("]"):
                self._expect_end()
                return
            if not self._take(","):
                raise self._damaged("a comma or the end of the list is missing", self._at)
            self._skip_space()

    def _element(self) -> tuple[Any, str]:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self.is_at_end:
                    raise self._damaged(_lower_first(error.msg), error.pos) from error
            else:
                if end < len(self._buffer) or self.is_at_end:
                    raw = self._buffer[self._at : end]
                    self._at = end
                    return value, raw
            if len(self._buffer) - self._at > MAX_RECORD_BYTES:
                raise self._damaged(f"a record is broken or has more than {MAX_RECORD_BYTES >> 20} MiB", self._at)
            self._more()

    def _more(self) -> None:
        piece = next(self._pieces, None)
        self._buffer = self._buffer[self._at :] + (piece or "")
        self._at = 0
        self.is_at_end = piece is None

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._buffer, self._at)
            if match:
                self._line += match[0].count("\n")
                self._at = match.end()
            if self._at < len(self._buffer) or self.is_at_end:
                return
            self._more()

    def _take(self, character: str) -> bool:
        if self._buffer.startswith(character, self._at):
            self._at += 1
            return True
        return False

    def _expect_end(self) -> None:
        self._skip_space()
        if self._at < len(self._buffer):
            raise self._damaged("text follows the end of the list", self._at)

    def _damaged(self, what: str, at: int) -> FileIsDamaged:
        line = self._line + self._buffer.count("\n", self._at, at)
        is_cut = self.is_at_end and not self._buffer[at:].strip()
        what = "it breaks off" if is_cut else what
        return FileIsDamaged(
            f"{self.name} is not valid JSON: {what} (line {line}).",
            subject=self.name,
            remedy="Export it again; records one a line (NDJSON) can be read in part.",
        )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _read_list(text: _Text, rows: _Rows) -> None:
    elements = text.elements()
    while True:
        try:
            value, raw, line = next(elements)
        except StopIteration:
            return
        except _RepeatedKey as error:
            raise FileIsDamaged(f"{text.name}: {error}", subject=text.name, remedy="Export it again.") from error
        except RecursionError as error:
            raise _too_deep(text.name) from error
        rows.take(value, raw, line)


def _too_deep(name: str) -> FileIsDamaged:
    return FileIsDamaged(f"{name} is nested too deeply to be records.", subject=name, remedy="Export it as a list.")


def _read_lines(source: _Source, rows: _Rows) -> None:
    for block in read_blocks(source.path, source.encoding, "\n", max_line_bytes=MAX_RECORD_BYTES):
        for i, line in enumerate(block.lines):
            if not line.strip():
                continue
            number = block.first_line + i
            if i in block.too_long:
                rows.refuse(Refusal("line_too_long", f"The line has {block.too_long[i]:,} bytes."), line, number)
            elif "\0" in line:
                rows.refuse(Refusal("nul_byte", "The line holds a NUL byte."), line, number)
            elif block.is_suspect and is_undecodable(line):
                rows.refuse(Refusal("wrong_encoding", "The line holds bytes that are no UTF-8."), line, number)
            else:
                rows.take_line(line, number)
        source.tell(min(block.bytes_read, source.size))


@dataclass(frozen=True)
class _Document:
    """A whole file that is one object, parsed, and its text, which begins on line `first_line`."""

    value: dict[str, Any]
    text: str
    first_line: int

    def lines_of(self, found: _Candidate) -> Iterator[int]:
        """Yield the line on which each element of a list in the document starts."""
        if found.is_document:
            yield self.first_line
            return
        at, line, counted = self._start_of(found.path), self.first_line, 0
        for _ in found.elements:
            at = _past_space(self.text, at + 1)  # behind the bracket or the comma
            line, counted = line + self.text.count("\n", counted, at), at
            yield line
            at = _past_space(self.text, _DECODER.raw_decode(self.text, at)[1])

    def _start_of(self, path: tuple[str, ...]) -> int:
        """Return where the value at a path of keys begins."""
        at = 0
        for wanted in path:
            while True:
                at = _past_space(self.text, at + 1)  # behind the brace or the comma
                key, at = _DECODER.raw_decode(self.text, at)
                at = _past_space(self.text, _past_space(self.text, at) + 1)  # behind the colon
                if key == wanted:
                    break
                at = _past_space(self.text, _DECODER.raw_decode(self.text, at)[1])
        return at


def _past_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _load(text: _Text) -> _Document | None:
    """Return the document if it is one object; None where more follows, as in NDJSON."""
    size = text.source.size
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(
            f"{text.name} is one JSON object of {size >> 20:,} MiB; up to {MAX_DOCUMENT_BYTES >> 20} can be loaded.",
            subject=text.name,
            remedy="Export its records as a list at the top, or one a line (NDJSON): these can have any size.",
        )
    first_line, whole = text.line, text.rest()
    try:
        value, end = _DECODER.raw_decode(whole)
    except json.JSONDecodeError as error:
        if _first_line_is_object(whole):
            return None
        raise FileIsDamaged(
            f"{text.name} is not valid JSON: {_lower_first(error.msg)} (line {error.lineno}).",
            subject=text.name,
            remedy="Export it again; records one a line (NDJSON) can be read in part.",
        ) from error
    except _RepeatedKey as error:
        raise FileIsDamaged(f"{text.name}: {error}", subject=text.name, remedy="Export it again.") from error
    except RecursionError as error:
        raise _too_deep(text.name) from error
    if whole[end:].strip():
        return None
    return _Document(value if isinstance(value, dict) else {}, whole, first_line)


def _first_line_is_object(text: str) -> bool:
    """Tell whether a text that is no single document looks like one object a line."""
    first, _, more = text.partition("\n")
    try:
        return isinstance(_DECODER.decode(first), dict) and bool(more.strip())
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True)
class _Candidate:
    path: tuple[str, ...]
    elements: list[Any]
    is_document: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)


def _find_records(document: dict[str, Any], wanted: str | None, name: str) -> tuple[_Candidate, list[str]]:
    """Return the list of records that `document` holds, and notes on the choice."""
    candidates = sorted(_lists_of_objects(document, (), 0), key=lambda found: (-len(found.elements), found.path))
    if wanted is not None:
        chosen = _at_path(document, wanted)
        if chosen is None:
            raise UnknownRecords(
                f"{name} has no list at {wanted!r}.", subject=wanted, remedy=_choices(candidates) or "It has no lists."
            )
        return chosen, []
    if not candidates:
        if any(not isinstance(value, dict | list) for value in document.values()):
            return _Candidate((), [document], is_document=True), [
                "The file holds one object, which was read as one record."
            ]
        raise NoTableFound(
            f"{name} is a JSON object that holds no list of records.",
            subject=name,
            remedy="Export it as a list of objects.",
        )
    first = candidates[0]
    if len(candidates) > 1 and len(first.elements) < CLEAR_LEAD * len(candidates[1].elements):
        raise RecordsAreAmbiguous(
            f"{name} holds several lists of records, and none is clearly the one meant.",
            subject=name,
            remedy=_choices(candidates),
        )
    notes = [f"The {len(first.elements):,} records are those of {first.name!r}."]
    if len(candidates) > 1:
        others = ", ".join(repr(other.name) for other in candidates[1:10])
        notes.append(f"Other lists were not read: {others} (--records takes another).")
    return first, notes


def _choices(candidates: Sequence[_Candidate]) -> str:
    listed = ", ".join(f"--records {found.name} ({len(found.elements):,})" for found in candidates[:10])
    return f"Choose one: {listed}." if listed else ""


def _lists_of_objects(document: dict[str, Any], path: tuple[str, ...], level: int) -> Iterator[_Candidate]:
    for key, value in document.items():
        if isinstance(value, list) and any(isinstance(element, dict) for element in value):
            yield _Candidate((*path, key), value)
        elif isinstance(value, dict) and level < SEARCHED_LEVELS:
            yield from _lists_of_objects(value, (*path, key), level + 1)


def _at_path(document: Any, path: str, above: tuple[str, ...] = ()) -> _Candidate | None:
    """Return the list at a dotted path; keys may hold dots themselves."""
    if isinstance(document, list):
        return _Candidate(above, document) if not path else None
    if not isinstance(document, dict) or not path:
        return None
    for key, value in document.items():
        if path == key or path.startswith(f"{key}."):
            found = _at_path(value, path[len(key) + 1 :], (*above, key))
            if found is not None:
                return found
    return None


class _Rows:
    """Turns decoded values into rows of text with one column a field, and writes them in batches."""

    def __init__(self, file: RecordsFile) -> None:
        self.has_objects = False
        self._file = file
        self._renamed: list[tuple[str, str]] = []
        self._row_no = 0
        self._columns: dict[str, int] = {}
        self._taken = set(RESERVED_NAMES)
        self._row_nos: list[int] = []
        self._lines: list[int] = []
        self._rows: list[dict[int, str | None]] = []
        self._characters = 0

    @property
    def notes(self) -> tuple[str, ...]:
        return note_renamed(self._renamed)

    def take(self, value: Any, raw: str, line: int) -> None:
        """Take one record, which starts on `line`."""
        self._row_no += 1
        try:
            found = self._flatten(value)
        except RecursionError:
            found = Refusal("too_deep", "The record is nested too deeply.")
        if isinstance(found, Refusal):
            is_deep = found.reason_code == "too_deep"
            self._reject(found, raw or ("" if is_deep else _json_text(value)), line)
            return
        self._row_nos.append(self._row_no)
        self._lines.append(line)
        self._rows.append(found)
        self._characters += sum(len(text) for text in found.values() if text is not None)
        if len(self._rows) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
            self._flush()

    def take_line(self, text: str, line: int) -> None:
        """Take one line of NDJSON."""
        try:
            value = _DECODER.decode(text.strip("\ufeff \t\r\n"))
        except _RepeatedKey as error:
            self.refuse(Refusal("repeated_key", str(error)), text, line)
        except json.JSONDecodeError as error:
            self.refuse(Refusal("bad_json", f"{error.msg} (column {error.colno})."), text, line)
        except RecursionError:
            self.refuse(Refusal("too_deep", "The record is nested too deeply."), text, line)
        else:
            self.take(value, text, line)

    def refuse(self, refusal: Refusal, raw: str, line: int) -> None:
        """Quarantine a line that is no record."""
        self._row_no += 1
        self._reject(refusal, raw, line)

    def finish(self) -> None:
        self._flush()

    def _reject(self, refusal: Refusal, raw: str, line: int) -> None:
        self._file.reject(
            Rejected(self._row_no, line, refusal.column, refusal.reason_code, refusal.reason, printable(raw))
        )

    def _flatten(self, value: Any) -> dict[int, str | None] | Refusal:
        if not isinstance(value, dict):
            return Refusal("not_an_object", "The element is no object, so it has no named fields.")
        self.has_objects = True
        row: dict[int, str | None] = {}
        for key, cell in _fields(value, "", 0):
            text = _text_of(cell)
            column = self._column(key)
            if column in row:
                return Refusal("repeated_key", f"The field {key!r} occurs twice, nested and with a dot in its name.")
            if text is not None and "\0" in text:
                return Refusal("nul_byte", "The record holds a NUL character.", key)
            if text is not None and is_undecodable(text):
                return Refusal("wrong_encoding", "The record holds half of a surrogate pair.", key)
            row[column] = text
        return row

    def _column(self, key: str) -> int:
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = len(self._columns)
            clean = (
                " ".join(key.encode("utf-8", "replace").decode().replace("\0", " ").split()) or f"column_{column + 1}"
            )
            name = free_name(clean, self._taken)
            if name != key:
                self._renamed.append((key, name))
            self._file.add_columns([name])
        return column

    def _flush(self) -> None:
        columns = [[row.get(i) for row in self._rows] for i in range(len(self._columns))]
        self._file.append(self._row_nos, self._lines, columns)
        self._row_nos, self._lines, self._rows, self._characters = [], [], [], 0


def _fields(value: dict[str, Any], prefix: str, level: int) -> Iterator[tuple[str, Any]]:
    for key, cell in value.items():
        if isinstance(cell, dict) and cell and level < FLATTENED_LEVELS:
            yield from _fields(cell, f"{prefix}{key}.", level + 1)
        else:
            yield f"{prefix}{key}", cell


def _text_of(cell: Any) -> str | None:
    if cell is None:
        return None
    return str(cell) if isinstance(cell, str) else _json_text(cell)


def _json_text(value: Any) -> str:
    """Return JSON text in which numbers stand as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_json_text(cell)}" for key, cell in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json_text, value))}]"
    return json.dumps(value, ensure_ascii=False)
