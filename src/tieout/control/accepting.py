"""A job that a caller asks for: accepted and put on the audit trail in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from tieout.control.access.caller import Caller
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.tracing import trace_parent
from tieout.work.jobs.actions import submit
from tieout.work.jobs.rules import Job, JobRequest


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

    The same idempotency key gives the same job, which is recorded once. Raises OtherJobHasKey and QueueFull.
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
    tools: dict[str, Any] = {"now": platform.now(), "random_bytes": platform.random_bytes}

    def accept(connection: Connection) -> Job:
        job = submit(connection, caller.tenant, request, capacity=platform.settings.queue_capacity, **tools)
        if job.request_id == request.request_id:  # else it was accepted before
            module = action.partition(".")[0]
            entry = Entry(module, action, "job", job.job_id, {"after": dict(asked)})
            record(connection, caller.tenant, caller.actor, entry, **tools)
        return job

    return platform.of(caller.tenant).write(accept)
