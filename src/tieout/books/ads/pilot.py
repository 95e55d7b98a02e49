"""Whether the pilot may go on: its gates over the days of a window, each passed, failed, or not computable and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from tieout.books.ads.period import DAY_US, Period, parse_period, period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.proving import verify_day
from tieout.books.ads.reads import Overview, Reads
from tieout.books.ads.reconcile import LEG
from tieout.books.workspace import Workspace

DEFAULT_DAYS = 7
LEAST_COVERAGE = Decimal(90)
MOST_VARIANCE = Decimal("0.5")
SLACK_US = 1_000_000
"""A window that ends at 23:59:59, as operators write it, is about the whole day."""

Outcome = Literal["passed", "failed", "not_computable"]


@dataclass(frozen=True)
class Gate:
    """One gate: what is wanted, what was found (percent; None where it is no number), and what came of it."""

    name: str
    wanted: str
    percent: Decimal | None
    outcome: Outcome
    reason: str = ""


def pilot_period(start: str | None, end: str | None, now: datetime) -> Period:
    """Return the days that are looked at, the last seven whole ones where none are named. Raises PeriodRefused."""
    today = now.astimezone(UTC).date()
    if not start and not end:
        start, end = (today - timedelta(days=DEFAULT_DAYS)).isoformat(), today.isoformat()
    return parse_period(start, end, is_forced=True)


def judge_pilot(workspace: Workspace, period: Period) -> tuple[Gate, ...]:
    """Judge every gate on the days of a period.

    Days that nobody has judged fit by assumption in an overview, so a pilot with such days is not computable.
    """
    reason = _not_judged(workspace, period)
    coverage = variance = None
    if not reason:
        found = overview_of(workspace, period)
        if found.totals.expected_micros:
            coverage, variance = found.coverage_percent, found.variance_percent
        else:
            reason = "nothing is expected on these days"
    return (
        _gate("coverage", f">= {LEAST_COVERAGE}%", coverage, lambda percent: percent >= LEAST_COVERAGE, reason),
        _gate(
            "unexplained_variance", f"<= {MOST_VARIANCE}%", variance, lambda percent: percent <= MOST_VARIANCE, reason
        ),
        _proofs(workspace, period),
    )


def overview_of(workspace: Workspace, period: Period) -> Overview:
    """Return the overview of the days of a period."""
    with Reads(workspace.store, workspace.settings).look() as look:
        return look.overview(period.first_day, period.end_day)


def _gate(name: str, wanted: str, percent: Decimal | None, is_passed: Callable[[Decimal], bool], reason: str) -> Gate:
    if percent is None:
        return Gate(name, wanted, None, "not_computable", reason)
    return Gate(name, wanted, percent, "passed" if is_passed(percent) else "failed")


def _proofs(workspace: Workspace, period: Period) -> Gate:
    """Hold each day against the log: one that was never sealed proves nothing, one that does not fit fails."""
    for day in _days(period):
        found = verify_day(workspace, day)
        if found.status == "not_found":
            return Gate("proofs", "verified", None, "not_computable", f"{day} is not sealed: tieout proofs issue")
        if not found.is_ok:
            return Gate("proofs", "verified", None, "failed", f"{day}: {found.status}: {found.why}")
    return Gate("proofs", "verified", None, "passed")


def _days(period: Period) -> Iterator[date]:
    for number in range((period.end_day - period.first_day).days):
        yield period.first_day + timedelta(days=number)


def _not_judged(workspace: Workspace, period: Period) -> str:
    """Return why the days cannot be told of; nothing where a run has judged each of them."""
    days = list(_days(period))
    if not days:
        return "the window holds no day"
    runs = workspace.store.runs.list_current(BOOK, LEG)
    found = (period_of_window(run.window.window) for run in runs if run.files_dropped_at is None)
    judged = sorted((one for one in found if one is not None), key=lambda one: one.start_us)
    missing = [day for day in days if not _is_covered(day, judged)]
    if not missing:
        return ""
    return f"{len(missing)} of {len(days)} days are not reconciled yet, the first {missing[0]}"


def _is_covered(day: date, judged: list[Period]) -> bool:
    start_us = (day - date(1970, 1, 1)).days * DAY_US
    at = start_us
    for one in judged:
        if one.start_us <= at + SLACK_US:
            at = max(at, one.end_us)
    return at >= start_us + DAY_US - SLACK_US
