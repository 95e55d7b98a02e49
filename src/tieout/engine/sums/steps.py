"""The pass that finds sums: loose rows out of the engine, groups back into it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from tieout.engine.plan import Plan, Rules
from tieout.engine.reviewed import with_candidates
from tieout.engine.scoring.pairing import choose_pairs
from tieout.engine.settlement.steps import APPLICATION_SCHEMA
from tieout.engine.steps import Runner
from tieout.engine.sums.choice import Chosen, Pair, Proposal, Row, choose
from tieout.engine.sums.search import Part, Whole, find_sums

SEARCH_STEPS = ("loose_row", "loose_word", "part_candidate")
SUM_STEPS = ("choice_beside_sums", "add_sum", "add_sum_group")
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


def _sum_rows(con: duckdb.DuckDBPyConnection, query: str, rules: Rules) -> pa.Table:
    asked = con.sql(query).to_arrow_table().to_pydict()
    with _no_collection():
        found = {proposal.whole: (proposal, begin) for proposal, begin in _proposals(asked, rules)}
        proposals = [proposal for proposal, _ in found.values()]
        chosen = choose(proposals, _pairs(asked), rules.auto_threshold, rules.review_threshold)
    offsets = con.execute("select ours_offset, theirs_offset from run").fetchall()[0]
    rows = [row for one in chosen for row in _rows_of(one, asked, found[one.proposal.whole][1], offsets)]
    columns = list(zip(*rows, strict=True)) or [()] * len(APPLICATION_SCHEMA)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, APPLICATION_SCHEMA.types, strict=True)]
    return pa.table(arrays, schema=APPLICATION_SCHEMA)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the collector of circles from looking through what is made: no circle is among it, and it took a third."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _proposals(asked: dict[str, list[Any]], rules: Rules) -> Iterator[tuple[Proposal, int]]:
    """Yield what each row of the query is a sum of, and the place of its first candidate."""
    starts = _starts(asked["is_ours"], asked["whole_row"])
    steps = _steps(asked["currency"], asked["part_micros"], asked["whole_micros"])
    for begin, end in pairwise(starts):
        is_ours, row, amount = (asked[name][begin] for name in ("is_ours", "whole_row", "whole_micros"))
        whole = Whole(
            amount,
            asked["whole_fee"][begin],
            asked["amount_share"][begin],
            steps[asked["currency"][begin]],
            max(rules.tolerance_micros, abs(amount) * rules.tolerance_ppm // 1_000_000),
        )
        parts = [
            Part(*values)
            for values in zip(
                *(asked[name][begin:end] for name in ("part_micros", "weight", "part_fee", "is_other_sign")),
                strict=True,
            )
        ]
        sums = find_sums(whole, parts)
        if sums is None:
            continue
        yield Proposal((is_ours, row), tuple(asked["part_row"][begin:end]), sums), begin


def _starts(is_ours: list[bool], rows: list[int]) -> list[int]:
    """Return where each whole begins among its candidates, and where the last one ends."""
    if not rows:
        return [0]
    changed = (np.diff(np.array(rows, np.int64)) != 0) | (np.diff(np.array(is_ours, np.int8)) != 0)
    return [0, *(np.flatnonzero(changed) + 1).tolist(), len(rows)]


def _steps(currency: list[str], *amounts: list[int]) -> dict[str, int]:
    """Return the smallest change that the amounts of each currency have: a cent, as a rule."""
    of = np.array(currency)
    return {
        one: int(np.gcd.reduce([np.gcd.reduce(np.array(values, np.int64)[of == one]) for values in amounts]))
        for one in sorted(set(currency))
    }


def _pairs(asked: dict[str, list[Any]]) -> dict[Row, Pair]:
    """Return the partner that each row of the query has so far, of those that have one."""
    pairs: dict[Row, Pair] = {}
    for part in ("whole", "part"):
        told = (asked[name] for name in ("is_ours", f"{part}_row", f"{part}_paired_with", f"{part}_pair_chance"))
        for is_whole_ours, row, partner, chance in zip(*told, strict=True):
            if partner is not None:
                is_ours = is_whole_ours == (part == "whole")
                pairs[is_ours, row] = Pair((not is_ours, partner), chance)
    return pairs


def _rows_of(
    one: Chosen, asked: dict[str, list[Any]], begin: int, offsets: tuple[int, int]
) -> Iterator[tuple[object, ...]]:
    is_ours, row = one.proposal.whole
    sums = one.proposal.sums
    candidates = slice(begin, begin + len(one.proposal.parts))
    amounts = dict(zip(one.proposal.parts, asked["part_micros"][candidates], strict=True))
    currency = asked["currency"][begin]
    outcome = "auto" if one.is_auto else "review"
    reason = _reason(one, offsets)
    for part in one.parts:
        ours, theirs = (row, part) if is_ours else (part, row)
        match_id = row if is_ours else one.parts[0]
        values = (match_id, ours, theirs, amounts[part], currency, "sum", sums.verdict, sums.alternatives)
        yield (*values, outcome, one.confidence, reason)


def _reason(one: Chosen, offsets: tuple[int, int]) -> str:
    """Say what speaks for a sum and, where a person must decide, what would settle it."""
    is_ours, _ = one.proposal.whole
    many = f"{len(one.parts)} rows of {'theirs' if is_ours else 'ours'}"
    told = [f"{many} that name the same party sum to it" + (" before fees" if one.proposal.sums.has_fees else "")]
    if one.proposal.sums.alternatives:
        other = {one.proposal.parts[at] for at in one.proposal.sums.found[1].places}
        telling = min(set(one.parts) ^ other) + offsets[1 if is_ours else 0]
        told.append(f"so do others; whether row {telling} belongs to it would settle it")
    elif not one.proposal.sums.is_complete:
        told.append("not every set was looked at; a reference on its rows would settle it")
    elif one.is_contested:
        told.append("another match wants one of its rows; a reference on them would settle it")
    elif not one.is_auto:
        told.append("chance may make such a sum; a reference on its rows would settle it")
    return "; ".join(told)
