"""Every statement on schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from tieout.store.tables import schedule, schedule_tick


def lock(connection: Connection, name: str) -> Row[Any] | None:
    """Return a schedule's row, which no other transaction changes until this one ends."""
    return connection.execute(select(schedule).where(schedule.c.name == name).with_for_update()).first()


def find(connection: Connection, name: str) -> Row[Any] | None:
    """Return a schedule's row."""
    return connection.execute(select(schedule).where(schedule.c.name == name)).first()


def list_due(connection: Connection, now: datetime) -> list[str]:
    """List the schedules that are due."""
    due = select(schedule.c.name).where(schedule.c.is_enabled, schedule.c.next_us <= now).order_by(schedule.c.next_us)
    return list(connection.scalars(due))


def list_all(connection: Connection) -> list[Row[Any]]:
    """List the schedules as they stand."""
    return list(connection.execute(select(schedule).order_by(schedule.c.name)))


def add(connection: Connection, values: dict[str, Any]) -> None:
    """Add a schedule."""
    connection.execute(insert(schedule).values(values))


def change(connection: Connection, name: str, values: dict[str, Any]) -> None:
    """Change a schedule."""
    connection.execute(update(schedule).where(schedule.c.name == name).values(values))


def remove(connection: Connection, name: str) -> None:
    """Remove a schedule; its ticks stay on record."""
    connection.execute(delete(schedule).where(schedule.c.name == name))


def add_ticks(connection: Connection, ticks: list[dict[str, Any]]) -> None:
    """Record ticks."""
    connection.execute(insert(schedule_tick), ticks)


def list_ticks(connection: Connection, name: str, limit: int) -> list[Row[Any]]:
    """List the ticks of a schedule, the latest first."""
    ticks = select(schedule_tick).where(schedule_tick.c.name == name).order_by(schedule_tick.c.due_us.desc())
    return list(connection.execute(ticks.limit(limit)))


def purge_ticks(connection: Connection, before: datetime) -> int:
    """Delete the record of ticks that were due before an instant; return how many."""
    return connection.execute(delete(schedule_tick).where(schedule_tick.c.due_us < before)).rowcount
