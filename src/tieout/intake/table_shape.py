"""Where a table begins and ends among lines of text: kinds of cells, the header, names of columns, footers.

Shared by the readers of delimited text and of spreadsheets. Everything here is a pure decision on cells that are text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from tieout.intake.records import LINE, ROW_NO

Cells = Sequence[str]

HEADER_SEARCH_ROWS = 60
"""How many non-blank rows from the top may stand above the header."""

LISTED = 10
"""How many columns a note names."""

RESERVED_NAMES = frozenset((ROW_NO, LINE, "file_row_number", "__rejected"))
"""Names of the columns that readers add to every table, and those that the engine adds to what it reads itself."""

JUDGED_ROWS = 200
"""How many rows are looked at to learn what the columns hold."""

_ABSENT = frozenset({"", "-", "--", "n/a", "na", "#n/a", "nan", "null", "none", "nil", "\\n"})
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    rf"""(?ix)
    \d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}} (?:[T\s].*)?
    | \d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}}) (?:[T,\s].*)?
    | \d{{1,2}}[-/.\s]{_MONTH}[-/.,\s]+\d{{2,4}} (?:[T,\s].*)?
    | {_MONTH}\s\d{{1,2}},?\s\d{{4}} (?:[T,\s].*)?
    | \d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:\s?[ap]\.?m\.?)?(?:\s[A-Z]{{2,5}})?
    """
)
_NUMBER_DRESS = str.maketrans("", "", " \t\u00a0\u202f\u2009+-\u2212()%.,'\u2019$€£¥₹₽₩₺zł")
_CURRENCY_CODE = re.compile(r"^[A-Z]{3}\s?(?=[-+(\d.])|(?<=\d)\s?(?:[A-Z]{3}|CR|DR|Kč|kr)$")
_DIGIT = re.compile(r"\d")
_SCIENTIFIC = re.compile(r"[-+]?\d+(?:\.\d+)?[eE][-+]?\d{1,3}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_TAG = re.compile(r"[A-Z]{1,3}|\d{1,2}")

_TOTAL = (
    r"(?:(?:grand|sub|sum|net|page|report|final|overall|column)[\s-]*)?totals?"
    r"|sum(?:me|ma|a|mary)?|zwischensumme|endsumme|gesamt(?:summe|betrag)?|insgesamt|saldo"
    r"|totaal|subtotaal|totale|subtotale|totaux|sous-total|somme|razem|celkem|итого|всего|合計|合计|总计|総計|toplam"
)
_BARE_TOTAL = re.compile(rf"(?i)(?:{_TOTAL})\s*[:=]?")
_FOOTER_WORDS = re.compile(
    rf"""(?ix)
    (?: {_TOTAL} ) (?:\b|[^\w]|$)
    | \W* end \s+ of \s+ (?:report|file|statement|data|list|document|records?) \b
    | \W* eof \W* $
    | (?:number|no\.?|count) \s+ of \s+ (?:records?|rows?|transactions?|items?|entries|lines) \b
    | (?:records?|rows?|transactions?|items?|entries|lines) (?:\s+(?:count|total|exported|returned))? \s* [:=]
    | (?:record|row|transaction|item|line) \s+ count \b
    | (?:report\s+)? (?:generated|exported|printed|created) \s+ (?:on|at|by|from) \b
    | (?:opening|closing|ending|starting|beginning) \s+ balance \b
    """
)


_FOOTER_STARTS = frozenset(
    "be|ce|cl|co|cr|en|eo|ex|fi|ge|gr|in|it|li|ne|no|nu|op|ov|pa|pr|ra|re|ro|sa|so|st|su|to|tr|zw|ит|вс".split("|")  # noqa: SIM905
) | {"合計", "合计", "总计", "総計"}
"""The first two letters of all that _FOOTER_WORDS matches; other first characters than letters and digits count too."""


class CellKind(Enum):
    """What a cell looks like. CODED is text with a digit in it, as references and addresses have."""

    ABSENT = "absent"
    NUMBER = "number"
    DATE = "date"
    CODED = "coded"
    TEXT = "text"


_STRONG = (CellKind.NUMBER, CellKind.DATE)


class RowRole(Enum):
    """What a row of a table is."""

    DATA = "data"
    BLANK = "blank"
    FOOTER = "footer"
    SECTION = "section"
    REPEATED_HEADER = "repeated header"


@dataclass(frozen=True)
class TableProfile:
    """What rows of one table have in common, so that a stranger among them can be told.

    `kinds` holds the dominant kind of each column, `filled` whether it is (nearly) never absent, `tag` the
    constant of the first column where the file marks each record with its type ('' elsewhere).
    """

    header: tuple[str, ...] = ()
    kinds: tuple[CellKind, ...] = ()
    filled: tuple[bool, ...] = ()
    tag: str = ""


@dataclass(frozen=True)
class TableStart:
    """Where a table begins: indexes into the rows that were looked at.

    `header` is None where the table has no header. `width` counts the columns, `profile` describes its rows.
    """

    header: int | None
    first_data: int
    width: int
    columns: tuple[str, ...]
    profile: TableProfile
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=1 << 14)
def kind_of(cell: str) -> CellKind:
    """Tell what a cell looks like, whatever the language of its marks."""
    text = cell.strip()
    if text.lower() in _ABSENT:
        return CellKind.ABSENT
    if not _DIGIT.search(text):
        return CellKind.TEXT
    if len(text) > 60:
        return CellKind.CODED
    if _DATE.fullmatch(text):
        return CellKind.DATE
    bare = _CURRENCY_CODE.sub("", text).translate(_NUMBER_DRESS)
    if bare.isdecimal() or _SCIENTIFIC.fullmatch(text):
        return CellKind.NUMBER
    return CellKind.CODED


def free_name(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, or with a number behind it if that is `taken` whatever the case, and take it."""
    name, ordinal = wanted, 1
    while name.casefold() in taken:
        ordinal += 1
        name = f"{wanted}_{ordinal}"
    taken.add(name.casefold())
    return name


