"""A run of this book done again from what it read, and every step and file held against what is on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tieout.books.ads import expected, ingest, matching, own, reconcile
from tieout.books.ads.period import Period
from tieout.books.ads.pieces import BOOK, Piece, pieces_of_run
from tieout.books.ads.stage import SUMMARY, Stage, Work, in_scratch, summary_text
from tieout.books.compare.again import Replayed, StepDifference, step_differences
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.engine.identity import code_digest
from tieout.engine.steps import Runner
from tieout.store.digest import digest_file, digest_text
from tieout.store.runs import Run

Digests = list[tuple[str, str]]

WORK: Mapping[str, Callable[[tuple[Piece, ...], Mapping[str, Any]], Work]] = {
    expected.LEG: expected.work_of,
    matching.LEG: matching.work_of,
    reconcile.LEG: reconcile.work_of,
}


class NothingToReplay(TieoutError):
    """The run published nothing that a replay could be held against."""

    code = "nothing_to_replay"
    http_status = 409


class PieceGone(TieoutError):
    """A file that the run read is not kept any more, or is not what it was then."""

    code = "piece_gone"
    http_status = 410


def replay_ads(workspace: Workspace, run: Run, on_step: Progress = lambda _: None) -> Replayed:
    """Do a run of this book again and compare every step and every file by digest; nothing is published.

    Raises NothingToReplay, PieceGone, RunFilesGone, OwnFileChanged, ArtifactRemoved and ArtifactDamaged.
    """
    if not run.is_published:
        raise NothingToReplay(f"Run {run.run_id[:12]} is {run.status}: it published nothing.", subject=run.run_id)
    if run.window.leg == own.LEG:
        differences = _changed_files(workspace, run)
    else:
        again = _load_again if run.window.leg == ingest.LEG else _stage_again
        steps, files = again(workspace, run, on_step)
        differences = step_differences([(step["name"], step["digest"]) for step in run.steps], steps)
        differences += step_differences(sorted((file.path, file.sha256) for file in run.files), sorted(files))
    return Replayed(run, tuple(differences), run.code_digest == code_digest(BOOK))


def pieces_read(workspace: Workspace, run: Run) -> tuple[Piece, ...]:
    """Return the files that a stage read, in their order. Raises PieceGone, RunFilesGone and OwnFileChanged."""
    [listed] = run.inputs
    kept = workspace.store.artifacts.verify(listed.artifact_id)
    told = [json.loads(line) for line in kept.path.read_text(encoding="utf-8").splitlines()]
    known = {run_id: _pieces_of(workspace, run_id) for run_id in dict.fromkeys(one["run"] for one in told)}
    return tuple(_found(one, known[one["run"]]) for one in told)


def _stage_again(workspace: Workspace, run: Run, on_step: Progress) -> tuple[Digests, Digests]:
    config, pieces = json.loads(run.config), pieces_read(workspace, run)
    work, told = WORK[run.window.leg](pieces, config), {}

    def work_and_tell(runner: Runner) -> dict[str, Any]:
        told.update(work(runner))
        return told

    def read(runner: Runner) -> tuple[Digests, Digests]:
        facts = sorted(runner.fact_dir.glob("*.parquet"))
        files = [(path.name, digest_file(path)) for path in facts]
        steps = [(record.name, record.digest) for record in runner.records]
        return steps, [*files, (SUMMARY, digest_text(summary_text(told)))]

    stage = Stage(run.window.leg, Period(config["from"], config["to"]), pieces, config, work_and_tell)
    done: tuple[Digests, Digests] = in_scratch(workspace, stage, read, on_step)
    return done


def _load_again(workspace: Workspace, run: Run, on_step: Progress) -> tuple[Digests, Digests]:
    with workspace.store.folders.scratch(BOOK) as scratch:
        steps, files = ingest.load_again(workspace, run, scratch, on_step)
        return [(step["name"], step["digest"]) for step in steps], [(file.path, file.sha256) for file in files]


def _changed_files(workspace: Workspace, run: Run) -> list[StepDifference]:
    """Return which files of a registered source are no longer what they were: nothing was computed from them."""
    found = [(file.path, file.sha256, _digest(Path(file.path))) for file in own.source_files(workspace, run)]
    return [StepDifference(path, before, now) for path, before, now in found if before != now]


def _digest(path: Path) -> str:
    return digest_file(path) if path.is_file() else "gone"


def _pieces_of(workspace: Workspace, run_id: str) -> tuple[Piece, ...]:
    run = workspace.store.runs.get_run(run_id)
    if run.window.leg == own.LEG and "files" in (run.summary or {}):
        return own.source_pieces(workspace, run)
    return pieces_of_run(workspace.store, run, *(file.name for file in run.files))


def _found(told: Mapping[str, str], known: tuple[Piece, ...]) -> Piece:
    for piece in known:
        if (piece.name, piece.sha256) == (told["name"], told["sha256"]) and digest_file(piece.path) == piece.sha256:
            return piece
    raise PieceGone(
        f"{told['name']} of {told['leg']}/{told['window']}, which the run read, is not what it was.",
        subject=told["run"],
        remedy="Bring it back from a copy of the data folder.",
    )
