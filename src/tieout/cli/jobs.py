"""`tieout jobs` and `tieout schedule`: durable work, as the operator at the state database sees it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.control.access.caller import Caller, operator_of
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.ops import actions
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.work.jobs.rules import Job, Status

EXIT_NOTHING_DONE = EXIT_DIFFERENCES


def show_jobs(
    platform: Platform, *, status: Status | None, queue: str | None, tenant: str | None, limit: int, as_json: bool
) -> None:
    """Show jobs, the newest first."""
    found = actions.list_jobs(platform, _operator(platform), tenant=tenant, status=status, queue=queue, limit=limit)
    if as_json:
        print_json([_as_json(job) for job in found])
        return
    if not found:
        Console().print("There are no such jobs.")
        return
    console = Console()
    for job in found:
        console.print(Text(f"{job.job_id}  {job.status:<8}  {job.kind}", style="bold"))
        attempts = f"attempt {job.attempts} of {job.max_attempts}"
        console.print(Text(f"  {job.tenant}, queue {job.queue}, {attempts}, due {_told(job.due_us)} UTC"))
        if job.last_error:
            console.print(Text(f"  {job.last_error[:200]}", style="red" if job.status == "failed" else "yellow"))


def show_job(platform: Platform, job_id: str, *, as_json: bool) -> None:
    """Show one job."""
    _show(actions.get_job(platform, _operator(platform), job_id), as_json=as_json)


def show_retried(platform: Platform, job_id: str, *, as_json: bool) -> None:
    """Let a job wait again and show it."""
    _show(actions.retry_job(platform, _operator(platform), job_id), as_json=as_json)


def show_canceled(platform: Platform, job_id: str, *, is_dry_run: bool, is_agreed: bool, as_json: bool) -> int:
    """Cancel a job once that is agreed to; return the exit code."""
    caller = _operator(platform)
    job = actions.get_job(platform, caller, job_id)
    question = f"Cancel the job {job.kind} of {job.tenant}, which is {job.status}?"
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed):
        _show(job, as_json=as_json)
        return EXIT_NOTHING_DONE
    _show(actions.cancel_job(platform, caller, job_id), as_json=as_json)
    return EXIT_OK


def show_schedules(platform: Platform, *, as_json: bool) -> None:
    """Show the schedules."""
    found = actions.list_schedules(platform, _operator(platform))
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        Console().print("There are no schedules yet: a scheduler writes them down when it begins.")
        return
    table = _table("schedule", "cron", "time zone", "kind", "next", "last", "late by")
    for each in found:
        late = "" if each.last_lag_ms is None else f"{each.last_lag_ms:,} ms"
        following = _told(each.next_us) if each.schedule.is_enabled else "off"
        about = each.schedule
        table.add_row(about.name, about.cron, about.time_zone, about.kind, following, _told(each.last_us), late)
    Console().print(table)


def show_schedule_run(platform: Platform, name: str, *, as_json: bool) -> None:
    """Run a schedule now and show its job."""
    _show(actions.run_schedule(platform, _operator(platform), name), as_json=as_json)


def _operator(platform: Platform) -> Caller:
    return operator_of(SUPERADMIN, Actor(f"account:{platform.settings.actor}"))


def _show(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(job))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _as_json(job).items():
        if value not in (None, False):
            table.add_row(name, Text(_told(value) if isinstance(value, datetime) else str(value)))
    Console().print(table)


def _as_json(job: Job) -> dict[str, Any]:
    return {name.removesuffix("_us"): value for name, value in vars(job).items()}


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in {"schedule", "cron", "kind", "next"})
    return table


def _told(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}" if instant else ""
