"""One clock for all workers: that of the database server, so that hosts whose clocks differ agree on leases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select

from tieout.store.state import State


class SharedClock:
    """The time of the database, by this host's clock and how far it is off.

    On SQLite all processes are on one host and have its clock already.
    """

    def __init__(self, state: State, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self.ahead = timedelta()
        """How far the database is ahead of this host."""

    def __call__(self) -> datetime:
        return self._now() + self.ahead

    def set(self) -> None:
        """Ask the database for its time; the answer is taken to be of the middle of the question."""
        if not self._state.is_postgresql:
            return
        with self._state.reading() as connection:
            before = self._now()
            theirs: datetime = connection.scalars(select(func.clock_timestamp())).one()
            after = self._now()
        self.ahead = theirs - (before + (after - before) / 2)
