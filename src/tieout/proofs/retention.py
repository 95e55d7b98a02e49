"""Letting go of what was sealed long ago: the records go, the log and what leads to a monthly digest stay.

A log is append-only and its tiles are hashes, so they always stay, and a day whose records went is still held against
them. The row of a day, its root and signature, goes only where nothing that is kept leads over it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, delete, insert, select

from tieout.proofs.desk import Desk, SealedDay
from tieout.store.folders import fsync, storing
from tieout.store.tables import proofs_daily_roots, proofs_monthly_digest, proofs_records_dropped


@dataclass(frozen=True)
class OldSeals:
    """Seals of days before a date: those whose records go, and those of which nothing is needed any more.

    `held` counts all seals that there are, `of_needed_days` those whose records somebody needs, and `of_digests` those
    whose root stays because a monthly digest or the end of the log rests on it.
    """

    records: tuple[SealedDay, ...]
    rows: tuple[SealedDay, ...]
    held: int
    of_needed_days: int
    of_digests: int

    @property
    def every(self) -> tuple[SealedDay, ...]:
        """All of which something goes."""
        return (*self.records, *self.rows)


def find_old(desk: Desk, cutoff: date, needed: Collection[date]) -> OldSeals:
    """Return the seals of days before `cutoff`; the latest of each day of `needed` keeps its records."""
    seals = desk.list_seals()
    latest = {one.day: one.first_leaf for one in seals}
    rested_on = _leaves_of_months(desk) | {one.last_leaf for one in seals[-1:]}
    records: list[SealedDay] = []
    rows: list[SealedDay] = []
    of_needed_days = of_digests = 0
    for one in seals:
        if one.day >= cutoff:
            continue
        is_needed = one.day in needed and latest[one.day] == one.first_leaf
        of_needed_days += is_needed
        if is_needed:
            continue
        if one.last_leaf not in rested_on:
            rows.append(one)
            continue
        of_digests += 1
        if one.records_dropped_at is None or desk.leaf_file(one.first_leaf).exists():
            records.append(one)
    return OldSeals(tuple(records), tuple(rows), len(seals), of_needed_days, of_digests)


def count_bytes(desk: Desk, seals: Iterable[SealedDay]) -> int:
    """Return how many bytes the records of seals have."""
    places = (desk.leaf_file(one.first_leaf) for one in seals)
    return sum(place.stat().st_size for place in places if place.exists())


def let_go(desk: Desk, old: OldSeals, tell: Callable[[Connection], None]) -> None:
    """Let the records go, then the rows; `tell` is called in the transaction that says so first.

    Whenever the process dies, what is left is said to have gone, and the next time it does.
    """
    key = {"tenant": desk.store.tenant, "book": desk.book}
    fresh = [
        key | {"first_leaf": one.first_leaf, "dropped_us": desk.now()}
        for one in old.every
        if one.records_dropped_at is None
    ]

    def say(connection: Connection) -> None:
        if fresh:
            connection.execute(insert(proofs_records_dropped), fresh)
        tell(connection)

    desk.store.state.write(say)
    with storing("what retention leaves"):
        for one in old.every:
            desk.leaf_file(one.first_leaf).unlink(missing_ok=True)
        fsync(desk.leaf_file(0).parent)
    gone = [one.first_leaf for one in old.rows]

    def forget(connection: Connection) -> None:
        for table in (proofs_records_dropped, proofs_daily_roots):
            is_own = (table.c.tenant == desk.store.tenant) & (table.c.book == desk.book)
            connection.execute(delete(table).where(is_own, table.c.first_leaf.in_(gone)))

    desk.store.state.write(forget)


def _leaves_of_months(desk: Desk) -> set[int]:
    table = proofs_monthly_digest
    asked = select(table.c.day_leaves).where(table.c.tenant == desk.store.tenant, table.c.book == desk.book)
    with desk.store.state.reading() as connection:
        return {leaf for leaves in connection.scalars(asked) for leaf in leaves}
