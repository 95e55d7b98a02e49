"""The pass that finds sums: loose rows out of the engine, groups back into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tieout.engine.plan import Plan, Rules
from tieout.engine.reviewed import with_candidates
from tieout.engine.scoring.pairing import choose_pairs
from tieout.engine.settlement.steps import APPLICATION_SCHEMA
from tieout.engine.steps import Runner
from tieout.engine.sums.at_once import AllSums, Parts, Wholes, find_all_sums, runs
from tieout.engine.sums.choice import NOBODY, Choice, Proposals, Rows, choose

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

SEARCH_STEPS = ("loose_row", "loose_word", "part_candidate")
SUM_STEPS = ("add_day_sum", "choice_beside_sums", "add_sum", "add_sum_group")
SECOND_STEPS = ("add_second_candidate", "add_second_choice", "sent_twice", "choice_of_the_first", "told_row")


def find_sums_among_loose_rows(runner: Runner, plan: Plan, *, is_decided: bool) -> None:
    """Find rows that several of the other side sum to, among those without a sure partner, and make groups of them.

    With `is_decided` pairs that a reviewer rejected are left out.
    """
    ruled = with_candidates if is_decided else list
    runner.run_all(ruled(SEARCH_STEPS))
    runner.run_computed("sum_row", partial(_sum_rows, rules=plan.rules))
    runner.run_all(ruled([*SUM_STEPS, "second_candidate"]))

    def choose_second(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
        return choose_pairs(con.sql(query).to_arrow_table(), plan.rules.review_threshold)

    runner.run_computed("second_confidence", choose_second)
    runner.run_all(SECOND_STEPS)


@dataclass(frozen=True)
class _Asked:
    """The rows of the query: wholes, and the candidates of all of them one after another."""

    wholes: Wholes
    parts: Parts
    is_ours: Flags
    currency: pa.Array
    whole_rows: Rows
    part_rows: Rows


def _sum_rows(con: duckdb.DuckDBPyConnection, query: str, rules: Rules) -> pa.Table:
    asked = _asked(con.sql(query).to_arrow_table().combine_chunks(), rules)
    found = find_all_sums(asked.wholes, asked.parts)
    starts, members = found.likeliest
    proposals = Proposals(
        asked.is_ours[found.whole],
        asked.whole_rows.some(found.whole),
        starts,
        asked.part_rows.some(members),
        found.odds[found.first[:-1]],
        found.is_unique,
    )
    choice = choose(proposals, rules.auto_threshold, rules.review_threshold)
    offsets = con.execute("select ours_offset, theirs_offset from run").fetchall()[0]
    return _told(asked, found, proposals, choice, offsets)


def _asked(rows: pa.Table, rules: Rules) -> _Asked:
    is_ours, whole_row = (rows.column(name).to_numpy() for name in ("is_ours", "whole_row"))
    is_first = np.ones(len(whole_row), np.bool_)
    is_first[1:] = (np.diff(whole_row) != 0) | (is_ours[1:] != is_ours[:-1])
    begin = np.flatnonzero(is_first)
    first = rows.take(pa.array(begin))
    wholes = Wholes(
        first.column("whole_micros").to_numpy(),
        first.column("whole_fee").to_numpy(),
        first.column("amount_share").to_numpy(),
        _steps(rows)[begin],
        np.array([_tolerance(one, rules) for one in first.column("whole_micros").to_pylist()], np.int64),
        np.append(begin, len(whole_row)),
    )
    parts = Parts(*(rows.column(name).to_numpy() for name in ("part_micros", "weight", "part_fee", "is_other_sign")))
    currency = first.column("currency").combine_chunks()
    return _Asked(wholes, parts, is_ours[begin], currency, _rows(first, "whole"), _rows(rows, "part"))


def _rows(rows: pa.Table, name: str) -> Rows:
    return Rows(
        rows.column(f"{name}_row").to_numpy(),
        rows.column(f"{name}_paired_with").fill_null(NOBODY).to_numpy(),
        rows.column(f"{name}_pair_chance").fill_null(0.0).to_numpy(),
    )


def _tolerance(amount: int, rules: Rules) -> int:
    return max(rules.tolerance_micros, abs(amount) * rules.tolerance_ppm // 1_000_000)


def _steps(rows: pa.Table) -> Numbers:
    """Return for each row the smallest change that the amounts of its currency have: a cent, as a rule."""
    currency = rows.column("currency").combine_chunks().dictionary_encode()
    of = currency.indices.to_numpy()
    amounts = [rows.column(name).to_numpy() for name in ("whole_micros", "part_micros")]
    steps = [
        np.gcd.reduce([np.gcd.reduce(values[of == one]) for values in amounts])
        for one in range(len(currency.dictionary))
    ]
    return np.asarray(np.array(steps, np.int64)[of])


def _told(asked: _Asked, found: AllSums, proposals: Proposals, choice: Choice, offsets: tuple[int, int]) -> pa.Table:
    """Return a row for each part of the sums that were chosen, in the order of wholes and parts."""
    chosen = choice.number
    count = proposals.count[chosen]
    at, begin = runs(proposals.starts[chosen], count)
    of = np.repeat(np.arange(len(chosen)), count)
    at = at[np.lexsort((proposals.parts.row[at], of))]
    part, whole, is_ours = proposals.parts.row[at], proposals.whole.row[chosen], proposals.is_ours[chosen]
    of_sums: list[pa.Array] = [
        asked.currency.take(pa.array(found.whole[chosen])),
        pa.array([found.verdict(one) for one in chosen.tolist()], pa.string()),
        pa.array(found.alternatives[chosen], pa.int32()),
        pa.array(["auto" if one else "review" for one in choice.is_auto.tolist()], pa.string()),
        pa.array(choice.confidence),
        pa.array(_reasons(asked, found, choice, offsets), pa.string()),
    ]
    currency, verdict, alternatives, outcome, confidence, reason = (one.take(pa.array(of)) for one in of_sums)
    columns = [
        pa.array(np.where(is_ours, whole, part[begin])[of]),
        pa.array(np.where(is_ours[of], whole[of], part)),
        pa.array(np.where(is_ours[of], part, whole[of])),
        pa.array(asked.parts.amount[found.likeliest[1][at]]),
        currency,
        pa.repeat("sum", len(of)),
        verdict,
        alternatives,
        outcome,
        confidence,
        reason,
    ]
    return pa.table(columns, schema=APPLICATION_SCHEMA)


def _reasons(asked: _Asked, found: AllSums, choice: Choice, offsets: tuple[int, int]) -> list[str]:
    """Say what speaks for each sum and, where a person must decide, what would settle it."""
    chosen = choice.number
    traits = zip(
        np.diff(found.likeliest[0])[chosen].tolist(),
        asked.is_ours[found.whole[chosen]].tolist(),
        found.has_fees[chosen].tolist(),
        (found.alternatives[chosen] > 0).tolist(),
        found.is_complete[chosen].tolist(),
        choice.is_contested.tolist(),
        choice.is_auto.tolist(),
        strict=True,
    )
    reasons = []
    for number, (many, is_ours, has_fees, *doubts) in zip(chosen.tolist(), traits, strict=True):
        has_others, is_complete, is_contested, is_auto = doubts
        told = f"{many} rows of {'theirs' if is_ours else 'ours'} that name the same party sum to it"
        told += " before fees" if has_fees else ""
        if has_others:
            row = _telling_row(asked, found, number) + offsets[1 if is_ours else 0]
            told += f"; so do others; whether row {row} belongs to it would settle it"
        elif not is_complete:
            told += "; not every set was looked at; a reference on its rows would settle it"
        elif is_contested:
            told += "; another match wants one of its rows; a reference on them would settle it"
        elif not is_auto:
            told += "; chance may make such a sum; a reference on its rows would settle it"
        reasons.append(told)
    return reasons


def _telling_row(asked: _Asked, found: AllSums, number: int) -> int:
    """Return the first row that is in one of the two likeliest sets alone."""
    likeliest = int(found.first[number])
    differing = np.setxor1d(found.members_of(likeliest), found.members_of(likeliest + 1))
    return int(asked.part_rows.row[differing].min())
