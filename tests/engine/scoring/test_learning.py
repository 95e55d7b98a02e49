"""Weights learned without labels, on rows whose truth is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tieout.engine.plan import EVIDENCE, LearnedWeights, Level
from tieout.engine.scoring.learning import USUAL, Sample, learn, microbits, table_of

ROWS = 4000
AMOUNT_CHANCE = {0: 0.0001, 1: 0.0005, -1: 0.0005, 9: 0.499, -9: 0.4999}
TIME_CHANCE = {0: 0.001, 1: 0.001, 2: 0.001, 8: 0.4985, -8: 0.4985}


def drawn(rng: np.random.Generator, shares: dict[int, float], count: int) -> np.ndarray:
    levels = list(shares)
    return rng.choice(levels, size=count, p=np.array([shares[level] for level in levels]) / sum(shares.values()))


def planted(matched_rows: int, amount: dict[int, float], time: dict[int, float], *, strangers: int = 5) -> Sample:
    """Return candidates of ROWS rows a side: the true ones by the given shares, and `strangers` a row by chance."""
    rng = np.random.default_rng(7)
    ours = np.concatenate([np.arange(matched_rows), np.repeat(np.arange(ROWS), strangers)])
    theirs = np.concatenate([np.arange(matched_rows), rng.integers(0, ROWS, ROWS * strangers)])
    chance = ROWS * strangers
    amount_level = np.concatenate([drawn(rng, amount, matched_rows), drawn(rng, AMOUNT_CHANCE, chance)])
    time_level = np.concatenate([drawn(rng, time, matched_rows), drawn(rng, TIME_CHANCE, chance)])
    absent = pa.nulls(len(ours), pa.int32())
    table = {
        "ours_row": ours,
        "theirs_row": theirs,
        "ours_rows": np.full(len(ours), ROWS),
        "theirs_rows": np.full(len(ours), ROWS),
        "amount_level": pa.array(amount_level, pa.int32()),
        "time_level": pa.array(time_level, pa.int32()),
        "text_level": absent,
        **{f"unit_{number}_level": absent for number in range(1, 7)},
        "amount_share": pa.array(np.where(amount_level == 0, 0.0001, np.nan), from_pandas=True),
        "is_ours_sampled": np.ones(len(ours), bool),
        "is_theirs_sampled": np.ones(len(ours), bool),
    }
    counts = [("amount", AMOUNT_CHANCE), ("time", TIME_CHANCE)]
    rows = [(name, level, round(share * 250_000)) for name, shares in counts for level, share in shares.items()]
    by_chance = pa.table(dict(zip(("evidence", "level", "pairs"), zip(*rows, strict=True), strict=True)))
    sizes = pa.table({"currency": ["EUR"], "ours_rows": [ROWS], "theirs_rows": [ROWS]})
    return Sample(pa.table(table), by_chance, sizes, ROWS, ROWS)


def share_of(learned: LearnedWeights, evidence: str, level: int) -> float:
    return next(item.matched for item in learned.levels if (item.evidence, item.level) == (evidence, level))


def test_what_was_planted_is_found_again() -> None:
    learned = learn(planted(3000, {0: 0.7, 1: 0.2, -1: 0.1}, {0: 0.5, 1: 0.3, 2: 0.2}))
    assert learned.match_share == pytest.approx(0.75, abs=0.02)
    assert share_of(learned, "amount", 0) == pytest.approx(0.7, abs=0.03)
    assert share_of(learned, "amount", 1) == pytest.approx(0.2, abs=0.03)
    assert share_of(learned, "time", 0) == pytest.approx(0.5, abs=0.03)
    assert share_of(learned, "time", 2) == pytest.approx(0.2, abs=0.03)


def test_where_nothing_belongs_together_nothing_is_found() -> None:
    learned = learn(planted(0, {0: 1.0}, {0: 1.0}))
    assert learned.match_share < 0.05


def test_pairs_that_a_reviewer_accepted_count_as_certain() -> None:
    """Amounts of opposite signs: no pair of the rows says that they belong together, forty labels do."""
    sample = planted(100, {0: 1.0}, {0: 1.0})
    levels = {f"{name}_level": pa.nulls(40, pa.int32()) for name in EVIDENCE}
    levels |= {"amount_level": pa.array([20] * 40, pa.int32()), "time_level": pa.array([0] * 40, pa.int32())}
    plain, taught = learn(sample), learn(replace(sample, labels=pa.table(levels)))
    assert share_of(plain, "amount", 20) < 0.01
    assert share_of(taught, "amount", 20) == pytest.approx(40 / (40 + 100 + 5), abs=0.03)
    assert {(item.evidence, item.level): item.chance for item in taught.levels}["amount", 20] < 0.001
    assert taught.match_share == pytest.approx(plain.match_share, abs=0.01)


def test_an_evidence_that_no_candidate_has_is_left_out() -> None:
    learned = learn(planted(2000, {0: 1.0}, {0: 1.0}))
    assert {item.evidence for item in learned.levels} == {"amount", "time"}


def test_every_evidence_has_something_usual_to_lean_on() -> None:
    assert set(USUAL) == set(EVIDENCE)
    assert all(share > 0 for shares in USUAL.values() for share in shares.values())


def test_shares_of_an_evidence_sum_to_one() -> None:
    learned = learn(planted(2000, {0: 0.6, 1: 0.4}, {1: 1.0}))
    for evidence in ("amount", "time"):
        for kind in ("matched", "chance"):
            assert sum(getattr(x, kind) for x in learned.levels if x.evidence == evidence) == pytest.approx(1, abs=1e-6)


def test_a_weight_is_the_logarithm_of_the_ratio_in_millionths_of_a_bit() -> None:
    told, untold = Level("amount", 0, 0.5, 0.125), Level("amount", 1, 0.125, 0.5)
    assert microbits([untold, told]) == {told: 2_000_000, untold: -2_000_000}


def test_the_table_holds_the_share_of_rows_with_a_partner() -> None:
    table = table_of(LearnedWeights(0.9, (Level("time", 0, 0.5, 0.25),)))
    assert table.to_pylist() == [
        {"evidence": "pair", "level": 0, "matched": 0.9, "chance": None, "weight": 0},
        {"evidence": "time", "level": 0, "matched": 0.5, "chance": 0.25, "weight": 1_000_000},
    ]


def test_a_rarer_word_never_tells_less_among_texts_spelt_equally_alike() -> None:
    """The few pairs of chance at a level may belong together, and would make it tell against itself."""
    sample = planted(3000, {0: 0.7, 1: 0.3}, {0: 0.5, 1: 0.5})
    rng = np.random.default_rng(8)
    strangers = len(sample.candidates) - 3000
    levels = [drawn(rng, {10: 0.4, 33: 0.55, 35: 0.05}, 3000), drawn(rng, {10: 0.9, 31: 0.1}, strangers)]
    place = sample.candidates.column_names.index("text_level")
    told = sample.candidates.set_column(place, "text_level", pa.array(np.concatenate(levels), pa.int32()))
    rows = [("text", 10, 225_000), ("text", 31, 24_000), ("text", 33, 10), ("text", 35, 1_000)]
    by_chance = pa.table(dict(zip(("evidence", "level", "pairs"), zip(*rows, strict=True), strict=True)))
    learned = learn(replace(sample, candidates=told, chance=pa.concat_tables([sample.chance, by_chance])))
    weight = {item.level: bits for item, bits in microbits(learned.levels).items() if item.evidence == "text"}
    assert weight[31] < weight[33]
    assert weight[35] == weight[33]
    assert weight[33] > 8_000_000
    assert weight[10] < 0


def test_a_level_at_which_no_pair_stands_lifts_no_other() -> None:
    """What nobody has seen looks strong, for chance has the least share of it and what is usual gives it some."""
    usual = {level: share / sum(USUAL["text"].values()) for level, share in USUAL["text"].items()}
    levels = {level: Level("text", level, share / 10, 0.0001) for level, share in usual.items()}
    levels[143] = Level("text", 143, 0.26, 0.06)
    weight = {item.level: bits for item, bits in microbits(tuple(levels.values())).items()}
    assert weight[142] > 3_000_000
    assert weight[143] == 2_115_477
    levels[142] = Level("text", 142, 0.3, 0.0001)
    assert {item.level: bits for item, bits in microbits(tuple(levels.values())).items()}[143] > 11_000_000


def test_one_pair_does_not_speak_for_its_own_gap() -> None:
    """Of thirty pairs one has amounts that lie far apart: how likely that is of a pair is told by the others."""
    apart = planted(30, {0: 1.0}, {0: 1.0}, strangers=0)
    place = apart.candidates.column_names.index("amount_level")
    far = apart.candidates.set_column(place, "amount_level", pa.array([9, *[0] * 29], pa.int32()))
    assert share_of(learn(apart), "amount", 9) < 0.0004
    assert share_of(learn(replace(apart, candidates=far)), "amount", 9) < 0.0004
