"""What each request should have earned: receipts of auctions with the paid events of the same period."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from tieout.books.ads.counting import counts_expected
from tieout.books.ads.own import define_macros, own_files
from tieout.books.ads.period import DAY_US, Period
from tieout.books.ads.pieces import RECEIPT, REVENUE_EVENT, Piece, are_in_place, touching, view, view_in_place
from tieout.books.ads.rates import reference_rates
from tieout.books.ads.stage import Stage, StageDone, Work, run_stage
from tieout.books.ads.steps import ads_step
from tieout.books.workspace import Progress, Workspace
from tieout.engine.hashes import repeated_hashes
from tieout.engine.slices import EVERYTHING, slice_ranges
from tieout.engine.steps import Runner

LEG = "expected"
_EPOCH = date(1970, 1, 1)
LOOKBACK_US = 7 * DAY_US
"""A request whose receipt comes again so long after the first is still the same request."""

WORDS = {
    "network": ("lower(network)", "lower(winner_network)"),
    "app_id": ("app_id", ""),
    "ad_unit_id": ("ad_unit_id", ""),
    "format": ("format", ""),
    "country": ("country", ""),
}
"""What repeats in events, and for a network in receipts too."""
MOST_WORDS = 16_384
"""Every 122,880 rows of a file repeat the words of a column, so with more words than that text is smaller."""

PAIR_STEPS = ("dropped_receipt", "paid_event", "receipt_event", "repeated_event", "first_of_repeated")
UNPAID_STEPS = ("unpaid_receipt", "rate_wanted", "placement_unit")
VALUE_STEPS = ("unpaid_value", "expected_value")
END_STEPS = ("skipped", "every_receipt_ends_once")


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
    return (
        *own_events(workspace, period, lookback_us=lookback_us),
        *touching(own_files(workspace, "receipts"), "ts_us", first, period.end_us),
    )


def own_events(workspace: Workspace, period: Period, *, lookback_us: int = 0) -> tuple[Piece, ...]:
    """Return the files of paid events that may hold rows of the period, or of the time before it."""
    return touching(own_files(workspace, "events"), "event_us", period.start_us - lookback_us, period.end_us)


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
    first, end = (min(days), max(days) + timedelta(days=1)) if days else (_EPOCH, _EPOCH)
    rates = reference_rates(currencies, first, end) if days else None
    for name, day in (("rates_from_us", first), ("rates_end_us", end)):
        runner.con.execute(f"set variable {name} = {(day - _EPOCH).days * DAY_US:d}")
    if rates is None:
        runner.con.execute("create or replace table ecb_rate (day date, currency varchar, usd_nanos bigint)")
    else:
        runner.con.register("ecb_given", rates)
        runner.con.execute("create or replace table ecb_rate as from ecb_given")
        runner.con.unregister("ecb_given")
    runner.run(ads_step("rates", "fx_rate"))


def _work(runner: Runner, period: Period, pieces: tuple[Piece, ...], limit: int | None) -> dict[str, Any]:
    con = runner.con
    # Receipts are numbered in the order in which they are read, twice, and written in it.
    con.execute("set preserve_insertion_order = true")
    view_own(con, pieces)
    told = {"start_us": period.start_us, "end_us": period.end_us, "lookback_from_us": period.start_us - LOOKBACK_US}
    for name, value in told.items():
        con.execute(f"set variable {name} = {value:d}")
    con.execute("create or replace table run as select ?::bigint as row_limit", [limit])
    in_period = touching(
        (piece for piece in pieces if piece.name == "receipt"), "ts_us", period.start_us, period.end_us
    )
    is_placed = limit is None and are_in_place(in_period)
    if is_placed:
        view_in_place(con, "placed_receipt", RECEIPT, in_period)
    runner.run_all([ads_step("expected", name) for name in (*_taken(limit, is_placed=is_placed), "earlier_request")])
    runner.run_computed(ads_step("expected", "repeated_hash"), repeated_hashes)
    _define_words(con, period)
    runner.run_all([ads_step("expected", name) for name in (*PAIR_STEPS, *UNPAID_STEPS)])
    find_rates(runner)
    runner.run_all([ads_step("expected", name) for name in VALUE_STEPS])
    # Receipts that have no place in their files are read from the start each time, so that they are read once.
    ranges = slice_ranges(con, "receipt_event", "receipt_no") if is_placed else (EVERYTHING,)
    runner.run_in_slices(ads_step("expected", "expected"), ranges)
    runner.run_all([ads_step("expected", name) for name in END_STEPS])
    return _summary(con, period, limit)


def _taken(limit: int | None, *, is_placed: bool) -> tuple[str, ...]:
    """Return the steps that say which receipts count, and that number them."""
    if limit is not None:
        return "earliest_receipt", "first_receipts", "numbered_receipt"
    return "every_receipt", "receipt_by_place" if is_placed else "numbered_receipt"


def _define_words(con: duckdb.DuckDBPyConnection, period: Period) -> None:
    """Define the type of each column that repeats: an enumeration of its words, or text where there are too many."""
    of_events = f"revenue_event where event_us >= {period.start_us:d} and event_us < {period.end_us:d}"
    for column, (of_event, of_receipt) in WORDS.items():
        query = f"select {of_event} as word from {of_events}"
        if of_receipt:
            query += f" union all select {of_receipt} from window_receipt"
        words = f"select distinct word from ({query}) where word is not null"
        count = con.sql(f"select count(*) from ({words} limit {MOST_WORDS + 1})").fetchall()[0][0]
        con.execute(f"drop type if exists word_{column}")
        kind = f"enum ({words} order by word)" if 0 < count <= MOST_WORDS else "varchar"
        con.execute(f"create type word_{column} as {kind}")


def _summary(con: duckdb.DuckDBPyConnection, period: Period, limit: int | None) -> dict[str, Any]:
    [(seen, written, paid, total)] = con.sql(
        "select (select count(*) from window_receipt), count(*), count(*) filter (is_paid),"
        " coalesce(sum(expected_usd_micros), 0)::varchar from expected"
    ).fetchall()
    left_out = 0
    if limit is not None and seen == limit:
        everything = "select count(*) from receipt where ts_us >= ? and ts_us < ?"
        left_out = con.execute(everything, [period.start_us, period.end_us]).fetchall()[0][0] - seen
    return {
        "seen": seen,
        "written": written,
        "paid": paid,
        "expected_usd_micros": total,
        "left_out": left_out,
        "skipped": dict(con.sql("select reason_code, receipts::bigint from skipped order by all").fetchall()),
    }
