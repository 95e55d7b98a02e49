"""What each request should have earned: receipts of auctions with the paid events of the same period."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from tieout.books.ads.counting import counts_expected
from tieout.books.ads.own import define_macros, own_files
from tieout.books.ads.period import DAY_US, Period
from tieout.books.ads.pieces import RECEIPT, REVENUE_EVENT, Piece, pieces_of, touching, view
from tieout.books.ads.rates import reference_rates
from tieout.books.ads.stage import Progress, Stage, StageDone, Work, Workspace, run_stage
from tieout.books.ads.steps import ads_step
from tieout.engine.steps import Runner

LEG = "expected"
LOOKBACK_US = 7 * DAY_US
"""A request whose receipt comes again so long after the first is still the same request."""

RECEIPT_STEPS = ("earlier_request", "repeated_request", "request_receipt")
EVENT_STEPS = ("paid_event", "repeated_event", "first_paid_event", "rate_wanted")
RESULT_STEPS = ("placement_unit", "expected", "skipped", "every_receipt_ends_once")


@dataclass(frozen=True)
class ExpectedBuilt:
    """How many receipts were seen, how many rows were written (in a dry run: would be), and how many were skipped.

    `left_out` are receipts of the period beyond the limit, of which nothing is known to any later stage.
    """

    seen: int
    written: int
    skipped: int
    left_out: int
    reasons: dict[str, int]
    done: StageDone


@counts_expected
def build_expected(
    workspace: Workspace,
    period: Period,
    *,
    limit: int | None = None,
    is_dry_run: bool = False,
    on_step: Progress = lambda _: None,
) -> ExpectedBuilt:
    """Build the expected rows of a period from our own side, at most of the first `limit` receipts.

    A repeat that finds everything built before writes nothing.
    """
    pieces = own_pieces(workspace, period, lookback_us=LOOKBACK_US)
    config = {"from": period.start_us, "to": period.end_us, "limit": limit, "lookback": LOOKBACK_US}
    stage = Stage(LEG, period, pieces, config, work_of(pieces, config))
    done = run_stage(workspace, stage, is_dry_run=is_dry_run, on_step=on_step)
    counts = done.summary
    written = 0 if done.is_reused else counts["written"]
    return ExpectedBuilt(
        counts["seen"], written, counts["seen"] - written, counts["left_out"], dict(counts["skipped"]), done
    )


def work_of(pieces: tuple[Piece, ...], config: Mapping[str, Any]) -> Work:
    """Return the work of the stage with these settings."""
    period = Period(config["from"], config["to"])
    return lambda runner: _work(runner, period, pieces, config["limit"])


def own_pieces(workspace: Workspace, period: Period, *, lookback_us: int = 0) -> tuple[Piece, ...]:
    """Return the files of our own side that may hold rows of the period, or of the time before it."""
    first = period.start_us - lookback_us
    published = [pieces_of(workspace.store, "own", name) for name in ("revenue_event", "receipt")]
    events = touching((*published[0], *own_files(workspace, "events")), "event_us", first, period.end_us)
    receipts = touching((*published[1], *own_files(workspace, "receipts")), "ts_us", first, period.end_us)
    return (*events, *receipts)


def view_own(con: duckdb.DuckDBPyConnection, pieces: Collection[Piece]) -> None:
    """Make the relations of our own side: `revenue_event` and `receipt`."""
    define_macros(con)
    view(con, "revenue_event", REVENUE_EVENT, [piece for piece in pieces if piece.name == "revenue_event"])
    view(con, "receipt", RECEIPT, [piece for piece in pieces if piece.name == "receipt"])


def find_rates(runner: Runner) -> None:
    """Find the rate of each day and currency that `rate_wanted` names, by our events or the central bank."""
    wanted = runner.con.sql("select day, currency from rate_wanted order by all").fetchall()
    days = [day for day, _ in wanted]
    currencies = {currency for _, currency in wanted}
    rates = reference_rates(currencies, min(days), max(days) + timedelta(days=1)) if days else None
    if rates is None:
        runner.con.execute("create or replace table ecb_rate (day date, currency varchar, usd_nanos bigint)")
    else:
        runner.con.register("ecb_given", rates)
        runner.con.execute("create or replace table ecb_rate as from ecb_given")
        runner.con.unregister("ecb_given")
    runner.run(ads_step("rates", "fx_rate"))


def _work(runner: Runner, period: Period, pieces: tuple[Piece, ...], limit: int | None) -> dict[str, Any]:
    con = runner.con
    view_own(con, pieces)
    con.execute(
        "create or replace table run as select"
        " ?::bigint as start_us, ?::bigint as end_us, ?::bigint as row_limit, ?::bigint as lookback_us",
        [period.start_us, period.end_us, limit, LOOKBACK_US],
    )
    runner.run(ads_step("expected", "every_receipt" if limit is None else "first_receipts"))
    runner.run_all([ads_step("expected", name) for name in (*RECEIPT_STEPS, *EVENT_STEPS)])
    find_rates(runner)
    runner.run_all([ads_step("expected", name) for name in RESULT_STEPS])
    return _summary(con, limit)


def _summary(con: duckdb.DuckDBPyConnection, limit: int | None) -> dict[str, Any]:
    [(seen, written, paid, total)] = con.sql(
        "select (select count(*) from window_receipt), count(*), count(*) filter (is_paid),"
        " coalesce(sum(expected_usd_micros), 0)::varchar from expected"
    ).fetchall()
    left_out = 0
    if limit is not None and seen == limit:
        everything = "select count(*) from receipt, run where ts_us >= start_us and ts_us < end_us"
        left_out = con.sql(everything).fetchall()[0][0] - seen
    return {
        "seen": seen,
        "written": written,
        "paid": paid,
        "expected_usd_micros": total,
        "left_out": left_out,
        "skipped": dict(con.sql("select reason_code, receipts::bigint from skipped order by all").fetchall()),
    }
