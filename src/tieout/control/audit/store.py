"""Every statement on the audit trail."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update
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


def add_event(connection: Connection, event: AuditEvent) -> None:
    """Append `event` and move the head to it; the head must be locked."""
    connection.execute(insert(audit_events).values(vars(event)))
    head = audit_heads.c.tenant == event.tenant
    connection.execute(update(audit_heads).where(head).values(seq=event.seq, hash=event.hash))
