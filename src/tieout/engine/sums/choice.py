"""Which sums are taken: those of which no row is wanted by a likelier sum or pair, the surest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tieout.engine.sums.search import FoundSum, Sums

Row = tuple[bool, int]
"""A row of ours (True) or of theirs, by its number."""
MOST_ODDS = 1e9
PLACES = 9


@dataclass(frozen=True)
class Proposal:
    """A whole with the sets that reach it; `parts` are the rows of its candidates."""

    whole: Row
    parts: tuple[int, ...]
    sums: Sums

    def rows(self, one: FoundSum) -> frozenset[Row]:
        return frozenset({self.whole, *((not self.whole[0], self.parts[at]) for at in one.places)})

    @cached_property
    def best(self) -> frozenset[Row]:
        return self.rows(self.sums.found[0])


@dataclass(frozen=True)
class Pair:
    """The partner that a row has so far, and how likely it is."""

    partner: Row
    chance: float


@dataclass(frozen=True)
class Chosen:
    """A sum that is taken or proposed: its rows beside the whole, and why it is no more or less sure."""

    proposal: Proposal
    parts: tuple[int, ...]
    confidence: float
    is_auto: bool
    is_contested: bool


def choose(
    proposals: Sequence[Proposal], pairs: dict[Row, Pair], auto_threshold: float, review_threshold: float
) -> list[Chosen]:
    """Return the sums that are taken or proposed, none of which shares a row with another.

    A rival that wants one of its rows takes from the confidence of a sum: another sum, or a pair that is not inside it.
    """
    wanted: dict[Row, list[int]] = defaultdict(list)
    for number, proposal in enumerate(proposals):
        for row in proposal.best:
            wanted[row].append(number)
    judged = [_judge(number, proposals, wanted, pairs) for number in range(len(proposals))]
    order = sorted(range(len(proposals)), key=lambda at: (-judged[at][0], len(proposals[at].best), proposals[at].whole))
    spent: set[Row] = set()
    chosen = []
    for at in order:
        confidence, is_contested = judged[at]
        proposal = proposals[at]
        if confidence < review_threshold or proposal.best & spent:
            continue
        is_auto = confidence >= auto_threshold and proposal.sums.verdict == "unique"
        if not is_auto and _loses(proposal.best, pairs, confidence, auto_threshold):
            continue
        spent |= proposal.best
        parts = tuple(sorted(proposal.parts[place] for place in proposal.sums.found[0].places))
        chosen.append(Chosen(proposal, parts, confidence, is_auto, is_contested))
    return sorted(chosen, key=lambda one: one.proposal.whole)


def _judge(
    number: int, proposals: Sequence[Proposal], wanted: dict[Row, list[int]], pairs: dict[Row, Pair]
) -> tuple[float, bool]:
    rows = proposals[number].best
    rivals = {other for row in rows for other in wanted[row]} - {number}
    beside = sum(proposals[other].sums.found[0].odds for other in rivals)
    beside += max(
        (_odds_of(pairs[row]) for row in rows if row in pairs and pairs[row].partner not in rows), default=0.0
    )
    own = min(proposals[number].sums.found[0].odds, MOST_ODDS)
    return round(own / (1.0 + own + beside), PLACES), beside > 0.01 * own


def _odds_of(pair: Pair) -> float:
    return pair.chance / max(1.0 - pair.chance, 1 / MOST_ODDS)


def _loses(rows: frozenset[Row], pairs: dict[Row, Pair], confidence: float, auto_threshold: float) -> bool:
    """Say whether a sum for a person would break a pair that is sure, or likelier than itself."""
    held = [pairs[row] for row in rows if row in pairs]
    return any(pair.chance >= min(auto_threshold, confidence) for pair in held)
