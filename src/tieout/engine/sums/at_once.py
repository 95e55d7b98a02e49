"""The search of many wholes at once, in arrays: nearly all of them nothing makes up, or one set alone.

It tells of these what `search.py` tells, bit by bit; the few of which there is more to tell are asked one by one there.

A set is built from the largest amount to the smallest, all wholes together: each partial set goes on with the next
amount and without it, as long as the amounts that are left can make up the rest. Amounts differ by powers of ten, so
few go on for long, where to write out every set takes twice as many sums for each candidate more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tieout.engine.sums.search import (
    DENSITY,
    EACH_MORE,
    FEW_PARTS,
    LARGEST_SUM,
    LEAST_SHARE,
    MOST_HITS,
    MOST_MEMBERS,
    MOST_PARTS,
    MOST_SETS,
    OTHER_SIGN_BITS,
    SPREAD_BITS,
    WHOLE_ODDS,
    Part,
    Whole,
    find_sums,
    verdict_of,
)

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TAIL = 8
"""Of so many candidates, the smallest of a whole, all sets are summed up."""
SUMS_AT_ONCE = 1 << 18
"""So many sums are made before they are compared: they stay in the caches."""
MOST_PARTIAL = 2048
"""A whole with more partial sets is asked by itself: two halves are met for less."""


@dataclass(frozen=True)
class Wholes:
    """Rows that may be sums, as `Whole` has them, and where the candidates of each begin; the last of `starts` ends."""

    amount: Numbers
    fee: Numbers
    amount_share: Floats
    step: Numbers
    tolerance: Numbers
    starts: Numbers

    def one(self, at: int) -> Whole:
        values = (self.amount, self.fee, self.amount_share, self.step, self.tolerance)
        return Whole(*(one[at].item() for one in values))


@dataclass(frozen=True)
class Parts:
    """Candidates, as `Part` has them: those of one whole stand together, the likeliest first."""

    amount: Numbers
    weight: Floats
    fee: Numbers
    is_other_sign: Flags

    def of(self, begin: int, end: int) -> list[Part]:
        values = (self.amount, self.weight, self.fee, self.is_other_sign)
        return [Part(*one) for one in zip(*(each[begin:end].tolist() for each in values), strict=True)]


@dataclass(frozen=True)
class AllSums:
    """Wholes that some set reaches, by number, and of each what `Sums` tells of it.

    The sets of one whole stand together, the likeliest first, from `first` on, and the members of a set, as places
    among all candidates, from `starts` on; the last of both ends.
    """

    whole: Numbers
    nodes: Numbers
    is_complete: Flags
    has_fees: Flags
    first: Numbers
    odds: Floats
    starts: Numbers
    members: Numbers

    @cached_property
    def alternatives(self) -> Numbers:
        """How many other sets of each whole are worth speaking of."""
        of = np.repeat(np.arange(len(self.whole)), np.diff(self.first))
        every = np.bincount(of, self.odds, len(self.whole))
        is_other = np.arange(len(of)) != self.first[of]
        return np.bincount(of[is_other & (self.odds >= LEAST_SHARE * every[of])], minlength=len(self.whole))

    @cached_property
    def likeliest(self) -> tuple[Numbers, Numbers]:
        """Where the likeliest set of each whole begins, and the members of all of them."""
        sets = self.first[:-1]
        members, begin = runs(self.starts[sets], np.diff(self.starts)[sets])
        return np.append(begin, len(members)), self.members[members]

    @property
    def is_unique(self) -> Flags:
        return np.asarray(self.is_complete & (self.alternatives == 0))

    def verdict(self, at: int) -> str:
        return verdict_of(int(self.alternatives[at]), int(self.nodes[at]), is_complete=bool(self.is_complete[at]))

    def members_of(self, at: int) -> Numbers:
        return self.members[self.starts[at] : self.starts[at + 1]]


@dataclass(frozen=True)
class _Question:
    """Wholes of one round with their likely candidates, each with its own in a run; `place` is that among all.

    The first of a run may be members, as many as are looked at; all bear on the odds.
    """

    whole: Numbers
    target: Numbers
    tolerance: Numbers
    begin: Numbers
    count: Numbers
    place: Numbers
    amount: Numbers
    weight: Floats

    def only(self, kept: Flags) -> _Question:
        """Return the question with some of its candidates only; no whole loses all."""
        count = np.add.reduceat(kept.astype(np.int64), self.begin)
        begin = np.cumsum(count) - count
        at = np.flatnonzero(kept)
        return replace(
            self, begin=begin, count=count, place=self.place[at], amount=self.amount[at], weight=self.weight[at]
        )

    def of(self, wholes: Numbers) -> _Question:
        """Return the question of some of the wholes."""
        at, begin = runs(self.begin[wholes], self.count[wholes])
        return _Question(
            self.whole[wholes],
            self.target[wholes],
            self.tolerance[wholes],
            begin,
            self.count[wholes],
            self.place[at],
            self.amount[at],
            self.weight[at],
        )

    def run(self) -> Numbers:
        """Return for each candidate the number of its whole within the question."""
        return np.repeat(np.arange(len(self.count)), self.count)

    def nth(self) -> Numbers:
        """Return for each candidate its place within its run."""
        return np.arange(len(self.place)) - np.repeat(self.begin, self.count)


def find_all_sums(wholes: Wholes, parts: Parts) -> AllSums:
    """Return what `find_sums` finds for each whole, in the order of the wholes."""
    counts = np.diff(wholes.starts)
    of = np.repeat(np.arange(len(counts)), counts)
    are_small = _are_sums_small(wholes, parts)
    is_asked, is_alone = are_small.copy(), ~are_small
    found = []
    for has_fees, is_either_sign in ((False, False), (True, False), (False, True)):
        concerned = is_asked.copy()
        if has_fees:
            concerned &= (wholes.fee != 0) | _any_of((parts.fee != 0) & ~parts.is_other_sign, of, len(counts))
        if is_either_sign:
            concerned &= _any_of(parts.is_other_sign, of, len(counts))
        place = np.flatnonzero(concerned[of] & (is_either_sign | ~parts.is_other_sign))
        sums, crowded = _ask(_question(wholes, parts, place, of, has_fees=has_fees), wholes, has_fees=has_fees)
        is_alone[crowded] = True
        is_asked[crowded] = False
        is_asked[sums.whole] = False
        found.append(sums)
    return _together([*found, _ask_each(np.flatnonzero(is_alone), wholes, parts)])


def _ask_each(asked: Numbers, wholes: Wholes, parts: Parts) -> AllSums:
    """Ask wholes one by one."""
    each = ((at, find_sums(wholes.one(at), parts.of(*wholes.starts[at : at + 2].tolist()))) for at in asked.tolist())
    found = [(at, sums) for at, sums in each if sums is not None]
    sets = [one for _, sums in found for one in sums.found]
    members = [int(wholes.starts[at]) + place for at, sums in found for one in sums.found for place in one.places]
    return AllSums(
        np.array([at for at, _ in found], np.int64),
        np.array([sums.nodes for _, sums in found], np.int64),
        np.array([sums.is_complete for _, sums in found], np.bool_),
        np.array([sums.has_fees for _, sums in found], np.bool_),
        _starts(np.array([len(sums.found) for _, sums in found], np.int64)),
        np.array([one.odds for one in sets], np.float64),
        _starts(np.array([len(one.places) for one in sets], np.int64)),
        np.array(members, np.int64),
    )


def _together(found: list[AllSums]) -> AllSums:
    """Return all in the order of the wholes."""
    whole = np.concatenate([one.whole for one in found])
    many = np.concatenate([np.diff(one.first) for one in found])
    long = np.concatenate([np.diff(one.starts) for one in found])
    order = np.argsort(whole)
    sets, _ = runs((np.cumsum(many) - many)[order], many[order])
    members, _ = runs((np.cumsum(long) - long)[sets], long[sets])
    return AllSums(
        whole[order],
        np.concatenate([one.nodes for one in found])[order],
        np.concatenate([one.is_complete for one in found])[order],
        np.concatenate([one.has_fees for one in found])[order],
        _starts(many[order]),
        np.concatenate([one.odds for one in found])[sets],
        _starts(long[sets]),
        np.concatenate([one.members for one in found])[members],
    )


def _starts(counts: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def runs(begin: Numbers, count: Numbers) -> tuple[Numbers, Numbers]:
    """Return the places of runs one after another, and where each begins among them."""
    now = np.cumsum(count) - count
    return np.arange(int(count.sum())) + np.repeat(begin - now, count), now


def _any_of(values: Flags, of: Numbers, wholes: int) -> Flags:
    some = np.zeros(wholes, np.bool_)
    some[of[values]] = True
    return some


def _are_sums_small(wholes: Wholes, parts: Parts) -> Flags:
    """Say of each whole with candidates whether all that is added up for it surely fits into 64 bits."""
    large = np.abs(parts.amount.astype(np.float64)) + np.abs(parts.fee.astype(np.float64))
    own = sum(np.abs(one.astype(np.float64)) for one in (wholes.amount, wholes.fee, wholes.tolerance))
    of_parts = np.zeros(len(wholes.amount))
    held = np.flatnonzero(np.diff(wholes.starts))
    if len(held):
        of_parts[held] = np.add.reduceat(large, wholes.starts[held])
    # Sums of floats are off by far less than the half that is left here.
    return np.asarray(of_parts + own < LARGEST_SUM / 2)


def _question(wholes: Wholes, parts: Parts, place: Numbers, of: Numbers, *, has_fees: bool) -> _Question:
    """Return what is asked of the wholes in reach, with the candidates that are not too unlikely."""
    begin = np.flatnonzero(np.diff(of[place], prepend=-1))
    whole, count = of[place[begin]], np.diff(begin, append=len(place))
    other = parts.is_other_sign[place]
    amount = parts.amount[place] + parts.fee[place] if has_fees else parts.amount[place]
    target = wholes.amount[whole] + wholes.fee[whole] if has_fees else wholes.amount[whole]
    weight = parts.weight[place] - OTHER_SIGN_BITS * other
    question = _Question(whole, target, wholes.tolerance[whole], begin, count, place, amount, weight)
    if not len(whole):
        return question
    reach = np.add.reduceat(np.where(other, 0, amount), begin)
    question = question.of(np.flatnonzero((count > 1) & (np.abs(reach) + question.tolerance >= np.abs(target))))
    if not len(question.whole):
        return question
    least = np.maximum.reduceat(question.weight, question.begin) - SPREAD_BITS
    return question.only(question.weight >= np.repeat(least, question.count))


def _ask(question: _Question, wholes: Wholes, *, has_fees: bool) -> tuple[AllSums, Numbers]:
    """Return the wholes of a question that some set reaches, and those that have to be asked one by one."""
    run, bits, is_crowded = _hits(question)
    many = len(question.whole)
    size = np.bitwise_count(bits)
    is_set = (size > 1) & (size <= MOST_MEMBERS)
    is_crowded |= np.bincount(run[is_set], minlength=many) > MOST_SETS
    is_crowded |= np.bincount(run, minlength=many) > MOST_HITS
    is_told = is_set & ~is_crowded[run]
    order = np.lexsort((bits[is_told], run[is_told]))
    run, bits = run[is_told][order], bits[is_told][order]
    sets = np.bincount(run, minlength=many)
    asked, first = question.of(np.flatnonzero(sets)), _starts(sets[sets > 0])
    order, odds = _odds(asked, _Sets(first, bits), wholes)
    ordered = _Sets(first, bits[order])
    nodes = np.where(asked.count <= FEW_PARTS, 1 << asked.count, _nodes(np.minimum(asked.count, MOST_PARTS)))
    told = AllSums(
        asked.whole,
        nodes,
        asked.count <= MOST_PARTS,
        np.full(len(asked.whole), has_fees),
        first,
        odds[order],
        ordered.starts,
        asked.place[ordered.members(asked)],
    )
    return told, question.whole[is_crowded]


def _nodes(looked_at: Numbers) -> Numbers:
    """Return how many sums both halves have."""
    half = looked_at // 2
    return (1 << half) + (1 << looked_at - half)


@dataclass(frozen=True)
class _Sets:
    """Sets of members, as bits: those of one whole stand together from `first` on."""

    first: Numbers
    bits: Numbers

    @cached_property
    def of(self) -> Numbers:
        """The number of the whole of each set."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @cached_property
    def nth(self) -> tuple[Numbers, Numbers]:
        """The set of each member, and its place in the run of its whole."""
        bits = np.uint32(1) << np.arange(MOST_PARTS, dtype=np.uint32)
        of, nth = np.nonzero(self.bits.astype(np.uint32)[:, None] & bits)
        return of, nth

    @cached_property
    def size(self) -> Numbers:
        return np.bitwise_count(self.bits).astype(np.int64)

    @cached_property
    def starts(self) -> Numbers:
        return _starts(self.size)

    def members(self, asked: _Question) -> Numbers:
        of, nth = self.nth
        return asked.begin[self.of[of]] + nth


