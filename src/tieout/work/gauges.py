"""The gauges of the state database: what waits, what is done, who lives.

They are read when the metrics are, at most every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, Connection, func, select

from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State
from tieout.store.tables.events import event_delivery
from tieout.store.tables.work import breaker, job, worker
from tieout.work.slots import LOST_AFTER_S

CACHE_S = 5.0
INGEST_QUEUE = "ingest"
BREAKER_STATES = ("closed", "half_open", "open")
_LIVE_STATUSES = ("waiting", "active", "failed")


class StateGauges(Collector):
    """Reads metrics.READ_AT_SCRAPE from the state, and keeps the answer for CACHE_S."""

    def __init__(self, state: State, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state.of(EVERY_TENANT)
        self._now = now
        self._clock = clock
        self._lock = Lock()
        self._kept: list[Metric] = []
        self._kept_until = float("-inf")

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what it collects is asked for when it is registered otherwise."""
        return ()

    def collect(self) -> list[Metric]:
        """Return the gauges; only `state_up` where the state does not answer."""
        with self._lock:
            if self._clock() >= self._kept_until:
                self._kept = self._read()
                self._kept_until = self._clock() + CACHE_S
            return self._kept

    def _read(self) -> list[Metric]:
        try:
            with self._state.reading() as connection:
                gauges = _gauges(connection, self._now())
        except TieoutError:
            return [metrics.gauge("state_up", [((), 0)])]
        return [metrics.gauge("state_up", [((), 1)]), *gauges]


def count_jobs(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many jobs each queue has in each status that is not over, dead letters among them."""
    rows = connection.execute(
        select(job.c.queue, job.c.status, func.count())
        .where(job.c.status.in_(_LIVE_STATUSES))
        .group_by(job.c.queue, job.c.status)
    )
    return {(queue, status): number for queue, status, number in rows}


def live_workers(connection: Connection, now: datetime) -> int:
    """Return how many workers have a fresh heartbeat."""
    return int(connection.scalar(select(func.count()).select_from(worker).where(_is_live(now))) or 0)


def idle_ratio(connection: Connection, now: datetime) -> float:
    """Return which part of the time of the live workers was idle, by their last heartbeats; 0 where none lives."""
    return float(connection.scalar(select(func.avg(worker.c.idle_pct)).where(_is_live(now))) or 0) / 100


def _is_live(now: datetime) -> ColumnElement[bool]:
    fresh = now - timedelta(seconds=LOST_AFTER_S)
    return (worker.c.heartbeat_us > fresh) & worker.c.stopped_us.is_(None) & worker.c.slot.startswith("worker-")


def _gauges(connection: Connection, now: datetime) -> list[Metric]:
    jobs = count_jobs(connection)
    live = live_workers(connection, now)
    breakers = connection.execute(select(breaker.c.integration, breaker.c.state)).all()
    of_deliveries = (
        select(event_delivery.c.status, func.count())
        .where(event_delivery.c.status.in_(("pending", "failed")))
        .group_by(event_delivery.c.status)
    )
    deliveries = {row[0]: row[1] for row in connection.execute(of_deliveries)}
    queues = sorted({queue for queue, _ in jobs})
    by_queue: list[Metric] = [
        metrics.gauge(f"bull_queue_jobs_{status}", _by_queue(jobs, queues, status)) for status in _LIVE_STATUSES
    ]
    states = [
        ((metrics.bounded("platform", name), state), float(state == current))
        for name, current in breakers
        for state in BREAKER_STATES
    ]
    return [
        *by_queue,
        _one("queue_depth", sum(number for (_, status), number in jobs.items() if status == "waiting")),
        _one("worker_processes", live),
        _one("worker_idle_ratio", idle_ratio(connection, now)),
        metrics.gauge("breaker_state_total", states),
        _one("analytics_ingest_buffer_size", jobs.get((INGEST_QUEUE, "waiting"), 0)),
        _one("outbox_deliveries_pending", deliveries.get("pending", 0)),
        _one("outbox_deliveries_failed", deliveries.get("failed", 0)),
    ]


def _by_queue(jobs: dict[tuple[str, str], int], queues: list[str], status: str) -> list[tuple[tuple[str, ...], float]]:
    totals: dict[str, int] = {}
    for queue in queues:
        name = metrics.bounded("queue", queue)
        totals[name] = totals.get(name, 0) + jobs.get((queue, status), 0)
    return [((name,), number) for name, number in totals.items()]


def _one(name: str, value: Any) -> Metric:
    return metrics.gauge(name, [((), value)])
