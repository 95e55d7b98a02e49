"""The record of runs: what went in, what came out, and which run a window points to, now or at any instant before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, select

from tieout.core.cursors import BadCursor
from tieout.core.errors import TieoutError
from tieout.store.digest import digest_file, digest_text
from tieout.store.folders import Folders
from tieout.store.state import State
from tieout.store.tables import publication, run, run_file, run_input

RunStatus = Literal["running", "published", "failed", "superseded"]

_MAX_LISTED = 10


class RunUnknown(TieoutError):
    """No run has this id, for this tenant."""

    code = "run_unknown"
    http_status = 404


class RunAmbiguous(TieoutError):
    """The beginning of a run's id fits several runs."""

    code = "run_ambiguous"


class RunFilesGone(TieoutError):
    """The run is on record, but its files are not kept: retention dropped them, or it never published any."""

    code = "run_files_gone"
    http_status = 410


class RunOfAnotherBook(TieoutError):
    """What was asked for is told of the runs of one book, and the run is of another."""

    code = "run_of_another_book"
    http_status = 409


@dataclass(frozen=True)
class Window:
    """What a run is about: the period `window` of one leg of a book. It points to at most one run at a time."""

    book: str
    leg: str
    window: str

    def __str__(self) -> str:
        return f"{self.book}/{self.leg}/{self.window}"


@dataclass(frozen=True)
class RunInput:
    """A file that a run reads: on which side, under which name, with which content."""

    side: str
    name: str
    artifact_id: str


@dataclass(frozen=True)
class RunRequest:
    """All that a run depends on. Two equal requests give the same bytes, and so are the same run.

    `config` is the plan as TOML; `engine_versions` names each engine whose version can change an output's bytes.
    """

    window: Window
    inputs: tuple[RunInput, ...]
    config: str
    code_version: str
    code_digest: str
    engine_versions: Mapping[str, str]

    @property
    def config_digest(self) -> str:
        return digest_text(self.config)

    def run_id(self, tenant: str) -> str:
        """Return the id of the run: the digest of everything that it depends on, 64 hex digits."""
        identity = {
            "tenant": tenant,
            "window": [self.window.book, self.window.leg, self.window.window],
            "inputs": [[given.side, given.name, given.artifact_id] for given in self.inputs],
            "config": self.config_digest,
            "code": [self.code_version, self.code_digest],
            "engines": sorted(self.engine_versions.items()),
        }
        return digest_text(json.dumps(identity, ensure_ascii=True, sort_keys=True, separators=(",", ":")))


@dataclass(frozen=True)
class RunFile:
    """A file of a run. `path` is relative to the folder of the run; `row_count` is None where it is no table."""

    name: str
    path: str
    row_count: int | None
    byte_count: int
    sha256: str


@dataclass(frozen=True)
class Run:
    """A run as recorded. `steps` are what the engine gave for each step, in order: rows, seconds and digest."""

    run_id: str
    window: Window
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    failure: str | None
    code_version: str
    code_digest: str
    config_digest: str
    config: str
    engine_versions: Mapping[str, str]
    inputs: tuple[RunInput, ...]
    files: tuple[RunFile, ...]
    steps: tuple[Mapping[str, Any], ...]
    summary: Mapping[str, Any] | None
    files_dropped_at: datetime | None

    @property
    def is_published(self) -> bool:
        """Tell whether it was ever published: its outputs are on record, even if another run took its place."""
        return self.status in {"published", "superseded"}

    @property
    def request(self) -> RunRequest:
        return RunRequest(
            self.window, self.inputs, self.config, self.code_version, self.code_digest, self.engine_versions
        )


@dataclass(frozen=True)
class Publication:
    """A stretch of time in which a window pointed to a run; `superseded_at` is None for the current one."""

    seq: int
    window: Window
    run_id: str
    published_at: datetime
    superseded_at: datetime | None


@dataclass(frozen=True)
class RunPage:
    """Some runs, latest start first, and the cursor of the next page (None on the last)."""

    runs: tuple[Run, ...]
    next: str | None


