"""A clock, randomness that repeats, and requests of which a test names what matters."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State
from tieout.work.jobs.actions import submit
from tieout.work.jobs.rules import Job, JobRequest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def random_bytes(seed: int = 7):
    return Random(seed).randbytes


_random = random_bytes()


def a_job(state: State, tenant: str = "acme", *, now: datetime = NOW, capacity: int = 5000, **asked) -> Job:
    request = JobRequest(**{"kind": "count", "payload": {"n": 1}} | asked)
    return state.of(tenant).write(
        lambda connection: submit(connection, tenant, request, now=now, random_bytes=_random, capacity=capacity)
    )


def every(state: State) -> State:
    return state.of(EVERY_TENANT)
