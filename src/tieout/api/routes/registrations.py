"""Applications to become a tenant: anyone may send one, administrators of the platform decide."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tieout.api.access import Installation, needs, open_to_all, where_from
from tieout.api.section import Section
from tieout.control.access.caller import Caller
from tieout.control.access.rules import MAX_EMAIL, MAX_PASSWORD, MIN_PASSWORD
from tieout.control.tenants.modules import Choice
from tieout.control.tenants.registering import (
    change_modules,
    decide,
    list_registrations,
    register,
    warnings_of,
)
from tieout.control.tenants.rules import MAX_NAME, MAX_PHONE, MAX_REASON, MIN_PHONE, Business, Owner, Registration

routes = Section(tags=["registrations"])

APPROVE = "tenant_registrations.approve"
REJECT = "tenant_registrations.reject"
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Email = Annotated[str, Field(min_length=3, max_length=MAX_EMAIL)]
RegistrationId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,36}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewBusiness(_Body):
    """Who applies, as a business."""

    legal_name: Name = Field(alias="legalName")
    doing_business_as: Name = Field(alias="doingBusinessAs")
    contact_email: Email = Field(alias="contactEmail")
    contact_phone: str = Field(alias="contactPhone", min_length=MIN_PHONE, max_length=MAX_PHONE)
    country: str = Field(min_length=2, max_length=100)
    time_zone: str = Field(alias="timezone", min_length=1, max_length=64)


class NewOwner(_Body):
    """Who will own the tenant."""

    first_name: Name = Field(alias="firstName")
    last_name: Name = Field(alias="lastName")
    email: Email
    password: str = Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, repr=False)


class Application(_Body):
    """An application to become a tenant."""

    business: NewBusiness
    owner: NewOwner


class ModuleChoice(_Body):
    """A module, and whether it is asked for."""

    key: str = Field(min_length=1, max_length=64)
    name: Name = Field(pattern=PRINTABLE)
    enabled: StrictBool
    category: str | None = Field(None, min_length=1, max_length=64, pattern=PRINTABLE)


class ModuleChoices(_Body):
    """Modules to switch; those not named stay."""

    modules: list[ModuleChoice] = Field(min_length=1, max_length=100)


class NewDecision(_Body):
    """What becomes of an application."""

    decision: Literal["approve", "reject"]
    reason: str | None = Field(None, max_length=MAX_REASON)
    modules: list[ModuleChoice] = Field(default_factory=list, max_length=100)


@routes.post("/v1/auth/register", status_code=201, dependencies=[Depends(open_to_all)])
def apply(body: Application, platform: Installation, request: Request) -> dict[str, Any]:
    """Apply to become a tenant; an administrator of the platform decides."""
    business = Business(**body.business.model_dump())
    owner = Owner(body.owner.first_name, body.owner.last_name, body.owner.email)
    taken = register(platform, where_from(request), business, owner, body.owner.password)
    return {"data": {"registrationId": taken.registration_id}}


@routes.get("/v1/superadmin/registrations", dependencies=[Depends(needs("tenant_registrations.read"))])
def list_all(
    platform: Installation,
    status: Literal["pending", "approved", "rejected"] | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> dict[str, Any]:
    """List applications, newest first."""
    found, total = list_registrations(platform, status, limit=limit, offset=offset)
    return {"data": [_as_json(one) for one in found], "meta": {"limit": limit, "offset": offset, "total": total}}


@routes.patch("/v1/superadmin/registrations/{registration_id}/modules")
def choose_modules(
    registration_id: RegistrationId,
    body: ModuleChoices,
    platform: Installation,
    caller: Annotated[Caller, Depends(needs(APPROVE))],
) -> dict[str, Any]:
    """Change which modules an application asks for."""
    changed, _ = change_modules(platform, caller.actor, registration_id, _choices(body.modules))
    return {"data": _as_json(changed), "meta": {"warnings": warnings_of(changed.modules)}}


@routes.post("/v1/superadmin/registrations/{registration_id}/decision")
def decide_one(
    registration_id: RegistrationId,
    body: NewDecision,
    platform: Installation,
    caller: Annotated[Caller, Depends(needs("tenant_registrations.read"))],
) -> dict[str, Any]:
    """Approve an application, so that it becomes a tenant, or reject it."""
    caller.must(APPROVE if body.decision == "approve" else REJECT)
    asked = _choices(body.modules)
    decided = decide(platform, caller.actor, registration_id, body.decision, reason=body.reason, asked=asked)
    if decided.tenant is None:
        return {"data": {"status": decided.registration.status}}
    modules = decided.registration.modules
    return {
        "data": {
            "status": decided.registration.status,
            "tenantId": decided.tenant.tenant,
            "alias": decided.tenant.alias,
            "ownerUserId": decided.tenant.tenant,
            "modules": [vars(one) for one in modules],
        },
        "meta": {"warnings": warnings_of(modules)},
    }


def _choices(given: list[ModuleChoice]) -> list[Choice]:
    return [Choice(one.key, one.name, one.enabled, one.category) for one in given]


def _as_json(one: Registration) -> dict[str, Any]:
    business = one.business
    return {
        "id": one.registration_id,
        "status": one.status,
        "business": {
            "legalName": business.legal_name,
            "doingBusinessAs": business.doing_business_as,
            "contactEmail": business.contact_email,
            "contactPhone": business.contact_phone,
            "country": business.country,
            "timezone": business.time_zone,
        },
        "owner": {"firstName": one.owner.first_name, "lastName": one.owner.last_name, "email": one.owner.email},
        "createdAt": one.created,
        "decidedAt": one.decided,
        "decidedBy": one.decided_by,
        "reason": one.reason,
        "tenantId": one.tenant,
        "modules": [vars(choice) for choice in one.modules],
    }
