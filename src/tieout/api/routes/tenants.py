"""Tenants, for administrators of the platform; and the modules of the caller's own tenant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tieout.api.access import Installation, needs
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.tenants.actions import (
    MAX_WINDOW_DAYS,
    change_status,
    count_toggles,
    get_tenant,
    list_tenants,
    own_modules,
    switch_modules,
)
from tieout.control.tenants.modules import missing_needs
from tieout.control.tenants.rules import MAX_REASON, Tenant
from tieout.control.tenants.store import OwnModule

routes = Section(tags=["tenants"])

Status = Literal["trial", "active", "suspended", "closed"]
TenantId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Switch(_Body):
    """A module, and whether the tenant has it."""

    key: str = Field(min_length=1, max_length=64)
    enabled: StrictBool


class Switches(_Body):
    """Modules to switch; those not named stay."""

    modules: list[Switch] = Field(min_length=1, max_length=100)


class Because(_Body):
    """Why something is done."""

    reason: str | None = Field(None, max_length=MAX_REASON)


@routes.get("/v1/superadmin/tenants", dependencies=[Depends(needs("superadmin.tenants.read"))])
def list_all(
    platform: Installation,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> dict[str, Any]:
    """List tenants, newest first."""
    found, total = list_tenants(platform, status, limit=limit, offset=offset)
    return {"data": [_as_json(one) for one in found], "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.get("/v1/superadmin/tenants/{tenant_id}", dependencies=[Depends(needs("superadmin.tenants.read"))])
def show_one(tenant_id: TenantId, platform: Installation) -> dict[str, Any]:
    """Show a tenant, who it is as a business, and its modules."""
    found = get_tenant(platform, tenant_id)
    profile = found.profile and {_camel(name): value for name, value in found.profile.items()}
    return {"data": {**_as_json(found.tenant), "profile": profile, "modules": _modules(found.modules)}}


@routes.patch("/v1/superadmin/tenants/{tenant_id}/modules")
def switch(
    tenant_id: TenantId,
    body: Switches,
    platform: Installation,
    caller: Annotated[Caller, Depends(needs("superadmin.tenants.toggle_modules"))],
) -> dict[str, Any]:
    """Switch modules of a tenant by hand, so that its plan leaves them alone."""
    after, _ = switch_modules(platform, caller.actor, tenant_id, [(one.key, one.enabled) for one in body.modules])
    warnings = missing_needs(one.key for one in after if one.enabled)
    return {"data": {"modules": _modules(after)}, "meta": {"warnings": warnings}}


@routes.post("/v1/superadmin/tenants/{tenant_id}/{verb}")
def change(
    tenant_id: TenantId,
    verb: Literal["suspend", "reactivate", "close"],
    platform: Installation,
    caller: Annotated[Caller, Depends(needs("superadmin.tenants.update"))],
    body: Because | None = None,
) -> dict[str, Any]:
    """Suspend, reactivate or close a tenant; who belongs to it is let in no more, or again, within 5 s everywhere."""
    reason = body.reason if body else None
    return {"data": _as_json(change_status(platform, caller.actor, tenant_id, verb, reason=reason))}


@routes.get("/v1/superadmin/analytics/module-toggles", dependencies=[Depends(needs("superadmin.analytics.read"))])
def toggles(
    platform: Installation, window_days: Annotated[int, Query(alias="windowDays", ge=1, le=MAX_WINDOW_DAYS)] = 30
) -> dict[str, Any]:
    """Count how often modules were switched in the last days."""
    counts = count_toggles(platform, window_days)
    totals = [{"module": one.module, "enabledCount": one.enabled, "disabledCount": one.disabled} for one in counts]
    return {"data": {"windowDays": window_days, "totals": totals}}


@routes.get("/v1/modules")
def own(
    platform: Installation, caller: Annotated[Caller, Depends(needs("module_registry.modules.read"))]
) -> dict[str, Any]:
    """List the modules of the caller's tenant."""
    return {"data": _modules(own_modules(platform, caller.tenant))}


def _as_json(one: Tenant) -> dict[str, Any]:
    return {
        "id": one.tenant,
        "name": one.name,
        "alias": one.alias,
        "status": one.status,
        "timezone": one.time_zone,
        "createdAt": one.created,
        "updatedAt": one.updated,
    }


def _modules(found: tuple[OwnModule, ...]) -> list[dict[str, Any]]:
    return [
        {
            "key": one.key,
            "enabled": one.enabled,
            "source": one.source,
            "updatedBy": one.updated_by,
            "updatedAt": one.updated,
        }
        for one in found
    ]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
