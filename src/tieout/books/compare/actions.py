"""Compare two inputs: receive, read, plan, run, publish. One way for the command line, Python and every test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq

from tieout import __version__
from tieout.books.compare.infer import InferOptions, infer
from tieout.books.compare.settling import AdviceUnread, with_settlement
from tieout.core.settings import Settings
from tieout.engine.checkpoint import Checkpoint
from tieout.engine.identity import code_digest
from tieout.engine.increment import SettledPairs, settled_pairs
from tieout.engine.loading import SIDES, FastReadFailed, Input, SideName, sample_relation
from tieout.engine.plan import Plan, SidePlan
from tieout.engine.plan_file import plan_from_toml, plan_to_toml
from tieout.engine.reviewed import FACT as REVIEW_FACT
from tieout.engine.reviewed import Decisions, read_decisions
from tieout.engine.run import FACTS, Outcome, PlanMisfit, execute
from tieout.engine.why_not import Subject
from tieout.intake.csv_careful import locate_rows, read_csv_carefully
from tieout.intake.csv_dialect import CsvHints
from tieout.intake.reading import Direct, Limits, ReadOptions, read
from tieout.intake.records import Records
from tieout.intake.sources.current import ResolvedSource, resolve_source
from tieout.intake.tables import is_table, write_table
from tieout.store.artifacts import Artifact
from tieout.store.duck import connect, interrupts_told
from tieout.store.folders import storing
from tieout.store.opening import Store
from tieout.store.publish import OUT_FOLDER, ActiveRun, begin_run, fail_run, publish
from tieout.store.review import Scope, standing_after
from tieout.store.runs import Run, RunFile, RunInput, RunRequest, Window, measure_file

BOOK = "compare"
WINDOW = "all"
SAMPLE_ROWS = 100_000
MAX_REFUSED_SHARE = 0.05
SUMMARY = "summary.json"
PLAN = "plan.toml"
FACT_FOLDER = "facts"
CHECKPOINT_FOLDER = "checkpoint"
SETTLED = "settled"
"""Among the inputs of a run, in place of a side: the pairs of the run that it came after."""
DECISIONS = "decisions"
"""The input of a run that holds the decisions of reviewers that count in it."""

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
class Received:
    """One side as received: the name it came under, its content, and how the engine reads it.

    `more` are the files that came after it.
    """

    name: str
    artifact: Artifact
    source: Direct | Records
    more: tuple[Received, ...] = ()

    @property
    def parts(self) -> tuple[Received, ...]:
        """The files of the side, in order."""
        return (self, *self.more)

    def as_input(self) -> Input:
        """Return it as the engine takes it."""
        source = self.source
        dialect = source.dialect if isinstance(source, Direct) else None

        def locate(row_nos: list[int]) -> dict[int, tuple[int, str]]:
            return locate_rows(self.artifact.path, dialect, row_nos) if dialect is not None else {}

        more = tuple(part.as_input() for part in self.more)
        return Input(self.name, self.artifact.artifact_id, self.artifact.byte_count, source, locate, more)


@dataclass(frozen=True)
class KeptPairs:
    """The pairs of the run before, received as a file: its name, its content and what the engine takes of it."""

    name: str
    artifact_id: str
    pairs: SettledPairs


@dataclass(frozen=True)
class Job:
    """One comparison at work: `sides` changes where a file has to be read again, the careful way.

    `settling` are the received files on their way to the disk, where they must be before the run is published.
    A run that comes after another has that one's `window`, and what that one `settled`.
    `decisions` are those of reviewers that count, None where there are none.
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


