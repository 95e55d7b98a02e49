"""Which statement line is about which requests: by request id, by sums, else by likeness, one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from tieout.books.ads.counting import counts_match
from tieout.books.ads.decisions import rulings_about
from tieout.books.ads.expected import find_rates, own_events, view_own
from tieout.books.ads.period import Period, period_of_window
from tieout.books.ads.pieces import EXPECTED, STATEMENT_LINE, Piece, pieces_of, touching, view
from tieout.books.ads.stage import Stage, StageDone, Work, run_stage
from tieout.books.ads.steps import ads_step, sql_text
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.engine.hashes import repeated_hashes
from tieout.engine.steps import Runner

LEG = "match"
CROWD = 200
"""How many of each side of a block are compared, so that a crowded block costs 40,000 pairs at most."""

LINE_STEPS = ("window_line", "rate_wanted_by_line")
SURE_STEPS = (
    "line",
    "ruling",
    "repeated_line",
    "request_line",
    "open_expected",
    "expected_cell",
    "surplus_line",
    "open_line",
    "reported_cell",
    "sum_cell",
)
SCORE_STEPS = ("blocked_pair", "scored_pair")
END_STEPS = (
    "left_line",
    "line_end",
    "expected_end",
    "unit",
    "match",
    "match_review",
    "unmatched_line",
    "every_row_ends_once",
)


class ThresholdRefused(TieoutError):
    """A threshold of matching is no number from 0 to 1, or the lower one is above the upper."""

    code = "threshold_refused"


@dataclass(frozen=True)
class MatchRules:
    """How likeness is scored: weights in parts of 10^12, thresholds in parts of 10^9, both inclusive."""

    auto_e9: int = 800_000_000
    review_e9: int = 500_000_000
    keeps_review: bool = False
    weight_time_e12: int = 500_000_000_000
    weight_amount_e12: int = 300_000_000_000
    weight_unit_e12: int = 200_000_000_000
    time_window_us: int = 300_000_000
    crowd: int = CROWD


def match_rules(auto_threshold: str = "0.80", min_conf: str = "0.50", *, keeps_review: bool = False) -> MatchRules:
    """Return the rules with these thresholds. Raises ThresholdRefused."""
    auto, review = _share(auto_threshold, "--auto-threshold"), _share(min_conf, "--min-conf")
    if review > auto:
        raise ThresholdRefused("--min-conf must be <= --auto-threshold", subject="--min-conf")
    return MatchRules(auto, review, keeps_review)


@dataclass(frozen=True)
class Matched:
    """How many statement lines are matched for sure, wait for a person, or answer to nothing; `exact` are of the first.

    Duplicates are among the unmatched.
    """

    candidates: int
    exact: int
    auto: int
    review: int
    unmatched: int
    duplicates: int
    done: StageDone


@counts_match
def match_ads(
    workspace: Workspace,
    period: Period,
    rules: MatchRules | None = None,
    *,
    is_dry_run: bool = False,
    on_step: Progress = lambda _: None,
) -> Matched:
    """Match the statement lines of a period with what is expected in it."""
    chosen = rules or MatchRules()
    pieces = match_pieces(workspace, period)
    config: dict[str, Any] = {"from": period.start_us, "to": period.end_us, "rules": vars(chosen)}
    loads = {piece.window.lower() for piece in pieces if piece.leg == "statements"}
    if decided := rulings_about(workspace.store, loads):
        config["decisions"] = decided
    stage = Stage(LEG, period, pieces, config, work_of(pieces, config))
    done = run_stage(workspace, stage, is_dry_run=is_dry_run, on_step=on_step)
    told = done.summary
    return Matched(
        told["candidates"],
        told["exact"],
        told["auto"],
        told["review"],
        told["unmatched"],
        told["duplicates"],
        done,
    )


def work_of(pieces: tuple[Piece, ...], config: Mapping[str, Any]) -> Work:
    """Return the work of the stage with these settings."""
    period = Period(config["from"], config["to"])
    rules, decided = MatchRules(**config["rules"]), config.get("decisions", [])
    return lambda runner: _work(runner, period, pieces, rules, decided)


def match_pieces(workspace: Workspace, period: Period) -> tuple[Piece, ...]:
    """Return what may hold expected rows or lines of the period, and the events that say what money is worth."""
    expected = [piece for piece in pieces_of(workspace.store, "expected", "expected") if _overlaps(piece, period)]
    lines = statement_pieces(workspace, period)
    return (*expected, *lines, *own_events(workspace, period))


def statement_pieces(workspace: Workspace, period: Period, *, days_before: int = 0) -> tuple[Piece, ...]:
    """Return the files of statements that may hold lines of the period's days, or of so many days before."""
    first = np.datetime64(period.first_day) - days_before
    pieces = pieces_of(workspace.store, "statements", "statement_line")
    return touching(pieces, "event_date", first.astype(object), period.end_day)


def _overlaps(piece: Piece, period: Period) -> bool:
    covered = period_of_window(piece.window)
    return covered is not None and covered.overlaps(period)


def _share(text: str, option: str) -> int:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value <= 1:
        raise ThresholdRefused(f"{option} must be between 0 and 1", subject=option)
    return int(value.scaleb(9).to_integral_value())


