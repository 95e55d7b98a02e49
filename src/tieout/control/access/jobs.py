"""What access does by itself: delete refresh tokens that have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.access.store import refresh_tokens
from tieout.core.ids import RandomBytes
from tieout.work.jobs import actions
from tieout.work.jobs.kinds import Items, Kind
from tieout.work.jobs.rules import Job, JobRequest
from tieout.work.schedules.actions import PLATFORM
from tieout.work.schedules.rules import Schedule

DROP_ENDED = "access.drop_ended_tokens"
AT_ONCE = 5000
SCHEDULES = (Schedule("ended-tokens", "43 3 * * *", DROP_ENDED, priority="low"),)


def kinds(*, now: Callable[[], datetime], random_bytes: RandomBytes) -> dict[str, Kind]:
    """Return the kinds of jobs of access."""

    def drop_ended(connection: Connection, _jobs: Sequence[Job]) -> None:
        dropped = refresh_tokens.delete_ended(connection, before=now(), at_most=AT_ONCE)
        if dropped >= AT_ONCE:  # in a transaction of its own, so that none is long
            again = JobRequest(DROP_ENDED, {}, priority="low")
            actions.submit(connection, PLATFORM, again, now=now(), random_bytes=random_bytes)

    return {DROP_ENDED: Items(drop_ended, is_of_platform=True)}
