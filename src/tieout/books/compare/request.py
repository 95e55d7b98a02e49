"""What a comparison works on and what is asked of it: the workspace, and two inputs with what the user settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tieout.books.compare.infer import InferOptions
from tieout.core.settings import Settings
from tieout.engine.loading import SIDES, SideName
from tieout.engine.plan import Plan
from tieout.intake.reading import Limits, ReadOptions
from tieout.store.opening import Store

BOOK = "compare"

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


@dataclass(frozen=True)
class CompareRequest:
    """Two inputs (paths, or tables in Python) and what the user settled about them.

    `advice` is a third input: lines that say which row of theirs goes with which of ours. `plan` takes the place of
    inference. `is_fresh` runs again what is on record already.
    """

    ours: Any
    theirs: Any
    options: InferOptions = field(default_factory=InferOptions)
    plan: Plan | None = None
    limits: Limits = field(default_factory=Limits)
    reading: Mapping[SideName, ReadOptions] = field(default_factory=dict)
    is_fresh: bool = False
    advice: Any = None

    def input_of(self, side: SideName) -> Any:
        return {"ours": self.ours, "theirs": self.theirs, "advice": self.advice}[side]

    @property
    def given(self) -> tuple[SideName, ...]:
        """The inputs that are there."""
        return SIDES if self.advice is None else (*SIDES, "advice")
