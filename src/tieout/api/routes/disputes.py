"""Disputes with ad networks over the network."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from tieout.api.access import Installation
from tieout.api.bodies import Body, Line
from tieout.api.gates import flag_on
from tieout.api.recon_access import READ, reads_or_does
from tieout.api.recon_query import BadQuery, read_page
from tieout.api.routes.recon import reads_of
from tieout.api.section import Section
from tieout.books.ads import disputes
from tieout.books.ads.delta_csv import amount_text
from tieout.books.ads.disputes import Dispute, DisputeRequest
from tieout.books.ads.period import instant_text
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED

routes = Section(prefix="/api/v1/recon/disputes", tags=["ads"], dependencies=[Depends(flag_on(VRA_ENABLED))])

MAX_DELTAS = 500
MAX_ID = 500
MAX_NAME = 200
Reader = Annotated[Caller, Depends(reads_or_does(READ))]
DisputeId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,40}$")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Text = Annotated[str | None, Query(max_length=100)]
NEW = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["delta_ids", "network"],
                "properties": {
                    "delta_ids": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MAX_DELTAS,
                        "items": {"type": "string", "minLength": 1, "maxLength": MAX_ID},
                        "description": "Evidence ids, as the deltas have them.",
                    },
                    "network": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
                    "contact": {"type": "string", "maxLength": MAX_NAME, "description": "Whom to write to."},
                },
            }
        }
    },
}
"""Said here and not by a class, for whatever is wrong with it has one message (see `_read`)."""


class NewStatus(Body):
    """What becomes of a dispute: a draft is submitted, one that was submitted is accepted or rejected."""

    status: Literal["submitted", "accepted", "rejected"]
    note: Line | None = None


@routes.post("", status_code=201, openapi_extra={"requestBody": NEW})
async def open_one(
    request: Request,
    caller: Annotated[Caller, Depends(reads_or_does("recon.disputes.create"))],
    platform: Installation,
    key: Key = None,
) -> Response:
    """Open a dispute on deltas, with a kit of evidence stored for it; in shadow mode (202) nothing is written."""
    asked = _read(await request.body(), key)
    opened = await run_in_threadpool(disputes.open_dispute, platform, caller, reads_of(request, caller), asked)
    return _answer({"success": True, "data": _as_json(opened)}, 202 if opened.is_shadow else 201)


@routes.get("")
def list_all(
    caller: Reader, platform: Installation, status: Text = None, page: Text = None, page_size: Text = None
) -> Response:
    """List disputes, the newest first."""
    if status and status not in disputes.NEXT:
        raise BadQuery("Invalid status", subject="status")
    which = read_page(page, page_size)
    found, total = disputes.list_disputes(
        platform,
        caller,
        status=status or None,
        page=which.page,
        page_size=which.page_size,
    )
    items = [_as_json(one) for one in found]
    return _answer({"success": True, "items": items, "page": which.page, "pageSize": which.page_size, "total": total})


@routes.get("/{dispute_id}")
def show_one(dispute_id: DisputeId, caller: Reader, platform: Installation) -> Response:
    """Show a dispute."""
    return _answer({"success": True, "data": _as_json(disputes.get_dispute(platform, caller, dispute_id))})


@routes.get("/{dispute_id}/kit")
def get_kit(dispute_id: DisputeId, caller: Reader, platform: Installation) -> Response:
    """Return the kit of evidence of a dispute, byte for byte as it was stored."""
    content = disputes.get_kit(platform, caller, dispute_id)
    named = {"content-disposition": f'attachment; filename="{dispute_id}.json"'}
    return Response(content, media_type="application/json", headers=named)


@routes.patch("/{dispute_id}")
def change_one(
    dispute_id: DisputeId,
    body: NewStatus,
    caller: Annotated[Caller, Depends(reads_or_does("recon.disputes.update"))],
    platform: Installation,
) -> Response:
    """Submit a draft, or record that a dispute was accepted or rejected."""
    changed = disputes.change_status(platform, caller, dispute_id, body.status, body.note)
    return _answer({"success": True, "data": _as_json(changed)})


def _read(content: bytes, key: str | None) -> DisputeRequest:
    """Return what a body asks for; raise BadQuery in the words of the contract."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _bad("body")
    ids, network, contact = body.get("delta_ids"), body.get("network"), body.get("contact")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_DELTAS or not all(_is_text(one, MAX_ID) for one in ids):
        raise _bad("delta_ids")
    if not isinstance(network, str) or not _is_text(network, MAX_NAME):
        raise _bad("network")
    if contact not in (None, "") and not _is_text(contact, MAX_NAME):
        raise _bad("contact")
    return DisputeRequest(tuple(dict.fromkeys(ids)), network.strip(), (contact or "").strip(), key)


def _is_text(value: Any, at_most: int) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= at_most and value.isprintable()


def _bad(subject: str) -> BadQuery:
    return BadQuery("Invalid request body", subject=subject)


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _as_json(one: Dispute) -> dict[str, Any]:
    told: dict[str, Any] = {
        "dispute_id": one.dispute_id,
        "status": one.status,
        "evidence_uri": one.evidence_uri,
        "amount": 0 if one.is_shadow else orjson.Fragment(amount_text(one.amount_micros)),
        "network": one.network,
        "contact": one.contact,
    }
    if one.is_shadow:
        return told | {"shadow": True}
    return told | {
        "network_amount": orjson.Fragment(amount_text(one.network_micros)),
        "currency": one.currency,
        "delta_ids": list(one.delta_ids),
        "note": one.note,
        "kit_id": one.kit_id,
        "kit_sha256": one.kit_sha256,
        "created_at": instant_text(one.created_at),
        "created_by": one.created_by,
        "updated_at": instant_text(one.updated_at),
        "updated_by": one.updated_by,
    }
