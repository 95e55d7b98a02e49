"""What a tenant does with its endpoints, and what may be done with deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from tieout.control.access.caller import Caller
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.control.webhooks import store
from tieout.control.webhooks.rules import (
    MAX_ENDPOINTS,
    OVERLAP,
    Delivery,
    DeliveryUnknown,
    Endpoint,
    EndpointUnknown,
    NothingToRetry,
    NothingToSkip,
    Secret,
    TooManyEndpoints,
    check_event_types,
    with_new_secret,
)
from tieout.control.webhooks.store import Wanted
from tieout.core.ids import new_id
from tieout.store.state import State
from tieout.work.outbox.actions import Event, emit_to
from tieout.work.outbox.addresses import Reach, parse_target
from tieout.work.outbox.signing import Signing, SigningKey

PING = "webhook.ping"


@dataclass(frozen=True)
class NewEndpoint:
    """An endpoint whose key was just made, and what its receiver verifies with."""

    endpoint: Endpoint
    key: str = field(repr=False)
    """`whsec_…`, which nobody can show again, or the public key `whpk_…`."""


def reach_of(platform: Platform) -> Reach:
    """Return what the operator allows beyond https to public addresses."""
    settings = platform.settings
    return Reach(settings.webhook_allow_http, settings.webhook_allow_private)


def create_endpoint(
    platform: Platform, caller: Caller, url: str, event_types: Iterable[str], signing: Signing = "hmac"
) -> NewEndpoint:
    """Add an endpoint of the caller's tenant. Raises UrlRefused, BadEventPattern and TooManyEndpoints."""
    patterns = check_event_types(event_types)
    parse_target(url, reach_of(platform))
    now, tenant = platform.now(), caller.tenant
    endpoint_id = new_id(now, platform.random_bytes)
    key, secret = _make_secret(platform, tenant, endpoint_id, signing, now)
    made = Endpoint(
        *(tenant, endpoint_id, url, patterns, signing, (secret,)),
        is_enabled=True,
        disabled_reason=None,
        failing_since=None,
        created=now,
        created_by=caller.actor.name,
    )

    def create(connection: Connection) -> None:
        if store.count_endpoints(connection, tenant) >= MAX_ENDPOINTS:
            raise TooManyEndpoints(f"A tenant has at most {MAX_ENDPOINTS} endpoints.", remedy="Delete one first.")
        store.add_endpoint(connection, made)
        _record(platform, connection, caller, made, "created", made.told)

    platform.of(tenant).write(create)
    return NewEndpoint(made, key.for_receiver)


def list_endpoints(platform: Platform, caller: Caller, *, limit: int, offset: int) -> tuple[list[Endpoint], int]:
    """Return endpoints of the caller's tenant, the newest first, and how many there are."""
    with platform.of(caller.tenant).reading() as connection:
        found = store.list_endpoints(connection, caller.tenant, limit=limit, offset=offset)
        return found, store.count_endpoints(connection, caller.tenant)


def get_endpoint(platform: Platform, caller: Caller, endpoint_id: str) -> Endpoint:
    """Return an endpoint of the caller's tenant; raise EndpointUnknown."""
    with platform.of(caller.tenant).reading() as connection:
        return _get(connection, caller.tenant, endpoint_id)


def public_key(platform: Platform, endpoint: Endpoint) -> str | None:
    """Return what verifies the endpoint's messages where that is no secret (Ed25519)."""
    if endpoint.signing != "ed25519":
        return None
    return _opened(platform, endpoint.tenant, endpoint.endpoint_id, endpoint.signing, endpoint.secrets[0]).for_receiver


@dataclass(frozen=True)
class Change:
    """What is to change of an endpoint; None leaves a thing as it is."""

    url: str | None = None
    event_types: Sequence[str] | None = None
    is_enabled: bool | None = None


