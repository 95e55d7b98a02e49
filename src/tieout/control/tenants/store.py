"""Every statement on applications, tenants and their modules.

Applications belong to the platform. The statements that go over all tenants (`list_tenants`, `aliases_like`,
`count_toggles`) are for its administrators: on PostgreSQL they see rows only where the transaction is of every tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from tieout.control.tenants.modules import Choice
from tieout.control.tenants.rules import MAX_ALIAS, Business, Owner, Registration, Tenant
from tieout.store.tables import tenant as tenants
from tieout.store.tables import tenant_business_profile, tenant_modules, tenant_registration

_ALIAS_LOCK = 0x616C696173  # any number, the same in every process


@dataclass(frozen=True)
class OwnModule:
    """A module that a tenant has or had."""

    key: str
    enabled: bool
    source: str
    updated_by: str | None
    updated: datetime


def add_registration(connection: Connection, one: Registration) -> None:
    """Store a new application."""
    connection.execute(
        insert(tenant_registration).values(
            registration_id=one.registration_id,
            status=one.status,
            business=vars(one.business),
            owner=vars(one.owner),
            owner_password_hash=one.password_hash,
            modules=[vars(choice) for choice in one.modules],
            created_us=one.created,
        )
    )


def find_registration(connection: Connection, registration_id: str, *, to_change: bool = False) -> Registration | None:
    """Return an application, or None; `to_change` keeps others from changing it until the transaction ends."""
    asked = select(tenant_registration).where(tenant_registration.c.registration_id == registration_id)
    row = connection.execute(asked.with_for_update() if to_change else asked).one_or_none()
    return None if row is None else _registration(row)


def list_registrations(connection: Connection, status: str | None, *, limit: int, offset: int) -> list[Registration]:
    """Return applications, newest first."""
    newest = (tenant_registration.c.created_us.desc(), tenant_registration.c.registration_id.desc())
    asked = select(tenant_registration).order_by(*newest).limit(limit).offset(offset)
    if status is not None:
        asked = asked.where(tenant_registration.c.status == status)
    return [_registration(row) for row in connection.execute(asked)]


def count_registrations(connection: Connection, status: str | None) -> int:
    """Return how many applications there are."""
    asked = select(func.count()).select_from(tenant_registration)
    return connection.scalar(asked if status is None else asked.where(tenant_registration.c.status == status)) or 0


def set_choices(connection: Connection, registration_id: str, choices: Iterable[Choice]) -> None:
    """Store which modules an application asks for."""
    asked = update(tenant_registration).where(tenant_registration.c.registration_id == registration_id)
    connection.execute(asked.values(modules=[vars(choice) for choice in choices]))


def decide_registration(connection: Connection, one: Registration) -> None:
    """Store what was decided about an application; its password is kept no longer."""
    connection.execute(
        update(tenant_registration)
        .where(tenant_registration.c.registration_id == one.registration_id)
        .values(
            status=one.status,
            modules=[vars(choice) for choice in one.modules],
            decided_us=one.decided,
            decided_by=one.decided_by,
            reason=one.reason,
            tenant=one.tenant,
            owner_password_hash=None,
        )
    )


def add_tenant(connection: Connection, one: Tenant, business: Business) -> None:
    """Store a new tenant and who it is as a business."""
    connection.execute(
        insert(tenants).values(
            tenant=one.tenant,
            name=one.name,
            alias=one.alias,
            status=one.status,
            time_zone=one.time_zone,
            created_us=one.created,
            updated_us=one.updated,
        )
    )
    profile = {name: value for name, value in vars(business).items() if name != "time_zone"}
    connection.execute(insert(tenant_business_profile).values(tenant=one.tenant, **profile))


def aliases_like(connection: Connection, stem: str) -> set[str]:
    """Return the aliases of all tenants that begin as `stem` does; nobody else gives one until the commit."""
    if connection.dialect.name == "postgresql":  # SQLite's writers take their turn anyway
        connection.execute(select(func.pg_advisory_xact_lock(_ALIAS_LOCK)))
    beginning = stem[: MAX_ALIAS // 2]
    return set(
        connection.scalars(select(tenants.c.alias).where(tenants.c.alias.startswith(beginning, autoescape=True)))
    )


def find_tenant(connection: Connection, tenant: str, *, to_change: bool = False) -> Tenant | None:
    """Return a tenant, or None; `to_change` keeps others from changing it until the transaction ends."""
    asked = select(tenants).where(tenants.c.tenant == tenant)
    row = connection.execute(asked.with_for_update() if to_change else asked).one_or_none()
    return None if row is None else _tenant(row)


def find_by_alias(connection: Connection, alias: str) -> Tenant | None:
    """Return the tenant that is called `alias`, or None."""
    row = connection.execute(select(tenants).where(tenants.c.alias == alias)).one_or_none()
    return None if row is None else _tenant(row)


def list_tenants(connection: Connection, status: str | None, *, limit: int, offset: int) -> list[Tenant]:
    """Return tenants, newest first."""
    asked = select(tenants).order_by(tenants.c.created_us.desc(), tenants.c.tenant.desc()).limit(limit).offset(offset)
    return [
        _tenant(row) for row in connection.execute(asked if status is None else asked.where(tenants.c.status == status))
    ]


def count_tenants(connection: Connection, status: str | None) -> int:
    """Return how many tenants there are."""
    asked = select(func.count()).select_from(tenants)
    return connection.scalar(asked if status is None else asked.where(tenants.c.status == status)) or 0


def set_status(connection: Connection, tenant: str, status: str, now: datetime) -> None:
    """Store the status of a tenant."""
    connection.execute(update(tenants).where(tenants.c.tenant == tenant).values(status=status, updated_us=now))


def profile_of(connection: Connection, tenant: str) -> Mapping[str, Any] | None:
    """Return who a tenant is as a business, or None."""
    asked = select(tenant_business_profile).where(tenant_business_profile.c.tenant == tenant)
    row = connection.execute(asked).mappings().one_or_none()
    return None if row is None else {str(name): value for name, value in row.items() if name != "tenant"}


def modules_of(connection: Connection, tenant: str) -> dict[str, OwnModule]:
    """Return the modules of a tenant by key, in the order of their keys."""
    asked = select(tenant_modules).where(tenant_modules.c.tenant == tenant).order_by(tenant_modules.c.module_id)
    return {
        row.module_id: OwnModule(row.module_id, row.enabled, row.source, row.updated_by, row.updated_us)
        for row in connection.execute(asked)
    }


def put_module(connection: Connection, tenant: str, one: OwnModule, *, is_there: bool) -> None:
    """Store whether a tenant has a module."""
    values = {"enabled": one.enabled, "source": one.source, "updated_by": one.updated_by, "updated_us": one.updated}
    if is_there:
        is_it = (tenant_modules.c.tenant == tenant) & (tenant_modules.c.module_id == one.key)
        connection.execute(update(tenant_modules).where(is_it).values(values))
    else:
        connection.execute(insert(tenant_modules).values(tenant=tenant, module_id=one.key, **values))


# One row for each module that was switched, counted from the audit trail of every tenant.
_TOGGLES_ON_SQLITE = """
select json_extract(toggle.value, '$.key') as module,
       sum(json_extract(toggle.value, '$.to')) as enabled_count,
       sum(not json_extract(toggle.value, '$.to')) as disabled_count
