"""Optimal one-to-one assignment of two tables' rows, in bulk, exact and reproducible.

numpy and scipy load with this module, so whoever assigns imports it where it is used: `tieout --help` stays fast.

How: edges that beat all rivals of both their rows together are settled first; what is left falls into connected
components, solved in blocks by scipy's sparse assignment. Its arithmetic is floating, so every component is then proven
by integer prices of its rows (the dual of the assignment): a matching that such prices support is optimal, whatever
found it. The same prices tell which edges stand in some optimal matchings and not in others, and there the order of the
edges decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from tieout.core.errors import TieoutError

Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

EDGE_BUDGET = 20_000_000
WEIGHT_LIMIT = 2**40
BUDGET_ROWS = 1_000
"""The rows for which an edge budget is meant; the solver's time grows with rows times edges of a component."""
BLOCK_ROWS = 256
"""Rows solved in one call. Measured: from 128 to 512 it makes no difference, at 9,000 a row takes six times as long."""
DOMINANCE_ROUNDS = 4
TIE_BITS = 32
"""Edges whose order one round of tie-breaking decides: as powers of two they stay exact in a float with room to add."""
TIE_ROUNDS = 8
AUCTION_ROUNDS = 200
GREEDY_CHUNK = 100_000


class WeightOutOfRange(TieoutError):
    """A weight, or the sum of all, is beyond what the arithmetic here is exact for."""

    code = "weight_out_of_range"


@dataclass(frozen=True)
class Assigned:
    """A matching and what is known of it. Edges of no positive weight are never chosen and count in no number here."""

    chosen: Flags
    """One flag per edge given."""
    components: int
    """Connected components of the graph."""
    ambiguous: int
    """Components with more than one edge."""
    largest: int
    """Edges of the largest component."""
    gap: int
    """What the total weight may lack of the maximum, at most; 0 where every component is proven optimal."""
    is_proven: Flags
    """One flag per edge given: false where it stands in a component that is not proven optimal."""


def assign(ours: Integers, theirs: Integers, weight: Integers, *, edge_budget: int = EDGE_BUDGET) -> Assigned:
    """Choose edges such that no row stands in two of them and the sum of their weights is the largest possible.

    Edge i joins row `ours[i]` of our side and row `theirs[i]` of theirs, by any number, with integer `weight[i]`
    below 2**40 in size. Row numbers are names only: the result depends on which edges share rows, their weights and
    their order, and a component's on nothing outside it.

    Of matchings of the same weight the one that has the earliest edge is chosen, of those the one with the earliest
    second, and so on, whenever the edges that optimal matchings disagree on (connected by swaps) number at most
    TIE_BITS × TIE_ROUNDS = 256, or whenever taking these edges in order gives an optimal matching, as for rows that
    are all alike. Beyond that the first 256 at least are decided so, and the rest is some function of the order.

    A component, less what is settled at sight, is solved exactly while edges × max(rows of its shorter side, 1000) ≤
    `edge_budget` × 1000. Beyond, it gets the better of a greedy choice and an auction, and `gap` says how far from the
    best the total may be. One at the limit takes 10 to 20 seconds, depending on its shape.

    Raises WeightOutOfRange.
    """
    _check(ours, theirs, weight)
    live = np.flatnonzero(weight > 0)
    graph = _graph(ours[live], theirs[live], weight[live], live)
    _check_sum(graph)
    chosen = np.zeros(len(weight), dtype=np.bool_)
    dominant, left = _settle_dominant(graph)
    chosen[graph.place[dominant]] = True
    core = _part(graph, _without_doubles(graph, left))
    is_exact = _is_within(core, edge_budget)[core.label]
    exact = _part(core, np.flatnonzero(is_exact))
    found = _solve(exact)
    prices = _price(exact, found)
    _break_ties(chosen, exact, found, prices)
    is_open = ~is_exact
    is_open[is_exact] = prices.is_refuted[exact.label]
    gap, unproven = _approximate(chosen, _part(core, np.flatnonzero(is_open)))
    is_proven = np.ones(len(weight), dtype=np.bool_)
    is_proven[live] = ~_mark(np.searchsorted(live, unproven), graph.label, graph.components)
    sizes = np.bincount(graph.label, minlength=graph.components)
    return Assigned(
        chosen=chosen,
        components=graph.components,
        ambiguous=int(np.count_nonzero(sizes > 1)),
        largest=int(sizes.max(initial=0)),
        gap=gap,
        is_proven=is_proven,
    )


