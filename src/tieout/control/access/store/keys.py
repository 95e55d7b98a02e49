"""Statements on API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from tieout.control.access.rules import OPEN_TENANTS, ApiKey
from tieout.store.tables import api_keys
from tieout.store.tables import tenant as tenants


def find_by_hash(connection: Connection, key_hash: str) -> tuple[ApiKey, str] | None:
    """Return the key of any open tenant that has this hash, and the hash as it is stored; or None."""
    asked = (
        select(api_keys)
        .join_from(api_keys, tenants, tenants.c.tenant == api_keys.c.tenant, isouter=True)
        .where(
            api_keys.c.key_hash == key_hash,
            or_(tenants.c.status.in_(OPEN_TENANTS), tenants.c.tenant.is_(None)),
        )
    )
    row = connection.execute(asked).one_or_none()
    return None if row is None else (_key(row), row.key_hash)


def find_key(connection: Connection, tenant: str, key_id: str, *, to_change: bool = False) -> ApiKey | None:
    """Return a key of the tenant, or None."""
    asked = select(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.key_id == key_id)
    row = connection.execute(asked.with_for_update() if to_change else asked).one_or_none()
    return None if row is None else _key(row)


def list_keys(connection: Connection, tenant: str, *, limit: int, offset: int = 0) -> list[ApiKey]:
    """Return keys, the newest first."""
    asked = select(api_keys).where(api_keys.c.tenant == tenant)
    asked = asked.order_by(api_keys.c.created_us.desc(), api_keys.c.key_id)
    return [_key(row) for row in connection.execute(asked.limit(limit).offset(offset))]


def count_keys(connection: Connection, tenant: str) -> int:
    """Return how many keys the tenant has, those that ended included."""
    return connection.scalar(select(func.count()).select_from(api_keys).where(api_keys.c.tenant == tenant)) or 0


def add_key(connection: Connection, key: ApiKey, key_hash: str) -> None:
    """Store a new key."""
    connection.execute(
        insert(api_keys).values(
            tenant=key.tenant,
            key_id=key.key_id,
            name=key.name,
            key_hash=key_hash,
            permissions=list(key.permissions),
            created_us=key.created,
            created_by=key.created_by,
            expires_us=key.expires,
            revoked_us=key.revoked,
            last_used_us=key.last_used,
            replaced_by=key.replaced_by,
        )
    )


def note_replaced(connection: Connection, tenant: str, key_id: str, *, by: str, expires: datetime) -> None:
    """Store which key took the place of a key, and until when both work."""
    _change(connection, tenant, key_id, replaced_by=by, expires_us=expires)


def revoke_key(connection: Connection, tenant: str, key_id: str, *, now: datetime) -> None:
    """Store that a key works no more."""
    _change(connection, tenant, key_id, revoked_us=now)


def note_use(connection: Connection, tenant: str, key_id: str, *, minute: datetime) -> None:
    """Store that a key was used in this minute, unless a later one is stored."""
    asked = update(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.key_id == key_id)
    is_news = or_(api_keys.c.last_used_us.is_(None), api_keys.c.last_used_us < minute)
    connection.execute(asked.where(is_news).values(last_used_us=minute))


def _change(connection: Connection, tenant: str, key_id: str, **values: object) -> None:
    connection.execute(
        update(api_keys).where(api_keys.c.tenant == tenant, api_keys.c.key_id == key_id).values(**values)
    )


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        tenant=row.tenant,
        key_id=row.key_id,
        name=row.name,
        permissions=tuple(row.permissions),
        created=row.created_us,
        created_by=row.created_by,
        expires=row.expires_us,
        revoked=row.revoked_us,
        last_used=row.last_used_us,
        replaced_by=row.replaced_by,
    )
