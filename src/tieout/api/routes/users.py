"""Users of the caller's tenant."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import Field, StringConstraints

from tieout.api.access import Installation, needs
from tieout.api.bodies import Body, Id, Limit, Line, Offset, PathId, told
from tieout.api.routes.auth import Password, user_shown
from tieout.api.section import Section
from tieout.control.access.actions.passwords import reset_password
from tieout.control.access.actions.users import (
    NewUser,
    UserWithRoles,
    add_user,
    disable_user,
    enable_user,
    list_users,
)
from tieout.control.access.caller import Caller
from tieout.control.access.rules import MAX_EMAIL

routes = Section(prefix="/v1/users", tags=["users"])


class NewUserBody(Body):
    """A user, the password to begin with, and the roles by id."""

    email: Annotated[str, StringConstraints(min_length=3, max_length=MAX_EMAIL)]
    firstName: Line  # noqa: N815 - as JSON spells it
    lastName: Line  # noqa: N815
    password: Password = Field(repr=False)
    roleIds: Annotated[list[Id], Field(default_factory=list, max_length=20)]  # noqa: N815


class NewPasswordBody(Body):
    """The password that a user is to have."""

    password: Password = Field(repr=False)


@routes.get("")
def list_all(
    caller: Annotated[Caller, Depends(needs("identity.users.read"))],
    platform: Installation,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """List users in the order of their making."""
    users, total = list_users(platform, caller, limit=limit, offset=offset)
    return {"data": [_shown(who) for who in users], "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.post("", status_code=201)
def create(
    body: NewUserBody, caller: Annotated[Caller, Depends(needs("identity.users.create"))], platform: Installation
) -> dict[str, Any]:
    """Add a user, whose roles grant no more than the caller has."""
    new = NewUser(body.email, body.firstName, body.lastName, password=body.password)
    return {"data": _shown(add_user(platform, caller, new, tuple(body.roleIds)))}


@routes.post("/{user_id}/disable")
def disable(
    user_id: PathId, caller: Annotated[Caller, Depends(needs("identity.users.disable"))], platform: Installation
) -> dict[str, Any]:
    """Let a user sign in no more; the access token that they have ends within 15 minutes."""
    return {"data": _shown(disable_user(platform, caller, user_id))}


@routes.post("/{user_id}/enable")
def enable(
    user_id: PathId, caller: Annotated[Caller, Depends(needs("identity.users.disable"))], platform: Installation
) -> dict[str, Any]:
    """Let a user who was disabled sign in again."""
    return {"data": _shown(enable_user(platform, caller, user_id))}


@routes.post("/{user_id}/password")
def reset(
    user_id: PathId,
    body: NewPasswordBody,
    caller: Annotated[Caller, Depends(needs("identity.users.reset_password"))],
    platform: Installation,
) -> dict[str, Any]:
    """Give a user a new password and end every sign-in of theirs; the caller must have all that the user may do."""
    reset_password(platform, caller, user_id, body.password)
    return {"data": {"id": user_id, "changed": True}}


def _shown(who: UserWithRoles) -> dict[str, Any]:
    return {
        **user_shown(who),
        "status": who.user.status,
        "createdAt": told(who.user.created),
        "lastLoginAt": told(who.user.last_login),
    }
