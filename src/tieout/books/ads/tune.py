"""What another threshold would change: the periods on record judged again with it, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tieout.books.ads.period import Period, period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.reconcile import LEG, reconcile_stage
from tieout.books.ads.stage import in_scratch
from tieout.books.ads.tunables import Tunables, tuned
from tieout.books.workspace import Progress, Workspace
from tieout.engine.steps import Runner


@dataclass(frozen=True)
class Found:
    """A delta: which rule of which period found it, and how much money it is about."""

    kind: str
    evidence_id: str
    amount_micros: int
    currency: str


@dataclass(frozen=True)
class Tuned:
    """What another threshold would do: deltas that would appear or go, and those whose amount would be another.

    `changed` are pairs of before and after.
    """

    windows: tuple[str, ...]
    appear: tuple[Found, ...]
    go: tuple[Found, ...]
    changed: tuple[tuple[Found, Found], ...]

    @property
    def appearing_micros(self) -> int:
        return sum(one.amount_micros for one in self.appear)

    @property
    def going_micros(self) -> int:
        return sum(one.amount_micros for one in self.go)


def tune_ads(
    workspace: Workspace, period: Period, kind: str, tolerance: str, on_step: Progress = lambda _: None
) -> Tuned:
    """Judge every reconciled window inside a period again with another threshold of one kind. Raises NotTunable.

    Each window is judged with the settings of its run on record, and with these but for the one threshold, on what is
    published by now.
    """
    tuned(Tunables(), kind, tolerance)
    runs = [
        (covered, json.loads(run.config))
        for run in workspace.store.runs.list_current(BOOK, LEG)
        if (covered := period_of_window(run.window.window)) is not None and period.holds(covered)
    ]
    before: dict[str, Found] = {}
    after: dict[str, Found] = {}
    for covered, config in runs:
        given = Tunables(**config["tunables"])
        before |= _judge(workspace, covered, given, config, on_step)
        after |= _judge(workspace, covered, tuned(given, kind, tolerance), config, on_step)
    return Tuned(
        tuple(covered.window for covered, _ in runs),
        tuple(after[name] for name in sorted(after.keys() - before.keys())),
        tuple(before[name] for name in sorted(before.keys() - after.keys())),
        tuple(
            (before[name], after[name]) for name in sorted(before.keys() & after.keys()) if before[name] != after[name]
        ),
    )


def _judge(
    workspace: Workspace, period: Period, tunables: Tunables, config: Mapping[str, Any], on_step: Progress
) -> dict[str, Found]:
    stage = reconcile_stage(workspace, period, tunables, as_of=date.fromisoformat(config["as_of"]))
    rows = in_scratch(workspace, stage, _deltas, on_step)
    return {row[1]: Found(*row) for row in rows}


def _deltas(runner: Runner) -> list[tuple[Any, ...]]:
    return runner.con.sql(
        "select kind, evidence_id, amount_micros, currency from delta order by evidence_id"
    ).fetchall()
