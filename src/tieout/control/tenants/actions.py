"""Tenants: listed, suspended, reactivated, closed; their modules switched; how often that happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.control.tenants import store
from tieout.control.tenants.modules import Toggle, canonical, each_once, toggles
from tieout.control.tenants.rules import Tenant, Verb, checked_reason, status_after
from tieout.control.tenants.store import OwnModule
from tieout.control.tenants.toggling import entry_of, report_toggles
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT
from tieout.work.outbox.actions import Event, emit

Answer = TypeVar("Answer")
MAX_WINDOW_DAYS = 180
_HAPPENED: dict[Verb, str] = {"suspend": "suspended", "reactivate": "reactivated", "close": "closed"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TenantUnknown(TieoutError):
    """No tenant has this id or alias."""

    code = "tenant_unknown"
    http_status = 404


class BadWindowOfDays(TieoutError):
    """Analytics were asked for a number of days that is not within bounds."""

    code = "bad_window_of_days"


@dataclass(frozen=True)
class TenantDetails:
    """A tenant with who it is as a business, and its modules."""

    tenant: Tenant
    profile: Mapping[str, Any] | None
    modules: tuple[OwnModule, ...]


@dataclass(frozen=True)
class ToggleCount:
    """How often a module was switched on and off."""

    module: str
    enabled: int
    disabled: int


def list_tenants(
    platform: Platform, status: str | None = None, *, limit: int = 50, offset: int = 0
) -> tuple[list[Tenant], int]:
    """Return tenants, newest first, and how many there are."""
    with platform.all_tenants.reading() as connection:
        found = store.list_tenants(connection, status, limit=limit, offset=offset)
        return found, store.count_tenants(connection, status)


def get_tenant(platform: Platform, named: str) -> TenantDetails:
    """Return a tenant by its id or alias; raise TenantUnknown."""
    with platform.all_tenants.reading() as connection:
        found = store.find_tenant(connection, named) or store.find_by_alias(connection, named)
        if found is None:
            raise _unknown(named)
        modules = store.modules_of(connection, found.tenant).values()
        return TenantDetails(found, store.profile_of(connection, found.tenant), tuple(modules))


def own_modules(platform: Platform, tenant: str) -> tuple[OwnModule, ...]:
    """Return the modules of a tenant, by key."""
    with platform.of(tenant).reading() as connection:
        return tuple(store.modules_of(connection, tenant).values())


def change_status(platform: Platform, actor: Actor, tenant: str, verb: Verb, *, reason: str | None = None) -> Tenant:
    """Suspend, reactivate or close a tenant; its users and keys are let in no more, or again, within 5 s everywhere.

    Raises TenantUnknown and WrongTenantStatus.
    """
    said = checked_reason(reason)

    def change(connection: Connection) -> Tenant:
        before = _found(connection, tenant)
        after = replace(before, status=status_after(before, verb), updated=platform.now())
        store.set_status(connection, tenant, after.status, after.updated)
        kind = f"tenant.{_HAPPENED[verb]}"
        delta = {"from": before.status, "to": after.status, "reason": said}
        _tell(platform, connection, Event(kind, tenant, delta))
        entry = Entry("superadmin", kind, "tenant", tenant, delta)
        record(connection, tenant, actor, entry, now=platform.now(), random_bytes=platform.random_bytes)
        return after

    changed = _write(platform, tenant, change)
    platform.flags.forget()
    return changed


def switch_modules(
    platform: Platform, actor: Actor, tenant: str, wanted: Iterable[tuple[str, bool]]
) -> tuple[tuple[OwnModule, ...], tuple[Toggle, ...]]:
    """Switch modules of a tenant by hand, so that a plan leaves them alone; return all it has and what was switched.

    Raises TenantUnknown and BadModule.
    """
    asked = each_once((canonical(key), is_on) for key, is_on in wanted)

    def change(connection: Connection) -> tuple[tuple[OwnModule, ...], tuple[Toggle, ...]]:
        _found(connection, tenant)
        before, now = store.modules_of(connection, tenant), platform.now()
        switched = toggles({key: one.enabled for key, one in before.items()}, asked)
        pinned = [key for key in asked if key in before and before[key].source != "superadmin"]
        changed = {one.key for one in switched} | set(pinned)
        for key in sorted(changed):
            own = OwnModule(key, asked[key], "superadmin", actor.name, now)
            store.put_module(connection, tenant, own, is_there=key in before)
        if switched:
            data = {"modules": {one.key: one.is_now for one in switched}}
            _tell(platform, connection, Event("tenant.modules_changed", tenant, data))
            entry = entry_of(switched, "tenant", tenant)
            record(connection, tenant, actor, entry, now=now, random_bytes=platform.random_bytes)
        kept = sorted(set(pinned) - {one.key for one in switched})
        if kept:  # as they were, but no more because a plan says so
            entry = Entry("superadmin", "tenant.modules_pinned", "tenant", tenant, {"modules": kept})
            record(connection, tenant, actor, entry, now=now, random_bytes=platform.random_bytes)
        return tuple(store.modules_of(connection, tenant).values()), switched

    after, switched = _write(platform, tenant, change)
    report_toggles(switched, actor, tenant_id=tenant)
    return after, switched


def count_toggles(platform: Platform, window_days: int) -> list[ToggleCount]:
    """Return how often modules were switched in the last days, 1 to 180, by module; raise BadWindowOfDays."""
    if not 1 <= window_days <= MAX_WINDOW_DAYS:
        raise BadWindowOfDays(f"windowDays is {window_days}; it is from 1 to {MAX_WINDOW_DAYS}.", subject="windowDays")
    since = platform.now() - timedelta(days=window_days)
    with platform.all_tenants.reading() as connection:
        found = store.count_toggles(connection, (since - _EPOCH) // timedelta(microseconds=1))
    return [ToggleCount(*row) for row in found]


def _write(platform: Platform, tenant: str, change: Callable[[Connection], Answer]) -> Answer:
    if tenant == EVERY_TENANT:
        raise _unknown(tenant)
    return platform.of(tenant).write(change)


def _found(connection: Connection, tenant: str) -> Tenant:
    found = store.find_tenant(connection, tenant, to_change=True)
    if found is None:
        raise _unknown(tenant)
    return found


def _unknown(named: str) -> TenantUnknown:
    return TenantUnknown(
        f"There is no tenant {named[:64]!r}.", subject=named[:64], remedy="`tieout tenants list` shows them."
    )


def _tell(platform: Platform, connection: Connection, event: Event) -> None:
    emit(connection, event.entity_id, event, now=platform.now(), random_bytes=platform.random_bytes)
