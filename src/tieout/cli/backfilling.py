"""What `tieout backfill ads` prints, the checkpoints it keeps, and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tieout.books.ads.backfill import (
    BackfillRequest,
    Counts,
    StageName,
    add_up,
    do_piece,
    has_worked,
    list_pieces,
)
from tieout.books.ads.checkpoints import FILE, Checkpoints, failure_text
from tieout.books.ads.period import instant_text
from tieout.books.ads.proving import ProofsNotAvailable
from tieout.books.ads.rehearsal import rehearsing
from tieout.books.ads.tunables import tunables_of
from tieout.books.workspace import Progress, Workspace
from tieout.cli.app import print_json, show_error
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_ERROR, EXIT_OK, TieoutError

EXIT_WARNINGS = 10
PER_PIECE = ("expected", "matching", "reconcile")

LINES: dict[StageName, str] = {
    "ingestion": "— operator-driven; ensure statements are ingested via vraIngestCsv.js (dry-run first).",
    "expected": "running vraBuildExpected.js for window",
    "matching": "running vraMatch.js with thresholds",
    "reconcile": "running vraReconcile.js for window",
    "proofs": "running monthly digest issuance for the month of --from",
}
"""As the runbook prints them. The scripts lie in ops/scripts and call the commands of the same stages."""
SCRIPTS: dict[StageName, str] = {
    "ingestion": "vraIngestCsv.js",
    "expected": "vraBuildExpected.js",
    "matching": "vraMatch.js",
    "reconcile": "vraReconcile.js",
    "proofs": "vraIssueProofs.js",
}
RESULTS: dict[StageName, str] = {
    "expected": "[VRA Expected] Seen: {seen} Written: {written} Skipped: {skipped}",
    "matching": "[VRA Match] Auto: {auto} Review: {review} Unmatched: {unmatched}",
    "reconcile": "[VRA Reconcile] Deltas: {deltas} Inserted: {inserted}",
    "proofs": "[VRA Proofs] Days: {days} Sealed: {sealed} Leaves: {leaves}",
}

Outcome = Literal["done", "partial", "skipped", "failed", "not_available"]


@dataclass
class _Told:
    """What became of each stage, in their order."""

    stages: list[dict[str, Any]] = field(default_factory=list)

    def add(self, stage: StageName, outcome: Outcome, **more: Any) -> None:
        self.stages.append({"stage": stage, "outcome": outcome, **more})

    @property
    def outcomes(self) -> set[str]:
        return {told["outcome"] for told in self.stages}


def show_backfill(workspace: Workspace, request: BackfillRequest, checkpoint: Path | None, *, as_json: bool) -> int:
    """Do what the request names and say so line by line; return the exit code."""
    say = _say_beside if as_json else _say
    dry = " (dry-run)" if request.is_dry_run else ""
    window = instant_text(request.period.start), instant_text(request.period.end)
    say(f"Window: {window[0]} → {window[1]}{dry}")
    say(f"Stages: {' → '.join(request.stages)}")
    checkpoints = Checkpoints(checkpoint or workspace.settings.data_dir / FILE)
    opened = rehearsing(workspace) if request.is_dry_run else nullcontext(workspace)
    with opened as at_work:
        told = _do_stages(at_work, request, checkpoints, say)
    if told.outcomes == {"skipped"}:
        say(f"Nothing is left to do; delete {checkpoints.path} or name another --checkpoint to begin again.")
    code = _exit_code(request, told)
    if as_json:
        named = {"from": window[0], "to": window[1]}
        print_json({"window": named, "dry_run": request.is_dry_run, "exit_code": code, "stages": told.stages})
    return code


def _do_stages(
    workspace: Workspace, request: BackfillRequest, checkpoints: Checkpoints, say: Callable[[str], None]
) -> _Told:
    key = request.key(workspace.store.tenant)
    done = {stage for stage in request.stages if checkpoints.is_done(key, stage, is_dry_run=request.is_dry_run)}
    told = _Told()
    for position, stage in enumerate(request.stages):
        # What a dry run did is gone, so it is done once more, without a word, for the stages after it to see.
        is_needed = request.is_dry_run and stage in PER_PIECE and not done.issuperset(request.stages[position:])
        if stage in done:
            say(f'Skipping stage "{stage}" — checkpoint exists.')
            told.add(stage, "skipped")
            if not is_needed:
                continue
        else:
            say(f"({stage}) {LINES[stage]}")
        try:
            counts = _do_stage(workspace, request, stage)
        except ProofsNotAvailable as missing:
            say(f'Stage "{stage}" not done: {missing}')
            told.add(stage, "not_available", message=missing.what)
            continue
        except TieoutError as error:
            _show_failure(error)
            say(f'Stage "{stage}" failed: {SCRIPTS[stage]} exited with code {error.exit_code}')
            told.add(stage, "failed", error=error.code, message=error.what, remedy=error.remedy)
            break
        if stage not in done:
            _tell_done(workspace, request, checkpoints, stage, counts, told, say)
        if counts.get("left_out") and not request.is_dry_run and position + 1 < len(request.stages):
            say("Stopped: the stages after it would take what was left out for money that nobody earned.")
            break
    return told


def _do_stage(workspace: Workspace, request: BackfillRequest, stage: StageName) -> Counts:
    pieces = list_pieces(request.period) if stage in PER_PIECE else (request.period,)
    tunables, total = tunables_of(os.environ), Counts()
    with stepping() as show:
        for number, piece in enumerate(pieces, start=1):
            place = f"{stage} {piece.window}, {number} of {len(pieces)}"
            done = do_piece(workspace, request, stage, piece, tunables, _placed(show, place))
            total = add_up(total, done)
    return total


def _placed(show: Progress, place: str) -> Progress:
    return lambda step: show(f"{place}: {step}")


def _tell_done(
    workspace: Workspace,
    request: BackfillRequest,
    checkpoints: Checkpoints,
    stage: StageName,
    counts: Counts,
    told: _Told,
    say: Callable[[str], None],
) -> None:
    if stage in RESULTS:
        _line(RESULTS[stage].format(**counts), is_beside=say is _say_beside)
    if left_out := counts.get("left_out"):
        _warn(f"{left_out} receipts of the window are beyond the limit; raise --limit with --force --yes.")
        told.add(stage, "partial", **counts)
        return
    told.add(stage, "done", **counts)
    try:
        key = request.key(workspace.store.tenant)
        checkpoints.mark(key, stage, is_dry_run=request.is_dry_run, at=workspace.now())
    except OSError as error:
        _warn(failure_text(checkpoints.path, error))


def _exit_code(request: BackfillRequest, told: _Told) -> int:
    if request.is_dry_run:
        return EXIT_WARNINGS
    is_cut_short = len(told.stages) < len(request.stages)  # by a failure, or by receipts that were left out
    if is_cut_short or "failed" in told.outcomes or told.outcomes == {"not_available"}:
        return EXIT_ERROR
    is_whole = told.outcomes <= {"done", "skipped"}
    return EXIT_OK if is_whole and any(has_worked(one["stage"], one) for one in told.stages) else EXIT_WARNINGS


def _show_failure(error: TieoutError) -> None:
    if "--json" not in sys.argv[1:]:
        show_error(error)


def _say(line: str) -> None:
    _line(f"[VRA Backfill] {line}")


def _say_beside(line: str) -> None:
    _line(f"[VRA Backfill] {line}", is_beside=True)


def _line(line: str, *, is_beside: bool = False) -> None:
    print(line, file=sys.stderr if is_beside else sys.stdout, flush=True)


def _warn(line: str) -> None:
    print(f"Warning: {line}", file=sys.stderr)  # noqa: T201
