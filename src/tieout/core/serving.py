"""What a person asks `tieout serve` for."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("all", "api", "worker", "scheduler")


@dataclass(frozen=True)
class ServeRequest:
    """Where to listen, and which parts run in this process."""

    host: str = "127.0.0.1"
    port: int = 8000
    role: str = "all"

    @property
    def has_api(self) -> bool:
        """Whether the API is among the parts."""
        return self.role in ("all", "api")

    @property
    def has_probes(self) -> bool:
        """Whether a worker's or scheduler's probes are."""
        return self.role != "api"
