"""Invoices, payments and lines of advice as plain values, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["full", "partial", "short_payment", "discount", "over_payment", "credit_note"]


@dataclass(frozen=True)
class Item:
    """An open invoice or a payment: amount in micros, day as a number, `row` names it and never decides."""

    row: int
    amount: int
    currency: str = ""
    day: int | None = None
    party: str = ""
    reference: str = ""
    text: str = ""


@dataclass(frozen=True)
class Line:
    """A line of advice on the payment of that row: what it names, and what it gives it in micros (None: not said)."""

    line: int
    payment_row: int
    reference: str
    amount: int | None
    memo: str = ""


@dataclass(frozen=True)
class Terms:
    """The limits: how many days a payment may lie from its invoice, what gap is none, and the work that is allowed.

    With `is_single` a payment without advice is also proposed for one of several single invoices of its amount, or for
    one less a discount; without, that is left to scoring, which knows more of single pairs.
    """

    window_days: int = 180
    tolerance: int = 0
    is_single: bool = True
    max_members: int = 12
    node_budget: int = 60_000
    total_budget: int = 10_000_000


@dataclass(frozen=True)
class Application:
    """So much of a payment settles so much of an invoice."""

    ours_row: int
    theirs_row: int
    applied: int
    currency: str
    kind: Kind
    verdict: str
    alternatives: int
    outcome: Literal["auto", "review"]
    confidence: float
    reason: str


@dataclass(frozen=True)
class Unapplied:
    """A payment of which nothing was applied: why. `is_duplicate` names the row that it repeats."""

    theirs_row: int
    reason: str
    duplicate_of: int | None = None


@dataclass(frozen=True)
class Refused:
    """A line of advice that was not followed: why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Settled:
    """What was applied, the payments of which nothing was, and the lines of advice that were not followed."""

    applications: tuple[Application, ...]
    unapplied: tuple[Unapplied, ...]
    refused: tuple[Refused, ...] = ()
