"""How alike two names of a party are, the way people shorten them: cut, abbreviated, upper-cased, initials only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

CACHED = 200_000
ALIKE = 0.5
"""From here on two names may be the same party."""
INITIALS = 0.85
LOOSE_INITIALS = 0.6
PREFIX = 0.92
ABBREVIATED = 0.8
INITIAL = 0.75
TYPO = 0.85
UNNUMBERED = 0.85
"""Of a name that leaves out the number which tells the other's branches apart."""
OVERNUMBERED = 0.55
"""Of a name with a number that the other lacks: it rather is another branch."""
MAX_INITIALS = 6
COVERED = 0.35
"""The power of the share of words that are there: a name without its last word is still nearly the name."""
TYPO_LENGTH = 5
START = 3
MOST_COMPARED = 1_000
"""So many names are held against one at most, so that many parties on both sides stay cheap."""

_FORMS = frozenset(
    (
        *("ltd", "limited", "inc", "incorporated", "llc", "llp", "lp", "plc", "corp", "corporation", "co", "company"),
        *("gmbh", "mbh", "ag", "kg", "ohg", "ug", "se", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "oy", "oyj"),
        *("ab", "as", "aps", "asa", "pty", "pte", "kk", "sl", "sro", "doo", "kft"),
    )
)
"""Words for the legal form of a company, which people leave out."""
_FILLERS = frozenset(["the", "and", "of", "der", "die", "das", "und", "le", "la", "les", "et", "de"])
_WORD = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Name:
    """A name taken apart: its words without legal form and fillers, its numbers, and the initials of all its words."""

    words: tuple[str, ...]
    numbers: tuple[str, ...]
    initials: tuple[str, ...]

    @property
    def block(self) -> str:
        """The letter that both names of a party begin with."""
        return self.words[0][0] if self.words else ""


@lru_cache(maxsize=CACHED)
def take_apart(text: str) -> Name:
    """Return the parts of a name; case, accents and punctuation do not count."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    found = _WORD.findall(re.sub("['\\u2019]", "", plain))
    letters = [word for word in found if not word.isdigit() and word not in _FILLERS]
    words = tuple(word for word in letters if word not in _FORMS) or tuple(letters)
    initials = {"".join(word[0] for word in words), "".join(word[0] for word in letters)}
    return Name(words, tuple(word.lstrip("0") for word in found if word.isdigit()), tuple(sorted(initials)))


@lru_cache(maxsize=CACHED)
def likeness(one: str, other: str) -> float:
    """Return how alike `one`, as a payer wrote it, is to `other`, the name on our books: 0 to 1."""
    left, right = take_apart(one), take_apart(other)
    if not left.words or not right.words:
        return 0.0
    return _numbered(left, right) * _likeness_of_words(left, right)


def _numbered(left: Name, right: Name) -> float:
    if left.numbers == right.numbers:
        return 1.0
    if left.numbers and right.numbers:
        return 0.0
    return OVERNUMBERED if left.numbers else UNNUMBERED


def _likeness_of_words(left: Name, right: Name) -> float:
    if left.words == right.words:
        return 1.0
    if "".join(left.words) == "".join(right.words):
        return 0.97
    short, long = sorted((left, right), key=lambda name: (len("".join(name.words)), name.words))
    return max(_aligned(short.words, long.words), _as_initials(short, long), _led_by_initials(short.words, long.words))


def _as_initials(short: Name, long: Name) -> float:
    """Say how well a single short word stands for the initials of the other name."""
    if len(short.words) != 1 or not 2 <= len(short.words[0]) <= MAX_INITIALS:
        return 0.0
    letters = short.words[0]
    if letters in long.initials:
        return INITIALS
    joined = "".join(long.words)
    is_loose = letters[0] == joined[0] and len(letters) <= MAX_INITIALS - 2 and _is_within(letters, joined)
    return LOOSE_INITIALS if is_loose else 0.0


def _led_by_initials(short: tuple[str, ...], long: tuple[str, ...]) -> float:
    """Say how well a name fits that shortens the first words of the other to initials, and goes on like it."""
    letters = short[0]
    size = len(letters)
    if not 2 <= size <= min(MAX_INITIALS, len(long)) or "".join(word[0] for word in long[:size]) != letters:
        return 0.0
    rest = long[size:]
    if not short[1:]:
        return INITIALS * float((size / len(long)) ** COVERED)
    return INITIALS * _aligned(short[1:], rest) if rest else 0.0


def _aligned(short: tuple[str, ...], long: tuple[str, ...]) -> float:
    """Return how well the words of the shorter name follow those of the longer, some of which may be left out."""
    if short[0][0] != long[0][0]:
        return 0.0
    qualities, covered, at = [], 0, 0
    rest = list(short)
    while rest:
        word = rest.pop(0)
        place, quality, taken = _best_place(word, rest, long, at)
        if quality == 0.0:
            return 0.0
        del rest[: taken - 1]
        qualities.append(quality)
        covered += 1
        at = place + 1
    coverage = covered / len(long)
    return float(sum(qualities) / len(qualities) * coverage**COVERED)


def _best_place(word: str, following: list[str], long: tuple[str, ...], at: int) -> tuple[int, float, int]:
    """Return where a word stands in the longer name, how well, and how many words it took with those that follow."""
    best = (at, 0.0, 1)
    glued = [word, *("".join([word, *following[:n]]) for n in range(1, min(2, len(following)) + 1))]
    for place in range(at, len(long)):
        for taken, candidate in enumerate(glued, start=1):
            quality = _quality(candidate, long[place])
            if quality > best[1] and (taken == 1 or candidate == long[place] or long[place].startswith(candidate)):
                best = (place, quality, taken)
        if best[1] >= PREFIX:
            break
    return best


@lru_cache(maxsize=CACHED)
def _quality(word: str, other: str) -> float:
    short, long = sorted((word, other), key=len)
    if short == long:
        return 1.0
    if short[0] != long[0]:
        return 0.0
    if len(short) == 1:
        return INITIAL
    if long.startswith(short):
        return PREFIX
    if _shared_start(short, long) >= max(3, len(short) - 2):
        return TYPO
    if min(len(short), len(long)) >= TYPO_LENGTH and is_one_slip(short, long):
        return TYPO
    return ABBREVIATED if _is_within(short, long) and len(short) <= 0.7 * len(long) else 0.0


def _shared_start(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _is_within(letters: str, text: str) -> bool:
    """Say whether letters stand in a text in their order."""
    rest = iter(text)
    return all(letter in rest for letter in letters)


def is_one_slip(one: str, other: str) -> bool:
    """Say whether one slip makes one text of the other: a character wrong, absent, added, or two neighbours swapped."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = _shared_start(one, other)
    left, right = one[start:], other[start:]
    if len(left) == len(right):
        return left[1:] == right[1:] or is_swap(left, right)
    return left[1:] == right or left == right[1:]