def change_endpoint(platform: Platform, caller: Caller, endpoint_id: str, change: Change) -> Endpoint:
    """Change an endpoint and return it; one that is enabled again goes on with what it missed.

    Raises EndpointUnknown, UrlRefused and BadEventPattern.
    """
    if change.url is not None:
        parse_target(change.url, reach_of(platform))
    patterns = None if change.event_types is None else check_event_types(change.event_types)

    def apply(connection: Connection) -> Endpoint:
        before = _get(connection, caller.tenant, endpoint_id)
        after = replace(
            before,
            url=before.url if change.url is None else change.url,
            event_types=before.event_types if patterns is None else patterns,
            is_enabled=before.is_enabled if change.is_enabled is None else change.is_enabled,
        )
        if after == before:
            return before
        values: dict[str, Any] = {
            "url": after.url,
            "event_types": list(after.event_types),
            "is_enabled": after.is_enabled,
        }
        if change.is_enabled is not None and after.is_enabled != before.is_enabled:
            reason = None if after.is_enabled else f"Disabled by {caller.actor.name}."
            after = replace(after, disabled_reason=reason, failing_since=None)
            values |= {"disabled_reason": reason, "failing_since_us": None, "failures": 0, "rest_until_us": None}
        store.change_endpoint(connection, after, values)
        _record(platform, connection, caller, after, "changed", _differences(before.told, after.told))
        return after

    return platform.of(caller.tenant).write(apply)


def rotate_secret(platform: Platform, caller: Caller, endpoint_id: str, *, overlap: timedelta = OVERLAP) -> NewEndpoint:
    """Give an endpoint a new key; the old one signs on beside it for the overlap.

    Raises EndpointUnknown and BadOverlap.
    """
    now = platform.now()

    def rotate(connection: Connection) -> NewEndpoint:
        before = _get(connection, caller.tenant, endpoint_id)
        key, secret = _make_secret(platform, caller.tenant, endpoint_id, before.signing, now)
        after = replace(before, secrets=with_new_secret(before.secrets, secret, now=now, overlap=overlap))
        store.change_endpoint(connection, after, {"secrets": [one.as_json() for one in after.secrets]})
        told = {"secret_id": {"from": before.secrets[0].secret_id, "to": secret.secret_id}, "old_ends": now + overlap}
        _record(platform, connection, caller, after, "secret_rotated", told)
        return NewEndpoint(after, key.for_receiver)

    return platform.of(caller.tenant).write(rotate)


def delete_endpoint(platform: Platform, caller: Caller, endpoint_id: str) -> None:
    """Delete an endpoint and its keys; what was not delivered is given up. Raises EndpointUnknown."""
    now = platform.now()

    def delete(connection: Connection) -> None:
        endpoint = _get(connection, caller.tenant, endpoint_id)
        values = {"is_enabled": False, "disabled_reason": "Deleted.", "deleted_us": now, "secrets": []}
        store.change_endpoint(connection, endpoint, values)
        store.cancel_open(connection, caller.tenant, endpoint_id)
        _record(platform, connection, caller, endpoint, "deleted", endpoint.told)

    platform.of(caller.tenant).write(delete)


def ping_endpoint(platform: Platform, caller: Caller, endpoint_id: str) -> str:
    """Send a test event to an endpoint, whatever types it wants, and return the event's id. Raises EndpointUnknown."""
    now = platform.now()

    def ping(connection: Connection) -> str:
        endpoint = _get(connection, caller.tenant, endpoint_id)
        event = Event(PING, endpoint_id, {"asked_by": caller.actor.name})
        event_id = emit_to(connection, caller.tenant, event, [endpoint_id], now=now, random_bytes=platform.random_bytes)
        _record(platform, connection, caller, endpoint, "tested", {"event_id": event_id})
        return event_id

    return platform.of(caller.tenant).write(ping)


def list_deliveries(
    platform: Platform, wanted: Wanted, *, before: tuple[int, str] | None, limit: int
) -> list[Delivery]:
    """Return deliveries, those of the latest events first."""
    with _state(platform, wanted.tenant).reading() as connection:
        return store.list_deliveries(connection, wanted, before=before, limit=limit)


def retry(platform: Platform, caller: Caller, either_id: str) -> list[Delivery]:
    """Deliver again now what did not arrive of an event, or one delivery; return what was made due.

    An administrator of the platform may do so for any tenant. Raises DeliveryUnknown and NothingToRetry.
    """
    now = platform.now()

    def retry_all(connection: Connection) -> list[Delivery]:
        found = _find(connection, either_id, _tenant_of(caller))
        retried = store.retry(connection, found, now)
        if not retried:
            raise NothingToRetry(
                f"Nothing of {either_id} is left to deliver: it arrived, or its endpoints were deleted.",
                subject=either_id,
            )
        for one in retried:
            told = {"event_id": one.event_id, "endpoint_id": one.endpoint_id, "status": one.status}
            _record_of(platform, connection, caller, one, "retried", told)
        return retried

    return _state(platform, _tenant_of(caller)).write(retry_all)


