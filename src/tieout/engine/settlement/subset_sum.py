"""Which of these open invoices does this payment settle: every set that reaches a sum, or a plain word on what is open.

Sets are looked at by size, the smallest first. A set of k amounts is met in its middle: the sums of its lower and of
its upper half are looked up in each other, so a list of triples settles every set of six. Where both sides of the list
can be summed up whole for less than the next size costs, that answers all sizes at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from math import comb, gcd
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORED_AT_MOST = 2_000_000
"""Sums kept of one size, or of one side: at some 60 bytes each while they are made this keeps a search under 200 MB."""
CHECKED_AT_ONCE = 1 << 18
"""Pairs of half sets that are unfolded at once, for the same reason."""
LARGEST_SUM = 1 << 62
"""Sums beyond it are added as Python's integers, slower and as exact."""

Sums = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """The limits of a question. A tolerance has the unit of the amounts.

    `node_budget` bounds the work: a node is a partial sum that was made or a pair of them that was checked. The default
    looks at every set of up to 12 among 32 amounts, of up to 8 among 40 and of up to 6 among 60, if few amounts repeat.
    """

    max_size: int = 12
    max_found: int = 10
    node_budget: int = 200_000
    tolerance: int = 0
    min_size: int = 2

    def __post_init__(self) -> None:
        if self.min_size < 1 or min(self.max_found, self.node_budget, self.tolerance) < 0:
            raise ValueError(f"{self} asks for an empty set or less than nothing")


@dataclass(frozen=True)
class Subsets:
    """The sets that reach the target: positions into the amounts, the smallest sets first, then by position.

    `count` holds for all sets within the limits if `is_complete`, else there may be more. Every set of at most
    `searched_to` members was looked at.
    """

    found: tuple[tuple[int, ...], ...]
    count: int
    nodes: int
    is_complete: bool
    searched_to: int

    @property
    def verdict(self) -> str:
        """Say in words what is known; `none` and `unique` only of a complete search."""
        if self.count > 1:
            return f"{self.count:,} alternatives" if self.is_complete else f"at least {self.count:,} alternatives"
        if not self.is_complete:
            return f"budget reached after {self.nodes:,} nodes"
        return "unique" if self.count else "none"


def find_subsets(amounts: Sequence[int], target: int, search: Search = Search()) -> Subsets:
    """Find the sets of amounts whose sum is within `tolerance` of the target.

    Amounts may be negative and may repeat: equal amounts are one choice for the search, yet every set of positions
    counts. An amount of 0 is never a member. The search ends early after a size with which there are at least two
    sets and `max_found` of them are listed. Whatever the order of the amounts, the same is counted and as many nodes.
    """
    question = _narrow(amounts, target, search)
    if question is None:
        return Subsets((), 0, 0, is_complete=True, searched_to=search.max_size)
    return _Hunt(question, search).answer()


@dataclass(frozen=True)
class _Question:
    """What is left to ask: the amounts that can be members, ascending, and the window and sizes that can be reached."""

    values: list[int]
    places: list[int]
    low: int
    high: int
    sizes: list[int]

    @cached_property
    def heads(self) -> list[int]:
        """For each value the first that equals it."""
        heads: list[int] = []
        for at, value in enumerate(self.values):
            heads.append(heads[-1] if at and self.values[at - 1] == value else at)
        return heads

    @cached_property
    def is_large(self) -> bool:
        return sum(map(abs, self.values)) + abs(self.low) + abs(self.high) > LARGEST_SUM

    def bounds(self, size: int) -> tuple[int, int] | None:
        """Return what a part of so many members may sum up to, or None if that excludes nothing."""
        least, most = _least_sums(self.values), _most_sums(self.values)
        rest = self.sizes[-1] - size + 1
        low, high = self.low - max(most[:rest]), self.high - min(least[:rest])
        return (low, high) if least[size] < low or most[size] > high else None


def _least_sums(values: Sequence[int]) -> list[int]:
    """Return the smallest sum of any 0, 1, 2 … of the values, which ascend."""
    return list(accumulate(values, initial=0))


def _most_sums(values: Sequence[int]) -> list[int]:
    return list(accumulate(reversed(values), initial=0))