def compare(workspace: Workspace, request: CompareRequest, on_step: Progress = lambda _: None) -> Compared:
    """Reconcile the two inputs and publish the run.

    Raises a TieoutError that names the input, the column or the option when it cannot be done; then nothing is
    published. A repeat of the same inputs, plan and code returns the run on record.
    """
    _assert_advice_is_there(request)
    if request.plan is not None:
        _assert_advice_fits(request.plan, request)
        reading = {**reading_of_plan(request.plan), **request.reading}
        request = replace(request, reading=reading, plan=_with_reading(request.plan, reading))
    watch = Watch()
    with workspace.store.folders.scratch("compare") as scratch, ThreadPoolExecutor(max_workers=2) as pool:
        on_step("receive")
        taking = {side: pool.submit(take, workspace, request, side, scratch) for side in request.given}
        sides = {side: future.result() for side, future in taking.items()}
        settle = workspace.store.artifacts.settle
        settling = tuple(pool.submit(settle, side.artifact.artifact_id) for side in sides.values())
        watch.lap("receive")
        decisions = standing_decisions(workspace, scope_of(sides["ours"].name, sides["theirs"].name))
        job = Job(workspace, request, sides, scratch, on_step, settling, decisions=decisions)
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
            done = run_job(job, plan, is_final=True)
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


def take(workspace: Workspace, request: CompareRequest, side: SideName, scratch: Path) -> Received:
    """Receive one input and look through it; side by side with the other, for much of it is hashing and copying."""
    given = request.input_of(side)
    name = None
    if is_table(given):
        name = f"{side}.parquet"
        given = write_table(given, scratch / name)
    elif (found := _resolved(workspace, str(given), scratch / f"{side}-source")) is not None:
        given, name = found.path, found.name
    artifact = workspace.store.artifacts.receive(
        Path(given),
        name=name,
        received_by=workspace.settings.actor,
        received_at=workspace.now(),
        max_bytes=request.limits.max_bytes,
        is_settled=False,
    )
    return read_side(artifact, side, request, scratch)


def _resolved(workspace: Workspace, given: str, folder: Path) -> ResolvedSource | None:
    return resolve_source(workspace.store, workspace.settings, given, folder, workspace.now())


def read_side(artifact: Artifact, side: SideName, request: CompareRequest, scratch: Path) -> Received:
    """Look through a received file; what is converted goes below `scratch`."""
    folder = scratch / side
    folder.mkdir(parents=True, exist_ok=True)
    options = request.reading.get(side)
    return Received(
        artifact.name, artifact, read(artifact.path, artifact.name, folder, limits=request.limits, options=options)
    )


def _infer(job: Job, *, is_whole: bool = False) -> Plan:
    sides, scratch = job.sides, job.scratch
    job.on_step("infer")
    con = connect(job.workspace.settings, scratch / "infer")
    try:
        limit = None if is_whole else SAMPLE_ROWS
        for side in sides:
            _sample_side(con, side, sides, scratch, limit)
        counts = [con.sql(f"select count(*) from {side}_sample").fetchall()[0][0] for side in ("ours", "theirs")]
        plan = infer(
            con,
            "ours_sample",
            "theirs_sample",
            job.request.options,
            ours_name=sides["ours"].name,
            theirs_name=sides["theirs"].name,
            is_sample=limit is not None and max(counts) >= limit,
        )
        advice = ("advice_sample", sides["advice"].name) if "advice" in sides else None
        plan = with_settlement(con, plan, advice, job.request.options)
        return _with_reading(plan, job.request.reading)
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


def read_carefully(side: Received, folder: Path) -> Received:
    """Return the side read the careful way, for the fast way refused it; of several files those that it refuses."""
    if not side.more:
        return _read_part_carefully(side, folder)
    refused = [not reads_fast(part.source) for part in side.parts]
    # What is refused only among the others is read carefully as well, file by file.
    is_csv = [isinstance(part.source, Direct) and part.source.dialect is not None for part in side.parts]
    parts = [
        _read_part_carefully(part, folder / f"part-{position}") if careful else part
        for position, (part, careful) in enumerate(zip(side.parts, refused if any(refused) else is_csv, strict=True))
    ]
    return replace(parts[0], more=tuple(parts[1:]))


def reads_fast(source: Direct | Records) -> bool:
    """Say whether DuckDB reads a file as it is."""
    con = duckdb.connect()
    try:
        sample_relation(con, "part", source, None)
    except FastReadFailed:
        return False
    finally:
        con.close()
    return True


