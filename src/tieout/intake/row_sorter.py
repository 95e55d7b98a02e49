"""Rows, footers, sections and blank lines told apart, in one pass, for all readers of tables in text or sheets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from tieout.intake.csv_records import Parsed, Refusal, printable
from tieout.intake.records import Rejected
from tieout.intake.records_file import RecordsFile
from tieout.intake.table_shape import (
    RowRole,
    TableProfile,
    find_doubtful,
    fits,
    is_blank,
    is_cut_off,
    is_weak_footer,
    role_of,
)

HELD_ROWS = 50
"""How many rows at the end of a file are looked at for footers that only their place gives away."""

_NOT_COUNTED = {
    RowRole.FOOTER: ("footer", "The line closes the table and is no record of it."),
    RowRole.SECTION: ("section_record", "The line opens or closes a section and is no record of the table."),
    RowRole.REPEATED_HEADER: ("repeated_header", "The line repeats the header."),
}


class RowSorter:
    """Sends each record where it belongs and numbers the rows; the last ones wait until it is known what follows."""

    def __init__(self, file: RecordsFile, profile: TableProfile, delimiter: str) -> None:
        self._file = file
        self._profile = profile
        self._delimiter = delimiter
        self._width = len(file.columns)
        self._row_no = 0
        self._blank_lines = 0
        self._set_aside: Counter[str] = Counter()
        self._held = Parsed([], [], [], [])

    def take(self, parsed: Parsed) -> None:
        rows, lines = [*self._held.rows, *parsed.rows], [*self._held.lines, *parsed.lines]
        raws = [*self._held.raws, *parsed.raws]
        cut = max(0, len(rows) - HELD_ROWS)
        self._held = Parsed(rows[cut:], lines[cut:], raws[cut:], [])
        self._send(rows[:cut], lines[:cut], raws[:cut], self._strangers(rows[:cut], raws[:cut]))

    def take_columns(self, columns: list[pa.Array], first_line: int, raw_of: Callable[[int], str]) -> bool:
        """Take rows that stand in consecutive lines, column by column; False, taking none, where one is doubtful.

        `raw_of` gives the raw text of a row by its index; the last rows are held as any others.
        """
        count = len(columns[0])
        if self._find_doubtful(["" if cell is None else cell for cell in columns[0].to_pylist()]):
            return False
        held = self._held
        self._send(held.rows, held.lines, held.raws, self._strangers(held.rows, held.raws))
        sent = max(0, count - HELD_ROWS)
        if sent:
            begin, self._row_no = self._row_no + 1, self._row_no + sent
            lines = range(first_line, first_line + sent)
            self._file.append(range(begin, self._row_no + 1), lines, [column[:sent] for column in columns])
        rest = [["" if cell is None else cell for cell in column[sent:].to_pylist()] for column in columns]
        rows: list[list[str] | Refusal] = [list(row) for row in zip(*rest, strict=True)]
        kept = range(sent, count)
        self._held = Parsed(rows, [first_line + i for i in kept], [raw_of(i) for i in kept], [])
        return True

    def finish(self) -> None:
        """Send the last rows, now that nothing follows them."""
        held = self._held
        strangers = self._strangers(held.rows, held.raws)
        for i in reversed(range(len(held.rows))):
            row, known = held.rows[i], strangers.get(i)
            if known in (RowRole.BLANK, RowRole.FOOTER, RowRole.SECTION):
                continue
            is_last = i == len(held.rows) - 1
            is_cut = is_last and is_cut_off(held.raws[i])
            if isinstance(row, Refusal) or not is_weak_footer(row, self._profile, is_cut=is_cut):
                break
            strangers[i] = RowRole.FOOTER
        self._send(held.rows, held.lines, held.raws, strangers)

    def notes(self) -> list[str]:
        """Say how many lines were no rows."""
        found = [f"{self._blank_lines:,} blank line(s) were passed over."] if self._blank_lines else []
        for code, count in sorted(self._set_aside.items()):
            found.append(f"{count:,} line(s) are no rows and were set aside: {code.replace('_', ' ')}.")
        return found

    def _strangers(self, rows: Sequence[list[str] | Refusal], raws: Sequence[str]) -> dict[int, RowRole | Refusal]:
        """Return what is wrong with rows that are no plain data, by index."""
        found: dict[int, RowRole | Refusal] = {}
        for i in self._doubtful(rows):
            verdict = self._judge(rows[i], raws[i])
            if verdict is not RowRole.DATA:
                found[i] = verdict
        return found

    def _doubtful(self, rows: Sequence[list[str] | Refusal]) -> Iterable[int]:
        """Return, fast, the indexes of rows that are worth a closer look: most rows of most files are not."""
        if set(map(len, rows)) == {self._width}:
            return self._find_doubtful([row[0] for row in rows if isinstance(row, list)])
        odd = [i for i, row in enumerate(rows) if len(row) != self._width]
        even = [(i, row[0]) for i, row in enumerate(rows) if isinstance(row, list) and len(row) == self._width]
        return [*odd, *(even[at][0] for at in self._find_doubtful([first for _, first in even]))]

    def _find_doubtful(self, firsts: Sequence[str]) -> Iterable[int]:
        """Return the indexes of rows whose first cell may be that of a footer, a section or a repeated header."""
        profile = self._profile
        doubtful = set(find_doubtful(firsts))
        if profile.tag:
            doubtful.update(i for i, first in enumerate(firsts) if first != profile.tag)
        if profile.header and profile.header[0] in firsts:
            doubtful.update(i for i, first in enumerate(firsts) if first == profile.header[0])
        return doubtful

    def _judge(self, row: list[str] | Refusal, raw: str) -> RowRole | Refusal:
        if isinstance(row, Refusal):
            return row
        if is_blank(row, raw, self._delimiter):
            return RowRole.BLANK
        role = role_of(row, self._profile)
        if role is not RowRole.DATA or fits(row, self._width):
            return role
        return Refusal("ragged_row", f"The row has {len(row)} cells, {self._width} are expected.")

    def _send(
        self,
        rows: Sequence[list[str] | Refusal],
        lines: Sequence[int],
        raws: Sequence[str],
        strangers: dict[int, RowRole | Refusal],
    ) -> None:
        if not strangers and set(map(len, rows)) == {self._width}:
            begin, self._row_no = self._row_no + 1, self._row_no + len(rows)
            self._file.append(range(begin, self._row_no + 1), lines, list(zip(*rows, strict=True)))
            return
        good: list[list[str]] = []
        good_lines: list[int] = []
        row_nos: list[int] = []
        for i, row in enumerate(rows):
            verdict = strangers.get(i)
            if verdict is None and isinstance(row, list):
                self._row_no += 1
                row_nos.append(self._row_no)
                good.append(row if len(row) == self._width else row[: self._width])
                good_lines.append(lines[i])
            elif verdict is RowRole.BLANK:
                self._blank_lines += 1
            elif isinstance(verdict, Refusal):
                self._row_no += 1
                self._reject(self._row_no, lines[i], verdict, raws[i])
            elif verdict is not None:
                self._reject(None, lines[i], Refusal(*_NOT_COUNTED[verdict]), raws[i])
                self._set_aside[_NOT_COUNTED[verdict][0]] += 1
        if good:
            self._file.append(row_nos, good_lines, list(zip(*good, strict=True)))

    def _reject(self, row_no: int | None, line: int, refusal: Refusal, raw: str) -> None:
        self._file.reject(Rejected(row_no, line, refusal.column, refusal.reason_code, refusal.reason, printable(raw)))
