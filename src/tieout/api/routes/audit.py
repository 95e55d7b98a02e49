"""The audit trail: a tenant reads its own, an administrator of the platform any."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from tieout.api.access import Installation, needs
from tieout.api.bodies import Limit, PathId
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.audit.export import MEDIA_TYPES, as_json
from tieout.control.audit.reading import export_events, get_event, list_events, whose
from tieout.control.audit.rules import Anchor, AuditEvent, Broken, Verified
from tieout.control.audit.store import Filter, Place
from tieout.control.audit.verifying import verify, verify_all
from tieout.core.cursors import cursor, parts_of

routes = Section(prefix="/v1/audit", tags=["audit"])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPELT = {
    "user_id": "userId",
    "entity_type": "entityType",
    "entity_id": "entityId",
    "ip_address": "ipAddress",
    "user_agent": "userAgent",
    "request_id": "requestId",
    "created_at": "createdAt",
    "prev_hash": "prevHash",
}

Name = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reader = Annotated[Caller, Depends(needs("audit.events.read"))]


def wanted_by(
    *,
    tenant: Annotated[
        str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="For administrators alone.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="ISO 8601 with a zone.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Up to, not including.")] = None,
    module: Name = None,
    action: Name = None,
    actor: Name = None,
    entityType: Name = None,  # noqa: N803 - as addresses spell it
    entityId: Name = None,  # noqa: N803
) -> Filter:
    """Return which events the query of a request asks for."""
    return Filter(tenant, since, until, module, action, actor, entityType, entityId)


Wanted = Annotated[Filter, Depends(wanted_by)]


@routes.get("")
def list_all(
    caller: Reader,
    platform: Installation,
    wanted: Wanted,
    limit: Limit = 50,
    after: Annotated[str | None, Query(alias="cursor", max_length=300, description="`meta.next` of a page.")] = None,
) -> dict[str, Any]:
    """List events, the latest first."""
    found = list_events(platform, caller, wanted, before=None if after is None else _place(after), limit=limit + 1)
    page = found[:limit]
    following = cursor(_micros(page[-1].created_at), page[-1].tenant, page[-1].seq) if len(found) > limit else None
    return {"data": [_shown(event) for event in page], "meta": {"limit": limit, "next": following}}


@routes.get("/export")
def export(
    caller: Annotated[Caller, Depends(needs("audit.events.export"))],
    platform: Installation,
    wanted: Wanted,
    file_format: Annotated[Literal["csv", "ndjson", "parquet"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """Export events in order as CSV, NDJSON or Parquet; addresses and secrets in texts are taken out."""
    return StreamingResponse(
        export_events(platform, caller, wanted, file_format),
        media_type=MEDIA_TYPES[file_format],
        headers={"Content-Disposition": f'attachment; filename="audit.{file_format}"'},
    )


@routes.get("/verify")
def verify_chain(
    caller: Annotated[Caller, Depends(needs("audit.events.verify"))],
    platform: Installation,
    tenant: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = None,
    seq: Annotated[int | None, Query(ge=1, lt=2**63, description="Number of an event seen before.")] = None,
    head: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="Its hash.")] = None,
) -> dict[str, Any]:
    """Verify the chain: whether an event was changed, removed, inserted or moved, and which is the first."""
    chosen = whose(caller, tenant)
    if chosen is None:
        return {"data": [{"tenant": name, **_verdict(answer)} for name, answer in verify_all(platform.state)]}
    anchor = Anchor(seq, head) if seq is not None and head is not None else None
    return {"data": [{"tenant": chosen, **_verdict(verify(platform.state, chosen, anchor))}]}


@routes.get("/{event_id}")
def show(event_id: PathId, caller: Reader, platform: Installation) -> dict[str, Any]:
    """Show one event."""
    return {"data": _shown(get_event(platform, caller, event_id))}


def _verdict(answer: Verified | Broken) -> Mapping[str, Any]:
    if isinstance(answer, Verified):
        return {"isIntact": True, "events": answer.events, "head": answer.head}
    return {"isIntact": False, "firstBroken": answer.seq, "problem": answer.problem, "why": answer.why}


def _shown(event: AuditEvent) -> dict[str, Any]:
    return {_SPELT.get(name, name): value for name, value in as_json(event).items()}


def _place(text: str) -> Place:
    micros, tenant, seq = parts_of(text, (int, str, int))
    return Place(_EPOCH + timedelta(microseconds=min(int(micros), 2**57)), str(tenant), int(seq))


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
