"""Every statement on jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    case,
    delete,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from tieout.store.tables import Instant, job
from tieout.store.tables.columns import micros
from tieout.work.jobs.rules import Depth, Job, Status

_INSERT_RECORDS = text(
    "insert into job select * from json_populate_recordset(null::job, :rows) where tenant = :tenant"
    " on conflict do nothing returning job_id"
).bindparams(bindparam("rows", type_=JSON))
FIELDS = tuple(job.c[name] for name in Job.__dataclass_fields__)


def insert_one(connection: Connection, values: Mapping[str, Any], *, capacity: int) -> bool:
    """Add a job unless its key is taken or `capacity` jobs of its tenant wait in its queue; say whether it was added.

    One statement, so that accepting a job costs one round trip.
    """
    given = {f"new_{name}": value for name, value in values.items()}
    statement = _insert_if_room(connection.dialect.name)
    return connection.execute(statement, {**given, "capacity": capacity}).first() is not None


@cache
def _insert_if_room(dialect: str) -> ReturningInsert[tuple[str]]:
    # Built once: to build it anew for each job took longer than to run it.
    new = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in job.c}
    capacity = bindparam("capacity", type_=Integer)
    room = waiting_up_to(new["queue"], new["tenant"], capacity) < capacity
    statement = _unless_taken(dialect).from_select(list(job.c), select(*new.values()).where(room))
    return statement.returning(job.c.job_id)


def insert_many(connection: Connection, tenant: str, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Add jobs of `tenant`, leaving out those whose key is taken, and return the ids of those added."""
    if connection.dialect.name == "postgresql":
        # One parameter: as 24 for each row, the driver's search for them took five times as long as the insert.
        records = [_as_record(row) for row in rows]
        return set(connection.scalars(_INSERT_RECORDS, {"rows": records, "tenant": tenant}))
    statement = _unless_taken(connection.dialect.name).returning(job.c.job_id)
    return set(connection.scalars(statement, list(rows)))


def waiting_up_to(
    queue: str | BindParameter[str], tenant: str | BindParameter[str], at_most: int | BindParameter[int]
) -> ColumnElement[int]:
    """Return how many jobs of a tenant wait in a queue; it stops counting at `at_most`."""
    seen = (
        select(literal(1).label("one"))
        .where(job.c.queue == queue, job.c.tenant == tenant, job.c.status == literal("waiting", literal_execute=True))
        .limit(at_most)
        .subquery()
    )
    return select(func.count()).select_from(seen).scalar_subquery()


def count_waiting(connection: Connection, queue: str, tenant: str, *, at_most: int) -> int:
    """Return how many jobs of a tenant wait in a queue; it stops counting at `at_most`."""
    return connection.scalar(select(waiting_up_to(queue, tenant, at_most))) or 0


def find_by_key(connection: Connection, tenant: str, kind: str, key: str) -> Job | None:
    """Return the job that an idempotency key stands for."""
    return _one(
        connection,
        select(*FIELDS).where(job.c.tenant == tenant, job.c.kind == kind, job.c.idempotency_key == key),
    )


def find(connection: Connection, tenant: str | None, job_id: str) -> Job | None:
    """Return the job, which must be the tenant's where one is given."""
    return _one(connection, select(*FIELDS).where(job.c.job_id == job_id, *of_tenant(tenant)))


def of_tenant(tenant: str | None) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a row is the tenant's; None stands for every tenant."""
    return () if tenant is None else (job.c.tenant == tenant,)


def as_job(row: Row[Any]) -> Job:
    """Return the job that a row of FIELDS holds."""
    values: tuple[Any, ...] = tuple(row)
    return Job(*values)


def _as_record(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: micros(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _one(connection: Connection, statement: Select[Any]) -> Job | None:
    row = connection.execute(statement).first()
    return None if row is None else as_job(row)


def _unless_taken(dialect: str) -> postgresql.Insert | sqlite.Insert:
    # Without a named conflict: the partial unique index of keys is the only one that a new id can meet. PostgreSQL
    # waits here for a transaction that holds the same key, so that what the loser reads next is the winner's job.
    if dialect == "postgresql":
        return postgresql.insert(job).on_conflict_do_nothing()
    return sqlite.insert(job).on_conflict_do_nothing()


def list_jobs(
    connection: Connection, tenant: str | None, *, status: str | None, queue: str | None, before: str | None, limit: int
) -> list[Job]:
    """List jobs, the newest first; `before` is the id of the last one that was seen."""
    statement = select(*FIELDS).where(*of_tenant(tenant))
    if status is not None:
        statement = statement.where(job.c.status == status)
    if queue is not None:
        statement = statement.where(job.c.queue == queue)
    if before is not None:
        statement = statement.where(job.c.job_id < before)
    return [as_job(row) for row in connection.execute(statement.order_by(job.c.job_id.desc()).limit(limit))]


def wait_again(connection: Connection, tenant: str | None, job_id: str, now: datetime) -> bool:
    """Let a job that failed or was cancelled wait again, with all its attempts; say whether it did."""
    statement = (
        update(job)
        .where(job.c.job_id == job_id, *of_tenant(tenant), job.c.status.in_(("failed", "canceled")))
        .values(
            status="waiting",
            due_us=now,
            attempts=0,
            losses=0,
            is_cancel_asked=False,
            claimed_by=None,
            batch_id=None,
            finished_us=None,
        )
    )
    return connection.execute(statement).rowcount == 1


def cancel(connection: Connection, tenant: str | None, job_id: str, now: datetime) -> bool:
    """Cancel a job that waits, or ask the worker of an active one to; say whether it was either."""
    is_waiting = job.c.status == "waiting"
    statement = (
        update(job)
        .where(job.c.job_id == job_id, *of_tenant(tenant), job.c.status.in_(("waiting", "active")))
        .values(
            status=case((is_waiting, "canceled"), else_=job.c.status),
            finished_us=case((is_waiting, literal(now, Instant)), else_=null()),
            is_cancel_asked=True,
        )
    )
    return connection.execute(statement).rowcount == 1


def measure(connection: Connection) -> list[Depth]:
    """Count the jobs that wait, are active or failed, by queue; each by the part of an index that holds only those."""
    counted = union_all(
        *(
            select(job.c.queue, literal(status).label("status"), func.count().label("jobs"))
            .where(job.c.status == literal_column(f"'{status}'"), *more)
            .group_by(job.c.queue)
            for status, more in (
                ("waiting", ()),
                ("active", ()),
                ("failed", (job.c.finished_us.is_not(None),)),
            )
        )
    ).order_by("queue", "status")
    return [Depth(queue, status, jobs) for queue, status, jobs in connection.execute(counted)]


def purge(connection: Connection, status: Status, before: datetime, at_most: int) -> int:
    """Delete jobs that ended so before an instant, the oldest first; return how many."""
    old = (
        select(job.c.job_id)
        .where(job.c.status == status, job.c.finished_us < before)
        .order_by(job.c.finished_us)
        .limit(at_most)
    )
    return connection.execute(delete(job).where(job.c.job_id.in_(old))).rowcount
