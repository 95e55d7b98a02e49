"""Routes that belong together, and are looked at only for paths that begin as one of them does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Section(APIRouter):
    """A router that turns away the paths of others at once.

    To ask each of a hundred routes in turn whether it matches took a fifth of the time of a small request.
    """

    _beginnings: tuple[str, ...] | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if self._beginnings is None:  # all routes are there when the first request comes
            self._beginnings = tuple({str(getattr(one, "path", "")).partition("{")[0] for one in self.routes})
        if not scope.get("root_path") and not scope["path"].startswith(self._beginnings):
            return Match.NONE, {}
        found: tuple[Match, Any] = super().matches(scope)
        return found
