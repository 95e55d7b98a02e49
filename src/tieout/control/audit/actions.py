"""Write to the audit trail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.audit import store
from tieout.control.audit.rules import AuditEvent, Entry, hash_of
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.ids import RandomBytes, new_id
from tieout.core.plain import plain_text, plain_values

MAX_HEADER = 500

__all__ = ["Entry", "record", "record_many"]


def record(
    connection: Connection,
    tenant: str,
    actor: Actor,
    entry: Entry,
    *,
    now: datetime,
    random_bytes: RandomBytes = os.urandom,
) -> str:
    """Append an event to the trail of `tenant` in the transaction of `connection`, and return its id.

    The trail is locked for other writers of the tenant from here to the commit, so call it late in a transaction; one
    that writes to several tenants goes through them in order of their names.
    """
    return record_many(connection, tenant, [(actor, entry)], now=now, random_bytes=random_bytes)[0]


def record_many(
    connection: Connection,
    tenant: str,
    entries: Sequence[tuple[Actor, Entry]],
    *,
    now: datetime,
    random_bytes: RandomBytes = os.urandom,
) -> list[str]:
    """Append events as `record` does, in order, and return their ids."""
    if not entries:
        return []
    seq, prev_hash = store.lock_head(connection, tenant)
    events: list[AuditEvent] = []
    for actor, entry in entries:
        seq += 1
        event = AuditEvent(
            tenant=tenant,
            id=new_id(now, random_bytes),
            seq=seq,
            user_id=actor.user_id,
            actor=plain_text(actor.name),
            module=entry.module,
            action=entry.action,
            entity_type=entry.entity_type,
            entity_id=plain_text(entry.entity_id),
            delta=plain_values(entry.delta),
            ip_address=_optional(actor.ip_address),
            user_agent=_optional(actor.user_agent),
            request_id=_optional(actor.request_id),
            created_at=now,
            prev_hash=prev_hash,
        )
        prev_hash = hash_of(event)
        events.append(replace(event, hash=prev_hash))
    store.add_events(connection, events)
    for _, entry in entries:
        metrics.AUDIT_EVENTS.labels(metrics.bounded("module", entry.module)).inc()
    return [event.id for event in events]


def _optional(text: str | None) -> str | None:
    return None if text is None else plain_text(text[:MAX_HEADER])
