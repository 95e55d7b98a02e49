"""Ask before a call, tell how it went, and see how all integrations stand.

Each is a transaction of its own: what a breaker knows must stay when the work around the call is rolled back. A
call that finds its breaker closed, and a success that leaves it so, only read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict, TypeVar

import structlog
from sqlalchemy import Connection

from tieout.core import metrics
from tieout.store.state import State
from tieout.work.breaker import store
from tieout.work.breaker.rules import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    CircuitOpen,
    Denial,
    after_failure,
    after_success,
    ask,
)

_log = structlog.get_logger("tieout.work")

Answer = TypeVar("Answer")


class BreakerView(TypedDict):
    """A breaker as the snapshot shows it."""

    failures: int
    state: BreakerState
    opened_at: str | None
    half_open_probes: int


def may_call(state: State, integration: str, *, policy: BreakerPolicy, now: datetime) -> Denial | None:
    """Return why the integration must not be called now, or None where it may be.

    In the half-open state a None is one probe: tell how it went.
    """
    with state.reading() as connection:
        if store.find(connection, integration).state == "closed":
            return None

    def change(connection: Connection) -> Denial | None:
        before = store.lock(connection, Breaker(integration, updated_us=now))
        after, denial = ask(before, policy, now)
        _save(connection, before, after)
        return denial

    return state.write(change)


def succeeded(state: State, integration: str, *, now: datetime) -> None:
    """Record that a call succeeded: the breaker is closed."""
    with state.reading() as connection:
        known = store.find(connection, integration)
        if after_success(known, now) == known:
            return

    def change(connection: Connection) -> None:
        before = store.lock(connection, Breaker(integration, updated_us=now))
        _save(connection, before, after_success(before, now))

    state.write(change)


def failed(state: State, integration: str, *, policy: BreakerPolicy, now: datetime) -> None:
    """Record that a call failed."""

    def change(connection: Connection) -> None:
        before = store.lock(connection, Breaker(integration, updated_us=now))
        _save(connection, before, after_failure(before, policy, now))

    state.write(change)


def guarded(
    state: State,
    integration: str,
    call: Callable[[], Answer],
    *,
    policy: BreakerPolicy,
    now: Callable[[], datetime],
) -> Answer:
    """Return what `call` returns, where the breaker lets it through, and record how it went. Raises CircuitOpen."""
    denial = may_call(state, integration, policy=policy, now=now())
    if denial is not None:
        raise CircuitOpen(integration, denial)
    try:
        answer = call()
    except Exception:
        failed(state, integration, policy=policy, now=now())
        raise
    succeeded(state, integration, now=now())
    return answer


def snapshot(connection: Connection) -> dict[str, BreakerView]:
    """Return how each integration stands."""
    return {
        each.integration: {
            "failures": each.failures,
            "state": each.state,
            "opened_at": None if each.opened_us is None else each.opened_us.isoformat(),
            "half_open_probes": each.half_open_probes,
        }
        for each in store.list_all(connection)
    }


def _save(connection: Connection, before: Breaker, after: Breaker) -> None:
    if after == before:
        return
    store.save(connection, after)
    if after.state != before.state:
        metrics.BREAKER_TRANSITIONS.labels(metrics.bounded("platform", after.integration), after.state).inc()
        _log.warning(
            "Circuit breaker changed",
            platform=after.integration,
            before=before.state,
            state=after.state,
            failures=after.failures,
        )
