"""Which rows of the other side sum to a row, and how likely each such set is more than chance.

Rules only, over values: no database, no clock, nothing depends on row numbers but which of equal rows is taken.

Of a row (the whole) and its candidates (the parts) we ask how much likelier it is that a set of them is what the whole
is made of than that the whole just happens to have this amount. Before the amount is looked at, a set of k parts is as
likely as its weights make it among all sets of k: their product over the elementary symmetric polynomial of degree k.
If it is the set, the sum is the amount for certain; if it is not, the amount is one of so many that a row may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd, prod
from operator import add

import numpy as np
import numpy.typing as npt

from tieout.engine.settlement.subset_sum import Search, find_subsets

Floats = npt.NDArray[np.float64]

WHOLE_ODDS = 0.2
"""Before any evidence: how many loose rows that could be sums are sums, to one that is not."""
EACH_MORE = 0.5
"""A whole of one part more is so much rarer."""
DENSITY = 0.1
"""Amounts lie over some four powers of ten, evenly by their logarithm: a share of about 0.1 / n is the number n."""
OTHER_SIGN_BITS = 4.0
"""A refund inside a payout is so much less likely a part than a payment."""
SPREAD_BITS = 14.0
"""A candidate that much less likely than the likeliest is left out."""
FEW_PARTS = 7
"""So few are summed up faster one by one than by arrays."""
MOST_PARTS = 22
"""So many candidates, the likeliest, are looked at: all their four million sets in two halves of 2,048 sums."""
MOST_MEMBERS = 12
MOST_SETS = 64
"""Where more sets than these reach a whole, which one it is nobody can tell."""
MOST_HITS = 256
"""Sets of any size that are written out, those of one member and of too many among them."""
NODE_BUDGET = 20_000
"""For amounts so large that their sums need more than 64 bits."""
LARGEST_SUM = 1 << 62
LEAST_SHARE = 0.01
"""A set that is less likely, beside all others, is no alternative to speak of."""


@dataclass(frozen=True)
class Whole:
    """A row that may be a sum. `amount_share` is the share of all other rows that have its very amount.

    `step` is the smallest change that amounts of its currency have, `tolerance` what a sum may miss, both in micros.
    """

    amount: int
    fee: int = 0
    amount_share: float = 0.0
    step: int = 10_000
    tolerance: int = 0


@dataclass(frozen=True)
class Part:
    """A row that may be part of a sum; `weight` in bits is what speaks for it beside its amount."""

    amount: int
    weight: float
    fee: int = 0
    is_other_sign: bool = False


@dataclass(frozen=True)
class FoundSum:
    """A set of parts, as places among the candidates: how likely to one that the amount is chance or another set."""

    places: tuple[int, ...]
    odds: float


@dataclass(frozen=True)
class Sums:
    """The sets that reach a whole, the likeliest first, and in words what is known of others."""

    found: tuple[FoundSum, ...]
    nodes: int
    is_complete: bool
    has_fees: bool = False

    @cached_property
    def alternatives(self) -> int:
        """How many other sets are worth speaking of."""
        every = _sum([one.odds for one in self.found])
        return sum(one.odds >= LEAST_SHARE * every for one in self.found[1:])

    @property
    def verdict(self) -> str:
        return verdict_of(self.alternatives, self.nodes, is_complete=self.is_complete)


def verdict_of(alternatives: int, nodes: int, *, is_complete: bool) -> str:
    """Say in words what is known of other sets."""
    if not is_complete:
        return f"budget reached after {nodes:,} nodes"
    return f"{alternatives + 1} alternatives" if alternatives else "unique"


def find_sums(whole: Whole, parts: Sequence[Part]) -> Sums | None:
    """Return the sets of parts that sum to the whole, None without any; parts come the likeliest first.

    Amounts as they stand and of the whole's sign are asked first, then amounts before the fees that rows state, then
    those of either sign.
    """
    same = [at for at, part in enumerate(parts) if not part.is_other_sign]
    found = _find(whole, parts, same, has_fees=False)
    if found is None and (whole.fee or any(parts[at].fee for at in same)):
        found = _find(whole, parts, same, has_fees=True)
    if found is None and len(same) < len(parts):
        found = _find(whole, parts, range(len(parts)), has_fees=False)
    return found


def _find(whole: Whole, parts: Sequence[Part], places: Sequence[int], *, has_fees: bool) -> Sums | None:
    weights = [parts[at].weight - OTHER_SIGN_BITS * parts[at].is_other_sign for at in places]
    if len(places) < 2 or not _is_in_reach(whole, parts, places, has_fees=has_fees):
        return None
    least = max(weights) - SPREAD_BITS
    kept = [at for at, weight in enumerate(weights) if weight >= least]
    amounts = [parts[places[at]].amount + (parts[places[at]].fee if has_fees else 0) for at in kept]
    target = whole.amount + (whole.fee if has_fees else 0)
    sets, nodes, is_complete = _sets(amounts, target, whole.tolerance)
    if not sets:
        return None
    share = _chance_share(whole, target)
    chances = _odds([weights[at] for at in kept], sets)
    odds = [
        chance / _of_set(whole, target, amounts, members, share) for members, chance in zip(sets, chances, strict=True)
    ]
    every = _sum(odds)
    found = [
        FoundSum(tuple(places[kept[at]] for at in members), one / (1.0 + every - one))
        for members, one in zip(sets, odds, strict=True)
    ]
    return Sums(tuple(sorted(found, key=lambda one: (-one.odds, one.places))), nodes, is_complete, has_fees)


def _is_in_reach(whole: Whole, parts: Sequence[Part], places: Sequence[int], *, has_fees: bool) -> bool:
    """Say whether all parts of the whole's sign together make up the whole."""
    target = whole.amount + (whole.fee if has_fees else 0)
    reach = sum(parts[at].amount + (parts[at].fee if has_fees else 0) for at in places if not parts[at].is_other_sign)
    return abs(reach) + whole.tolerance >= abs(target)


