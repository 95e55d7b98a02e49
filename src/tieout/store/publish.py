"""From a run that is being computed to the one that its window points to: folder first, then one transaction."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Connection, func, insert, select, update

from tieout.core.errors import TieoutError
from tieout.store.artifacts import Artifacts
from tieout.store.folders import fsync, storing
from tieout.store.locks import Lock, lock
from tieout.store.runs import Run, RunFile, RunRequest, Runs, Window, is_current, is_run, is_window, load_run
from tieout.store.tables import publication, run, run_file, run_input

PublishPoint = Literal["files_written", "renamed", "before_commit", "committed"]
"""Where `publish` stands: files on the disk; folder in its place; rows written; transaction committed."""

PublishOutcome = Literal["published", "unchanged", "restored"]
"""`published`: its first time. `unchanged`: the window pointed to it already. `restored`: the window points to it
again after another run, or its files, which were dropped or damaged, are back."""

OUT_FOLDER = "out"
_DISPLACED_FOLDER = "displaced"


class NotReproducible(TieoutError):
    """A run that was published before gave other bytes this time, though everything that it depends on is the same."""

    code = "not_reproducible"
    exit_code = 20
    http_status = 409


class RunFilesMislisted(TieoutError):
    """The files that a run says it wrote are not those in its folder."""

    code = "run_files_mislisted"
    http_status = 500


@dataclass(frozen=True)
class ActiveRun:
    """A run that this process computes, alone: it holds the run's lock until it is closed.

    What is to be published goes into `out_dir`, which starts empty; the rest of `work_dir` is scratch and
    checkpoints, found again (`is_resumed`) when an earlier attempt died. `former` is the run as it was published
    before, or None; then its files can be used as they are.
    """

    run_id: str
    request: RunRequest
    work_dir: Path
    former: Run | None
    is_resumed: bool
    _lock: Lock = field(repr=False)

    @property
    def out_dir(self) -> Path:
        return self.work_dir / OUT_FOLDER

    def discard(self) -> None:
        """Remove everything that was written for it."""
        shutil.rmtree(self.work_dir, ignore_errors=True)

    def close(self) -> None:
        """Let others compute the run; what it wrote stays for a resume unless it was published or discarded."""
        self._lock.close(remove=not self.work_dir.exists())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Published:
    """A run as recorded after `publish`, and what that changed."""

    run: Run
    outcome: PublishOutcome


def begin_run(
    runs: Runs, request: RunRequest, *, now: datetime, on_wait: Callable[[], None] | None = None
) -> ActiveRun:
    """Record that the run is being computed, and take its lock; use the answer in a `with` block.

    While another process computes the same run this waits, calling `on_wait` once before, and goes on when that one
    is done or dead. Raises ArtifactUnknown and ArtifactRemoved when an input is not kept.
    """
    run_id = request.run_id(runs.tenant)
    work_dir = runs.folders.work_of(run_id)
    held = lock(runs.folders.run_lock(run_id), on_wait=on_wait)
    try:
        artifacts = Artifacts(runs.state, runs.folders, runs.tenant)
        with runs.folders.referring():
            for given in request.inputs:
                artifacts.get(given.artifact_id)
            former = runs.state.write(lambda connection: _record_start(connection, runs.tenant, request, now))
        is_resumed = _has_checkpoints(work_dir)
        with storing(f"run {run_id}"):
            shutil.rmtree(work_dir / OUT_FOLDER, ignore_errors=True)
            (work_dir / OUT_FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
    except BaseException:
        held.close()
        raise
    return ActiveRun(run_id, request, work_dir, former, is_resumed, held)


def fail_run(runs: Runs, active: ActiveRun, *, reason: str, now: datetime) -> None:
    """Record that the run failed, and why. A run that was published before stays published."""
    is_running = is_run(run, runs.tenant, active.run_id) & (run.c.status == "running")
    failed = update(run).where(is_running).values(status="failed", finished_us=now, failure=reason)
    runs.state.write(lambda connection: connection.execute(failed))


def publish(
    runs: Runs,
    active: ActiveRun,
    files: Iterable[RunFile],
    *,
    steps: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    now: datetime,
    at: Callable[[PublishPoint], None] = lambda _point: None,
) -> Published:
    """Make the run the one that its window points to.

    `files` lists exactly what lies in `active.out_dir` (see `measure_file`); `steps` and `summary` must fit JSON.
    Whenever the process dies, the window points to the former run or to this one, whole. Publishing again what is
    published changes nothing. `at` is called at each PublishPoint.

    Raises NotReproducible, naming the files, when the run was published before with other bytes; RunFilesMislisted;
    StorageFull. After each of them the window points where it did.
    """
    listed = tuple(sorted(files, key=lambda file: file.name))
    _check_listing(active, listed)
    former = active.former
    if former is not None:
        _check_same(former, listed)
    is_kept = former is not None and former.files_dropped_at is None and not runs.damaged_files(former)
    with storing(f"run {active.run_id}"):
        if not is_kept:
            _seal(active.out_dir, listed)
        at("files_written")
        if not is_kept:
            _put_in_place(active, runs.folders.run(active.run_id))
        at("renamed")
    outputs = None if former is not None else _Outputs(listed, steps, summary, now)

    def record(connection: Connection) -> bool:
        if outputs is not None:
            _record_outputs(connection, runs.tenant, active.run_id, outputs)
        is_moved = _move_pointer(connection, runs.tenant, active, now)
        at("before_commit")
        return is_moved

    is_moved = runs.state.write(record)
    at("committed")
    active.discard()
    again: PublishOutcome = "restored" if is_moved or not is_kept else "unchanged"
    return Published(runs.get_run(active.run_id), "published" if former is None else again)


@dataclass(frozen=True)
class _Outputs:
    files: Sequence[RunFile]
    steps: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    finished_at: datetime


def _record_start(connection: Connection, tenant: str, request: RunRequest, now: datetime) -> Run | None:
    """Record the run as running unless it was published before; then return it as it is."""
    run_id = request.run_id(tenant)
    found = load_run(connection, tenant, run_id)
    if found is None:
        _insert_run(connection, tenant, request, now)
        return None
    if found.is_published:
        return found
    started = {"status": "running", "started_us": now, "finished_us": None, "failure": None}
    connection.execute(update(run).where(is_run(run, tenant, run_id)).values(started))
    return None


def _insert_run(connection: Connection, tenant: str, request: RunRequest, now: datetime) -> None:
    key = {"tenant": tenant, "run_id": request.run_id(tenant)}
    connection.execute(
        insert(run).values(
            **key,
            book=request.window.book,
            leg=request.window.leg,
            window=request.window.window,
            status="running",
            started_us=now,
            code_version=request.code_version,
            code_digest=request.code_digest,
            config_digest=request.config_digest,
            config=request.config,
            engine_versions=dict(request.engine_versions),
            steps=[],
        )
    )
    numbered = enumerate(request.inputs, start=1)
    if inputs := [{**key, "position": position, **asdict(given)} for position, given in numbered]:
        connection.execute(insert(run_input), inputs)


def _has_checkpoints(work_dir: Path) -> bool:
    if not work_dir.is_dir():
        return False
    return any(entry.name not in {OUT_FOLDER, _DISPLACED_FOLDER} for entry in work_dir.iterdir())


def _check_listing(active: ActiveRun, listed: Sequence[RunFile]) -> None:
    expected = {file.path: file.byte_count for file in listed}
    found = {
        str(place.relative_to(active.out_dir)): place.stat().st_size
        for place in active.out_dir.rglob("*")
        if not place.is_dir() or place.is_symlink()
    }
    wrong = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    names = [file.name for file in listed]
    wrong += sorted({name for name in names if names.count(name) > 1})
    if wrong:
        raise RunFilesMislisted(
            f"Run {active.run_id} does not list what it wrote: {', '.join(wrong)}.",
            subject=active.run_id,
            remedy="This is a fault of the program; please report it.",
        )


def _check_same(former: Run, listed: Sequence[RunFile]) -> None:
    before = {file.name: file for file in former.files}
    after = {file.name: file for file in listed}
    different = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if different:
        raise NotReproducible(
            f"Run {former.run_id} gave other bytes than when it was published: {', '.join(different)}. "
            "Nothing was published.",
            subject=former.run_id,
            remedy=f"`tieout replay {former.run_id[:12]}` says which step differs.",
        )


def _seal(folder: Path, listed: Sequence[RunFile]) -> None:
    """Make the files read-only and wait until they and their names are on the disk."""
    for file in listed:
        place = folder / file.path
        place.chmod(0o444)
        fsync(place)
    for place in (folder, *(below for below in folder.rglob("*") if below.is_dir())):
        fsync(place)


def _put_in_place(active: ActiveRun, target: Path) -> None:
    """Rename the output folder to its final place; what an attempt that died before its commit left there goes."""
    if target.exists():
        displaced = active.work_dir / _DISPLACED_FOLDER
        shutil.rmtree(displaced, ignore_errors=True)
        target.rename(displaced)
    active.out_dir.rename(target)
    fsync(target.parent)


def _record_outputs(connection: Connection, tenant: str, run_id: str, outputs: _Outputs) -> None:
    if files := [{"tenant": tenant, "run_id": run_id, **asdict(file)} for file in outputs.files]:
        connection.execute(insert(run_file), files)
    values = {
        "finished_us": outputs.finished_at,
        "steps": [dict(step) for step in outputs.steps],
        "summary": dict(outputs.summary),
    }
    connection.execute(update(run).where(is_run(run, tenant, run_id)).values(values))


def _take_turn(connection: Connection, tenant: str, window: Window) -> None:
    """Let publications of a leg become visible in the order of their numbers: who follows the numbers misses none."""
    if connection.dialect.name == "postgresql":  # writers of SQLite take their turn anyway
        leg = json.dumps([tenant, window.book, window.leg])
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(leg, 0))))


def _move_pointer(connection: Connection, tenant: str, active: ActiveRun, now: datetime) -> bool:
    """Point the run's window to it; tell whether it pointed elsewhere before."""
    window, run_id = active.request.window, active.run_id
    _take_turn(connection, tenant, window)
    # The window's first row never goes, so whoever holds it is alone; SQLite's writers take their turn anyway.
    first = select(publication.c.seq).where(is_window(publication, tenant, window)).order_by(publication.c.seq)
    connection.execute(first.limit(1).with_for_update())
    current = connection.execute(
        select(publication.c.seq, publication.c.run_id, publication.c.published_us).where(is_current(tenant, window))
    ).one_or_none()
    published = {"status": "published", "files_dropped_us": None}
    connection.execute(update(run).where(is_run(run, tenant, run_id)).values(published))
    if current is not None and current.run_id == run_id:
        return False
    instant = now
    if current is not None:
        # A clock that went backwards must not rewrite what was said before.
        instant = max(now, current.published_us)
        is_former = (publication.c.tenant == tenant) & (publication.c.seq == current.seq)
        connection.execute(update(publication).where(is_former).values(superseded_us=instant))
        connection.execute(update(run).where(is_run(run, tenant, current.run_id)).values(status="superseded"))
    connection.execute(
        insert(publication).values(
            tenant=tenant,
            book=window.book,
            leg=window.leg,
            window=window.window,
            run_id=run_id,
            published_us=instant,
        )
    )
    return True
