"""Schedules: each tick once, the record of how late, and what becomes of those that were missed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import func, select

from tests.work.builders import NOW, a_job, every
from tieout.store.tables import job, worker
from tieout.work.schedules.actions import (
    FULL,
    MISSED,
    PLATFORM,
    declare,
    fire_due,
    list_planned,
    list_ticks,
    run_now,
    run_scheduler,
)
from tieout.work.schedules.rules import MOST_TICKS, BadSchedule, Schedule, ScheduleUnknown

HOURLY = Schedule("hourly", "0 * * * *", "count", payload={"n": 1})
BERLIN = "Europe/Berlin"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def written(state, *schedules, now=NOW):
    every(state).write(lambda connection: declare(connection, schedules, now))


def fire(state, now, *, capacity=5000):
    return fire_due(state, now=now, random_bytes=os.urandom, capacity=capacity)


def jobs_in(state):
    with every(state).reading() as connection:
        return connection.scalar(select(func.count()).select_from(job))


def test_a_schedule_fires_when_it_is_due_and_records_how_late(state):
    written(state, HOURLY)
    assert fire(state, NOW + timedelta(minutes=59)) == []
    (tick,) = fire(state, NOW + timedelta(hours=1, seconds=2.5))
    assert (tick.due_us, tick.lag_ms, tick.skipped_because) == (NOW + timedelta(hours=1), 2500, None)
    assert fire(state, NOW + timedelta(hours=1, seconds=3)) == []
    with every(state).reading() as connection:
        made = connection.execute(select(job)).one()
        assert (made.job_id, made.tenant, made.kind, made.payload) == (tick.job_id, PLATFORM, "count", {"n": 1})
        assert list_ticks(connection, "hourly") == [tick]
        (planned,) = list_planned(connection)
    assert (planned.last_us, planned.next_us) == (tick.due_us, NOW + timedelta(hours=2))
    assert planned.last_lag_ms == 2500


def test_after_an_absence_the_latest_tick_fires_and_the_others_are_on_record(state):
    written(state, HOURLY)
    ticks = fire(state, NOW + timedelta(hours=3, minutes=30))
    assert [(tick.due_us.hour, tick.job_id is None, tick.skipped_because) for tick in ticks] == [
        (13, True, MISSED),
        (14, True, MISSED),
        (15, False, None),
    ]
    assert jobs_in(state) == 1


def test_of_a_long_absence_only_so_many_ticks_are_on_record(state):
    minutely = Schedule("minutely", "* * * * *", "count")
    written(state, minutely)
    ticks = fire(state, NOW + timedelta(minutes=MOST_TICKS + 200))
    assert len(ticks) == MOST_TICKS
    assert ticks[-1].due_us == NOW + timedelta(minutes=MOST_TICKS + 200)
    assert ticks[-1].job_id


def test_schedulers_that_fire_together_fire_each_tick_once(state):
    schedules = [Schedule(f"s{n}", "*/5 * * * *", "count") for n in range(4)]
    written(state, *schedules)
    start = Barrier(6)

    def race(_):
        start.wait()
        return len(fire(state, NOW + timedelta(minutes=5, seconds=1)))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(race, range(6))) == 4
    assert jobs_in(state) == 4


def test_a_full_queue_skips_the_tick_and_says_so(state):
    written(state, HOURLY)
    a_job(state, PLATFORM)
    (tick,) = fire(state, NOW + timedelta(hours=1), capacity=1)
    assert (tick.job_id, tick.skipped_because) == (None, FULL)
    (tick,) = fire(state, NOW + timedelta(hours=2), capacity=2)
    assert tick.job_id


def test_times_that_change_in_the_code_count_from_then_on(state):
    written(state, HOURLY, Schedule("daily", "0 3 * * *", "count"))
    changed = Schedule("hourly", "30 * * * *", "sum", payload=[2])
    written(state, changed, now=NOW + timedelta(minutes=10))
    with every(state).reading() as connection:
        (planned,) = list_planned(connection)  # the daily one is gone from the code, so from the table
    assert (planned.schedule, planned.next_us) == (changed, NOW + timedelta(minutes=30))
    written(state, Schedule("hourly", "30 * * * *", "sum", payload=[3]), now=NOW + timedelta(minutes=50))
    with every(state).reading() as connection:
        (planned,) = list_planned(connection)  # another payload, the same times
    assert (planned.schedule.payload, planned.next_us) == ([3], NOW + timedelta(minutes=30))


def test_a_schedule_that_is_off_does_not_fire(state):
    off = Schedule("hourly", "0 * * * *", "count", is_enabled=False)
    written(state, off)
    assert fire(state, NOW + timedelta(days=1)) == []


def test_a_schedule_can_be_run_now(state):
    written(state, HOURLY)
    given = {"now": NOW, "random_bytes": os.urandom, "created_by": "user:1"}
    for _ in range(2):  # each is a job of its own
        made = every(state).write(lambda connection: run_now(connection, "hourly", **given))
    assert (made.kind, made.created_by, made.idempotency_key, jobs_in(state)) == ("count", "user:1", None, 2)
    with pytest.raises(ScheduleUnknown):
        every(state).write(lambda connection: run_now(connection, "weekly", **given))


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 8 * * 1-5", "2026-03-27T07:00", "2026-03-27T07:30"),  # winter time
        ("30 8 * * 1-5", "2026-03-27T08:00", "2026-03-30T06:30"),  # Monday, in summer time
        ("30 2 * * *", "2026-03-29T00:00", "2026-03-29T01:00"),  # does not exist that night: the first moment after
        ("30 2 * * *", "2026-10-24T23:00", "2026-10-25T00:30"),  # comes twice that night
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),  # and counts once
    ],
)
def test_times_are_those_of_the_zone(cron, after, expected):
    assert Schedule("s", cron, "count", time_zone=BERLIN).next_after(at(after)) == at(expected)


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "*/15 * * * *", "5 1-3 * * *", "30 8 * * 1-5", "* * 1 11 *", "45 1 * * 0"]
)
@pytest.mark.parametrize(("first", "last"), [("2026-03-27T10:15", "2026-04-06T02:00"), ("2026-10-23", "2026-11-02")])
def test_what_is_due_is_what_comes_one_after_the_other(cron, zone, first, last):
    schedule = Schedule("s", cron, "count", time_zone=zone)
    ticks = []
    tick = following = schedule.next_after(at(first))
    while tick <= at(last):
        ticks.append(tick)
        tick = schedule.next_after(tick)
    assert schedule.due(following, at(last)) == (ticks[-MOST_TICKS:] or [following])


@pytest.mark.parametrize(
    "wrong", [{"cron": "x"}, {"cron": "* * * * * *"}, {"cron": "0 0 31 13 *"}, {"time_zone": "Mars"}]
)
def test_what_cannot_be_read_is_refused(wrong):
    with pytest.raises(BadSchedule):
        Schedule(**{"name": "s", "cron": "* * * * *", "kind": "count"} | wrong)


def test_the_loop_of_a_scheduler_fires_and_stops(state):
    stop = Event()
    instants = iter([NOW])
    clock = [NOW]

    def now():
        clock[0] = next(instants, clock[0] + timedelta(minutes=20))
        if jobs_in(state) >= 2:
            stop.set()
        return clock[0]

    # On PostgreSQL the time is the server's: a job a minute comes at once there when the table says that it was due.
    minutely = Schedule("minutely", "* * * * *", "count")
    written(state, minutely, now=NOW)
    if state.is_postgresql:
        run_briefly(state, minutely, stop)
    else:
        run_scheduler(state, [minutely], now=now, random_bytes=os.urandom, stop=stop, every_s=0)
        assert jobs_in(state) >= 2
    with every(state).reading() as connection:
        row = connection.execute(select(worker)).one()
    assert (row.slot, row.stopped_us is not None) == ("scheduler-1", True)


def run_briefly(state, schedule, stop):
    with ThreadPoolExecutor(1) as pool:
        given = {"now": lambda: datetime.now(UTC), "random_bytes": os.urandom, "stop": stop, "every_s": 0.05}
        running = pool.submit(run_scheduler, state, [schedule], **given)
        while jobs_in(state) < 1 and not running.done():
            stop.wait(0.02)
        stop.set()
        running.result(10)