def is_swap(one: str, other: str) -> bool:
    """Say whether two neighbours of a text change places in the other."""
    start = _shared_start(one, other)
    left, right = one[start:], other[start:]
    return len(left) == len(right) >= 2 and left[:2] == right[1::-1] and left[2:] == right[2:]


class Parties:
    """The names on our books, to be asked which of them a payer may be."""

    def __init__(self, names: Iterable[str]) -> None:
        self._blocks: dict[str, list[str]] = {}
        self._starts: dict[str, list[str]] = {}
        self._initials: dict[str, list[str]] = {}
        self._equals: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        for text in sorted(set(names)):
            name = take_apart(text)
            self._blocks.setdefault(name.block, []).append(text)
            self._starts.setdefault("".join(name.words)[:START], []).append(text)
            for initials in name.initials:
                self._initials.setdefault(initials, []).append(text)
            self._equals.setdefault((name.words, name.numbers), []).append(text)
        self._known: dict[str, tuple[tuple[str, float], ...]] = {}

    def find(self, payer: str) -> tuple[tuple[str, float], ...]:
        """Return the names that may be the payer's with their likeness, the likeliest first; equal ones alone."""
        if payer not in self._known:
            self._known[payer] = self._search(payer)
        return self._known[payer]

    def _search(self, payer: str) -> tuple[tuple[str, float], ...]:
        name = take_apart(payer)
        if not name.words:
            return ()
        if equal := self._equals.get((name.words, name.numbers)):
            return tuple((text, 1.0) for text in equal)
        found = [(text, likeness(payer, text)) for text in self._worth_comparing(name)]
        return tuple(sorted((item for item in found if item[1] >= ALIKE), key=lambda item: (-item[1], item[0])))

    def _worth_comparing(self, name: Name) -> Iterable[str]:
        """Return the names that begin with the same letter; of very many only those that begin with the same three."""
        block = self._blocks.get(name.block, [])
        if len(block) <= MOST_COMPARED:
            return block
        alike = self._starts.get("".join(name.words)[:START], [])[:MOST_COMPARED]
        return dict.fromkeys([*alike, *self._initials.get(name.words[0], [])[:MOST_COMPARED]])
