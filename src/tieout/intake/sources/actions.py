"""Load files into a source, and take a load back: nothing is decided silently, and nothing is deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.intake.formats import size_of
from tieout.intake.reading import Limits, ReadOptions
from tieout.intake.sources.current import StoredFiles, stored_files, view_stored
from tieout.intake.sources.days import DayColumn, DayWish
from tieout.intake.sources.projection import same_name
from tieout.intake.sources.staging import FileGiven, Settled, Staged, stage
from tieout.intake.sources.steps import Steps, failures_told
from tieout.store.digest import digest_file
from tieout.store.duck import connect
from tieout.store.folders import storing
from tieout.store.opening import Store
from tieout.store.runs import RunFile, measure_file
from tieout.store.sources import (
    LoadCounts,
    LoadDraft,
    LoadMode,
    LoadPoint,
    SourceLoad,
    Sources,
    Superseded,
    check_source_name,
)

Progress = Callable[[str], None]

LoadOutcome = Literal["loaded", "nothing_new", "already_loaded", "unsettled"]
"""`nothing_new`: on record, but every row was current before and none was superseded. `already_loaded`: the very file
was loaded before, so nothing was recorded. `unsettled`: only in a dry run; the load itself would be refused."""

_SHOWN_DAYS = 5


class RestatementUnsettled(TieoutError):
    """A file covers days of which earlier loads hold rows that it lacks, and the user did not say what that means."""

    code = "restatement_unsettled"
    http_status = 409


class SourceKeyDiffers(TieoutError):
    """The key that was named is not the one by which the source's rows are identified."""

    code = "source_key_differs"


class KeyNotUnique(TieoutError):
    """Columns that are said to identify a row stand alike in several rows of one file."""

    code = "key_not_unique"
    http_status = 422


@dataclass(frozen=True)
class LoadRequest:
    """Files to load into a source, one after the other, and what the user settled about them.

    `key` names the columns that identify a row, so that a changed row supersedes the one before; without it a row is
    its whole content. `date` names the column of days ('-' for none).
    """

    source: str
    files: tuple[Path, ...]
    mode: LoadMode = "plain"
    key: tuple[str, ...] = ()
    date: str | None = None
    date_format: str | None = None
    options: ReadOptions = field(default_factory=ReadOptions)
    limits: Limits = field(default_factory=Limits)
    is_dry_run: bool = False


@dataclass(frozen=True)
class Lacking:
    """Current rows on days that a file covers and that it lacks: how many, on which days, from which loads.

    `days` holds the first few with their rows (None: without a day), `day_count` counts all; `loads` names seq, file
    and rows.
    """

    rows: int
    days: tuple[tuple[date | None, int], ...]
    day_count: int
    loads: tuple[tuple[int, str, int], ...]


@dataclass(frozen=True)
class FileLoad:
    """What loading one file did, or in a dry run would do. `seq` is its number in the source, None if not recorded.

    `changed` counts the superseded rows whose key came with other content. `lacking` is None where the file lacks
    nothing; then the two ways to settle it supersede all of it or keep it.
    """

    file: str
    outcome: LoadOutcome
    seq: int | None
    counts: LoadCounts
    changed: int = 0
    superseded: tuple[Superseded, ...] = ()
    lacking: Lacking | None = None
    first_day: date | None = None
    last_day: date | None = None
    day: DayColumn | None = None
    new_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loading:
    """One command's work on a source: who asks, for what, at which time, and who is told."""

    store: Store
    settings: Settings
    request: LoadRequest
    now: Callable[[], datetime]
    on_step: Progress = lambda _step: None
    at: Callable[[LoadPoint], None] = lambda _point: None


@dataclass(frozen=True)
class _Given:
    """A file under its digest."""

    artifact_id: str
    path: Path
    name: str


@dataclass(frozen=True)
class _Pending:
    """A load as it would be recorded, and the folder of its files."""

    draft: LoadDraft
    folder: Path


