"""The stages of this book as durable jobs, one or a whole backfill, and the backfill that comes every day."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial, reduce
from typing import Any

from sqlalchemy import Connection, select

from tieout.books.ads.backfill import (
    BackfillRequest,
    StageName,
    add_up,
    backfill_request,
    do_piece,
    list_pieces,
)
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads, match_rules
from tieout.books.ads.period import Period, check_limit, parse_period
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.proving import ProofsNotAvailable
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.rehearsal import rehearsing
from tieout.books.ads.stage import StageDone
from tieout.books.ads.tunables import tunables_of
from tieout.books.workspace import Workspace
from tieout.control.accepting import accept_job
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.core.settings import Settings
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.store.tables import publication
from tieout.work.jobs.actions import submit
from tieout.work.jobs.kinds import Hopeless, InSteps, Items, Kind
from tieout.work.jobs.rules import Job, JobRequest
from tieout.work.jobs.steps import Steps
from tieout.work.schedules.rules import Schedule

EXPECTED, MATCH, RECONCILE, BACKFILL = "ads.expected", "ads.match", "ads.reconcile", "ads.backfill"
DAILY = "ads.daily"
QUEUE = "recon"
DAYS = 8
"""Until the 7 days of grace are over, each day may still change what is late and what is missing."""
SCHEDULES = (Schedule("ads-daily", "15 2 * * *", DAILY, payload={"days": DAYS}, priority="low"),)
NOT_AVAILABLE = "not_available"

Payload = Mapping[str, Any]


def kinds(
    settings: Settings,
    *,
    is_on: Callable[[str], bool],
    now: Callable[[], datetime],
    random_bytes: RandomBytes,
) -> dict[str, Kind]:
    """Return the kinds of jobs of this book; `is_on` tells whether it is switched on for a tenant.

    Their payload has `from` and `to`, or `days`: so many whole days before the one on which the job was asked for.
    """

    def daily(connection: Connection, jobs: Sequence[Job]) -> None:
        for job in jobs:
            for tenant in _tenants(connection):
                if is_on(tenant):
                    _ask_daily(connection, tenant, job, now=now(), random_bytes=random_bytes)

    return {
        EXPECTED: InSteps(lambda steps: _in_one_step(settings, steps, _expected), queue=QUEUE),
        MATCH: InSteps(lambda steps: _in_one_step(settings, steps, _match), queue=QUEUE),
        RECONCILE: InSteps(lambda steps: _in_one_step(settings, steps, _reconcile), queue=QUEUE),
        BACKFILL: InSteps(lambda steps: _backfill(settings, steps), queue=QUEUE),
        DAILY: Items(daily, is_of_platform=True),
    }


def ask_to_backfill(platform: Platform, caller: Caller, asked: Payload, *, idempotency_key: str | None = None) -> Job:
    """Accept a backfill, to be done by a worker; `asked` is its payload.

    The same idempotency key gives the same job. Raises PeriodRefused, LimitRefused and BackfillRefused.
    """
    request_of(asked, on=platform.now().date())
    return accept_job(
        platform, caller, BACKFILL, asked, queue=QUEUE, action="recon.backfill_asked", idempotency_key=idempotency_key
    )


def request_of(payload: Payload, *, on: date) -> BackfillRequest:
    """Return the backfill that a payload asks for on a day. Raises PeriodRefused, LimitRefused and BackfillRefused."""
    start, end = _bounds(payload, on)
    return backfill_request(
        start,
        end,
        step=payload.get("step", "all"),
        is_dry_run=payload.get("dry_run", True),
        limit=payload.get("limit"),
        publisher=payload.get("publisher", ""),
        network=payload.get("network", ""),
        force=payload.get("force", False),
        yes=payload.get("yes", False),
    )


def _bounds(payload: Payload, on: date) -> tuple[str | None, str | None]:
    if "days" not in payload:
        return payload.get("from"), payload.get("to")
    return (on - timedelta(days=payload["days"])).isoformat(), on.isoformat()


def _backfill(settings: Settings, steps: Steps) -> dict[str, Any]:
    """Do a backfill piece by piece, each a step, so that another worker goes on where this one was lost.

    Nothing of a dry run is kept from piece to piece, so it is one step.
    """
    with _telling():
        request = request_of(steps.job.payload, on=_asked_on(steps.job))
    told: dict[str, Any] = {"window": request.period.text, "dry_run": request.is_dry_run, "stages": {}}
    if request.is_dry_run:
        told["stages"] = steps.step("rehearse", lambda: _rehearsed(settings, steps, request))
        return told
    workspace = _workspace(settings, steps)
    for stage in request.stages:
        done = [
            steps.step(f"{stage} {piece.window}", partial(_told, workspace, request, stage, piece))
            for piece in _pieces(request, stage)
        ]
        told["stages"][stage] = reduce(_added, done)
        if told["stages"][stage].get("left_out") and stage != request.stages[-1]:
            told["stopped_after"] = stage  # the stages after it would take that for money that nobody earned
            break
    return told


def _rehearsed(settings: Settings, steps: Steps, request: BackfillRequest) -> dict[str, Any]:
    with rehearsing(_workspace(settings, steps)) as workspace:
        return {
            stage: reduce(_added, [_told(workspace, request, stage, piece) for piece in _pieces(request, stage)])
            for stage in request.stages
        }


def _told(workspace: Workspace, request: BackfillRequest, stage: StageName, piece: Period) -> dict[str, Any]:
    with _telling():
        try:
            return dict(do_piece(workspace, request, stage, piece, tunables_of(os.environ)))
        except ProofsNotAvailable as missing:
            return {NOT_AVAILABLE: missing.what}


def _added(total: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return total | more if NOT_AVAILABLE in more else dict(add_up(total, more))


def _pieces(request: BackfillRequest, stage: StageName) -> tuple[Period, ...]:
    return (request.period,) if stage in ("ingestion", "proofs") else list_pieces(request.period)


def _in_one_step(settings: Settings, steps: Steps, do: Callable[[Workspace, Payload, Period], StageDone]) -> Any:
    payload = steps.job.payload

    def told() -> dict[str, Any]:
        with _telling():
            start, end = _bounds(payload, _asked_on(steps.job))
            period = parse_period(start, end, is_forced=_is_forced(payload))
            done = do(_workspace(settings, steps), payload, period)
        return {"run_id": done.run.run_id if done.run else None, "is_reused": done.is_reused, **done.summary}

    return steps.step("run", told)


def _expected(workspace: Workspace, payload: Payload, period: Period) -> StageDone:
    limit = check_limit(payload.get("limit"), is_forced=_is_forced(payload))
    return build_expected(workspace, period, limit=limit, is_dry_run=payload.get("dry_run", False)).done


def _match(workspace: Workspace, payload: Payload, period: Period) -> StageDone:
    rules = match_rules(
        payload.get("auto_threshold", "0.80"),
        payload.get("min_conf", "0.50"),
        keeps_review=payload.get("persist_review", False),
    )
    return match_ads(workspace, period, rules, is_dry_run=payload.get("dry_run", False)).done


def _reconcile(workspace: Workspace, payload: Payload, period: Period) -> StageDone:
    tunables = tunables_of(os.environ)
    return reconcile_ads(workspace, period, tunables, is_dry_run=payload.get("dry_run", False)).done


def _tenants(connection: Connection) -> Sequence[str]:
    """Return the tenants that have records of their own in this book."""
    asked = select(publication.c.tenant).where(publication.c.book == BOOK, publication.c.leg == "own")
    return connection.scalars(asked.distinct().order_by(publication.c.tenant)).all()


def _ask_daily(connection: Connection, tenant: str, job: Job, *, now: datetime, random_bytes: RandomBytes) -> None:
    """Ask for the backfill of a tenant: the last days anew, for statements and late events that came since."""
    on = _asked_on(job)
    start, end = _bounds(job.payload, on)
    payload = {"from": start, "to": end, "dry_run": False, "force": True, "yes": True}
    key = f"{DAILY} {on} {job.job_id}"
    asked = JobRequest(BACKFILL, payload, queue=QUEUE, priority="low", idempotency_key=key, created_by="system:daily")
    submit(connection, tenant, asked, now=now, random_bytes=random_bytes)


def _workspace(settings: Settings, steps: Steps) -> Workspace:
    job = steps.job
    own = replace(settings, tenant=job.tenant, actor=job.created_by or "system:worker")
    return Workspace(own, Store(steps.state, Folders(settings.data_dir), job.tenant), steps.now)


def _asked_on(job: Job) -> date:
    """Return the day on which a job was asked for: the same in each attempt."""
    return job.created_us.astimezone(UTC).date()


def _is_forced(payload: Payload) -> bool:
    return bool(payload.get("force") and payload.get("yes"))


@contextmanager
def _telling() -> Iterator[None]:
    """What the asker has to mend is not mended by another attempt. Raises Hopeless in its place."""
    try:
        yield
    except TieoutError as error:
        if error.http_status < 500:
            raise Hopeless(f"{error} ({error.code})", subject=error.subject) from error
        raise
