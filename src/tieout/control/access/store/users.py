"""Statements on users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from tieout.control.access.rules import OPEN_TENANTS, User
from tieout.store.tables import tenant as tenants
from tieout.store.tables import users


@dataclass(frozen=True)
class Known:
    """A user whom an e-mail may mean, and the alias of the tenant."""

    user: User
    alias: str


def find_user(connection: Connection, tenant: str, user_id: str, *, to_change: bool = False) -> User | None:
    """Return a user, or None; `to_change` keeps others from changing the row until the transaction ends."""
    asked = select(users).where(users.c.tenant == tenant, users.c.user_id == user_id)
    row = connection.execute(asked.with_for_update() if to_change else asked).one_or_none()
    return None if row is None else _user(row)


def is_email_taken(connection: Connection, tenant: str, email: str) -> bool:
    """Whether the tenant has a user with that e-mail."""
    asked = select(users.c.user_id).where(users.c.tenant == tenant, users.c.email == email)
    return connection.execute(asked).first() is not None


def list_users(connection: Connection, tenant: str, *, limit: int, offset: int) -> list[User]:
    """Return users in the order of their making."""
    asked = select(users).where(users.c.tenant == tenant).order_by(users.c.created_us, users.c.user_id)
    return [_user(row) for row in connection.execute(asked.limit(limit).offset(offset))]


def count_users(connection: Connection, tenant: str) -> int:
    """Return how many users the tenant has."""
    return connection.scalar(select(func.count()).select_from(users).where(users.c.tenant == tenant)) or 0


def list_known(connection: Connection, email: str, tenant: str | None, *, limit: int) -> list[Known]:
    """Return the active users of open tenants with that e-mail, in all tenants or in one named by id or alias.

    A tenant without a row is known on the command line alone, and open.
    """
    asked = (
        select(users, tenants.c.alias)
        .join_from(users, tenants, tenants.c.tenant == users.c.tenant, isouter=True)
        .where(
            users.c.email == email,
            users.c.status == "active",
            or_(tenants.c.status.in_(OPEN_TENANTS), tenants.c.tenant.is_(None)),
        )
        .order_by(users.c.tenant)
        .limit(limit)
    )
    if tenant is not None:
        asked = asked.where(or_(users.c.tenant == tenant, tenants.c.alias == tenant))
    return [Known(_user(row), row.alias or row.tenant) for row in connection.execute(asked)]


def is_tenant_open(connection: Connection, tenant: str) -> bool:
    """Whether users and keys of the tenant may come in."""
    status = connection.scalar(select(tenants.c.status).where(tenants.c.tenant == tenant))
    return status is None or status in OPEN_TENANTS


def add_user(connection: Connection, user: User) -> None:
    """Store a new user."""
    connection.execute(
        insert(users).values(
            tenant=user.tenant,
            user_id=user.user_id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            password_hash=user.password_hash,
            status=user.status,
            failed_logins=user.failed_logins,
            locked_until_us=user.locked_until,
            last_login_us=user.last_login,
            created_us=user.created,
        )
    )


def set_status(connection: Connection, tenant: str, user_id: str, status: str) -> None:
    """Set whether a user is active or disabled."""
    _change(connection, tenant, user_id, status=status)


def set_password_hash(connection: Connection, tenant: str, user_id: str, password_hash: str) -> None:
    """Set the hash of a user's password."""
    _change(connection, tenant, user_id, password_hash=password_hash)


def note_failure(
    connection: Connection, tenant: str, user_id: str, *, failures: int, locked_until: datetime | None
) -> None:
    """Store how many sign-ins failed in a row, and until when that keeps the user out."""
    _change(connection, tenant, user_id, failed_logins=failures, locked_until_us=locked_until)


def note_success(connection: Connection, tenant: str, user_id: str, *, now: datetime) -> None:
    """Store that the user signed in."""
    _change(connection, tenant, user_id, failed_logins=0, locked_until_us=None, last_login_us=now)


def _change(connection: Connection, tenant: str, user_id: str, **values: object) -> None:
    connection.execute(update(users).where(users.c.tenant == tenant, users.c.user_id == user_id).values(**values))


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(
        tenant=row.tenant,
        user_id=row.user_id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        password_hash=row.password_hash,
        status=row.status,
        failed_logins=row.failed_logins,
        locked_until=row.locked_until_us,
        last_login=row.last_login_us,
        created=row.created_us,
    )
