"""When calls to an integration are let through; no clock, no database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from tieout.core.errors import TieoutError

BreakerState = Literal["closed", "open", "half_open"]
Denial = Literal["circuit_open", "half_open_probe_exhausted"]


class CircuitOpen(TieoutError):
    """An integration failed so often that it is left alone for a while; `reason` says how."""

    code = "circuit_open"
    http_status = 503

    def __init__(self, integration: str, reason: Denial) -> None:
        super().__init__(f"{integration} is not called: {reason}.", subject=integration)
        self.reason = reason


@dataclass(frozen=True)
class BreakerPolicy:
    """After `threshold` failures in a row nothing goes through for `open_s`; then `probes` calls try."""

    threshold: int = 5
    open_s: float = 300.0
    probes: int = 3

    @property
    def pause(self) -> timedelta:
        return timedelta(seconds=self.open_s)


@dataclass(frozen=True)
class Breaker:
    """The breaker of one integration; `half_open_probes` were let through since it was half open."""

    integration: str
    state: BreakerState = "closed"
    failures: int = 0
    opened_us: datetime | None = None
    half_open_probes: int = 0
    updated_us: datetime | None = None


def ask(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> tuple[Breaker, Denial | None]:
    """Return the breaker after a call asked to go through, and why it may not.

    Probes of which nothing was heard for as long as the breaker stays open are taken for lost, so that others may try:
    else a worker that is lost during the last probe would leave the breaker half open for ever.
    """
    if breaker.state == "closed":
        return breaker, None
    since = breaker.opened_us if breaker.state == "open" else breaker.updated_us
    is_over = since is None or now >= since + policy.pause
    if breaker.state == "open":
        if not is_over:
            return breaker, "circuit_open"
        return replace(breaker, state="half_open", half_open_probes=1, updated_us=now), None
    if breaker.half_open_probes < policy.probes:
        return replace(breaker, half_open_probes=breaker.half_open_probes + 1, updated_us=now), None
    if is_over:
        return replace(breaker, half_open_probes=1, updated_us=now), None
    return breaker, "half_open_probe_exhausted"


def after_success(breaker: Breaker, now: datetime) -> Breaker:
    """Return the breaker after a call succeeded: closed, whatever it was."""
    if breaker.state == "closed" and not breaker.failures:
        return breaker
    return Breaker(breaker.integration, updated_us=now)


def after_failure(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Breaker:
    """Return the breaker after a call failed."""
    failures = breaker.failures + 1
    if breaker.state == "open":  # a call that was let through before it opened
        return replace(breaker, failures=failures, updated_us=now)
    if breaker.state == "half_open" or failures >= policy.threshold:
        return Breaker(breaker.integration, "open", failures, now, 0, now)
    return replace(breaker, failures=failures, updated_us=now)