@dataclass(frozen=True)
class Runs:
    """The runs of one tenant."""

    state: State
    folders: Folders
    tenant: str

    def get_run(self, run_id: str) -> Run:
        """Return the run with this full id. Raises RunUnknown."""
        with self.state.reading() as connection:
            found = load_run(connection, self.tenant, run_id)
        if found is None:
            raise _unknown(run_id)
        return found

    def find_run(self, prefix: str, *, book: str | None = None) -> Run:
        """Return the one run whose id begins with `prefix`, and is of `book` where one is named.

        Raises RunUnknown, RunAmbiguous listing the runs, and RunOfAnotherBook.
        """
        wanted = prefix.strip().lower()
        if not wanted:
            raise _unknown(prefix)
        ids = (
            select(run.c.run_id)
            .where(run.c.tenant == self.tenant, run.c.run_id.startswith(wanted, autoescape=True))
            .order_by(run.c.run_id)
            .limit(_MAX_LISTED + 1)
        )
        with self.state.reading() as connection:
            found = _load_runs(connection, self.tenant, connection.scalars(ids).all())
        if not found:
            raise _unknown(prefix)
        if len(found) > 1:
            raise _ambiguous(prefix, found)
        if book is not None and found[0].window.book != book:
            raise RunOfAnotherBook(
                f"Run {found[0].run_id[:12]} is of {found[0].window}, and not of the book {book}.",
                subject=found[0].run_id,
                remedy="`tieout runs` lists the runs with their books.",
            )
        return found[0]

    def list_runs(
        self,
        *,
        window: Window | None = None,
        status: RunStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> RunPage:
        """Return up to `limit` runs, latest start first; `cursor` is what the former page gave as `next`."""
        query = (
            select(run.c.run_id)
            .where(run.c.tenant == self.tenant)
            .order_by(run.c.started_us.desc(), run.c.run_id.desc())
            .limit(limit + 1)
        )
        if window is not None:
            query = query.where(is_window(run, self.tenant, window))
        if status is not None:
            query = query.where(run.c.status == status)
        if cursor is not None:
            query = query.where(_is_after(cursor))
        with self.state.reading() as connection:
            ids = connection.scalars(query).all()
            runs = _load_runs(connection, self.tenant, ids[:limit])
        return RunPage(runs, _cursor(runs[-1]) if len(ids) > limit and runs else None)

    def current_run(self, window: Window) -> Run | None:
        """Return the run that the window points to, or None if none was published."""
        return self._pointed_to(is_current(self.tenant, window))

    def run_as_of(self, window: Window, instant: datetime) -> Run | None:
        """Return the run that the window pointed to at `instant`, or None if none was published by then."""
        # Publications follow each other without a gap and in order, so the last one by then was still in force.
        is_by_then = publication.c.published_us <= instant
        return self._pointed_to(and_(is_window(publication, self.tenant, window), is_by_then))

    def publications(self, window: Window) -> tuple[Publication, ...]:
        """Return every run that the window ever pointed to, oldest first."""
        query = select(publication).where(is_window(publication, self.tenant, window)).order_by(publication.c.seq)
        with self.state.reading() as connection:
            return tuple(_publication(row) for row in connection.execute(query))

    def list_windows(self) -> tuple[Window, ...]:
        """Return every window that ever pointed to a run, in order of name."""
        query = (
            select(publication.c.book, publication.c.leg, publication.c.window)
            .where(publication.c.tenant == self.tenant)
            .distinct()
            .order_by(publication.c.book, publication.c.leg, publication.c.window)
        )
        with self.state.reading() as connection:
            return tuple(Window(*row) for row in connection.execute(query))

    def list_current(self, book: str, leg: str) -> tuple[Run, ...]:
        """Return the run that each window of a leg points to, in order of the windows' names."""
        query = (
            select(publication.c.run_id)
            .where(
                publication.c.tenant == self.tenant,
                publication.c.book == book,
                publication.c.leg == leg,
                publication.c.superseded_us.is_(None),
            )
            .order_by(publication.c.window)
        )
        with self.state.reading() as connection:
            return _load_runs(connection, self.tenant, connection.scalars(query).all())

    def file_path(self, of: Run, name: str) -> Path:
        """Return where a published file of a run lies. Raises RunFilesGone and KeyError for a name it never had."""
        if not of.is_published or of.files_dropped_at is not None:
            raise RunFilesGone(
                f"The files of run {of.run_id} are not kept.",
                subject=of.run_id,
                remedy="Run it again: the same inputs give the same files.",
            )
        paths = {file.name: file.path for file in of.files}
        return self.folders.run(of.run_id) / paths[name]

    def damaged_files(self, of: Run) -> tuple[str, ...]:
        """Read the published files of a run again and return the names of those that are not what was published."""
        return tuple(file.name for file in of.files if not _is_intact(self.file_path(of, file.name), file))

    def _pointed_to(self, condition: ColumnElement[bool]) -> Run | None:
        query = select(publication.c.run_id).where(condition).order_by(publication.c.seq.desc()).limit(1)
        with self.state.reading() as connection:
            run_id = connection.scalar(query)
            return None if run_id is None else load_run(connection, self.tenant, run_id)


def measure_file(
    folder: Path, path: str, *, row_count: int | None = None, name: str | None = None, sha256: str | None = None
) -> RunFile:
    """Return what is to be recorded of a written file: its size and digest, which who knows it gives.

    `name` is the stem by default.
    """
    place = folder / path
    return RunFile(name or place.stem, path, row_count, place.stat().st_size, sha256 or digest_file(place))


def is_window(table: Table, tenant: str, window: Window) -> ColumnElement[bool]:
    """Return the condition that a row of `run` or `publication` is about this window of this tenant."""
    return and_(
        table.c.tenant == tenant,
        table.c.book == window.book,
        table.c.leg == window.leg,
        table.c.window == window.window,
    )


def is_current(tenant: str, window: Window) -> ColumnElement[bool]:
    """Return the condition that a row of `publication` is what the window points to now."""
    return and_(is_window(publication, tenant, window), publication.c.superseded_us.is_(None))


def is_run(table: Table, tenant: str, run_id: str) -> ColumnElement[bool]:
    """Return the condition that a row belongs to this run of this tenant."""
    return and_(table.c.tenant == tenant, table.c.run_id == run_id)


def load_run(connection: Connection, tenant: str, run_id: str) -> Run | None:
    """Return the run with this id, or None."""
    found = _load_runs(connection, tenant, [run_id])
    return found[0] if found else None


def _load_runs(connection: Connection, tenant: str, run_ids: Iterable[str]) -> tuple[Run, ...]:
    """Return the runs with these ids in this order, with their inputs and files: three queries however many."""
    ids = list(run_ids)
    rows = {row.run_id: row for row in _rows_of(connection, run, tenant, ids)}
    inputs: dict[str, list[RunInput]] = {run_id: [] for run_id in rows}
    for row in sorted(_rows_of(connection, run_input, tenant, ids), key=lambda row: row.position):
        inputs[row.run_id].append(RunInput(row.side, row.name, row.artifact_id))
    files: dict[str, list[RunFile]] = {run_id: [] for run_id in rows}
    for row in sorted(_rows_of(connection, run_file, tenant, ids), key=lambda row: str(row.name)):
        files[row.run_id].append(RunFile(row.name, row.path, row.row_count, row.byte_count, row.sha256))
    return tuple(_run(rows[one], inputs[one], files[one]) for one in ids if one in rows)


def _rows_of(connection: Connection, table: Table, tenant: str, run_ids: list[str]) -> Iterable[Row[Any]]:
    return connection.execute(select(table).where(table.c.tenant == tenant, table.c.run_id.in_(run_ids)))


def _run(row: Row[Any], inputs: list[RunInput], files: list[RunFile]) -> Run:
    return Run(
        run_id=row.run_id,
        window=Window(row.book, row.leg, row.window),
        status=row.status,
        started_at=row.started_us,
        finished_at=row.finished_us,
        failure=row.failure,
        code_version=row.code_version,
        code_digest=row.code_digest,
        config_digest=row.config_digest,
        config=row.config,
        engine_versions=row.engine_versions,
        inputs=tuple(inputs),
        files=tuple(files),
        steps=tuple(row.steps),
        summary=row.summary,
        files_dropped_at=row.files_dropped_us,
    )


def _publication(row: Row[Any]) -> Publication:
    return Publication(row.seq, Window(row.book, row.leg, row.window), row.run_id, row.published_us, row.superseded_us)


def _is_intact(path: Path, file: RunFile) -> bool:
    return path.is_file() and path.stat().st_size == file.byte_count and digest_file(path) == file.sha256


def _cursor(last: Run) -> str:
    return f"{last.started_at.astimezone(UTC).isoformat()}_{last.run_id}"


def _is_after(cursor: str) -> ColumnElement[bool]:
    started, _, run_id = cursor.partition("_")
    try:
        started_at = datetime.fromisoformat(started)
    except ValueError:
        started_at = None
    if started_at is None or started_at.tzinfo is None or not run_id:
        raise BadCursor(
            f"{cursor!r} is no place in the list of runs.", subject=cursor, remedy="Begin again without a cursor."
        )
    return or_(
        run.c.started_us < started_at,
        and_(run.c.started_us == started_at, run.c.run_id < run_id),
    )


def _unknown(run_id: str) -> RunUnknown:
    return RunUnknown(f"There is no run {run_id!r}.", subject=run_id, remedy="tieout runs lists the runs there are.")


def _ambiguous(prefix: str, found: tuple[Run, ...]) -> RunAmbiguous:
    shown = "; ".join(f"{one.run_id} of {one.window}, {one.status}" for one in found[:_MAX_LISTED])
    more = " and more" if len(found) > _MAX_LISTED else ""
    return RunAmbiguous(f"{prefix!r} begins several runs: {shown}{more}.", subject=prefix, remedy="Give more digits.")