def _hits(question: _Question) -> tuple[Numbers, Numbers, Flags]:
    """Return every set that reaches a whole (the number of the whole, the bits of its members), and who is crowded out.

    Sets may have one member, none or too many. Of a whole that is crowded out they are not all there.
    """
    count = np.minimum(question.count, MOST_PARTS)
    is_crowded = np.zeros(len(count), np.bool_)
    none = np.zeros(0, np.int64)
    found = [(none, none)]
    for many in np.flatnonzero(np.bincount(count)).tolist():
        alike = np.flatnonzero(count == many)
        at_once = max(SUMS_AT_ONCE >> min(many, TAIL), 1)
        for begin in range(0, len(alike), at_once):
            wholes = alike[begin : begin + at_once]
            amount = question.amount[question.begin[wholes] + np.arange(many)[:, None]]
            search = _Search(amount, question.target[wholes], question.tolerance[wholes])
            of, bits = search.hits()
            is_crowded[wholes] = search.is_crowded
            found.append((wholes[of], bits))
    return np.concatenate([run for run, _ in found]), np.concatenate([bits for _, bits in found]), is_crowded


class _Search:
    """The search of wholes with equally many candidates: `amount` has a row for each candidate, a column a whole."""

    def __init__(self, amount: Numbers, target: Numbers, tolerance: Numbers) -> None:
        self.amount = amount
        self.tolerance = tolerance
        self.bit = np.broadcast_to(1 << np.arange(len(amount))[:, None], amount.shape)
        self.of = np.arange(len(target))
        self.rest = target
        self.bits = np.zeros(len(target), np.int64)
        self.is_crowded = np.zeros(len(target), np.bool_)

    def hits(self) -> tuple[Numbers, Numbers]:
        """Return the column of each set that was found, and the bits of its members."""
        if len(self.amount) > TAIL:
            self._part_the_largest()
        tail, bit = self.amount[-TAIL:], self.bit[-TAIL:]
        sums = _every_sum(tail)
        if len(self.of) > len(sums) and not self.tolerance.any():
            self._keep(_may_be_among(sums, self.of, self.rest))
        at_once = max(SUMS_AT_ONCE >> len(tail), 1)
        none = np.zeros(0, np.int64)
        found = [(none, none)]
        for begin in range(0, len(self.of), at_once):
            of = self.of[begin : begin + at_once]
            missed = sums[of] - self.rest[begin : begin + at_once, None]
            node, members = np.nonzero(np.abs(missed, out=missed) <= self.tolerance[of, None])
            of = of[node]
            bits = self.bits[begin + node]
            for nth in range(len(tail)):
                bits |= bit[nth, of] * (members >> nth & 1)
            found.append((of, bits))
        return np.concatenate([of for of, _ in found]), np.concatenate([bits for _, bits in found])

    def _part_the_largest(self) -> None:
        """Build partial sets of all but the smallest amounts, from the largest on."""
        order = np.argsort(-np.abs(self.amount), axis=0, kind="stable")
        self.amount, self.bit = (np.take_along_axis(rows, order, axis=0) for rows in (self.amount, self.bit))
        above = _behind(np.maximum(self.amount, 0)) + self.tolerance
        below = _behind(np.minimum(self.amount, 0)) - self.tolerance
        for nth in range(len(self.amount) - TAIL):
            of, rest = self.of, self.rest
            high, low = above[nth, of], below[nth, of]
            taken = rest - self.amount[nth, of]
            without = np.flatnonzero((low <= rest) & (rest <= high))
            within = np.flatnonzero((low <= taken) & (taken <= high))
            self.rest = np.concatenate([rest[without], taken[within]])
            self.bits = np.concatenate([self.bits[without], self.bits[within] | self.bit[nth, of[within]]])
            self.of = np.concatenate([of[without], of[within]])
            if len(self.of) > MOST_PARTIAL:
                self._leave_crowded_out()

    def _leave_crowded_out(self) -> None:
        self.is_crowded |= np.bincount(self.of, minlength=len(self.is_crowded)) > MOST_PARTIAL
        if self.is_crowded.any():
            self._keep(~self.is_crowded[self.of])

    def _keep(self, are_kept: Flags) -> None:
        kept = np.flatnonzero(are_kept)
        self.of, self.rest, self.bits = self.of[kept], self.rest[kept], self.bits[kept]


