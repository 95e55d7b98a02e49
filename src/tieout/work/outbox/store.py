"""Every statement on events, endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from tieout.store.tables import event_delivery, event_outbox, webhook_endpoint
from tieout.work.outbox.signing import Signing


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


@dataclass(frozen=True)
class Claim:
    """An endpoint whose turn it is: nobody else delivers to it until `until`, or until it is given back."""

    tenant: str
    endpoint_id: str
    url: str
    secrets: Sequence[Mapping[str, Any]]
    signing: Signing
    claim_id: str
    until: datetime

    @property
    def row(self) -> ColumnElement[bool]:
        """The endpoint's row."""
        return _endpoint(self.tenant, self.endpoint_id)

    @property
    def is_held(self) -> ColumnElement[bool]:
        """The same, while the claim holds."""
        return self.row & (webhook_endpoint.c.claimed_by == self.claim_id)


@dataclass(frozen=True)
class Due:
    """A delivery that may be attempted."""

    delivery_id: str
    event_seq: int
    entity_id: str
    event_id: str
    payload: Mapping[str, Any]
    failures: int


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether an endpoint could be claimed."""
    return (
        connection.execute(select(webhook_endpoint.c.endpoint_id).where(_is_claimable(now)).limit(1)).first()
        is not None
    )


def claim_endpoints(
    connection: Connection, claim_id: str, *, at_most: int, now: datetime, until: datetime
) -> list[Claim]:
    """Claim endpoints that have something due, those first whose last turn is longest ago."""
    columns = webhook_endpoint.c
    claimable = (
        select(columns.tenant, columns.endpoint_id, columns.url, columns.secrets, columns.signing)
        .where(_is_claimable(now))
        .order_by(columns.served_us.asc().nulls_first(), columns.tenant, columns.endpoint_id)
        .limit(at_most)
        .with_for_update(skip_locked=True, key_share=True)  # else it would wait for those who emit
    )
    claims = [Claim(*row, claim_id=claim_id, until=until) for row in connection.execute(claimable)]
    for one in claims:
        connection.execute(
            update(webhook_endpoint).where(one.row).values(claimed_by=claim_id, claimed_until_us=until, served_us=now)
        )
    return claims


def due_deliveries(connection: Connection, claim: Claim, *, at_most: int, now: datetime) -> list[Due]:
    """Return deliveries to the claimed endpoint in order of their events.

    None whose entity has an earlier one that is not due, or that was given up: what comes after a dead letter waits
    for it to be retried or skipped, or the order would be broken.
    """
    delivery, earlier, event = event_delivery.c, event_delivery.alias("earlier"), event_outbox.c
    blocker = (
        select(earlier.c.delivery_id)
        .where(
            earlier.c.tenant == delivery.tenant,
            earlier.c.endpoint_id == delivery.endpoint_id,
            earlier.c.entity_id == delivery.entity_id,
            earlier.c.event_seq < delivery.event_seq,
            earlier.c.status.in_(("pending", "failed")),
            or_(earlier.c.status == "failed", earlier.c.next_attempt_us > now),
        )
        .exists()
    )
    found = (
        select(delivery.delivery_id, delivery.event_seq, delivery.entity_id, event.id, event.payload, delivery.retries)
        .join(event_outbox, (event.seq == delivery.event_seq) & (event.tenant == delivery.tenant))
        .where(
            delivery.tenant == claim.tenant,
            delivery.endpoint_id == claim.endpoint_id,
            delivery.status == "pending",
            delivery.next_attempt_us <= now,
            ~blocker,
        )
        .order_by(delivery.event_seq)
        .limit(at_most)
    )
    return [Due(*row) for row in connection.execute(found)]


@dataclass(frozen=True)
class Health:
    """How an endpoint has been answering."""

    is_enabled: bool
    failing_since: datetime | None
    failures: int


def lock_endpoint(connection: Connection, claim: Claim) -> tuple[bool, Health]:
    """Lock the claimed endpoint; return whether the claim still holds, and how the endpoint is."""
    columns = webhook_endpoint.c
    row = connection.execute(
        select(columns.claimed_by, columns.is_enabled, columns.failing_since_us, columns.failures)
        .where(claim.row)
        .with_for_update(key_share=True)
    ).one()
    return row.claimed_by == claim.claim_id, Health(row.is_enabled, row.failing_since_us, row.failures)


def change_endpoint(connection: Connection, claim: Claim, values: Mapping[str, Any]) -> None:
    """Change the claimed endpoint."""
    connection.execute(update(webhook_endpoint).where(claim.row).values(values))


def give_back(connection: Connection, claim: Claim, *, rest_until: datetime | None = None) -> None:
    """Let others have the endpoint, not before `rest_until`."""
    values: dict[str, Any] = {"claimed_by": None, "claimed_until_us": None}
    if rest_until is not None:
        values["rest_until_us"] = rest_until
    connection.execute(update(webhook_endpoint).where(claim.is_held).values(values))


def save_attempt(connection: Connection, tenant: str, delivery_id: str, values: Mapping[str, Any]) -> None:
    """Write what came of an attempt, unless the delivery was skipped or given up in between."""
    connection.execute(
        update(event_delivery)
        .where(
            event_delivery.c.tenant == tenant,
            event_delivery.c.delivery_id == delivery_id,
            event_delivery.c.status == "pending",
        )
        .values(values)
    )


def _endpoint(tenant: str, endpoint_id: str) -> ColumnElement[bool]:
    return (webhook_endpoint.c.tenant == tenant) & (webhook_endpoint.c.endpoint_id == endpoint_id)


def _is_claimable(now: datetime) -> ColumnElement[bool]:
    columns, delivery = webhook_endpoint.c, event_delivery.c
    has_due = (
        select(delivery.delivery_id)
        .where(
            delivery.tenant == columns.tenant,
            delivery.endpoint_id == columns.endpoint_id,
            delivery.status == "pending",
            delivery.next_attempt_us <= now,
        )
        .exists()
    )
    return and_(
        columns.is_enabled,
        or_(columns.rest_until_us.is_(None), columns.rest_until_us <= now),
        or_(columns.claimed_until_us.is_(None), columns.claimed_until_us <= now),
        has_due,
    )


def purge(connection: Connection, before: datetime, at_most: int) -> int:
    """Delete events written before an instant, the oldest first, with their deliveries; return how many events.

    Kept are events that an endpoint still waits for or that are dead letters, and the last of each entity, from which
    the versions go on.
    """
    event, delivery, later = event_outbox.c, event_delivery.c, event_outbox.alias("later")
    is_open = select(delivery.delivery_id).where(
        delivery.tenant == event.tenant, delivery.event_seq == event.seq, delivery.status.in_(("pending", "failed"))
    )
    is_followed = select(later.c.seq).where(
        later.c.tenant == event.tenant, later.c.entity_id == event.entity_id, later.c.version > event.version
    )
    old = select(event.seq).where(event.occurred_us < before, ~is_open.exists(), is_followed.exists())
    numbers = connection.scalars(old.order_by(event.seq).limit(at_most)).all()
    if numbers:
        connection.execute(delete(event_delivery).where(delivery.event_seq.in_(numbers)))
        connection.execute(delete(event_outbox).where(event.seq.in_(numbers)))
    return len(numbers)
