"""Every statement of tenants on their endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, update

from tieout.control.webhooks.rules import Delivery, Endpoint, Secret, Status
from tieout.store.tables import event_delivery, event_outbox, webhook_endpoint

_endpoint, _delivery, _event = webhook_endpoint.c, event_delivery.c, event_outbox.c


def add_endpoint(connection: Connection, endpoint: Endpoint) -> None:
    """Store a new endpoint."""
    connection.execute(
        insert(webhook_endpoint).values(
            tenant=endpoint.tenant,
            endpoint_id=endpoint.endpoint_id,
            url=endpoint.url,
            event_types=list(endpoint.event_types),
            signing=endpoint.signing,
            secrets=[one.as_json() for one in endpoint.secrets],
            is_enabled=endpoint.is_enabled,
            created_us=endpoint.created,
            created_by=endpoint.created_by,
        )
    )


def count_endpoints(connection: Connection, tenant: str) -> int:
    """Return how many endpoints a tenant has."""
    counted = select(func.count()).select_from(webhook_endpoint)
    return connection.scalar(counted.where(_endpoint.tenant == tenant, _endpoint.deleted_us.is_(None))) or 0


def list_endpoints(connection: Connection, tenant: str, *, limit: int, offset: int) -> list[Endpoint]:
    """Return the endpoints of a tenant, the newest first."""
    found = _endpoints().where(_endpoint.tenant == tenant).order_by(_endpoint.created_us.desc(), _endpoint.endpoint_id)
    return [_endpoint_of(row) for row in connection.execute(found.limit(limit).offset(offset))]


def lock_endpoint(connection: Connection, tenant: str, endpoint_id: str) -> Endpoint | None:
    """Return an endpoint; others who would change it wait for the end of the transaction."""
    found = _endpoints().where(_endpoint.tenant == tenant, _endpoint.endpoint_id == endpoint_id)
    row = connection.execute(found.with_for_update(key_share=True)).first()
    return None if row is None else _endpoint_of(row)


def change_endpoint(connection: Connection, endpoint: Endpoint, values: Mapping[str, Any]) -> None:
    """Change columns of an endpoint."""
    is_it = (_endpoint.tenant == endpoint.tenant) & (_endpoint.endpoint_id == endpoint.endpoint_id)
    connection.execute(update(webhook_endpoint).where(is_it).values(values))


def cancel_open(connection: Connection, tenant: str, endpoint_id: str) -> None:
    """Give up what was not delivered to an endpoint."""
    is_open = (
        (_delivery.tenant == tenant)
        & (_delivery.endpoint_id == endpoint_id)
        & _delivery.status.in_(("pending", "failed"))
    )
    connection.execute(update(event_delivery).where(is_open).values(status="canceled"))


@dataclass(frozen=True)
class Wanted:
    """Which deliveries: of one tenant (of all where it is None), of a status, to an endpoint, of an entity."""

    tenant: str | None
    status: Status | None = None
    endpoint_id: str | None = None
    entity_id: str | None = None
    event_type: str | None = None


def list_deliveries(
    connection: Connection, wanted: Wanted, *, before: tuple[int, str] | None, limit: int
) -> list[Delivery]:
    """Return deliveries, those of the latest events first, from `before` (number of the event, endpoint) on."""
    found = _deliveries()
    if before is not None:
        seq, endpoint_id = before
        later = (_delivery.event_seq == seq) & (_delivery.endpoint_id > endpoint_id)
        found = found.where(or_(_delivery.event_seq < seq, later))
    conditions = {
        _delivery.tenant: wanted.tenant,
        _delivery.status: wanted.status,
        _delivery.endpoint_id: wanted.endpoint_id,
        _delivery.entity_id: wanted.entity_id,
        _event.event_type: wanted.event_type,
    }
    found = found.where(*(column == value for column, value in conditions.items() if value is not None))
    found = found.order_by(_delivery.event_seq.desc(), _delivery.endpoint_id).limit(limit)
    return [Delivery(*row) for row in connection.execute(found)]


def deliveries_of(connection: Connection, either_id: str, tenant: str | None) -> list[Delivery]:
    """Return the deliveries of an event, or the one delivery, that has the id."""
    found = _deliveries().where(or_(_event.id == either_id, _delivery.delivery_id == either_id))
    if tenant is not None:
        found = found.where(_delivery.tenant == tenant)
    return [Delivery(*row) for row in connection.execute(found.order_by(_delivery.endpoint_id))]


def is_event(connection: Connection, event_id: str, tenant: str | None) -> bool:
    """Whether there is such an event."""
    found = select(_event.seq).where(_event.id == event_id)
    return connection.execute(found if tenant is None else found.where(_event.tenant == tenant)).first() is not None


def retry(connection: Connection, deliveries: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Make those deliveries due that did not arrive and whose endpoint exists, from the first wait on; return them."""
    retried = []
    for one in deliveries:
        # The endpoint first, as those do who deliver, so that they and we never wait for each other.
        exists = (
            (_endpoint.tenant == one.tenant)
            & (_endpoint.endpoint_id == one.endpoint_id)
            & _endpoint.deleted_us.is_(None)
        )
        if not connection.execute(update(webhook_endpoint).where(exists).values(rest_until_us=None)).rowcount:
            continue
        values = {"status": "pending", "retries": 0, "next_attempt_us": now}
        is_open = _is(one) & (_delivery.status != "dispatched")
        if connection.execute(update(event_delivery).where(is_open).values(values)).rowcount:
            retried.append(one)
    return retried


def skip(connection: Connection, delivery: Delivery) -> bool:
    """Give up a delivery that is pending or a dead letter; return whether it was one."""
    is_open = _is(delivery) & _delivery.status.in_(("pending", "failed"))
    return bool(connection.execute(update(event_delivery).where(is_open).values(status="canceled")).rowcount)


def _is(delivery: Delivery) -> ColumnElement[bool]:
    return (_delivery.tenant == delivery.tenant) & (_delivery.delivery_id == delivery.delivery_id)


def _endpoints() -> Select[Any]:
    return select(
        *(_endpoint.tenant, _endpoint.endpoint_id, _endpoint.url, _endpoint.event_types, _endpoint.signing),
        *(_endpoint.secrets, _endpoint.is_enabled, _endpoint.disabled_reason, _endpoint.failing_since_us),
        *(_endpoint.created_us, _endpoint.created_by),
    ).where(_endpoint.deleted_us.is_(None))


def _endpoint_of(row: Row[Any]) -> Endpoint:
    values = list(row)
    values[3] = tuple(row.event_types)
    values[5] = tuple(map(Secret.from_json, row.secrets))
    return Endpoint(*values)


def _deliveries() -> Select[Any]:
    return select(
        *(_delivery.tenant, _delivery.delivery_id, _delivery.event_seq, _event.id, _event.event_type),
        *(_delivery.entity_id, _event.version, _delivery.endpoint_id, _delivery.status, _delivery.retries),
        *(_delivery.next_attempt_us, _delivery.last_attempt_us, _delivery.delivered_us),
        *(_delivery.last_status_code, _delivery.last_error),
    ).join(event_outbox, (_event.seq == _delivery.event_seq) & (_event.tenant == _delivery.tenant))
