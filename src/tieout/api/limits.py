"""How many requests a minute or an hour: fixed windows, counted in each process of the API.

A caller who reaches N processes may make N times as many, and one who waits for the edge of a window twice as many
within a moment: the bounds protect the server, they are no bill. Counts of a window are forgotten with it, so memory
is bounded by who calls within one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Annotated, ClassVar

from fastapi import Depends, Request

from tieout.api.access import signed_in
from tieout.control.access.caller import Caller
from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.core.settings import Settings

MAX_KEYS = 100_000
MINUTE_S = 60
HOUR_S = 3600


class TooManyRequests(TieoutError):
    """A rate limit is reached; `subject` is its category."""

    code = "too_many_requests"
    http_status = 429
    api_code: ClassVar[str] = "RATE_LIMIT"

    def __init__(self, window: Window) -> None:
        super().__init__(
            f"Rate limit exceeded for category '{window.category}'.",
            subject=window.category,
            remedy=f"Try again in {window.reset_s} seconds.",
        )
        self.headers = {**window.headers(), "Retry-After": str(window.reset_s)}


@dataclass(frozen=True)
class Limit:
    """So many requests in a window of seconds."""

    category: str
    requests: int
    window_s: int


@dataclass(frozen=True)
class Window:
    """Where one caller stands after one more request."""

    category: str
    limit: int
    remaining: int
    reset_s: int
    is_over: bool

    def headers(self) -> dict[str, str]:
        """Return what the answer says of it, under the older and the standard names."""
        limit, remaining, reset = str(self.limit), str(self.remaining), str(self.reset_s)
        return {
            "X-RateLimit-Limit": limit,
            "X-RateLimit-Remaining": remaining,
            "X-RateLimit-Reset": reset,
            "RateLimit-Limit": limit,
            "RateLimit-Remaining": remaining,
            "RateLimit-Reset": reset,
        }


ROUTE_LIMITS = {
    limit.category: limit
    for limit in (
        Limit("submissions", 100, HOUR_S),
        Limit("reconciliation_run", 10, MINUTE_S),
        Limit("reconciliation_query", 100, MINUTE_S),
    )
}
"""For single routes, by `Depends(limited("submissions"))`: what one caller may do."""


class Limits:
    """Counts requests by category and key."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[int, tuple[int, dict[str, int]]] = {}
        self.login = Limit("login", settings.rate_limit_login_rpm, MINUTE_S)
        self.ads = Limit("ads", settings.rate_limit_ads_rpm, MINUTE_S)
        self.publishers = {
            tenant: Limit("ads", rpm, MINUTE_S) for tenant, rpm in settings.rate_limit_publishers.items()
        }
        self.v1 = Limit("v1", settings.rate_limit_rpm, MINUTE_S)
        self.tenant = Limit("tenant", settings.rate_limit_tenant_rpm, MINUTE_S)
        self.default = Limit("default", 1000, HOUR_S)

    def take(self, limit: Limit, key: str) -> Window:
        """Count one request of `key`."""
        now = self._clock()
        number = int(now // limit.window_s)
        current, counts = self._windows.get(limit.window_s, (-1, {}))
        if current != number:
            counts = {}
            self._windows[limit.window_s] = (number, counts)
        name = f"{limit.category} {key}"
        if name not in counts and len(counts) >= MAX_KEYS:
            name = limit.category  # all further ones share a count: memory is bounded, and a flood is slowed
        used = counts.get(name, 0) + 1
        counts[name] = used
        reset_s = max(ceil((number + 1) * limit.window_s - now), 1)
        is_over = used > limit.requests
        if is_over:
            metrics.RATE_LIMIT_REFUSALS.labels(limit.category).inc()
        return Window(limit.category, limit.requests, max(limit.requests - used, 0), reset_s, is_over)

    def must(self, limit: Limit, key: str) -> Window:
        """Count one request of `key`; raise TooManyRequests beyond the limit."""
        window = self.take(limit, key)
        self.refuse(window)
        return window

    def refuse(self, window: Window) -> None:
        """Raise TooManyRequests where a window is over."""
        if window.is_over:
            raise TooManyRequests(window)


def limited(category: str) -> Callable[..., Awaitable[None]]:
    """Return the dependency that holds one caller to ROUTE_LIMITS[category]."""
    limit = ROUTE_LIMITS[category]

    async def within(request: Request, caller: Annotated[Caller, Depends(signed_in)]) -> None:
        limits: Limits = request.app.state.limits
        limits.must(limit, f"{caller.tenant} {caller.actor.name}")

    return within
