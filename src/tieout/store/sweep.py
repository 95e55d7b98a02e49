"""Removing what nothing refers to, and dropping the files of runs that were superseded long ago."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, func, select, update

from tieout.store.folders import Folders, check_folder, storing
from tieout.store.guards import EVERY_TENANT
from tieout.store.locks import try_lock, try_lock_existing
from tieout.store.runs import Run, Runs, Window, is_run
from tieout.store.state import State
from tieout.store.tables import artifact, publication, receipt, run, run_input, source_load

RemovedKind = Literal["run", "work", "load", "artifact", "incoming"]

GRACE = timedelta(days=1)
DIED = "The process that computed it ended without finishing."

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN_LOCK = "run-"


@dataclass(frozen=True)
class Removed:
    """Something that the sweep removed, or would remove: a folder or a file, and its bytes."""

    kind: RemovedKind
    path: Path
    byte_count: int


@dataclass(frozen=True)
class Dropped:
    """A run whose files retention dropped, or would drop."""

    run_id: str
    window: Window
    superseded_at: datetime
    byte_count: int


@dataclass(frozen=True)
class Expired:
    """A run whose files were dropped, or would be, because its period is over."""

    run_id: str
    window: Window
    byte_count: int


def sweep(
    state: State, folders: Folders, *, now: datetime, grace: timedelta = GRACE, dry_run: bool = False
) -> tuple[Removed, ...]:
    """Remove what no run and no load of any tenant refers to; return what was removed (`dry_run`: what would be).

    Taken are run folders that no run on record has published, work folders, folders of loads that are not on record,
    contents that no run read and no source was loaded from, halves of contents and scratch folders, each only when it
    is older than `grace` and no living process holds it. A load that was taken back is on record and stays. Runs on
    record as running whose process is dead are recorded as failed. Raises DataFolderOfAnotherState.
    """
    check_folder(state, folders)
    # What the database hides from one tenant would look unreferenced, and be removed.
    state = state.of(EVERY_TENANT)
    cutoff = now - grace
    with storing("what the sweep leaves"):
        return (
            *_sweep_runs(state, folders, cutoff, now, dry_run=dry_run),
            *_sweep_loads(state, folders, cutoff, dry_run=dry_run),
            *_sweep_artifacts(state, folders, cutoff, now, dry_run=dry_run),
            *_sweep_incoming(folders, cutoff, dry_run=dry_run),
        )


def apply_retention(runs: Runs, *, now: datetime, keep_days: int, dry_run: bool = False) -> tuple[Dropped, ...]:
    """Drop the files of runs that were superseded more than `keep_days` ago, never those of a current run.

    The run stays on record with the instant when its files went. Returns what was dropped, oldest first.
    """
    dropped = []
    for candidate in _outdated(runs, now - timedelta(days=keep_days)):
        with storing(f"run {candidate.run_id}"):
            held = try_lock(runs.folders.run_lock(candidate.run_id))
        if held is None:  # it is being computed anew
            continue
        with held:
            if dry_run or _drop(runs, candidate.run_id, now):
                dropped.append(candidate)
    return tuple(dropped)


def drop_expired(runs: Runs, expired: Iterable[Run], *, now: datetime, dry_run: bool = False) -> tuple[Expired, ...]:
    """Drop the files of runs whose period is over, also of those that a window points to; return what was dropped.

    The runs stay on record with the instant when their files went.
    """
    dropped = []
    for one in expired:
        with storing(f"run {one.run_id}"):
            held = try_lock(runs.folders.run_lock(one.run_id))
        if held is None:  # it is being computed anew
            continue
        with held:
            gone = Expired(one.run_id, one.window, _byte_count(runs.folders.run(one.run_id)))
            if dry_run or _drop(runs, one.run_id, now, statuses=("published", "superseded")):
                dropped.append(gone)
    return tuple(dropped)


def drop_received(runs: Runs, expired: Collection[Run], *, now: datetime, dry_run: bool = False) -> tuple[Removed, ...]:
    """Remove the files as received that only these runs have read, of whatever tenant; return what was removed.

    They stay on record with the instant when they went.
    """
    state = runs.state.of(EVERY_TENANT)
    own = {one.run_id for one in expired}
    removed = []
    for artifact_id in sorted({given.artifact_id for one in expired for given in one.inputs}):
        place = runs.folders.artifact(artifact_id)
        with runs.folders.removing():  # from here on nobody starts to refer to it
            if not place.exists() or _is_read_by_others(state, artifact_id, own):
                continue
            gone = _removed("artifact", place)
            if not dry_run:
                _record_removal(state, artifact_id, now)
                place.unlink()
        removed.append(gone)
    return tuple(removed)


def _is_read_by_others(state: State, artifact_id: str, own: Collection[str]) -> bool:
    readers = select(run_input.c.run_id).where(run_input.c.artifact_id == artifact_id)
    loads = select(source_load.c.seq).where(source_load.c.artifact_id == artifact_id).limit(1)
    with state.reading() as connection:
        return (
            any(one not in own for one in connection.scalars(readers)) or connection.execute(loads).first() is not None
        )


def _outdated(runs: Runs, cutoff: datetime) -> list[Dropped]:
    last_superseded = func.max(publication.c.superseded_us, type_=publication.c.superseded_us.type)
    query = (
        select(run.c.run_id, run.c.book, run.c.leg, run.c.window, last_superseded.label("superseded_us"))
        .join_from(run, publication)
        .where(run.c.tenant == runs.tenant, run.c.status == "superseded", run.c.files_dropped_us.is_(None))
        .group_by(run.c.run_id, run.c.book, run.c.leg, run.c.window)
        .having(last_superseded < cutoff)
        .order_by(last_superseded, run.c.run_id)
    )
    with runs.state.reading() as connection:
        rows = connection.execute(query).all()
    return [
        Dropped(
            row.run_id,
            Window(row.book, row.leg, row.window),
            row.superseded_us,
            _byte_count(runs.folders.run(row.run_id)),
        )
        for row in rows
    ]


def _drop(runs: Runs, run_id: str, now: datetime, *, statuses: Collection[str] = ("superseded",)) -> bool:
    is_kept = is_run(run, runs.tenant, run_id) & run.c.status.in_(statuses) & run.c.files_dropped_us.is_(None)
    gone = update(run).where(is_kept).values(files_dropped_us=now)
    # On record first: what is left when this process dies now is unreferenced, and the sweep takes it.
    if runs.state.write(lambda connection: connection.execute(gone).rowcount) == 0:
        return False
    with storing(f"run {run_id}"):
        shutil.rmtree(runs.folders.run(run_id), ignore_errors=True)
    return True


def _sweep_runs(state: State, folders: Folders, cutoff: datetime, now: datetime, *, dry_run: bool) -> Iterator[Removed]:
    for run_id in sorted(_run_ids(state, folders, cutoff)):
        held = try_lock(folders.run_lock(run_id))
        if held is None:
            continue
        try:
            doomed = []
            if not _is_published(state, run_id):
                doomed.append(_removed("run", folders.run(run_id)))
            doomed.append(_removed("work", folders.work_of(run_id)))
            for one in doomed:
                if one.path.is_dir() and _youngest(one.path) < cutoff:
                    if not dry_run:
                        shutil.rmtree(one.path)
                    yield one
            if not dry_run and not folders.work_of(run_id).exists():
                _record_death(state, run_id, cutoff, now)
        finally:
            held.close(remove=not folders.work_of(run_id).exists())


def _run_ids(state: State, folders: Folders, cutoff: datetime) -> set[str]:
    named = {entry.name for folder in (folders.runs, folders.work) for entry in folder.iterdir()}
    locked = {entry.name.removeprefix(_RUN_LOCK) for entry in folders.locks.glob(f"{_RUN_LOCK}*")}
    running = select(run.c.run_id).where(run.c.status == "running", run.c.started_us < cutoff)
    with state.reading() as connection:
        recorded = set(connection.scalars(running))
    return {name for name in named | locked | recorded if _DIGEST.fullmatch(name)}


def _is_published(state: State, run_id: str) -> bool:
    kept = select(run.c.run_id).where(
        run.c.run_id == run_id, run.c.status.in_(("published", "superseded")), run.c.files_dropped_us.is_(None)
    )
    with state.reading() as connection:
        return connection.execute(kept).first() is not None


def _record_death(state: State, run_id: str, cutoff: datetime, now: datetime) -> None:
    is_dead = (run.c.run_id == run_id) & (run.c.status == "running") & (run.c.started_us < cutoff)
    failed = update(run).where(is_dead).values(status="failed", finished_us=now, failure=DIED)
    state.write(lambda connection: connection.execute(failed))


def _sweep_loads(state: State, folders: Folders, cutoff: datetime, *, dry_run: bool) -> Iterator[Removed]:
    for place in sorted(folders.loads.iterdir()):
        if not _DIGEST.fullmatch(place.name):
            continue
        with folders.removing():  # a load is put in its place and on record under the shared lock
            if not place.exists():  # another sweep was first
                continue
            is_loaded = select(source_load.c.seq).where(source_load.c.load_id == place.name)
            with state.reading() as connection:
                if connection.execute(is_loaded).first() is not None:
                    continue
            if _youngest(place) >= cutoff:
                continue
            gone = _removed("load", place)
            if not dry_run:
                shutil.rmtree(place)
        yield gone


def _sweep_artifacts(
    state: State, folders: Folders, cutoff: datetime, now: datetime, *, dry_run: bool
) -> Iterator[Removed]:
    with state.reading() as connection:
        read = set(connection.scalars(select(run_input.c.artifact_id)))
        read.update(connection.scalars(select(source_load.c.artifact_id)))
    for place in sorted(folders.artifacts.glob("??/*")):
        if place.name in read or not _DIGEST.fullmatch(place.name):
            continue
        with folders.removing():  # from here on nobody starts to refer to it
            if not place.exists():  # another sweep was first
                continue
            with state.reading() as connection:
                if _is_needed(connection, place, cutoff):
                    continue
            gone = _removed("artifact", place)
            if not dry_run:
                # On record first: content on record as removed is removed again if this process dies now.
                _record_removal(state, place.name, now)
                place.unlink()
        yield gone


def _is_needed(connection: Connection, place: Path, cutoff: datetime) -> bool:
    artifact_id = place.name
    for table in (run_input, source_load):
        named = select(table.c.artifact_id).where(table.c.artifact_id == artifact_id)
        if connection.execute(named.limit(1)).first() is not None:
            return True
    received = select(receipt.c.received_us).where(receipt.c.artifact_id == artifact_id)
    last = connection.scalar(received.order_by(receipt.c.received_us.desc()).limit(1))
    return (last or _modified(place)) >= cutoff


def _record_removal(state: State, artifact_id: str, now: datetime) -> None:
    removed = update(artifact).where(artifact.c.artifact_id == artifact_id).values(removed_us=now)
    state.write(lambda connection: connection.execute(removed))


def _sweep_incoming(folders: Folders, cutoff: datetime, *, dry_run: bool) -> Iterator[Removed]:
    for place in sorted(folders.incoming.iterdir()):
        held = try_lock_existing(place)
        if held is None:  # its writer lives, or has just given it its final place
            continue
        with held:
            if _youngest(place) >= cutoff:
                continue
            gone = _removed("incoming", place)
            if not dry_run:
                _remove(place)
        yield gone


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()


def _removed(kind: RemovedKind, path: Path) -> Removed:
    return Removed(kind, path, _byte_count(path))


def _byte_count(path: Path) -> int:
    return sum(place.lstat().st_size for place in (path, *path.rglob("*")) if place.is_file())


def _youngest(folder: Path) -> datetime:
    """Return when anything in a folder was last written."""
    return max(_modified(place) for place in (folder, *folder.rglob("*")))


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
