"""How a delimited text is written: encoding, delimiter, quotes, where the table begins, whether the fast way applies.

`sniff` reads the first 256 KiB and the last 64 KiB as text, and all bytes for what DuckDB would let pass
unseen; rows that hold delimiters only are looked for after loading (`csv_bare_row`).
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tieout.core.errors import TieoutError
from tieout.intake.csv_records import (
    MAX_RECORD_BYTES,
    Grammar,
    Parsed,
    Refusal,
    is_undecodable,
    lines_of,
    parse,
    refuse_suspect,
)
from tieout.intake.csv_traps import TableText, Traps
from tieout.intake.formats import FileIsEmpty, size_of
from tieout.intake.table_shape import (
    CellKind,
    RowRole,
    TableProfile,
    TableStart,
    find_doubtful,
    find_table,
    fits,
    is_blank,
    is_cut_off,
    is_weak_footer,
    kind_of,
    name_columns,
    role_of,
)
from tieout.intake.text_encoding import Utf8Evidence, by_mark, chunks_of, guess_legacy, is_encoding

HEAD_BYTES = 256 << 10
TAIL_BYTES = 64 << 10

_SCORED_ROWS = 200
_USUAL = ",;\t|"
_RARE = "\x1f\x1e\x01^~:"
_SEP_LINE = re.compile(r'(?i)"?sep=(.)"?\s*$')


class WrongHint(TieoutError):
    """What the user said about a text does not fit it."""

    code = "wrong_hint"
    http_status = 422


@dataclass(frozen=True)
class CsvHints:
    """What the user said about a text; '' or None where the file decides. `header_line` 0 means: no header."""

    encoding: str = ""
    delimiter: str = ""
    header_line: int | None = None


@dataclass(frozen=True)
class CsvDialect:
    """How one file is written. Lines are physical lines from 1.

    `header_line` is None where the file has no header; `skip_lines` counts the lines above the first record,
    `preamble_lines` those of them that are neither blank nor the header. `is_plain` means that DuckDB can read the
    file with `duckdb_arguments`; otherwise `obstacles` say why not, and `read_csv_carefully` reads it.
    """

    encoding: str
    delimiter: str
    quote: str
    escape: str
    newline: str
    columns: tuple[str, ...]
    header_line: int | None
    skip_lines: int
    preamble_lines: int = 0
    profile: TableProfile = field(default_factory=TableProfile)
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        return not self.obstacles

    @property
    def grammar(self) -> Grammar:
        """How cells are written, for the careful reader."""
        return Grammar(self.delimiter, self.quote, self.escape, _line_break(self.newline))


@dataclass(frozen=True)
class _Ends:
    """The first and the last bytes of a file."""

    head: bytes
    tail: bytes
    size: int

    @property
    def head_is_all(self) -> bool:
        return len(self.head) == self.size

    @property
    def tail_is_all(self) -> bool:
        return len(self.tail) == self.size


@dataclass(frozen=True)
class _Attempt:
    """The sample as one grammar reads it, and how well that fits."""

    grammar: Grammar
    parsed: Parsed
    score: float


def sniff(path: Path, hints: CsvHints | None = None, *, name: str = "") -> CsvDialect:
    """Find out how the text in `path` is written.

    Raises FileIsEmpty when it holds no text and WrongHint when a hint does not fit it.
    """
    hints, name = hints or CsvHints(), name or path.name
    ends = _read_ends(path, name)
    encoding = _said_encoding(hints) or by_mark(ends.head)[0]
    if encoding:
        dialect, _ = _of_ends(name, ends, encoding, hints)
        return _look_through(path, dialect, "")[0] if encoding == "utf-8" else dialect
    evidence = Utf8Evidence()
    evidence.watch(ends.head)
    if evidence.is_valid or evidence.is_mostly_valid:
        dialect, header_text = _of_ends(name, ends, "utf-8", hints)
        dialect, evidence = _look_through(path, dialect, header_text)
        if evidence.is_valid or evidence.is_mostly_valid:
            return dialect
    guess = guess_legacy(evidence.sample)
    note = (
        f"The text is not UTF-8; it is read as {guess}, judging by its letters; if they look wrong, save it as UTF-8."
    )
    dialect, _ = _of_ends(name, ends, guess, hints)
    return replace(dialect, notes=(note, *dialect.notes))


def duckdb_arguments(dialect: CsvDialect) -> dict[str, object]:
    """Return the arguments with which DuckDB's `read_csv` reads a plain file: every cell as text, nothing forgiven.

    An empty cell is NULL, quoted or not. `columns` is a mapping, in SQL a STRUCT.
    """
    return {
        "auto_detect": False,
        "delim": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape or dialect.quote,
        "header": False,
        "skip": dialect.skip_lines,
        "columns": dict.fromkeys(dialect.columns, "VARCHAR"),
        "strict_mode": True,
        "null_padding": False,
        "ignore_errors": False,
        "max_line_size": MAX_RECORD_BYTES,
        "compression": "none",
        "hive_partitioning": False,
    }


def row_obstacle(row: list[str] | Refusal, raw: str, dialect: CsvDialect) -> str:
    """Say why a record needs the careful way, or ''."""
    if isinstance(row, Refusal):
        return row.reason
    if not row:
        return "" if not raw.strip("\r\n") else "A line holds nothing but white space."
    if is_blank(row, raw, dialect.delimiter):
        return "A row holds delimiters only."
    if not fits(row, len(dialect.columns)):
        return "A row has more or fewer cells than the header."
    role = role_of(row, dialect.profile)
    return "" if role is RowRole.DATA else f"A row is no record but a {role.value}."


def _read_ends(path: Path, name: str) -> _Ends:
    size = size_of(path, name)
    with path.open("rb", buffering=0) as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size - TAIL_BYTES))
        return _Ends(head, file.read(TAIL_BYTES), size)


def _said_encoding(hints: CsvHints) -> str:
    """Return Python's name of the encoding that the user named, or ''; the byte order of UTF-16 is left to the file."""
    if not hints.encoding:
        return ""
    if not is_encoding(hints.encoding):
        raise WrongHint(
            f"There is no encoding called {hints.encoding!r}.",
            subject=hints.encoding,
            remedy="Name one such as utf-8, cp1252, utf-16 or shift_jis.",
        )
    name = codecs.lookup(hints.encoding).name
    return {"utf-8-sig": "utf-8", "utf-16": "", "utf-32": ""}.get(name, name)


