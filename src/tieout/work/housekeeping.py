"""What the platform does by itself: delete jobs that ended long ago, and events that everybody had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tieout.core.ids import RandomBytes
from tieout.core.settings import Settings
from tieout.work.jobs import actions
from tieout.work.jobs.kinds import Items, Kind
from tieout.work.jobs.rules import Job, JobRequest
from tieout.work.outbox import actions as outbox
from tieout.work.schedules.actions import PLATFORM
from tieout.work.schedules.rules import Schedule

RETENTION = "platform.retention"
AT_ONCE = 5000
SCHEDULES = (Schedule("retention", "17 * * * *", RETENTION, priority="low"),)


def kinds(settings: Settings, *, now: Callable[[], datetime], random_bytes: RandomBytes) -> dict[str, Kind]:
    """Return the platform's own kinds of jobs."""

    def retain(connection: Connection, _jobs: Sequence[Job]) -> None:
        deleted = actions.purge(
            connection,
            now=now(),
            done_after=timedelta(days=settings.job_retention_days),
            failed_after=timedelta(days=settings.dead_letter_days),
            at_most=AT_ONCE,
        )
        had = outbox.purge(connection, now() - timedelta(days=settings.event_retention_days), AT_ONCE)
        if max(deleted, had) >= AT_ONCE:  # in a transaction of its own, so that none is long
            again = JobRequest(RETENTION, {}, priority="low")
            actions.submit(connection, PLATFORM, again, now=now(), random_bytes=random_bytes)

    return {RETENTION: Items(retain, is_of_platform=True)}