def _may_be_among(sums: Numbers, of: Numbers, rest: Numbers) -> Flags:
    """Say of each rest whether it may be among the sums of its row; of sixteen that are not, one is not told from them.

    Each sum marks the place of its hash, and a rest of which the place is not marked is none of them.
    """
    places = 16 * sums.shape[1]
    is_marked = np.zeros((len(sums), places), np.bool_)
    is_marked[np.arange(len(sums))[:, None], _hash(sums, places)] = True
    return np.asarray(is_marked[of, _hash(rest, places)])


def _hash(amounts: Numbers, places: int) -> Numbers:
    """Return for each amount a place below a power of two."""
    mixed = amounts.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed >> np.uint64(65 - places.bit_length())).view(np.int64)


def _behind(amount: Numbers) -> Numbers:
    """Return for each row the sum of those below it."""
    return np.asarray(np.cumsum(amount[::-1], axis=0)[::-1] - amount)


def _every_sum(amount: Numbers) -> Numbers:
    """Return a row for each whole: the sums of all sets of its amounts, at the places whose bits name the members."""
    sums = np.zeros((amount.shape[1], 1 << len(amount)), np.int64)
    for nth, one in enumerate(amount):
        sums[:, 1 << nth : 2 << nth] = sums[:, : 1 << nth] + one[:, None]
    return sums


