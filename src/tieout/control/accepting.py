"""A job that a caller asks for: accepted and put on the audit trail in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from tieout.control.access.caller import Caller
from tieout.control.audit.actions import Entry, record_many
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.tracing import trace_parent
from tieout.work.jobs.actions import submit_many
from tieout.work.jobs.rules import Job, JobRequest, OtherJobHasKey, QueueFull


@dataclass(frozen=True)
class _Asked:
    actor: Actor
    request: JobRequest
    action: str


def accept_job(
    platform: Platform,
    caller: Caller,
    kind: str,
    asked: Mapping[str, Any],
    *,
    queue: str,
    action: str,
    idempotency_key: str | None,
) -> Job:
    """Accept a job whose payload is `asked`, and record `action` (such as `recon.compare_asked`) of the caller.

    The same idempotency key gives the same job, which is recorded once. What callers of a tenant ask for at the same
    moment shares a transaction. Raises OtherJobHasKey and QueueFull.
    """
    request = JobRequest(
        kind,
        dict(asked),
        queue=queue,
        idempotency_key=idempotency_key,
        created_by=caller.actor.name,
        request_id=caller.actor.request_id,
        trace_parent=trace_parent(),
    )
    accept = partial(_accept_each, platform, caller.tenant)
    return platform.together.call(("accept", caller.tenant), _Asked(caller.actor, request, action), accept)


def _accept_each(platform: Platform, tenant: str, asked: Sequence[_Asked]) -> Sequence[Job | Exception]:
    """Accept all in one transaction; where one of them cannot be, each in one of its own."""
    try:
        return _accept(platform, tenant, asked)
    except (OtherJobHasKey, QueueFull) as error:
        if len(asked) == 1:
            return [error]
    return [given for one in asked for given in _accept_each(platform, tenant, [one])]


def _accept(platform: Platform, tenant: str, asked: Sequence[_Asked]) -> list[Job]:
    tools: dict[str, Any] = {"now": platform.now(), "random_bytes": platform.random_bytes}

    def accept(connection: Connection) -> list[Job]:
        requests = [one.request for one in asked]
        jobs = submit_many(connection, tenant, requests, capacity=platform.settings.queue_capacity, **tools)
        entries = [
            (one.actor, _entry(one, job))
            for one, job in zip(asked, jobs, strict=True)
            if job.request_id == one.request.request_id  # else it was accepted before
        ]
        record_many(connection, tenant, entries, **tools)
        return jobs

    return platform.of(tenant).write(accept)


def _entry(one: _Asked, job: Job) -> Entry:
    return Entry(one.action.partition(".")[0], one.action, "job", job.job_id, {"after": dict(one.request.payload)})
