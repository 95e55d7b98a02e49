"""Every statement on the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tieout.control.audit.rules import START, AuditEvent
from tieout.store.tables import audit_events, audit_heads


def lock_head(connection: Connection, tenant: str) -> tuple[int, str]:
    """Return seq and hash of the last event of `tenant`, 0 and START before the first; others wait until commit."""
    head = select(audit_heads.c.seq, audit_heads.c.hash).where(audit_heads.c.tenant == tenant).with_for_update()
    found = connection.execute(head).one_or_none()
    if found is None:
        # Two first events at once: the second insert waits for the first and then does nothing.
        adding = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
        connection.execute(adding(audit_heads).values(tenant=tenant, seq=0, hash=START).on_conflict_do_nothing())
        found = connection.execute(head).one()
    return found.seq, found.hash


def add_events(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Append `events` of one tenant, in order, and move the head to the last; the head must be locked."""
    connection.execute(insert(audit_events), [vars(event) for event in events])
    last = events[-1]
    head = audit_heads.c.tenant == last.tenant
    connection.execute(update(audit_heads).where(head).values(seq=last.seq, hash=last.hash))


@dataclass(frozen=True)
class Filter:
    """Which events: of one tenant (of all where it is None), in a window, of a part of the product."""

    tenant: str | None
    since: datetime | None = None
    until: datetime | None = None
    """Up to, not including."""
    module: str | None = None
    action: str | None = None
    actor: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None


@dataclass(frozen=True)
class Place:
    """Where an event stands among all, the latest first."""

    created_at: datetime
    tenant: str
    seq: int


def find_head(connection: Connection, tenant: str) -> tuple[int, str] | None:
    """Return seq and hash of the end of a tenant's chain as its head says."""
    row = connection.execute(
        select(audit_heads.c.seq, audit_heads.c.hash).where(audit_heads.c.tenant == tenant)
    ).first()
    return None if row is None else (row.seq, row.hash)


def chain_after(connection: Connection, tenant: str, seq: int, *, limit: int) -> list[AuditEvent]:
    """Return the events of a tenant after number `seq`, in order."""
    events = audit_events.c
    found = select(audit_events).where(events.tenant == tenant, events.seq > seq).order_by(events.seq)
    return _events(connection, found.limit(limit))


def next_seq(connection: Connection, tenant: str, seq: int) -> int | None:
    """Return the number of the first event after `seq`, without reading what it says."""
    events = audit_events.c
    found = select(events.seq).where(events.tenant == tenant, events.seq > seq).order_by(events.seq).limit(1)
    return connection.scalar(found)


def list_tenants(connection: Connection) -> list[str]:
    """Return the tenants that have a trail, or the head of one."""
    named = select(audit_heads.c.tenant).union(select(audit_events.c.tenant))
    return sorted(connection.scalars(named))


def find_event(connection: Connection, event_id: str, tenant: str | None) -> AuditEvent | None:
    """Return the event with an id."""
    found = _events(connection, select(audit_events).where(audit_events.c.id == event_id, *_of(tenant)).limit(1))
    return found[0] if found else None


def latest(connection: Connection, wanted: Filter, *, before: Place | None, limit: int) -> list[AuditEvent]:
    """Return events, the latest first, from `before` on."""
    events = audit_events.c
    found = select(audit_events).where(*_conditions(wanted))
    if before is not None:
        same_instant = or_(events.tenant > before.tenant, and_(events.tenant == before.tenant, events.seq < before.seq))
        found = found.where(
            events.created_at <= before.created_at,
            or_(events.created_at < before.created_at, same_instant),
        )
    return _events(connection, found.order_by(events.created_at.desc(), events.tenant, events.seq.desc()).limit(limit))


def in_order(connection: Connection, wanted: Filter, *, after: tuple[str, int], limit: int) -> list[AuditEvent]:
    """Return events in order of tenant and number, from after the given ones on."""
    events, (tenant, seq) = audit_events.c, after
    later = or_(events.tenant > tenant, and_(events.tenant == tenant, events.seq > seq))
    found = select(audit_events).where(later, *_conditions(wanted))
    return _events(connection, found.order_by(events.tenant, events.seq).limit(limit))


def _events(connection: Connection, found: Select[tuple[object, ...]]) -> list[AuditEvent]:
    return [AuditEvent(**row) for row in connection.execute(found).mappings()]


def _of(tenant: str | None) -> Sequence[ColumnElement[bool]]:
    return [] if tenant is None else [audit_events.c.tenant == tenant]


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    events = audit_events.c
    conditions = list(_of(wanted.tenant))
    if wanted.since is not None:
        conditions.append(events.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(events.created_at < wanted.until)
    for name in ("module", "action", "actor", "entity_type", "entity_id"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(events[name] == value)
    return conditions