def _work(
    runner: Runner, period: Period, pieces: tuple[Piece, ...], rules: MatchRules, decided: Sequence[Sequence[Any]] = ()
) -> dict[str, Any]:
    con = runner.con
    view(con, "expected", EXPECTED, [piece for piece in pieces if piece.name == "expected"])
    view(con, "statement_line", STATEMENT_LINE, [piece for piece in pieces if piece.name == "statement_line"])
    view_own(con, pieces)
    con.execute(sql_text("match", "macros"))
    _tell_run(con, period, rules)
    _tell_decisions(con, decided)
    _take_expected(runner, len({piece.run_id for piece in pieces if piece.name == "expected"}))
    runner.run_all([ads_step("match", name) for name in LINE_STEPS])
    find_rates(runner)
    runner.run_all([ads_step("match", name) for name in SURE_STEPS])
    candidates = _choose(runner, ("single_lines", "single_requests"), "request_choice")
    runner.run_all([ads_step("match", name) for name in ("single_expected", "rest_cell")])
    candidates += _choose(runner, ("left_cells_reported", "left_cells_expected"), "cell_choice")
    runner.run_all([ads_step("match", name) for name in END_STEPS])
    return _summary(con, candidates)


def _take_expected(runner: Runner, run_count: int) -> None:
    runner.run(ads_step("match", "stated_expected"))
    if run_count < 2:
        runner.run(ads_step("match", "every_expected"))
        return
    runner.run_computed(ads_step("match", "repeated_hash"), repeated_hashes)
    runner.run_all([ads_step("match", name) for name in ("kept_expected", "window_expected")])


def _tell_run(con: duckdb.DuckDBPyConnection, period: Period, rules: MatchRules) -> None:
    told: dict[str, tuple[str, object]] = {
        "start_us": ("bigint", period.start_us),
        "end_us": ("bigint", period.end_us),
        "first_day": ("date", period.first_day),
        "end_day": ("date", period.end_day),
    }
    told |= {name: ("boolean" if isinstance(value, bool) else "bigint", value) for name, value in vars(rules).items()}
    con.execute(f"set variable start_us = {period.start_us:d}")
    con.execute(f"set variable end_us = {period.end_us:d}")
    columns = ", ".join(f"?::{kind} as {name}" for name, (kind, _) in told.items())
    con.execute(f"create or replace table run as select {columns}", [value for _, value in told.values()])


def _tell_decisions(con: duckdb.DuckDBPyConnection, decided: Sequence[Sequence[Any]]) -> None:
    con.execute(
        "create or replace table decided_pair (network varchar, load_id varchar, artifact_id varchar, row_no bigint,"
        " unit_id varchar, ruling varchar)"
    )
    if decided:
        con.executemany("insert into decided_pair values (?, ?, ?, ?, ?, ?)", [list(one) for one in decided])


def _choose(runner: Runner, items: tuple[str, str], choice: str) -> int:
    """Score what is left on both sides and choose; return how many pairs were compared."""
    runner.run_all([ads_step("match", name) for name in (*items, *SCORE_STEPS)])
    runner.run_computed(ads_step("match", choice), one_to_one)
    return int(runner.con.sql("select count(*) from blocked_pair").fetchall()[0][0])


def one_to_one(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the pairs that are taken when they are gone through in order and each side is given once.

    Instead of one after another: a pair that is the first of both its sides is taken in any case, so all such pairs are
    taken together, what they used goes, and the rest is looked at again.
    """
    pairs = con.sql(query).to_arrow_table()
    reported = pairs.column("reported_no").to_numpy()
    expected = pairs.column("expected_no").to_numpy()
    left = np.arange(len(reported))
    taken: list[np.ndarray[Any, Any]] = []
    while len(left):
        first_of_reported = np.unique(reported[left], return_index=True)[1]
        first_of_expected = np.unique(expected[left], return_index=True)[1]
        now = left[np.intersect1d(first_of_reported, first_of_expected, assume_unique=True)]
        taken.append(now)
        is_used = np.isin(reported[left], reported[now]) | np.isin(expected[left], expected[now])
        left = left[~is_used]
    return pairs.take(pa.array(np.sort(np.concatenate(taken)) if taken else [], pa.int64()))


def _summary(con: duckdb.DuckDBPyConnection, candidates: int) -> dict[str, Any]:
    [(exact, auto, review, unmatched, duplicates)] = con.sql(
        "select count(*) filter (pass = 'exact'), count(*) filter (outcome = 'auto'),"
        " count(*) filter (outcome = 'review'), count(*) filter (outcome in ('unmatched', 'duplicate')),"
        " count(*) filter (outcome = 'duplicate') from line_end"
    ).fetchall()
    by_pass = con.sql("select pass, count(*) from line_end where pass <> '' group by pass order by pass").fetchall()
    return {
        "candidates": candidates,
        "exact": exact,
        "auto": auto,
        "review": review,
        "unmatched": unmatched,
        "duplicates": duplicates,
        "by_pass": dict(by_pass),
        "reasons": dict(
            con.sql(
                "select reason_code, count(*) from line_end where reason_code <> '' group by all order by all"
            ).fetchall()
        ),
    }
