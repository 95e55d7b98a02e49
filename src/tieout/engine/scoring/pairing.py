"""Choose which candidates are pairs, and how sure each is, where every row has at most one partner.

A one-to-one pairing weighs the product of its pairs' ratios (2 to the power of their weights). The choice is the
pairing of the largest weight; the confidence of a pair is the share of all pairings, by weight, that hold it. That
share is found by belief propagation on the monomer-dimer model, exact where the candidates form no cycle (Bayati et
al., Simple deterministic approximation algorithms for counting matchings, 2007). Callers import this where they use it,
for it brings numpy and scipy.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tieout.engine.scoring.assignment import assign, component_of
from tieout.engine.scoring.numbering import numbered

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MICROBITS = 1_000_000
LARGEST_BITS = 60
HOPELESS = -12 * MICROBITS
"""A candidate that weighs less takes nothing from others, and nothing from it matters: it is judged on its own."""
LARGEST_CONFIDENCE = 1 - 1e-9
"""What is told of a pair is less (`kept_confidence`): evidence is less independent than the model has it."""
ROUNDS = 100
SETTLED = 1e-9
PLACES = 9


def choose_pairs(edges: pa.Table, review_threshold: float) -> pa.Table:
    """Return preference, confidence and is_chosen of each candidate.

    `edges` has preference (ascending), ours_row, theirs_row, weight in microbits, ours_content and theirs_content; rows
    of equal content stand for each other. Pairs that weigh more than none at all are chosen first; among the rows left
    free, those that reach the threshold.
    """
    weight = _column(edges, "weight")
    confidence = 1.0 / (1.0 + np.exp2(-np.clip(weight / MICROBITS, -LARGEST_BITS, LARGEST_BITS)))
    is_chosen = np.zeros(len(weight), bool)
    telling = np.flatnonzero(weight > HOPELESS)
    confidence[telling], is_chosen[telling] = _choose(edges.take(telling), review_threshold)
    confidence = np.asarray(np.round(np.minimum(confidence, LARGEST_CONFIDENCE), PLACES), np.float64)
    return pa.table({"preference": edges.column("preference"), "confidence": confidence, "is_chosen": is_chosen})


def _choose(edges: pa.Table, review_threshold: float) -> tuple[Floats, Flags]:
    weight, ours, theirs = (_column(edges, name) for name in ("weight", "ours_row", "theirs_row"))
    ratio = np.exp2(np.minimum(weight / MICROBITS, LARGEST_BITS))
    with ThreadPoolExecutor(1) as aside:  # numpy and scipy leave the interpreter to others for most of both
        assigned = aside.submit(assign, ours, theirs, weight)
        confidence = _over_copies(edges, marginals(numbered(ours), numbered(theirs), ratio))
        chosen = assigned.result().chosen
    free = ~np.isin(ours, ours[chosen]) & ~np.isin(theirs, theirs[chosen]) & (confidence >= review_threshold)
    if free.any():
        lift = 1 - weight[free].min()
        chosen[np.flatnonzero(free)[assign(ours[free], theirs[free], weight[free] + lift).chosen]] = True
    return confidence, chosen


def marginals(ours: Whole, theirs: Whole, ratio: Floats) -> Floats:
    """Return for each pair the share of all one-to-one pairings, by weight, that hold it; rows are numbered from 0.

    A component of the graph is done when no message in it moves any more, and left out from then on: nearly all
    are after two rounds, and none depends on how long another takes.
    """
    shares = np.zeros(len(ratio))
    place = np.arange(len(ratio))
    label = component_of(ours, theirs)
    from_ours, from_theirs = np.ones(len(ratio)), np.ones(len(ratio))
    for turn in range(1, ROUNDS + 1):
        now_ours = _less_taken(ours, ratio * from_theirs)
        now_theirs = _less_taken(theirs, ratio * now_ours)
        moved = np.maximum(np.abs(now_ours - from_ours), np.abs(now_theirs - from_theirs))
        from_ours, from_theirs = now_ours, now_theirs
        is_moving = np.zeros(len(label) and int(label.max()) + 1, np.bool_)
        is_moving[label[moved >= SETTLED]] = True
        is_done = ~is_moving[label] if turn < ROUNDS else np.ones(len(label), np.bool_)
        held = (ratio * from_ours * from_theirs)[is_done]
        shares[place[is_done]] = held / (1.0 + held)
        if is_done.all():
            break
        if is_done.any():
            place, ours, theirs, label = (one[~is_done] for one in (place, ours, theirs, label))
            ratio, from_ours, from_theirs = (one[~is_done] for one in (ratio, from_ours, from_theirs))
            ours, theirs, label = (numbered(one) for one in (ours, theirs, label))
    return shares


def _less_taken(rows: Whole, wanted: Floats) -> Floats:
    """Return for each pair how far its row is free of what its other pairs want: 1 where it has none."""
    if not len(rows):
        return wanted
    others = np.maximum(np.bincount(rows, wanted)[rows] - wanted, 0.0)
    return np.asarray(1.0 / (1.0 + others))


def _over_copies(edges: pa.Table, shares: Floats) -> Floats:
    """Return how sure it is that rows of such content belong together: which of equal copies it is tells nothing."""
    if not len(shares):
        return shares
    ours_content, theirs_content = (numbered(_column(edges, f"{side}_content")) for side in ("ours", "theirs"))
    classes = numbered(ours_content * (theirs_content.max() + 1) + theirs_content)
    together = np.bincount(classes, shares)[classes]
    several = np.flatnonzero(np.bincount(classes)[classes] > 1)
    copies = np.ones(len(shares))
    for side in ("ours", "theirs"):
        rows = _distinct_rows(_column(edges, f"{side}_row")[several], classes[several])
        copies[several] = rows if side == "ours" else np.minimum(copies[several], rows)
    return np.asarray(np.minimum(together / copies, 1.0))


def _distinct_rows(rows: Whole, classes: Whole) -> Floats:
    """Return for each pair how many rows its class of pairs has."""
    if not len(rows):
        return np.zeros(0)
    numbers = numbered(rows)
    seen = np.unique(classes * (numbers.max() + 1) + numbers) // (numbers.max() + 1)
    return np.bincount(seen).astype(np.float64)[classes]


def _column(table: pa.Table, name: str) -> Whole:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.int64)
