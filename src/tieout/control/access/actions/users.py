"""Users: added, listed, disabled, enabled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.access.actions.roles import assign_role, get_role
from tieout.control.access.caller import Caller
from tieout.control.access.passwords import hash_password
from tieout.control.access.rules import Role, User, permissions_of, plain_email
from tieout.control.access.store import refresh_tokens
from tieout.control.access.store import roles as roles_store
from tieout.control.access.store import users as store
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes, new_id


class UserUnknown(TieoutError):
    """The tenant has no user with that id."""

    code = "user_unknown"
    http_status = 404


class EmailTaken(TieoutError):
    """The tenant has a user with that e-mail already."""

    code = "email_taken"
    http_status = 409


class OwnAccount(TieoutError):
    """A user tried to disable themselves."""

    code = "own_account"
    http_status = 409


@dataclass(frozen=True)
class NewUser:
    """A user to be made; `password_hash` is for one whose password was hashed before, `user_id` for one who has an id.

    Without either of password and hash the user cannot sign in by password.
    """

    email: str
    first_name: str
    last_name: str
    password: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    user_id: str | None = None

    def hashed(self, random_bytes: RandomBytes = os.urandom) -> NewUser:
        """Return the same with the password hashed, which takes some 50 ms; raise UnusablePassword."""
        if self.password is None:
            return self
        return replace(self, password=None, password_hash=hash_password(self.password, random_bytes))


@dataclass(frozen=True)
class UserWithRoles:
    """A user and what they may do."""

    user: User
    roles: tuple[Role, ...]

    @property
    def permissions(self) -> tuple[str, ...]:
        return permissions_of(self.roles)

    @property
    def role_names(self) -> tuple[str, ...]:
        return tuple(role.name for role in self.roles)


def create_user(
    connection: Connection, tenant: str, new: NewUser, now: datetime, random_bytes: RandomBytes = os.urandom
) -> User:
    """Store a user in the transaction of `connection`; recording it is the caller's.

    Hash the password before the transaction (`new.hashed()`), so that it does not wait. Raises EmailTaken,
    UnusableEmail and UnusablePassword.
    """
    email, hashed = plain_email(new.email), new.hashed(random_bytes)
    if store.is_email_taken(connection, tenant, email):
        raise EmailTaken(f"There is a user with the e-mail {email} already.", subject=email)
    user = User(
        tenant=tenant,
        user_id=new.user_id or new_id(now, random_bytes),
        email=email,
        first_name=new.first_name,
        last_name=new.last_name,
        password_hash=hashed.password_hash,
        status="active",
        failed_logins=0,
        locked_until=None,
        last_login=None,
        created=now,
    )
    store.add_user(connection, user)
    return user


def add_user(platform: Platform, caller: Caller, new: NewUser, role_ids: tuple[str, ...] = ()) -> UserWithRoles:
    """Make a user of the caller's tenant, with roles that grant no more than the caller has."""
    hashed, tenant = new.hashed(platform.random_bytes), caller.tenant

    def add(connection: Connection) -> UserWithRoles:
        now = platform.now()
        roles = [get_role(connection, tenant, role_id) for role_id in dict.fromkeys(role_ids)]
        caller.must_cover(permissions_of(roles), "The roles of the new user")
        user = create_user(connection, tenant, hashed, now, platform.random_bytes)
        for role in roles:
            assign_role(connection, tenant, user.user_id, role.role_id, now, by=caller.actor.name)
        delta = {"email": user.email, "roles": [role.name for role in roles]}
        _record(platform, connection, caller, "user.created", user.user_id, delta, now)
        return UserWithRoles(user, tuple(roles))

    return platform.of(tenant).write(add)


def list_users(platform: Platform, caller: Caller, *, limit: int, offset: int) -> tuple[list[UserWithRoles], int]:
    """Return users of the caller's tenant in the order of their making, and how many there are."""
    with platform.of(caller.tenant).reading() as connection:
        users = store.list_users(connection, caller.tenant, limit=limit, offset=offset)
        roles = roles_store.roles_of_each(connection, caller.tenant, [user.user_id for user in users])
        total = store.count_users(connection, caller.tenant)
    return [UserWithRoles(user, tuple(roles[user.user_id])) for user in users], total


def get_user(platform: Platform, tenant: str, user_id: str) -> UserWithRoles:
    """Return a user with their roles; raise UserUnknown."""
    with platform.of(tenant).reading() as connection:
        return load_user(connection, tenant, user_id)


def disable_user(platform: Platform, caller: Caller, user_id: str) -> UserWithRoles:
    """Let a user sign in no more and revoke their refresh tokens; access tokens end by themselves within 15 minutes."""
    if caller.actor.user_id == user_id:
        raise OwnAccount("Nobody can disable themselves.", subject=user_id, remedy="Ask another administrator.")
    return _set_status(platform, caller, user_id, "disabled")


def enable_user(platform: Platform, caller: Caller, user_id: str) -> UserWithRoles:
    """Let a user who was disabled sign in again."""
    return _set_status(platform, caller, user_id, "active")


def load_user(connection: Connection, tenant: str, user_id: str, *, to_change: bool = False) -> UserWithRoles:
    """Return a user with their roles inside a transaction; raise UserUnknown."""
    user = store.find_user(connection, tenant, user_id, to_change=to_change)
    if user is None:
        raise UserUnknown("There is no such user.", subject=user_id)
    return UserWithRoles(user, tuple(roles_store.roles_of(connection, tenant, user_id)))


def _set_status(platform: Platform, caller: Caller, user_id: str, status: str) -> UserWithRoles:
    tenant = caller.tenant

    def change(connection: Connection) -> UserWithRoles:
        found = load_user(connection, tenant, user_id, to_change=True)
        caller.must_cover(found.permissions, f"The user {found.user.email}")
        if found.user.status == status:
            return found
        now = platform.now()
        store.set_status(connection, tenant, user_id, status)
        delta: dict[str, object] = {"status": {"from": found.user.status, "to": status}}
        if status == "disabled":
            delta["sessions_ended"] = refresh_tokens.revoke_of_user(connection, tenant, user_id, now=now)
        action = "user.disabled" if status == "disabled" else "user.enabled"
        _record(platform, connection, caller, action, user_id, delta, now)
        return replace(found, user=replace(found.user, status=status))

    return platform.of(tenant).write(change)


def _record(
    platform: Platform,
    connection: Connection,
    caller: Caller,
    action: str,
    user_id: str,
    delta: Mapping[str, object],
    now: datetime,
) -> None:
    entry = Entry("identity", action, "user", user_id, delta)
    record(connection, caller.tenant, caller.actor, entry, now=now, random_bytes=platform.random_bytes)
