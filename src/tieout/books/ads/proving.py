"""Proofs of this book: the one place that issues and verifies them. This version has none, and says so."""

from __future__ import annotations

from datetime import date
from typing import NoReturn

from tieout.books.ads.stage import Workspace
from tieout.core.errors import TieoutError


class ProofsNotAvailable(TieoutError):
    """Proofs were asked for, and this version issues and verifies none: it has no daily roots and monthly digests."""

    code = "proofs_not_available"
    http_status = 501


def issue_month(_workspace: Workspace, month: date) -> NoReturn:
    """Issue the digest of the month that a day lies in. Raises ProofsNotAvailable."""
    raise _none("issued", month)


def verify_month(_workspace: Workspace, month: date) -> NoReturn:
    """Verify the digest of the month that a day lies in. Raises ProofsNotAvailable."""
    raise _none("verified", month)


def _none(verb: str, month: date) -> ProofsNotAvailable:
    return ProofsNotAvailable(
        f"Proofs are not available in this version: no digest of {month:%Y-%m} was {verb}.", subject=f"{month:%Y-%m}"
    )
