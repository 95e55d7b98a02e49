"""What is wrong with a period: every kind of delta, judged by strict thresholds, and every micro explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from tieout.books.ads.counting import counts_reconcile
from tieout.books.ads.current import gather_where_many
from tieout.books.ads.expected import find_rates, own_events, view_own
from tieout.books.ads.matching import statement_pieces
from tieout.books.ads.moving import GRACE_DAYS, LAGS, REACH_DAYS, moved_days
from tieout.books.ads.period import DAY_US, Period, period_of_window
from tieout.books.ads.pieces import EXPECTED, STATEMENT_LINE, Piece, pieces_of, view
from tieout.books.ads.stage import Stage, StageDone, Work, run_stage
from tieout.books.ads.steps import ads_step
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.engine.steps import Runner

LEG = "reconcile"
BASELINE_DAYS = 30
LEAST_VIEWABLE = 10_000
KINDS = (
    "underpay",
    "missing",
    "viewability_gap",
    "ivt_outlier",
    "fx_mismatch",
    "timing_lag",
    "overpay",
    "duplicate",
    "unexpected",
)

UNIT = {
    "unit_id": "varchar",
    "currency": "varchar",
    "outcome": "varchar",
    "pass": "varchar",
    "reason_code": "varchar",
    "event_date": "date",
    "network": "varchar",
    "app_id": "varchar",
    "ad_unit_id": "varchar",
    "country": "varchar",
    "format": "varchar",
    "expected_rows": "bigint",
    "expected_micros": "bigint",
    "unpaid_rows": "bigint",
    "unpaid_micros": "bigint",
    "reported_rows": "bigint",
    "impressions": "bigint",
    "reported_micros": "bigint",
    "ivt_micros": "bigint",
}

GAP_STEPS = ("window_unit", "judged_unit", "unit_gap", "offset_waiting", "open_gap", "movable")
MONEY_STEPS = ("moved", "unit_split", "unit_part", "total", "money_rule")
STATED_STEPS = ("stated_line", "rate_wanted_by_stated")
RULE_STEPS = (
    "ivt_day",
    "ivt_rule",
    "event_rate",
    "fx_rule",
    "viewability_rule",
    "rule",
    "delta",
    "delta_unit",
    "delta_app",
    "overview_app",
    "overview_cell",
    "balance",
    "window_is_conserved",
    "parts_sum_to_delta",
)


class NotMatchedYet(TieoutError):
    """No run has matched the whole period, so there is nothing to judge."""

    code = "not_matched_yet"


@dataclass(frozen=True)
class Reconciled:
    """How many deltas there are and how many of them this run stored (none where they were on record)."""

    deltas: int
    inserted: int
    by_kind: dict[str, int]
    not_computable: dict[str, str]
    done: StageDone


@counts_reconcile
def reconcile_ads(
    workspace: Workspace,
    period: Period,
    tunables: Tunables,
    *,
    as_of: date | None = None,
    is_dry_run: bool = False,
    on_step: Progress = lambda _: None,
) -> Reconciled:
    """Judge a period that was matched, and publish its deltas. Raises NotMatchedYet.

    `as_of` is the day on which the days of grace are counted, by default today; once they are over it changes nothing.
    """
    done = run_stage(
        workspace, reconcile_stage(workspace, period, tunables, as_of=as_of), is_dry_run=is_dry_run, on_step=on_step
    )
    told = done.summary
    inserted = 0 if is_dry_run or done.is_reused else told["deltas"]
    if not is_dry_run and not done.is_reused:
        gather_where_many(workspace.store, workspace.settings)
    return Reconciled(told["deltas"], inserted, told["by_kind"], told["not_computable"], done)


def reconcile_stage(workspace: Workspace, period: Period, tunables: Tunables, *, as_of: date | None = None) -> Stage:
    """Return the stage that judges a period."""
    last_of_grace = period.end_day + timedelta(days=GRACE_DAYS)
    judged_on = min(as_of or workspace.now().date(), last_of_grace)
    pieces = reconcile_pieces(workspace, period)
    config = {
        "from": period.start_us,
        "to": period.end_us,
        "as_of": judged_on.isoformat(),
        "grace_days": GRACE_DAYS,
        "lags": LAGS,
        "baseline_days": BASELINE_DAYS,
        "least_viewable": LEAST_VIEWABLE,
        "tunables": asdict(tunables),
    }
    return Stage(LEG, period, pieces, config, work_of(pieces, config))


def work_of(pieces: tuple[Piece, ...], config: Mapping[str, Any]) -> Work:
    """Return the work of the stage with these settings."""
    period, judged_on = Period(config["from"], config["to"]), date.fromisoformat(config["as_of"])
    return lambda runner: _work(runner, period, pieces, Tunables(**config["tunables"]), judged_on)


def reconcile_pieces(workspace: Workspace, period: Period) -> tuple[Piece, ...]:
    """Return the units of the period, and what the rules hold them against.

    Those are the units of the windows around it, as far as they may decide, and lines and events of 30 days before.
    """
    matched = pieces_of(workspace.store, "match", "unit")
    units = (*covering(matched, period), *neighbouring(matched, period))
    expected = [piece for piece in pieces_of(workspace.store, "expected", "expected") if _overlaps(piece, period)]
    lines = statement_pieces(workspace, period, days_before=BASELINE_DAYS)
    events = own_events(workspace, period, lookback_us=BASELINE_DAYS * DAY_US)
    return (*units, *expected, *lines, *events)


def covering(pieces: Iterable[Piece], period: Period) -> tuple[Piece, ...]:
    """Return the pieces whose windows make up the period: its own, else whole days that follow each other.

    Raises NotMatchedYet.
    """
    by_period = {found: piece for piece in pieces if (found := period_of_window(piece.window)) is not None}
    if period in by_period:
        return (by_period[period],)
    inside = [one for one in by_period if one.is_whole_days and period.holds(one)]
    chain: list[Piece] = []
    at = period.start_us
    while at < period.end_us:
        # Of several that begin there the longest: then fewer windows make up the period.
        begin = [one for one in inside if one.start_us == at and one.end_us > at]
        if not begin:
            raise NotMatchedYet(
                f"The window {period.window} is not matched.",
                subject=period.window,
                remedy="Run tieout match ads with the same --from and --to first.",
            )
        longest = max(begin, key=lambda one: one.end_us)
        chain.append(by_period[longest])
        at = longest.end_us
    return tuple(chain)


def neighbouring(pieces: Iterable[Piece], period: Period) -> tuple[Piece, ...]:
    """Return the pieces of the windows that lie around a period, side by side, up to REACH_DAYS away.

    Where several windows begin (before the period: end) at one place, one as long as the period counts, else the
    shortest, so that periods of one kind see each other. What nothing was matched for is left out.
    """
    every = {found: piece for piece in pieces if (found := period_of_window(piece.window)) is not None}
    reach_us = REACH_DAYS * DAY_US
    length_us = period.end_us - period.start_us

    def chosen(found: Iterable[Period]) -> Period:
        return min(
            found, key=lambda one: (one.end_us - one.start_us != length_us, one.end_us - one.start_us, one.start_us)
        )

    after = [
        one for one in every if period.end_us <= one.start_us < period.end_us + reach_us and one.end_us > one.start_us
    ]
    before = [
        one for one in every if period.start_us - reach_us < one.end_us <= period.start_us and one.end_us > one.start_us
    ]
    taken: list[Period] = []
    while after:
        first = min(one.start_us for one in after)
        taken.append(chosen(one for one in after if one.start_us == first))
        after = [one for one in after if one.start_us >= taken[-1].end_us]
    while before:
        last = max(one.end_us for one in before)
        taken.append(chosen(one for one in before if one.end_us == last))
        before = [one for one in before if one.end_us <= taken[-1].start_us]
    return tuple(every[one] for one in sorted(taken, key=lambda one: one.start_us))


def _is_around(piece: Piece, period: Period) -> bool:
    covered = period_of_window(piece.window)
    return covered is not None and not covered.overlaps(period)


def _overlaps(piece: Piece, period: Period) -> bool:
    covered = period_of_window(piece.window)
    return covered is not None and covered.overlaps(period)


def _work(runner: Runner, period: Period, pieces: tuple[Piece, ...], tunables: Tunables, as_of: date) -> dict[str, Any]:
    con = runner.con
    units = [piece for piece in pieces if piece.name == "unit"]
    view(con, "unit", UNIT, [piece for piece in units if not _is_around(piece, period)])
    view(con, "neighbour_unit", UNIT, [piece for piece in units if _is_around(piece, period)])
    view(con, "expected", EXPECTED, [piece for piece in pieces if piece.name == "expected"])
    view(con, "statement_line", STATEMENT_LINE, [piece for piece in pieces if piece.name == "statement_line"])
    view_own(con, pieces)
    _tell_run(con, period, tunables, as_of)
    runner.run_all([ads_step("reconcile", name) for name in GAP_STEPS])
    runner.run_computed(ads_step("reconcile", "moved_day"), moved_days)
    runner.run_all([ads_step("reconcile", name) for name in (*MONEY_STEPS, *STATED_STEPS)])
    find_rates(runner)
    is_one_run = len({piece.run_id for piece in pieces if piece.name == "expected"}) < 2
    runner.run(ads_step("reconcile", "measured_row" if is_one_run else "measured_request"))
    runner.run_all([ads_step("reconcile", name) for name in RULE_STEPS])
    return _summary(con)


def _tell_run(con: duckdb.DuckDBPyConnection, period: Period, tunables: Tunables, as_of: date) -> None:
    told: dict[str, tuple[str, object]] = {
        "start_us": ("bigint", period.start_us),
        "end_us": ("bigint", period.end_us),
        "first_day": ("date", period.first_day),
        "end_day": ("date", period.end_day),
        "as_of_day": ("date", as_of),
        "evidence_base": ("varchar", f"win:{period.text}"),
        "grace_days": ("integer", GRACE_DAYS),
        "baseline_days": ("integer", BASELINE_DAYS),
        "least_viewable": ("bigint", LEAST_VIEWABLE),
    }
    told |= {name: ("hugeint", value) for name, value in asdict(tunables).items()}
    con.execute(f"set variable start_us = {period.start_us:d}")
    con.execute(f"set variable end_us = {period.end_us:d}")
    columns = ", ".join(f"?::{kind} as {name}" for name, (kind, _) in told.items())
    con.execute(f"create or replace table run as select {columns}", [value for _, value in told.values()])


def _summary(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    by_kind = dict(con.sql("select kind, count(*) from delta group by kind order by kind").fetchall())
    lacking = con.sql(
        "select kind || if(currency in ('', 'USD'), '', ' ' || currency), reason from rule"
        " where outcome = 'not_computable' order by all"
    ).fetchall()
    names = (
        "expected_micros",
        "reported_micros",
        "delta_micros",
        "tolerated_micros",
        "settled_micros",
        "review_micros",
    )
    rows = con.sql(
        f"select currency, {', '.join(f'{name}::varchar' for name in names)} from balance order by 1"
    ).fetchall()
    return {
        "deltas": sum(by_kind.values()),
        "by_kind": by_kind,
        "not_computable": dict(lacking),
        "balance": [dict(zip(("currency", *names), row, strict=True)) for row in rows],
    }
