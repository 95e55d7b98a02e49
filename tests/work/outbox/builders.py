"""Endpoints and events of a test."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from sqlalchemy import insert, select

from tieout.store.tables import event_delivery, event_outbox, webhook_endpoint
from tieout.work.outbox.actions import Event, emit
from tieout.work.outbox.addresses import Reach
from tieout.work.outbox.delivery import Courier
from tieout.work.outbox.sending import Sender
from tieout.work.outbox.signing import SigningKey

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


KEY = SigningKey("hmac", b"k" * 32)
LOOPBACK = Reach(is_http_allowed=True, allowed=(ip_network("127.0.0.0/8"),))


class Clock:
    """A clock that a test sets."""

    def __init__(self, at=NOW):
        self.at = at

    def __call__(self):
        return self.at

    def pass_time(self, **amount):
        self.at += timedelta(**amount)


def a_courier(state, now, **changed):
    """A courier that reaches loopback, and waits for an answer no longer than the tests do."""
    post = Sender(LOOPBACK, connect_s=5, whole_s=changed.pop("whole_s", 15)).post
    values = {"post": post, "keys": lambda _claim, _now: [KEY], "random_bytes": os.urandom}
    return Courier(state, now=now, **values | changed)


def endpoint(state, endpoint_id="e1", tenant="a"):
    with state.of(tenant).reading() as connection:
        found = select(webhook_endpoint).where(webhook_endpoint.c.endpoint_id == endpoint_id)
        return connection.execute(found.where(webhook_endpoint.c.tenant == tenant)).one()
