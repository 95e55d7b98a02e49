"""Which column of ours corresponds to which of theirs: by name, by values, and by agreement on paired rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.evidence import Agreement, Agreements
from tieout.books.compare.names import is_technical, likeness, meanings_of, normalised, rarity
from tieout.books.compare.overlap import Overlap, Overlaps

Z = 1.28
"""One-sided bound of 90%: an agreement seen on few rows counts for less."""

Likenesses = dict[tuple[int, int], float]


@dataclass(frozen=True)
class ColumnPair:
    """A column of ours and one of theirs that correspond, with what speaks for it, each 0 to 1."""

    ours: Column
    theirs: Column
    name: float
    content: float
    lift: float | None
    rate: float | None
    score: float


def name_likenesses(ours: SideProfile, theirs: SideProfile) -> Likenesses:
    """Return how alike the names of all pairs are; a bare `id` in the file of payouts is also a payout_id."""
    weights = _weights(ours, theirs)
    found: Likenesses = {}
    for o in ours.columns:
        for t in theirs.columns:
            alike = likeness(o.name, t.name, weights)
            if alike < 0.9 and (
                _is_bare_id_of(o.name, ours.name, t.name) or _is_bare_id_of(t.name, theirs.name, o.name)
            ):
                alike = 0.9
            found[o.no, t.no] = alike
    return found


def _weights(ours: SideProfile, theirs: SideProfile) -> Mapping[str, float]:
    of_ours, of_theirs = rarity(c.name for c in ours.columns), rarity(c.name for c in theirs.columns)
    return {meaning: min(of_ours.get(meaning, 1), of_theirs.get(meaning, 1)) for meaning in {*of_ours, *of_theirs}}


def _is_bare_id_of(name: str, file_name: str, other: str) -> bool:
    if set(meanings_of(name)) - {"id", "reference"}:
        return False
    things = set(meanings_of(PurePath(file_name).stem))
    told = set(meanings_of(other)) - {"id", "reference"}
    return bool(told) and told <= things


def is_compatible(o: Column, t: Column) -> bool:
    """Say whether values of two columns can be held against each other."""
    if {o.kind, t.kind} <= {"date", "timestamp"} or o.kind == t.kind:
        return True
    return {o.kind, t.kind} == {"text", "number"} and o.is_digits and t.is_digits


def lower_bound(hits: int, present: int) -> float:
    """Return the lower bound of a share that was seen `hits` times of `present` (Wilson's interval)."""
    if not present:
        return 0.0
    share, z2 = hits / present, Z * Z
    centre = share + z2 / (2 * present)
    margin = Z * math.sqrt(share * (1 - share) / present + z2 / (4 * present * present))
    return max(0.0, (centre - margin) / (1 + z2 / present))


def lift_of(agreement: Agreement, chance: float, hits: int | None = None) -> float:
    """Return how far an agreement is above chance: 0 as by chance or less, 1 always."""
    bound = lower_bound(agreement.equal if hits is None else hits, agreement.present)
    return max(0.0, (bound - chance) / (1 - chance)) if chance < 1 else 0.0


def content_of(overlap: Overlap | None, o: Column) -> float:
    """Return how much the values that two columns share speak for their being the same, 0 to 1."""
    if overlap is None:
        return 0.0
    fewest = min(overlap.ours_distinct, overlap.theirs_distinct)
    if overlap.domain == "day":
        return 0.2 * overlap.containment
    if overlap.domain == "number":
        is_small = o.is_whole and o.high is not None and o.high < 1_000
        return (0.25 if is_small else 0.9) * max(overlap.row_share, 0.3 * overlap.containment)
    trust = 1.0 if fewest >= 20 else 0.7 if fewest >= 5 else 0.5 if fewest >= 3 else 0.3
    return trust * overlap.containment * (0.5 + 0.5 * overlap.row_share)


def corresponding(
    ours: SideProfile,
    theirs: SideProfile,
    likenesses: Likenesses,
    overlaps: Overlaps,
    agreements: Agreements,
    ignored: frozenset[tuple[str, str]] = frozenset(),
) -> list[ColumnPair]:
    """Return the one-to-one assignment of columns with the highest total score, best pairs first."""
    columns_ours = sorted((c for c in ours.columns if ("ours", c.name) not in ignored), key=lambda c: c.name)
    columns_theirs = sorted((c for c in theirs.columns if ("theirs", c.name) not in ignored), key=lambda c: c.name)
    table = [[_pair(o, t, likenesses, overlaps, agreements) for t in columns_theirs] for o in columns_ours]
    if not columns_ours or not columns_theirs:
        return []
    chosen = assign([[pair.score for pair in row] for row in table])
    found = [table[i][j] for i, j in chosen if table[i][j].score > 0.2]
    return sorted(found, key=lambda pair: (-pair.score, pair.ours.name))


def _pair(o: Column, t: Column, likenesses: Likenesses, overlaps: Overlaps, agreements: Agreements) -> ColumnPair:
    name, overlap = likenesses[o.no, t.no], overlaps.get((o.no, t.no))
    agreement = agreements.get((o.no, t.no))
    if not is_compatible(o, t) or is_technical(o.name) != is_technical(t.name):
        # What one side wrote otherwise, or left empty, is still that column: as texts the two can be compared.
        is_same = normalised(o.name) == normalised(t.name)
        return ColumnPair(o, t, name, 0.0, None, None, 0.3 if is_same else 0.0)
    content = content_of(overlap, o)
    if agreement is None or agreement.present < 3:
        return ColumnPair(o, t, name, content, None, None, 0.65 * name + 0.35 * content)
    lift = lift_of(agreement, overlap.chance if overlap else 0.0)
    score = 0.45 * name + 0.1 * content + 0.45 * max(lift, 0.3 * agreement.rate)
    return ColumnPair(o, t, name, content, lift, agreement.rate, score)


def assign(scores: list[list[float]]) -> list[tuple[int, int]]:
    """Return the pairs (row, column), one to one, whose scores have the highest sum (Hungarian method, O(n³))."""
    rows, columns = len(scores), len(scores[0])
    if rows > columns:
        turned = [[scores[i][j] for i in range(rows)] for j in range(columns)]
        return sorted((i, j) for j, i in assign(turned))
    row_price, column_price = [0.0] * (rows + 1), [0.0] * (columns + 1)
    row_at = [0] * (columns + 1)
    for row in range(1, rows + 1):
        row_at[0] = row
        _augment(scores, row_price, column_price, row_at)
    return sorted((row_at[j] - 1, j - 1) for j in range(1, columns + 1) if row_at[j])


def _augment(scores: list[list[float]], row_price: list[float], column_price: list[float], row_at: list[int]) -> None:
    """Give the row waiting at column 0 a column, moving others along the cheapest alternating path."""
    columns = len(column_price) - 1
    cheapest, came_from = [math.inf] * (columns + 1), [0] * (columns + 1)
    is_done = [False] * (columns + 1)
    at = 0
    while row_at[at]:
        is_done[at] = True
        row, step, following = row_at[at], math.inf, 0
        for j in range(1, columns + 1):
            if is_done[j]:
                continue
            cost = -scores[row - 1][j - 1] - row_price[row] - column_price[j]
            if cost < cheapest[j]:
                cheapest[j], came_from[j] = cost, at
            if cheapest[j] < step:
                step, following = cheapest[j], j
        for j in range(columns + 1):
            if is_done[j]:
                row_price[row_at[j]] += step
                column_price[j] -= step
            else:
                cheapest[j] -= step
        at = following
    while at:
        before = came_from[at]
        row_at[at] = row_at[before]
        at = before
