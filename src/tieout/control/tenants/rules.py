"""What a tenant and an application are, and the decisions about them. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import count
from typing import Literal
from zoneinfo import available_timezones

from tieout.control.access.rules import plain_email
from tieout.control.tenants.modules import Choice
from tieout.core.errors import TieoutError

MAX_ALIAS = 32
MAX_NAME = 200
MAX_REASON = 500
MIN_PHONE, MAX_PHONE = 7, 32
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]*(?: ?(?:x|ext\.?) ?[0-9]{1,6})?", re.ASCII)
_COUNTRY = re.compile(r"[^\W\d_][\w .,'’()&-]{1,99}")  # noqa: RUF001 - both apostrophes are written

Decision = Literal["approve", "reject"]
Verb = Literal["suspend", "reactivate", "close"]

_TRANSITIONS: dict[Verb, tuple[frozenset[str], str]] = {
    "suspend": (frozenset({"active", "trial"}), "suspended"),
    "reactivate": (frozenset({"suspended"}), "active"),
    "close": (frozenset({"active", "trial", "suspended"}), "closed"),
}


class BadApplication(TieoutError):
    """An application says something that cannot be; `subject` is the field."""

    code = "bad_application"


class WrongTenantStatus(TieoutError):
    """A tenant is not in a status from which it can be suspended, reactivated or closed; `subject` is the tenant."""

    code = "wrong_tenant_status"
    http_status = 409


@dataclass(frozen=True)
class Business:
    """Who applies, as a business."""

    legal_name: str
    doing_business_as: str
    contact_email: str
    contact_phone: str
    country: str
    time_zone: str


@dataclass(frozen=True)
class Owner:
    """Who will own the tenant; the e-mail is in lower case."""

    first_name: str
    last_name: str
    email: str


@dataclass(frozen=True)
class Registration:
    """An application to become a tenant."""

    registration_id: str
    status: str
    business: Business
    owner: Owner
    password_hash: str | None = field(repr=False)
    modules: tuple[Choice, ...]
    created: datetime
    decided: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    tenant: str | None = None


@dataclass(frozen=True)
class Tenant:
    """A customer whose data is kept apart."""

    tenant: str
    name: str
    alias: str
    status: str
    time_zone: str
    created: datetime
    updated: datetime


def checked_business(business: Business) -> Business:
    """Return what an applicant wrote, without blanks around it; raise BadApplication for what cannot be."""
    return Business(
        legal_name=_name(business.legal_name, "legalName"),
        doing_business_as=_name(business.doing_business_as, "doingBusinessAs"),
        contact_email=_email(business.contact_email, "contactEmail"),
        contact_phone=_phone(business.contact_phone),
        country=_country(business.country),
        time_zone=_time_zone(business.time_zone),
    )


def checked_owner(owner: Owner) -> Owner:
    """Do the same for the owner."""
    return Owner(
        first_name=_name(owner.first_name, "firstName"),
        last_name=_name(owner.last_name, "lastName"),
        email=_email(owner.email, "email"),
    )


def checked_reason(reason: str | None) -> str | None:
    """Return why something is decided, or None where nothing is said; raise BadApplication."""
    if reason is None or not reason.strip():
        return None
    text = reason.strip()
    if len(text) > MAX_REASON or not text.replace("\n", " ").isprintable():
        raise BadApplication(f"A reason has at most {MAX_REASON} printable characters.", subject="reason")
    return text


def _name(text: str, field_name: str) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise BadApplication(f"{field_name} has 1 to {MAX_NAME} printable characters.", subject=field_name)
    return name


def _email(text: str, field_name: str) -> str:
    try:
        return plain_email(text)
    except TieoutError as error:
        raise BadApplication(f"{field_name}: {error.what}", subject=field_name) from None


def _phone(text: str) -> str:
    phone = text.strip()
    if not MIN_PHONE <= len(phone) <= MAX_PHONE or not _PHONE.fullmatch(phone) or _digits(phone) < MIN_PHONE:
        raise BadApplication(
            f"contactPhone is no telephone number of {MIN_PHONE} digits or more.",
            subject="contactPhone",
            remedy="Write it such as +49 30 1234567.",
        )
    return phone


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _country(text: str) -> str:
    country = unicodedata.normalize("NFC", text).strip()
    if not _COUNTRY.fullmatch(country):
        raise BadApplication(
            "country is neither a code of two letters nor a name.", subject="country", remedy="Write it such as DE."
        )
    return country.upper() if len(country) == len("DE") else country


def _time_zone(text: str) -> str:
    zone = text.strip()
    if zone not in _time_zones():
        raise BadApplication(
            f"timezone {zone[:64]!r} is no IANA time zone.",
            subject="timezone",
            remedy="Write it such as Europe/Berlin or America/New_York.",
        )
    return zone


@cache
def _time_zones() -> frozenset[str]:
    # Without those that mean something else on each machine, such as `localtime`.
    return frozenset(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def alias_stem(name: str) -> str:
    """Return the short name for a business: small letters, digits and hyphens, at most 32 of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_ALIAS].rstrip("-") or "tenant"


def free_alias(stem: str, taken: Collection[str]) -> str:
    """Return `stem`, or with -2, -3 and so on where that is taken, never longer than 32."""
    if stem not in taken:
        return stem
    for number in count(2):
        ending = f"-{number}"
        alias = stem[: MAX_ALIAS - len(ending)].rstrip("-") + ending
        if alias not in taken:
            return alias
    raise AssertionError("numbers do not end")


def status_after(tenant: Tenant, verb: Verb) -> str:
    """Return the status of a tenant that is suspended, reactivated or closed; raise WrongTenantStatus."""
    before, after = _TRANSITIONS[verb]
    if tenant.status not in before:
        raise WrongTenantStatus(
            f"The tenant {tenant.alias} is {tenant.status}, so one cannot {verb} it.", subject=tenant.tenant
        )
    return after