def _sets(amounts: Sequence[int], target: int, tolerance: int) -> tuple[list[tuple[int, ...]], int, bool]:
    """Return the sets that reach the target, the nodes that took, and whether every set was looked at.

    Both halves of the list are summed up whole and the sums of one looked up among those of the other.
    """
    if len(amounts) <= FEW_PARTS:
        every = [0]
        for amount in amounts:
            every += [one + amount for one in every]
        near = [at for at, one in enumerate(every) if abs(one - target) <= tolerance and at.bit_count() > 1]
        return [_members(at) for at in near], len(every), len(near) <= MOST_SETS
    if sum(map(abs, amounts)) + abs(target) + tolerance > LARGEST_SUM:
        limits = Search(MOST_MEMBERS, MOST_SETS, NODE_BUDGET, tolerance)
        some = find_subsets(amounts[:MOST_PARTS], target, limits)
        return list(some.found), some.nodes, some.is_complete and len(amounts) <= MOST_PARTS
    looked_at = amounts[:MOST_PARTS]
    half = len(looked_at) // 2
    lower, upper = _every_sum(looked_at[:half]), _every_sum(looked_at[half:])
    order = np.argsort(upper, kind="stable")
    ascending, wanted = upper[order], target - lower
    first = np.searchsorted(ascending, wanted - tolerance, "left")
    last = np.searchsorted(ascending, wanted + tolerance, "right")
    reaching = np.flatnonzero(last > first)
    hit_count = np.cumsum(last[reaching] - first[reaching])
    reaching = reaching[: int(np.searchsorted(hit_count, MOST_HITS)) + 1]
    hits = [
        low | int(order[place]) << half
        for low in reaching.tolist()
        for place in range(first[low], min(last[low], first[low] + MOST_HITS))
    ]
    is_each_met = not len(hit_count) or hit_count[-1] <= MOST_HITS
    hits = sorted(hit for hit in hits if 1 < hit.bit_count() <= MOST_MEMBERS)
    is_complete = bool(is_each_met) and len(amounts) <= MOST_PARTS and len(hits) <= MOST_SETS
    return [_members(hit) for hit in hits[:MOST_SETS]], len(lower) + len(upper), is_complete


def _members(bits: int) -> tuple[int, ...]:
    return tuple(at for at in range(bits.bit_length()) if bits >> at & 1)


def _every_sum(amounts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the sum of every set of amounts, at the place whose bits name its members."""
    sums = np.zeros(1, np.int64)
    for amount in amounts:
        sums = np.concatenate([sums, sums + amount])
    return sums


def _odds(weights: Sequence[float], sets: Sequence[tuple[int, ...]]) -> list[float]:
    """Return for each set how likely it is, before the amount is looked at, to one whole that is no sum at all."""
    largest = max(weights)
    ratio = [2.0 ** (weight - largest) for weight in weights]
    polynomial = [1.0]
    for one in ratio:
        polynomial = [now + one * below for now, below in zip([*polynomial, 0.0], [0.0, *polynomial], strict=True)]
    return [
        WHOLE_ODDS * EACH_MORE ** (len(members) - 1) * prod(ratio[at] for at in members) / polynomial[len(members)]
        for members in sets
    ]


def _sum(values: Sequence[float]) -> float:
    """Add up in order, as arrays do: Python's own sum rounds otherwise from 3.12 on."""
    return reduce(add, values, 0.0)


def _chance_share(whole: Whole, target: int) -> float:
    """Return the share of rows that have this very amount by chance, or one within the tolerance."""
    width = 1 + 2 * (whole.tolerance // whole.step)
    return max(DENSITY * whole.step / abs(target or whole.step), whole.amount_share) * width


def _of_set(whole: Whole, target: int, amounts: Sequence[int], members: Sequence[int], share: float) -> float:
    """Return the chance of a sum of such amounts: where all are round, they meet sooner."""
    if whole.tolerance:
        return min(share, 1.0)
    if target == 0:
        return min(max(share, DENSITY), 1.0)
    common = gcd(target, *(amounts[at] for at in members))
    return min(max(share, DENSITY * common / abs(target)), 1.0)
