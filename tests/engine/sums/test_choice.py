"""Which sums are taken where several want the same rows, or a pair has them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.sums.choice import Chosen, Pair, Proposal, Row, choose
from tieout.engine.sums.search import FoundSum, Sums

many_runs = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def proposal(
    whole: int, parts: tuple[int, ...], odds: float, *, is_ours: bool = True, complete: bool = True
) -> Proposal:
    """Return a whole that just these parts reach."""
    return Proposal((is_ours, whole), parts, Sums((FoundSum(tuple(range(len(parts))), odds),), 1, complete))


def chosen(proposals: list[Proposal], pairs: dict[Row, Pair] | None = None) -> list[Chosen]:
    return choose(proposals, pairs or {}, 0.8, 0.1)


def test_a_likely_sum_is_taken_a_doubtful_one_proposed_an_unlikely_one_left() -> None:
    taken = chosen([proposal(1, (1, 2), 99.0), proposal(2, (3, 4), 1.0), proposal(3, (5, 6), 0.05)])
    assert [(one.proposal.whole, one.is_auto) for one in taken] == [((True, 1), True), ((True, 2), False)]


def test_sums_that_want_one_row_take_from_each_other_and_the_likelier_is_proposed() -> None:
    taken = chosen([proposal(1, (1, 2), 99.0), proposal(2, (2, 3), 80.0)])
    assert [(one.proposal.whole, one.is_auto, one.is_contested) for one in taken] == [((True, 1), False, True)]


def test_a_search_that_was_cut_short_is_never_taken() -> None:
    assert [one.is_auto for one in chosen([proposal(1, (1, 2), 1e9, complete=False)])] == [False]


def test_a_pair_inside_a_sum_is_no_rival() -> None:
    inside = {(True, 1): Pair((False, 2), 0.99), (False, 2): Pair((True, 1), 0.99)}
    assert chosen([proposal(1, (1, 2), 99.0)], inside)[0].is_auto


def test_a_pair_with_another_row_is_a_rival_by_its_chance() -> None:
    assert chosen([proposal(1, (1, 2), 99.0)], {(False, 2): Pair((True, 7), 0.2)})[0].is_auto
    assert chosen([proposal(1, (1, 2), 99.0)], {(False, 2): Pair((True, 7), 0.99)}) == []


def test_a_doubtful_sum_does_not_break_a_sure_pair_even_inside_it() -> None:
    inside = {(True, 1): Pair((False, 2), 0.99), (False, 2): Pair((True, 1), 0.99)}
    assert chosen([proposal(1, (1, 2), 1.0)], inside) == []


@many_runs
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(1, 8), st.sets(st.integers(1, 8), min_size=2, max_size=4), st.floats(0, 1e6)
        ),
        max_size=12,
        unique_by=lambda one: one[:2],
    ),
    st.randoms(use_true_random=False),
)
def test_no_row_is_used_twice_and_order_does_not_matter(made: list[tuple], rng) -> None:
    proposals = [proposal(whole, tuple(sorted(parts)), odds, is_ours=side) for side, whole, parts, odds in made]
    taken = chosen(proposals)
    rows = [row for one in taken for row in one.proposal.best]
    assert len(rows) == len(set(rows))
    again = chosen(rng.sample(proposals, len(proposals)))
    assert {(one.proposal.whole, one.is_auto) for one in again} == {(one.proposal.whole, one.is_auto) for one in taken}
