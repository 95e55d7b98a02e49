"""How the numbers of a column are written: which marks group thousands and set off decimals, told from shapes.

A shape is a text with every digit replaced by 9. A column has few of them however many rows it has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tieout.engine.parse import CURRENCY_CODES, CURRENCY_WORDS, number_pattern
from tieout.engine.plan import ColumnType


@dataclass(frozen=True)
class Shape:
    """A form that values of a column have, and how many rows of the look that was taken have it."""

    text: str
    rows: int


@dataclass(frozen=True)
class NumberLook:
    """What shapes say about a column of numbers.

    `types` are the formats that fit the most rows, simplest first; there are two where one mark could be either.
    `symbols` are the currency signs and codes beside the numbers, with their rows.
    """

    types: tuple[ColumnType, ...]
    share: float
    symbols: dict[str, int]
    is_decorated: bool


_MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", "'"), (".", " "), (",", "'"))
_FIRST_SHAPES = 12
"""Shapes come with the commonest first; when none of so many is a number, the column is not one."""
_CORE = re.compile(r"[.,]?9(?:.*9)?(?:[eE][-+]?9+)?")
_WORDS = re.compile(r"[^\W\d_]+")
_AROUND = frozenset("+-()\u2212\u2013\u2014., \u00a0\u2009\u202f\t")
_SPOKEN = {word.upper() for word in CURRENCY_WORDS} | CURRENCY_CODES | {"CR", "DR"}


def look_at_numbers(shapes: Sequence[Shape], total: int) -> NumberLook:
    """Tell the number formats that fit the shapes of a column; `total` counts the rows of all its shapes."""
    fitting = dict.fromkeys(_MARKS, 0)
    symbols: dict[str, int] = {}
    decorated = numeric = marked = 0
    for place, shape in enumerate(shapes):
        if place == _FIRST_SHAPES and not numeric:
            break
        found = undecorated(shape.text)
        if found is None:
            continue
        core, symbol = found
        marks = marks_of(core)
        if not marks:
            continue
        numeric += shape.rows
        for mark in marks:
            fitting[mark] += shape.rows
        marked += any(c in core for c in ".,'\u2019 ")
        if core != shape.text.strip().lstrip("+-"):
            decorated += shape.rows
        if symbol:
            symbols[symbol] = symbols.get(symbol, 0) + shape.rows
    best = max(fitting.values()) if marked else 0
    if numeric and not marked:
        return NumberLook((ColumnType("number"),), numeric / total, symbols, is_decorated=decorated > 0)
    if not total or not best:
        return NumberLook((), 0.0, {}, is_decorated=False)
    # A rare value may be written otherwise, so that formats a little behind stay in the race for the whole column.
    chosen = [mark for mark in _MARKS if fitting[mark] >= 0.9 * best]
    types = tuple(ColumnType("number", decimal, group) for decimal, group in _readings(chosen, fitting))
    return NumberLook(types, numeric / total, symbols, is_decorated=decorated > 0)


def _readings(chosen: list[tuple[str, str]], fitting: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return the formats worth trying: the simplest of each decimal mark, and those that fit more rows than it does."""
    kept: list[tuple[str, str]] = []
    for decimal in (".", ","):
        of_mark = [mark for mark in chosen if mark[0] == decimal]
        best = 0
        for mark in of_mark:
            if fitting[mark] > best:
                kept.append(mark)
                best = fitting[mark]
    return kept


@cache
def marks_of(core: str) -> tuple[tuple[str, str], ...]:
    """Return the (decimal, group) marks under which a bare shape is a number."""
    digits = core.replace("9", "1")
    return tuple(mark for mark in _MARKS if re.fullmatch(number_pattern(*mark), digits))


@cache
def undecorated(shape: str) -> tuple[str, str] | None:
    """Return the bare number within a shape and the currency beside it, or None when it is no number."""
    core = _CORE.search(shape)
    if core is None or "%" in shape:
        return None
    around = shape[: core.start()] + " " + shape[core.end() :]
    words = [word.upper() for word in _WORDS.findall(around)]
    signs = [c for c in around if unicodedata.category(c) == "Sc"]
    rest = [c for c in around if not (c in _AROUND or c.isalpha() or unicodedata.category(c) == "Sc")]
    # US$ and A$ are written with letters; those only stand before a sign.
    if rest or len(signs) > 1 or any(word not in _SPOKEN and not (signs and len(word) <= 3) for word in words):
        return None
    spoken = [word for word in words if word not in ("CR", "DR")]
    return core.group().strip(), "".join([*spoken, *signs])


def is_ambiguous(types: Sequence[ColumnType]) -> bool:
    """Say whether formats that fit equally well read the same text as different numbers."""
    return len({t.decimal_mark for t in types}) > 1
