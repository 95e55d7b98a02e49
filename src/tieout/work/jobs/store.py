"""Every statement on jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Row, Select, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from tieout.store.tables import job
from tieout.work.jobs.rules import Job

FIELDS = tuple(job.c[name] for name in Job.__dataclass_fields__)


def insert_one(connection: Connection, values: Mapping[str, Any], *, capacity: int) -> bool:
    """Add a job unless its key is taken or `capacity` jobs of its tenant wait in its queue; say whether it was added.

    One statement, so that accepting a job costs one round trip.
    """
    given = select(*(literal(values[column.name], column.type) for column in job.c))
    room = waiting_up_to(values["queue"], values["tenant"], capacity) < capacity
    statement = _unless_taken(connection).from_select(list(job.c), given.where(room))
    return connection.execute(statement.returning(job.c.job_id)).first() is not None


def insert_many(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Add jobs, leaving out those whose key is taken, and return the ids of those added."""
    statement = _unless_taken(connection).returning(job.c.job_id)
    return set(connection.scalars(statement, list(rows)))


def waiting_up_to(queue: str, tenant: str, at_most: int) -> ColumnElement[int]:
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


def _one(connection: Connection, statement: Select[Any]) -> Job | None:
    row = connection.execute(statement).first()
    return None if row is None else as_job(row)


def _unless_taken(connection: Connection) -> Insert:
    # Without a named conflict: the partial unique index of keys is the only one that a new id can meet. PostgreSQL
    # waits here for a transaction that holds the same key, so that what the loser reads next is the winner's job.
    if connection.dialect.name == "postgresql":
        return postgresql.insert(job).on_conflict_do_nothing()
    return sqlite.insert(job).on_conflict_do_nothing()
