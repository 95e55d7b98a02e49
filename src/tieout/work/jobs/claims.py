"""Every statement of a worker: take jobs, keep them, give them back, end them.

A claim is a batch: its id is new each time, and what ends a job says whose it was, so that a worker that was held to be
lost changes nothing when it wakes up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    String,
    TextClause,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
    update,
)

from tieout.store.tables import Instant, job, queue_start
from tieout.work.jobs.rules import MAX_LOSSES, Job, Queue, Rate, Status
from tieout.work.jobs.store import FIELDS, as_job

SPARE = 4
"""So many times what is wanted is looked at, for workers that claim at the same moment skip each other's jobs."""

# Tenants by one look at the index each (a plain min() reads all that waits where the statistics are old); of each the
# first jobs; then the tenants take turns, he first who has least at work. `each_tenant` is how one database and the
# other spell "the first jobs of this tenant".
_CANDIDATES = """
with recursive waiting(tenant) as (
    select (select tenant from job where queue = :queue and status = 'waiting' order by tenant limit 1)
    union all
    select (
        select job.tenant from job where queue = :queue and status = 'waiting' and job.tenant > waiting.tenant
        order by job.tenant limit 1
    )
    from waiting where waiting.tenant is not null
),
busy as (
    select tenant, count(*) as jobs from job where queue = :queue and status = 'active' group by tenant
),
first_jobs as ({each_tenant})
select
    first_jobs.job_id, first_jobs.tenant
from first_jobs left join busy on busy.tenant = first_jobs.tenant
order by
    coalesce(busy.jobs, 0)
    + row_number() over (
        partition by first_jobs.tenant order by first_jobs.priority, first_jobs.due_us, first_jobs.job_id
    ),
    first_jobs.priority, first_jobs.due_us, first_jobs.job_id
limit :most
"""
_FIRST_OF_TENANT = """
    from job where queue = :queue and tenant = waiting.tenant and status = 'waiting' and due_us <= :now
    and kind in :kinds order by priority, due_us, job_id limit :of_each
"""
_ON_POSTGRESQL = f"""
    select one.* from waiting cross join lateral (select job_id, tenant, priority, due_us {_FIRST_OF_TENANT}) as one
    where waiting.tenant is not null
"""
# CROSS JOIN: SQLite then goes through the tenants first, and finds the jobs of each by their row ids.
_ON_SQLITE = f"""
    select one.job_id, one.tenant, one.priority, one.due_us
    from waiting cross join job as one on one.rowid in (select rowid {_FIRST_OF_TENANT})
    where waiting.tenant is not null
"""


@dataclass(frozen=True)
class Claim:
    """Who takes jobs, until when they are his, and what he can do."""

    slot: str
    batch_id: str
    now: datetime
    lease_s: float
    kinds: tuple[str, ...]
    at_most: int

    @property
    def until(self) -> datetime:
        return self.now + timedelta(seconds=self.lease_s)


def claim(connection: Connection, queue: str, limits: Queue, wanted: Claim) -> list[Job]:
    """Take due jobs of a queue, the tenants in turn, within its limits; the order is that in which to do them.

    Workers that claim from a queue with limits take turns, so that the limits are exact; others skip what a neighbour
    is taking.
    """
    most = min(wanted.at_most, limits.batch_size)
    of_each = most
    if limits.is_limited:
        _take_turns(connection, queue)
        most = min(most, _room(connection, queue, None, limits.concurrency, limits.rate, wanted.now))
        of_each = min(
            most, limits.concurrency_per_tenant or most, limits.rate_per_tenant.jobs if limits.rate_per_tenant else most
        )
    if most <= 0:
        return []
    cut = -1 if limits.is_limited else most * SPARE
    found = _candidates(connection, queue, wanted, of_each=of_each, most=cut)
    if limits.is_limited:
        found = _within(connection, queue, limits, wanted.now, found)[:most]
    taken = _take(connection, [job_id for job_id, _ in found], wanted, most)
    if limits.rate or limits.rate_per_tenant:
        _note_starts(connection, queue, wanted, taken, limits)
    return taken