@dataclass(frozen=True)
class _Standing:
    """How the source stands: the loads that count, their files, and the number of the next load."""

    drafts: tuple[LoadDraft, ...]
    stored: StoredFiles
    seq: int

    @classmethod
    def of(cls, sources: Sources, name: str) -> _Standing:
        history = sources.find_source(name)
        if history is None:
            return cls((), StoredFiles(), 1)
        loads = history.standing()
        return cls(tuple(one.draft for one in loads), stored_files(sources, loads), len(history.loads) + 1)

    def plus(self, pending: _Pending) -> _Standing:
        """Return how it would stand after one more load."""
        return _Standing((*self.drafts, pending.draft), self.stored.plus(pending.folder), self.seq + 1)

    def find(self, given: _Given, options: ReadOptions) -> LoadDraft | None:
        """Return the load of this very table of this very file, or None."""
        wanted = (given.artifact_id, *_table_of(options))
        return next((one for one in self.drafts if (one.artifact_id, one.sheet, one.records) == wanted), None)


def load(loading: Loading, on_loaded: Callable[[FileLoad], None] = lambda _done: None) -> tuple[FileLoad, ...]:
    """Load the files of the request in their order, each in a transaction of its own; `on_loaded` is told each.

    Where one fails or is refused, those before it stay loaded and nothing of it is. While another process loads into
    the same source this waits. A dry run stores nothing at all.

    Raises RestatementUnsettled, SourceKeyDiffers, KeyNotUnique, what `stage` raises, and what the store raises.
    """
    request, store = loading.request, loading.store
    check_source_name(request.source)
    done: list[FileLoad] = []
    with store.folders.scratch("load") as scratch:
        if request.is_dry_run:
            for one in _rehearse(loading, scratch):
                done.append(one)
                on_loaded(one)
            return tuple(done)
        with store.sources.changing(request.source, on_wait=lambda: loading.on_step("wait for another load")):
            for number, path in enumerate(request.files, start=1):
                one = _load_file(loading, path, scratch / f"{number}")
                shutil.rmtree(scratch / f"{number}", ignore_errors=True)
                done.append(one)
                on_loaded(one)
    return tuple(done)


def undo(store: Store, settings: Settings, name: str, *, now: datetime) -> SourceLoad | None:
    """Take back the latest load of a source that still counts and return it, or None where none does.

    Its rows stop being current, and those that it superseded are current again. It stays on record with its files.
    Raises SourceUnknown.
    """
    store.sources.get_source(check_source_name(name))
    with store.sources.changing(name):
        return store.sources.undo_load(name, now=now, actor=settings.actor)


def _load_file(loading: Loading, path: Path, scratch: Path) -> FileLoad:
    store, settings, request = loading.store, loading.settings, loading.request
    loading.on_step("receive")
    artifact = store.artifacts.receive(
        path, received_by=settings.actor, received_at=loading.now(), max_bytes=request.limits.max_bytes
    )
    given = _Given(artifact.artifact_id, artifact.path, artifact.name)
    done, pending = _prepare(loading, given, scratch, _Standing.of(store.sources, request.source))
    if done.outcome == "unsettled":
        raise _unsettled(done, request)
    if pending is not None:
        loading.on_step("publish")
        store.sources.publish_load(
            pending.draft, pending.folder, now=loading.now(), actor=settings.actor, at=loading.at
        )
    return done


def _rehearse(loading: Loading, scratch: Path) -> Iterator[FileLoad]:
    """Say what loading would do, each file as if those before it were loaded; stop where one would be refused."""
    request = loading.request
    standing = _Standing.of(loading.store.sources, request.source)
    for number, path in enumerate(request.files, start=1):
        size_of(path, path.name)
        given = _Given(digest_file(path), path, path.name)
        done, pending = _prepare(loading, given, scratch / f"{number}", standing)
        yield done
        if done.outcome == "unsettled":
            return
        if pending is not None:
            standing = standing.plus(pending)


def _table_of(options: ReadOptions) -> tuple[str, str]:
    """Return which table of a file is meant, where it may hold several."""
    return options.sheet or "", options.records or ""


