"""Whether this process should be given work: its state answers, its loops live, and the reads behind it keep up.

The guardrails of the read model hold where the state is PostgreSQL: replicas that lag, a staging backlog, a cache that
misses. A guardrail that cannot be read (the role lacks pg_monitor) is told and does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.work.gauges import INGEST_QUEUE, count_jobs

CACHE_S = 2.0
MIN_BLOCKS = 100_000
"""Blocks asked for before their cache hits say anything: a new server reads everything once."""

_SHOWN_AS = {
    "replicas": "db_replicas",
    "replay_lag_seconds": "db_replica_lag_seconds",
    "cache_hit_ratio": "db_cache_hit_ratio",
}
_REPLICAS = text(
    "select application_name, extract(epoch from coalesce(replay_lag, '0 seconds')) as replay_lag_seconds, state "
    "from pg_stat_replication"
)
_OWN_LAG = text("select pg_is_in_recovery(), extract(epoch from now() - pg_last_xact_replay_timestamp())")
_CACHE = text("select blks_hit, blks_read from pg_stat_database where datname = current_database()")


@dataclass(frozen=True)
class Check:
    """One thing that must hold; `says` is for people and figures for machines."""

    name: str
    is_ok: bool
    says: str
    figures: dict[str, Any] = field(default_factory=dict)


class Readiness:
    """Checks, and keeps the answer for CACHE_S: anyone may ask."""

    def __init__(
        self, platform: Platform, clock: Callable[[], float], failed_loops: Callable[[], list[str]] = list
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._failed_loops = failed_loops
        self._lock = Lock()
        self._kept: list[Check] = []
        self._kept_until = float("-inf")

    def can_work(self) -> bool:
        """Whether the state answers and the loops run, whatever the guardrails of the read model say."""
        return all(check.is_ok for check in self.checks() if check.name in ("state", "loops"))

    def checks(self) -> list[Check]:
        """Return every check, those of the loops as they are at this moment."""
        failed = self._failed_loops()
        loops = Check("loops", not failed, f"not running: {', '.join(failed)}" if failed else "running")
        with self._lock:
            if self._clock() >= self._kept_until:
                self._kept = check_state(self._platform)
                self._kept_until = self._clock() + CACHE_S
            return [*self._kept, loops]


class GuardrailGauges(Collector):
    """Shows the figures of the guardrails of the read model, as `/ready` tells them."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what it collects is asked for when it is registered otherwise."""
        return ()

    def collect(self) -> list[Metric]:
        """Return them all, without a value where it could not be read or the state is no PostgreSQL."""
        figures = {name: value for check in self._readiness.checks() for name, value in check.figures.items()}
        return [
            metrics.gauge(shown, [((), figures[name])] if name in figures else []) for name, shown in _SHOWN_AS.items()
        ]


def check_state(platform: Platform) -> list[Check]:
    """Return whether the state answers, and what the guardrails say."""
    try:
        with platform.all_tenants.reading() as connection:
            backlog = count_jobs(connection).get((INGEST_QUEUE, "waiting"), 0)
    except TieoutError:
        return [Check("state", False, "the state database does not answer")]
    checks = [Check("state", True, "answers")]
    if not platform.state.is_postgresql:
        return checks
    settings = platform.settings
    limit = settings.ready_max_backlog
    checks.append(
        Check(
            "staging_backlog",
            backlog <= limit,
            f"{backlog} of at most {limit}",
            {"analytics_ingest_buffer_size": backlog},
        )
    )
    for name, ask in (("replica_lag", _replicas), ("cache_hit_ratio", _cache)):
        try:
            with platform.all_tenants.reading() as connection:
                checks.append(ask(connection, platform))
        except (DBAPIError, TieoutError):
            checks.append(Check(name, True, "unknown: grant pg_monitor to the role"))
    return checks


def _replicas(connection: Connection, platform: Platform) -> Check:
    most, wanted = platform.settings.ready_max_lag_s, platform.settings.read_replicas
    [(is_replica, own_lag)] = connection.execute(_OWN_LAG).all()
    lags = [float(own_lag or 0)] if is_replica else [float(row[1]) for row in connection.execute(_REPLICAS)]
    lag = max(lags, default=0.0)
    figures = {"replicas": len(lags), "replay_lag_seconds": lag}
    if len(lags) < wanted:
        return Check("replica_lag", False, f"{len(lags)} replicas of {wanted}", figures)
    return Check("replica_lag", lag <= most, f"{lag:.1f} s of at most {most:g} s, {len(lags)} replicas", figures)


def _cache(connection: Connection, platform: Platform) -> Check:
    least = platform.settings.ready_min_cache_hit
    [(hit, read)] = connection.execute(_CACHE).all()
    ratio = hit / (hit + read) if hit + read else 1.0
    is_ok = ratio >= least or hit + read < MIN_BLOCKS
    return Check("cache_hit_ratio", is_ok, f"{ratio:.3f} of at least {least:g}", {"cache_hit_ratio": round(ratio, 4)})
