"""Whether the process lives, whether it should be given work, and its metrics."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Depends, Request, Response

from tieout import __version__
from tieout.api.access import Installation, open_to_all
from tieout.api.section import Section
from tieout.control.readiness import Check, GuardrailGauges
from tieout.core import metrics

routes = Section(tags=["health"], dependencies=[Depends(open_to_all)])


@routes.get("/health")
@routes.get("/v1/health", include_in_schema=False)
async def health(platform: Installation) -> dict[str, str]:
    """Answer that the process lives."""
    return {"status": "ok", "timestamp": platform.now().isoformat()}


@routes.get("/health/detailed")
def health_in_detail(request: Request, platform: Installation) -> dict[str, Any]:
    """Answer what works and what does not; 200 either way."""
    checks = request.app.state.readiness.checks()
    return {
        "status": "ok" if all(check.is_ok for check in checks) else "degraded",
        "timestamp": platform.now().isoformat(),
        "version": __version__,
        "state": "postgresql" if platform.state.is_postgresql else "sqlite",
        "checks": _told(checks),
    }


@routes.get("/ready", responses={503: {"description": "Not ready"}})
@routes.get("/v1/ready", include_in_schema=False)
def ready(request: Request) -> Response:
    """Answer whether this process should be given work: 200, or 503 with what is wrong."""
    checks = request.app.state.readiness.checks()
    is_ready = all(check.is_ok for check in checks)
    body = orjson.dumps({"status": "ready" if is_ready else "unready", "checks": _told(checks)})
    return Response(body, 200 if is_ready else 503, media_type="application/json")


@routes.get("/metrics", response_class=Response)
@routes.get("/v1/metrics", include_in_schema=False)
def show_metrics(request: Request) -> Response:
    """Return the metrics in the text format of Prometheus."""
    state = request.app.state
    shown = metrics.render(state.gauges, GuardrailGauges(state.readiness))
    return Response(shown, headers={"content-type": metrics.CONTENT_TYPE})


def _told(checks: list[Check]) -> dict[str, Any]:
    return {check.name: {"ok": check.is_ok, "says": check.says, **check.figures} for check in checks}
