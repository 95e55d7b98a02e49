"""Every statement on flags. Flags of the platform have no tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from tieout.control.flags.rules import FlagSetting
from tieout.store.tables import platform_flags, tenant, tenant_feature_flags, tenant_flags


def platform_settings(connection: Connection) -> dict[str, FlagSetting]:
    """Return what is set for all tenants, by key."""
    return {row.flag_key: _setting(row) for row in connection.execute(select(platform_flags))}


def tenant_settings(connection: Connection, of: str) -> dict[str, FlagSetting]:
    """Return what is set for one tenant, by key."""
    found = connection.execute(select(tenant_flags).where(tenant_flags.c.tenant == of))
    return {row.flag_key: _setting(row) for row in found}


def features(connection: Connection, of: str) -> dict[tuple[str, str], bool]:
    """Return the features of modules that one tenant has or lacks, by module and feature."""
    found = connection.execute(select(tenant_feature_flags).where(tenant_feature_flags.c.tenant == of))
    return {(row.module_id, row.feature_key): row.enabled for row in found}


def tenant_status(connection: Connection, of: str) -> str | None:
    """Return the status of a tenant; None for one that was never registered."""
    return connection.scalar(select(tenant.c.status).where(tenant.c.tenant == of))


def find(connection: Connection, of: str | None, key: str) -> FlagSetting | None:
    """Return what a flag is set to, for a tenant or, without one, for all; no other may change it until the commit."""
    table, is_it = _where(of, key)
    row = connection.execute(select(table).where(is_it).with_for_update()).one_or_none()
    return None if row is None else _setting(row)


def put(connection: Connection, of: str | None, key: str, setting: FlagSetting, *, is_there: bool) -> None:
    """Set a flag, for a tenant or, without one, for all."""
    table, is_it = _where(of, key)
    values: dict[str, Any] = {
        "value": setting.value,
        "expires_us": setting.expires,
        "reason": setting.reason,
        "updated_by": setting.updated_by,
        "updated_us": setting.updated,
    }
    if is_there:
        connection.execute(update(table).where(is_it).values(values))
    else:
        whose = {} if of is None else {"tenant": of}
        connection.execute(insert(table).values(flag_key=key, **whose, **values))


def drop(connection: Connection, of: str | None, key: str) -> None:
    """Let a flag be set no more, for a tenant or, without one, for all."""
    table, is_it = _where(of, key)
    connection.execute(delete(table).where(is_it))


def set_for_tenants(connection: Connection, key: str) -> list[tuple[str, FlagSetting]]:
    """Return the tenants for which a flag is set; `connection` must see all of them."""
    found = connection.execute(
        select(tenant_flags).where(tenant_flags.c.flag_key == key).order_by(tenant_flags.c.tenant)
    )
    return [(row.tenant, _setting(row)) for row in found]


def _where(of: str | None, key: str) -> tuple[Table, ColumnElement[bool]]:
    if of is None:
        return platform_flags, platform_flags.c.flag_key == key
    return tenant_flags, (tenant_flags.c.tenant == of) & (tenant_flags.c.flag_key == key)


def _setting(row: Any) -> FlagSetting:
    expires: datetime | None = row.expires_us
    return FlagSetting(row.value, expires, row.reason, row.updated_by, row.updated_us)