def component_of(ours: Integers, theirs: Integers) -> Integers:
    """Return for each edge the number of its connected component; row numbers from 0 name rows of either side."""
    if not len(ours):
        return ours
    rows = int(ours.max()) + 1
    return _connect(ours, rows + theirs, rows + int(theirs.max()) + 1, "weak")[1][ours]


def _check(ours: Integers, theirs: Integers, weight: Integers) -> None:
    if not len(ours) == len(theirs) == len(weight):
        raise ValueError(f"{len(ours)} rows of ours, {len(theirs)} of theirs, {len(weight)} weights: not one an edge")
    if any(given.dtype != np.int64 for given in (ours, theirs, weight)):
        raise TypeError(f"int64 wanted, got {ours.dtype}, {theirs.dtype}, {weight.dtype}")
    if len(weight) and not -WEIGHT_LIMIT < int(weight.min()) <= int(weight.max()) < WEIGHT_LIMIT:
        raise WeightOutOfRange(
            f"Weights from {weight.min()} to {weight.max()} are given.",
            remedy=f"Scale them into ±{WEIGHT_LIMIT - 1}.",
        )


def _check_sum(graph: _Graph) -> None:
    """Refuse what might overflow: twice the rows times the largest weight bounds every sum taken here."""
    rows = max(graph.rows, graph.columns)
    if 2 * rows * int(graph.weight.max(initial=0)) >= 2**63:
        raise WeightOutOfRange(
            f"Weights up to {graph.weight.max()} on {rows} rows sum to more than 64 bits hold.",
            remedy="Scale the weights down.",
        )


@dataclass(frozen=True)
class _Graph:
    """Edges with rows of either side numbered by first appearance, and the component of each."""

    place: Integers
    """Where the caller gave the edge; ascending."""
    row: Integers
    column: Integers
    weight: Integers
    row_label: Integers
    """Component of each row of ours."""
    column_label: Integers
    components: int

    @property
    def rows(self) -> int:
        return len(self.row_label)

    @property
    def columns(self) -> int:
        return len(self.column_label)

    @property
    def label(self) -> Integers:
        """Component of each edge."""
        return self.row_label[self.row]


def _graph(ours: Integers, theirs: Integers, weight: Integers, place: Integers) -> _Graph:
    row, rows = _number(ours)
    column, columns = _number(theirs)
    components, label = _connect(row, rows + column, rows + columns, "weak")
    return _Graph(place, row, column, weight, label[:rows], label[rows:], components)