def _read_part_carefully(side: Received, folder: Path) -> Received:
    source = side.source
    if not isinstance(source, Direct) or source.dialect is None:
        raise TypeError(f"{side.name} has no careful way of reading")
    folder.mkdir(parents=True, exist_ok=True)
    return replace(side, source=read_csv_carefully(source.path, source.dialect, folder))


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
            outcome = _execute(job, active, plan, is_final=is_final)
            on_step("publish")
            for settled in job.settling:
                settled.result()
            files = write_outputs(active.out_dir, active.work_dir / FACT_FOLDER, outcome, plan)
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


def scope_of(ours_name: str, theirs_name: str) -> Scope:
    """Return the scope of reviewers' decisions about two inputs: their names, whatever is in the files by now.

    Rows of equal content under other names are another account's, and a decision about these says nothing of those.
    """
    return Scope(BOOK, f"{ours_name} ~ {theirs_name}")


def standing_decisions(workspace: Workspace, scope: Scope) -> Decisions | None:
    """Return the decisions that count now, None where there are none."""
    rulings = standing_after(workspace.store.reviews.standing(scope), ())
    return Decisions(rulings) if rulings else None


def decisions_of(workspace: Workspace, run: Run) -> Decisions | None:
    """Return the decisions that count in a run on record, None where there are none. Raises ArtifactRemoved."""
    given = next((given for given in run.inputs if given.side == DECISIONS), None)
    return None if given is None else read_decisions(workspace.store.artifacts.get(given.artifact_id).path)


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


