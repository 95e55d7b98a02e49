"""Compare new rows after a run: its files with the new ones behind them, over the pairs that it settled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tieout.books.compare import BOOK
from tieout.books.compare.actions import PLAN, Compared, Job, Watch, compare, run_job
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.overlapping import write_new_rows
from tieout.books.compare.receiving import (
    KeptPairs,
    Received,
    open_sides,
    read_carefully,
    read_side,
    reading_of_plan,
    reads_fast,
    take,
)
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.standing import scope_of, standing_decisions
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError
from tieout.engine.increment import settled_pairs, write_settled
from tieout.engine.loading import NOT_PLAIN, SIDES, SideName
from tieout.engine.plan import Plan
from tieout.engine.plan_file import plan_from_toml
from tieout.intake.reading import Limits
from tieout.store.duck import connect
from tieout.store.runs import Run

NO_NEWS = "-"
"""In place of a file: this side has no new rows."""


class NothingNew(TieoutError):
    """A comparison after a run was asked for without a new file."""

    code = "nothing_new"


class PlanCarried(TieoutError):
    """An option on how to compare was given beside a run whose plan settles that."""

    code = "plan_carried"


class OverlapAlone(TieoutError):
    """Files are said to overlap with a run, and no run is named."""

    code = "overlap_alone"


class RunNotFinished(TieoutError):
    """The run to go on from was never published."""

    code = "run_not_finished"


class AdviceNotCarried(TieoutError):
    """The run to go on from reads advice, which tells about all payments at once."""

    code = "advice_not_carried"


@dataclass(frozen=True)
class IncrementRequest:
    """New rows of either side or of both, and the run that they come after (the beginning of its id).

    A side is a path or, in Python, a table; None has no news. With `is_overlapping` the files repeat rows of the run,
    and only those that it lacks are added.
    """

    ours: Any
    theirs: Any
    after: str
    limits: Limits = field(default_factory=Limits)
    is_fresh: bool = False
    is_overlapping: bool = False


def compare_after(workspace: Workspace, request: IncrementRequest, on_step: Progress = lambda _: None) -> Compared:
    """Reconcile all rows of a run and the new ones by that run's plan, and publish that for its window.

    Raises NothingNew, RunUnknown, RunNotFinished, RunFilesGone, ArtifactRemoved, AdviceNotCarried, ColumnGone and
    LayoutDiffers, which name what is wrong; then nothing is published.
    """
    news = _news_of(request)
    former = _finished(workspace, request.after)
    plan = _plan_of(workspace, former)
    watch = Watch()
    with workspace.store.folders.scratch("compare") as scratch, ThreadPoolExecutor(max_workers=2) as pool:
        on_step("receive")
        wanted = CompareRequest(
            news.get("ours"),
            news.get("theirs"),
            plan=plan,
            limits=request.limits,
            reading=reading_of_plan(plan),
            is_fresh=request.is_fresh,
        )
        (scratch / "new").mkdir()
        taking = {side: pool.submit(take, workspace, wanted, side, scratch / "new") for side in news}
        sides = open_sides(workspace, former, scratch)
        added = {side: future.result() for side, future in taking.items()}
        if request.is_overlapping:
            added = {side: _new_rows(workspace, sides[side], part, plan, side, scratch) for side, part in added.items()}
        for side, part in added.items():
            sides[side] = replace(sides[side], more=(*sides[side].more, part))
        kept = _kept_pairs(workspace, former, plan, scratch / "settled.parquet")
        received = [part.artifact.artifact_id for part in added.values()] + ([kept.artifact_id] if kept else [])
        settling = tuple(pool.submit(workspace.store.artifacts.settle, one) for one in received)
        watch.lap("receive")
        decisions = standing_decisions(workspace, scope_of(sides["ours"].name, sides["theirs"].name))
        job = Job(
            workspace,
            wanted,
            sides,
            scratch,
            on_step,
            settling,
            window=former.window,
            settled=None if decisions else kept,
            decisions=decisions,
        )
        done = run_job(job, plan)
        watch.lap("engine")
    return replace(done, timings=watch.timings())


def _new_rows(
    workspace: Workspace, former: Received, added: Received, plan: Plan, side: SideName, scratch: Path
) -> Received:
    """Return what a file adds to the former files of its side, received as a file of its own."""
    folder = scratch / "lacking" / side
    folder.mkdir(parents=True)
    path = folder / "rows.parquet"
    con = connect(workspace.settings, folder / "duckdb")
    columns = list((plan.ours if side == "ours" else plan.theirs).columns)
    try:
        sources = [part.source for part in former.parts]
        try:
            write_new_rows(con, sources, added.source, columns, path)
        except NOT_PLAIN:
            former, added = _readable(former, folder / "former"), _readable(added, folder / "added")
            write_new_rows(con, [part.source for part in former.parts], added.source, columns, path)
    finally:
        con.close()
    artifact = workspace.store.artifacts.receive(
        path,
        name=f"{added.name}, new rows",
        received_by=workspace.settings.actor,
        received_at=workspace.now(),
        is_settled=False,
    )
    return read_side(artifact, side, CompareRequest(None, None), folder)


def _readable(given: Received, folder: Path) -> Received:
    """Return the files of a side, those that cannot be read quickly read with care."""
    return given if all(reads_fast(part.source) for part in given.parts) else read_carefully(given, folder)


def compare_or_add(
    workspace: Workspace,
    request: CompareRequest,
    after: str | None,
    *,
    is_overlapping: bool = False,
    on_step: Progress = lambda _: None,
) -> Compared:
    """Compare two inputs, or with `after` add them to that run; see `compare` and `compare_after`."""
    if after is not None:
        return compare_after(workspace, added_rows(request, after, is_overlapping=is_overlapping), on_step)
    if is_overlapping:
        raise OverlapAlone(
            "--overlap says that files repeat rows of a run, and none is named.",
            subject="--overlap",
            remedy="Name the run with --after, or leave the option out.",
        )
    return compare(workspace, request, on_step)


def added_rows(request: CompareRequest, after: str, *, is_overlapping: bool = False) -> IncrementRequest:
    """Return the request for what was asked for in the words of a comparison. Raises PlanCarried."""
    told: dict[str, Any] = {
        "--plan": request.plan,
        "--advice": request.advice,
        "the options of reading": request.reading,
    }
    if request.options != InferOptions():
        told["the options on columns and rules"] = True
    named = next((name for name, value in told.items() if value), None)
    if named:
        raise PlanCarried(
            f"--after takes the plan of run {after}, so {named} cannot be given.",
            subject=named,
            remedy="Leave that out; to compare by another plan, give the whole files without --after.",
        )
    ours, theirs = (None if str(given) == NO_NEWS else given for given in (request.ours, request.theirs))
    return IncrementRequest(
        ours, theirs, after, limits=request.limits, is_fresh=request.is_fresh, is_overlapping=is_overlapping
    )


def _news_of(request: IncrementRequest) -> dict[SideName, Any]:
    given = {"ours": request.ours, "theirs": request.theirs}
    news = {side: given[side] for side in SIDES if given[side] is not None}
    if not news:
        raise NothingNew(
            "No new file is given.", subject="--after", remedy="Give the new rows of a side; - stands for none."
        )
    return news


def _finished(workspace: Workspace, prefix: str) -> Run:
    former = workspace.store.runs.find_run(prefix, book=BOOK)
    if not former.is_published:
        raise RunNotFinished(
            f"Run {former.run_id} is {former.status}; nothing can come after it.",
            subject=former.run_id,
            remedy="tieout runs lists those that are published.",
        )
    return former


def _plan_of(workspace: Workspace, former: Run) -> Plan:
    """Return the plan of a run with the weights that it learned. Raises RunFilesGone and AdviceNotCarried."""
    plan = plan_from_toml(workspace.store.runs.file_path(former, PLAN).read_text(encoding="utf-8"))
    if plan.advice is not None:
        raise AdviceNotCarried(
            f"Run {former.run_id} reads advice, and new rows cannot be added to a run with advice.",
            subject=former.run_id,
            remedy="Compare the whole files again, with the whole advice.",
        )
    return plan


def _kept_pairs(workspace: Workspace, former: Run, plan: Plan, path: Path) -> KeptPairs | None:
    """Receive what a run settled by likeness as a file, so that the next run depends on nothing but its inputs.

    None where it learned no weights: then no pair of it is as sure as that.
    """
    summary = former.summary or {}
    passes = {item["pass"] for item in summary["matched"]["by_pass"]}
    if plan.learned is None or "scored" not in passes:
        return None
    runs = workspace.store.runs
    match, candidate, ours, theirs = (
        runs.file_path(former, fact) for fact in ("match", "candidate", "unmatched_ours", "unmatched_theirs")
    )
    write_settled(match, candidate, (ours, theirs), (summary["ours"]["rows"], summary["theirs"]["rows"]), path)
    name = f"pairs of run {former.run_id[:12]}"
    artifact = workspace.store.artifacts.receive(
        path, name=name, received_by=workspace.settings.actor, received_at=workspace.now(), is_settled=False
    )
    return KeptPairs(name, artifact.artifact_id, settled_pairs(artifact.path))
