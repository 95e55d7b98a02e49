"""Proofs of this book: its days and months sealed in the log, and held against it."""

from __future__ import annotations

from datetime import date, timedelta

from tieout.books.ads.day_records import DayRecords, day_records, judged_days
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.stage import Workspace
from tieout.proofs.desk import Desk, Keys
from tieout.proofs.sealing import IssuedDay, IssuedMonth, parse_month
from tieout.proofs.sealing import issue_day as seal_day
from tieout.proofs.sealing import issue_month as seal_month
from tieout.proofs.verifying import Verdict
from tieout.proofs.verifying import verify_day as hold_day
from tieout.proofs.verifying import verify_month as hold_month


def desk_of(workspace: Workspace, keys: Keys) -> Desk:
    """Return where this book is sealed."""
    return Desk(workspace.settings, workspace.store, workspace.now, BOOK, keys)


def issue_day(workspace: Workspace, desk: Desk, day: date, *, is_dry_run: bool = False) -> IssuedDay:
    """Seal what is published of a day."""
    return seal_day(desk, day_records(workspace, day), is_dry_run=is_dry_run)


def issue_month(workspace: Workspace, desk: Desk, month: str, *, is_dry_run: bool = False) -> IssuedMonth:
    """Seal every day of a month that was judged, and the month. Raises MonthRefused."""
    first, last = parse_month(month)
    days = [day_records(workspace, day) for day in judged_days(workspace, first, last + timedelta(days=1))]
    return seal_month(desk, month, days, is_dry_run=is_dry_run)


def verify_day(workspace: Workspace, desk: Desk, day: date) -> Verdict:
    """Hold a day against the log, and what is published of it now."""
    return hold_day(desk, day, lambda asked: _published(workspace, asked))


def verify_month(workspace: Workspace, desk: Desk, month: str) -> Verdict:
    """Hold a month and each of its days against the log, and what is published of them now."""
    return hold_month(desk, month, lambda asked: _published(workspace, asked))


def _published(workspace: Workspace, day: date) -> DayRecords | None:
    """Return what is published of a day; None where retention let go of its files."""
    found = day_records(workspace, day)
    return found if found.is_judged else None