def queues_with_due(connection: Connection, queues: Sequence[str], now: datetime) -> set[str]:
    """Return those of the queues in which a job is due; a look that takes no lock."""
    due = [
        select(literal(1))
        .where(job.c.queue == queue, job.c.status == _literal("waiting"), job.c.due_us <= now)
        .exists()
        .label(f"queue_{number}")
        for number, queue in enumerate(queues)
    ]
    row = connection.execute(select(*due)).one() if due else ()
    return {queue for queue, is_due in zip(queues, row, strict=True) if is_due}


def renew(connection: Connection, slot: str, batches: Sequence[str], until: datetime) -> None:
    """Keep what the slot holds; rows that a batch is just ending are left to it."""
    if not batches:
        return
    held = _unlocked(
        connection,
        select(job.c.job_id).where(job.c.status == "active", job.c.claimed_by == slot, job.c.batch_id.in_(batches)),
    )
    connection.execute(update(job).where(job.c.job_id.in_(held)).values(claimed_until_us=until))


def take_back_lost(connection: Connection, now: datetime) -> int:
    """Let the jobs wait again whose worker kept them no longer; return how many.

    Those that lost MAX_LOSSES workers fail, for they may be what ends the workers.
    """
    return _take_back(connection, now, job.c.claimed_until_us < now)


def take_back_from(connection: Connection, slot: str, now: datetime) -> int:
    """Let the jobs of a slot wait again at once, where it is known that the process that held them is gone."""
    return _take_back(connection, now, job.c.claimed_by == slot)


def hand_back(connection: Connection, batch_id: str, now: datetime, *, is_loss: bool = False) -> int:
    """Let what a batch still holds wait again, as if it had not begun; return how many."""
    if is_loss:
        return _take_back(connection, now, job.c.batch_id == batch_id)
    held = _held(batch_id)
    values = _released() | {
        "status": case((job.c.is_cancel_asked, "canceled"), else_="waiting"),
        "finished_us": case((job.c.is_cancel_asked, literal(now, Instant)), else_=null()),
        "attempts": job.c.attempts - 1,
        "due_us": now,
    }
    return connection.execute(update(job).where(*held).values(values)).rowcount


def hold(connection: Connection, batch_id: str, job_ids: Sequence[str]) -> dict[str, bool]:
    """Lock the jobs that are still the batch's; return their ids, and whether somebody asked to cancel each."""
    statement = select(job.c.job_id, job.c.is_cancel_asked).where(*_held(batch_id), _is_one_of(connection, job_ids))
    return {row.job_id: row.is_cancel_asked for row in connection.execute(statement.with_for_update())}


def find_held(connection: Connection, batch_id: str, job_id: str) -> Job | None:
    """Return the job if it is still the batch's."""
    row = connection.execute(select(*FIELDS).where(*_held(batch_id), job.c.job_id == job_id)).first()
    return None if row is None else as_job(row)


def finish(connection: Connection, batch_id: str, job_ids: Sequence[str], now: datetime) -> int:
    """Mark jobs of the batch as done without a result; return how many were still its own."""
    statement = update(job).where(*_held(batch_id), _is_one_of(connection, job_ids))
    return connection.execute(statement.values(_done(now) | {"result": None})).rowcount


def finish_with(connection: Connection, batch_id: str, results: Mapping[str, Any], now: datetime) -> int:
    """Mark jobs of the batch as done, each with its result; return how many were still its own."""
    statement = (
        update(job)
        .where(*_held(batch_id), job.c.job_id == bindparam("the_job"))
        .values(_done(now) | {"result": bindparam("the_result")})
    )
    rows = [{"the_job": job_id, "the_result": result} for job_id, result in results.items()]
    return connection.execute(statement, rows).rowcount if rows else 0


