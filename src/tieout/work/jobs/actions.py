"""What is done with jobs: accept, list, try again, cancel, measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from tieout.core import metrics
from tieout.core.ids import RandomBytes, new_id
from tieout.core.logs import logged
from tieout.core.tracing import trace_parent
from tieout.work.jobs import store
from tieout.work.jobs.rules import (
    CAPACITY,
    PRIORITIES,
    Depth,
    Job,
    JobNotInStatus,
    JobRequest,
    JobUnknown,
    OtherJobHasKey,
    QueueFull,
    Status,
    canonical,
)


def submit(
    connection: Connection,
    tenant: str,
    request: JobRequest,
    *,
    now: datetime,
    random_bytes: RandomBytes,
    capacity: int = CAPACITY,
) -> Job:
    """Accept a job in the transaction of `connection`, so that it exists if and only if the change does.

    The same idempotency key gives the same job again. Raises OtherJobHasKey and QueueFull; QueueFull can only come
    where the tenant has `capacity` jobs waiting in the queue. Transactions that accept at the same moment do not see
    each other's jobs, so the queue may exceed its capacity by as many.
    """
    values = _values(tenant, request, now, random_bytes)
    if store.insert_one(connection, values, capacity=capacity):
        _count(request)
        return Job(**values)
    earlier = _earlier(connection, tenant, request)
    if earlier is None:
        raise _full(request.queue, tenant, capacity)
    return earlier


def submit_many(
    connection: Connection,
    tenant: str,
    requests: Iterable[JobRequest],
    *,
    now: datetime,
    random_bytes: RandomBytes,
    capacity: int = CAPACITY,
) -> list[Job]:
    """Accept jobs as `submit` does, all or none, and return them in the order of the requests."""
    asked = list(requests)
    rows = [_values(tenant, request, now, random_bytes) for request in asked]
    if not rows:
        return []
    added = store.insert_many(connection, tenant, rows)
    jobs = [
        Job(**values) if values["job_id"] in added else _must_be_there(connection, tenant, request)
        for values, request in zip(rows, asked, strict=True)
    ]
    _check_room(connection, tenant, [values["queue"] for values in rows if values["job_id"] in added], capacity)
    for (queue, kind), jobs_added in Counter(
        (values["queue"], values["kind"]) for values in rows if values["job_id"] in added
    ).items():
        metrics.JOBS_SUBMITTED.labels(metrics.bounded("queue", queue), metrics.bounded("kind", kind)).inc(jobs_added)
    return jobs


def _values(tenant: str, request: JobRequest, now: datetime, random_bytes: RandomBytes) -> dict[str, Any]:
    return {
        "job_id": new_id(now, random_bytes),
        "tenant": tenant,
        "queue": request.queue,
        "kind": request.kind,
        "payload": request.payload,
        "priority": PRIORITIES[request.priority],
        "status": "waiting",
        "idempotency_key": request.idempotency_key,
        "due_us": request.due_at or now,
        "attempts": 0,
        "max_attempts": request.max_attempts,
        "losses": 0,
        "claimed_by": None,
        "batch_id": None,
        "claimed_until_us": None,
        "is_cancel_asked": False,
        "created_us": now,
        "created_by": request.created_by,
        "request_id": request.request_id or logged("request_id"),
        "trace_parent": request.trace_parent or trace_parent(),
        "started_us": None,
        "finished_us": None,
        "result": None,
        "last_error": None,
    }


def _earlier(connection: Connection, tenant: str, request: JobRequest) -> Job | None:
    """Return the job that has the request's key; raise OtherJobHasKey where it was asked for otherwise."""
    if request.idempotency_key is None:
        return None
    found = store.find_by_key(connection, tenant, request.kind, request.idempotency_key)
    if found is not None and canonical(found.kind, found.payload) != canonical(request.kind, request.payload):
        raise OtherJobHasKey(
            f"The idempotency key {request.idempotency_key!r} of {request.kind} stands for another payload.",
            subject=found.job_id,
            remedy="Send the payload of the first request again, or use a new key.",
        )
    return found


def _must_be_there(connection: Connection, tenant: str, request: JobRequest) -> Job:
    found = _earlier(connection, tenant, request)
    if found is None:  # retention deleted it between two statements
        raise OtherJobHasKey(
            f"The idempotency key {request.idempotency_key!r} of {request.kind} was just freed.",
            subject=request.kind,
            remedy="Send the request again.",
        )
    return found


def _check_room(connection: Connection, tenant: str, queues: Sequence[str], capacity: int) -> None:
    for queue in Counter(queues):
        if store.count_waiting(connection, queue, tenant, at_most=capacity + 1) > capacity:
            raise _full(queue, tenant, capacity)


def _count(request: JobRequest) -> None:
    names = metrics.bounded("queue", request.queue), metrics.bounded("kind", request.kind)
    metrics.JOBS_SUBMITTED.labels(*names).inc()


def _full(queue: str, tenant: str, capacity: int) -> QueueFull:
    metrics.JOBS_REFUSED.labels(metrics.bounded("queue", queue)).inc()
    return QueueFull(
        f"{capacity:,} jobs of {tenant} wait in the queue {queue}; nothing was accepted.",
        subject=queue,
        remedy="Send the request again later, or let more workers run.",
    )


def get_job(connection: Connection, tenant: str | None, job_id: str) -> Job:
    """Return a job of the tenant, of any where that is None. Raises JobUnknown."""
    found = store.find(connection, tenant, job_id)
    if found is None:
        raise JobUnknown(
            f"There is no job {job_id[:50]!r}.", subject=job_id[:50], remedy="`tieout jobs list` names those there are."
        )
    return found


def list_jobs(
    connection: Connection,
    tenant: str | None,
    *,
    status: Status | None = None,
    queue: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """List jobs of the tenant, of all where that is None, the newest first; `before` is the last id of a page."""
    return store.list_jobs(connection, tenant, status=status, queue=queue, before=before, limit=limit)


def retry(connection: Connection, tenant: str | None, job_id: str, *, now: datetime) -> Job:
    """Let a job that failed or was cancelled wait again; steps that it had done are not done again.

    Raises JobUnknown and JobNotInStatus.
    """
    return _change(connection, tenant, job_id, store.wait_again(connection, tenant, job_id, now), "tried again")


def cancel(connection: Connection, tenant: str | None, job_id: str, *, now: datetime) -> Job:
    """Cancel a job: at once where it waits, before its next step where it is active.

    A job that is being done in one go, or whose last step has begun, may end as done. Raises JobUnknown and
    JobNotInStatus.
    """
    return _change(connection, tenant, job_id, store.cancel(connection, tenant, job_id, now), "cancelled")


def measure(connection: Connection) -> list[Depth]:
    """Count the jobs by queue and status: those that wait, are active, or failed. For a connection of every tenant."""
    return store.measure(connection)


def purge(
    connection: Connection, *, now: datetime, done_after: timedelta, failed_after: timedelta, at_most: int = 5000
) -> int:
    """Delete at most so many jobs that ended long ago, dead letters later than others; return how many.

    An idempotency key is good for as long as its job is kept.
    """
    ages: dict[Status, timedelta] = {"done": done_after, "canceled": done_after, "failed": failed_after}
    return sum(store.purge(connection, status, now - age, at_most) for status, age in ages.items())


def _change(connection: Connection, tenant: str | None, job_id: str, is_changed: bool, what: str) -> Job:  # noqa: FBT001
    found = get_job(connection, tenant, job_id)
    if not is_changed:
        raise JobNotInStatus(f"The job {job_id} is {found.status} and cannot be {what}.", subject=job_id)
    return found
