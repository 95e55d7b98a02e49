"""What every book works on, and how it tells of its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tieout.core.settings import Settings
from tieout.store.opening import Store

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Workspace:
    """What the actions work on, wired by compose: settings, the open store and the clock."""

    settings: Settings
    store: Store
    now: Callable[[], datetime]

    def close(self) -> None:
        """Close the store."""
        self.store.close()