def _prepare(loading: Loading, given: _Given, scratch: Path, standing: _Standing) -> tuple[FileLoad, _Pending | None]:
    """Hold a file against how the source stands, and write what its load would add, supersede and refuse."""
    request = loading.request
    before = standing.find(given, request.options)
    if before is not None and request.mode != "restate":
        return _already_loaded(given, before), None
    folder = scratch / "out"
    with storing(given.name):
        folder.mkdir(parents=True)
    con = connect(loading.settings, scratch / "duckdb")
    try:
        with failures_told("load"):
            steps = Steps(con, folder, loading.on_step)
            settled = _settled(standing.drafts)
            key = _key(request, settled)
            file = FileGiven(given.path, given.name, request.options, request.limits, scratch)
            staged = stage(steps, file, settled, key, _day_wish(request, settled))
            view_stored(steps, standing.stored)
            _make_run(steps, standing.seq, request.mode, staged, key)
            done = _compare(steps, request, given, staged, standing)
            if done.outcome == "unsettled":
                return done, None
            if before is not None and done.outcome == "nothing_new":
                return _already_loaded(given, before), None
            files = _write(steps, done.counts)
    finally:
        con.close()
    return done, _Pending(_draft(request, given, staged, standing, done, key=key, files=files), folder)


def _already_loaded(given: _Given, before: LoadDraft) -> FileLoad:
    return FileLoad(given.name, "already_loaded", before.seq, replace(before.counts, added=0, superseded=0))


def _settled(drafts: Sequence[LoadDraft]) -> Settled:
    with_rows = [draft for draft in drafts if draft.counts.rows]
    day = None
    for draft in with_rows:
        if draft.date_column is not None and draft.date_format is not None:
            day = DayColumn(draft.date_column, draft.date_format)
    columns = tuple(dict.fromkeys(name for draft in drafts for name in draft.columns))
    return Settled(columns, drafts[0].key_columns if drafts else (), day, bool(with_rows))


def _day_wish(request: LoadRequest, settled: Settled) -> DayWish:
    column = request.date
    if column is None and settled.has_rows and settled.day is None:
        column = "-"
    return DayWish(column, request.date_format, settled.day)


def _key(request: LoadRequest, settled: Settled) -> tuple[str, ...]:
    if not request.key or not settled.columns:
        return settled.key or request.key
    if sorted(map(same_name, request.key)) != sorted(map(same_name, settled.key)):
        by = f"by {', '.join(settled.key)}" if settled.key else "by their whole content"
        raise SourceKeyDiffers(
            f"The rows of source {request.source} are identified {by}, not by {', '.join(request.key)}.",
            subject=request.source,
            remedy="Leave --key out, or load into a new source.",
        )
    return settled.key


def _draft(
    request: LoadRequest,
    given: _Given,
    staged: Staged,
    standing: _Standing,
    done: FileLoad,
    *,
    key: Sequence[str],
    files: tuple[RunFile, ...],
) -> LoadDraft:
    sheet, records = _table_of(request.options)
    return LoadDraft(
        source=request.source,
        seq=standing.seq,
        artifact_id=given.artifact_id,
        name=given.name,
        sheet=sheet,
        records=records,
        mode=request.mode,
        columns=staged.columns,
        key_columns=tuple(_in_spelling(name, staged.columns) for name in key),
        date_column=staged.day.name if staged.day else None,
        date_format=staged.day.format if staged.day else None,
        counts=done.counts,
        first_day=done.first_day,
        last_day=done.last_day,
        superseded=done.superseded,
        files=files,
    )


def _in_spelling(name: str, columns: Sequence[str]) -> str:
    return next(own for own in columns if same_name(own) == same_name(name))


def _make_run(steps: Steps, seq: int, mode: LoadMode, staged: Staged, key: Sequence[str]) -> None:
    steps.con.execute(
        'create or replace table run as select ?::integer as "load", ?::varchar as mode, ?::varchar as date_column,'
        " ?::varchar as key_columns",
        [seq, mode, staged.day.name if staged.day else None, ", ".join(key)],
    )