def name_columns(cells: Cells, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one name a column, unique whatever the case, and notes on each name that had to be made.

    An empty name becomes `column_N`; a repeated one gets `_2`, `_3`; the names that readers add to
    every table count as taken.
    """
    taken = set(RESERVED_NAMES)
    names: list[str] = []
    renamed: list[tuple[str, str]] = []
    for position in range(1, width + 1):
        given = " ".join((cells[position - 1] if position <= len(cells) else "").replace("\0", " ").split())
        name = free_name(given.strip("\ufeff\u200b") or f"column_{position}", taken)
        if given and name != given:
            renamed.append((given, name))
        names.append(name)
    unnamed = [str(n) for n, name in enumerate(names, 1) if name == f"column_{n}"]
    notes = note_renamed(renamed)
    if unnamed and cells:
        notes = (*notes, f"Without a name in the header: column {_listed(unnamed)}.")
    return tuple(names), notes


def note_renamed(renamed: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return a note on columns, as (given, new), that got another name than they came with."""
    listed = _listed([f"{given[:60]!r} to {name[:60]!r}" for given, name in renamed])
    return (f"Columns renamed, as their names were taken already: {listed}.",) if renamed else ()


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:LISTED]) + (f" and {len(items) - LISTED:,} more" if len(items) > LISTED else "")


def find_table(rows: Sequence[Cells]) -> TableStart | None:
    """Find the table among `rows` (all blank ones included, as empty sequences); None where there is none.

    The width is that of the most cells; the header is the row above the data that is filled like the data but
    typed unlike it. Where each row down from the first looks like the others, the table has no header.
    """
    occupied = [i for i, row in enumerate(rows) if any(map(str.strip, row))]
    if not occupied:
        return None
    width = _dominant_width([rows[i] for i in occupied])
    body = _body(rows, occupied, width)
    used = _used_width(body, width)
    kinds = _column_kinds(body, used)
    header = _find_header(rows, occupied, width, _Body(body, used, kinds))
    first_data = _first_data(rows, occupied, width, kinds) if header is None else header + 1
    if header is not None:  # a cell that no name stands above makes its row ragged: it may be a stray delimiter
        used = min(max(used, _filled_width(rows[header])), len(rows[header]))
    names, notes = _names(rows, header, used)
    data = _thin([rows[i] for i in occupied if i >= first_data and len(rows[i]) >= used]) or body
    profile = _profile(rows, occupied, header, data, used)
    return TableStart(header, first_data, used, names, profile, notes)