def _odds(asked: _Question, sets: _Sets, wholes: Wholes) -> tuple[Numbers, Floats]:
    """Return the sets of each whole by their odds, and the odds, by the operations of `search.py` in their order."""
    if not len(asked.whole):
        return np.zeros(0, np.int64), np.zeros(0)
    members, size, of = sets.members(asked), sets.size, sets.of
    largest = np.maximum.reduceat(asked.weight, asked.begin)
    # Python's power: that of numpy may differ in the last bit from one processor to another.
    ratio = np.array([2.0**weight for weight in (asked.weight - np.repeat(largest, asked.count)).tolist()])
    polynomial = _polynomial(asked, ratio, int(size.max()))[size, of]
    product = np.ones(len(size))
    for nth in range(int(size.max())):
        has = np.flatnonzero(size > nth)
        product[has] *= ratio[members[sets.starts[has] + nth]]
    each_more = np.array([EACH_MORE**more for more in range(MOST_MEMBERS)])
    chance = WHOLE_ODDS * each_more[size - 1] * product / polynomial
    own = chance / _of_set(asked, sets, members, wholes)
    odds = own / (1.0 + np.bincount(of, own)[of] - own)
    order = np.arange(len(of))
    rivals = np.flatnonzero(np.diff(sets.first)[of] > 1)
    if len(rivals):
        at, place = sets.nth
        places = np.full((MOST_MEMBERS, len(of)), -1, np.int8)
        places[np.arange(len(at)) - sets.starts[at], at] = place
        keys = [*places[::-1, rivals], -odds[rivals], of[rivals]]
        order[rivals] = rivals[np.lexsort(keys)]
    return order, odds


