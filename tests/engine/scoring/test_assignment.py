"""The assignment against naive judges: what it weighs, which of equals it takes, and what it admits not to know."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tieout.engine.scoring import assignment
from tieout.engine.scoring.assignment import Assigned, WeightOutOfRange, assign

Edge = tuple[int, int, int]
BUDGETS = st.sampled_from([0, assignment.EDGE_BUDGET])


def assign_edges(edges: list[Edge], **options: int) -> Assigned:
    table = np.array(edges, dtype=np.int64).reshape(-1, 3)
    return assign(table[:, 0], table[:, 1], table[:, 2], **options)


def pick(edges: list[Edge], result: Assigned) -> list[int]:
    """Return the places of the chosen edges, having looked that no row stands in two."""
    places = np.flatnonzero(result.chosen).tolist()
    for side in (0, 1):
        assert len({edges[place][side] for place in places}) == len(places)
    return places


def weigh(edges: list[Edge], places: list[int]) -> int:
    return sum(edges[place][2] for place in places)


def first_of_best(edges: list[Edge]) -> list[int]:
    """Try every matching; of the heaviest, the one with the earliest edge, then the earliest second, and so on."""

    def go(place: int, rows: frozenset[int], columns: frozenset[int]) -> tuple[int, list[int]]:
        if place == len(edges):
            return 0, []
        row, column, weight = edges[place]
        without, left_out = go(place + 1, rows, columns)
        if weight > 0 and row not in rows and column not in columns:
            within, taken = go(place + 1, rows | {row}, columns | {column})
            if within + weight >= without:
                return within + weight, [place, *taken]
        return without, left_out

    return go(0, frozenset(), frozenset())[1]


def weigh_by_networkx(edges: list[Edge]) -> int:
    graph = nx.Graph()
    for row, column, weight in edges:
        key = ("ours", row), ("theirs", column)
        graph.add_edge(*key, weight=max(weight, graph.get_edge_data(*key, {"weight": 0})["weight"]))
    return sum(graph.edges[pair]["weight"] for pair in nx.max_weight_matching(graph))


def graphs(rows: int, edges: int, top: int):
    edge = st.tuples(st.integers(0, rows - 1), st.integers(0, rows - 1), st.integers(-1, top))
    return st.lists(edge, max_size=edges)


def random_edges(seed: int, rows: int, columns: int, share: float, top: int) -> list[Edge]:
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in itertools.product(range(rows), range(columns)) if rng.random() < share]
    return [(row, column, int(rng.integers(1, top + 1))) for row, column in pairs]


@settings(max_examples=400, deadline=None)
@given(graphs(rows=5, edges=11, top=3))
def test_of_the_heaviest_matchings_the_earliest_is_chosen(edges: list[Edge]) -> None:
    result = assign_edges(edges)
    assert pick(edges, result) == first_of_best(edges)
    assert result.gap == 0
    assert result.is_proven.all()


@settings(max_examples=150, deadline=None)
@given(graphs(rows=12, edges=60, top=30))
def test_nothing_weighs_more_says_networkx(edges: list[Edge]) -> None:
    result = assign_edges(edges)
    assert weigh(edges, pick(edges, result)) == weigh_by_networkx(edges)
    assert result.gap == 0


@pytest.mark.parametrize("top", [1, 3, 1_000, 2**40 - 1])
@pytest.mark.parametrize("shape", [(40, 40), (20, 90), (90, 20)])
def test_nothing_weighs_more_on_dense_graphs(shape: tuple[int, int], top: int) -> None:
    edges = random_edges(7, *shape, share=1, top=top)
    costs = np.array([weight for _, _, weight in edges], dtype=np.int64).reshape(shape)
    result = assign_edges(edges)
    assert weigh(edges, pick(edges, result)) == int(costs[linear_sum_assignment(costs, maximize=True)].sum())
    assert result.gap == 0
    assert (result.components, result.ambiguous, result.largest) == (1, 1, len(edges))


@pytest.mark.parametrize("rows", [1, 2, 7, 150])
def test_rows_that_are_all_alike_pair_in_order(rows: int) -> None:
    edges = [(row, column, 5) for row in range(rows) for column in range(rows)]
    assert pick(edges, assign_edges(edges)) == [row * rows + row for row in range(rows)]


@pytest.mark.parametrize(("share", "top"), [(0.6, 2), (1, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_ties_beyond_one_round_still_follow_the_order(
    seed: int, share: float, top: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edge is taken exactly if the heaviest matching with those taken before and this one is as heavy as any."""
    rounds: list[int] = []
    weigh_by_order = assignment._weights_by_order

    def count(graph: assignment._Graph) -> assignment.Integers:
        rounds.append(len(graph.place))
        return weigh_by_order(graph)

    monkeypatch.setattr(assignment, "_weights_by_order", count)
    edges = random_edges(seed, 20, 20, share=share, top=top)
    weights = np.zeros((20, 20), dtype=np.int64)
    for row, column, weight in edges:
        weights[row, column] = weight
    best = weigh_rest(weights, [], [])
    taken: list[int] = []
    for place, (_, _, weight) in enumerate(edges):
        rows, columns = ([edges[end][side] for end in [*taken, place]] for side in (0, 1))
        is_free = len(set(rows)) == len(set(columns)) == len(rows)
        if is_free and weigh(edges, taken) + weight + weigh_rest(weights, rows, columns) == best:
            taken.append(place)
    assert pick(edges, assign_edges(edges)) == taken
    assert len(rounds) > 1