from audit_events, json_each(audit_events.delta, '$.toggles') as toggle
where audit_events.module = 'superadmin' and action = 'registration.module_toggled' and created_at > :since_us
group by 1 order by 1
"""
_TOGGLES_ON_POSTGRESQL = """
select toggle ->> 'key' as module,
       count(*) filter (where (toggle ->> 'to')::boolean) as enabled_count,
       count(*) filter (where not (toggle ->> 'to')::boolean) as disabled_count
from audit_events, json_array_elements(delta -> 'toggles') as toggle
where module = 'superadmin' and action = 'registration.module_toggled' and created_at > :since_us
group by 1 order by 1
"""


def count_toggles(connection: Connection, since_us: int) -> list[tuple[str, int, int]]:
    """Return how often each module was switched on and off since then, over all tenants."""
    is_postgresql = connection.dialect.name == "postgresql"
    query = text(_TOGGLES_ON_POSTGRESQL if is_postgresql else _TOGGLES_ON_SQLITE)
    return [
        (row.module, row.enabled_count, row.disabled_count) for row in connection.execute(query, {"since_us": since_us})
    ]


def _registration(row: Row[Any]) -> Registration:
    return Registration(
        registration_id=row.registration_id,
        status=row.status,
        business=Business(**row.business),
        owner=Owner(**row.owner),
        password_hash=row.owner_password_hash,
        modules=tuple(Choice(**choice) for choice in row.modules),
        created=row.created_us,
        decided=row.decided_us,
        decided_by=row.decided_by,
        reason=row.reason,
        tenant=row.tenant,
    )


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(row.tenant, row.name, row.alias, row.status, row.time_zone, row.created_us, row.updated_us)
