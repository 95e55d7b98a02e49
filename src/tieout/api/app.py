"""The application: every router, one handler of errors."""

from __future__ import annotations

from fastapi import FastAPI

from tieout import __version__
from tieout.api.errors import handle_errors
from tieout.api.routes import auth, flags, health, keys, rbac, registrations, tenants, users
from tieout.control.platform import Platform

ROUTES = (
    auth.routes,
    flags.routes,
    health.routes,
    keys.routes,
    rbac.routes,
    registrations.routes,
    tenants.routes,
    users.routes,
)


def create_app(platform: Platform) -> FastAPI:
    """Return the API of an installation."""
    app = FastAPI(title="Tieout", version=__version__, docs_url="/docs", redoc_url=None, openapi_url="/openapi.json")
    app.state.platform = platform
    _ = platform.flags  # a variable of the environment that cannot be read is said now, not at a request
    handle_errors(app)
    for routes in ROUTES:
        app.include_router(routes)
    return app