def fail(
    connection: Connection, batch_id: str, job_id: str, error: str, *, now: datetime, again: datetime | None
) -> bool:
    """End an attempt of a job of the batch: it waits until `again`, or is a dead letter; say whether it was its own."""
    if again is None:
        ends = {"status": case((job.c.is_cancel_asked, "canceled"), else_="failed"), "finished_us": now}
    else:
        ends = _released() | {
            "status": case((job.c.is_cancel_asked, "canceled"), else_="waiting"),
            "finished_us": case((job.c.is_cancel_asked, literal(now, Instant)), else_=null()),
            "due_us": again,
        }
    statement = update(job).where(*_held(batch_id), job.c.job_id == job_id)
    return connection.execute(statement.values(ends | {"claimed_until_us": None, "last_error": error})).rowcount == 1


def cancel_held(connection: Connection, batch_id: str, job_ids: Sequence[str], now: datetime) -> int:
    """Cancel jobs of the batch."""
    statement = update(job).where(*_held(batch_id), _is_one_of(connection, job_ids))
    return connection.execute(statement.values(status="canceled", finished_us=now, claimed_until_us=None)).rowcount


def forget_starts(connection: Connection, queue: str, before: datetime) -> None:
    """Delete what a limit of rate no longer looks at."""
    connection.execute(delete(queue_start).where(queue_start.c.queue == queue, queue_start.c.at_us <= before))


def _candidates(connection: Connection, queue: str, wanted: Claim, *, of_each: int, most: int) -> list[tuple[str, str]]:
    is_postgresql = connection.dialect.name == "postgresql"
    given = {"queue": queue, "now": wanted.now, "kinds": wanted.kinds, "of_each": of_each}
    given["most"] = None if most < 0 and is_postgresql else most  # "no limit" is spelt -1 by one and null by the other
    rows = connection.execute(_POSTGRESQL if is_postgresql else _SQLITE, given)
    return [(job_id, tenant) for job_id, tenant in rows]


def _candidate_statement(each_tenant: str) -> TextClause:
    return text(_CANDIDATES.format(each_tenant=each_tenant)).bindparams(
        bindparam("now", type_=Instant), bindparam("kinds", expanding=True)
    )


_POSTGRESQL = _candidate_statement(_ON_POSTGRESQL)
_SQLITE = _candidate_statement(_ON_SQLITE)


def _take(connection: Connection, job_ids: Sequence[str], wanted: Claim, most: int) -> list[Job]:
    if not job_ids:
        return []
    is_chosen: ColumnElement[bool]
    if connection.dialect.name == "postgresql":
        ids = bindparam("ids", list(job_ids), ARRAY(String))
        chosen = (
            select(job.c.job_id)
            .where(job.c.job_id == any_(ids), job.c.status == "waiting")
            .order_by(func.array_position(ids, job.c.job_id))
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("chosen")  # a plain subquery may be run once per row, and then finds others than it locked first
        )
        is_chosen = job.c.job_id.in_(select(chosen.c.job_id))
    else:
        is_chosen = _is_one_of(connection, job_ids[:most])
    statement = (
        update(job)
        .where(is_chosen)
        .values(
            status="active",
            claimed_by=wanted.slot,
            batch_id=wanted.batch_id,
            claimed_until_us=wanted.until,
            started_us=wanted.now,
            attempts=job.c.attempts + 1,
        )
        .returning(*FIELDS)
    )
    place = {job_id: number for number, job_id in enumerate(job_ids)}
    taken = [as_job(row) for row in connection.execute(statement)]
    return sorted(taken, key=lambda one: place[one.job_id])


