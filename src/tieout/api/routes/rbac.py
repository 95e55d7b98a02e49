"""Roles of the caller's tenant, and who has them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends

from tieout.api.access import Installation, needs
from tieout.api.bodies import Body, Id, Limit, Line, Offset, PathId, told
from tieout.api.routes.keys import Patterns
from tieout.api.section import Section
from tieout.control.access.actions.roles import add_role, delete_role, give_role, list_roles, take_role
from tieout.control.access.caller import Caller
from tieout.control.access.registry import PERMISSIONS
from tieout.control.access.rules import Role

routes = Section(prefix="/v1/rbac", tags=["rbac"])


class NewRoleBody(Body):
    """The name of a role and what it grants; `!` before a pattern takes away."""

    name: Line
    permissions: Patterns


class HolderBody(Body):
    """Who is to have a role, or to have it no more."""

    userId: Id  # noqa: N815 - as JSON spells it


@routes.get("/permissions")
def list_permissions(caller: Annotated[Caller, Depends(needs("rbac.roles.read"))]) -> dict[str, Any]:
    """List every permission that exists, and whether the caller has it."""
    shown = [{"name": name, "means": words, "held": caller.may(name)} for name, words in sorted(PERMISSIONS.items())]
    return {"data": shown}


@routes.get("/roles")
def list_all(
    caller: Annotated[Caller, Depends(needs("rbac.roles.read"))],
    platform: Installation,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """List roles by name."""
    roles, total = list_roles(platform, caller, limit=limit, offset=offset)
    return {"data": [_shown(role) for role in roles], "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.post("/roles", status_code=201)
def create(
    body: NewRoleBody, caller: Annotated[Caller, Depends(needs("rbac.roles.create"))], platform: Installation
) -> dict[str, Any]:
    """Make a role that grants no more than the caller has."""
    return {"data": _shown(add_role(platform, caller, body.name, body.permissions))}


@routes.delete("/roles/{role_id}")
def delete(
    role_id: PathId, caller: Annotated[Caller, Depends(needs("rbac.roles.delete"))], platform: Installation
) -> dict[str, Any]:
    """Delete a role that nobody has and that the platform did not make."""
    delete_role(platform, caller, role_id)
    return {"data": {"id": role_id, "deleted": True}}


@routes.post("/roles/{role_id}/assign")
def assign(
    role_id: PathId,
    body: HolderBody,
    caller: Annotated[Caller, Depends(needs("rbac.roles.assign"))],
    platform: Installation,
) -> dict[str, Any]:
    """Give a role to a user; it counts from their next access token on."""
    changed = give_role(platform, caller, body.userId, role_id)
    return {"data": {"roleId": role_id, "userId": body.userId, "assigned": True, "changed": changed}}


@routes.post("/roles/{role_id}/unassign")
def unassign(
    role_id: PathId,
    body: HolderBody,
    caller: Annotated[Caller, Depends(needs("rbac.roles.assign"))],
    platform: Installation,
) -> dict[str, Any]:
    """Take a role from a user; it counts from their next access token on."""
    changed = take_role(platform, caller, body.userId, role_id)
    return {"data": {"roleId": role_id, "userId": body.userId, "assigned": False, "changed": changed}}


def _shown(role: Role) -> dict[str, Any]:
    return {
        "id": role.role_id,
        "name": role.name,
        "permissions": list(role.permissions),
        "isSystem": role.is_system,
        "createdAt": told(role.created),
    }
