"""One-to-one pairing as a whole: what is chosen, and how sure each pair is, against every pairing written out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.engine.scoring.pairing import MICROBITS, choose_pairs, marginals

Edge = tuple[int, int]


def every_pairing(edges: list[Edge]) -> Iterator[list[int]]:
    """Yield every set of edges in which no row stands twice."""

    def grow(start: int, taken: list[int]) -> Iterator[list[int]]:
        yield taken
        for number in range(start, len(edges)):
            if all(edges[number][0] != edges[one][0] and edges[number][1] != edges[one][1] for one in taken):
                yield from grow(number + 1, [*taken, number])

    yield from grow(0, [])


def exact_marginals(edges: list[Edge], ratio: list[float]) -> list[float]:
    whole, held = 0.0, [0.0] * len(edges)
    for pairing in every_pairing(edges):
        weight = float(np.prod([ratio[number] for number in pairing]))
        whole += weight
        for number in pairing:
            held[number] += weight
    return [share / whole for share in held]


def edges_table(rows: list[tuple[int, int, float]], contents: dict[str, list[int]] | None = None) -> pa.Table:
    ours, theirs, bits = ([row[part] for row in rows] for part in range(3))
    return pa.table(
        {
            "preference": range(1, len(rows) + 1),
            "ours_row": pa.array(ours, pa.int64()),
            "theirs_row": pa.array(theirs, pa.int64()),
            "weight": pa.array([round(value * MICROBITS) for value in bits], pa.int64()),
            "ours_content": pa.array((contents or {}).get("ours", ours), pa.int64()),
            "theirs_content": pa.array((contents or {}).get("theirs", theirs), pa.int64()),
        }
    )


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Edge], list[float]]:
    """Draw candidates without a cycle: each new row meets one that is there already."""
    rows: list[tuple[str, int]] = [("ours", 0)]
    edges: list[Edge] = []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        side, other = rows[draw(st.integers(0, len(rows) - 1))]
        new = ("theirs" if side == "ours" else "ours", number)
        rows.append(new)
        edges.append((other, number) if side == "ours" else (number, other))
    return edges, draw(st.lists(st.floats(0.01, 1000), min_size=len(edges), max_size=len(edges)))


@given(trees())
def test_confidence_without_a_cycle_is_the_exact_share_of_all_pairings(tree: tuple[list[Edge], list[float]]) -> None:
    edges, ratio = tree
    ours, theirs = (np.unique([edge[side] for edge in edges], return_inverse=True)[1] for side in (0, 1))
    found = marginals(ours, theirs, np.array(ratio))
    assert found == pytest.approx(exact_marginals(edges, ratio), abs=1e-5)


@pytest.mark.parametrize("bits", [-3.0, 0.0, 4.0])
def test_confidence_in_a_small_cycle_is_near_the_exact_share(bits: float) -> None:
    edges = [(0, 0), (0, 1), (1, 0), (1, 1)]
    ratio = [2.0**bits] * 4
    ours, theirs = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert marginals(ours, theirs, np.array(ratio)) == pytest.approx(exact_marginals(edges, ratio), abs=0.12)


def test_the_pairing_as_a_whole_counts_and_not_the_best_pair() -> None:
    made = choose_pairs(edges_table([(1, 1, 9.0), (1, 2, 8.5), (2, 1, 8.0), (2, 2, 1.0)]), 0.1)
    assert made["is_chosen"].to_pylist() == [False, True, True, False]
    assert made["confidence"].to_pylist()[1] > 0.9


def test_two_that_are_as_likely_share_the_confidence() -> None:
    made = choose_pairs(edges_table([(1, 1, 20.0), (1, 2, 20.0)]), 0.1)
    assert made["confidence"].to_pylist() == pytest.approx([0.5, 0.5], abs=1e-5)
    assert made["is_chosen"].to_pylist() == [True, False]


def test_equal_copies_are_no_alternatives() -> None:
    table = edges_table([(1, 1, 20.0), (1, 2, 20.0)], {"ours": [1, 1], "theirs": [7, 7]})
    assert choose_pairs(table, 0.1)["confidence"].to_pylist() == pytest.approx([1, 1], abs=1e-6)


def test_what_weighs_less_than_nothing_is_proposed_only_from_the_review_threshold() -> None:
    table = edges_table([(1, 1, -1.0), (2, 2, -5.0)])
    assert choose_pairs(table, 0.1)["is_chosen"].to_pylist() == [True, False]


def test_no_candidates_are_no_pairs() -> None:
    assert choose_pairs(edges_table([]), 0.1).num_rows == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-4, 12)), unique_by=lambda e: e[:2], max_size=14
    )
)
def test_no_row_is_chosen_twice_and_confidence_is_a_share(rows: list[tuple[int, int, int]]) -> None:
    made = choose_pairs(edges_table([(o, t, float(bits)) for o, t, bits in rows]), 0.1)
    chosen = [row for row, is_chosen in zip(rows, made["is_chosen"].to_pylist(), strict=True) if is_chosen]
    assert len({o for o, _, _ in chosen}) == len({t for _, t, _ in chosen}) == len(chosen)
    assert all(0 <= value <= 1 for value in made["confidence"].to_pylist())


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 12)), unique_by=lambda e: e[:2], max_size=10
    )
)
def test_the_choice_weighs_most_of_all_pairings(rows: list[tuple[int, int, int]]) -> None:
    made = choose_pairs(edges_table([(o, t, float(bits)) for o, t, bits in rows]), 0.1)
    found = sum(bits for (_, _, bits), held in zip(rows, made["is_chosen"].to_pylist(), strict=True) if held)
    best = max(sum(rows[number][2] for number in pairing) for pairing in every_pairing([row[:2] for row in rows]))
    assert found == best


SOME = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(-4, 12)), unique_by=lambda e: e[:2], max_size=9
)


@given(here=SOME, far=SOME)
def test_a_confidence_does_not_depend_on_what_is_far_away(
    here: list[tuple[int, int, int]], far: list[tuple[int, int, int]]
) -> None:
    apart = [(ours + 100, theirs + 100, bits) for ours, theirs, bits in far]
    alone = choose_pairs(edges_table([(o, t, float(bits)) for o, t, bits in here]), 0.1)
    beside = choose_pairs(edges_table([(o, t, float(bits)) for o, t, bits in [*here, *apart]]), 0.1)
    assert beside.slice(0, len(here)).to_pylist() == alone.to_pylist()


@pytest.mark.parametrize("size", [2, 3, 40])
def test_a_ring_that_is_slow_to_settle_holds_up_none_beside_it(size: int) -> None:
    """All share as much of every row in a ring of equals; a pair alone beside it is exact."""
    ring = [(row, (row + step) % size) for row in range(size) for step in (0, 1)]
    ours, theirs = (np.array([*(edge[side] for edge in ring), size]) for side in (0, 1))
    found = marginals(ours, theirs, np.array([*[256.0] * len(ring), 3.0]))
    assert found[-1] == 0.75
    assert np.ptp(found[:-1]) < 1e-6
