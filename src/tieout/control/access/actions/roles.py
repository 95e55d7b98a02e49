"""Roles: made, listed, deleted, given to users and taken from them. Nobody gives more than they have."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.access.caller import Caller
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.access.registry import (
    DEFAULT_ROLES,
    MAX_PATTERNS,
    PLATFORM_ROLES,
    TooManyPermissions,
    check_patterns,
)
from tieout.control.access.rules import Role, permissions_of
from tieout.control.access.store import roles as store
from tieout.control.access.store import users as users_store
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes, new_id


class RoleUnknown(TieoutError):
    """The tenant has no role with that id."""

    code = "role_unknown"
    http_status = 404


class RoleNameTaken(TieoutError):
    """The tenant has a role of that name already."""

    code = "role_name_taken"
    http_status = 409


class RoleInUse(TieoutError):
    """A role is to be deleted that users have."""

    code = "role_in_use"
    http_status = 409


class RoleOfThePlatform(TieoutError):
    """A role that the platform made is to be deleted."""

    code = "role_of_the_platform"
    http_status = 409


class NoSuchHolder(TieoutError):
    """A role is to be given to someone who is no user of the tenant."""

    code = "no_such_holder"
    http_status = 404


def create_default_roles(
    connection: Connection, tenant: str, now: datetime, random_bytes: RandomBytes = os.urandom
) -> dict[str, str]:
    """Store the roles that a tenant begins with, in the transaction of `connection`; return their ids by name.

    A role that exists stays as it is.
    """
    wanted = PLATFORM_ROLES if tenant == SUPERADMIN else DEFAULT_ROLES
    ids = {role.name: role.role_id for role in store.list_roles(connection, tenant, limit=1_000_000)}
    for name, permissions in wanted.items():
        if name not in ids:
            role = Role(tenant, new_id(now, random_bytes), name, permissions, is_system=True, created=now)
            store.add_role(connection, role)
            ids[name] = role.role_id
    return {name: ids[name] for name in wanted}


def assign_role(
    connection: Connection, tenant: str, user_id: str, role_id: str, now: datetime, *, by: str | None = None
) -> bool:
    """Give a role to a user in the transaction of `connection`; return whether they did not have it.

    It asks nobody's permission and records nothing: that is the caller's.
    """
    held = store.roles_of(connection, tenant, user_id)
    if any(role.role_id == role_id for role in held):
        return False
    store.give(connection, tenant, user_id, role_id, now=now, by=by)
    return True


def get_role(connection: Connection, tenant: str, role_id: str, *, to_change: bool = False) -> Role:
    """Return a role; raise RoleUnknown."""
    role = store.find_role(connection, tenant, role_id, to_change=to_change)
    if role is None:
        raise RoleUnknown("There is no such role.", subject=role_id)
    return role


def list_roles(platform: Platform, caller: Caller, *, limit: int, offset: int) -> tuple[list[Role], int]:
    """Return roles of the caller's tenant by name, and how many there are."""
    with platform.of(caller.tenant).reading() as connection:
        roles = store.list_roles(connection, caller.tenant, limit=limit, offset=offset)
        return roles, store.count_roles(connection, caller.tenant)


def add_role(platform: Platform, caller: Caller, name: str, permissions: Iterable[str]) -> Role:
    """Make a role of the caller's tenant; raise UnknownPermission, RoleNameTaken, NotAllowed."""
    tenant, patterns = caller.tenant, check_patterns(permissions)
    caller.must_cover(patterns, f"The role {name}")

    def add(connection: Connection) -> Role:
        now = platform.now()
        if store.is_name_taken(connection, tenant, name):
            raise RoleNameTaken(f"There is a role {name} already.", subject=name)
        role = Role(tenant, new_id(now, platform.random_bytes), name, patterns, is_system=False, created=now)
        store.add_role(connection, role)
        delta = {"name": name, "permissions": list(patterns)}
        _record(platform, connection, caller, Entry("rbac", "role.created", "role", role.role_id, delta))
        return role

    return platform.of(tenant).write(add)


def delete_role(platform: Platform, caller: Caller, role_id: str) -> None:
    """Delete a role that no user has and that the platform did not make."""
    tenant = caller.tenant

    def delete(connection: Connection) -> None:
        role = get_role(connection, tenant, role_id, to_change=True)
        if role.is_system:
            raise RoleOfThePlatform(f"The role {role.name} was made by the platform and stays.", subject=role.name)
        holders = store.count_holders(connection, tenant, role_id)
        if holders:
            raise RoleInUse(
                f"The role {role.name} is given to {holders} users.",
                subject=role.name,
                remedy="Take it from them first.",
            )
        store.delete_role(connection, tenant, role_id)
        delta = {"name": role.name, "permissions": list(role.permissions)}
        _record(platform, connection, caller, Entry("rbac", "role.deleted", "role", role_id, delta))

    platform.of(tenant).write(delete)


def give_role(platform: Platform, caller: Caller, user_id: str, role_id: str) -> bool:
    """Give a role to a user of the caller's tenant; return whether they did not have it.

    The caller must have all that the user may do before and after. It counts from the user's next access token on.
    """

    def give(connection: Connection) -> bool:
        role, held = _load(connection, caller.tenant, user_id, role_id)
        after = [*held, role]
        caller.must_cover(permissions_of(held), "The user")
        caller.must_cover(permissions_of(after), f"The role {role.name}")
        if len(permissions_of(after)) > MAX_PATTERNS:
            raise TooManyPermissions(
                f"The roles of one user have {MAX_PATTERNS} patterns at most.", remedy="Use patterns such as pos.*."
            )
        now = platform.now()
        if not assign_role(connection, caller.tenant, user_id, role_id, now, by=caller.actor.name):
            return False
        delta = {"role": role.name, "role_id": role_id}
        _record(platform, connection, caller, Entry("rbac", "role.assigned", "user", user_id, delta))
        return True

    return platform.of(caller.tenant).write(give)


def take_role(platform: Platform, caller: Caller, user_id: str, role_id: str) -> bool:
    """Take a role from a user of the caller's tenant; return whether they had it.

    The caller must have all that the user may do before and after: a role that takes permissions away frees them when
    it goes.
    """

    def take(connection: Connection) -> bool:
        role, held = _load(connection, caller.tenant, user_id, role_id)
        left = [one for one in held if one.role_id != role_id]
        caller.must_cover(permissions_of(held), "The user")
        caller.must_cover(permissions_of(left), f"The user without the role {role.name}")
        if len(left) == len(held):
            return False
        store.take(connection, caller.tenant, user_id, role_id)
        delta = {"role": role.name, "role_id": role_id}
        _record(platform, connection, caller, Entry("rbac", "role.unassigned", "user", user_id, delta))
        return True

    return platform.of(caller.tenant).write(take)


def _load(connection: Connection, tenant: str, user_id: str, role_id: str) -> tuple[Role, list[Role]]:
    """Return the role and those that the user has; nobody else changes either before the transaction ends."""
    if users_store.find_user(connection, tenant, user_id, to_change=True) is None:
        raise NoSuchHolder("There is no such user.", subject=user_id)
    return get_role(connection, tenant, role_id, to_change=True), store.roles_of(connection, tenant, user_id)


def _record(platform: Platform, connection: Connection, caller: Caller, entry: Entry) -> None:
    record(connection, caller.tenant, caller.actor, entry, now=platform.now(), random_bytes=platform.random_bytes)