def _of_ends(name: str, ends: _Ends, encoding: str, hints: CsvHints) -> tuple[CsvDialect, str]:
    """Return the dialect as far as head and tail tell it, and the text of the header line."""
    text = _decode(ends.head, encoding)
    if not text.strip("\ufeff \t\r\n\0\x1a"):
        raise FileIsEmpty(f"{name} holds no text.", subject=name, remedy="Export or download it again.")
    newline = _newline(text)
    lines = lines_of(text, _line_break(newline))
    if not ends.head_is_all and len(lines) > 1:
        lines.pop()
    said = _SEP_LINE.match(lines[0])
    above = 1 if said else 0
    hints = replace(hints, delimiter=hints.delimiter or (said[1] if said else ""))
    attempt = _best_attempt(_Sample(lines[above:], above + 1, _line_break(newline), ends.head_is_all), hints.delimiter)
    starts = [*attempt.parsed.lines, len(lines) + 1 - len(attempt.parsed.rest)]
    table = _find_table(name, attempt.parsed, starts, hints)
    dialect, header_text = _describe(
        attempt, table, starts, above, CsvDialect(encoding, "", "", "", newline, (), None, 0)
    )
    obstacles = list(_head_obstacles(lines, attempt.parsed, table, dialect))
    if encoding == "utf-8":
        obstacles += _tail_obstacles(_decode(ends.tail, encoding), dialect, is_whole=ends.tail_is_all)
    else:
        obstacles.append(f"The text is in {encoding}.")
    return replace(dialect, obstacles=tuple(dict.fromkeys(obstacles))), header_text


