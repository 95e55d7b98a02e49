"""Who may call what of the ads book: first its flag, then who asks, then how often, as the contract orders it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import Request

from tieout.api.access import platform_of, signed_in, where_from
from tieout.api.gates import is_local_read, pass_gates
from tieout.api.limits import Limits
from tieout.control.access.caller import Caller, NotSignedIn
from tieout.core.logs import add_to_log

READ = "recon.ads.read"
LOCAL = "local:loopback"


def reads_or_does(permission: str) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that gives the Caller, who must have `permission` and is held to a publisher's limit.

    Reads of this machine need no name where the operator says so (`TIEOUT_ADS_LOCAL_READS`). The router asks for the
    flag before.
    """

    async def permitted(request: Request) -> Caller:
        limits: Limits = request.app.state.limits
        address = request.client.host if request.client else ""
        try:
            caller = await _caller(request)
        except NotSignedIn:
            limits.must(limits.ads, f"- {address}")  # who guesses keys is slowed like anybody else
            raise
        limit = limits.publishers.get(caller.tenant, limits.ads)
        window = limits.take(limit, f"{caller.tenant}:{address}")
        request.state.rate_window = window
        limits.refuse(window)
        caller.must(permission)
        return caller

    permitted.permission = permission  # type: ignore[attr-defined]  # read by the test that walks the routes
    return permitted


async def _caller(request: Request) -> Caller:
    platform = await platform_of(request)
    if not is_local_read(request, platform):
        try:
            return await signed_in(request)
        except NotSignedIn as error:
            if "authorization" in request.headers:
                raise
            raise NotSignedIn(
                error.what,
                remedy="Send Authorization: Bearer TOKEN-OR-KEY; with TIEOUT_ADS_LOCAL_READS=1 the server lets programs"
                " of its own machine read without.",
            ) from None
    tenant = platform.settings.tenant
    add_to_log(tenant_id=tenant)
    await pass_gates(request, platform, tenant)
    return Caller(tenant, replace(where_from(request), name=LOCAL), (READ,))
