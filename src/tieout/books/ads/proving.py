"""Proofs of this book: its days and months sealed in the log, and held against it."""

from __future__ import annotations

from datetime import date, timedelta

from tieout.books.ads.day_records import DayRecords, day_records, judged_days
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.rehearsal import real_of
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.core.sealing import open_sealer
from tieout.proofs.desk import Desk
from tieout.proofs.keys import NoSigningKey, SigningKeys
from tieout.proofs.sealing import IssuedDay, IssuedMonth, parse_month
from tieout.proofs.sealing import issue_day as seal_day
from tieout.proofs.sealing import issue_month as seal_month
from tieout.proofs.verifying import Verdict
from tieout.proofs.verifying import verify_day as hold_day
from tieout.proofs.verifying import verify_month as hold_month


class ProofsNotAvailable(TieoutError):
    """A stage of a longer work was to seal, and the tenant has no key that signs: proofs were never set up."""

    code = "proofs_not_available"
    http_status = 501


def keys_of(workspace: Workspace) -> SigningKeys:
    """Return the signing keys of the workspace's tenant."""
    settings, store = workspace.settings, workspace.store
    sealer = open_sealer(settings.secret_key, settings.data_dir)
    return SigningKeys(store.state, store.tenant, sealer, workspace.now)


def desk_of(workspace: Workspace) -> Desk:
    """Return where this book is sealed."""
    return Desk(workspace.settings, workspace.store, workspace.now, BOOK, keys_of(workspace))


def issue_day(workspace: Workspace, day: date, *, is_dry_run: bool = False) -> IssuedDay:
    """Seal what is published of a day. Raises NoSigningKey."""
    return seal_day(desk_of(workspace), day_records(workspace, day), is_dry_run=is_dry_run)


def issue_month(workspace: Workspace, month: str, *, is_dry_run: bool = False) -> IssuedMonth:
    """Seal every day of a month that was judged, and the month. Raises MonthRefused and NoSigningKey."""
    return _issue(desk_of(workspace), workspace, month, is_dry_run=is_dry_run)


def _issue(desk: Desk, workspace: Workspace, month: str, *, is_dry_run: bool) -> IssuedMonth:
    first, last = parse_month(month)
    days = [day_records(workspace, day) for day in judged_days(workspace, first, last + timedelta(days=1))]
    return seal_month(desk, month, days, is_dry_run=is_dry_run)


def prove_month(workspace: Workspace, of: date, *, is_dry_run: bool) -> dict[str, int]:
    """Seal the month that a day lies in, as the last stage of a backfill; return what was done.

    Raises ProofsNotAvailable where the tenant has no key that signs.
    """
    month = f"{of:%Y-%m}"
    # A rehearsal has rows of its own, but neither keys nor a log; a dry run of a month writes nothing to the real ones.
    desk = desk_of(real_of(workspace) if is_dry_run else workspace)
    try:
        issued = _issue(desk, workspace, month, is_dry_run=is_dry_run)
        if any(one.outcome == "would_issue" for one in issued.days):
            desk.keys.signer(desk.origin())  # what nobody can sign would not be sealed
    except NoSigningKey as error:
        raise ProofsNotAvailable(
            f"No digest of {month} was issued: {error.what}", subject=month, remedy=error.remedy
        ) from error
    new = [one for one in issued.days if one.outcome in ("issued", "would_issue")]
    return {
        "days": sum(one.outcome != "nothing" for one in issued.days),
        "sealed": len(new),
        "leaves": sum(sum(one.counts.values()) for one in new),
    }


def verify_day(workspace: Workspace, day: date) -> Verdict:
    """Hold a day against the log, and what is published of it now."""
    return hold_day(desk_of(workspace), day, lambda asked: _published(workspace, asked))


def verify_month(workspace: Workspace, month: str) -> Verdict:
    """Hold a month and each of its days against the log, and what is published of them now. Raises MonthRefused."""
    return hold_month(desk_of(workspace), month, lambda asked: _published(workspace, asked))


def _published(workspace: Workspace, day: date) -> DayRecords | None:
    """Return what is published of a day; None where retention let go of its files."""
    found = day_records(workspace, day)
    return found if found.is_judged else None