def skip(platform: Platform, caller: Caller, delivery_id: str) -> Delivery:
    """Give up a delivery, so that later events of its entity go on. Raises DeliveryUnknown and NothingToSkip."""

    def skip_one(connection: Connection) -> Delivery:
        found = [one for one in _find(connection, delivery_id, _tenant_of(caller)) if one.delivery_id == delivery_id]
        if not found:
            raise _unknown(delivery_id)
        if not store.skip(connection, found[0]):
            raise NothingToSkip(f"The delivery {delivery_id} is {found[0].status} already.", subject=delivery_id)
        told = {"event_id": found[0].event_id, "endpoint_id": found[0].endpoint_id, "status": found[0].status}
        _record_of(platform, connection, caller, found[0], "skipped", told)
        return replace(found[0], status="canceled")

    return _state(platform, _tenant_of(caller)).write(skip_one)


def keys_of(
    platform: Platform,
    endpoint: tuple[str, str],
    signing: Signing,
    secrets: Iterable[Mapping[str, Any]],
    now: datetime,
) -> list[SigningKey]:
    """Return the keys with which messages to an endpoint (tenant, id) are signed now, the newest first."""
    kept = (Secret.from_json(one) for one in secrets)
    return [_opened(platform, *endpoint, signing, one) for one in kept if one.signs(now)]


def _tenant_of(caller: Caller) -> str | None:
    return None if caller.tenant == SUPERADMIN else caller.tenant


def _state(platform: Platform, tenant: str | None) -> State:
    return platform.all_tenants if tenant is None else platform.of(tenant)


def _get(connection: Connection, tenant: str, endpoint_id: str) -> Endpoint:
    found = store.lock_endpoint(connection, tenant, endpoint_id)
    if found is None:
        raise EndpointUnknown(f"There is no endpoint {endpoint_id}.", subject=endpoint_id)
    return found


def _find(connection: Connection, either_id: str, tenant: str | None) -> list[Delivery]:
    found = store.deliveries_of(connection, either_id, tenant)
    if not found and not store.is_event(connection, either_id, tenant):
        raise _unknown(either_id)
    return found


def _unknown(either_id: str) -> DeliveryUnknown:
    return DeliveryUnknown(f"There is no event and no delivery {either_id}.", subject=either_id)


def _make_secret(
    platform: Platform, tenant: str, endpoint_id: str, signing: Signing, now: datetime
) -> tuple[SigningKey, Secret]:
    key, secret_id = SigningKey.generate(signing, platform.random_bytes), new_id(now, platform.random_bytes)
    context = _context(tenant, endpoint_id, secret_id)
    return key, Secret(secret_id, platform.sealer.seal(key.secret, context, platform.random_bytes))


def _opened(platform: Platform, tenant: str, endpoint_id: str, signing: Signing, secret: Secret) -> SigningKey:
    context = _context(tenant, endpoint_id, secret.secret_id)
    return SigningKey(signing, platform.sealer.open(secret.sealed, context))


def _context(tenant: str, endpoint_id: str, secret_id: str) -> str:
    return f"webhook_endpoint/{tenant}/{endpoint_id}/{secret_id}"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}


def _record(
    platform: Platform, connection: Connection, caller: Caller, endpoint: Endpoint, verb: str, delta: Mapping[str, Any]
) -> None:
    entry = Entry("webhooks", f"webhooks.endpoint.{verb}", "webhook_endpoint", endpoint.endpoint_id, delta)
    now, random_bytes = platform.now(), platform.random_bytes
    record(connection, endpoint.tenant, caller.actor, entry, now=now, random_bytes=random_bytes)


def _record_of(
    platform: Platform, connection: Connection, caller: Caller, delivery: Delivery, verb: str, delta: Mapping[str, Any]
) -> None:
    entry = Entry("webhooks", f"webhooks.delivery.{verb}", "event_delivery", delivery.delivery_id, delta)
    now, random_bytes = platform.now(), platform.random_bytes
    record(connection, delivery.tenant, caller.actor, entry, now=now, random_bytes=random_bytes)