def weigh_rest(weights: assignment.Integers, rows: list[int], columns: list[int]) -> int:
    """Return the largest weight of a matching without these rows and columns."""
    rest = np.delete(np.delete(weights, rows, axis=0), columns, axis=1)
    return int(rest[linear_sum_assignment(rest, maximize=True)].sum())


@settings(max_examples=100, deadline=None)
@given(graphs(rows=9, edges=40, top=4), st.integers(0, 2**32), BUDGETS)
def test_row_numbers_are_only_names(edges: list[Edge], seed: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.integers(-(2**63), 2**63 - 1, size=(2, 9)).tolist()
    renamed = [(names[0][row], names[1][column], weight) for row, column, weight in edges]
    before, after = assign_edges(edges, edge_budget=budget), assign_edges(renamed, edge_budget=budget)
    assert np.array_equal(before.chosen, after.chosen)
    assert before.gap == after.gap


def test_row_numbers_are_only_names_where_ties_are_beyond_counting() -> None:
    edges = random_edges(3, 60, 60, share=0.5, top=2)
    rng = np.random.default_rng(11)
    names = rng.permutation(60).tolist(), rng.permutation(60).tolist()
    renamed = [(names[0][row], names[1][column], weight) for row, column, weight in edges]
    assert np.array_equal(assign_edges(edges).chosen, assign_edges(renamed).chosen)


@settings(max_examples=100, deadline=None)
@given(graphs(rows=7, edges=25, top=4), graphs(rows=7, edges=25, top=90), st.randoms(), BUDGETS)
def test_a_stranger_changes_nothing(edges: list[Edge], others: list[Edge], mix: object, budget: int) -> None:
    far = [(row + 1_000, column + 1_000, weight) for row, column, weight in others]
    order = [*[True] * len(edges), *[False] * len(far)]
    mix.shuffle(order)
    own, strange = iter(edges), iter(far)
    both = [next(own) if is_own else next(strange) for is_own in order]
    alone, beside = assign_edges(edges, edge_budget=budget), assign_edges(both, edge_budget=budget)
    is_own = np.array(order, dtype=np.bool_)
    assert np.array_equal(beside.chosen[is_own], alone.chosen)
    assert np.array_equal(beside.is_proven[is_own], alone.is_proven)
    assert beside.components == alone.components + assign_edges(far).components


def test_many_components_are_solved_in_blocks_as_each_alone() -> None:
    every = [random_edges(seed, 5, 4, share=0.7, top=3) for seed in range(300)]
    shifted = [[(row + 10 * n, column + 10 * n, weight) for row, column, weight in one] for n, one in enumerate(every)]
    whole = assign_edges([edge for one in shifted for edge in one]).chosen
    assert np.array_equal(whole, np.concatenate([assign_edges(one).chosen for one in every]))


@settings(max_examples=200, deadline=None)
@given(graphs(rows=8, edges=40, top=50))
def test_beyond_the_budget_the_gap_is_honest(edges: list[Edge]) -> None:
    result = assign_edges(edges, edge_budget=0)
    lack = weigh_by_networkx(edges) - weigh(edges, pick(edges, result))
    assert 0 <= lack <= result.gap
    assert (result.gap == 0) == bool(result.is_proven.all())


def test_the_budget_is_of_each_component() -> None:
    small = [(0, 0, 5), (0, 1, 4), (1, 0, 3)]
    large = [(row + 10, column + 10, weight) for row, column, weight in random_edges(1, 30, 30, share=0.5, top=99)]
    result = assign_edges([*small, *large], edge_budget=20)
    assert result.gap > 0
    assert result.is_proven.tolist() == [True] * 3 + [False] * len(large)
    assert pick(small, assign_edges(small)) == np.flatnonzero(result.chosen[:3]).tolist()


def test_a_rough_choice_is_a_good_one() -> None:
    edges = random_edges(5, 120, 120, share=0.3, top=1_000_000)
    result = assign_edges(edges, edge_budget=0)
    assert 0 < result.gap < weigh(edges, pick(edges, result)) // 100


def test_what_the_solver_gets_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = random_edges(2, 20, 20, share=0.6, top=1_000)
    monkeypatch.setattr(assignment, "_solve", lambda graph: np.zeros(len(graph.place), dtype=np.bool_))
    result = assign_edges(edges)
    lack = weigh_by_networkx(edges) - weigh(edges, pick(edges, result))
    assert 0 <= lack <= result.gap
    assert result.gap > 0
    assert not result.is_proven.any()


def test_a_choice_short_by_one_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demands that grow by one round after round end with the rounds."""
    edges = [(0, 0, 2**39), (0, 1, 2**39), (1, 0, 2**39), (1, 1, 2**39 + 1)]
    worse = np.array([False, True, True, False])
    monkeypatch.setattr(assignment, "_solve", lambda graph: worse[graph.place])
    assert pick(edges, assign_edges(edges)) == [0, 3]


def test_edges_of_no_weight_count_nowhere() -> None:
    edges = [(0, 0, 0), (1, 1, -5), (2, 2, 7)]
    result = assign_edges(edges)
    assert pick(edges, result) == [2]
    assert (result.components, result.ambiguous, result.largest, result.gap) == (1, 0, 1, 0)
    assert result.is_proven.all()


def test_of_edges_between_the_same_rows_the_heaviest_counts_then_the_earliest() -> None:
    edges = [(0, 0, 3), (0, 0, 4), (0, 0, 4), (0, 1, 4), (1, 0, 4), (1, 1, 4)]
    assert pick(edges, assign_edges(edges)) == [1, 5]


def test_no_edges_give_nothing() -> None:
    result = assign_edges([])
    assert (len(result.chosen), result.components, result.largest, result.gap) == (0, 0, 0, 0)


def test_rows_at_the_ends_of_64_bits() -> None:
    low, high = -(2**63), 2**63 - 1
    edges = [(low, high, 2), (low, low, 3), (high, high, 3), (high, low, 3)]
    assert pick(edges, assign_edges(edges)) == [1, 2]


@pytest.mark.parametrize("weight", [2**40, -(2**40), 2**63 - 1, -(2**63)])
def test_weights_out_of_range_are_refused(weight: int) -> None:
    with pytest.raises(WeightOutOfRange, match=str(weight)):
        assign_edges([(0, 0, 1), (1, 1, weight)])


def test_weights_whose_sum_might_overflow_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "WEIGHT_LIMIT", 2**63)
    assert pick([(0, 0, 2**61)], assign_edges([(0, 0, 2**61)])) == [0]
    with pytest.raises(WeightOutOfRange, match="more than 64 bits"):
        assign_edges([(0, 0, 2**61), (1, 1, 1)])


def test_the_largest_weights_stay_exact() -> None:
    top = 2**40 - 1
    edges = [(0, 0, top), (0, 1, top - 1), (1, 0, top - 1), (1, 1, top - 3), (1, 2, 1), (2, 1, top)]
    result = assign_edges(edges)
    assert pick(edges, result) == first_of_best(edges)
    assert result.gap == 0


def test_what_is_no_edge_list_is_refused() -> None:
    one, two = np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    with pytest.raises(ValueError, match="2 weights"):
        assign(one, one, two)
    with pytest.raises(TypeError, match="int64 wanted"):
        assign(one, one, np.ones(1))