def _narrow(amounts: Sequence[int], target: int, search: Search) -> _Question | None:
    """Leave out what cannot be a member and sizes that cannot reach the target; None if nothing can."""
    low, high = target - search.tolerance, target + search.tolerance
    pairs = sorted((amount, place) for place, amount in enumerate(amounts) if amount)
    while True:
        values = [value for value, _ in pairs]
        least, most = _least_sums(values), _most_sums(values)
        sizes = [
            size
            for size in range(search.min_size, min(search.max_size, len(values)) + 1)
            if least[size] <= high and most[size] >= low
        ]
        if not sizes:
            return None
        lowest, highest = low - max(most[: sizes[-1]]), high - min(least[: sizes[-1]])
        if lowest <= values[0] and values[-1] <= highest:
            break
        pairs = [pair for pair in pairs if lowest <= pair[0] <= highest]
    step = gcd(*values)
    low, high = -(-low // step), high // step
    if low > high:
        return None
    return _Question([value // step for value in values], [place for _, place in pairs], low, high, sizes)


@dataclass(frozen=True, eq=False)
class _Level:
    """Partial sums of one size, grouped by the last member: `starts[i]` of them end before value i.

    Each is one of the level below, its `parent`, and the value at `last`.
    """

    sums: Sums
    parent: Indices
    first: Indices
    last: Indices
    starts: Indices

    @cached_property
    def order(self) -> Indices:
        # Stable, because a budget may cut between equal sums and that has to be at the same place on every machine.
        return np.argsort(self.sums, kind="stable")

    @cached_property
    def ascending(self) -> Sums:
        return self.sums[self.order]


class _Parts:
    """The sums of parts of a list of values, level by level; of equal values always neighbours from the first on.

    Only a part that `is_open` may begin amid equal values: another part below it then ends with the value before.
    """

    def __init__(self, question: _Question, begin: int, end: int, *, is_open: bool) -> None:
        self.question = question
        self.begin = begin
        self.size = end - begin
        dtype = object if question.is_large else np.int64
        self.values = np.array(question.values[begin:end], dtype)
        self.heads = np.array(question.heads[begin:end], np.int64) - begin
        self.is_head = self.heads == np.arange(self.size)
        at = np.arange(self.size) if is_open else np.flatnonzero(self.is_head)
        none = np.zeros(1, np.int64)
        empty = _Level(np.zeros(1, dtype), none, none + self.size, none - 1, none)
        self.levels = [empty, self._level(self.values[at], np.zeros_like(at), at, at, 1)]

    def _level(self, sums: Sums, parent: Indices, first: Indices, last: Indices, size: int) -> _Level:
        """Make a level without the sums from which nothing reaches the target."""
        if len(sums) and (bounds := self.question.bounds(size)):
            kept = (sums >= bounds[0]) & (sums <= bounds[1])
            sums, parent, first, last = sums[kept], parent[kept], first[kept], last[kept]
        return _Level(sums, parent, first, last, np.searchsorted(last, np.arange(self.size + 1)))

    def _extensions(self) -> tuple[Indices, Indices]:
        """Return which parts of the last level each value extends: from where, and how many."""
        starts = self.levels[-1].starts
        from_ = np.where(self.is_head, 0, starts[np.arange(self.size) - 1])
        return from_, starts[:-1] - from_

    def next_cost(self) -> int:
        return int(self._extensions()[1].sum())

    def grow(self) -> None:
        below = self.levels[-1]
        from_, lengths = self._extensions()
        parent = np.arange(lengths.sum()) + np.repeat(from_ + lengths - np.cumsum(lengths), lengths)
        last = np.repeat(np.arange(self.size), lengths)
        self.levels.append(
            self._level(below.sums[parent] + self.values[last], parent, below.first[parent], last, len(self.levels))
        )

    def members(self, size: int, which: Indices) -> Indices:
        """Return the members of parts as places in the whole list of values, one row a part."""
        rows = np.empty((len(which), size), np.int64)
        for at in range(size, 0, -1):
            level = self.levels[at]
            rows[:, at - 1] = level.last[which] + self.begin
            which = level.parent[which]
        return rows


class _Tally:
    """What was found: the count of all sets of positions, and the first of them."""

    def __init__(self, question: _Question, max_found: int) -> None:
        self.max_found = max_found
        self.count = 0
        self.found: list[tuple[int, ...]] = []
        self.places = np.array(question.places, np.int64)
        self.heads = question.heads
        self.repeats = [self.heads.count(head) for head in self.heads]
        copies = [at - head for at, head in enumerate(self.heads)]
        self.is_repeating = any(copies)
        # The n-th of m equal amounts makes (m - n + 1) / n times as many choices: C(m, n) after n of them.
        self.gain = np.array([many - copy for many, copy in zip(self.repeats, copies, strict=True)], object)
        self.loss = np.array([copy + 1 for copy in copies], object)

    def add(self, rows: Indices) -> None:
        """Add sets of one size, one row a set, of equal amounts always the first."""
        if not len(rows):
            return
        self.count += self._choices(rows)
        places = np.sort(self.places[rows], axis=1)
        # The first of a row's choices is the row, so all that comes first is among the choices of the first rows.
        first = np.lexsort(places.T[::-1])[: self.max_found]
        new = (choice for at in first for choice in self._list_choices(rows[at], places[at]))
        self.found = sorted([*self.found, *new], key=lambda one: (len(one), one))[: self.max_found]

    def _choices(self, rows: Indices) -> int:
        if not self.is_repeating:
            return len(rows)
        return int((self.gain[rows].prod(axis=1) // self.loss[rows].prod(axis=1)).sum())

    def _list_choices(self, row: Indices, places: Indices) -> Iterator[tuple[int, ...]]:
        if not self.is_repeating:
            return iter([tuple(places.tolist())])
        needs: dict[int, int] = {}
        for at in row.tolist():
            needs[self.heads[at]] = needs.get(self.heads[at], 0) + 1
        pool = sorted((int(self.places[at]), head) for head in needs for at in range(head, head + self.repeats[head]))
        return islice(_choose(pool, needs), self.max_found)


def _choose(pool: Sequence[tuple[int, int]], needs: dict[int, int]) -> Iterator[tuple[int, ...]]:
    """Yield the sets of places with so many of each kind, in order; the pool has place and kind, ascending."""
    if not any(needs.values()):
        yield ()
        return
    for at, (place, kind) in enumerate(pool):
        if not needs[kind]:
            continue
        for rest in _choose(pool[at + 1 :], needs | {kind: needs[kind] - 1}):
            yield (place, *rest)
        if sum(other == kind for _, other in pool[at + 1 :]) < needs[kind]:
            return


class _Hunt:
    """One search: what it has found and how many nodes it took."""

    def __init__(self, question: _Question, search: Search) -> None:
        self.question = question
        self.search = search
        self.tally = _Tally(question, search.max_found)
        self.nodes = 0
        self.is_cut = False

    @property
    def left(self) -> int:
        return self.search.node_budget - self.nodes

    @property
    def is_enough(self) -> bool:
        return self.tally.count > 1 and len(self.tally.found) == self.search.max_found

    def answer(self) -> Subsets:
        searched_to = self.question.sizes[0] - 1
        if len(self.question.values) > self.left:
            return self._subsets(searched_to)
        self.nodes += len(self.question.values)
        parts = _Parts(self.question, 0, len(self.question.values), is_open=True)
        for number, size in enumerate(self.question.sizes):
            if self.is_enough:
                break
            if not self._grow(parts, size - size // 2):
                if self._ask_sides(frozenset(self.question.sizes[number:])):
                    searched_to = self.search.max_size
                break
            self._meet(parts, size)
            if self.is_cut:
                break
            is_last = size == self.question.sizes[-1]
            searched_to = self.search.max_size if is_last else self.question.sizes[number + 1] - 1
        return self._subsets(searched_to)

    def _subsets(self, searched_to: int) -> Subsets:
        return Subsets(
            found=tuple(self.tally.found),
            count=self.tally.count,
            nodes=self.nodes,
            is_complete=searched_to == self.search.max_size,
            searched_to=searched_to,
        )

    def _grow(self, parts: _Parts, size: int) -> bool:
        """Make the levels up to a size, unless that is too much or costs more than summing up both sides."""
        while len(parts.levels) <= size:
            cost = parts.next_cost()
            if cost > min(self.left, STORED_AT_MOST) or cost > self.sides_cost:
                return False
            self.nodes += cost
            parts.grow()
        return True

    @cached_property
    def cut(self) -> int:
        """Where the values part in two sides with about as many sums each, not amid equal ones."""
        heads = [at for at, head in enumerate(self.question.heads) if at == head]
        many = [end - at for at, end in zip(heads, [*heads[1:], len(self.question.values)], strict=True)]
        products: list[int] = list(accumulate((number + 1 for number in many), mul))
        below = sum(product**2 <= products[-1] for product in products)
        return heads[min(max(below, 1), len(heads) - 1)]

    @cached_property
    def sides_cost(self) -> int:
        """How many sums the two sides have at most."""
        ends = len(self.question.values)
        return sum(self._count_sums(begin, end) for begin, end in ((0, self.cut), (self.cut, ends)))

    def _count_sums(self, begin: int, end: int) -> int:
        heads = self.question.heads[begin:end]
        largest = self.question.sizes[-1]
        if len(set(heads)) == len(heads):
            return sum(comb(len(heads), size) for size in range(largest + 1))
        by_size = [1]
        for head in dict.fromkeys(heads):
            many = heads.count(head)
            longer = [0] * min(len(by_size) + many, largest + 1)
            for size, number in enumerate(by_size):
                for at in range(size, min(size + many + 1, len(longer))):
                    longer[at] += number
            by_size = longer
        return sum(by_size)

    def _meet(self, parts: _Parts, size: int) -> None:
        """Find the sets of a size from its lower and upper half, each member of which is on its side of the middle."""
        lower_size = size // 2
        lower, upper = parts.levels[lower_size], parts.levels[size - lower_size]
        # The values ascend: the lower half is not above its share of the sum, and the upper not below its own.
        lower_end = int(np.searchsorted(lower.ascending, self.question.high * lower_size // size, "right"))
        upper_share = -(-self.question.low * (size - lower_size) // size)
        upper_begin = int(np.searchsorted(upper.ascending, upper_share))
        heads = np.append(parts.heads, parts.size)
        for one, other in self._pairs(lower.ascending[:lower_end], upper.ascending[upper_begin:]):
            below, above = lower.order[:lower_end][one], upper.order[upper_begin:][other]
            last, first = lower.last[below], upper.first[above]
            fits = (last < first) & (heads[lower.first[below]] == lower.first[below])
            fits &= (heads[first] == first) | (last == first - 1)
            rows = (
                parts.members(lower_size, below[fits]),
                parts.members(size - lower_size, above[fits]),
            )
            self.tally.add(np.concatenate(rows, axis=1))

    def _ask_sides(self, sizes: frozenset[int]) -> bool:
        """Find all sets of some sizes from the whole of two sides; False if that is more than the budget holds."""
        ends = len(self.question.values)
        if self.sides_cost > min(self.left, STORED_AT_MOST):
            return False
        self.nodes += self.sides_cost
        one_side, other_side = (
            self._side(_Parts(self.question, begin, end, is_open=False))
            for begin, end in ((0, self.cut), (self.cut, ends))
        )
        for one, other in self._pairs(one_side.sums, other_side.sums):
            one_size, other_size = one_side.sizes[one], other_side.sizes[other]
            for size in sorted(sizes.intersection((one_size + other_size).tolist())):
                for here in range(size + 1):
                    fits = (one_size == here) & (other_size == size - here)
                    if fits.any():
                        rows = (one_side.members(here, one[fits]), other_side.members(size - here, other[fits]))
                        self.tally.add(np.concatenate(rows, axis=1))
        return not self.is_cut

    def _side(self, parts: _Parts) -> _Side:
        while len(parts.levels) <= self.question.sizes[-1]:
            parts.grow()
        return _Side(parts)

    def _pairs(self, one: Sums, other: Sums) -> Iterator[tuple[Indices, Indices]]:
        """Yield where two ascending lists of sums meet in the window, until the budget is used up."""
        begin = np.searchsorted(other, self.question.low - one)
        near = np.flatnonzero(begin < len(other))
        near = near[(other[begin[near]] <= self.question.high - one[near]).astype(bool)]
        begin = begin[near]
        end = np.searchsorted(other, self.question.high - one[near], "right")
        ends = np.cumsum(end - begin)
        total = int(ends[-1]) if len(ends) else 0
        checked = min(total, self.left)
        self.is_cut = checked < total
        self.nodes += checked
        for at in range(0, checked, CHECKED_AT_ONCE):
            numbers = np.arange(at, min(at + CHECKED_AT_ONCE, checked))
            which = np.searchsorted(ends, numbers, "right")
            yield near[which], numbers - ends[which] + end[which]


class _Side:
    """All sums of a side, ascending, with the size of each."""

    def __init__(self, parts: _Parts) -> None:
        self.parts = parts
        lengths = [len(level.sums) for level in parts.levels]
        sums = np.concatenate([level.sums for level in parts.levels])
        self.order = np.argsort(sums, kind="stable")
        self.sums = sums[self.order]
        self.sizes = np.repeat(np.arange(len(lengths)), lengths)[self.order]
        self.starts = np.cumsum(lengths) - lengths

    def members(self, size: int, which: Indices) -> Indices:
        return self.parts.members(size, self.order[which] - self.starts[size])
