"""How a reference that somebody quotes relates to one on our books: written otherwise, mistyped, or another's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tieout.engine.settlement.party import is_one_slip, is_swap

Closeness = Literal["exact", "rewritten", "swapped", "slipped", "other"]

_RUN = re.compile(r"[^\W\d_]+|\d+")
_WORDS_FOR_INVOICE = frozenset(
    (
        *("inv", "invoice", "invoices", "invno", "bill", "doc", "document", "no", "nr", "num", "number", "ref"),
        *("reference", "rechnung", "re", "rg", "rgnr", "facture", "fact", "fac", "fattura", "factura", "faktura", "fa"),
        "beleg",
    )
)
"""Words before the number that say nothing but that an invoice is meant."""
CACHED = 200_000
MIN_DIGITS = 2
MIN_LETTERS = 5


_QUOTE = re.compile(
    r"(?<![^\W_])(?:[^\W\d_]{1,12}[-/#:. ]{0,3})?(?:no|nr)?[-#:. ]{0,2}\d[\d/-]*(?![^\W_])", re.IGNORECASE
)
_VAGUE = frozenset(("no", "nr", "num", "number", "ref", "reference", "re", "doc", "document"))
"""Words before a number that banks write as well: only a number just like ours is then taken for ours."""
BARE_DIGITS = 5
"""A number without a word before it is taken for a reference only from so many digits on."""


@dataclass(frozen=True)
class Reference:
    """A reference taken apart: all of it in one spelling, its letters without words for invoice, its runs of digits."""

    spelling: str
    letters: str
    numbers: tuple[str, ...]
    digits: str


@lru_cache(maxsize=CACHED)
def take_apart(text: str) -> Reference:
    """Return the parts of a reference; case, zeros in front and signs between do not count for `letters`, `numbers`."""
    runs = _RUN.findall(text.casefold())
    letters = "".join(run for run in runs if not run.isdigit() and run not in _WORDS_FOR_INVOICE)
    digits = [run for run in runs if run.isdigit()]
    return Reference("".join(runs), letters, tuple(run.lstrip("0") or "0" for run in digits), "".join(digits))


def quoted_in(text: str) -> list[str]:
    """Return what may be references in a text, each once: a word with a number, or a long number alone."""
    found = dict.fromkeys(match.strip(" -/#:.") for match in _QUOTE.findall(text))
    return [quote for quote in found if not quote.isdigit() or len(quote) >= BARE_DIGITS]


def is_vague(quote: str) -> bool:
    """Say whether no word tells what a quoted number is the number of."""
    return all(run.isdigit() or run in _VAGUE for run in _RUN.findall(quote.casefold()))


def closeness(quoted: str, own: str) -> Closeness:
    """Say how a quoted reference relates to one of our own."""
    one, other = take_apart(quoted), take_apart(own)
    if one.spelling == other.spelling:
        return "exact" if one.spelling else "other"
    if one.numbers and other.numbers:
        return _closeness_of_numbers(one, other) if _are_letters_compatible(one, other) else "other"
    is_slip = len(one.spelling) >= MIN_LETTERS and is_one_slip(one.spelling, other.spelling)
    return "slipped" if is_slip else "other"


def _closeness_of_numbers(one: Reference, other: Reference) -> Closeness:
    width = max(len(one.digits), len(other.digits))
    left, right = one.digits.zfill(width), other.digits.zfill(width)
    if one.numbers == other.numbers or left == right:
        return "rewritten"
    if is_swap(left, right):
        return "swapped"
    is_long = len(one.digits) >= MIN_DIGITS
    return "slipped" if is_long and (is_one_slip(left, right) or is_one_slip(one.digits, other.digits)) else "other"


def _are_letters_compatible(one: Reference, other: Reference) -> bool:
    """Say whether letters do not tell two references apart: none on a side, or the same; PO-7 is no INV-7."""
    return not one.letters or one.letters == other.letters


def _slips_of(digits: str) -> Iterator[tuple[str, Closeness]]:
    """Yield what digits may have been before two neighbours were swapped, or one was mistaken."""
    for at, digit in enumerate(digits):
        if at and digits[at - 1] != digit:
            yield digits[: at - 1] + digit + digits[at - 1] + digits[at + 1 :], "swapped"
        for other in "0123456789":
            if other != digit:
                yield digits[:at] + other + digits[at + 1 :], "slipped"


class Register:
    """The references on our books, to be asked which rows a quoted one names."""

    def __init__(self, references: Iterable[tuple[int, str]]) -> None:
        self._by_spelling: dict[str, list[int]] = {}
        self._by_numbers: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        self._by_digits: dict[str, list[tuple[int, str]]] = {}
        self._width = 0
        for place, text in references:
            own = take_apart(text)
            if own.spelling:
                self._by_spelling.setdefault(own.spelling, []).append(place)
                self._by_numbers.setdefault(own.numbers, []).append((place, text))
                self._by_digits.setdefault(own.digits.lstrip("0"), []).append((place, text))
                self._width = max(self._width, len(own.digits))

    def find(self, quoted: str) -> dict[int, Closeness]:
        """Return the rows that a reference names, as it stands or written otherwise."""
        one = take_apart(quoted)
        if not one.spelling:
            return {}
        found: dict[int, Closeness] = dict.fromkeys(self._by_spelling.get(one.spelling, ()), "exact")
        if not found and one.numbers:
            same = self._by_numbers.get(one.numbers, ())
            found = {place: "rewritten" for place, text in same if closeness(quoted, text) == "rewritten"}
        return found

    def find_alike(self, quoted: str) -> set[int]:
        """Return the rows whose spelling, numbers or digits are those of a reference, whatever its letters say."""
        one = take_apart(quoted)
        found = set(self._by_spelling.get(one.spelling, ()))
        if one.numbers:
            found.update(place for place, _ in self._by_numbers.get(one.numbers, ()))
            found.update(place for place, _ in self._by_digits.get(one.digits.lstrip("0"), ()))
        return found

    def find_near(self, quoted: str) -> dict[int, Closeness]:
        """Return the rows whose number is one slip from the quoted one."""
        one = take_apart(quoted)
        found: dict[int, Closeness] = {}
        if len(one.digits) < MIN_DIGITS:
            return found
        for digits, slip in _slips_of(one.digits.zfill(self._width)):
            for place, text in self._by_digits.get(digits.lstrip("0"), ()):
                if place not in found and _are_letters_compatible(one, take_apart(text)):
                    found[place] = slip
        return found
