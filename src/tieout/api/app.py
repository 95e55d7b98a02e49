"""The application: every router, one handler of errors, and the edge around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from tieout import __version__
from tieout.api.edge import Edge
from tieout.api.errors import handle_errors
from tieout.api.limits import Limits
from tieout.api.routes import (
    audit,
    auth,
    backfills,
    disputes,
    docs,
    flags,
    health,
    keys,
    ops,
    proofs,
    rbac,
    recon,
    registrations,
    review,
    runs,
    statements,
    tenants,
    users,
    webhooks,
)
from tieout.books.ads.reads import TenantReads
from tieout.control.platform import Platform
from tieout.control.readiness import Readiness
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.work.gauges import StateGauges

ROUTES = (
    audit.routes,
    auth.routes,
    backfills.routes,
    disputes.routes,
    docs.routes,
    flags.routes,
    health.routes,
    keys.routes,
    ops.routes,
    proofs.routes,
    rbac.routes,
    recon.routes,
    registrations.routes,
    review.routes,
    runs.routes,
    statements.routes,
    tenants.routes,
    users.routes,
    webhooks.routes,
)


class Api(FastAPI):
    """FastAPI with the edge outside of everything else, the handler of faults included."""

    def build_middleware_stack(self) -> Any:
        """Return what serves a connection."""
        return Edge(super().build_middleware_stack(), self.state.platform, self.state.limits)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the permission that each operation needs."""
        if self.openapi_schema is None:
            document = super().openapi()
            for route in iter_routes(self):
                for method in route.methods or ():
                    operation = document["paths"].get(route.path_format, {}).get(method.lower())
                    if operation is not None and (permission := permission_of(route)):
                        operation["x-permission"] = permission
            self.openapi_schema = document
        return self.openapi_schema


def create_app(
    platform: Platform,
    *,
    clock: Callable[[], float] = time.monotonic,
    failed_loops: Callable[[], list[str]] = list,
) -> Api:
    """Return the API of an installation; `failed_loops` names the loops of this process that do not run."""
    app = Api(title="Tieout", version=__version__, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.platform = platform
    _ = platform.flags  # a variable of the environment that cannot be read is said now, not at a request
    app.state.limits = Limits(platform.settings, clock)
    app.state.readiness = Readiness(platform, clock, failed_loops)
    app.state.ads_reads = TenantReads(
        lambda tenant: Store(platform.of(tenant), Folders(platform.settings.data_dir), tenant), platform.settings
    )
    app.state.gauges = StateGauges(platform.state, platform.now, clock)
    handle_errors(app)
    for routes in ROUTES:
        app.include_router(routes)
    return app


def iter_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Give every route that answers requests for people or programs; not the OpenAPI document itself."""
    for route in iter_route_contexts(app.routes):
        if getattr(route, "dependant", None) is not None:
            yield route


def permission_of(route: RouteContext) -> str | None:
    """Return the permission that a route needs, `signed_in` for any caller, `open` for all; None if it says nothing."""
    names = {
        str(getattr(one.call, "permission", None) or getattr(one.call, "__name__", ""))
        for one in _calls(route.dependant)
    }
    permissions = sorted(name for name in names if "." in name)
    if permissions:
        return permissions[0]
    if "signed_in" in names:
        return "signed_in"
    return "open" if "open_to_all" in names else None


def _calls(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _calls(one)
