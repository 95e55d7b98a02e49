"""What a route asks of its caller.

Every route says who may call it: `Depends(needs("rbac.roles.read"))` gives the Caller, `Depends(signed_in)` takes any
caller, `Depends(open_to_all)` says that nobody needs to be known. A test walks
all routes and fails on one that says nothing.

They are coroutines, for each that is not costs a request a change of thread; only a caller who is not remembered is
looked up in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from tieout.api.gates import pass_gates
from tieout.control.access.authentication import authenticate, recognise
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.logs import add_to_log


async def platform_of(request: Request) -> Platform:
    """Return the installation that serves the request."""
    platform: Platform = request.app.state.platform
    return platform


def where_from(request: Request) -> Actor:
    """Return an actor without a name yet: address, browser and id of the request."""
    return Actor(
        name="anonymous",
        ip_address=request.client.host if request.client else None,
        user_agent=request.headers.get("user-agent", "")[:500] or None,
        request_id=getattr(request.state, "request_id", None),
    )


async def open_to_all(request: Request) -> None:
    """Say that a route needs no caller."""
    await pass_gates(request, await platform_of(request))


async def signed_in(request: Request) -> Caller:
    """Return who calls, by `Authorization: Bearer TOKEN-OR-KEY`; raise NotSignedIn."""
    platform, where = await platform_of(request), where_from(request)
    authorization = request.headers.get("authorization")
    caller = recognise(platform, authorization, where)
    if caller is None:
        caller = await run_in_threadpool(authenticate, platform, authorization, where)
    request.state.caller = caller
    add_to_log(tenant_id=caller.tenant)
    limits = request.app.state.limits
    limits.must(limits.tenant, caller.tenant)
    await pass_gates(request, platform, caller.tenant)
    return caller


def needs(permission: str) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that gives the Caller, who must have `permission`."""

    async def permitted(caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
        caller.must(permission)
        return caller

    permitted.permission = permission  # type: ignore[attr-defined]  # read by the test that walks the routes
    return permitted


Installation = Annotated[Platform, Depends(platform_of)]