def _polynomial(asked: _Question, ratio: Floats, degree: int) -> Floats:
    """Return the elementary symmetric polynomials of the ratios of each whole, up to a degree: one row a degree."""
    order = np.argsort(-asked.count, kind="stable")
    begin, count = asked.begin[order], asked.count[order]
    sums = np.zeros((degree + 1, len(order)))
    sums[0] = 1.0
    for nth in range(int(count[0])):
        some = int(np.searchsorted(-count, -nth))
        sums[1:, :some] += ratio[begin[:some] + nth] * sums[:-1, :some]
    in_order = np.empty_like(sums)
    in_order[:, order] = sums
    return in_order


def _of_set(asked: _Question, sets: _Sets, members: Numbers, wholes: Wholes) -> Floats:
    """Return the chance of a sum of such amounts, for each set."""
    step = wholes.step[asked.whole]
    size = np.abs(np.where(asked.target == 0, step, asked.target))
    width = 1 + 2 * (asked.tolerance // step)
    share = (np.maximum(DENSITY * step / size, wholes.amount_share[asked.whole]) * width)[sets.of]
    target = asked.target[sets.of]
    common = np.gcd(np.gcd.reduceat(asked.amount[members], sets.starts[:-1]), target)
    of_common = np.where(target == 0, DENSITY, DENSITY * common / np.abs(np.where(target == 0, 1, target)))
    is_exact = asked.tolerance[sets.of] == 0
    return np.asarray(np.minimum(np.where(is_exact, np.maximum(share, of_common), share), 1.0))
