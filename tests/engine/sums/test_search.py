"""Which sets of candidates reach a whole, and what speaks for each: every set written out beside it."""

from __future__ import annotations

import random
from itertools import combinations
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.sums.search import (
    DENSITY,
    EACH_MORE,
    MOST_PARTS,
    WHOLE_ODDS,
    Part,
    Sums,
    Whole,
    find_sums,
)

CENT = 10_000
many_runs = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def parts_of(amounts: list[int], weights: list[float] | None = None) -> list[Part]:
    """Return candidates with these amounts in cents, the likeliest first."""
    given_weights = weights or [8.0] * len(amounts)
    made = [Part(amount * CENT, weight) for amount, weight in zip(amounts, given_weights, strict=True)]
    return sorted(made, key=lambda part: -part.weight)


def sets_of(sums: Sums | None) -> set[tuple[int, ...]]:
    return {tuple(sorted(one.places)) for one in sums.found} if sums else set()


def every_set(parts: list[Part], target: int, tolerance: int = 0) -> set[tuple[int, ...]]:
    """Try every set of two or more."""
    places = range(len(parts))
    return {
        chosen
        for size in range(2, len(parts) + 1)
        for chosen in combinations(places, size)
        if abs(sum(parts[at].amount for at in chosen) - target) <= tolerance
    }


@many_runs
@given(st.lists(st.integers(1, 40), max_size=9), st.integers(0, 2**9), st.sampled_from([0, 0, 1, 3]))
def test_every_set_that_reaches_the_whole_is_found_and_no_other(amounts: list[int], picked: int, miss: int) -> None:
    target = sum(amount for at, amount in enumerate(amounts) if picked >> at & 1) + miss
    parts = parts_of(amounts)
    whole = Whole(target * CENT, tolerance=miss * CENT) if target else None
    if whole is not None:
        found = find_sums(whole, parts)
        known = every_set(parts, whole.amount, whole.tolerance)
        assert sets_of(found) == known or not found or not found.is_complete
        assert sets_of(found) <= known


@many_runs
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), min_size=2, max_size=7), st.integers(3, 2**7))
def test_the_odds_are_those_of_every_hypothesis_written_out(rows: list[tuple[int, int]], picked: int) -> None:
    parts = parts_of([amount for amount, _ in rows], [weight for _, weight in rows])
    target = sum(part.amount for at, part in enumerate(parts) if picked >> at & 1)
    found = find_sums(Whole(target, amount_share=0.9), parts) if target else None
    if found is None:
        return
    evidence = {}
    for one in found.found:
        size = len(one.places)
        every = sum(prod(2.0 ** parts[at].weight for at in chosen) for chosen in combinations(range(len(parts)), size))
        mine = prod(2.0 ** parts[at].weight for at in one.places)
        evidence[one.places] = WHOLE_ODDS * EACH_MORE ** (size - 1) * mine / every / 0.9
    for one in found.found:
        others = sum(value for places, value in evidence.items() if places != one.places)
        assert one.odds == pytest.approx(evidence[one.places] / (1 + others))
    assert [one.odds for one in found.found] == sorted((one.odds for one in found.found), reverse=True)


def test_a_sum_of_few_odd_amounts_is_surer_than_one_of_many_or_of_round_ones() -> None:
    def odds(amounts: list[int], members: int) -> float:
        found = find_sums(Whole(sum(amounts[:members]) * CENT), parts_of(amounts))
        assert found is not None
        return found.found[0].odds

    few, many = odds([123_457, 8_613], 2), odds([123_457, 8_613, 77, 901, 5_011, 12_347, 640, 99_101], 4)
    assert few > 100 * many
    assert few > 100 * odds([120_000, 10_000], 2)


def test_a_share_of_equal_amounts_takes_from_the_odds() -> None:
    parts = parts_of([123_457, 8_613])
    rare, usual = (find_sums(Whole(132_070 * CENT, amount_share=share), parts) for share in (0.0, 0.01))
    assert rare is not None
    assert usual is not None
    assert usual.found[0].odds == pytest.approx(rare.found[0].odds * DENSITY / 132_070 / 0.01)


def test_two_sets_are_alternatives_and_the_unlikely_one_of_two_is_none() -> None:
    even = find_sums(Whole(30 * CENT), parts_of([10, 20, 12, 18]))
    assert even is not None
    assert (even.verdict, even.alternatives) == ("2 alternatives", 1)
    tilted = find_sums(Whole(30 * CENT), parts_of([10, 20, 12, 18], [12, 12, 2, 2]))
    assert tilted is not None
    assert (tilted.verdict, sets_of(tilted)) == ("unique", {(0, 1), (2, 3)})
    assert tilted.found[0].places == (0, 1)


def test_with_more_candidates_than_are_looked_at_nothing_is_called_unique() -> None:
    rng = random.Random(3)
    amounts = [rng.randrange(10_000, 900_000) for _ in range(MOST_PARTS + 1)]
    found = find_sums(Whole((amounts[0] + amounts[1]) * CENT), parts_of(amounts))
    assert found is not None
    assert (0, 1) in sets_of(found)
    assert found.verdict.startswith("budget reached after ")


def test_many_equal_amounts_end_soon_and_nothing_is_called_unique() -> None:
    found = find_sums(Whole(100 * CENT), parts_of([10] * MOST_PARTS))
    assert found is not None
    assert not found.is_complete
    assert found.verdict.startswith("budget reached after ")


def test_parts_before_their_fees_may_reach_a_whole_before_its_own() -> None:
    parts = [Part(97 * CENT, 8.0, fee=3 * CENT), Part(48 * CENT, 8.0, fee=2 * CENT)]
    found = find_sums(Whole(150 * CENT), parts)
    assert found is not None
    assert found.has_fees
    assert sets_of(found) == {(0, 1)}
    assert find_sums(Whole(151 * CENT), parts) is None


def test_a_refund_inside_a_payout_is_found_after_sums_of_one_sign() -> None:
    refund = [Part(700 * CENT, 8.0), Part(500 * CENT, 8.0), Part(-199 * CENT, 8.0, is_other_sign=True)]
    assert sets_of(find_sums(Whole(1_001 * CENT), refund)) == {(0, 1, 2)}
    assert sets_of(find_sums(Whole(1_200 * CENT), refund)) == {(0, 1)}


def test_amounts_beyond_64_bits_together_are_summed_as_well() -> None:
    huge = 2**62
    assert sets_of(find_sums(Whole(huge + 1), [Part(huge - 5, 8.0), Part(6, 8.0), Part(3, 8.0)])) == {(0, 1)}


@many_runs
@given(st.lists(st.integers(1, 500), min_size=2, max_size=8), st.integers(3, 2**8), st.randoms(use_true_random=False))
def test_the_order_of_equally_likely_candidates_changes_no_odds(
    amounts: list[int], picked: int, rng: random.Random
) -> None:
    target = sum(amount for at, amount in enumerate(amounts) if picked >> at & 1)
    mixed = rng.sample(amounts, len(amounts))
    if target:
        told = [find_sums(Whole(target * CENT), parts_of(order)) for order in (amounts, mixed)]
        odds = [sorted(round(one.odds, 9) for one in sums.found) if sums else [] for sums in told]
        assert odds[0] == odds[1]