def _execute(job: Job, active: ActiveRun, plan: Plan, *, is_final: bool) -> Outcome:
    workspace, sides, on_step = job.workspace, job.sides, job.on_step
    fact_dir = active.work_dir / FACT_FOLDER
    with storing(f"run {active.run_id}"):
        fact_dir.mkdir(exist_ok=True)
    while True:
        con = connect(workspace.settings, active.work_dir)
        try:
            with interrupts_told():
                return execute(
                    con,
                    sides["ours"].as_input(),
                    sides["theirs"].as_input(),
                    plan,
                    run_id=active.run_id,
                    fact_dir=fact_dir,
                    advice=_advice_of(sides),
                    settled=job.settled.pairs if job.settled else None,
                    decisions=job.decisions,
                    on_step=on_step,
                    checkpoint=Checkpoint(active.work_dir / CHECKPOINT_FOLDER, workspace.settings.checkpoint_after_s),
                    max_refused_share=None if is_final else MAX_REFUSED_SHARE,
                )
        except FastReadFailed as failed:
            on_step(f"read {failed.side} carefully")
            sides[failed.side] = read_carefully(sides[failed.side], job.scratch / failed.side)
        finally:
            with suppress(duckdb.Error):  # an interrupt may leave a step at work, which then ends by itself
                con.close()


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
            files.append(measure_file(out_dir, name, row_count=rows.get(fact)))
        outcome.summary["digests"] = {file.path: file.sha256 for file in files}
        (out_dir / PLAN).write_text(plan_to_toml(_as_run(plan, outcome)), encoding="utf-8")
        (out_dir / SUMMARY).write_bytes(summary_bytes(outcome.summary))
    return [*files, measure_file(out_dir, PLAN, name=PLAN), measure_file(out_dir, SUMMARY, name=SUMMARY)]


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return the summary as JSON, the same bytes for the same summary."""
    return orjson.dumps(summary, default=str, option=orjson.OPT_INDENT_2) + b"\n"


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


def open_sides(workspace: Workspace, run: Run, scratch: Path) -> dict[SideName, Received]:
    """Read the inputs of a run again from the files as received; what is converted goes into `scratch`."""
    request = CompareRequest(None, None, reading=reading_of_plan(plan_from_toml(run.config)))
    sides: dict[SideName, Received] = {}
    for position, given in enumerate(run.inputs):
        if given.side in (SETTLED, DECISIONS):
            continue
        side: SideName = "ours" if given.side == "ours" else "theirs" if given.side == "theirs" else "advice"
        artifact = replace(workspace.store.artifacts.get(given.artifact_id), name=given.name)
        part = read_side(artifact, side, request, scratch / f"input-{position}" if side in sides else scratch)
        sides[side] = replace(sides[side], more=(*sides[side].more, part)) if side in sides else part
    return sides


def open_settled(workspace: Workspace, run: Run) -> KeptPairs | None:
    """Return the pairs that a run took over from the run that it came after, or None. Raises ArtifactRemoved."""
    given = next((given for given in run.inputs if given.side == SETTLED), None)
    if given is None:
        return None
    path = workspace.store.artifacts.get(given.artifact_id).path
    return KeptPairs(given.name, given.artifact_id, settled_pairs(path))


def _sides_of(plan: Plan) -> dict[SideName, SidePlan]:
    sides: dict[SideName, SidePlan] = {"ours": plan.ours, "theirs": plan.theirs}
    return sides | ({"advice": plan.advice} if plan.advice else {})


def reading_of_plan(plan: Plan) -> dict[SideName, ReadOptions]:
    """Return how the files of a plan are read."""
    return {
        side: ReadOptions(
            format=given.format,
            sheet=given.sheet or None,
            records=given.records or None,
            csv=CsvHints(given.encoding, given.delimiter, None if given.header_line < 0 else given.header_line),
        )
        for side, given in _sides_of(plan).items()
    }


def _with_reading(plan: Plan, reading: Mapping[SideName, ReadOptions]) -> Plan:
    """Return the plan with how its files are read, for that is part of what makes a run."""

    def read_as(side: SidePlan, options: ReadOptions) -> SidePlan:
        line = options.csv.header_line
        return replace(
            side,
            format=options.format,
            sheet=options.sheet or "",
            records=options.records or "",
            encoding=options.csv.encoding,
            delimiter=options.csv.delimiter,
            header_line=-1 if line is None else line,
        )

    read = {side: read_as(given, reading.get(side, ReadOptions())) for side, given in _sides_of(plan).items()}
    settlement = plan.settlement
    if settlement is not None and "advice" in read:
        settlement = replace(settlement, advice=read["advice"])
    return replace(plan, ours=read["ours"], theirs=read["theirs"], settlement=settlement)


def _name(file: RunFile) -> str:
    return file.name


def _execute_in(job: Job, run: Run, plan: Plan, subject: Subject | None = None) -> tuple[Outcome, list[RunFile]]:
    workspace, sides, scratch, on_step = job.workspace, job.sides, job.scratch, job.on_step
    fact_dir, out_dir = scratch / FACT_FOLDER, scratch / OUT_FOLDER
    fact_dir.mkdir()
    out_dir.mkdir()
    while True:
        con = connect(workspace.settings, scratch / "work")
        try:
            outcome = execute(
                con,
                sides["ours"].as_input(),
                sides["theirs"].as_input(),
                plan,
                run_id=run.run_id,
                fact_dir=fact_dir,
                advice=_advice_of(sides),
                settled=job.settled.pairs if job.settled else None,
                decisions=job.decisions,
                on_step=on_step,
                subject=subject,
            )
            return outcome, write_outputs(out_dir, fact_dir, outcome, plan)
        except FastReadFailed as failed:
            sides[failed.side] = read_carefully(sides[failed.side], scratch / failed.side)
        finally:
            con.close()


def step_differences(recorded: list[tuple[str, str]], replayed: list[tuple[str, str]]) -> list[StepDifference]:
    """Return where two lists of names and digests differ, in order."""
    found = []
    for position in range(max(len(recorded), len(replayed))):
        before = recorded[position] if position < len(recorded) else ("", "")
        after = replayed[position] if position < len(replayed) else ("", "")
        if before != after:
            found.append(StepDifference(before[0] or after[0], before[1], after[1]))
    return found
