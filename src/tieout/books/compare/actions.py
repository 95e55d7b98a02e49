"""Compare two inputs: receive, read, plan, run, publish. One way for the command line, Python and every test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import orjson

from tieout import __version__
from tieout.books.compare.infer import infer
from tieout.books.compare.receiving import (
    DECISIONS,
    SETTLED,
    KeptPairs,
    Received,
    read_carefully,
    reading_of_plan,
    take,
    with_reading,
)
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.settling import AdviceUnread, with_settlement
from tieout.books.compare.standing import scope_of, standing_decisions
from tieout.books.workspace import Progress, Workspace
from tieout.engine.checkpoint import Checkpoint
from tieout.engine.identity import code_digest
from tieout.engine.loading import FastReadFailed, Input, SideName, sample_relation
from tieout.engine.macros import add_macros
from tieout.engine.plan import Plan
from tieout.engine.plan_file import plan_from_toml, plan_to_toml
from tieout.engine.reviewed import FACT as REVIEW_FACT
from tieout.engine.reviewed import Decisions
from tieout.engine.run import FACTS, USUAL_STEPS, Outcome, PlanMisfit, execute
from tieout.engine.steps import FEW_ROWS, parse_steps, planned_as_written
from tieout.engine.why_not import Subject
from tieout.store.duck import connect, interrupts_told
from tieout.store.folders import storing
from tieout.store.publish import ActiveRun, begin_run, fail_run, publish
from tieout.store.runs import Run, RunFile, RunInput, RunRequest, Window, measure_file

WINDOW = "all"
SAMPLE_ROWS = 100_000
MAX_REFUSED_SHARE = 0.05
SUMMARY = "summary.json"
PLAN = "plan.toml"
FACT_FOLDER = "facts"
CHECKPOINT_FOLDER = "checkpoint"


@dataclass(frozen=True)
class Compared:
    """A finished comparison: the run, its plan, its folder, and the seconds of each stage.

    `timings` has receive_s and infer_s, and engine_s: files to result tables (receive, read, load, steps,
    publish), all but inference. `is_reused` tells that the same run was on record and nothing was computed.
    """

    run: Run
    summary: Mapping[str, Any]
    plan: Plan
    run_dir: Path
    timings: Mapping[str, float]
    is_reused: bool


@dataclass(frozen=True)
class Job:
    """One comparison at work: `sides` changes where a file has to be read again, the careful way.

    `settling` are the received files on their way to the disk, where they must be before the run is published.
    A run that comes after another has that one's `window`, and what that one `settled`.
    `decisions` are those of reviewers that count, None where there are none. `engine` is the connection for the first
    run of the engine, where it was opened ahead; `pool` closes connections beside other work, where there is one.
    """

    workspace: Workspace
    request: CompareRequest
    sides: dict[SideName, Received]
    scratch: Path
    on_step: Progress
    settling: tuple[Future[None], ...] = ()
    window: Window | None = None
    settled: KeptPairs | None = None
    decisions: Decisions | None = None
    engine: Future[duckdb.DuckDBPyConnection] | None = None
    pool: ThreadPoolExecutor | None = None


def compare(workspace: Workspace, request: CompareRequest, on_step: Progress = lambda _: None) -> Compared:
    """Reconcile the two inputs and publish the run.

    Raises a TieoutError that names the input, the column or the option when it cannot be done; then nothing is
    published. A repeat of the same inputs, plan and code returns the run on record.
    """
    _assert_advice_is_there(request)
    if request.plan is not None:
        _assert_advice_fits(request.plan, request)
        reading = {**reading_of_plan(request.plan), **request.reading}
        request = replace(request, reading=reading, plan=with_reading(request.plan, reading))
    watch = Watch()
    with workspace.store.folders.scratch("compare") as scratch, ThreadPoolExecutor(max_workers=4) as pool:
        on_step("receive")
        opening = partial(pool.submit, _open_engine, workspace, scratch)
        # Rather beside inference, which leaves a core idle, than beside receiving, which does not.
        early = opening() if request.plan is not None else None
        taking = {side: pool.submit(take, workspace, request, side, scratch) for side in request.given}
        sides = {side: future.result() for side, future in taking.items()}
        engine = early or opening()
        pool.submit(_parse_ahead, engine)
        pool.submit(code_digest)  # cached: to read all sources takes longer than many a step
        settle = workspace.store.artifacts.settle
        settling = tuple(pool.submit(settle, side.artifact.artifact_id) for side in sides.values())
        watch.lap("receive")
        decisions = standing_decisions(workspace, scope_of(sides["ours"].name, sides["theirs"].name))
        job = Job(workspace, request, sides, scratch, on_step, settling, decisions=decisions, engine=engine, pool=pool)
        plan = request.plan or _infer(job)
        watch.lap("infer")
        try:
            done = run_job(job, plan)
        except PlanMisfit as misfit:
            if request.plan is not None:
                raise
            on_step(f"infer again: {misfit}")
            plan = _infer(job, is_whole=True)
            watch.lap("infer")
            done = run_job(replace(job, engine=None), plan, is_final=True)
        watch.lap("engine")
    return replace(done, timings=watch.timings())


def _assert_advice_is_there(request: CompareRequest) -> None:
    """Refuse options on how advice is read where none is given."""
    options = request.options
    told = {
        "--advice-payment": options.advice_payment,
        "--advice-invoice": options.advice_invoice,
        "--advice-amount": options.advice_amount,
    }
    named = next((option for option, value in told.items() if value is not None), None)
    if named and request.advice is None:
        raise AdviceUnread(
            f"{named} says how advice is read, and none is given.",
            subject=named,
            remedy="Give the file with --advice, or leave the option out.",
        )


def _assert_advice_fits(plan: Plan, request: CompareRequest) -> None:
    """Refuse advice that the plan does not read, and a plan that reads advice without it."""
    if (plan.advice is None) == (request.advice is None):
        return
    if request.advice is None:
        raise AdviceUnread(
            "The plan reads advice, and none is given.", subject="--advice", remedy="Give the file with --advice."
        )
    raise AdviceUnread(
        "The plan does not say how advice is read.",
        subject="--advice",
        remedy="Leave --plan out, or name a file that does not exist yet to infer anew.",
    )


@dataclass
class Watch:
    """Measures stages one after another, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now

    def timings(self) -> dict[str, float]:
        """Return the stages as `Compared.timings` has them."""
        total = sum(seconds for name, seconds in self.seconds.items() if name != "infer")
        return {
            **{f"{name}_s": seconds for name, seconds in self.seconds.items() if name != "engine"},
            "engine_s": total,
        }


