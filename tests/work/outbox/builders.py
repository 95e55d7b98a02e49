"""Endpoints and events of a test."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select

from tieout.store.tables import event_delivery, event_outbox, webhook_endpoint
from tieout.work.outbox.actions import Event, emit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_endpoint(state, endpoint_id="e1", tenant="a", **changed):
    values = {
        "tenant": tenant,
        "endpoint_id": endpoint_id,
        "url": "https://hooks.example/in",
        "event_types": ["*"],
        "signing": "hmac",
        "secrets": [],
        "is_enabled": True,
        "created_us": NOW,
        "created_by": "user:ann",
    }
    state.of(tenant).write(lambda connection: connection.execute(insert(webhook_endpoint).values(values | changed)))


def tell(state, event_type="pos.ticket.settled", entity_id="7", tenant="a", now=NOW, **data):
    event = Event(event_type, entity_id, data)
    return state.of(tenant).write(lambda connection: emit(connection, tenant, event, now=now))


def events(state, tenant="a"):
    query = select(event_outbox).where(event_outbox.c.tenant == tenant).order_by(event_outbox.c.seq)
    with state.of(tenant).reading() as connection:
        return connection.execute(query).all()


def deliveries(state, tenant="a"):
    query = select(event_delivery).where(event_delivery.c.tenant == tenant)
    with state.of(tenant).reading() as connection:
        return connection.execute(query.order_by(event_delivery.c.event_seq, event_delivery.c.endpoint_id)).all()
