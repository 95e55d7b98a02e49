"""Every statement on events, endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from tieout.store.tables import event_delivery, event_outbox, webhook_endpoint


def next_version(connection: Connection, tenant: str, entity_id: str) -> int:
    """Return the version of the entity's next event; until commit nobody else gets one for that entity."""
    if connection.dialect.name == "postgresql":  # SQLite's writers take their turn anyway
        key = f"outbox\n{tenant}\n{entity_id}"
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    latest = select(func.max(event_outbox.c.version)).where(
        event_outbox.c.tenant == tenant, event_outbox.c.entity_id == entity_id
    )
    return (connection.scalar(latest) or 0) + 1


def add_event(connection: Connection, values: Mapping[str, Any]) -> int:
    """Store an event and return its number."""
    return int(connection.execute(insert(event_outbox).values(values).returning(event_outbox.c.seq)).scalar_one())


def enabled_endpoints(connection: Connection, tenant: str) -> list[tuple[str, list[str]]]:
    """Return id and patterns of each enabled endpoint."""
    found = select(webhook_endpoint.c.endpoint_id, webhook_endpoint.c.event_types).where(
        webhook_endpoint.c.tenant == tenant, webhook_endpoint.c.is_enabled
    )
    return [(row.endpoint_id, row.event_types) for row in connection.execute(found)]


def add_deliveries(
    connection: Connection, tenant: str, event: tuple[int, str], to: Iterable[tuple[str, str]], *, due: datetime
) -> None:
    """Store a pending delivery of the event (number, entity) for each (delivery id, endpoint id)."""
    seq, entity_id = event
    rows = [
        {
            "tenant": tenant,
            "delivery_id": delivery_id,
            "event_seq": seq,
            "endpoint_id": endpoint_id,
            "entity_id": entity_id,
            "status": "pending",
            "retries": 0,
            "next_attempt_us": due,
        }
        for delivery_id, endpoint_id in to
    ]
    if rows:
        connection.execute(insert(event_delivery), rows)
