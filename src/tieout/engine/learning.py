"""Learn from the rows themselves how much each piece of evidence is worth, without labels.

The model is that of Fellegi and Sunter (A Theory for Record Linkage, 1969): at level l of an evidence a candidate
weighs log2(m / u), m being the share of pairs that belong together at that level and u that of pairs that chance
brought together. u is counted; m is found by expectation maximisation, where the chance that a pair belongs together
takes into account that a row has at most one partner: of all one-to-one pairings each weighs the product of the ratios
of its pairs (the monomer-dimer model). Callers import this where they use it, for it brings numpy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tieout.engine.plan import PAIR, LearnedWeights, Level

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

ROUNDS = 60
SETTLED = 1e-4
PRIOR_PAIRS = 5.0
"""How many pairs what is usual counts for, beside the pairs that are there."""
LARGEST_SHARE = 0.999
PLACES = 8
_NONE = -1000


def _usual_text() -> dict[int, float]:
    spelling = {10: 0.3, 20: 0.5, 30: 1.0, 40: 2.0, 50: 6.0}
    return {
        begins + tens + rarity: likely * spelling[tens] * (rarity + 0.3)
        for begins, likely in ((0, 0.15), (100, 1.0))
        for tens in spelling
        for rarity in range(6)
    }


_GAPS = {1: 0.04, 2: 0.03, 3: 0.03, 4: 0.02, 5: 0.02, 6: 0.01, 7: 0.01, 8: 0.005, 9: 0.002}
_LAGS = {1: 0.12, 2: 0.08, 3: 0.05, 4: 0.04, 5: 0.03, 6: 0.02, 7: 0.02, 8: 0.01}
USUAL: dict[str, dict[int, float]] = {
    "amount": {0: 0.60, **_GAPS, **{-level: share for level, share in _GAPS.items()}, 10: 0.005, 20: 0.005, 21: 0.0005},
    "time": {0: 0.30, **_LAGS, **{-level: share for level, share in _LAGS.items()}},
    "text": _usual_text(),
    **{f"unit_{number}": {0: 0.05, 1: 0.10, 2: 0.85} for number in range(1, 7)},
}
"""At which level pairs that belong together stand as a rule, in proportions: where to begin, what few rows lean on."""


@dataclass(frozen=True)
class Sample:
    """What weights are learned from.

    `candidates` has the columns of the step compared_candidate, is_ours_sampled and is_theirs_sampled: every candidate
    of a sampled row and every candidate of its partners. `chance` has evidence, level and pairs, and `sizes` currency,
    ours_rows and theirs_rows; so many rows of each side were sampled.
    """

    candidates: pa.Table
    chance: pa.Table
    sizes: pa.Table
    ours_sampled: int
    theirs_sampled: int


@dataclass(frozen=True)
class _Evidence:
    """One evidence: its levels, at which of them each candidate stands (len(levels) for none), and what is usual."""

    name: str
    levels: tuple[int, ...]
    place: Whole
    chance_pairs: Floats
    usual: Floats


def learn_levels(con: duckdb.DuckDBPyConnection, candidates: pa.Table) -> pa.Table:
    """Return the table of the step learned_level, from its query's rows and the relations that it names."""
    sampled = [con.sql(f"select count(*) from sample_{side}").fetchall()[0][0] for side in ("expected", "reported")]
    chance, sizes = (
        con.sql(f"from {name} order by all").to_arrow_table() for name in ("chance_level", "currency_size")
    )
    return table_of(learn(Sample(candidates, chance, sizes, *sampled)))


def table_of(learned: LearnedWeights) -> pa.Table:
    """Return learned weights as rows of evidence_level, the weight in millionths of a bit."""
    rows: list[tuple[str, int, float, float | None, int]] = [(PAIR, 0, learned.match_share, None, 0)]
    rows += [(item.evidence, item.level, item.matched, item.chance, microbits(item)) for item in learned.levels]
    names = ("evidence", "level", "matched", "chance", "weight")
    kinds = (pa.string(), pa.int32(), pa.float64(), pa.float64(), pa.int64())
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    return pa.table(dict(zip(names, columns, strict=True)))


def microbits(level: Level) -> int:
    """Return what an evidence at a level weighs, in millionths of a bit."""
    least = 10.0**-PLACES
    return round(math.log2(max(level.matched, least) / max(level.chance, least)) * 1_000_000)


