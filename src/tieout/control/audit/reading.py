"""Read the audit trail as a caller may: a tenant its own, an administrator of the platform any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tieout.control.access.caller import Caller, NotAllowed
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.audit import store
from tieout.control.audit.actions import Entry, record
from tieout.control.audit.export import ExportFormat, export
from tieout.control.audit.rules import AuditEvent
from tieout.control.audit.store import Filter, Place
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State


class AuditEventUnknown(TieoutError):
    """There is no event of the audit trail with that id."""

    code = "audit_event_unknown"
    http_status = 404


def whose(caller: Caller, asked: str | None) -> str | None:
    """Return the tenant whose records the caller reads, None for all; raise NotAllowed."""
    if caller.tenant == SUPERADMIN:
        return asked
    if asked not in {None, caller.tenant}:
        raise NotAllowed("What other tenants did is for administrators of the platform.", subject="tenant")
    return caller.tenant


def list_events(
    platform: Platform, caller: Caller, wanted: Filter, *, before: Place | None, limit: int
) -> list[AuditEvent]:
    """Return events, the latest first, from `before` on."""
    wanted = replace(wanted, tenant=whose(caller, wanted.tenant))
    with _state(platform, wanted.tenant).reading() as connection:
        return store.latest(connection, wanted, before=before, limit=limit)


def get_event(platform: Platform, caller: Caller, event_id: str) -> AuditEvent:
    """Return the event with an id; raise AuditEventUnknown."""
    tenant = whose(caller, None)
    with _state(platform, tenant).reading() as connection:
        found = store.find_event(connection, event_id, tenant)
    if found is None:
        raise AuditEventUnknown(f"There is no event {event_id} in the audit trail.", subject=event_id)
    return found


def export_events(
    platform: Platform, caller: Caller, wanted: Filter, file_format: ExportFormat, *, is_redacted: bool = True
) -> Iterator[bytes]:
    """Yield the file of the events, which is itself noted in the trail of who exports."""
    wanted = replace(wanted, tenant=whose(caller, wanted.tenant))
    said = {name: value for name, value in vars(wanted).items() if value is not None}
    delta = {"format": file_format, "is_redacted": is_redacted, **said}
    entry = Entry("audit", "audit.events.exported", "audit_trail", wanted.tenant or EVERY_TENANT, delta)
    now, random_bytes = platform.now(), platform.random_bytes
    platform.of(caller.tenant).write(
        lambda connection: record(connection, caller.tenant, caller.actor, entry, now=now, random_bytes=random_bytes)
    )
    return export(platform.state, wanted, file_format, is_redacted=is_redacted)


def _state(platform: Platform, tenant: str | None) -> State:
    return platform.all_tenants if tenant is None else platform.of(tenant)
