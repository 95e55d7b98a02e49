"""Whether the process lives."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tieout.api.access import Installation, open_to_all

routes = APIRouter(tags=["health"], dependencies=[Depends(open_to_all)])


@routes.get("/health")
@routes.get("/v1/health")
def health(platform: Installation) -> dict[str, str]:
    """Answer that the process lives."""
    return {"status": "ok", "timestamp": platform.now().isoformat()}