def _describe(
    attempt: _Attempt, table: TableStart, starts: Sequence[int], above: int, dialect: CsvDialect
) -> tuple[CsvDialect, str]:
    raws = attempt.parsed.raws
    preamble = above + sum(1 for i in range(table.first_data) if i != table.header and raws[i].strip())
    place = "first row" if table.header is None else "header"
    notes = [f"{preamble} line(s) above the {place} were passed over."] if preamble else []
    described = replace(
        dialect,
        delimiter=attempt.grammar.delimiter,
        quote=attempt.grammar.quote,
        escape=attempt.grammar.escape,
        columns=table.columns,
        header_line=None if table.header is None else starts[table.header],
        skip_lines=starts[table.first_data] - 1,
        preamble_lines=preamble,
        profile=table.profile,
        notes=(*notes, *table.notes),
    )
    return described, "" if table.header is None else raws[table.header].rstrip("\r\n")


def _decode(data: bytes, encoding: str) -> str:
    errors = "surrogateescape" if encoding == "utf-8" else "tieout.mark"
    return data.decode(encoding, errors).removeprefix("\ufeff")


def _newline(text: str) -> str:
    """Return the line end that prevails; a carriage return only where there is no line feed at all."""
    feeds = text.count("\n")
    if not feeds:
        return "\r" if "\r" in text else "\n"
    return "\r\n" if 2 * text.count("\r\n") > feeds else "\n"


def _line_break(newline: str) -> str:
    return "\r" if newline == "\r" else "\n"


def _find_table(name: str, parsed: Parsed, starts: Sequence[int], hints: CsvHints) -> TableStart:
    rows = [[] if isinstance(row, Refusal) else row for row in parsed.rows]
    if hints.header_line is None:
        table = find_table(rows)
    elif hints.header_line == 0:
        table = _table_without_header(rows)
    else:
        at = next((i for i, line in enumerate(parsed.lines) if line >= hints.header_line), None)
        table = None if at is None or starts[at] != hints.header_line else _table_under(rows, at)
    if table is not None:
        return table
    if hints.header_line is None:
        return TableStart(None, 0, 1, ("column_1",), TableProfile(), ("No row of the beginning can be read.",))
    raise WrongHint(
        f"No row that could be a header begins at line {hints.header_line} of {name}.",
        subject=name,
        remedy="Give the line of the header as a text editor counts it, or 0 for none.",
    )


def _table_without_header(rows: list[list[str]]) -> TableStart | None:
    """Return the table that the user says has no header, by setting one of our own above it."""
    width = max(map(len, rows), default=0)
    columns, _ = name_columns((), width)
    found = find_table([[re.sub(r"\d", "x", name) for name in columns], *rows])
    if found is None or not width:
        return None
    return TableStart(None, 0, found.width, columns[: found.width], replace(found.profile, header=()))


def _table_under(rows: list[list[str]], header: int) -> TableStart | None:
    """Return the table whose header is said to be `rows[header]`."""
    if not any(rows[header]):
        return None
    found = find_table(rows[header:])
    columns, notes = name_columns(rows[header], len(rows[header]))
    profile = found.profile if found and found.width == len(columns) else TableProfile()
    return TableStart(header, header + 1, len(columns), columns, replace(profile, header=tuple(rows[header])), notes)


@dataclass(frozen=True)
class _Sample:
    """The lines at the top of a file below a `sep=` line; `is_all` tells that there are no more."""

    lines: list[str]
    first_line: int
    newline: str
    is_all: bool

    @property
    def text(self) -> str:
        return "".join(self.lines)


