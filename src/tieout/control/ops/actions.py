"""Jobs, schedules and breakers as a caller may see and change them.

A tenant sees its own jobs; the administrators of the platform see all, and what they change is on record with them.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from tieout.control.access.caller import Caller
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State
from tieout.work.breaker.actions import BreakerView, snapshot
from tieout.work.jobs import actions as jobs
from tieout.work.jobs.rules import Job, Status
from tieout.work.schedules import actions as schedules
from tieout.work.schedules.actions import Planned, Tick

MODULE = "ops"


def list_jobs(
    platform: Platform,
    caller: Caller,
    *,
    tenant: str | None = None,
    status: Status | None = None,
    queue: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """List jobs that the caller may see, of one tenant where that is given, the newest first."""
    caller.must("ops.jobs.read")
    whose = _whose(caller) or tenant
    with _state(platform, whose).reading() as connection:
        found = jobs.list_jobs(connection, whose, status=status, queue=queue, before=before, limit=limit)
    return [] if tenant not in (None, whose) else found


def get_job(platform: Platform, caller: Caller, job_id: str) -> Job:
    """Return a job that the caller may see. Raises JobUnknown."""
    caller.must("ops.jobs.read")
    whose = _whose(caller)
    with _state(platform, whose).reading() as connection:
        return jobs.get_job(connection, whose, job_id)


def retry_job(platform: Platform, caller: Caller, job_id: str) -> Job:
    """Let a job that failed or was cancelled wait again. Raises JobUnknown and JobNotInStatus."""
    caller.must("ops.jobs.retry")
    return _change(platform, caller, job_id, "ops.job_retried", jobs.retry)


def cancel_job(platform: Platform, caller: Caller, job_id: str) -> Job:
    """Cancel a job, or ask its worker to. Raises JobUnknown and JobNotInStatus."""
    caller.must("ops.jobs.cancel")
    return _change(platform, caller, job_id, "ops.job_canceled", jobs.cancel)


def list_schedules(platform: Platform, caller: Caller) -> list[Planned]:
    """List the schedules of the installation."""
    caller.must("superadmin.schedules.read")
    with platform.all_tenants.reading() as connection:
        return schedules.list_planned(connection)


def list_ticks(platform: Platform, caller: Caller, name: str, *, limit: int) -> list[Tick]:
    """List the times that a schedule was due, the latest first. Raises ScheduleUnknown."""
    caller.must("superadmin.schedules.read")
    with platform.all_tenants.reading() as connection:
        schedules.get_schedule(connection, name)
        return schedules.list_ticks(connection, name, limit)


def run_schedule(platform: Platform, caller: Caller, name: str) -> Job:
    """Submit the job of a schedule now. Raises ScheduleUnknown."""
    caller.must("superadmin.schedules.run")

    def change(connection: Connection) -> Job:
        now = platform.now()
        job = schedules.run_now(
            connection, name, now=now, random_bytes=platform.random_bytes, created_by=caller.actor.name
        )
        entry = Entry(MODULE, "ops.schedule_run", "schedule", name, {"job_id": job.job_id})
        record(connection, SUPERADMIN, caller.actor, entry, now=now, random_bytes=platform.random_bytes)
        return job

    return platform.all_tenants.write(change)


def breakers(platform: Platform, caller: Caller) -> dict[str, BreakerView]:
    """Return how the breaker of each integration stands."""
    caller.must("ops.breakers.read")
    with platform.state.reading() as connection:
        return snapshot(connection)


def _change(platform: Platform, caller: Caller, job_id: str, action: str, do: Callable[..., Job]) -> Job:
    whose = _whose(caller)

    def change(connection: Connection) -> Job:
        now = platform.now()
        before = jobs.get_job(connection, whose, job_id)
        after = do(connection, whose, job_id, now=now)
        entry = Entry(
            MODULE, action, "job", job_id, {"kind": after.kind, "before": before.status, "after": after.status}
        )
        record(connection, after.tenant, caller.actor, entry, now=now, random_bytes=platform.random_bytes)
        return after

    return _state(platform, whose).write(change)


def _whose(caller: Caller) -> str | None:
    """Return the tenant whose jobs the caller sees; None for all."""
    return None if caller.tenant == SUPERADMIN else caller.tenant


def _state(platform: Platform, whose: str | None) -> State:
    return platform.state.of(EVERY_TENANT if whose is None else whose)
