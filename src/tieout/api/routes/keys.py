"""API keys of the caller's tenant."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Response
from pydantic import AwareDatetime, Field, StringConstraints

from tieout.api.access import Installation, needs
from tieout.api.bodies import Body, Limit, Line, Offset, PathId, told
from tieout.api.section import Section
from tieout.control.access.actions.keys import NewKey, create_key, list_keys, revoke_key, rotate_key
from tieout.control.access.caller import Caller
from tieout.control.access.registry import MAX_PATTERN_LENGTH, MAX_PATTERNS
from tieout.control.access.rules import ApiKey

routes = Section(prefix="/v1/keys", tags=["keys"])

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN_LENGTH)]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=MAX_PATTERNS)]


class NewKeyBody(Body):
    """What the key is for, what it may do, and when it ends, if ever."""

    name: Line
    permissions: Patterns
    expiresAt: AwareDatetime | None = None  # noqa: N815 - as JSON spells it


class RotationBody(Body):
    """Until when the old key works besides the new one; 24 hours where nothing is said."""

    oldWorksUntil: AwareDatetime | None = None  # noqa: N815 - as JSON spells it


@routes.post("", status_code=201)
def create(
    body: NewKeyBody,
    response: Response,
    caller: Annotated[Caller, Depends(needs("identity.keys.create"))],
    platform: Installation,
) -> dict[str, Any]:
    """Make a key that may do no more than the caller. Its text is shown this once."""
    return _made(platform, create_key(platform, caller, body.name, body.permissions, expires=body.expiresAt), response)


@routes.get("")
def list_all(
    caller: Annotated[Caller, Depends(needs("identity.keys.read"))],
    platform: Installation,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """List keys, the newest first, those that ended included."""
    keys, total = list_keys(platform, caller, limit=limit, offset=offset)
    shown = [_shown(platform, key) for key in keys]
    return {"data": shown, "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.post("/{key_id}/rotate", status_code=201)
def rotate(
    key_id: PathId,
    response: Response,
    caller: Annotated[Caller, Depends(needs("identity.keys.rotate"))],
    platform: Installation,
    body: RotationBody | None = None,
) -> dict[str, Any]:
    """Make a key that takes the place of another, which works for 24 hours more or as long as said."""
    until = None if body is None else body.oldWorksUntil
    return _made(platform, rotate_key(platform, caller, key_id, old_until=until), response)


@routes.post("/{key_id}/revoke")
def revoke(
    key_id: PathId, caller: Annotated[Caller, Depends(needs("identity.keys.revoke"))], platform: Installation
) -> dict[str, Any]:
    """End a key at once."""
    return {"data": _shown(platform, revoke_key(platform, caller, key_id))}


def _made(platform: Installation, made: NewKey, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return {"data": {**_shown(platform, made.key), "key": made.text}}


def _shown(platform: Installation, key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "permissions": list(key.permissions),
        "status": key.status(platform.now()),
        "createdAt": told(key.created),
        "createdBy": key.created_by,
        "expiresAt": told(key.expires),
        "revokedAt": told(key.revoked),
        "lastUsedAt": told(key.last_used),
        "replacedBy": key.replaced_by,
    }
