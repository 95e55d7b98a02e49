"""The outbox: events to be delivered, the endpoints they go to, and each attempt."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tieout.store.tables.columns import ID, SEQUENCE, Instant, metadata, tenant_column

_OPEN = "status in ('pending', 'failed')"


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


event_outbox = Table(
    "event_outbox",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    tenant_column(),
    Column("id", ID, nullable=False, unique=True, comment="of the event, in every delivery of it"),
    Column("event_type", String(128), nullable=False, comment="such as pos.ticket.settled"),
    Column("entity_id", Text, nullable=False, comment="events of one entity are delivered in order"),
    Column("version", BigInteger, nullable=False, comment="from 1 for each entity"),
    Column("payload", JSON, nullable=False, comment="a CloudEvent"),
    Column("occurred_us", Instant, nullable=False),
    UniqueConstraint("tenant", "entity_id", "version"),
    Index("ix_event_outbox_tenant_seq", "tenant", "seq"),
    comment="Events, written in the transaction of the change that they tell of.",
)

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    tenant_column(primary_key=True),
    Column("endpoint_id", ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("event_types", JSON, nullable=False, comment="patterns such as pos.*"),
    Column("signing", String(8), nullable=False),
    Column("secrets", JSON, nullable=False, comment="sealed, newest first; each with its id and when it ends"),
    Column("is_enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("failing_since_us", Instant, comment="of the first failure since the last success"),
    Column("failures", Integer, nullable=False, server_default=text("0"), comment="in a row, since the last success"),
    Column("rest_until_us", Instant, comment="it did not answer: nothing is sent before"),
    Column("served_us", Instant, comment="when it last had its turn"),
    Column("claimed_by", Text, comment="the batch that is being delivered; one at a time keeps the order"),
    Column("claimed_until_us", Instant, comment="after which the batch counts as lost"),
    Column("deleted_us", Instant),
    Column("created_us", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    CheckConstraint(text("signing in ('hmac', 'ed25519')"), name="signing"),
    comment="Where a tenant wants its events delivered.",
)

event_delivery = Table(
    "event_delivery",
    metadata,
    tenant_column(primary_key=True),
    Column("delivery_id", ID, primary_key=True),
    Column("event_seq", BigInteger, nullable=False),
    Column("endpoint_id", ID, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("retries", Integer, nullable=False),
    Column("next_attempt_us", Instant, nullable=False),
    Column("last_attempt_us", Instant),
    Column("delivered_us", Instant),
    Column("last_status_code", Integer),
    Column("last_error", Text),
    ForeignKeyConstraint(["tenant", "endpoint_id"], ["webhook_endpoint.tenant", "webhook_endpoint.endpoint_id"]),
    UniqueConstraint("event_seq", "endpoint_id"),
    Index("ix_event_delivery_tenant_event_seq", "tenant", "event_seq", "endpoint_id"),
    Index("ix_event_delivery_due", "tenant", "endpoint_id", "next_attempt_us", **_where("status = 'pending'")),
    Index("ix_event_delivery_open", "tenant", "endpoint_id", "event_seq", **_where(_OPEN)),
    Index("ix_event_delivery_order", "tenant", "endpoint_id", "entity_id", "event_seq", **_where(_OPEN)),
    Index("ix_event_delivery_failed", "tenant", "event_seq", **_where("status = 'failed'")),
    CheckConstraint(text("status in ('pending', 'dispatched', 'failed', 'canceled')"), name="status"),
    comment="Each event for each endpoint that wants it; failed is a dead letter.",
)
