"""Sets of amounts that reach a sum: all of them, none that is not one, and no word more than is known."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.settlement.subset_sum import Search, Subsets, find_subsets

CENT = 10_000
many_runs = settings(max_examples=300, deadline=None, derandomize=True, database=None)

few_values = st.lists(st.integers(-4, 6), max_size=12)
wide_values = st.lists(st.integers(-1_000, 5_000), max_size=12)
large_values = st.lists(st.integers(-(10**30), 10**30), max_size=9)
amounts = st.one_of(few_values, few_values, wide_values, large_values)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[int], int, Search]:
    """A target that is now and then the sum of some of the amounts, and limits that now and then bite."""
    values = draw(amounts)
    members = draw(st.lists(st.sampled_from(values), max_size=6) if values else st.just([]))
    search = Search(
        min_size=draw(st.integers(1, 3)),
        max_size=draw(st.integers(1, 12)),
        max_found=draw(st.sampled_from([0, 1, 2, 10, 5_000, 5_000])),
        tolerance=draw(st.sampled_from([0, 0, 1, 3, 50])),
        node_budget=draw(st.sampled_from([10**6, 10**6, 10**6, 10, 40, 200])),
    )
    return values, sum(members) + draw(st.sampled_from([0, 0, 0, 1, -3])), search


def list_all(values: list[int], target: int, search: Search) -> list[tuple[int, ...]]:
    """Try every set, the smallest first."""
    places = [place for place, value in enumerate(values) if value]
    return [
        chosen
        for size in range(search.min_size, search.max_size + 1)
        for chosen in combinations(places, size)
        if abs(sum(values[place] for place in chosen) - target) <= search.tolerance
    ]


def plant(seed: int, number: int, size: int) -> tuple[list[int], int, tuple[int, ...]]:
    """Invoices from 10.00 to 50,000.00 and a payment that settles some of them."""
    chance = random.Random(seed)
    values = [chance.randint(1_000, 5_000_000) * CENT for _ in range(number)]
    members = tuple(sorted(chance.sample(range(number), size)))
    return values, sum(values[place] for place in members), members


@many_runs
@given(questions())
def test_what_is_found_and_said_is_what_trying_every_set_shows(question: tuple[list[int], int, Search]) -> None:
    values, target, search = question
    right = list_all(values, target, search)
    answer = find_subsets(values, target, search)
    looked_at = [chosen for chosen in right if len(chosen) <= answer.searched_to]
    assert set(answer.found) <= set(right)
    assert answer.found[: len(looked_at)] == tuple(looked_at[: search.max_found])
    assert list(answer.found) == sorted(answer.found, key=lambda chosen: (len(chosen), chosen))
    assert len(looked_at) <= answer.count <= len(right)
    assert len(answer.found) == min(answer.count, search.max_found)
    assert answer.nodes <= search.node_budget
    if answer.is_complete:
        assert answer.count == len(right)
    if answer.verdict in {"none", "unique"}:
        assert len(right) == ["none", "unique"].index(answer.verdict)


def count_by_size(values: list[int], target: int, tolerance: int) -> Counter[int]:
    """Count the sets of each size, by how many make each sum."""
    ways: Counter[tuple[int, int]] = Counter({(0, 0): 1})
    for value in values:
        for (size, total), number in list(ways.items()):
            ways[size + 1, total + value] += number
    sizes: Counter[int] = Counter()
    for (size, total), number in ways.items():
        if abs(total - target) <= tolerance:
            sizes[size] += number
    return sizes


@pytest.mark.parametrize("tolerance", [0, 2])
@pytest.mark.parametrize("spread", [3, 40, 2_000])
@pytest.mark.parametrize("seed", range(6))
def test_more_amounts_than_can_be_tried_are_counted_right(seed: int, spread: int, tolerance: int) -> None:
    chance = random.Random(f"{seed} {spread}")
    values = [chance.choice([1, 1, -1]) * chance.randint(1, spread) for _ in range(18 + seed)]
    target = sum(chance.sample(values, 5))
    right = count_by_size(values, target, tolerance)
    search = Search(max_size=9, max_found=20_000, tolerance=tolerance, node_budget=2_000_000)
    answer = find_subsets(values, target, search)
    assert answer.searched_to > 4
    assert answer.count == sum(number for size, number in right.items() if 2 <= size <= answer.searched_to)


@many_runs
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_the_amounts_decides_nothing(question: tuple[list[int], int, Search], chance) -> None:
    values, target, search = question
    places = list(range(len(values)))
    chance.shuffle(places)
    here = find_subsets(values, target, search)
    there = find_subsets([values[place] for place in places], target, search)
    assert (here.count, here.nodes, here.verdict) == (there.count, there.nodes, there.verdict)
    assert (here.searched_to, here.is_complete) == (there.searched_to, there.is_complete)
    if here.count <= search.max_found:
        assert set(here.found) == {tuple(sorted(places[at] for at in chosen)) for chosen in there.found}


@pytest.mark.parametrize("size", [4, 5, 6])
@pytest.mark.parametrize("number", [20, 40, 60])
@pytest.mark.parametrize("seed", range(4))
def test_a_planted_payment_is_found_within_the_default_budget(number: int, size: int, seed: int) -> None:
    values, target, members = plant(seed, number, size)
    answer = find_subsets(values, target, Search(max_found=1_000))
    assert members in answer.found
    assert all(sum(values[place] for place in chosen) == target for chosen in answer.found)
    assert answer.searched_to >= 6


def test_up_to_32_amounts_are_searched_whole_and_more_by_size() -> None:
    reached = [find_subsets(*plant(3, number, 5)[:2], Search(max_found=10**6)) for number in (20, 32, 40, 60)]
    assert [answer.searched_to for answer in reached] == [12, 12, 8, 6]
    assert [answer.is_complete for answer in reached] == [True, True, False, False]


def test_a_larger_budget_looks_further() -> None:
    values, target, _ = plant(0, 40, 9)
    assert find_subsets(values, target, Search(node_budget=3_000_000, max_found=10_000)).is_complete


@pytest.mark.parametrize("fewer", [0, 1, 5, 19, 100, 500, 2_000])
def test_a_small_budget_is_kept_and_told(fewer: int) -> None:
    values, target, _ = plant(1, 20, 6)
    answer = find_subsets(values, target, Search(node_budget=fewer))
    assert answer.nodes <= fewer
    assert answer.verdict == f"budget reached after {answer.nodes:,} nodes"
    assert find_subsets(values, target).verdict == "unique"


def test_the_only_set_that_is_known_is_not_called_unique_before_the_end() -> None:
    values, target, members = plant(1, 40, 4)
    answer = find_subsets(values, target)
    assert (answer.found, answer.count, answer.is_complete) == ((members,), 1, False)
    assert answer.verdict.startswith("budget reached after")


@pytest.mark.parametrize("values", [[7] * 30, [7] * 30 + [-7] * 30, [1, 2, 3, 4] * 15])
def test_equal_invoices_are_counted_without_being_tried_one_by_one(values: list[int]) -> None:
    answer = find_subsets(values, 14, Search(max_size=2))
    pairs = [pair for pair in combinations(range(len(values)), 2) if values[pair[0]] + values[pair[1]] == 14]
    assert (answer.count, answer.found) == (len(pairs), tuple(pairs[:10]))
    assert answer.is_complete
    assert answer.nodes < 5_000


def test_choices_among_equal_invoices_are_alternatives() -> None:
    assert find_subsets([5, 5, 5, 5, 5], 10).verdict == "10 alternatives"
    assert find_subsets([5, 5, 5, 5, 5], 10).found[:3] == ((0, 1), (0, 2), (0, 3))
    assert find_subsets([1] * 60, 12).count == comb(60, 12)


def test_a_credit_note_can_be_a_member_and_an_amount_of_zero_cannot() -> None:
    assert find_subsets([100, 0, -30, 0, 500], 70).found == ((0, 2),)
    assert find_subsets([100, 0, 0], 100).verdict == "none"
    assert find_subsets([5, -5, 3], 0).found == ((0, 1),)


def test_a_single_invoice_is_a_set_only_if_asked_for() -> None:
    assert find_subsets([100, 40], 100).verdict == "none"
    assert find_subsets([100, 40], 100, Search(min_size=1)).found == ((0,),)


def test_the_search_ends_early_after_a_size_with_enough_alternatives() -> None:
    answer = find_subsets([1, 2, 3, 4, 5, 6, 7], 9, Search(max_found=2))
    assert answer.found == ((1, 6), (2, 5))
    assert (answer.verdict, answer.searched_to) == ("at least 3 alternatives", 2)
    assert find_subsets([1, 2, 3, 4, 5, 6, 7], 9).verdict == "6 alternatives"


def test_amounts_without_a_cent_cannot_sum_to_one() -> None:
    assert find_subsets([100 * CENT * number for number in range(1, 61)], 500 * CENT + 1) == Subsets((), 0, 0, True, 12)


def test_pairs_without_end_end_with_the_budget() -> None:
    answer = find_subsets([2 * number for number in range(1, 61)] + [1], 350, Search(max_found=10**6))
    assert answer.nodes == 200_000
    assert answer.verdict.startswith("at least ")


@pytest.mark.parametrize("wrong", [{"min_size": 0}, {"tolerance": -1}, {"max_found": -1}, {"node_budget": -1}])
def test_limits_below_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        Search(**wrong)