def _infer(job: Job, *, is_whole: bool = False) -> Plan:
    sides, scratch = job.sides, job.scratch
    job.on_step("infer")
    con = connect(job.workspace.settings, scratch / "infer")
    try:
        limit = None if is_whole else SAMPLE_ROWS
        for side in sides:
            _sample_side(con, side, sides, scratch, limit)
        counts = {side: con.sql(f"select count(*) from {side}_sample").fetchall()[0][0] for side in sides}
        with planned_as_written(con, is_so=max(counts.values()) <= FEW_ROWS):
            plan = infer(
                con,
                "ours_sample",
                "theirs_sample",
                job.request.options,
                ours_name=sides["ours"].name,
                theirs_name=sides["theirs"].name,
                is_sample=limit is not None and max(counts["ours"], counts["theirs"]) >= limit,
            )
            advice = ("advice_sample", sides["advice"].name) if "advice" in sides else None
            plan = with_settlement(con, plan, advice, job.request.options)
        return with_reading(plan, job.request.reading)
    finally:
        con.close()


def _sample_side(
    con: duckdb.DuckDBPyConnection, side: SideName, sides: dict[SideName, Received], scratch: Path, limit: int | None
) -> None:
    """Bring the first rows of a side under inference; a CSV that is not plain after all is read the careful way."""
    try:
        sample_relation(con, f"{side}_sample", sides[side].source, limit)
    except FastReadFailed:
        sides[side] = read_carefully(sides[side], scratch / side)
        sample_relation(con, f"{side}_sample", sides[side].source, limit)