def _best_attempt(sample: _Sample, delimiter: str) -> _Attempt:
    """Read the sample with each delimiter in question and return the reading in which it is most of a table."""
    text = sample.text
    if delimiter:
        return _attempt(sample, text, delimiter)
    attempts = [_attempt(sample, text, d) for d in _USUAL if d in text]
    if max((attempt.score for attempt in attempts), default=0) < 0.3:
        attempts += [_attempt(sample, text, d) for d in _RARE if d in text]
    best = max(attempts, key=lambda attempt: attempt.score, default=None)
    return best if best is not None and best.score > 0 else _attempt(sample, text, ",")


def _attempt(sample: _Sample, text: str, delimiter: str) -> _Attempt:
    """Read the sample with `delimiter`; other quotes than the usual have to prove better where those fail."""
    best: _Attempt | None = None
    for quote, escape in _quotes(text, delimiter):
        if best is not None and not _may_be_unquoted(best, text):
            break
        grammar = Grammar(delimiter, quote, escape, sample.newline)
        parsed = parse(sample.lines, sample.first_line, grammar, is_last=sample.is_all)
        if "\0" in text or is_undecodable(text):
            refuse_suspect(parsed, ())
        score = _score(parsed.rows)
        if best is None or score > best.score:
            best = _Attempt(grammar, parsed, score)
    if best is None:
        raise AssertionError("every text can be read with some quote")
    return best


def _quotes(text: str, delimiter: str) -> list[tuple[str, str]]:
    """Return the pairs of quote and escape that the text may use, likeliest first."""
    d = re.escape(delimiter)
    if '"' not in text:
        has_single = "'" in text and re.search(rf"(?:^|{d})'[^'\r\n]*'(?={d}|\r|$)", text, re.MULTILINE)
        return [("'", ""), ('"', "")] if has_single else [('"', "")]
    found = [('"', ""), ("", "")]
    if re.search(rf'\\"(?!\s*(?:{d}|[\r\n]|\Z))', text) and not re.search(r'""(?!"|[,;\t|\r\n])', text):
        found.insert(0, ('"', "\\"))
    return found


def _may_be_unquoted(attempt: _Attempt, text: str) -> bool:
    """Tell whether quotes may be plain characters here, since as quotes they tear records apart.

    Texts with tabs or bars are often written without quotes. In one with commas a lone bad quote is rather
    a mistake in its row, so many are needed, and no cell that is quoted well.
    """
    rows, raws = attempt.parsed.rows, attempt.parsed.raws
    refused = sum(1 for row in rows if isinstance(row, Refusal))
    if attempt.grammar.delimiter not in ",;":
        return refused > 0 or any("\n" in raw.rstrip("\r\n") for raw in raws)
    d = re.escape(attempt.grammar.delimiter)
    has_good_quotes = re.search(rf'(?:^|{d})"[^"\r\n]*"(?={d}|\r|$)', text, re.MULTILINE)
    return refused >= 3 and refused >= 0.05 * len(rows) and not has_good_quotes


