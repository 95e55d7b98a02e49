"""Applications to become a tenant: taken in, changed, decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tieout.control.access.actions.roles import assign_role, create_default_roles
from tieout.control.access.passwords import hash_password
from tieout.control.access.rules import Role, User
from tieout.control.access.store.roles import add_role
from tieout.control.access.store.users import add_user
from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.control.tenants import store
from tieout.control.tenants.modules import DEFAULTS, Choice, Toggle, merge, missing_needs, toggles
from tieout.control.tenants.rules import (
    Business,
    Decision,
    Owner,
    Registration,
    Tenant,
    alias_stem,
    checked_business,
    checked_owner,
    checked_reason,
    free_alias,
)
from tieout.control.tenants.toggling import entry_of, report_toggles
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.core.ids import new_id
from tieout.work.outbox.actions import Event, emit

OWNER_ROLE = "Business Owner"
OWNER_MAY = ("*", "!superadmin.*")


class NoSuchRegistration(TieoutError):
    """No application has this id."""

    code = "no_such_registration"
    http_status = 404


class RegistrationAlreadyProcessed(TieoutError):
    """An application was approved or rejected before; `subject` is its id."""

    code = "registration_already_processed"
    http_status = 409


@dataclass(frozen=True)
class Decided:
    """What was decided about an application; `tenant` is what it became."""

    registration: Registration
    tenant: Tenant | None
    toggles: tuple[Toggle, ...]


def register(platform: Platform, actor: Actor, business: Business, owner: Owner, password: str) -> Registration:
    """Take an application in and return it; the password is kept as its hash alone, until the decision.

    Raises BadApplication and UnusablePassword.
    """
    now = platform.now()
    taken = Registration(
        registration_id=new_id(now, platform.random_bytes),
        status="pending",
        business=checked_business(business),
        owner=checked_owner(owner),
        password_hash=hash_password(password, platform.random_bytes),
        modules=DEFAULTS,
        created=now,
    )

    def add(connection: Connection) -> None:
        store.add_registration(connection, taken)
        _record(platform, connection, actor, taken, "registration.submitted", {"to": "pending"})

    platform.all_tenants.write(add)
    return taken


def get_registration(platform: Platform, registration_id: str) -> Registration:
    """Return an application; raise NoSuchRegistration."""
    with platform.all_tenants.reading() as connection:
        return _found(store.find_registration(connection, registration_id), registration_id)


def list_registrations(
    platform: Platform, status: str | None = None, *, limit: int = 50, offset: int = 0
) -> tuple[list[Registration], int]:
    """Return applications, newest first, and how many there are."""
    with platform.all_tenants.reading() as connection:
        found = store.list_registrations(connection, status, limit=limit, offset=offset)
        return found, store.count_registrations(connection, status)


def change_modules(
    platform: Platform, actor: Actor, registration_id: str, asked: Sequence[Choice]
) -> tuple[Registration, tuple[Toggle, ...]]:
    """Change which modules an application asks for; return it and what was switched.

    Raises NoSuchRegistration, RegistrationAlreadyProcessed and BadModule.
    """

    def change(connection: Connection) -> tuple[Registration, tuple[Toggle, ...]]:
        before = _pending(connection, registration_id)
        after = replace(before, modules=merge(before.modules, asked))
        if after.modules != before.modules:
            store.set_choices(connection, registration_id, after.modules)
        switched = _switched(before, after)
        if switched:
            entry = entry_of(switched, "tenant_registration", registration_id)
            record(connection, registration_id, actor, entry, now=platform.now(), random_bytes=platform.random_bytes)
        return after, switched

    changed, switched = platform.all_tenants.write(change)
    report_toggles(switched, actor, registration_id=registration_id)
    return changed, switched


def decide(
    platform: Platform,
    actor: Actor,
    registration_id: str,
    decision: Decision,
    *,
    reason: str | None = None,
    asked: Sequence[Choice] = (),
) -> Decided:
    """Approve or reject an application, in one transaction; of two who decide at once, one does.

    Approved, it becomes a tenant of the same id, with profile, owner, roles and modules. Raises NoSuchRegistration,
    RegistrationAlreadyProcessed and BadModule.
    """
    said = checked_reason(reason)

    def settle(connection: Connection) -> Decided:
        before = _pending(connection, registration_id)
        now = platform.now()
        after = replace(before, decided=now, decided_by=actor.name, reason=said)
        if decision == "reject":
            return _reject(platform, connection, actor, replace(after, status="rejected"))
        approved = replace(after, status="approved", tenant=registration_id, modules=merge(before.modules, asked))
        return _approve(platform, connection, actor, approved, _switched(before, approved))

    decided = platform.all_tenants.write(settle)
    report_toggles(decided.toggles, actor, tenant_id=registration_id)
    return decided


def warnings_of(choices: Sequence[Choice]) -> list[str]:
    """Return in words what modules that are on lack."""
    return missing_needs(choice.key for choice in choices if choice.enabled)


def _found(found: Registration | None, registration_id: str) -> Registration:
    if found is None:
        raise NoSuchRegistration(f"There is no registration {registration_id[:64]!r}.", subject=registration_id[:64])
    return found


def _pending(connection: Connection, registration_id: str) -> Registration:
    found = _found(store.find_registration(connection, registration_id, to_change=True), registration_id)
    if found.status != "pending":
        raise RegistrationAlreadyProcessed("Registration already processed", subject=registration_id)
    return found


def _switched(before: Registration, after: Registration) -> tuple[Toggle, ...]:
    return toggles({one.key: one.enabled for one in before.modules}, {one.key: one.enabled for one in after.modules})


def _reject(platform: Platform, connection: Connection, actor: Actor, rejected: Registration) -> Decided:
    store.decide_registration(connection, rejected)
    delta = {"from": "pending", "to": "rejected", "reason": rejected.reason}
    _record(platform, connection, actor, rejected, "registration.rejected", delta)
    return Decided(rejected, None, ())


def _approve(
    platform: Platform, connection: Connection, actor: Actor, approved: Registration, switched: tuple[Toggle, ...]
) -> Decided:
    made = _add_tenant(connection, approved)
    _add_owner(platform, connection, approved)
    for choice in approved.modules:
        own = store.OwnModule(choice.key, choice.enabled, "superadmin", actor.name, made.created)
        store.put_module(connection, made.tenant, own, is_there=False)
    store.decide_registration(connection, approved)
    now, random_bytes = platform.now(), platform.random_bytes
    data = {"alias": made.alias, "name": made.name, "modules": {one.key: one.enabled for one in approved.modules}}
    emit(connection, made.tenant, Event("tenant.approved", made.tenant, data), now=now, random_bytes=random_bytes)
    delta = {"from": "pending", "to": "approved", "reason": approved.reason, "alias": made.alias}
    _record(platform, connection, actor, approved, "registration.approved", delta)
    if switched:
        entry = entry_of(switched, "tenant", made.tenant)
        record(connection, made.tenant, actor, entry, now=now, random_bytes=random_bytes)
    return Decided(approved, made, switched)


def _add_tenant(connection: Connection, approved: Registration) -> Tenant:
    stem = alias_stem(approved.business.doing_business_as)
    alias = free_alias(stem, store.aliases_like(connection, stem))
    at = approved.decided or approved.created
    made = Tenant(
        tenant=approved.registration_id,
        name=approved.business.legal_name,
        alias=alias,
        status="active",
        time_zone=approved.business.time_zone,
        created=at,
        updated=at,
    )
    store.add_tenant(connection, made, approved.business)
    return made


def _add_owner(platform: Platform, connection: Connection, approved: Registration) -> None:
    tenant, now = approved.registration_id, approved.decided or approved.created
    add_user(
        connection,
        User(
            tenant=tenant,
            user_id=tenant,
            email=approved.owner.email,
            first_name=approved.owner.first_name,
            last_name=approved.owner.last_name,
            password_hash=approved.password_hash,
            status="active",
            failed_logins=0,
            locked_until=None,
            last_login=None,
            created=now,
        ),
    )
    create_default_roles(connection, tenant, now, platform.random_bytes)
    role = Role(tenant, new_id(now, platform.random_bytes), OWNER_ROLE, OWNER_MAY, is_system=True, created=now)
    add_role(connection, role)
    assign_role(connection, tenant, tenant, role.role_id, now, by=approved.decided_by)


def _record(
    platform: Platform,
    connection: Connection,
    actor: Actor,
    one: Registration,
    action: str,
    delta: Mapping[str, object],
) -> None:
    entry = Entry("superadmin", action, "tenant_registration", one.registration_id, delta)
    now, random_bytes = platform.now(), platform.random_bytes
    record(connection, one.registration_id, actor, entry, now=now, random_bytes=random_bytes)
