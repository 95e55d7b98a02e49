"""Which processes there are: each worker has a numbered slot and shows by its heartbeat that it lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tieout.core.errors import TieoutError
from tieout.store.tables import worker

LOST_AFTER_S = 30.0
"""A heartbeat older than this is of a process that is gone, as far as others can know."""


class SlotTaken(TieoutError):
    """Another process has the slot: this one was silent for so long that it was held to be lost."""

    code = "slot_taken"
    http_status = 503


@dataclass(frozen=True)
class Process:
    """A process by its host, id and start, so that another that gets the same id is not taken for it."""

    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}"

    @property
    def is_gone(self) -> bool:
        """Whether it ended, as far as its own host can tell; another host never can."""
        return self.host == _host() and _start_of(self.pid) != self.started


@dataclass(frozen=True)
class Worker:
    """A row of `worker`; `is_alive` by its heartbeat."""

    slot: str
    process: str
    roles: tuple[str, ...]
    version: str
    started_us: datetime
    heartbeat_us: datetime
    idle_pct: int | None
    stopped_us: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it neither stopped nor fell silent."""
        return self.stopped_us is None and self.heartbeat_us > now - timedelta(seconds=LOST_AFTER_S)


def this_process() -> Process:
    """Return the process that asks."""
    pid = os.getpid()
    return Process(_host(), pid, _start_of(pid))


def take_slot(
    connection: Connection, role: str, process: Process, *, roles: Sequence[str], version: str, now: datetime
) -> tuple[str, bool]:
    """Take the first free slot, `role-1` and so on: new, stopped, or of a process that is gone.

    Returns its name, and whether the process that had it was lost.
    """
    for number in count(1):
        slot = f"{role}-{number}"
        row = connection.execute(select(worker).where(worker.c.slot == slot).with_for_update()).first()
        values = {
            "process": str(process),
            "roles": list(roles),
            "version": version,
            "started_us": now,
            "heartbeat_us": now,
            "idle_pct": None,
            "stopped_us": None,
        }
        if row is None:
            connection.execute(insert(worker).values(slot=slot, **values))
            return slot, False
        if _is_free(row, now):
            connection.execute(update(worker).where(worker.c.slot == slot).values(values))
            return slot, row.stopped_us is None
    raise AssertionError("unreachable")


def beat(connection: Connection, slot: str, process: Process, now: datetime, idle_ratio: float | None = None) -> None:
    """Show that the process lives. Raises SlotTaken."""
    mine = (worker.c.slot == slot, worker.c.process == str(process), worker.c.stopped_us.is_(None))
    values = {"heartbeat_us": now, "idle_pct": None if idle_ratio is None else round(idle_ratio * 100)}
    if connection.execute(update(worker).where(*mine).values(values)).rowcount != 1:
        raise SlotTaken(
            f"The slot {slot} belongs to another process now.",
            subject=slot,
            remedy="Nothing is lost; start the worker again. If this comes often, look for pauses of the machine.",
        )


def leave_slot(connection: Connection, slot: str, process: Process, now: datetime) -> None:
    """Say that the process stopped, so that its slot is free at once."""
    mine = (worker.c.slot == slot, worker.c.process == str(process))
    connection.execute(update(worker).where(*mine).values(stopped_us=now, heartbeat_us=now))


def list_workers(connection: Connection) -> list[Worker]:
    """List all slots that were ever taken."""
    rows = connection.execute(select(worker).order_by(worker.c.slot))
    return [Worker(**row._asdict() | {"roles": tuple(row.roles)}) for row in rows]


def read_process(text: str) -> Process:
    """Return the process that a row names."""
    host, pid, started = text.rsplit(":", 2)
    return Process(host, int(pid), started)


def _is_free(row: Row[Any], now: datetime) -> bool:
    if row.stopped_us is not None or row.heartbeat_us <= now - timedelta(seconds=LOST_AFTER_S):
        return True
    return read_process(row.process).is_gone


def _host() -> str:
    return socket.gethostname()


def _start_of(pid: int) -> str:
    """Return when a process of this host began, in ticks since its boot; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]  # a zombie does nothing any more
