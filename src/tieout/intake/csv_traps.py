"""Byte patterns that DuckDB's reader lets pass or takes otherwise than meant, searched for in a whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tieout.intake.csv_records import Grammar


@dataclass(frozen=True)
class TableText:
    """What the search needs to know of a table.

    `header` is the text of the header line, '' if none; `is_preceded` tells that it is not the first line.
    """

    grammar: Grammar
    newline: str
    width: int
    header: str
    is_preceded: bool = False


class Traps:
    """Looks through the chunks of a file, in order, for what keeps it from being read the fast way."""

    def __init__(self, table: TableText) -> None:
        end = table.newline.encode()
        delimiter, quote = table.grammar.delimiter.encode(), table.grammar.quote.encode()
        d, q = re.escape(delimiter), re.escape(quote)
        self._newline = end
        self._header = end + table.header.encode() if table.header else b""
        self._bare = end + delimiter * (table.width - 1)
        self._bare_row = re.compile(re.escape(self._bare) + d + rb"*[\r\n]")
        self._quote = quote
        edge = rb"[\r\n" + d + rb"]"
        self._spaced_quote = re.compile(
            edge + rb" +" + q + rb"|" + q + rb" +" + edge + rb"|[^\r\n" + d + rb"]" + q + rb" +" + q
        )
        self._overlap_bytes = max(64, len(self._header), len(self._bare) + 2)
        self._before = b""
        self._offset = 0
        self._own_header = -1 if table.is_preceded else 0

    def find(self, chunk: bytes) -> str:
        """Return in words what the next chunk holds, or ''."""
        seen = len(self._before)
        data = self._before + chunk
        begin = self._offset - seen
        self._offset += len(chunk)
        self._before = data[-self._overlap_bytes :]
        if b"\0" in data:
            return "There are NUL bytes."
        if self._has_mixed_line_ends(data, seen):
            return "Lines end in different ways."
        if self._header and self._header in data and self._has_second_header(data, begin):
            return "The header is repeated among the rows."
        if self._bare in data and self._bare_row.search(data):
            return "A row holds delimiters only."
        if self._has_spaced_quotes(data):
            return "There are spaces between delimiters and quotes."
        return ""

    def _has_second_header(self, data: bytes, begin: int) -> bool:
        """Tell whether `data`, from offset `begin` of the file, holds the header line elsewhere than in its place."""
        at = data.find(self._header)
        while at >= 0:
            if self._own_header < 0:
                self._own_header = begin + at
            elif begin + at != self._own_header:
                return True
            at = data.find(self._header, at + 1)
        return False

    def _has_spaced_quotes(self, data: bytes) -> bool:
        quote = self._quote
        if not quote or quote not in data or (b" " + quote not in data and quote + b" " not in data):
            return False
        return self._spaced_quote.search(data) is not None

    def _has_mixed_line_ends(self, data: bytes, seen: int) -> bool:
        """Compare counts over the fresh bytes and the one before them, which may be the half of a pair."""
        if self._newline == b"\r":
            return b"\n" in data
        if self._newline == b"\n":
            return b"\r" in data
        fresh = data[max(0, seen - 1) :]
        pairs = fresh.count(b"\r\n")
        feeds = fresh.count(b"\n") - (seen > 0 and fresh.startswith(b"\n"))
        returns = fresh.count(b"\r") - fresh.endswith(b"\r")
        return not feeds == pairs == returns