def run_job(job: Job, plan: Plan, *, is_final: bool = False) -> Compared:
    """Run and publish what was received, or return the same run if it is on record.

    Raises PlanMisfit unless `is_final`, and what the engine and the store raise; then nothing is published.
    """
    workspace, on_step = job.workspace, job.on_step
    runs = workspace.store.runs
    asked = _run_request(job, plan, _keep_decisions(job))
    with begin_run(runs, asked, now=workspace.now(), on_wait=lambda: on_step("wait")) as active:
        former = active.former
        if former is not None and not job.request.is_fresh and former.files_dropped_at is None:
            return _reuse(workspace, active, former, plan)
        try:
            fact_dir = active.work_dir / FACT_FOLDER
            with storing(f"run {active.run_id}"):
                fact_dir.mkdir(exist_ok=True)
            outcome = run_engine(
                job,
                plan,
                active.run_id,
                fact_dir,
                checkpoint=Checkpoint(active.work_dir / CHECKPOINT_FOLDER, workspace.settings.checkpoint_after_s),
                max_refused_share=None if is_final else MAX_REFUSED_SHARE,
            )
            on_step("publish")
            for settled in job.settling:
                settled.result()
            files = write_outputs(active.out_dir, fact_dir, outcome, plan)
            steps = [asdict(step) for step in outcome.steps]
            published = publish(runs, active, files, steps=steps, summary=outcome.summary, now=workspace.now())
        except PlanMisfit as misfit:
            active.discard()
            fail_run(runs, active, reason=f"The plan does not fit the whole file: {misfit.what}", now=workspace.now())
            raise
        except Exception as error:
            fail_run(runs, active, reason=str(error)[:1000], now=workspace.now())
            raise
    run_dir = workspace.store.folders.run(published.run.run_id)
    return Compared(published.run, outcome.summary, _as_run(plan, outcome), run_dir, {}, is_reused=False)


def _reuse(workspace: Workspace, active: ActiveRun, former: Run, plan: Plan) -> Compared:
    """Return the run on record, and point its window to it again if it points elsewhere by now."""
    runs, folders = workspace.store.runs, workspace.store.folders
    current = runs.current_run(former.window)
    if current is None or current.run_id != former.run_id:
        shutil.copytree(folders.run(former.run_id), active.out_dir, dirs_exist_ok=True)
        publish(runs, active, former.files, steps=list(former.steps), summary=former.summary or {}, now=workspace.now())
    else:
        active.discard()
    run_dir = folders.run(former.run_id)
    return Compared(former, former.summary or {}, _recorded_plan(run_dir, plan), run_dir, {}, is_reused=True)


def _as_run(plan: Plan, outcome: Outcome) -> Plan:
    """Return the plan with the weights that the run learned, so that it can be given again with them.

    A run that had nothing to score keeps those that it was given.
    """
    return replace(plan, learned=outcome.learned or plan.learned)


def _recorded_plan(run_dir: Path, plan: Plan) -> Plan:
    try:
        return plan_from_toml((run_dir / PLAN).read_text(encoding="utf-8"))
    except OSError:  # its files were dropped
        return plan


def _advice_of(sides: Mapping[SideName, Received]) -> Input | None:
    return sides["advice"].as_input() if "advice" in sides else None


def _keep_decisions(job: Job) -> tuple[RunInput, ...]:
    """Keep the decisions as a file among the inputs of the run, so that it stays what it is when others are made."""
    if job.decisions is None:
        return ()
    workspace, path = job.workspace, job.scratch / f"{DECISIONS}.jsonl"
    path.write_text(job.decisions.text, encoding="utf-8")
    artifact = workspace.store.artifacts.receive(
        path, name=DECISIONS, received_by=workspace.settings.actor, received_at=workspace.now()
    )
    return (RunInput(DECISIONS, DECISIONS, artifact.artifact_id),)


