"""Byte patterns that DuckDB's reader lets pass or takes otherwise than meant, searched for in a whole file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tieout.intake.csv_records import Grammar


@dataclass(frozen=True)
class TableText:
    """What the search needs to know of a table.

    `header` is the text of the header line, '' if none; `is_preceded` tells that it is not the first line.
    """

    grammar: Grammar
    newline: str
    header: str
    is_preceded: bool = False


class Traps:
    """Looks through the chunks of a file, in order, for what keeps it from being read the fast way.

    Each chunk is searched as it is, and the seam between two apart: to join them would copy the whole file.
    """

    def __init__(self, table: TableText) -> None:
        end = table.newline.encode()
        delimiter, quote = table.grammar.delimiter.encode(), table.grammar.quote.encode()
        d, q = re.escape(delimiter), re.escape(quote)
        self._newline = end
        self._header = end + table.header.encode() if table.header else b""
        self._quote = quote
        edge = rb"[\r\n" + d + rb"]"
        self._spaced_quote = re.compile(
            edge + rb" +" + q + rb"|" + q + rb" +" + edge + rb"|[^\r\n" + d + rb"]" + q + rb" +" + q
        )
        self._overlap_bytes = max(64, len(self._header))
        self._before = b""
        self._offset = 0
        self._own_header = -1 if table.is_preceded else 0

    def find(self, chunk: bytes) -> str:
        """Return in words what the next chunk holds, or ''."""
        before = self._before
        seam = before + chunk[: self._overlap_bytes] if before else b""
        parts = ((seam, self._offset - len(before)), (chunk, self._offset))
        self._offset += len(chunk)
        self._before = (before + chunk if len(chunk) < self._overlap_bytes else chunk)[-self._overlap_bytes :]
        if b"\0" in chunk:
            return "There are NUL bytes."
        if self._has_mixed_line_ends(chunk, before):
            return "Lines end in different ways."
        if self._header and any(self._has_second_header(data, begin) for data, begin in parts):
            return "The header is repeated among the rows."
        if any(self._has_spaced_quotes(data) for data, _ in parts):
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

    def _has_mixed_line_ends(self, chunk: bytes, before: bytes) -> bool:
        """Compare counts over the chunk and the byte before it, which may be the half of a pair."""
        if self._newline == b"\r":
            return b"\n" in chunk
        if self._newline == b"\n":
            return b"\r" in chunk
        is_half = before.endswith(b"\r")
        pairs = chunk.count(b"\r\n") + (is_half and chunk.startswith(b"\n"))
        returns = chunk.count(b"\r") + is_half - chunk.endswith(b"\r")
        return not chunk.count(b"\n") == pairs == returns


def holds_bare_row(chunks: Iterable[bytes], newline: str, delimiter: str, width: int) -> bool:
    """Tell whether a file, given in chunks, has a row that holds delimiters only, below its first line.

    DuckDB makes a row of empty cells of it. To search all files for one costs as much as all of `Traps`, so ask where
    such a row came out.
    """
    bare = (newline + delimiter * (width - 1)).encode()
    row = re.compile(re.escape(bare) + re.escape(delimiter.encode()) + rb"*[\r\n]")
    overlap, before = max(64, len(bare) + 2), b""
    for chunk in chunks:
        data = before + chunk
        if bare in data and row.search(data):
            return True
        before = data[-overlap:]
    return before.endswith(bare)