def role_of(cells: Cells, profile: TableProfile) -> RowRole:
    """Tell what a row is by its own content, wherever it stands.

    A row counts as a footer only if its first cell says so and a column that is always filled (or always a date
    or a number) contradicts it too: a customer may be called Total.
    """
    if profile.header and _is_header(cells, profile.header):
        return RowRole.REPEATED_HEADER
    if profile.tag and cells[0] != profile.tag and _TAG.fullmatch(cells[0]):
        return RowRole.SECTION
    first = next((cell for cell in cells if cell.strip()), "")
    if not first:
        return RowRole.DATA
    if _FOOTER_WORDS.match(first.strip()) and _contradicts(cells, profile):
        return RowRole.FOOTER
    return RowRole.DATA


def is_blank(row: Sequence[str], raw: str, delimiter: str) -> bool:
    """Tell whether a line has no content: empty, white space, delimiters only, or an end-of-file mark of old."""
    if not row:
        return True
    if len(row) == 1:
        return not raw.strip(" \t\r\n\x1a\ufeff" + delimiter)
    return not any(row) and not raw.strip("\r\n" + delimiter)


def fits(row: Sequence[str], width: int) -> bool:
    """Tell whether a row has as many cells as the table; empty ones beyond do not count."""
    return len(row) == width or (len(row) > width and not any(cell.strip() for cell in row[width:]))


def is_cut_off(raw: str) -> bool:
    """Tell whether the file ends within this record, as far as a missing line end tells it."""
    return not raw.endswith(("\n", "\r"))


def find_doubtful(first_cells: Sequence[str]) -> list[int]:
    """Return, fast, the indexes of rows that may be footers going by their first cell: `role_of` then decides."""
    doubtful = {start for start in {cell[:2] for cell in first_cells} if _is_doubtful(start)}
    return [i for i, cell in enumerate(first_cells) if cell[:2] in doubtful] if doubtful else []


def _is_doubtful(start: str) -> bool:
    return start.lower() in _FOOTER_STARTS or not start[:1].isalnum()


