"""The application: every router, one handler of errors."""

from __future__ import annotations

from fastapi import FastAPI

from tieout import __version__
from tieout.api.errors import handle_errors
from tieout.api.routes import audit, auth, health, keys, rbac, users, webhooks
from tieout.control.platform import Platform

ROUTES = (
    audit.routes,
    auth.routes,
    health.routes,
    keys.routes,
    rbac.routes,
    users.routes,
    webhooks.routes,
)


def create_app(platform: Platform) -> FastAPI:
    """Return the API of an installation."""
    app = FastAPI(title="Tieout", version=__version__, docs_url="/docs", redoc_url=None, openapi_url="/openapi.json")
    app.state.platform = platform
    handle_errors(app)
    for routes in ROUTES:
        app.include_router(routes)
    return app