def _within(
    connection: Connection, queue: str, limits: Queue, now: datetime, found: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the candidates that the limits of their tenants leave."""
    if limits.concurrency_per_tenant is None and limits.rate_per_tenant is None:
        return list(found)
    rooms = {
        tenant: _room(connection, queue, tenant, limits.concurrency_per_tenant, limits.rate_per_tenant, now)
        for tenant in {tenant for _, tenant in found}
    }
    kept = []
    for job_id, tenant in found:
        if rooms[tenant] > 0:
            rooms[tenant] -= 1
            kept.append((job_id, tenant))
    return kept


def _room(
    connection: Connection, queue: str, tenant: str | None, concurrency: int | None, rate: Rate | None, now: datetime
) -> int:
    """Return how many more jobs of the queue, or of the tenant in it, may begin now."""
    room = 2**31 - 1
    if concurrency is not None:
        active = select(func.count()).where(job.c.queue == queue, job.c.status == _literal("active"))
        active = active if tenant is None else active.where(job.c.tenant == tenant)
        room = min(room, concurrency - (connection.scalar(active) or 0))
    if rate is not None:
        since = now - timedelta(seconds=rate.seconds)
        begun = select(func.coalesce(func.sum(queue_start.c.jobs), 0)).where(
            queue_start.c.queue == queue, queue_start.c.at_us > since
        )
        begun = begun if tenant is None else begun.where(queue_start.c.tenant == tenant)
        room = min(room, rate.jobs - int(connection.scalar(begun) or 0))
    return room


def _note_starts(connection: Connection, queue: str, wanted: Claim, taken: Sequence[Job], limits: Queue) -> None:
    longest_s = max(rate.seconds for rate in (limits.rate, limits.rate_per_tenant) if rate is not None)
    forget_starts(connection, queue, wanted.now - timedelta(seconds=longest_s))
    rows = [
        {"queue": queue, "tenant": tenant, "batch_id": wanted.batch_id, "at_us": wanted.now, "jobs": jobs}
        for tenant, jobs in Counter(one.tenant for one in taken).items()
    ]
    if rows:
        connection.execute(insert(queue_start), rows)


def _take_turns(connection: Connection, queue: str) -> None:
    # SQLite's writers take turns anyway.
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(blake2b(f"tieout.queue.{queue}".encode(), digest_size=8).digest(), "big", signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def _take_back(connection: Connection, now: datetime, which: ColumnElement[bool]) -> int:
    lost = _unlocked(connection, select(job.c.job_id).where(job.c.status == _literal("active"), which))
    is_at_its_end = job.c.losses + 1 >= MAX_LOSSES
    values = _released() | {
        "status": case((job.c.is_cancel_asked, "canceled"), (is_at_its_end, "failed"), else_="waiting"),
        "finished_us": case((job.c.is_cancel_asked | is_at_its_end, literal(now, Instant)), else_=null()),
        "losses": job.c.losses + 1,
        "attempts": job.c.attempts - 1,
        "due_us": now,
        "last_error": case(
            (is_at_its_end, f"Its worker was lost {MAX_LOSSES} times, so the job itself may be the cause."),
            else_=job.c.last_error,
        ),
    }
    return connection.execute(update(job).where(job.c.job_id.in_(lost)).values(values)).rowcount


def _unlocked(connection: Connection, statement: Select[Any]) -> Select[Any]:
    return statement.with_for_update(skip_locked=True) if connection.dialect.name == "postgresql" else statement


def _held(batch_id: str) -> tuple[ColumnElement[bool], ...]:
    return (job.c.batch_id == batch_id, job.c.status == _literal("active"))


def _is_one_of(connection: Connection, job_ids: Sequence[str]) -> ColumnElement[bool]:
    # One parameter however many they are: the statement stays the same, and SQLite's limit of parameters is far.
    if connection.dialect.name == "postgresql":
        return job.c.job_id == any_(bindparam(None, list(job_ids), ARRAY(String)))
    listed = func.json_each(json.dumps(list(job_ids))).table_valued("value")
    return job.c.job_id.in_(select(listed.c.value))


def _literal(status: Status) -> ColumnElement[str]:
    # Spelt out, for a partial index is used only where the statement itself says so.
    return literal_column(f"'{status}'")


def _released() -> dict[str, Any]:
    return {"claimed_by": None, "batch_id": None, "claimed_until_us": None}


def _done(now: datetime) -> dict[str, Any]:
    return {"status": "done", "finished_us": now, "claimed_until_us": None}
