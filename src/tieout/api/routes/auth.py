"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import Field, StringConstraints

from tieout.api.access import Installation, open_to_all, signed_in, where_from
from tieout.api.bodies import Body, told
from tieout.api.section import Section
from tieout.control.access.actions.passwords import change_password
from tieout.control.access.actions.sign_in import SignedIn, refresh, sign_in, sign_out
from tieout.control.access.actions.users import UserWithRoles, get_user
from tieout.control.access.caller import Caller
from tieout.control.access.rules import MAX_EMAIL, MAX_PASSWORD, MIN_PASSWORD

routes = Section(tags=["auth"])

Password = Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignInBody(Body):
    """E-mail and password, and where they are right in several tenants, which."""

    email: Annotated[str, StringConstraints(min_length=3, max_length=MAX_EMAIL)]
    password: Password = Field(repr=False)
    tenant: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$")] | None = None


class RefreshBody(Body):
    """The refresh token that the last sign-in or refresh gave."""

    refreshToken: RefreshToken = Field(repr=False)  # noqa: N815 - as JSON spells it


class PasswordBody(Body):
    """The password that one has, and the one that is to be."""

    currentPassword: Password = Field(repr=False)  # noqa: N815 - as JSON spells it
    newPassword: Password = Field(repr=False)  # noqa: N815


@routes.post("/auth/login", dependencies=[Depends(open_to_all)])
@routes.post("/v1/auth/login", dependencies=[Depends(open_to_all)])
def login(body: SignInBody, request: Request, response: Response, platform: Installation) -> dict[str, Any]:
    """Exchange e-mail and password for an access token of 15 minutes and a refresh token of 30 days.

    Five failures in a row lock the user out for a minute, each further one for twice as long, up to an hour. The answer
    to whatever is not right is the same 401.
    """
    done = sign_in(platform, body.email, body.password, body.tenant, where_from(request))
    return _signed_in(done, response)


@routes.post("/v1/auth/refresh", dependencies=[Depends(open_to_all)])
def renew(body: RefreshBody, request: Request, response: Response, platform: Installation) -> dict[str, Any]:
    """Exchange a refresh token for new tokens; it is good once. Its second use ends the whole sign-in."""
    return _signed_in(refresh(platform, body.refreshToken, where_from(request)), response)


@routes.post("/v1/auth/logout", dependencies=[Depends(open_to_all)])
def logout(body: RefreshBody, request: Request, platform: Installation) -> dict[str, Any]:
    """End the sign-in that a refresh token descends from; the access token ends by itself within 15 minutes."""
    sign_out(platform, body.refreshToken, where_from(request))
    return {"data": {"signedOut": True}}


@routes.get("/v1/auth/me")
def me(caller: Annotated[Caller, Depends(signed_in)], platform: Installation) -> dict[str, Any]:
    """Say who calls: tenant, permissions, and the user where it is one."""
    user_id = caller.actor.user_id
    user = None if user_id is None else user_shown(get_user(platform, caller.tenant, user_id))
    return {
        "data": {
            "tenantId": caller.tenant,
            "actor": caller.actor.name,
            "roles": list(caller.roles),
            "permissions": list(caller.permissions),
            "user": user,
        }
    }


@routes.post("/v1/auth/password")
def change(body: PasswordBody, caller: Annotated[Caller, Depends(signed_in)], platform: Installation) -> dict[str, Any]:
    """Change one's own password; every sign-in ends, this one with its access token."""
    change_password(platform, caller, body.currentPassword, body.newPassword)
    return {"data": {"changed": True}}


def user_shown(who: UserWithRoles) -> dict[str, Any]:
    """Return a user as the API shows one."""
    return {
        "id": who.user.user_id,
        "tenantId": who.user.tenant,
        "email": who.user.email,
        "firstName": who.user.first_name,
        "lastName": who.user.last_name,
        "roles": list(who.role_names),
        "permissions": list(who.permissions),
    }


def _signed_in(done: SignedIn, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    tokens = done.tokens
    return {
        "data": {
            "user": user_shown(done.who),
            "tokens": {
                "accessToken": tokens.access,
                "refreshToken": tokens.refresh,
                "refreshTokenId": tokens.refresh_id,
                "expiresAt": {
                    "accessToken": told(tokens.access_expires),
                    "refreshToken": told(tokens.refresh_expires),
                },
            },
        }
    }