def learn(sample: Sample) -> LearnedWeights:
    """Return what each level of each evidence is worth; an evidence that no candidate has is left out."""
    table = sample.candidates
    is_ours, is_theirs = (_column(table, f"is_{side}_sampled").astype(bool) for side in ("ours", "theirs"))
    rows = [np.unique(_column(table, f"{side}_row"), return_inverse=True)[1] for side in ("ours", "theirs")]
    ours_rows, theirs_rows = (_column(table, f"{side}_rows").astype(np.float64) for side in ("ours", "theirs"))
    found = [_evidence(name, table, sample.chance) for name in USUAL]
    evidence = [item for item in found if item is not None]
    equal_share = _equal_share(table)
    likely_pairs = _most_pairs(sample.sizes)
    matched = [0.9 * item.usual + 0.1 * _by_chance(item, 0.0, item.usual) for item in evidence]
    chance = [_by_chance(item, 0.0, item.usual) for item in evidence]
    match_share = 0.5
    for _ in range(ROUNDS):
        ratio = _ratio(evidence, matched, chance, equal_share) * activity(match_share, ours_rows, theirs_rows)
        belongs = _chance_to_belong(ratio, rows[0], rows[1])
        pairs = (
            belongs[is_ours].sum() * _total(sample.sizes, "ours_rows") / max(sample.ours_sampled, 1)
            + belongs[is_theirs].sum() * _total(sample.sizes, "theirs_rows") / max(sample.theirs_sampled, 1)
        ) / 2
        match_share = min((float(pairs) + 0.5) / (likely_pairs + 1.0), LARGEST_SHARE)
        before, counted = matched, np.where(is_ours | is_theirs, belongs, 0.0)
        matched = [_matched(item, counted) for item in evidence]
        met_by_chance = match_share * likely_pairs / _all_pairs(sample.sizes)
        chance = [_by_chance(item, met_by_chance, m) for item, m in zip(evidence, matched, strict=True)]
        if all(np.abs(now - then).max() < SETTLED for now, then in zip(matched, before, strict=True)):
            break
    levels = [
        Level(item.name, level, round(float(m), PLACES), round(float(u), PLACES))
        for item, ms, us in zip(evidence, matched, chance, strict=True)
        for level, m, u in zip(item.levels, ms, us, strict=True)
    ]
    return LearnedWeights(round(match_share, PLACES), tuple(levels))


def activity(match_share: float, ours_rows: Floats, theirs_rows: Floats) -> Floats:
    """Return what a pair weighs before any evidence: the chance of it over the chance that both rows are alone.

    Of so many rows in a currency the smaller side has `match_share` matched: M / ((N - M) (K - M)).
    """
    pairs = match_share * np.minimum(ours_rows, theirs_rows)
    return np.asarray(pairs / ((ours_rows - pairs) * (theirs_rows - pairs)))


def _evidence(name: str, candidates: pa.Table, chance: pa.Table) -> _Evidence | None:
    given = candidates.column(f"{name}_level").combine_chunks()
    if given.null_count == len(given):
        return None
    usual = USUAL[name]
    levels = tuple(sorted(usual))
    values = given.fill_null(_NONE).to_numpy(zero_copy_only=False).astype(np.int64)
    place = np.where(values == _NONE, len(levels), np.searchsorted(levels, values))
    rows = zip(*(chance.column(part).to_pylist() for part in ("evidence", "level", "pairs")), strict=True)
    counts = {level: pairs for evidence, level, pairs in rows if evidence == name}
    shares = np.array([usual[level] for level in levels])
    chance_pairs = np.array([counts.get(level, 0) for level in levels], np.float64)
    return _Evidence(name, levels, place, chance_pairs, shares / shares.sum())


def _by_chance(item: _Evidence, met_by_chance: float, matched: Floats) -> Floats:
    """Return u: the share of each level among the pairs of chance, less those among them that belong together."""
    pairs = item.chance_pairs.sum()
    alone = np.maximum(item.chance_pairs - pairs * met_by_chance * matched, 0.0) + 1 / len(item.levels)
    return np.asarray(alone / alone.sum())


def _matched(item: _Evidence, belongs: Floats) -> Floats:
    """Return m: the share of each level among the pairs that belong together, leaning on what is usual."""
    counts = np.bincount(item.place, belongs, len(item.levels) + 1)[:-1] + PRIOR_PAIRS * item.usual
    return np.asarray(counts / counts.sum())


def _ratio(
    evidence: Sequence[_Evidence], matched: Sequence[Floats], chance: Sequence[Floats], equal_share: Floats
) -> Floats:
    """Return m / u of each candidate over all evidence; of an equal amount u is the share of that very amount."""
    ratio = np.ones(len(equal_share))
    for item, m, u in zip(evidence, matched, chance, strict=True):
        at = np.append(m / u, 1.0)[item.place]
        if item.name == "amount":
            equal = m[item.levels.index(0)]
            at = np.where(np.isnan(equal_share), at, equal / np.where(np.isnan(equal_share), 1.0, equal_share))
        ratio *= at
    return ratio


def _chance_to_belong(ratio: Floats, ours: Whole, theirs: Whole) -> Floats:
    """Return how likely each pair is against the others of both its rows and against none at all."""
    beside = np.bincount(ours, ratio)[ours] + np.bincount(theirs, ratio)[theirs] - ratio
    return np.asarray(ratio / (1.0 + beside))


def _equal_share(candidates: pa.Table) -> Floats:
    return np.asarray(candidates.column("amount_share").to_numpy(zero_copy_only=False), np.float64)


def _column(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))


def _total(sizes: pa.Table, name: str) -> float:
    return float(_column(sizes, name).sum())


def _most_pairs(sizes: pa.Table) -> float:
    return float(np.minimum(_column(sizes, "ours_rows"), _column(sizes, "theirs_rows")).sum())


def _all_pairs(sizes: pa.Table) -> float:
    ours, theirs = (_column(sizes, f"{side}_rows").astype(np.float64) for side in ("ours", "theirs"))
    return max(float((ours * theirs).sum()), 1.0)
