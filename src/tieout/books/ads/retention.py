"""How long the ads book keeps what: each table with its period, what is over by now, and letting it go."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Connection

from tieout.books.ads.disputes import MODULE, Dispute, delete_dispute, list_kept_disputes
from tieout.books.ads.period import period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.proving import desk_of
from tieout.books.workspace import Workspace
from tieout.control.audit.actions import Entry, record
from tieout.core.actor import Actor
from tieout.core.settings import Settings
from tieout.proofs.retention import count_bytes, find_old, let_go
from tieout.store.kits import open_kit_storage
from tieout.store.runs import Run
from tieout.store.sweep import drop_expired, drop_received

DISPUTES, ROOTS = "recon_disputes", "proofs_daily_roots"
NOT_DECIDED = "submitted and not decided: accept or reject them first"
KIT_ELSEWHERE = "the kit is not where VRA_DISPUTE_STORAGE points now: remove it by hand, or point there once more"
DISPUTED = "a dispute that is kept is about the day: its records prove the deltas"
RESTED_ON = "the root and signature stay: a monthly digest or the end of the log rests on them"

_DAY_OF_EVIDENCE = re.compile(r"win:(\d{4}-\d{2}-\d{2})T")


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
    """What one table holds before `cutoff`: how many runs, files or rows, and their bytes. `held` counts all there are.

    `needed` says how many stay although their period is over, by the reason.
    """

    kept: Kept
    cutoff: date | None
    held: int
    over: int
    byte_count: int
    needed: Mapping[str, int] = field(default_factory=dict)


def list_kept(settings: Settings) -> tuple[Kept, ...]:
    """Return every table of the book with its period."""
    facts = settings.ads_facts_months
    return (
        Kept("recon_statements_raw", "loaded_at", settings.ads_raw_months, "statements", is_raw=True),
        Kept("recon_statements_norm", "event_date", facts, "statements"),
        Kept("recon_expected", "ts", facts, "expected"),
        Kept("recon_match", "matched window", facts, "match"),
        Kept("recon_deltas", "window_start", facts, "reconcile"),
        Kept(DISPUTES, "created_at", settings.ads_disputes_months),
        Kept(ROOTS, "day", settings.ads_proofs_months),
        Kept("proofs_monthly_digest", "month", None),
    )


def apply_periods(workspace: Workspace, *, is_dry_run: bool) -> tuple[Retained, ...]:
    """Let go what each period no longer covers, or in a dry run only say what that would be.

    A run goes as a whole, once all of it is over. It stays on record, without its files. Disputes go with their kits,
    days of proofs without what leads to a monthly digest. What is let go of is in the audit trail.
    """
    now = workspace.now()
    disputes = _Disputes(workspace, months_before(_today(now), workspace.settings.ads_disputes_months))
    found = []
    for kept in list_kept(workspace.settings):
        if kept.table == DISPUTES:
            found.append(disputes.apply(kept, now, is_dry_run=is_dry_run))
        elif kept.table == ROOTS and kept.months is not None:
            cutoff = months_before(_today(now), kept.months)
            found.append(_apply_to_proofs(workspace, kept, cutoff, disputes.days_needed, is_dry_run=is_dry_run))
        else:
            found.append(_apply(workspace, kept, now, is_dry_run=is_dry_run))
            if found[-1].over and not is_dry_run:
                told = {"cutoff": str(found[-1].cutoff), "over": found[-1].over, "bytes": found[-1].byte_count}
                workspace.store.state.write(_telling(workspace, kept, told))
    return tuple(found)


def months_before(day: date, months: int) -> date:
    """Return the same day so many months before, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _apply(workspace: Workspace, kept: Kept, now: datetime, *, is_dry_run: bool) -> Retained:
    runs = workspace.store.runs
    if kept.months is None:
        return Retained(kept, None, 0, 0, 0)
    cutoff = months_before(_today(now), kept.months)
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


class _Disputes:
    """The disputes that are over and go, those that are over and stay, and the others."""

    def __init__(self, workspace: Workspace, cutoff: date) -> None:
        self._workspace = workspace
        self._cutoff = cutoff
        store = workspace.store
        self._every = list_kept_disputes(store.state, store.tenant)
        over = [one for one in self._every if _today(one.created_at) < cutoff]
        self._kits = open_kit_storage(workspace.settings) if over else None
        self._sizes: dict[str, int] = {}
        self._needed: dict[str, int] = {}
        for one in over:
            size = None if self._kits is None else self._kits.find_size(store.tenant, one.kit_id)
            reason = _why_kept(one, is_here=size is not None, storage=workspace.settings.dispute_storage)
            if reason:
                self._needed[reason] = self._needed.get(reason, 0) + 1
            else:
                self._sizes[one.dispute_id] = size or 0

    @property
    def days_needed(self) -> set[date]:
        """The days that disputes which stay are about."""
        stay = [one for one in self._every if one.dispute_id not in self._sizes]
        found = (_DAY_OF_EVIDENCE.match(evidence_id) for one in stay for evidence_id in one.delta_ids)
        return {date.fromisoformat(one[1]) for one in found if one}

    def apply(self, kept: Kept, now: datetime, *, is_dry_run: bool) -> Retained:
        """Delete what goes."""
        store = self._workspace.store
        for one in self._every:
            if one.dispute_id in self._sizes and self._kits is not None and not is_dry_run:
                delete_dispute(store.state, store.tenant, _actor(self._workspace), one, self._kits, now)
        sizes = self._sizes.values()
        return Retained(kept, self._cutoff, len(self._every), len(sizes), sum(sizes), self._needed)


def _why_kept(dispute: Dispute, *, is_here: bool, storage: str) -> str:
    """Return why a dispute stays although its period is over; nothing where it goes."""
    if dispute.status == "submitted":
        return NOT_DECIDED
    scheme = dispute.evidence_uri.partition(":")[0]
    is_elsewhere = scheme in ("file", "s3") and scheme != {"fs": "file"}.get(storage, storage)
    return KIT_ELSEWHERE if is_elsewhere and not is_here else ""


def _apply_to_proofs(
    workspace: Workspace, kept: Kept, cutoff: date, needed: Collection[date], *, is_dry_run: bool
) -> Retained:
    desk = desk_of(workspace)
    old = find_old(desk, cutoff, needed)
    byte_count = count_bytes(desk, old.every)
    if old.every and not is_dry_run:
        told = {
            "cutoff": str(cutoff),
            "records": sorted({one.day.isoformat() for one in old.records}),
            "rows": sorted({one.day.isoformat() for one in old.rows}),
            "bytes": byte_count,
        }
        let_go(desk, old, _telling(workspace, kept, told))
    reasons = {DISPUTED: old.of_needed_days, RESTED_ON: old.of_digests}
    needs = {why: count for why, count in reasons.items() if count}
    return Retained(kept, cutoff, old.held, len(old.every), byte_count, needs)


def _telling(workspace: Workspace, kept: Kept, told: Mapping[str, Any]) -> Callable[[Connection], None]:
    """Return what tells the audit trail, in a transaction, that a period was applied."""
    entry = Entry(MODULE, "recon.retention_applied", "table", kept.table, {"months": kept.months, **told})

    def tell(connection: Connection) -> None:
        record(connection, workspace.store.tenant, _actor(workspace), entry, now=workspace.now())

    return tell


def _actor(workspace: Workspace) -> Actor:
    return Actor(f"account:{workspace.settings.actor}")


def _today(now: datetime) -> date:
    return now.astimezone(UTC).date()


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
