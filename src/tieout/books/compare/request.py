"""What is asked of a comparison: two inputs with what the user settled about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tieout.books.compare.infer import InferOptions
from tieout.engine.loading import SIDES, SideName
from tieout.engine.plan import Plan
from tieout.intake.reading import Limits, ReadOptions


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
