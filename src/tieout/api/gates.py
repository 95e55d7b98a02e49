"""What may close a route whoever calls: maintenance, a tenant that is suspended, a flag that is off.

Every route passes `open_to_all` or `signed_in` (tests/api walks all routes), and both ask here, so that no
route can forget it. The answers come from memory; the state is asked in a thread at most every few seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import ClassVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from tieout.control.access.authentication import authenticate
from tieout.control.access.caller import NotSignedIn
from tieout.control.flags.registry import MAINTENANCE_MODE, get_flag
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError

LOCAL_READS = "/api/v1/recon/"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
HANDED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
READS = ("GET", "HEAD", "OPTIONS")
CLOSED = ("suspended", "closed")
_USABLE_IN_MAINTENANCE = ("/auth/", "/v1/auth/", "/v1/superadmin/flags")
_REGISTER = "/v1/auth/register"


class UnderMaintenance(TieoutError):
    """Writes are refused because of maintenance; reads go on."""

    code = "under_maintenance"
    api_code: ClassVar[str] = "MAINTENANCE"
    http_status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "60"}


class TenantIsClosed(TieoutError):
    """The tenant of the caller is suspended or closed."""

    code = "tenant_is_closed"
    http_status = 403


class FeatureIsOff(TieoutError):
    """The flag that a route needs is off; `subject` is its key."""

    code = "feature_is_off"
    api_code: ClassVar[str] = "FEATURE_DISABLED"
    http_status = 404


async def pass_gates(request: Request, platform: Platform, tenant: str = "") -> None:
    """Let a request go on, of `tenant` or of nobody; raise UnderMaintenance and TenantIsClosed."""
    is_read = request.method in READS
    if is_read and not tenant:  # nothing to ask: a probe of health answers without the state
        return
    flags = platform.flags
    known = flags.recall(tenant)
    if known is None:
        known = await run_in_threadpool(flags.known, tenant)
    if known.tenant_status in CLOSED:
        raise TenantIsClosed(
            f"The tenant is {known.tenant_status}.", subject=tenant, remedy="Ask the operator of this installation."
        )
    if is_read or _is_usable_in_maintenance(request.url.path):
        return
    if flags.resolved(MAINTENANCE_MODE, tenant).value is True:  # not by OpenFeature: each write asks
        metrics.MAINTENANCE_REFUSALS.inc()
        raise UnderMaintenance("This is under maintenance: reads work, writes do not.", remedy="Try again later.")


def _is_usable_in_maintenance(path: str) -> bool:
    return path.startswith(_USABLE_IN_MAINTENANCE) and path != _REGISTER


def flag_on(key: str) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency of a route that exists only while the flag is on; else it is 404 FEATURE_DISABLED.

    It stands before the dependency that asks who calls: where the flag is off for all, nobody learns more. A caller
    whose tenant has the flag on passes.
    """
    get_flag(key)  # an unknown flag is a fault of the program, to be seen when it starts

    async def flag_is_on(request: Request) -> None:
        platform: Platform = request.app.state.platform
        authorization = request.headers.get("authorization")
        if is_local_read(request, platform):
            tenant = platform.settings.tenant
        else:
            tenant = await run_in_threadpool(_tenant_of, platform, authorization)
        if not await run_in_threadpool(platform.flags.is_on, key, tenant):
            raise FeatureIsOff("Feature not available", subject=key)

    flag_is_on.flag = key  # type: ignore[attr-defined]  # read by the test that walks the routes
    return flag_is_on


def is_local_read(request: Request, platform: Platform) -> bool:
    """Whether a request only reads the ads book, from this machine and without a name, and the operator lets it.

    What a proxy hands on does not count, as far as it says so, nor does a page of another site: its Host is not ours.
    """
    headers = request.headers
    if not platform.settings.ads_local_reads or request.method not in READS or "authorization" in headers:
        return False
    if not request.url.path.startswith(LOCAL_READS) or any(name in headers for name in HANDED_ON):
        return False
    try:
        is_here = request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return is_here and request.url.hostname in LOCAL_NAMES


def _tenant_of(platform: Platform, authorization: str | None) -> str:
    """Return the tenant of who calls; none where that is not known, for which the next dependency has an answer."""
    try:
        return authenticate(platform, authorization, Actor("anonymous")).tenant if authorization else ""
    except NotSignedIn:
        return ""
