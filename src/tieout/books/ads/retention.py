"""How long the ads book keeps what: each table with its period, what is over by now, and letting it go."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from tieout.books.ads.period import period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.stage import Workspace
from tieout.core.settings import Settings
from tieout.store.runs import Run
from tieout.store.sweep import drop_expired, drop_received


@dataclass(frozen=True)
class Kept:
    """A table, and how long its rows are kept: `months` (None: for ever) from the day in column `counted_from`."""

    table: str
    counted_from: str
    months: int | None
    leg: str = ""
    is_raw: bool = False


@dataclass(frozen=True)
class Retained:
    """What one table holds before `cutoff`: how many runs or files, and their bytes. `held` counts all there are."""

    kept: Kept
    cutoff: date | None
    held: int
    over: int
    byte_count: int


def list_kept(settings: Settings) -> tuple[Kept, ...]:
    """Return every table of the book with its period."""
    facts = settings.ads_facts_months
    return (
        Kept("recon_statements_raw", "loaded_at", settings.ads_raw_months, "statements", is_raw=True),
        Kept("recon_statements_norm", "event_date", facts, "statements"),
        Kept("recon_expected", "ts", facts, "expected"),
        Kept("recon_match", "matched window", facts, "match"),
        Kept("recon_deltas", "window_start", facts, "reconcile"),
        Kept("recon_disputes", "created_at", settings.ads_disputes_months),
        Kept("proofs_daily_roots", "day", settings.ads_proofs_months),
        Kept("proofs_monthly_digest", "month", None),
    )


def apply_periods(workspace: Workspace, *, is_dry_run: bool) -> tuple[Retained, ...]:
    """Let go what each period no longer covers, or in a dry run only say what that would be.

    A run goes as a whole, once all of it is over. It stays on record, without its files.
    """
    now = workspace.now()
    return tuple(_apply(workspace, kept, now, is_dry_run=is_dry_run) for kept in list_kept(workspace.settings))


def months_before(day: date, months: int) -> date:
    """Return the same day so many months before, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _apply(workspace: Workspace, kept: Kept, now: datetime, *, is_dry_run: bool) -> Retained:
    runs = workspace.store.runs
    if not kept.leg or kept.months is None:
        cutoff = None if kept.months is None else months_before(now.date(), kept.months)
        return Retained(kept, cutoff, 0, 0, 0)
    cutoff = months_before(now.astimezone(UTC).date(), kept.months)
    every = runs.list_current(BOOK, kept.leg)
    if kept.is_raw:
        over = [run for run in every if (run.finished_at or run.started_at).astimezone(UTC).date() < cutoff]
        held_raw = len(_received(workspace, every))
        removed = drop_received(runs, over, now=now, dry_run=is_dry_run)
        return Retained(kept, cutoff, held_raw, len(removed), sum(one.byte_count for one in removed))
    held = [run for run in every if run.files_dropped_at is None]
    over = [run for run in held if (last := _last_day(workspace, run, kept)) is not None and last < cutoff]
    dropped = drop_expired(runs, over, now=now, dry_run=is_dry_run)
    return Retained(kept, cutoff, len(held), len(dropped), sum(one.byte_count for one in dropped))


def _received(workspace: Workspace, every: Iterable[Run]) -> set[str]:
    found = {given.artifact_id for run in every for given in run.inputs}
    return {one for one in found if workspace.store.folders.artifact(one).exists()}


def _last_day(workspace: Workspace, run: Run, kept: Kept) -> date | None:
    """Return the last day that a run tells of; None where it tells of none."""
    if kept.leg == "statements":
        return _last_event_date(workspace.store.runs.file_path(run, "statement_line"))
    period = period_of_window(run.window.window)
    if period is None:
        return None
    return (period.start if kept.table == "recon_deltas" else period.end).date()


def _last_event_date(path: Path) -> date | None:
    days = pq.read_table(path, columns=["event_date"]).column("event_date")
    return max((day for day in days.unique().to_pylist() if day is not None), default=None)
