"""Which sums are taken where several want the same rows, or a pair has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.sums.choice import NOBODY, Proposals, Rows, choose

many_runs = settings(max_examples=200, deadline=None, derandomize=True, database=None)
Row = tuple[bool, int]


@dataclass(frozen=True)
class Pair:
    partner: Row
    chance: float


@dataclass(frozen=True)
class Proposal:
    whole: Row
    parts: tuple[int, ...]
    odds: float
    is_unique: bool

    @property
    def rows(self) -> frozenset[Row]:
        return frozenset({self.whole, *((not self.whole[0], part) for part in self.parts)})


@dataclass(frozen=True)
class Chosen:
    proposal: Proposal
    confidence: float
    is_auto: bool
    is_contested: bool


def proposal(
    whole: int, parts: tuple[int, ...], odds: float, *, is_ours: bool = True, is_unique: bool = True
) -> Proposal:
    """Return a whole that just these parts reach."""
    return Proposal((is_ours, whole), parts, odds, is_unique)


def chosen(proposals: list[Proposal], pairs: dict[Row, Pair] | None = None) -> list[Chosen]:
    arrays = Proposals(
        np.array([one.whole[0] for one in proposals], np.bool_),
        _rows([one.whole for one in proposals], pairs or {}),
        np.array([0, *accumulate(len(one.parts) for one in proposals)], np.int64),
        _rows([(not one.whole[0], part) for one in proposals for part in one.parts], pairs or {}),
        np.array([one.odds for one in proposals], np.float64),
        np.array([one.is_unique for one in proposals], np.bool_),
    )
    choice = choose(arrays, 0.8, 0.1)
    told = (choice.confidence, choice.is_auto, choice.is_contested)
    return [
        Chosen(proposals[at], *values)
        for at, *values in zip(choice.number.tolist(), *(each.tolist() for each in told), strict=True)
    ]


def _rows(rows: list[Row], pairs: dict[Row, Pair]) -> Rows:
    nobody = Pair((True, NOBODY), 0.0)
    return Rows(
        np.array([row for _, row in rows], np.int64),
        np.array([pairs.get(row, nobody).partner[1] for row in rows], np.int64),
        np.array([pairs.get(row, nobody).chance for row in rows], np.float64),
    )


def chosen_one_by_one(proposals: list[Proposal], pairs: dict[Row, Pair]) -> list[Chosen]:
    """Choose as the rule is said: each sum is judged beside its rivals, and the surest first takes its rows."""
    judged = [_judged(one, proposals, pairs) for one in proposals]
    spent: set[Row] = set()
    taken = []
    for one in sorted(judged, key=lambda one: (-one.confidence, len(one.proposal.rows))):
        rows = one.proposal.rows
        held = [pairs[row].chance for row in rows if row in pairs]
        is_lost = not one.is_auto and any(chance >= min(0.8, one.confidence) for chance in held)
        if one.confidence >= 0.1 and not rows & spent and not is_lost:
            spent |= rows
            taken.append(one)
    return sorted(taken, key=lambda one: proposals.index(one.proposal))


def _judged(one: Proposal, proposals: list[Proposal], pairs: dict[Row, Pair]) -> Chosen:
    beside = sum(other.odds for other in proposals if other is not one and other.rows & one.rows)
    outside = [pairs[row].chance for row in one.rows if row in pairs and pairs[row].partner not in one.rows]
    beside += max((chance / max(1.0 - chance, 1e-9) for chance in outside), default=0.0)
    own = min(one.odds, 1e9)
    confidence = round(own / (1.0 + own + beside), 9)
    return Chosen(one, confidence, confidence >= 0.8 and one.is_unique, beside > 0.01 * own)


def test_a_likely_sum_is_taken_a_doubtful_one_proposed_an_unlikely_one_left() -> None:
    taken = chosen([proposal(1, (1, 2), 99.0), proposal(2, (3, 4), 1.0), proposal(3, (5, 6), 0.05)])
    assert [(one.proposal.whole, one.is_auto) for one in taken] == [((True, 1), True), ((True, 2), False)]


def test_sums_that_want_one_row_take_from_each_other_and_the_likelier_is_proposed() -> None:
    taken = chosen([proposal(1, (1, 2), 99.0), proposal(2, (2, 3), 80.0)])
    assert [(one.proposal.whole, one.is_auto, one.is_contested) for one in taken] == [((True, 1), False, True)]


def test_a_search_that_was_cut_short_is_never_taken() -> None:
    assert [one.is_auto for one in chosen([proposal(1, (1, 2), 1e9, is_unique=False)])] == [False]


def test_a_pair_inside_a_sum_is_no_rival() -> None:
    inside = {(True, 1): Pair((False, 2), 0.99), (False, 2): Pair((True, 1), 0.99)}
    assert chosen([proposal(1, (1, 2), 99.0)], inside)[0].is_auto


def test_a_pair_with_another_row_is_a_rival_by_its_chance() -> None:
    assert chosen([proposal(1, (1, 2), 99.0)], {(False, 2): Pair((True, 7), 0.2)})[0].is_auto
    assert chosen([proposal(1, (1, 2), 99.0)], {(False, 2): Pair((True, 7), 0.99)}) == []


def test_a_doubtful_sum_does_not_break_a_sure_pair_even_inside_it() -> None:
    inside = {(True, 1): Pair((False, 2), 0.99), (False, 2): Pair((True, 1), 0.99)}
    assert chosen([proposal(1, (1, 2), 1.0)], inside) == []


some_proposals = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(1, 8),
        st.sets(st.integers(1, 8), min_size=2, max_size=4),
        st.one_of(st.sampled_from([0.5, 4.0, 1e10]), st.floats(0, 1e6)),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one[:2],
).map(lambda made: [Proposal((side, whole), tuple(sorted(parts)), *more) for side, whole, parts, *more in made])


@many_runs
@given(some_proposals, st.permutations(range(9)))
def test_no_row_is_used_twice_and_the_numbers_of_rows_are_names_only(
    proposals: list[Proposal], names: list[int]
) -> None:
    taken = chosen(proposals)
    rows = [row for one in taken for row in one.proposal.rows]
    assert len(rows) == len(set(rows))
    renamed = [
        replace(one, whole=(one.whole[0], names[one.whole[1]]), parts=tuple(names[part] for part in one.parts))
        for one in proposals
    ]
    again = chosen(renamed)
    told = [(proposals.index(one.proposal), one.confidence, one.is_auto) for one in taken]
    assert [(renamed.index(one.proposal), one.confidence, one.is_auto) for one in again] == told


def test_of_sums_that_are_as_good_in_all_the_first_is_proposed() -> None:
    """They come in the order of their content; the numbers of their rows say nothing."""
    for one, other in ((1, 2), (2, 1)):
        taken = chosen([proposal(one, (5, 6), 9.0), proposal(other, (5, 6), 9.0)])
        assert [told.proposal.whole for told in taken] == [(True, one)]


@many_runs
@given(
    some_proposals,
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.05, 0.3, 0.6, 0.9, 1.0])),
        max_size=6,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1]),
    ),
)
def test_all_are_judged_at_once_as_one_by_one(proposals: list[Proposal], paired: list[tuple[int, int, float]]) -> None:
    pairs = {(True, ours): Pair((False, theirs), chance) for ours, theirs, chance in paired}
    pairs |= {(False, theirs): Pair((True, ours), chance) for ours, theirs, chance in paired}
    assert chosen(proposals, pairs) == chosen_one_by_one(proposals, pairs)