def is_weak_footer(cells: Cells, profile: TableProfile, *, is_cut: bool = False) -> bool:
    """Tell whether a row in the last lines of a file is a footer; `is_cut` if the file ends within this row.

    Here, too few cells that do not look like those of the table, a lone cell, or a bare 'Total' are enough; behind
    the figures, a bare 'Total' where a cell that is always filled is not. A row that was cut off looks like the
    beginning of a row of the table and is no footer.
    """
    filled = [i for i, cell in enumerate(cells) if cell.strip()]
    if not filled:
        return False
    width = len(profile.kinds)
    if _BARE_TOTAL.fullmatch(cells[filled[0]].strip()) or _is_total_behind(cells, filled, profile):
        return True
    conforming, strange = _conformity(cells, profile.kinds)
    if len(cells) < width:
        if is_cut and not _conformity(cells[:-1], profile.kinds)[1]:
            return " " in cells[filled[0]].strip() and _FOOTER_WORDS.match(cells[filled[0]].strip()) is not None
        return strange > conforming or (conforming == 0 and len(cells) < max(2, width // 2 + 1))
    lone = len(filled) == 1 and sum(profile.filled) > 1
    return lone and conforming == 0


def _is_total_behind(cells: Cells, filled: Sequence[int], profile: TableProfile) -> bool:
    texts = [cells[i].strip() for i in filled if kind_of(cells[i]) is not CellKind.NUMBER]
    return len(texts) == 1 and _BARE_TOTAL.fullmatch(texts[0]) is not None and _contradicts(cells, profile)


def _is_header(cells: Cells, header: tuple[str, ...]) -> bool:
    return cells[0] == header[0] and tuple(cells[: len(header)]) == header


def _contradicts(cells: Cells, profile: TableProfile) -> bool:
    if len(cells) < len(profile.kinds):
        return True
    for cell, kind, filled in zip(cells, profile.kinds, profile.filled, strict=False):
        found = kind_of(cell)
        if filled and found is CellKind.ABSENT:
            return True
        if kind in _STRONG and found not in (kind, CellKind.ABSENT):
            return True
    return False


def _dominant_width(rows: Sequence[Cells]) -> int:
    counts = Counter(len(row) for row in rows)
    repeated = {width: count for width, count in counts.items() if count > 1 and width > 1}
    candidates = repeated or counts
    return max(candidates, key=lambda width: (candidates[width] * (width - 1), width))


def _filled_width(row: Cells) -> int:
    return max((i for i, cell in enumerate(row, 1) if cell.strip()), default=0)


def _used_width(body: Sequence[Cells], width: int) -> int:
    return min(width, max((_filled_width(row) for row in body), default=width))


def _body(rows: Sequence[Cells], occupied: Sequence[int], width: int) -> list[Cells]:
    """Return rows that are surely data: the lower half of those that have the width, strangers left out."""
    wide = [rows[i] for i in occupied if len(rows[i]) == width]
    lower = _sure(_thin(wide[len(wide) // 2 :]))
    typed = [row for row in lower if any(kind_of(cell) in _STRONG for cell in row)]
    return typed if 2 * len(typed) >= len(lower) else lower


def _sure(rows: list[Cells]) -> list[Cells]:
    """Return rows without those that begin like a footer or are filled by less than half of what is usual."""
    fills = [len(row) - list(map(str.strip, row)).count("") for row in rows]
    usual = sorted(fills)[len(fills) // 2]
    sure = [
        row
        for row, fill in zip(rows, fills, strict=True)
        if 2 * fill >= usual
        and not _FOOTER_WORDS.match(next((cell for cell in row if cell.strip()), "").strip())
        and not _BARE_TOTAL.fullmatch(next((cell for cell in reversed(row) if cell.strip()), "").strip())
    ]
    return sure or rows


def _thin(rows: list[Cells]) -> list[Cells]:
    """Return rows spread evenly over all, no more than are needed to judge."""
    return rows[:: -(-len(rows) // JUDGED_ROWS)] if len(rows) > JUDGED_ROWS else rows


def _column_kinds(body: Sequence[Cells], width: int) -> tuple[CellKind, ...]:
    return tuple(map(_dominant_kind, _kinds_by_column(body, width)))


def _kinds_by_column(rows: Sequence[Cells], width: int) -> list[list[CellKind]]:
    return [[kind_of(row[i]) for row in rows if i < len(row)] for i in range(width)]


def _dominant_kind(kinds: Sequence[CellKind]) -> CellKind:
    present = len(kinds) - kinds.count(CellKind.ABSENT)
    if not present:
        return CellKind.ABSENT
    for kind in _STRONG:
        if kinds.count(kind) >= 0.7 * present:
            return kind
    coded = sum(map(kinds.count, (CellKind.CODED, *_STRONG)))
    return CellKind.CODED if coded >= 0.9 * present else CellKind.TEXT


def _conformity(cells: Cells, kinds: Sequence[CellKind]) -> tuple[int, int]:
    """Count cells that agree and disagree with the kind of their column, over columns of numbers and dates."""
    conforming = strange = 0
    for cell, kind in zip(cells, kinds, strict=False):
        if kind not in _STRONG:
            continue
        found = kind_of(cell)
        if found is CellKind.ABSENT:
            continue
        if found is kind:
            conforming += 1
        else:
            strange += 1
    return conforming, strange


class _Body:
    """Rows that are surely data, and what a row must look like to be one of them."""

    def __init__(self, rows: Sequence[Cells], width: int, kinds: tuple[CellKind, ...]) -> None:
        self.width = width
        self.kinds = kinds
        self.is_typed = any(kind in _STRONG for kind in kinds)
        coded = [i for i, kind in enumerate(kinds) if kind is CellKind.CODED]
        self._shapes = {i: {_shape(row[i]) for row in rows if i < len(row)} for i in coded}

    @property
    def is_coded(self) -> bool:
        return bool(self._shapes)

    def conformity(self, cells: Cells) -> tuple[int, int]:
        """Count cells that agree and disagree with their column: by kind, or where no column is typed, by shape."""
        if self.is_typed:
            return _conformity(cells, self.kinds)
        found = [_shape(cells[i]) in shapes for i, shapes in self._shapes.items() if i < len(cells) and cells[i]]
        return found.count(True), found.count(False)


def _shape(cell: str) -> str:
    """Return the outline of a text: 'TX-0041' and 'AB-7' both give 'A-9'."""
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", cell.strip()))


def _find_header(rows: Sequence[Cells], occupied: Sequence[int], width: int, body: _Body) -> int | None:
    """Return the index of the header row, or None where the rows say that there is none.

    Only rows above the first that looks like data are asked, so that no data is taken for a preamble.
    """
    top = [i for i in occupied[:HEADER_SEARCH_ROWS] if _is_filled_like_header(rows[i], body)]
    fitting = [i for i in top if body.width <= len(rows[i]) <= width]
    if not body.is_typed and not (body.is_coded and len(occupied) > 1):
        return fitting[0] if fitting else None
    for candidates in (fitting, top):
        unlike_data: list[int] = []
        for i in candidates:
            conforming, strange = body.conformity(rows[i])
            if conforming > strange:
                break
            if conforming == 0 and strange > 0:
                unlike_data.append(i)
        if unlike_data:
            return max(unlike_data, key=lambda i: (_text_share(rows[i]), -i))
        if candidates and body.is_typed and _has_years_for_names(rows[candidates[0]], body.kinds):
            return candidates[0]
    return None


def _text_share(row: Cells) -> float:
    kinds = [kind_of(cell) for cell in row if cell.strip()]
    return kinds.count(CellKind.TEXT) / len(kinds)


def _is_filled_like_header(row: Cells, body: _Body) -> bool:
    if len(row) < body.width - 1:
        return False
    inhabited = sum(1 for kind in body.kinds if kind is not CellKind.ABSENT)
    filled = [cell.strip() for cell in row if cell.strip()]
    if len(filled) < max(1, 0.6 * inhabited) or (body.width > 1 and len(filled) < 2):
        return False
    return max(len(cell) for cell in filled) <= 300


def _has_years_for_names(row: Cells, kinds: Sequence[CellKind]) -> bool:
    strong = [cell.strip() for cell, kind in zip(row, kinds, strict=False) if kind is CellKind.NUMBER]
    years = [cell for cell in strong if _YEAR.fullmatch(cell)]
    others = [cell for cell in strong if not _YEAR.fullmatch(cell)]
    has_names = any(kind_of(cell) is CellKind.TEXT for cell in row)
    return (
        len(years) > 1
        and len(set(years)) == len(years)
        and has_names
        and all(kind_of(cell) is CellKind.TEXT for cell in others)
    )


def _first_data(rows: Sequence[Cells], occupied: Sequence[int], width: int, kinds: Sequence[CellKind]) -> int:
    """Return the first row of a table without header: of full width, and no stranger to its columns."""
    for i in occupied:
        conforming, strange = _conformity(rows[i], kinds)
        if len(rows[i]) == width and conforming >= strange:
            return i
    return occupied[0]


def _names(rows: Sequence[Cells], header: int | None, width: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if header is not None:
        return name_columns(rows[header], width)
    names, _ = name_columns((), width)
    return names, ("The file has no header; its columns are called column_1, column_2 and so on.",)


def _profile(
    rows: Sequence[Cells], occupied: Sequence[int], header: int | None, data: Sequence[Cells], width: int
) -> TableProfile:
    tag = _record_tag(rows, occupied, header, width) if header is not None else ""
    kept = [row for row in data if (not tag or row[0] == tag)] or list(data)
    sure = _sure(kept)
    found = _kinds_by_column(sure, width)
    filled = tuple(len(kinds) - kinds.count(CellKind.ABSENT) >= 0.95 * len(sure) for kinds in found)
    cells = tuple(rows[header][:width]) if header is not None else ()
    return TableProfile(cells, tuple(map(_dominant_kind, found)), filled, tag)


def _record_tag(rows: Sequence[Cells], occupied: Sequence[int], header: int | None, width: int) -> str:
    """Return the mark of data records in a file that tags each record with its type, or ''.

    Such a file has a tag in the header's first cell, another that all full rows share, and rows of other
    widths with tags of their own.
    """
    if header is None or width < 3 or not _TAG.fullmatch(rows[header][0]):
        return ""
    own = {rows[i][0] for i in occupied if i > header and len(rows[i]) >= width} - {rows[header][0]}
    others = [rows[i] for i in occupied if i != header and len(rows[i]) < width]
    tags = Counter(row[0] for row in others)
    if len(own) != 1 or not others or not all(_TAG.fullmatch(tag) for tag in tags):
        return ""
    (tag,) = own
    return tag if _TAG.fullmatch(tag) and tag not in (rows[header][0], *tags) else ""