def _run_request(job: Job, plan: Plan, decisions: tuple[RunInput, ...] = ()) -> RunRequest:
    scope = scope_of(job.sides["ours"].name, job.sides["theirs"].name)
    parts = [(side, part) for side, given in job.sides.items() for part in given.parts]
    files = [RunInput(side, part.name, part.artifact.artifact_id) for side, part in parts]
    kept = [] if job.settled is None else [RunInput(SETTLED, job.settled.name, job.settled.artifact_id)]
    return RunRequest(
        window=job.window or Window(scope.book, scope.leg, WINDOW),
        inputs=(*files, *kept, *decisions),
        config=plan_to_toml(plan),
        code_version=__version__,
        code_digest=code_digest(),
        engine_versions={"duckdb": duckdb.__version__},
    )


def _open_engine(workspace: Workspace, scratch: Path) -> duckdb.DuckDBPyConnection:
    con = connect(workspace.settings, scratch / "engine")
    add_macros(con)
    return con


def _parse_ahead(engine: Future[duckdb.DuckDBPyConnection]) -> None:
    """Parse the steps of most runs, which takes a core that inference leaves idle 40 ms."""
    parse_steps(engine.result().cursor(), USUAL_STEPS)


def _close_engine(con: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):  # an interrupt may leave a step at work, which then ends by itself
        con.close()


def run_engine(
    job: Job,
    plan: Plan,
    run_id: str,
    fact_dir: Path,
    *,
    checkpoint: Checkpoint | None = None,
    max_refused_share: float | None = None,
    subject: Subject | None = None,
) -> Outcome:
    """Run the engine on what was received, a file that refuses the fast way read the careful one.

    Its facts are left in `fact_dir`. The options are those of `execute`.
    """
    sides, on_step, engine = job.sides, job.on_step, job.engine
    while True:
        con = engine.result() if engine else _open_engine(job.workspace, job.scratch)
        engine = None
        try:
            with interrupts_told():
                return execute(
                    con,
                    sides["ours"].as_input(),
                    sides["theirs"].as_input(),
                    plan,
                    run_id=run_id,
                    fact_dir=fact_dir,
                    advice=_advice_of(sides),
                    settled=job.settled.pairs if job.settled else None,
                    decisions=job.decisions,
                    on_step=on_step,
                    checkpoint=checkpoint,
                    max_refused_share=max_refused_share,
                    subject=subject,
                    has_macros=True,
                )
        except FastReadFailed as failed:
            on_step(f"read {failed.side} carefully")
            sides[failed.side] = read_carefully(sides[failed.side], job.scratch / failed.side)
        finally:
            if job.pool:
                job.pool.submit(_close_engine, con)  # to free its memory takes as long as to publish the run
            else:
                _close_engine(con)


def write_outputs(out_dir: Path, fact_dir: Path, outcome: Outcome, plan: Plan) -> list[RunFile]:
    """Move the facts into the folder to publish, with the plan and the summary, and return what to record of each.

    The summary gains the digests of the facts.
    """
    files = []
    rows = {step.name: step.rows for step in outcome.steps}
    with storing(str(out_dir)):
        for fact in (*FACTS, *(name for name in (REVIEW_FACT,) if name in rows)):
            name = f"{fact}.parquet"
            (fact_dir / name).replace(out_dir / name)
            files.append(measure_file(out_dir, name, row_count=rows.get(fact), sha256=outcome.digests.get(name)))
        outcome.summary["digests"] = {file.path: file.sha256 for file in files}
        (out_dir / PLAN).write_text(plan_to_toml(_as_run(plan, outcome)), encoding="utf-8")
        (out_dir / SUMMARY).write_bytes(summary_bytes(outcome.summary))
    return [*files, measure_file(out_dir, PLAN, name=PLAN), measure_file(out_dir, SUMMARY, name=SUMMARY)]


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return the summary as JSON, the same bytes for the same summary."""
    return orjson.dumps(summary, default=str, option=orjson.OPT_INDENT_2) + b"\n"
