"""When a schedule is due; no clock, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tieout.core.errors import TieoutError
from tieout.work.jobs.rules import Priority

MOST_TICKS = 1000
"""So many ticks are looked through at once; of a longer absence the rest is skipped without a record of each."""


class BadSchedule(TieoutError):
    """A schedule has a cron expression or a time zone that cannot be read."""

    code = "bad_schedule"


class ScheduleUnknown(TieoutError):
    """No schedule has this name."""

    code = "schedule_unknown"
    http_status = 404


@dataclass(frozen=True)
class Schedule:
    """What is submitted when: `cron` has five fields and is read in `time_zone` (IANA name).

    Where clocks go forward, a time that does not exist comes at the first moment after; where they go back, a time
    that comes twice counts once for a fixed hour, and each time for `*`.
    """

    name: str
    cron: str
    kind: str
    time_zone: str = "UTC"
    queue: str = "default"
    priority: Priority = "normal"
    payload: Any = field(default_factory=dict)
    is_enabled: bool = True

    def __post_init__(self) -> None:
        from croniter import croniter  # noqa: PLC0415 - 30 ms

        if len(self.cron.split()) != 5 or not croniter.is_valid(self.cron):
            raise BadSchedule(f"The schedule {self.name} has the cron expression {self.cron!r}.", subject=self.name)
        _zone(self.name, self.time_zone)

    def next_after(self, instant: datetime) -> datetime:
        """Return the first tick after an instant."""
        from croniter import croniter  # noqa: PLC0415

        zone = _zone(self.name, self.time_zone)
        ticks = croniter(self.cron, instant.astimezone(zone))
        following: datetime = ticks.get_next(datetime).astimezone(UTC)
        while self._is_second_time(following.astimezone(zone)):
            following = ticks.get_next(datetime).astimezone(UTC)
        return following

    def due(self, following: datetime, now: datetime) -> list[datetime]:
        """Return the ticks from `following` to `now`, the oldest first; at most MOST_TICKS, the latest.

        They are looked for from now backwards, so that a year of absence takes no longer than a day.
        """
        from croniter import croniter  # noqa: PLC0415

        zone = _zone(self.name, self.time_zone)
        before = croniter(self.cron, (now + timedelta(minutes=1)).astimezone(zone))  # for a tick may be now
        found: list[datetime] = []
        while len(found) < MOST_TICKS:
            tick: datetime = before.get_prev(datetime).astimezone(UTC)
            if tick < following:
                break
            if tick <= now and not self._is_second_time(tick.astimezone(zone)):
                found.append(tick)
        return found[::-1] or [following]

    def _is_second_time(self, local: datetime) -> bool:
        return local.fold == 1 and not self.cron.split()[1].startswith("*")


@lru_cache(maxsize=64)
def _zone(name: str, time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSchedule(
            f"The schedule {name} has the time zone {time_zone!r}, which is not known.",
            subject=name,
            remedy="Use an IANA name such as Europe/Berlin.",
        ) from error
