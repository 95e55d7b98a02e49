"""What is done with schedules: write them down, fire what is due, run one now, tell how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from tieout import __version__
from tieout.core import metrics
from tieout.core.ids import RandomBytes
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State, StateUnavailable
from tieout.work import slots
from tieout.work.clock import SharedClock
from tieout.work.jobs.actions import submit
from tieout.work.jobs.rules import CAPACITY, Job, JobRequest, QueueFull
from tieout.work.schedules import store
from tieout.work.schedules.rules import Schedule, ScheduleUnknown

PLATFORM = "superadmin"
"""The tenant whose jobs are those of the platform itself."""

MISSED = "a later tick was due as well"
FULL = "the queue is full"
KEEP_TICKS = timedelta(days=400)

_log = structlog.get_logger("tieout.work")


@dataclass(frozen=True)
class Planned:
    """A schedule as it stands: when it comes next, when it came last, and how late that was."""

    schedule: Schedule
    next_us: datetime
    last_us: datetime | None
    last_lag_ms: int | None


@dataclass(frozen=True)
class Tick:
    """A time that a schedule was due: the job it made, or why none."""

    name: str
    due_us: datetime
    fired_us: datetime
    lag_ms: int
    job_id: str | None
    skipped_because: str | None


def declare(connection: Connection, schedules: Sequence[Schedule], now: datetime) -> None:
    """Write down the schedules that the code declares, so that every process knows them.

    One whose times changed is due by its new times from now on; one that the code has no more is removed.
    """
    written = {row.name: row for row in store.list_all(connection)}
    for each in schedules:
        row = written.pop(each.name, None)
        if row is None:
            store.add(connection, vars(each) | {"next_us": each.next_after(now), "last_us": None})
            continue
        before = _schedule(row)
        if (before.cron, before.time_zone, before.is_enabled) != (each.cron, each.time_zone, each.is_enabled):
            store.change(connection, each.name, {"next_us": each.next_after(now)})
        if before != each:
            store.change(connection, each.name, vars(each))
    for name in written:
        store.remove(connection, name)


def fire_due(state: State, *, now: datetime, random_bytes: RandomBytes, capacity: int = CAPACITY) -> list[Tick]:
    """Submit the job of each schedule that is due and return the ticks.

    The row of a schedule is locked while it fires, and the tick is its job's idempotency key, so that schedulers that
    do this at once fire each tick once. After an absence the latest tick fires, and the others are recorded as skipped.
    """
    everyone = state.of(EVERY_TENANT)
    with everyone.reading() as connection:
        names = store.list_due(connection, now)
    ticks: list[Tick] = []
    for name in names:
        ticks += everyone.write(partial(_fire, name=name, now=now, random_bytes=random_bytes, capacity=capacity))
    return ticks


def run_now(
    connection: Connection, name: str, *, now: datetime, random_bytes: RandomBytes, created_by: str | None = None
) -> Job:
    """Submit the job of a schedule at once; its times stay as they are. Raises ScheduleUnknown."""
    asked = _request(get_schedule(connection, name), created_by=created_by)
    return submit(connection, PLATFORM, asked, now=now, random_bytes=random_bytes)


def get_schedule(connection: Connection, name: str) -> Schedule:
    """Return the schedule of a name. Raises ScheduleUnknown."""
    row = store.find(connection, name)
    if row is None:
        raise ScheduleUnknown(
            f"There is no schedule {name[:50]!r}.",
            subject=name[:50],
            remedy="`tieout schedule list` names those there are; a scheduler writes them down when it begins.",
        )
    return _schedule(row)


def list_planned(connection: Connection) -> list[Planned]:
    """List the schedules by name, with what became of them."""
    found = []
    for row in store.list_all(connection):
        ticks = store.list_ticks(connection, row.name, 1)
        found.append(Planned(_schedule(row), row.next_us, row.last_us, ticks[0].lag_ms if ticks else None))
    return found


def list_ticks(connection: Connection, name: str, limit: int = 20) -> list[Tick]:
    """List the times that a schedule was due, the latest first."""
    return [Tick(**row._asdict()) for row in store.list_ticks(connection, name, limit)]


def run_scheduler(
    state: State,
    schedules: Sequence[Schedule],
    *,
    now: Callable[[], datetime],
    random_bytes: RandomBytes,
    stop: Event,
    every_s: float = 1.0,
    capacity: int = CAPACITY,
) -> None:
    """Fire what is due until `stop` is set; any number of processes may do this at once."""
    everyone = state.of(EVERY_TENANT)
    clock = SharedClock(everyone, now)
    process = slots.this_process()
    slot = ""

    def begin(connection: Connection) -> str:
        declare(connection, schedules, clock())
        return slots.take_slot(
            connection, "scheduler", process, roles=("scheduler",), version=__version__, now=clock()
        )[0]

    while not stop.is_set():
        try:
            clock.set()
            if not slot:
                slot = everyone.write(begin)
            everyone.write(partial(slots.beat, slot=slot, process=process, now=clock()))
            fire_due(state, now=clock(), random_bytes=random_bytes, capacity=capacity)
        except StateUnavailable as error:
            _log.warning("Scheduler waits for the state database", error=str(error))
        except slots.SlotTaken:
            slot = ""
        stop.wait(every_s)
    if slot:
        try:
            everyone.write(partial(slots.leave_slot, slot=slot, process=process, now=clock()))
        except StateUnavailable as error:
            _log.warning("Scheduler stopped without a word", error=str(error))


def _fire(connection: Connection, name: str, now: datetime, random_bytes: RandomBytes, capacity: int) -> list[Tick]:
    row = store.lock(connection, name)
    if row is None or not row.is_enabled or row.next_us > now:  # another scheduler was here first
        return []
    schedule = _schedule(row)
    *missed, latest = schedule.due(row.next_us, now)
    job_id, why = None, None
    try:
        asked = _request(schedule, due=latest)
        job_id = submit(connection, PLATFORM, asked, now=now, random_bytes=random_bytes, capacity=capacity).job_id
    except QueueFull:
        why = FULL
        _log.error("Schedule skipped", schedule=schedule.name, reason=why)
    ticks = [_tick(schedule, due, now, None, MISSED) for due in missed] + [_tick(schedule, latest, now, job_id, why)]
    metrics.SCHEDULE_TICKS.labels("fired" if job_id else "skipped").inc()
    metrics.SCHEDULE_LAG.observe(max(0.0, (now - latest).total_seconds()))
    store.add_ticks(connection, [vars(tick) for tick in ticks])
    store.change(connection, schedule.name, {"next_us": schedule.next_after(now), "last_us": latest})
    store.purge_ticks(connection, now - KEEP_TICKS)
    return ticks


def _tick(schedule: Schedule, due: datetime, now: datetime, job_id: str | None, why: str | None) -> Tick:
    return Tick(schedule.name, due, now, (now - due) // timedelta(milliseconds=1), job_id, why)


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(**{name: getattr(row, name) for name in Schedule.__dataclass_fields__})


def _request(schedule: Schedule, *, due: datetime | None = None, created_by: str | None = None) -> JobRequest:
    return JobRequest(
        schedule.kind,
        schedule.payload,
        queue=schedule.queue,
        priority=schedule.priority,
        idempotency_key=None if due is None else f"{schedule.name}@{due.isoformat()}",
        created_by=created_by or "system:scheduler",
    )