def _connect(tail: Integers, head: Integers, nodes: int, connection: Literal["weak", "strong"]) -> tuple[int, Integers]:
    """Return how many components arrows between nodes make, and the component of each node."""
    if not nodes:
        return 0, np.zeros(0, dtype=np.int64)
    drawn = coo_matrix((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(nodes, nodes)).tocsr()
    components, label = connected_components(drawn, directed=True, connection=connection)
    return int(components), label.astype(np.int64)


def _part(graph: _Graph, edges: Integers) -> _Graph:
    """Return the graph of these edges alone, given in ascending order."""
    if len(edges) == len(graph.place):
        return graph
    return _graph(graph.row[edges], graph.column[edges], graph.weight[edges], graph.place[edges])


def _number(names: Integers) -> tuple[Integers, int]:
    """Number names from 0 in order of first appearance, whatever they are; return the numbers and how many."""
    if not len(names):
        return names, 0
    lowest = int(names.min())
    is_narrow = int(names.max()) - lowest < 4 * len(names)
    names = names - lowest if is_narrow else np.unique(names, return_inverse=True)[1]
    first = np.full(int(names.max()) + 1, -1, dtype=np.int64)
    first[names[::-1]] = np.arange(len(names))[::-1]  # of equal indices the last assignment stays
    present = np.flatnonzero(first >= 0)
    number = np.empty_like(first)
    number[present[np.argsort(first[present])]] = np.arange(len(present))
    return number[names], len(present)


def _mark(indices: Integers, label: Integers, labels: int) -> Flags:
    """Return for each edge whether it shares a label with one of those at `indices`."""
    marked = np.zeros(labels, dtype=np.bool_)
    marked[label[indices]] = True
    return marked[label]


def _largest(values: Integers, label: Integers, labels: int) -> Integers:
    """Return the largest of the values, none negative, of each label; 0 where there is none."""
    largest = np.zeros(labels, dtype=np.int64)
    np.maximum.at(largest, label, values)
    return largest


def _total(values: Integers, label: Integers, labels: int) -> Integers:
    total = np.zeros(labels, dtype=np.int64)
    np.add.at(total, label, values)
    return total


def _settle_dominant(graph: _Graph) -> tuple[Integers, Integers]:
    """Return edges that stand in every optimal matching, and those still open beside them.

    An edge heavier than the best other edge of its row and the best other of its column together is such: a matching
    without it gains by giving up at most these two for it. A component's only edge is the simplest case.
    """
    settled: list[Integers] = []
    left = np.arange(len(graph.place))
    for _ in range(DOMINANCE_ROUNDS):  # a fixed number: one component must not depend on how another fares
        row, column, weight = graph.row[left], graph.column[left], graph.weight[left]
        rival = _best_other(row, weight, graph.rows) + _best_other(column, weight, graph.columns)
        dominant = left[weight > rival]
        settled.append(dominant)
        is_row_taken = np.zeros(graph.rows, dtype=np.bool_)
        is_row_taken[graph.row[dominant]] = True
        is_column_taken = np.zeros(graph.columns, dtype=np.bool_)
        is_column_taken[graph.column[dominant]] = True
        left = left[~(is_row_taken[row] | is_column_taken[column])]
        if not len(dominant) or not len(left):
            break
    return np.concatenate(settled), left


def _best_other(node: Integers, weight: Integers, nodes: int) -> Integers:
    """Return for each edge the weight of the heaviest other edge at its node, 0 where there is none."""
    best = _largest(weight, node, nodes)
    is_best = weight == best[node]
    second = _largest(weight[~is_best], node[~is_best], nodes)
    is_shared = np.bincount(node[is_best], minlength=nodes) > 1
    return np.where(is_best, np.where(is_shared, best, second)[node], best[node])


def _without_doubles(graph: _Graph, edges: Integers) -> Integers:
    """Return these edges, of several with both rows the same only the heaviest, of those the earliest."""
    pair = graph.row[edges] * graph.columns + graph.column[edges]
    ordered = np.sort(pair)
    if not np.any(ordered[1:] == ordered[:-1]):
        return edges
    order = np.lexsort((edges, -graph.weight[edges], pair))
    is_first = np.ones(len(edges), dtype=np.bool_)
    is_first[1:] = pair[order][1:] != pair[order][:-1]
    return np.sort(edges[order[is_first]])


def _is_within(graph: _Graph, edge_budget: int) -> Flags:
    """Return for each component whether it is to be solved exactly."""
    edges = np.bincount(graph.label, minlength=graph.components)
    shorter = np.minimum(
        np.bincount(graph.row_label, minlength=graph.components),
        np.bincount(graph.column_label, minlength=graph.components),
    )
    # Divided, not multiplied: products of large budgets and sizes need more than 64 bits.
    return edges <= edge_budget / np.maximum(shorter / BUDGET_ROWS, 1)


def _solve(graph: _Graph) -> Flags:
    """Return a matching of the largest weight of each component, as far as floats are exact: one flag per edge.

    The solver wants every row of its first side matched and the least cost. So each such row gets a column of its own
    that stands for no partner, and an edge costs what it lacks of one more than its component's heaviest: no cost is
    zero, which the solver would read as no edge, and as many costs are paid as there are rows, whatever is chosen.
    """
    if not len(graph.place):
        return np.zeros(0, dtype=np.bool_)
    label = np.concatenate([graph.row_label, graph.column_label])
    is_first, first, second = _turn(graph, label)
    firsts, seconds = np.flatnonzero(is_first), np.flatnonzero(~is_first)
    line = _ranks(label[firsts], firsts, len(label))
    partners = np.concatenate([seconds, firsts + len(label)])  # beyond all nodes stand the columns for no partner
    partner_label = np.concatenate([label[seconds], label[firsts]])
    partner = _ranks(partner_label, partners, 2 * len(label))
    top = _largest(graph.weight, graph.label, graph.components) + 1
    cost = np.concatenate([top[graph.label] - graph.weight, top[label[firsts]]]).astype(np.float64)
    lines = np.concatenate([line[first], line[firsts]])
    columns = np.concatenate([partner[second], partner[firsts + len(label)]])
    costs = coo_matrix((cost, (lines, columns)), shape=(len(firsts), len(partners))).tocsr()
    costs.sort_indices()
    matched = _solve_blocks(costs, np.sort(label[firsts]), np.sort(partner_label))
    return np.asarray(matched[line[first]] == partner[second])


def _turn(graph: _Graph, label: Integers) -> tuple[Flags, Integers, Integers]:
    """Turn each component so that its first side is the shorter, which is quicker to solve.

    Nodes are rows, then columns. Return for each node whether it is of a first side, and each edge's first and second.
    """
    rows = np.bincount(graph.row_label, minlength=graph.components)
    columns = np.bincount(graph.column_label, minlength=graph.components)
    is_turned = rows > columns
    row, column = graph.row, graph.column + graph.rows
    is_edge_turned = is_turned[graph.label]
    first = np.where(is_edge_turned, column, row)
    second = np.where(is_edge_turned, row, column)
    return (np.arange(len(label)) >= graph.rows) == is_turned[label], first, second


def _ranks(label: Integers, nodes: Integers, size: int) -> Integers:
    """Number nodes such that those of a component follow each other in their order; return it by node."""
    rank = np.full(size, -1, dtype=np.int64)
    rank[nodes[np.argsort(label, kind="stable")]] = np.arange(len(nodes))
    return rank


def _solve_blocks(costs: csr_matrix, line_label: Integers, column_label: Integers) -> Integers:
    """Return the column that each line is matched with, solving some whole components at a time.

    The solver's time grows with the square of the lines it gets, even where they have nothing to do with each other.
    """
    starts = np.flatnonzero(np.diff(line_label, prepend=-1))
    is_cut = np.diff(starts // BLOCK_ROWS, prepend=-1) > 0
    bounds = [*starts[is_cut].tolist(), len(line_label)]
    column_bounds = [*np.searchsorted(column_label, line_label[starts[is_cut]]).tolist(), len(column_label)]
    matched = np.empty(len(line_label), dtype=np.int64)
    for number, (start, end) in enumerate(pairwise(bounds)):
        left, right = column_bounds[number], column_bounds[number + 1]
        inside = slice(costs.indptr[start], costs.indptr[end])
        pointers = costs.indptr[start : end + 1] - costs.indptr[start]
        block = csr_matrix(
            (costs.data[inside], costs.indices[inside] - left, pointers), shape=(end - start, right - left)
        )
        lines, columns = min_weight_full_bipartite_matching(block)
        matched[start + lines] = columns + left
    return matched


@dataclass(frozen=True)
class _Prices:
    """Prices that prove a matching optimal: it weighs as much as all of them together, and none can weigh more.

    None is negative, the two of an edge cover its weight, those of a chosen edge just so, and a row that is left
    over costs nothing.
    """

    row: Integers
    column: Integers
    is_refuted: Flags
    """Components for which there are no such prices: what was found there is not optimal."""


def _price(graph: _Graph, found: Flags) -> _Prices:
    """Return the lowest prices of rows that prove the matching found, in integers.

    A row must pay what its heaviest edge to a free column weighs, and for a taken column at least what the edge weighs
    more than the chosen one, plus what the row that has the column pays. Demands are passed on from row to row until
    none grows (longest paths, by Bellman and Ford), for as many rounds at most as a component has rows.
    """
    mate_weight = np.zeros(graph.columns, dtype=np.int64)
    mate_weight[graph.column[found]] = graph.weight[found]
    taker = np.full(graph.columns, -1, dtype=np.int64)
    taker[graph.column[found]] = graph.row[found]
    taken = np.full(graph.rows, -1, dtype=np.int64)
    taken[graph.row[found]] = graph.column[found]
    most = np.zeros(graph.rows, dtype=np.int64)  # what a row can pay: its chosen edge's weight, or nothing
    most[graph.row[found]] = graph.weight[found]
    by_column = np.argsort(graph.column, kind="stable")
    pointers = np.concatenate([[0], np.cumsum(np.bincount(graph.column, minlength=graph.columns))])
    price = np.zeros(graph.rows, dtype=np.int64)
    is_refuted = np.zeros(graph.components, dtype=np.bool_)
    edges = np.arange(len(graph.place))
    for _ in range(int(np.bincount(graph.row_label).max(initial=0)) + 2):
        row, column = graph.row[edges], graph.column[edges]
        paid = np.where(taker[column] >= 0, price[taker[column]], 0)
        demand = graph.weight[edges] - mate_weight[column] + paid
        is_growing = demand > price[row]
        grown = np.unique(row[is_growing])
        np.maximum.at(price, row[is_growing], demand[is_growing])
        is_refuted[graph.row_label[grown[price[grown] > most[grown]]]] = True
        grown = grown[~is_refuted[graph.row_label[grown]]]
        if not len(grown):
            break
        edges = by_column[_ranges(pointers, taken[grown])]
    else:
        is_refuted[graph.row_label[grown]] = True
    column_price = np.where(taker >= 0, mate_weight - price[taker], 0)
    return _Prices(price, column_price, is_refuted)


def _ranges(pointers: Integers, keys: Integers) -> Integers:
    """Return the numbers from `pointers[key]` up to `pointers[key + 1]` of every key, one after the other."""
    lengths = pointers[keys + 1] - pointers[keys]
    before = np.cumsum(lengths) - lengths
    ranges: Integers = np.arange(int(lengths.sum())) + np.repeat(pointers[keys] - before, lengths)
    return ranges


def _break_ties(chosen: Flags, graph: _Graph, found: Flags, prices: _Prices) -> None:
    """Write the found matching into `chosen`, where several are as good the one of the earliest edges.

    Taking edges in order gives the first of all matchings, so if it is among the optimal ones nothing is left to do.
    Where it is not, edges weigh powers of two by their order, and the next round sees what these leave open.
    """
    chosen[graph.place] = found
    for _ in range(TIE_ROUNDS):
        tied = _find_tied(graph, found, prices)
        part = _part(graph, tied)
        needs_row, needs_column = prices.row[graph.row[tied]] > 0, prices.column[graph.column[tied]] > 0
        taken, is_row_taken, is_column_taken = _take_in_order(part, np.arange(len(tied)))
        misses = (needs_row & ~is_row_taken[part.row]) | (needs_column & ~is_column_taken[part.column])
        is_left = _mark(np.flatnonzero(misses), part.label, part.components)
        chosen[part.place[~is_left]] = taken[~is_left]
        left = np.flatnonzero(is_left)
        if not len(left):
            return
        needs = needs_row[left].astype(np.int64) + needs_column[left]
        graph = _part(part, left)
        graph = replace(graph, weight=_weights_by_order(graph) + needs * 2**TIE_BITS)
        found = _solve(graph)
        prices = _price(graph, found)
        is_sound = ~prices.is_refuted[graph.label]
        chosen[graph.place[is_sound]] = found[is_sound]


def _weights_by_order(graph: _Graph) -> Integers:
    """Weigh the first TIE_BITS edges of each component such that each outweighs all after it; the others nothing."""
    label = graph.label
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label, minlength=graph.components)
    rank = np.empty(len(label), dtype=np.int64)
    rank[order] = np.arange(len(label)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.where(rank < TIE_BITS, 1 << np.maximum(TIE_BITS - 1 - rank, 0), 0)


def _find_tied(graph: _Graph, found: Flags, prices: _Prices) -> Integers:
    """Return the edges that stand in some optimal matchings and not in others, of components that are proven.

    Only edges whose prices cover their weight just so stand in any. Drawn towards the row where chosen and towards the
    column where not, with a node a component for being unmatched at no cost, an edge can be swapped in or out exactly
    where it lies on a circle, which is where both its ends are strongly connected.
    """
    cover = prices.row[graph.row] + prices.column[graph.column]
    tight = np.flatnonzero((cover == graph.weight) & ~prices.is_refuted[graph.label])
    if len(tight) == np.count_nonzero(found[tight]):  # each optimal edge is chosen
        return tight[:0]
    row, column, is_chosen = graph.row[tight], graph.column[tight] + graph.rows, found[tight]
    nodes = np.arange(graph.rows + graph.columns)
    alone = np.concatenate([graph.row_label, graph.column_label]) + len(nodes)
    is_matched = np.zeros(len(nodes), dtype=np.bool_)
    is_matched[row[is_chosen]] = is_matched[column[is_chosen]] = True
    is_column = nodes >= graph.rows
    is_free = np.concatenate([prices.row, prices.column]) == 0
    towards = np.flatnonzero(is_free & (is_matched != is_column))
    away = np.flatnonzero(is_free & (is_matched == is_column))
    tails = np.concatenate([np.where(is_chosen, column, row), towards, alone[away]])
    heads = np.concatenate([np.where(is_chosen, row, column), alone[towards], away])
    size = len(nodes) + graph.components
    _, circle = _connect(tails, heads, size, "strong")
    tied: Integers = tight[circle[row] == circle[column]]
    return tied


def _take_in_order(graph: _Graph, order: Integers, start: Flags | None = None) -> tuple[Flags, Flags, Flags]:
    """Take each edge, in this order, unless one of its rows is taken; return flags of edges, rows and columns.

    Edges of `start` are taken beforehand. One loop over the edges left in a chunk is linear; rounds of edges that are
    first at both their rows are as many as the rows where all are alike.
    """
    taken = np.zeros(len(graph.place), dtype=np.bool_) if start is None else start.copy()
    row_flags, column_flags = bytearray(graph.rows), bytearray(graph.columns)
    is_row_taken = np.frombuffer(row_flags, dtype=np.bool_)
    is_column_taken = np.frombuffer(column_flags, dtype=np.bool_)
    is_row_taken[graph.row[taken]] = True
    is_column_taken[graph.column[taken]] = True
    for begin in range(0, len(order), GREEDY_CHUNK):
        edges = order[begin : begin + GREEDY_CHUNK]
        edges = edges[~(is_row_taken[graph.row[edges]] | is_column_taken[graph.column[edges]])]
        picked: list[int] = []
        ends = zip(edges.tolist(), graph.row[edges].tolist(), graph.column[edges].tolist(), strict=True)
        for edge, row, column in ends:
            if not (row_flags[row] or column_flags[column]):
                row_flags[row] = column_flags[column] = 1
                picked.append(edge)
        taken[picked] = True
    return taken, is_row_taken, is_column_taken


def _approximate(chosen: Flags, graph: _Graph) -> tuple[int, Integers]:
    """Write a good matching into `chosen`; return by how much at most it lacks the best, and the edges not proven.

    What stands in `chosen` is a matching already and kept where nothing better is found.
    """
    if not len(graph.place):
        return 0, graph.place
    label, components = graph.label, graph.components
    by_weight = np.lexsort((np.arange(len(graph.place)), -graph.weight))
    held, price = _auction(graph)
    bound = np.minimum.reduce([_bound(graph, price), _bound(graph, price * 0), _bound_by_columns(graph)])
    best = chosen[graph.place]
    achieved = _total(graph.weight[best], label[best], components)
    for candidate in (_take_in_order(graph, by_weight)[0], _take_in_order(graph, by_weight, held)[0]):
        weighs = _total(graph.weight[candidate], label[candidate], components)
        best = np.where((weighs > achieved)[label], candidate, best)
        achieved = np.maximum(weighs, achieved)
    chosen[graph.place] = best
    missing = bound - achieved
    return int(missing.sum()), graph.place[missing[label] > 0]


def _bound(graph: _Graph, price: Integers) -> Integers:
    """Return for each component the prices of its columns and the most each row can gain over them.

    No matching weighs more, whatever the prices, as long as none is negative.
    """
    gain = _largest(np.maximum(graph.weight - price[graph.column], 0), graph.row, graph.rows)
    return _total(price, graph.column_label, graph.components) + _total(gain, graph.row_label, graph.components)


def _bound_by_columns(graph: _Graph) -> Integers:
    heaviest = _largest(graph.weight, graph.column, graph.columns)
    return _total(heaviest, graph.column_label, graph.components)


def _auction(graph: _Graph) -> tuple[Flags, Integers]:
    """Let rows bid for columns for some rounds; return the edges held in the end and the columns' prices.

    A bid exceeds what the second best column would do for by a thousandth of the component's heaviest weight.
    """
    step = 1 + _largest(graph.weight, graph.label, graph.components) // 1000
    by_row = np.argsort(graph.row, kind="stable")
    pointers = np.concatenate([[0], np.cumsum(np.bincount(graph.row, minlength=graph.rows))])
    price = np.zeros(graph.columns, dtype=np.int64)
    holder = np.full(graph.columns, -1, dtype=np.int64)  # the edge that has the column
    is_bidding = np.ones(graph.rows, dtype=np.bool_)
    for _ in range(AUCTION_ROUNDS):
        bidders = np.flatnonzero(is_bidding)
        if not len(bidders):
            break
        edges = by_row[_ranges(pointers, bidders)]
        edge, best, second = _two_best(graph.weight[edges] - price[graph.column[edges]], edges, graph.row[edges])
        is_bidding[bidders[best <= 0]] = False  # prices only rise
        edge, bid = edge[best > 0], (best - second)[best > 0]
        bid += price[graph.column[edge]] + step[graph.row_label[graph.row[edge]]]
        order = np.lexsort((edge, -bid, graph.column[edge]))
        edge, bid = edge[order], bid[order]
        wins = np.diff(graph.column[edge], prepend=-1) > 0
        edge, bid = edge[wins], bid[wins]
        lost = holder[graph.column[edge]]
        is_bidding[graph.row[lost[lost >= 0]]] = True
        is_bidding[graph.row[edge]] = False
        holder[graph.column[edge]] = edge
        price[graph.column[edge]] = bid
    held = np.zeros(len(graph.place), dtype=np.bool_)
    held[holder[holder >= 0]] = True
    return held, price


def _two_best(value: Integers, edges: Integers, row: Integers) -> tuple[Integers, Integers, Integers]:
    """Return of each row, whose edges follow each other, the edge of most value, its value, and the next best or 0."""
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    best = np.maximum.reduceat(value, starts)
    order = np.arange(len(value))
    lengths = np.diff(starts, append=len(value))
    first = np.minimum.reduceat(np.where(value == np.repeat(best, lengths), order, len(value)), starts)
    rest = np.maximum(value, 0)
    rest[first] = 0
    return edges[first], best, np.maximum.reduceat(rest, starts)
