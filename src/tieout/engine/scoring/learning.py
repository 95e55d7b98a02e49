"""Learn from the rows themselves how much each piece of evidence is worth, without labels.

The model is that of Fellegi and Sunter (A Theory for Record Linkage, 1969): at level l of an evidence a candidate
weighs log2(m / u), m being the share of pairs that belong together at that level and u that of pairs that chance
brought together. u is counted; m is found by expectation maximisation, where the chance that a pair belongs together
takes into account that a row has at most one partner: of all one-to-one pairings each weighs the product of the ratios
of its pairs (the monomer-dimer model). Callers import this where they use it, for it brings numpy.

Where a reviewer decided about pairs, those are labels: in the expectation a pair that was accepted is held at 1 and one
that was rejected at 0 (it is no candidate), the others stay estimates (Nigam, McCallum, Thrun and Mitchell, Text
Classification from Labeled and Unlabeled Documents using EM, 2000; for records Larsen and Rubin, Iterative Automated
Record Linkage Using Mixture Models, 2001).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tieout.engine.plan import PAIR, LearnedWeights, Level
from tieout.engine.scoring.numbering import numbered

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ROUNDS = 60
SETTLED = 1e-4
PRIOR_PAIRS = 5.0
"""How many pairs what is usual counts for, beside the pairs that are there."""
LARGEST_SHARE = 0.999
FEW_MATCHED = 0.05
"""Where so few rows seem to have a partner, the start may have been to blame."""
HARDLY = 1e-9
"""What having no partner weighs beside the candidates in the first round of a hopeful start."""
ONCE_IN_A_MILLION = 4.7534
"""So many standard deviations above its mean a normal variate is so seldom."""
PLACES = 8
SEEN = 1.5
"""A level at which no pair stands has the least share of chance, and of pairs that belong together what is usual."""
RARITIES = 6
"""How many levels the rarity of the words makes of each level of spelling."""


def _usual_text() -> dict[int, float]:
    spelling = {10: 0.3, 20: 0.5, 30: 1.0, 40: 2.0, 50: 6.0}
    return {
        begins + tens + rarity: likely * spelling[tens] * (rarity + 0.3)
        for begins, likely in ((0, 0.15), (100, 1.0))
        for tens in spelling
        for rarity in range(RARITIES)
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
EQUAL = {"text": 150, **{f"unit_{number}": 2 for number in range(1, 7)}}
"""From which level on texts and hints are equal."""


@dataclass(frozen=True)
class Sample:
    """What weights are learned from.

    `candidates` has the columns of the step compared_candidate, is_ours_sampled and is_theirs_sampled: every candidate
    of a sampled row and every candidate of its partners. `chance` has evidence, level and pairs, and `sizes` currency,
    ours_rows and theirs_rows; so many rows of each side were sampled. `labels` has the levels of the pairs that a
    reviewer accepted, whose rows are among no candidates. `equal` counts the pairs that are equal in all they have and
    were taken beforehand, by the evidence that they have.
    """

    candidates: pa.Table
    chance: pa.Table
    sizes: pa.Table
    ours_sampled: int
    theirs_sampled: int
    labels: pa.Table | None = None
    equal: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Evidence:
    """One evidence: its levels, at which of them each pattern stands (len(levels) for none), and what is usual.

    `labelled` counts the accepted pairs at each level.
    """

    name: str
    levels: tuple[int, ...]
    place: Whole
    chance_pairs: Floats
    usual: Floats
    labelled: Floats


@dataclass(frozen=True)
class _Pairs:
    """The candidates: their rows numbered from 0, which pattern of levels each has, and what else sets it apart.

    `rarity` is 1 over the share of the very amount where it is equal, else 1; `size` says which of `sizes` is its
    currency's number of rows.
    """

    ours: Whole
    theirs: Whole
    pattern: Whole
    rarity: Floats
    size: Whole
    sizes: tuple[Floats, Floats]
    is_ours: Flags
    is_theirs: Flags


def learn_levels(con: duckdb.DuckDBPyConnection, query: str, *, has_labels: bool = False) -> pa.Table:
    """Return the table of the step learned_level, from its query's rows and the relations that it names.

    With `has_labels` it learns from those of the step label_level as well.
    """
    candidates = con.sql(query).to_arrow_table()
    ours, theirs = (
        con.sql(f"select count(*) from sample_{side}").fetchall()[0][0] for side in ("expected", "reported")
    )
    chance, sizes = (
        con.sql(f"from {name} order by all").to_arrow_table() for name in ("chance_level", "currency_size")
    )
    labels = con.sql("from label_level order by all").to_arrow_table() if has_labels else None
    with_text, with_unit = con.sql(
        "select count(score_text), count(score_unit) from equal_row where is_match"
    ).fetchall()[0]
    equal = {"text": with_text, **{f"unit_{number}": with_unit for number in range(1, 7)}}
    return table_of(learn(Sample(candidates, chance, sizes, ours, theirs, labels, equal)))


def table_of(learned: LearnedWeights) -> pa.Table:
    """Return learned weights as rows of evidence_level, the weight in millionths of a bit."""
    rows: list[tuple[str, int, float, float | None, int]] = [(PAIR, 0, learned.match_share, None, 0)]
    weights = microbits(learned.levels)
    rows += [(item.evidence, item.level, item.matched, item.chance, weights[item]) for item in learned.levels]
    names = ("evidence", "level", "matched", "chance", "weight")
    kinds = (pa.string(), pa.int32(), pa.float64(), pa.float64(), pa.int64())
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    return pa.table(dict(zip(names, columns, strict=True)))


def microbits(levels: Sequence[Level]) -> dict[Level, int]:
    """Return what evidences at their levels weigh, in millionths of a bit.

    Among texts spelt equally alike a rarer word never weighs less than a commoner one of which pairs were seen: in a
    small file a pair may be the only one of its level, which would count against it.
    """
    least = 10.0**-PLACES
    found: dict[Level, int] = {}
    most: dict[int, int] = {}
    texts = [(one.level, USUAL["text"][one.level], one.matched, one.chance) for one in levels if one.evidence == "text"]
    level, usual, matched, chance = np.array(texts, np.float64).reshape(-1, 4).T
    seen = set(level[_are_seen(usual, matched, chance)])
    for one in sorted(levels, key=lambda one: (one.evidence, one.level)):
        weight = round(math.log2(max(one.matched, least) / max(one.chance, least)) * 1_000_000)
        if one.evidence == "text":
            spelling = one.level // 10
            weight = max(weight, most.get(spelling, weight))
            if one.level in seen:
                most[spelling] = weight
        found[one] = weight
    return found


def learn(sample: Sample) -> LearnedWeights:
    """Return what each level of each evidence is worth; an evidence that no candidate has is left out.

    Where hardly a pair is found, as when what is usual speaks against pairs that these files make plain, it is looked
    for once more from a start at which every row has a partner; what makes the rows likelier is kept.
    """
    pairs, evidence = _read(sample)
    found = _maximised(sample, pairs, evidence, is_hopeful=False)
    if found.match_share < FEW_MATCHED and len(pairs.pattern):
        other = _maximised(sample, pairs, evidence, is_hopeful=True)
        found_at = zip(evidence, other.matched, other.chance, strict=True)
        levels_seen = sum(int(_are_seen(item.usual, m, u).sum()) for item, m, u in found_at)
        if _likelihood(pairs, evidence, other) > _likelihood(pairs, evidence, found) + _gained_by_chance(levels_seen):
            found = other
    levels = [
        Level(item.name, level, round(float(m), PLACES), round(float(u), PLACES))
        for item, ms, us in zip(evidence, found.matched, found.chance, strict=True)
        for level, m, u in zip(item.levels, ms, us, strict=True)
    ]
    return LearnedWeights(round(found.match_share, PLACES), tuple(levels))


@dataclass(frozen=True)
class _Found:
    """Where the maximisation came to rest: the share of rows with a partner, and m and u of each evidence."""

    match_share: float
    matched: list[Floats]
    chance: list[Floats]


def _maximised(sample: Sample, pairs: _Pairs, evidence: Sequence[_Evidence], *, is_hopeful: bool) -> _Found:
    """Return m and u that explain the candidates best, found from what is usual.

    A hopeful start gives every row that has candidates one of them in the first round.
    """
    most_pairs = _most_pairs(sample.sizes)
    matched = [0.9 * item.usual + 0.1 * _by_chance(item, 0.0, item.usual) for item in evidence]
    chance = [_by_chance(item, 0.0, item.usual) for item in evidence]
    match_share = 0.5
    for turn in range(ROUNDS):
        nobody = HARDLY if is_hopeful and not turn else 1.0
        belongs = _chance_to_belong(pairs, _ratio(evidence, matched, chance), match_share, nobody)
        found = (
            belongs[pairs.is_ours].sum() * _total(sample.sizes, "ours_rows") / max(sample.ours_sampled, 1)
            + belongs[pairs.is_theirs].sum() * _total(sample.sizes, "theirs_rows") / max(sample.theirs_sampled, 1)
        ) / 2
        match_share = min((float(found) + 0.5) / (most_pairs + 1.0), LARGEST_SHARE)
        is_counted = pairs.is_ours | pairs.is_theirs
        belongs = np.where(is_counted, belongs, 0.0)
        counted = np.bincount(pairs.pattern, belongs).astype(np.float64)
        largest = np.zeros(len(counted))
        np.maximum.at(largest, pairs.pattern, belongs)
        before = matched
        matched = [_matched(item, counted, largest) for item in evidence]
        met_by_chance = match_share * most_pairs / _all_pairs(sample.sizes)
        chance = [_by_chance(item, met_by_chance, m) for item, m in zip(evidence, matched, strict=True)]
        if all(np.abs(now - then).max() < SETTLED for now, then in zip(matched, before, strict=True)):
            break
    return _Found(match_share, matched, chance)


def _gained_by_chance(fitted: int) -> float:
    """Return by how much so many fitted numbers make rows likelier, where there is nothing to fit, once in a million.

    Half the quantile of chi squared (Wilks, The Large-Sample Distribution of the Likelihood Ratio, 1938), approximated
    by Wilson and Hilferty (The Distribution of Chi-Square, 1931).
    """
    spread = 2 / (9 * max(fitted, 1))
    return fitted / 2 * (1 - spread + ONCE_IN_A_MILLION * math.sqrt(spread)) ** 3


def _likelihood(pairs: _Pairs, evidence: Sequence[_Evidence], found: _Found) -> float:
    """Return by how much partners make the sampled rows likelier than chance alone, as a logarithm.

    A row of so many has a partner with the share of those that have, any row of the other side as likely as another.
    """
    ratio = _ratio(evidence, found.matched, found.chance)[pairs.pattern] * pairs.rarity
    ours_rows, theirs_rows = (sizes[pairs.size] for sizes in pairs.sizes)
    matched = found.match_share * np.minimum(ours_rows, theirs_rows)
    total = 0.0
    for row, is_sampled, rows in ((pairs.ours, pairs.is_ours, ours_rows), (pairs.theirs, pairs.is_theirs, theirs_rows)):
        share = np.zeros(int(row.max(initial=-1)) + 1)
        share[row] = matched / rows
        with_partner = np.bincount(row, ratio * matched / (ours_rows * theirs_rows), len(share))
        is_asked = np.zeros(len(share), bool)
        is_asked[row[is_sampled]] = True
        total += float(np.log(1 - share + with_partner)[is_asked].sum())
    return total / 2


def _read(sample: Sample) -> tuple[_Pairs, list[_Evidence]]:
    table = sample.candidates
    present = [name for name in USUAL if table.column(f"{name}_level").null_count < table.num_rows]
    places = [_places(table, name) for name in present]
    code = np.zeros(table.num_rows, np.int64)
    for name, place in zip(present, places, strict=True):
        code = code * (len(USUAL[name]) + 1) + place
    pattern = numbered(code)
    first = _one_of_each(pattern)
    share = _column(table, "amount_share")
    ours_rows, theirs_rows = (_column(table, f"{side}_rows") for side in ("ours", "theirs"))
    size = numbered(numbered(ours_rows) * len(theirs_rows) + numbered(theirs_rows))
    one_of = _one_of_each(size)
    pairs = _Pairs(
        ours=numbered(_column(table, "ours_row")),
        theirs=numbered(_column(table, "theirs_row")),
        pattern=pattern,
        rarity=np.where(np.isnan(share), 1.0, 1.0 / np.where(np.isnan(share), 1.0, share)),
        size=size,
        sizes=(ours_rows[one_of].astype(np.float64), theirs_rows[one_of].astype(np.float64)),
        is_ours=_column(table, "is_ours_sampled").astype(bool),
        is_theirs=_column(table, "is_theirs_sampled").astype(bool),
    )
    return pairs, [_evidence(name, place[first], sample) for name, place in zip(present, places, strict=True)]


def _one_of_each(numbers: Whole) -> Whole:
    """Return for each number from 0 a place at which it stands; whichever, what is asked of it is the same at all."""
    place = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
    place[numbers] = np.arange(len(numbers))
    return place


def activity(match_share: float, ours_rows: Floats, theirs_rows: Floats) -> Floats:
    """Return what a pair weighs before any evidence: the chance of it over the chance that both rows are alone.

    Of so many rows in a currency the smaller side has `match_share` matched: M / ((N - M) (K - M)).
    """
    pairs = match_share * np.minimum(ours_rows, theirs_rows)
    return np.asarray(pairs / ((ours_rows - pairs) * (theirs_rows - pairs)))


def _places(candidates: pa.Table, name: str) -> Whole:
    """Return for each candidate the place of its level among those of an evidence, one past the last for none."""
    levels = sorted(USUAL[name])
    none = levels[-1] + 1
    given = candidates.column(f"{name}_level").combine_chunks().fill_null(none)
    places = np.zeros(none - levels[0] + 1, np.int64)
    places[[level - levels[0] for level in (*levels, none)]] = np.arange(len(levels) + 1)
    return np.asarray(places[given.to_numpy(zero_copy_only=False).astype(np.int64) - levels[0]], np.int64)


def _evidence(name: str, place: Whole, sample: Sample) -> _Evidence:
    levels = tuple(sorted(USUAL[name]))
    rows = zip(*(sample.chance.column(part).to_pylist() for part in ("evidence", "level", "pairs")), strict=True)
    counts = {level: pairs for evidence, level, pairs in rows if evidence == name}
    usual = _usual(name, levels, np.bincount(place, minlength=len(levels) + 1)[:-1], sample)
    chance_pairs = np.array([counts.get(level, 0) for level in levels], np.float64)
    labelled = np.zeros(len(levels))
    if sample.labels is not None:
        labelled += np.bincount(_places(sample.labels, name), minlength=len(levels) + 1)[:-1]
    return _Evidence(name, levels, place, chance_pairs, usual, labelled)


def _usual(name: str, levels: Sequence[int], candidates: Whole, sample: Sample) -> Floats:
    """Return what is usual of an evidence, in these files: the more so, the more of their rows are equal pairs.

    Where nearly all are, the few that are left have their text and their hints alike as well; that their amounts or
    days are not is why they are left. So many `candidates` stand at each level.
    """
    usual = np.array([USUAL[name][level] for level in levels])
    usual /= usual.sum()
    if not sample.equal.get(name):
        return usual
    is_equal = np.array(levels) >= EQUAL[name]
    equal = np.where(is_equal, candidates if candidates[is_equal].any() else usual, 0.0)
    share = sample.equal[name] / (sample.equal[name] + max(_most_pairs(sample.sizes), 1.0))
    return np.asarray((1 - share) * usual + share * equal / equal.sum())


def _by_chance(item: _Evidence, met_by_chance: float, matched: Floats) -> Floats:
    """Return u: the share of each level among the pairs of chance, less those among them that belong together."""
    pairs = item.chance_pairs.sum()
    alone = np.maximum(item.chance_pairs - pairs * met_by_chance * matched, 0.0) + 1 / len(item.levels)
    return np.asarray(alone / alone.sum())


def _matched(item: _Evidence, belongs: Floats, largest: Floats) -> Floats:
    """Return m: the share of each level among the pairs that belong together, leaning on what is usual.

    The pairs of each pattern come to `belongs`, the likeliest of them to `largest`. How far amounts lie apart has so
    many levels that one pair may be all that is seen of one; it must not speak for itself, so the likeliest is left
    out.
    """
    found: Floats = np.bincount(item.place, belongs, len(item.levels) + 1).astype(np.float64)
    if item.name == "amount":
        likeliest = np.zeros(len(found))
        np.maximum.at(likeliest, item.place, largest)
        found = found - likeliest
    counts = found[:-1] + item.labelled + PRIOR_PAIRS * item.usual
    return np.asarray(counts / counts.sum())


def _told(item: _Evidence, matched: Floats, chance: Floats) -> Floats:
    """Return m / u, of texts as `microbits` has it."""
    told = matched / chance
    if item.name == "text":
        seen = np.where(_are_seen(item.usual, matched, chance), told, 0.0).reshape(-1, RARITIES)
        told = np.maximum(told, np.maximum.accumulate(seen, axis=1).reshape(-1))
    return np.asarray(told)


def _are_seen(usual: Floats, matched: Floats, chance: Floats) -> Flags:
    """Say of each level whether a pair of chance stands at it, or one that belongs together."""
    if not len(usual):
        return np.zeros(0, bool)
    leaning = matched / usual
    return np.asarray((chance > SEEN * chance.min()) | (leaning > SEEN * leaning.min()))


def _ratio(evidence: Sequence[_Evidence], matched: Sequence[Floats], chance: Sequence[Floats]) -> Floats:
    """Return m / u of each pattern; of an equal amount m alone, for u is the share of that very amount."""
    ratio = np.ones(len(evidence[0].place) if evidence else 1)
    for item, m, u in zip(evidence, matched, chance, strict=True):
        by_level = _told(item, m, u)
        if item.name == "amount":
            equal = item.levels.index(0)
            by_level[equal] = m[equal]
        ratio *= np.append(by_level, 1.0)[item.place]
    return ratio


def _chance_to_belong(pairs: _Pairs, ratio: Floats, match_share: float, nobody: float = 1.0) -> Floats:
    """Return how likely each pair is against the others of both its rows and against none at all (`nobody`)."""
    weight = ratio[pairs.pattern] * pairs.rarity * activity(match_share, *pairs.sizes)[pairs.size]
    beside = np.bincount(pairs.ours, weight)[pairs.ours] + np.bincount(pairs.theirs, weight)[pairs.theirs] - weight
    return np.asarray(weight / (nobody + beside))


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))


def _total(sizes: pa.Table, name: str) -> float:
    return float(_column(sizes, name).sum())


def _most_pairs(sizes: pa.Table) -> float:
    return float(np.minimum(_column(sizes, "ours_rows"), _column(sizes, "theirs_rows")).sum())


def _all_pairs(sizes: pa.Table) -> float:
    ours, theirs = (_column(sizes, f"{side}_rows").astype(np.float64) for side in ("ours", "theirs"))
    return max(float((ours * theirs).sum()), 1.0)
