"""Flags: what they are for a tenant, and, for administrators of the platform, setting them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from tieout.api.access import Installation, needs, signed_in
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.flags.actions import MAX_REASON, list_settings, set_flag, unset_flag
from tieout.control.flags.rules import MAX_TEXT, FlagSetting, Resolved

routes = Section(tags=["flags"])

TENANT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Tenant = Annotated[str | None, Query(alias="tenantId", pattern=TENANT)]


class NewSetting(BaseModel):
    """A value for a flag, for one tenant or for all, until an instant or for good."""

    model_config = ConfigDict(extra="forbid")

    value: StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=MAX_TEXT)]
    tenant_id: str | None = Field(None, alias="tenantId", pattern=TENANT)
    expires_at: AwareDatetime | None = Field(None, alias="expiresAt")
    reason: str | None = Field(None, max_length=MAX_REASON)


@routes.get("/v1/flags")
def own_flags(platform: Installation, caller: Annotated[Caller, Depends(signed_in)]) -> dict[str, Any]:
    """List every flag as it is for the caller's tenant."""
    return {"data": [_as_json(one) for one in platform.flags.all_resolved(caller.tenant)]}


@routes.get("/v1/superadmin/flags", dependencies=[Depends(needs("superadmin.flags.read"))])
def all_flags(platform: Installation, tenant: Tenant = None) -> dict[str, Any]:
    """List every flag as it is for all or for one tenant, and for which tenants it is set."""
    settings = list_settings(platform)
    return {
        "data": [
            {
                **_as_json(one),
                "default": one.flag.default,
                "meaning": one.flag.meaning,
                "environment": one.flag.environment,
                "tenants": [{"tenantId": whose, **_setting(found)} for whose, found in settings[one.flag.key]],
            }
            for one in platform.flags.all_resolved(tenant or "")
        ]
    }


@routes.put("/v1/superadmin/flags/{key}")
def set_one(
    key: str,
    body: NewSetting,
    platform: Installation,
    caller: Annotated[Caller, Depends(needs("superadmin.flags.update"))],
) -> dict[str, Any]:
    """Set a flag for all or for one tenant."""
    is_changed = set_flag(
        platform,
        caller.actor,
        key,
        body.value,
        tenant=body.tenant_id,
        expires=body.expires_at,
        reason=body.reason,
    )
    return {"data": {**_as_json(platform.flags.resolved(key, body.tenant_id or "")), "changed": is_changed}}


@routes.delete("/v1/superadmin/flags/{key}")
def unset_one(
    key: str,
    platform: Installation,
    caller: Annotated[Caller, Depends(needs("superadmin.flags.update"))],
    tenant: Tenant = None,
) -> dict[str, Any]:
    """Let a flag be set no more, for all or for one tenant."""
    is_changed = unset_flag(platform, caller.actor, key, tenant=tenant)
    return {"data": {**_as_json(platform.flags.resolved(key, tenant or "")), "changed": is_changed}}


def _as_json(one: Resolved) -> dict[str, Any]:
    return {
        "key": one.flag.key,
        "kind": one.flag.kind,
        "value": one.value,
        "variant": one.variant,
        "reason": one.reason,
        "origin": one.origin,
        "expiresAt": one.setting.expires if one.setting else None,
    }


def _setting(found: FlagSetting) -> dict[str, Any]:
    return {
        "value": found.value,
        "expiresAt": found.expires,
        "reason": found.reason,
        "updatedBy": found.updated_by,
        "updatedAt": found.updated,
    }
