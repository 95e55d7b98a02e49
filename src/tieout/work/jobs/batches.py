"""Do a micro-batch: the effect and the mark in one transaction, and a bad item does not hold back the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import Connection

from tieout.core import metrics
from tieout.core.ids import RandomBytes
from tieout.core.logs import log_context
from tieout.core.tracing import continued
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State, StateUnavailable, act_as
from tieout.work.jobs import claims
from tieout.work.jobs.claims import Claim
from tieout.work.jobs.kinds import Hopeless, Items
from tieout.work.jobs.rules import BackOff, Job, error_text, unit_interval

_log = structlog.get_logger("tieout.work")


@dataclass(frozen=True)
class Bench:
    """What a worker works with; `state` sees no tenant until `of` says which."""

    state: State
    now: Callable[[], datetime]
    random_bytes: RandomBytes


class WrongResults(Exception):
    """A handler returned results, but not one for each job."""


def do_batch(bench: Bench, kinds: Mapping[str, Items], batch_id: str, jobs: Sequence[Job]) -> None:
    """Do the jobs of a batch, those of one kind and tenant together.

    Raises StateUnavailable when the database cannot be reached; what was not marked by then is still the batch's.
    """
    for (name, tenant), group in groupby(sorted(jobs, key=_kind_and_tenant), _kind_and_tenant):
        _do(bench, kinds[name], tenant, batch_id, list(group))


def do_at_once(bench: Bench, kinds: Mapping[str, Items], queue: str, most: int, wanted: Claim) -> Sequence[Job] | None:
    """Take due jobs of a queue, do them and mark them, all in one transaction; return them, or None where one failed.

    Nobody sees them as active, and there is no claim to run out: where the process is lost, the transaction is, and
    the jobs wait as before. It writes each job once, a claim twice. Where a handler raises, nothing has happened,
    and the jobs have to be claimed to find out which of them it is. Raises StateUnavailable.
    """
    began = perf_counter()
    try:
        jobs = bench.state.of(EVERY_TENANT).write(
            lambda connection: _at_once(connection, bench, kinds, queue, most, wanted)
        )
    except StateUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the failure of a job
        _log.info("Batch failed; its jobs are done with more care", queue=queue, error=error_text(error))
        return None
    for _, group in groupby(jobs, _kind_and_tenant):
        alike = list(group)
        count_ended(alike[0], "done", len(alike))
        metrics.JOB_DURATION.labels(*_names(alike[0])).observe(perf_counter() - began)
    return jobs


def _at_once(
    connection: Connection, bench: Bench, kinds: Mapping[str, Items], queue: str, most: int, wanted: Claim
) -> list[Job]:
    jobs = sorted(claims.lock_due(connection, queue, wanted, most), key=_kind_and_tenant)
    without: list[str] = []
    given: dict[str, Any] = {}
    for (name, tenant), group in groupby(jobs, _kind_and_tenant):
        alike = list(group)
        kind = kinds[name]
        act_as(connection, EVERY_TENANT if kind.is_of_platform else tenant)
        results = kind.do(connection, alike)
        if results is None:
            without += [job.job_id for job in alike]
        elif len(results) != len(alike):
            raise WrongResults(f"{len(results)} results for {len(alike)} jobs")
        else:
            given |= {job.job_id: result for job, result in zip(alike, results, strict=True)}
    act_as(connection, EVERY_TENANT)
    if without:
        claims.finish_locked(connection, wanted, without, bench.now())
    if given:
        claims.finish_locked_with(connection, wanted, given, bench.now())
    return jobs


def _kind_and_tenant(job: Job) -> tuple[str, str]:
    return job.kind, job.tenant


def _do(bench: Bench, kind: Items, tenant: str, batch_id: str, jobs: Sequence[Job]) -> None:
    state = bench.state.of(EVERY_TENANT if kind.is_of_platform else tenant)
    began = perf_counter()
    alone = jobs[0] if len(jobs) == 1 else None
    told = {"tenant_id": tenant, "kind": jobs[0].kind, "job_id": alone and alone.job_id}
    try:
        # A batch of many requests goes on with the trace of its first.
        with log_context(**told), continued(jobs[0].trace_parent, f"jobs {jobs[0].kind}", jobs=len(jobs)):
            done, canceled = state.write(lambda connection: _attempt(connection, bench, kind, batch_id, jobs))
    except StateUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the failure of its jobs
        if len(jobs) == 1:
            end_attempt(bench, kind.back_off, batch_id, jobs[0], error)
            return
        half = len(jobs) // 2
        _do(bench, kind, tenant, batch_id, jobs[:half])
        _do(bench, kind, tenant, batch_id, jobs[half:])
    else:
        count_ended(jobs[0], "done", done)
        count_ended(jobs[0], "canceled", canceled)
        metrics.JOB_DURATION.labels(*_names(jobs[0])).observe(perf_counter() - began)


def _attempt(connection: Connection, bench: Bench, kind: Items, batch_id: str, jobs: Sequence[Job]) -> tuple[int, int]:
    """Do what is still the batch's; return how many were done and how many cancelled."""
    held = claims.hold(connection, batch_id, [job.job_id for job in jobs])
    if canceled := [job_id for job_id, is_asked in held.items() if is_asked]:
        claims.cancel_held(connection, batch_id, canceled, bench.now())
    items = [job for job in jobs if held.get(job.job_id) is False]
    if not items:
        return 0, len(canceled)
    results = kind.do(connection, items)
    ids = [job.job_id for job in items]
    if results is None:
        return claims.finish(connection, batch_id, ids, bench.now()), len(canceled)
    if len(results) != len(items):
        raise WrongResults(f"{len(results)} results for {len(items)} jobs")
    given = dict(zip(ids, results, strict=True))
    return claims.finish_with(connection, batch_id, given, bench.now()), len(canceled)


def end_attempt(bench: Bench, back_off: BackOff, batch_id: str, job: Job, error: BaseException) -> None:
    """Record that an attempt failed: the job waits for the next, or it is a dead letter."""
    now = bench.now()
    delay_s = back_off.delay_s(job.attempts, unit_interval(bench.random_bytes(8)))
    is_dead = job.is_last_attempt or isinstance(error, Hopeless)
    again = None if is_dead else now + timedelta(seconds=delay_s)
    text = error_text(error)
    is_ours = bench.state.of(job.tenant).write(
        lambda connection: claims.fail(connection, batch_id, job.job_id, text, now=now, again=again)
    )
    if not is_ours:  # another worker has it by now, and what happened here is of no account
        return
    count_ended(job, "failed" if is_dead else "retried")
    log = _log.bind(job_id=job.job_id, tenant=job.tenant, kind=job.kind, attempt=job.attempts, error=text)
    if is_dead:
        log.error("Job failed", exc_info=error)
    else:
        log.warning("Job attempt failed", retry_in_s=round(delay_s, 3))


def count_ended(job: Job, outcome: str, jobs: int = 1) -> None:
    """Count attempts that ended, of jobs like this one."""
    if jobs:
        metrics.JOBS_FINISHED.labels(*_names(job), outcome).inc(jobs)


def _names(job: Job) -> tuple[str, str]:
    return metrics.bounded("queue", job.queue), metrics.bounded("kind", job.kind)
