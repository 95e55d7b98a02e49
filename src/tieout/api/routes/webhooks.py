"""Endpoints of tenants, and what became of each delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Response
from pydantic import Field, StringConstraints

from tieout.api.access import Installation, needs
from tieout.api.bodies import Body, Limit, Offset, PathId, told
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.audit.reading import whose
from tieout.control.webhooks.actions import (
    Change,
    NewEndpoint,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    get_endpoint,
    list_deliveries,
    list_endpoints,
    ping_endpoint,
    public_key,
    retry,
    rotate_secret,
    skip,
)
from tieout.control.webhooks.rules import MAX_PATTERNS, Delivery, Endpoint, Status
from tieout.control.webhooks.store import Wanted
from tieout.core.cursors import cursor, parts_of
from tieout.work.outbox.addresses import MAX_URL

routes = Section(tags=["webhooks"])

Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=MAX_PATTERNS)]
Text = Annotated[str | None, Query(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Retrier = Annotated[Caller, Depends(needs("ops.outbox.retry"))]


class NewEndpointBody(Body):
    """Where events go, which types, and how they are signed."""

    url: Url
    eventTypes: Patterns = ["*"]  # noqa: N815, RUF012 - as JSON spells it; pydantic copies it
    signing: Literal["hmac", "ed25519"] = "hmac"


class EndpointChangeBody(Body):
    """What is to change."""

    url: Url | None = None
    eventTypes: Patterns | None = None  # noqa: N815
    isEnabled: bool | None = None  # noqa: N815


class SecretRotationBody(Body):
    """For how many hours the old secret signs on beside the new one."""

    overlapHours: Annotated[int, Field(ge=0, le=168)] = 24  # noqa: N815


@routes.post("/v1/webhooks/endpoints", status_code=201)
def create(
    body: NewEndpointBody,
    response: Response,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.create"))],
    platform: Installation,
) -> dict[str, Any]:
    """Add an endpoint. Its secret is shown this once; of Ed25519 it is the public key, which can be shown again."""
    return _made(platform, create_endpoint(platform, caller, body.url, body.eventTypes, body.signing), response)


@routes.get("/v1/webhooks/endpoints")
def list_all(
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.read"))],
    platform: Installation,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """List endpoints, the newest first."""
    found, total = list_endpoints(platform, caller, limit=limit, offset=offset)
    shown = [_shown(platform, endpoint) for endpoint in found]
    return {"data": shown, "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.get("/v1/webhooks/endpoints/{endpoint_id}")
def show(
    endpoint_id: PathId,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.read"))],
    platform: Installation,
) -> dict[str, Any]:
    """Show an endpoint."""
    return {"data": _shown(platform, get_endpoint(platform, caller, endpoint_id))}


@routes.patch("/v1/webhooks/endpoints/{endpoint_id}")
def change(
    endpoint_id: PathId,
    body: EndpointChangeBody,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.update"))],
    platform: Installation,
) -> dict[str, Any]:
    """Change an endpoint; one that is enabled again goes on with what it missed."""
    asked = Change(body.url, body.eventTypes, body.isEnabled)
    return {"data": _shown(platform, change_endpoint(platform, caller, endpoint_id, asked))}


@routes.delete("/v1/webhooks/endpoints/{endpoint_id}", status_code=204)
def delete(
    endpoint_id: PathId,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.delete"))],
    platform: Installation,
) -> None:
    """Delete an endpoint; what was not delivered to it is given up."""
    delete_endpoint(platform, caller, endpoint_id)


@routes.post("/v1/webhooks/endpoints/{endpoint_id}/rotate")
def rotate(
    endpoint_id: PathId,
    response: Response,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.rotate"))],
    platform: Installation,
    body: SecretRotationBody | None = None,
) -> dict[str, Any]:
    """Give an endpoint a new secret, shown this once; both sign until the overlap ends."""
    overlap = timedelta(hours=24 if body is None else body.overlapHours)
    return _made(platform, rotate_secret(platform, caller, endpoint_id, overlap=overlap), response)


@routes.post("/v1/webhooks/endpoints/{endpoint_id}/test", status_code=202)
def test(
    endpoint_id: PathId,
    caller: Annotated[Caller, Depends(needs("webhooks.endpoints.test"))],
    platform: Installation,
) -> dict[str, Any]:
    """Send a test event of type `webhook.ping` to an endpoint; what became of it stands among the deliveries."""
    return {"data": {"eventId": ping_endpoint(platform, caller, endpoint_id)}}


@routes.get("/v1/webhooks/deliveries")
def deliveries(
    caller: Annotated[Caller, Depends(needs("ops.outbox.read"))],
    platform: Installation,
    *,
    status: Annotated[Status | None, Query(description="`failed` lists the dead letters.")] = None,
    endpointId: Annotated[str | None, Query(pattern=r"^[0-9A-Za-z-]{1,36}$")] = None,  # noqa: N803
    entityId: Text = None,  # noqa: N803
    eventType: Text = None,  # noqa: N803
    tenant: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = None,
    limit: Limit = 50,
    after: Annotated[str | None, Query(alias="cursor", max_length=200, description="`meta.next` of a page.")] = None,
) -> dict[str, Any]:
    """List deliveries, those of the latest events first."""
    wanted = Wanted(whose(caller, tenant), status, endpointId, entityId, eventType)
    found = list_deliveries(platform, wanted, before=None if after is None else _place(after), limit=limit + 1)
    page = found[:limit]
    following = cursor(page[-1].event_seq, page[-1].endpoint_id) if len(found) > limit else None
    return {"data": [shown_delivery(one) for one in page], "meta": {"limit": limit, "next": following}}


@routes.post("/v1/webhooks/deliveries/{delivery_id}/skip")
def skip_delivery(delivery_id: PathId, caller: Retrier, platform: Installation) -> dict[str, Any]:
    """Give up a delivery, so that later events of its entity go on."""
    return {"data": shown_delivery(skip(platform, caller, delivery_id))}


@routes.post("/v1/ops/outbox/{either_id}/retry", status_code=202)
@routes.post("/ops/outbox/{either_id}/retry", status_code=202)
def retry_delivery(either_id: PathId, caller: Retrier, platform: Installation) -> dict[str, Any]:
    """Deliver again what did not arrive: of an event, or the one delivery, that has the id."""
    return {"data": {"retried": [one.delivery_id for one in retry(platform, caller, either_id)]}}


def shown_delivery(one: Delivery) -> dict[str, Any]:
    """Return a delivery as the API has it."""
    return {
        "id": one.delivery_id,
        "tenant": one.tenant,
        "eventId": one.event_id,
        "eventType": one.event_type,
        "entityId": one.entity_id,
        "version": one.version,
        "endpointId": one.endpoint_id,
        "status": one.status,
        "failures": one.failures,
        "nextAttemptAt": told(one.next_attempt) if one.status == "pending" else None,
        "lastAttemptAt": told(one.last_attempt),
        "deliveredAt": told(one.delivered),
        "lastStatusCode": one.last_status_code,
        "lastError": one.last_error,
    }


def _made(platform: Installation, made: NewEndpoint, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    name = "secret" if made.endpoint.signing == "hmac" else "publicKey"
    return {"data": {**_shown(platform, made.endpoint), name: made.key}}


def _shown(platform: Installation, endpoint: Endpoint) -> dict[str, Any]:
    now = platform.now()
    key = public_key(platform, endpoint)
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "eventTypes": list(endpoint.event_types),
        "signing": endpoint.signing,
        "secrets": [{"id": one.secret_id, "signsUntil": told(one.ends)} for one in endpoint.secrets if one.signs(now)],
        "isEnabled": endpoint.is_enabled,
        "disabledReason": endpoint.disabled_reason,
        "failingSince": told(endpoint.failing_since),
        "createdAt": told(endpoint.created),
        "createdBy": endpoint.created_by,
    } | ({"publicKey": key} if key else {})


def _place(text: str) -> tuple[int, str]:
    seq, endpoint_id = parts_of(text, (int, str))
    return int(seq), str(endpoint_id)
