"""Statements on roles, and on who has them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select

from tieout.control.access.rules import Role
from tieout.store.tables import roles, user_roles


def find_role(connection: Connection, tenant: str, role_id: str, *, to_change: bool = False) -> Role | None:
    """Return a role, or None; `to_change` keeps others from deleting or giving it until the transaction ends."""
    asked = select(roles).where(roles.c.tenant == tenant, roles.c.role_id == role_id)
    row = connection.execute(asked.with_for_update() if to_change else asked).one_or_none()
    return None if row is None else _role(row)


def is_name_taken(connection: Connection, tenant: str, name: str) -> bool:
    """Whether the tenant has a role of that name."""
    asked = select(roles.c.role_id).where(roles.c.tenant == tenant, roles.c.name == name)
    return connection.execute(asked).first() is not None


def list_roles(connection: Connection, tenant: str, *, limit: int, offset: int = 0) -> list[Role]:
    """Return roles by name."""
    asked = select(roles).where(roles.c.tenant == tenant).order_by(roles.c.name, roles.c.role_id)
    return [_role(row) for row in connection.execute(asked.limit(limit).offset(offset))]


def count_roles(connection: Connection, tenant: str) -> int:
    """Return how many roles the tenant has."""
    return connection.scalar(select(func.count()).select_from(roles).where(roles.c.tenant == tenant)) or 0


def roles_of(connection: Connection, tenant: str, user_id: str) -> list[Role]:
    """Return the roles of a user, by name."""
    return roles_of_each(connection, tenant, [user_id])[user_id]


def roles_of_each(connection: Connection, tenant: str, user_ids: Collection[str]) -> dict[str, list[Role]]:
    """Return the roles of several users, each by name."""
    asked = (
        select(roles, user_roles.c.user_id)
        .join_from(
            roles,
            user_roles,
            (user_roles.c.tenant == roles.c.tenant) & (user_roles.c.role_id == roles.c.role_id),
        )
        .where(user_roles.c.tenant == tenant, user_roles.c.user_id.in_(user_ids))
        .order_by(roles.c.name, roles.c.role_id)
    )
    found: dict[str, list[Role]] = {user_id: [] for user_id in user_ids}
    for row in connection.execute(asked):
        found[row.user_id].append(_role(row))
    return found


def add_role(connection: Connection, role: Role) -> None:
    """Store a new role."""
    connection.execute(
        insert(roles).values(
            tenant=role.tenant,
            role_id=role.role_id,
            name=role.name,
            permissions=list(role.permissions),
            is_system=role.is_system,
            created_us=role.created,
        )
    )


def delete_role(connection: Connection, tenant: str, role_id: str) -> None:
    """Delete a role that nobody has."""
    connection.execute(delete(roles).where(roles.c.tenant == tenant, roles.c.role_id == role_id))


def count_holders(connection: Connection, tenant: str, role_id: str) -> int:
    """Return how many users have a role."""
    asked = select(func.count()).select_from(user_roles)
    return connection.scalar(asked.where(user_roles.c.tenant == tenant, user_roles.c.role_id == role_id)) or 0


def give(connection: Connection, tenant: str, user_id: str, role_id: str, *, now: datetime, by: str | None) -> None:
    """Store that a user has a role."""
    connection.execute(
        insert(user_roles).values(tenant=tenant, user_id=user_id, role_id=role_id, assigned_us=now, assigned_by=by)
    )


def take(connection: Connection, tenant: str, user_id: str, role_id: str) -> None:
    """Store that a user has a role no more."""
    connection.execute(
        delete(user_roles).where(
            user_roles.c.tenant == tenant, user_roles.c.user_id == user_id, user_roles.c.role_id == role_id
        )
    )


def _role(row: Row[tuple[object, ...]]) -> Role:
    return Role(
        tenant=row.tenant,
        role_id=row.role_id,
        name=row.name,
        permissions=tuple(row.permissions),
        is_system=row.is_system,
        created=row.created_us,
    )
