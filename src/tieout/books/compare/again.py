"""A run on record, done again from its files as received: to compare digests, to ask, to try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tieout.books.compare import BOOK
from tieout.books.compare.actions import FACT_FOLDER, Compared, Job, Watch, run_engine, run_job, write_outputs
from tieout.books.compare.receiving import open_settled, open_sides
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.standing import decisions_of, scope_of, standing_decisions
from tieout.books.workspace import Progress, Workspace
from tieout.engine.identity import code_digest
from tieout.engine.plan import Plan
from tieout.engine.plan_file import plan_from_toml
from tieout.engine.reviewed import Decisions
from tieout.engine.run import Outcome
from tieout.engine.why_not import Subject
from tieout.store.publish import OUT_FOLDER
from tieout.store.runs import Run, RunFile


@dataclass(frozen=True)
class StepDifference:
    """A step (or file) of a replay that gave something else than the recorded run."""

    name: str
    recorded: str
    replayed: str


@dataclass(frozen=True)
class Replayed:
    """What a replay found: no difference means the same bytes. `is_same_code` tells whether the code was the same."""

    run: Run
    differences: tuple[StepDifference, ...]
    is_same_code: bool


def replay(workspace: Workspace, prefix: str, on_step: Progress = lambda _: None) -> Replayed:
    """Run a published run again from the files as received and compare every step and every file by digest.

    Nothing is published. Raises RunUnknown, RunAmbiguous, ArtifactRemoved, ArtifactDamaged.
    """
    run = workspace.store.runs.find_run(prefix, book=BOOK)
    plan = plan_from_toml(run.config)
    for given in run.inputs:
        workspace.store.artifacts.verify(given.artifact_id)
    with workspace.store.folders.scratch("compare") as scratch:
        outcome, files = _execute_in(_job_of(workspace, run, scratch, on_step), run, plan)
    recorded_steps = [(step["name"], step["digest"]) for step in run.steps]
    replayed_steps = [(step.name, step.digest) for step in outcome.steps]
    differences = step_differences(recorded_steps, replayed_steps)
    differences += step_differences(
        [(file.path, file.sha256) for file in run.files],
        [(file.path, file.sha256) for file in sorted(files, key=_name)],
    )
    return Replayed(run, tuple(differences), run.code_digest == code_digest())


def run_in_scratch(workspace: Workspace, run: Run, plan: Plan, on_step: Progress = lambda _: None) -> Outcome:
    """Run the inputs of a run again with another plan, publishing nothing. Raises ArtifactRemoved, ArtifactDamaged."""
    with workspace.store.folders.scratch("compare") as scratch:
        job = replace(_job_of(workspace, run, scratch, on_step), settled=None)
        return _execute_in(job, run, plan)[0]


@contextmanager
def tried_in_scratch(
    workspace: Workspace, run: Run, decisions: Decisions | None, on_step: Progress = lambda _: None
) -> Iterator[tuple[Outcome, Path]]:
    """Run the inputs of a run again with other decisions, publishing nothing; give its outcome and folder of facts."""
    with workspace.store.folders.scratch("compare") as scratch:
        job = replace(_job_of(workspace, run, scratch, on_step), decisions=decisions)
        yield _execute_in(job, run, plan_from_toml(run.config))[0], scratch / OUT_FOLDER


def run_again(workspace: Workspace, run: Run, on_step: Progress = lambda _: None) -> Compared:
    """Run the files of a run again with the decisions that count now, and publish it."""
    watch = Watch()
    plan = plan_from_toml(run.config)
    with workspace.store.folders.scratch("compare") as scratch:
        job = _job_of(workspace, run, scratch, on_step)
        scope = scope_of(job.sides["ours"].name, job.sides["theirs"].name)
        done = run_job(replace(job, decisions=standing_decisions(workspace, scope)), plan, is_final=True)
        watch.lap("engine")
    return replace(done, timings=watch.timings())


def _job_of(workspace: Workspace, run: Run, scratch: Path, on_step: Progress) -> Job:
    """Return the job that does a run again as it was, from the files as received."""
    sides, decisions = open_sides(workspace, run, scratch), decisions_of(workspace, run)
    return Job(
        workspace,
        CompareRequest(None, None),
        sides,
        scratch,
        on_step,
        window=run.window,
        settled=open_settled(workspace, run),
        decisions=decisions,
    )


def ask_row(
    workspace: Workspace, run: Run, subject: Subject, on_step: Progress = lambda _: None
) -> dict[str, Any] | None:
    """Return the smallest change that would match one unmatched row; None where the row is matched.

    The inputs are run again with that question; nothing is published. Raises ArtifactRemoved, ArtifactDamaged.
    """
    plan = plan_from_toml(run.config)
    with workspace.store.folders.scratch("compare") as scratch:
        job = replace(_job_of(workspace, run, scratch, on_step), settled=None)
        _execute_in(job, run, plan, subject)
        found = pq.read_table(scratch / "out" / "why_not.parquet").to_pylist()
    return found[0] if found else None


def _name(file: RunFile) -> str:
    return file.name


def _execute_in(job: Job, run: Run, plan: Plan, subject: Subject | None = None) -> tuple[Outcome, list[RunFile]]:
    fact_dir, out_dir = job.scratch / FACT_FOLDER, job.scratch / OUT_FOLDER
    fact_dir.mkdir()
    out_dir.mkdir()
    outcome = run_engine(job, plan, run.run_id, fact_dir, subject=subject)
    return outcome, write_outputs(out_dir, fact_dir, outcome, plan)


def step_differences(recorded: list[tuple[str, str]], replayed: list[tuple[str, str]]) -> list[StepDifference]:
    """Return where two lists of names and digests differ, in order."""
    found = []
    for position in range(max(len(recorded), len(replayed))):
        before = recorded[position] if position < len(recorded) else ("", "")
        after = replayed[position] if position < len(replayed) else ("", "")
        if before != after:
            found.append(StepDifference(before[0] or after[0], before[1], after[1]))
    return found
