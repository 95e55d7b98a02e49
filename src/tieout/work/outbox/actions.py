"""Tell of a change."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from tieout.core import metrics
from tieout.core.ids import RandomBytes, new_id
from tieout.core.plain import plain_text
from tieout.work.outbox import store
from tieout.work.outbox.rules import Event, cloud_event, is_wanted
from tieout.work.outbox.store import purge

__all__ = ["Event", "emit", "emit_to", "purge"]


def emit(
    connection: Connection,
    tenant: str,
    event: Event,
    *,
    now: datetime,
    random_bytes: RandomBytes = os.urandom,
) -> str:
    """Write an event in the transaction of `connection`, due for each endpoint that wants it; return its id.

    Events of one entity take their turn: another transaction that emits for the same entity waits for this one's
    commit. A transaction that emits for several goes through them in order of their ids, and writes to the audit
    trail after that, so that two transactions never wait for each other.
    """
    enabled = store.enabled_endpoints(connection, tenant)
    wanting = [one for one, patterns in enabled if is_wanted(patterns, event.event_type)]
    return emit_to(connection, tenant, event, wanting, now=now, random_bytes=random_bytes)


def emit_to(
    connection: Connection,
    tenant: str,
    event: Event,
    endpoints: Iterable[str],
    *,
    now: datetime,
    random_bytes: RandomBytes = os.urandom,
) -> str:
    """Do what `emit` does for given endpoints alone, whatever they want."""
    event = replace(event, entity_id=plain_text(event.entity_id))
    event_id, version = new_id(now, random_bytes), store.next_version(connection, tenant, event.entity_id)
    seq = store.add_event(
        connection,
        {
            "tenant": tenant,
            "id": event_id,
            "event_type": event.event_type,
            "entity_id": event.entity_id,
            "version": version,
            "payload": cloud_event(tenant, event, event_id=event_id, version=version, occurred_at=now),
            "occurred_us": now,
        },
    )
    to = [(new_id(now, random_bytes), endpoint_id) for endpoint_id in endpoints]
    store.add_deliveries(connection, tenant, (seq, event.entity_id), to, due=now)
    metrics.OUTBOX_EVENTS.labels(metrics.bounded("event_type", event.event_type)).inc()
    return event_id
