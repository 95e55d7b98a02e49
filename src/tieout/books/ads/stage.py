"""A stage of the book as a run: a pure function of the pieces it reads, its settings and the code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from tieout import __version__
from tieout.books.ads.period import Period
from tieout.books.ads.pieces import BOOK, Piece, listing
from tieout.books.ads.rates import PACKAGE, rates_version
from tieout.books.workspace import Progress, Workspace
from tieout.engine.identity import code_digest
from tieout.engine.steps import Runner
from tieout.store.duck import connect, interrupts_told
from tieout.store.folders import storing
from tieout.store.publish import ActiveRun, begin_run, fail_run, publish
from tieout.store.runs import Run, RunFile, RunInput, RunRequest, Window, measure_file

SUMMARY = "summary.json"
FACT_FOLDER = "facts"
PIECES = "pieces"
"""The input of a run that lists the files of other runs which it reads."""

Work = Callable[[Runner], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One stage to run: what it reads, its settings as JSON can hold them, and the work.

    `work` runs the steps and returns the summary; the facts it leaves in the runner's folder are published.
    """

    leg: str
    period: Period
    pieces: tuple[Piece, ...]
    config: Mapping[str, Any]
    work: Work


@dataclass(frozen=True)
class StageDone:
    """What a stage did. `run` is None after a dry run; `is_reused` tells that the same run was on record."""

    summary: Mapping[str, Any]
    run: Run | None
    is_reused: bool


def run_stage(
    workspace: Workspace, stage: Stage, *, is_dry_run: bool = False, on_step: Progress = lambda _: None
) -> StageDone:
    """Run a stage and point its window to the result, or in a dry run only say what it would yield."""
    if is_dry_run:
        with workspace.store.folders.scratch(f"{BOOK}-{stage.leg}") as scratch:
            (scratch / FACT_FOLDER).mkdir()
            return StageDone(_work(workspace, stage, scratch, on_step)[0], None, is_reused=False)
    runs = workspace.store.runs
    asked = _request(workspace, stage)
    with begin_run(runs, asked, now=workspace.now(), on_wait=lambda: on_step("wait")) as active:
        if active.former is not None and active.former.files_dropped_at is None:
            return _reuse(workspace, active, active.former)
        try:
            with storing(f"run {active.run_id}"):
                (active.work_dir / FACT_FOLDER).mkdir(exist_ok=True)
            summary, runner = _work(workspace, stage, active.work_dir, on_step)
            on_step("publish")
            listed = _write(active, runner, summary)
            steps = [asdict(step) for step in runner.records]
            published = publish(runs, active, listed, steps=steps, summary=summary, now=workspace.now())
        except Exception as error:
            fail_run(runs, active, reason=str(error)[:1000], now=workspace.now())
            raise
    return StageDone(summary, published.run, is_reused=False)


def in_scratch(
    workspace: Workspace, stage: Stage, read: Callable[[Runner], Any], on_step: Progress = lambda _: None
) -> Any:
    """Run a stage without publishing it and return what `read` takes from its relations."""
    with workspace.store.folders.scratch(f"{BOOK}-{stage.leg}") as scratch:
        (scratch / FACT_FOLDER).mkdir()
        return _work(workspace, stage, scratch, on_step, read)[2]


def _work(
    workspace: Workspace, stage: Stage, folder: Path, on_step: Progress, read: Callable[[Runner], Any] | None = None
) -> Any:
    con = connect(workspace.settings, folder)
    try:
        # Facts are ordered by what they hold, so no step needs to keep the order that it finds.
        con.execute("set preserve_insertion_order = false")
        runner = Runner(con, folder / FACT_FOLDER, on_step)
        with interrupts_told():
            summary = stage.work(runner)
            return (summary, runner) if read is None else (summary, runner, read(runner))
    finally:
        con.close()


def _request(workspace: Workspace, stage: Stage) -> RunRequest:
    with workspace.store.folders.scratch(f"{BOOK}-{stage.leg}") as scratch:
        path = scratch / f"{PIECES}.jsonl"
        path.write_text(listing(stage.pieces), encoding="utf-8")
        kept = workspace.store.artifacts.receive(
            path, name=PIECES, received_by=workspace.settings.actor, received_at=workspace.now()
        )
    return RunRequest(
        window=Window(BOOK, stage.leg, stage.period.window),
        inputs=(RunInput(PIECES, PIECES, kept.artifact_id),),
        config=json.dumps(dict(stage.config), sort_keys=True, indent=1),
        code_version=__version__,
        code_digest=code_digest(BOOK),
        engine_versions={"duckdb": duckdb.__version__, PACKAGE: rates_version()},
    )


def _reuse(workspace: Workspace, active: ActiveRun, former: Run) -> StageDone:
    """Return the run on record, and point its window to it again if it points elsewhere by now."""
    runs, folders = workspace.store.runs, workspace.store.folders
    current = runs.current_run(former.window)
    if current is None or current.run_id != former.run_id:
        shutil.copytree(folders.run(former.run_id), active.out_dir, dirs_exist_ok=True)
        publish(runs, active, former.files, steps=list(former.steps), summary=former.summary or {}, now=workspace.now())
    else:
        active.discard()
    return StageDone(former.summary or {}, former, is_reused=True)


def summary_text(summary: Mapping[str, Any]) -> str:
    """Return a summary as the file that holds it."""
    return json.dumps(summary, sort_keys=True, indent=1) + "\n"


def _write(active: ActiveRun, runner: Runner, summary: dict[str, Any]) -> list[RunFile]:
    """Move the facts into the folder to publish, with the summary, and return what to record of each."""
    # The step that wrote a file has read it once for its digest, and nothing has touched it since.
    listed = []
    with storing(str(active.out_dir)):
        for file in sorted(runner.fact_files, key=lambda one: one.path):
            byte_count = file.path.stat().st_size
            file.path.replace(active.out_dir / file.path.name)
            listed.append(RunFile(file.path.stem, file.path.name, file.rows, byte_count, file.sha256))
        (active.out_dir / SUMMARY).write_text(summary_text(summary), encoding="utf-8")
    return [*listed, measure_file(active.out_dir, SUMMARY, name=SUMMARY)]