def _compare(steps: Steps, request: LoadRequest, given: _Given, staged: Staged, standing: _Standing) -> FileLoad:
    """Hold the rows of the file against those that are current, and say what that comes to."""
    steps.run("current_row")
    rows = steps.run("arriving_row")
    if steps.run("repeated_key"):
        raise _key_not_unique(steps, request, given.name)
    added = steps.run("added_row")
    steps.run("coverage")
    changed = steps.run("changed_row")
    lacking = steps.run("lacking_row")
    superseded = steps.run("superseded_row")
    steps.run("every_row_ends_once")
    first, last, undated = steps.con.sql("select first_day, last_day, undated from coverage").fetchall()[0]
    counts = LoadCounts(rows, added, superseded, staged.refused + staged.rejected, int(undated))
    outcome: LoadOutcome = "loaded" if added or superseded else "nothing_new"
    is_unsettled = lacking > 0 and request.mode == "plain"
    return FileLoad(
        file=given.name,
        outcome="unsettled" if is_unsettled else outcome,
        seq=None if is_unsettled else standing.seq,
        counts=counts,
        changed=changed,
        superseded=_superseded(steps),
        lacking=_lacking(steps, standing.drafts, lacking) if lacking else None,
        first_day=first,
        last_day=last,
        day=staged.day,
        new_columns=staged.new_columns,
        missing_columns=staged.missing_columns,
        notes=staged.notes,
    )


def _superseded(steps: Steps) -> tuple[Superseded, ...]:
    steps.run("superseded_by_load")
    found = steps.con.sql("select load, rows, first_day, last_day from superseded_by_load order by load").fetchall()
    return tuple(
        Superseded(load, rows, first and first.isoformat(), last and last.isoformat())
        for load, rows, first, last in found
    )


def _lacking(steps: Steps, drafts: Sequence[LoadDraft], rows: int) -> Lacking:
    day_count = steps.run("lacking_by_day")
    steps.run("lacking_by_load")
    days = steps.con.sql(f"select day, rows from lacking_by_day order by day limit {_SHOWN_DAYS}").fetchall()
    loads = steps.con.sql("select load, rows from lacking_by_load order by load").fetchall()
    names = {draft.seq: draft.name for draft in drafts}
    return Lacking(rows, tuple(days), day_count, tuple((seq, names[seq], count) for seq, count in loads))


def _write(steps: Steps, counts: LoadCounts) -> tuple[RunFile, ...]:
    """Write the files of the load; one that would hold nothing is left out."""
    files = []
    for name, expected in (("rows", counts.added), ("superseded", counts.superseded), ("rejected", counts.quarantined)):
        if expected:
            rows = steps.run(name)
            with storing(name):
                files.append(measure_file(steps.fact_dir, f"{name}.parquet", row_count=rows))
    return tuple(files)


def _key_not_unique(steps: Steps, request: LoadRequest, file: str) -> KeyNotUnique:
    count, first, last = steps.con.sql(
        "select count(*), arg_min(first_row, first_row), arg_min(last_row, first_row) from repeated_key"
    ).fetchall()[0]
    key = ", ".join(request.key) or "The key"
    return KeyNotUnique(
        f"{key} does not identify a row of {file}: {count:,} values stand in several rows, one of them in rows "
        f"{first:,} and {last:,}.",
        subject=file,
        remedy="Name more columns with --key, or leave it out: then a row is its whole content.",
    )


def _unsettled(done: FileLoad, request: LoadRequest) -> RestatementUnsettled:
    lacking = done.lacking
    assert lacking is not None  # noqa: S101 - unsettled means that it lacks rows
    covered = "rows without a day" if done.first_day is None else f"{done.first_day} to {done.last_day}"
    days = ", ".join(f"{count:,} {'without a day' if day is None else f'on {day}'}" for day, count in lacking.days)
    if lacking.day_count > len(lacking.days):
        days += f" and on {lacking.day_count - len(lacking.days):,} more days"
    loads = ", ".join(f"{name} (load {seq}: {count:,})" for seq, name, count in lacking.loads)
    noun = "row" if lacking.rows == 1 else "rows"
    return RestatementUnsettled(
        f"{done.file} covers {covered}, and lacks {lacking.rows:,} {noun} that source {request.source} has there: "
        f"{days}; from {loads}. Nothing of it was loaded.",
        subject=done.file,
        remedy=f"Say --restate if the file is the new version of those days (the {lacking.rows:,} {noun} are "
        "superseded and stay visible), or --add if it is a part of them (they stay current).",
    )
