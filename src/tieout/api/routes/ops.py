"""Durable work as operators see it: jobs, schedules, breakers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query

from tieout.api.access import Installation, needs
from tieout.api.bodies import Limit, PathId, told
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.ops import actions
from tieout.work.jobs.rules import Job
from tieout.work.schedules.actions import Planned, Tick

routes = Section(prefix="/v1/ops", tags=["ops"])

StatusName = Literal["waiting", "active", "done", "failed", "canceled"]
QueueName = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z][0-9A-Za-z._:-]{0,63}$")]
TenantName = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
Before = Annotated[
    str | None, Query(pattern=r"^[0-9A-Za-z-]{1,36}$", description="Id of the last one on the page before.")
]
ScheduleName = Annotated[str, Path(pattern=r"^[0-9A-Za-z][0-9A-Za-z._:-]{0,127}$")]


@routes.get("/jobs")
def list_jobs(
    caller: Annotated[Caller, Depends(needs("ops.jobs.read"))],
    platform: Installation,
    status: StatusName | None = None,
    queue: QueueName = None,
    tenant: TenantName = None,
    before: Before = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """List jobs, the newest first: the tenant's own; an administrator of the platform sees all."""
    found = actions.list_jobs(platform, caller, tenant=tenant, status=status, queue=queue, before=before, limit=limit)
    last = found[-1].job_id if len(found) == limit else None
    return {"data": [_job(job) for job in found], "meta": {"limit": limit, "next_before": last}}


@routes.get("/jobs/{job_id}")
def show_job(
    job_id: PathId, caller: Annotated[Caller, Depends(needs("ops.jobs.read"))], platform: Installation
) -> dict[str, Any]:
    """Show a job with its payload, result and last error."""
    job = actions.get_job(platform, caller, job_id)
    return {"data": _job(job) | {"payload": job.payload, "result": job.result}}


@routes.post("/jobs/{job_id}/retry")
def retry_job(
    job_id: PathId, caller: Annotated[Caller, Depends(needs("ops.jobs.retry"))], platform: Installation
) -> dict[str, Any]:
    """Let a job that failed or was cancelled wait again."""
    return {"data": _job(actions.retry_job(platform, caller, job_id))}


@routes.post("/jobs/{job_id}/cancel")
def cancel_job(
    job_id: PathId, caller: Annotated[Caller, Depends(needs("ops.jobs.cancel"))], platform: Installation
) -> dict[str, Any]:
    """Cancel a job that waits; an active one ends before its next step."""
    return {"data": _job(actions.cancel_job(platform, caller, job_id))}


@routes.get("/schedules")
def list_schedules(
    caller: Annotated[Caller, Depends(needs("superadmin.schedules.read"))], platform: Installation
) -> dict[str, Any]:
    """List the schedules: when each comes next, and how late it last was."""
    return {"data": [_planned(each) for each in actions.list_schedules(platform, caller)]}


@routes.get("/schedules/{name}/ticks")
def list_ticks(
    name: ScheduleName,
    caller: Annotated[Caller, Depends(needs("superadmin.schedules.read"))],
    platform: Installation,
    limit: Limit = 50,
) -> dict[str, Any]:
    """List the times that a schedule was due, the latest first."""
    return {"data": [_tick(each) for each in actions.list_ticks(platform, caller, name, limit=limit)]}


@routes.post("/schedules/{name}/run", status_code=202)
def run_schedule(
    name: ScheduleName,
    caller: Annotated[Caller, Depends(needs("superadmin.schedules.run"))],
    platform: Installation,
) -> dict[str, Any]:
    """Run a schedule now, besides its times."""
    return {"data": _job(actions.run_schedule(platform, caller, name))}


@routes.get("/breakers")
def show_breakers(
    caller: Annotated[Caller, Depends(needs("ops.breakers.read"))], platform: Installation
) -> dict[str, Any]:
    """Show the circuit breaker of each integration."""
    return {"data": actions.breakers(platform, caller)}


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "tenant": job.tenant,
        "kind": job.kind,
        "queue": job.queue,
        "priority": job.priority,
        "status": job.status,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "losses": job.losses,
        "cancel_asked": job.is_cancel_asked,
        "idempotency_key": job.idempotency_key,
        "worker": job.claimed_by,
        "due_at": told(job.due_us),
        "created_at": told(job.created_us),
        "created_by": job.created_by,
        "started_at": told(job.started_us),
        "finished_at": told(job.finished_us),
        "last_error": job.last_error,
    }


def _planned(each: Planned) -> dict[str, Any]:
    return {
        "name": each.schedule.name,
        "cron": each.schedule.cron,
        "time_zone": each.schedule.time_zone,
        "kind": each.schedule.kind,
        "enabled": each.schedule.is_enabled,
        "next_at": told(each.next_us),
        "last_at": told(each.last_us),
        "last_lag_ms": each.last_lag_ms,
    }


def _tick(tick: Tick) -> dict[str, Any]:
    return {
        "due_at": told(tick.due_us),
        "fired_at": told(tick.fired_us),
        "lag_ms": tick.lag_ms,
        "job_id": tick.job_id,
        "skipped_because": tick.skipped_because,
    }
