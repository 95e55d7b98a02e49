"""Set and unset flags, each change on the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tieout.control.access.permissions import SUPERADMIN
from tieout.control.audit.actions import Entry, record
from tieout.control.flags import store
from tieout.control.flags.registry import FLAGS, FlagValue, get_flag
from tieout.control.flags.rules import FlagSetting, check_value
from tieout.control.platform import Platform
from tieout.control.tenants.actions import TenantUnknown
from tieout.control.tenants.rules import MAX_REASON, checked_reason
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT

__all__ = ["MAX_REASON", "list_settings", "set_flag", "unset_flag"]


class ExpiresInThePast(TieoutError):
    """A flag was to be set until an instant that has passed."""

    code = "expires_in_the_past"


class OverriddenByEnvironment(TieoutError):
    """A flag was to be set that a variable of the environment decides."""

    code = "overridden_by_environment"
    http_status = 409


def set_flag(
    platform: Platform,
    actor: Actor,
    key: str,
    value: FlagValue,
    *,
    tenant: str | None = None,
    expires: datetime | None = None,
    reason: str | None = None,
) -> bool:
    """Set a flag for `tenant`, or for all; return whether that changed anything.

    Raises UnknownFlag, BadFlagValue, ExpiresInThePast, TenantUnknown, and OverriddenByEnvironment where it would have
    no effect.
    """
    flag, now = get_flag(key), platform.now()
    if key in platform.flags.environment:
        raise OverriddenByEnvironment(
            f"The environment variable {flag.environment} decides {key}, so setting it would change nothing.",
            subject=key,
            remedy=f"Unset {flag.environment} and restart.",
        )
    if expires is not None and expires <= now:
        raise ExpiresInThePast(f"{expires.isoformat()}, until when {key} was to be set, has passed.", subject=key)
    setting = FlagSetting(check_value(flag, value), expires, checked_reason(reason), actor.name, now)

    def change(connection: Connection) -> bool:
        _must_exist(platform, connection, tenant)
        before = store.find(connection, tenant, key)
        if before is not None and _said(before) == _said(setting):
            return False
        store.put(connection, tenant, key, setting, is_there=before is not None)
        _record(platform, connection, actor, tenant, _entry("flags.flag_set", tenant, key, before, setting))
        return True

    return _write(platform, tenant, change)


def unset_flag(platform: Platform, actor: Actor, key: str, *, tenant: str | None = None) -> bool:
    """Let a flag be set no more for `tenant`, or for all; return whether it was. Raises UnknownFlag, TenantUnknown."""
    get_flag(key)

    def change(connection: Connection) -> bool:
        _must_exist(platform, connection, tenant)
        before = store.find(connection, tenant, key)
        if before is None:
            return False
        store.drop(connection, tenant, key)
        _record(platform, connection, actor, tenant, _entry("flags.flag_unset", tenant, key, before, None))
        return True

    return _write(platform, tenant, change)


def list_settings(platform: Platform) -> dict[str, list[tuple[str, FlagSetting]]]:
    """Return for each flag the tenants for which it is set, and to what."""
    with platform.all_tenants.reading() as connection:
        return {key: store.set_for_tenants(connection, key) for key in FLAGS}


def _write(platform: Platform, tenant: str | None, change: Callable[[Connection], bool]) -> bool:
    if tenant == EVERY_TENANT:
        raise _unknown(tenant)
    changed = platform.of(tenant or SUPERADMIN).write(change)
    platform.flags.forget()
    return changed


def _must_exist(platform: Platform, connection: Connection, tenant: str | None) -> None:
    # The tenant of an installation that has one alone is not registered.
    if tenant in (None, SUPERADMIN, platform.settings.tenant) or store.tenant_status(connection, tenant):
        return
    raise _unknown(tenant or "")


def _unknown(tenant: str) -> TenantUnknown:
    return TenantUnknown(f"There is no tenant {tenant!r}.", subject=tenant, remedy="`tieout tenants list` shows them.")


def _said(setting: FlagSetting) -> FlagSetting:
    """Return what a setting says, without who said it and when."""
    return replace(setting, updated_by=None, updated=datetime.min)  # noqa: DTZ901 - a stand-in, never stored


def _entry(action: str, tenant: str | None, key: str, before: FlagSetting | None, after: FlagSetting | None) -> Entry:
    delta = {"scope": tenant or "global", "from": _shown(before), "to": _shown(after)}
    return Entry("flags", action, "flag", key, delta)


def _record(platform: Platform, connection: Connection, actor: Actor, tenant: str | None, entry: Entry) -> None:
    now, random_bytes = platform.now(), platform.random_bytes
    record(connection, tenant or SUPERADMIN, actor, entry, now=now, random_bytes=random_bytes)


def _shown(setting: FlagSetting | None) -> Mapping[str, Any] | None:
    if setting is None:
        return None
    expires = setting.expires.isoformat() if setting.expires else None
    return {"value": setting.value, "expires": expires, "reason": setting.reason}