def _score(rows: Sequence[list[str] | Refusal]) -> float:
    """Rate a reading from 0 to 1: rows of one width, cells that are values of one kind, rather more columns."""
    sample = [row for row in rows if isinstance(row, Refusal) or any(row)]
    if len(sample) > _SCORED_ROWS:
        sample = sample[: _SCORED_ROWS // 2] + sample[-_SCORED_ROWS // 2 :]
    table = find_table([row for row in sample if not isinstance(row, Refusal)])
    if table is None or table.width < 2:
        return 0.0
    good = [row for row in sample if not isinstance(row, Refusal) and fits(row, table.width)]
    consistency = len(good) / len(sample)
    cells = [cell for row in good for cell in row]
    clean = sum(1 for cell in cells if _is_clean(cell)) / max(1, len(cells))
    return consistency * consistency * (0.3 + 0.7 * clean) * math.sqrt(1 - 1 / table.width)


def _is_clean(cell: str) -> bool:
    """Tell a cell that is one value from one in which two seem stuck together by another delimiter."""
    if ";" in cell or "\t" in cell or "|" in cell or cell.startswith('"'):
        return False
    return "," not in cell or kind_of(cell) is not CellKind.CODED


def _head_obstacles(lines: list[str], parsed: Parsed, table: TableStart, dialect: CsvDialect) -> Iterator[str]:
    """Say what in the sample keeps DuckDB from reading the file as it is."""
    if dialect.escape:
        yield "Quotes are escaped by a backslash."
    if len(dialect.columns) < 2:
        yield "The table has one column only."
    above = lines[: (dialect.header_line or dialect.skip_lines + 1) - 1]
    if any((dialect.quote or '"') in line for line in above):
        yield "There are quotes above the header."
    if dialect.header_line and dialect.skip_lines != dialect.header_line:
        yield "The header spans several lines."
    yield from _first_obstacle(parsed.rows[table.first_data :], parsed.raws[table.first_data :], dialect)


def _first_obstacle(rows: Sequence[list[str] | Refusal], raws: Sequence[str], dialect: CsvDialect) -> Iterator[str]:
    """Say why the first record that needs the careful way does; most rows are known for data by their first cell."""
    width, header, tag = len(dialect.columns), list(dialect.profile.header[:1]), dialect.profile.tag

    def is_ordinary(row: list[str]) -> bool:
        return len(row) == width and row[:1] != header and (not tag or row[0] == tag)

    doubtful = find_doubtful([row[0] if isinstance(row, list) and is_ordinary(row) else "" for row in rows])
    for position in doubtful:
        obstacle = row_obstacle(rows[position], raws[position], dialect)
        if obstacle:
            yield obstacle
            return


def _tail_obstacles(text: str, dialect: CsvDialect, *, is_whole: bool) -> Iterator[str]:
    """Say whether the last lines hold footers or anything else that is no row of the table."""
    lines = lines_of(text, dialect.grammar.newline)
    lines = lines[dialect.skip_lines :] if is_whole else _from_record_start(lines[1:], dialect)
    parsed = parse(lines, 1, dialect.grammar, is_last=True)
    obstacles = list(_first_obstacle(parsed.rows, parsed.raws, dialect))
    if obstacles:
        yield from obstacles
        return
    last = next((i for i in reversed(range(len(parsed.rows))) if parsed.rows[i]), None)
    if last is None:
        return
    row = parsed.rows[last]
    if isinstance(row, list) and is_weak_footer(row, dialect.profile, is_cut=is_cut_off(parsed.raws[last])):
        yield "The last line is a footer."


def _from_record_start(lines: list[str], dialect: CsvDialect) -> list[str]:
    """Drop lines at the top of the tail that may be the middle of a record with quoted line ends."""
    width = len(dialect.columns)
    for start in range(min(len(lines), 50)):
        rows = parse(lines[start : start + 200], 1, dialect.grammar, is_last=False).rows[:20]
        if rows and all(isinstance(row, list) and (not row or fits(row, width)) for row in rows):
            return lines[start:]
    return lines


def _look_through(path: Path, dialect: CsvDialect, header_text: str) -> tuple[CsvDialect, Utf8Evidence]:
    """Look at every byte for what the ends of the file may not show and DuckDB would let pass."""
    evidence = Utf8Evidence()
    traps = Traps(TableText(dialect.grammar, dialect.newline, header_text, dialect.header_line != 1))
    trap = ""
    for chunk in chunks_of(path):
        evidence.watch(chunk)
        if dialect.is_plain and not trap:
            trap = traps.find(chunk)
    evidence.watch(b"", is_last=True)
    found = [trap] if trap else []
    if not evidence.is_valid:
        found.append("Some bytes are no UTF-8.")
    return replace(dialect, obstacles=(*dialect.obstacles, *found)), evidence
