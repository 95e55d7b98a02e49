"""The record of sources: which files were loaded into each, what that changed, and how it stood at any instant."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from tieout.core.errors import TieoutError
from tieout.store.artifacts import Artifacts
from tieout.store.digest import digest_text
from tieout.store.folders import Folders, fsync, storing
from tieout.store.locks import Lock, lock
from tieout.store.runs import RunFile
from tieout.store.state import State
from tieout.store.tables import source, source_load

LoadMode = Literal["plain", "restate", "add"]
"""What the user said of earlier rows on days that a file covers and that it lacks: nothing, they are superseded,
they stay."""

LoadPoint = Literal["files_written", "renamed", "before_commit", "committed"]
"""Where `publish_load` stands: files on the disk; folder in its place; rows written; transaction committed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SourceUnknown(TieoutError):
    """No source has this name, for this tenant."""

    code = "source_unknown"
    http_status = 404


class BadSourceName(TieoutError):
    """A text cannot be the name of a source."""

    code = "bad_source_name"


class SourceMovedOn(TieoutError):
    """Another process changed the source while a file was being loaded into it; nothing was stored."""

    code = "source_moved_on"
    http_status = 409


class LoadFilesGone(TieoutError):
    """The files of a load are not where its record says."""

    code = "load_files_gone"
    http_status = 500


@dataclass(frozen=True)
class Superseded:
    """How many rows of an earlier load a later one superseded, and on which days (ISO; None for rows without one)."""

    load: int
    rows: int
    first_day: str | None
    last_day: str | None


@dataclass(frozen=True)
class LoadCounts:
    """Rows of a load: `rows` of the file without those in quarantine, those `added`, earlier ones `superseded`."""

    rows: int
    added: int
    superseded: int
    quarantined: int
    undated: int

    @property
    def known(self) -> int:
        """Rows of the file that were current before."""
        return self.rows - self.added


@dataclass(frozen=True)
class LoadDraft:
    """All that is recorded of a load before it has its place in the order of time.

    `columns` are the file's, spelt as the source spells them; `files` lists what lies in the folder to publish.
    """

    source: str
    seq: int
    artifact_id: str
    name: str
    sheet: str
    records: str
    mode: LoadMode
    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    date_column: str | None
    date_format: str | None
    counts: LoadCounts
    first_day: date | None
    last_day: date | None
    superseded: tuple[Superseded, ...]
    files: tuple[RunFile, ...]

    def load_id(self, tenant: str) -> str:
        """Return the digest of what identifies the load; it names the folder of its files."""
        identity = {
            "tenant": tenant,
            "source": [self.source, self.seq],
            "file": [self.artifact_id, self.sheet, self.records],
            "files": [[file.name, file.sha256] for file in self.files],
        }
        return digest_text(json.dumps(identity, ensure_ascii=True, sort_keys=True, separators=(",", ":")))


@dataclass(frozen=True)
class SourceLoad:
    """A load as recorded; `undone_at` is None while it counts."""

    draft: LoadDraft
    load_id: str
    loaded_at: datetime
    loaded_by: str
    undone_at: datetime | None
    undone_by: str | None

    @property
    def seq(self) -> int:
        return self.draft.seq

    @property
    def name(self) -> str:
        return self.draft.name

    @property
    def counts(self) -> LoadCounts:
        return self.draft.counts

    def counts_at(self, instant: datetime | None) -> bool:
        """Tell whether the load counted at `instant` (None: now)."""
        if instant is None:
            return self.undone_at is None
        return self.loaded_at <= instant and (self.undone_at is None or self.undone_at > instant)


@dataclass(frozen=True)
class SourceHistory:
    """A source and every load ever made into it, in order, those taken back included."""

    name: str
    created_at: datetime
    loads: tuple[SourceLoad, ...]

    def standing(self, as_of: datetime | None = None) -> tuple[SourceLoad, ...]:
        """Return the loads that counted at `as_of` (None: now), in order."""
        return tuple(one for one in self.loads if one.counts_at(as_of))


@dataclass(frozen=True)
class Sources:
    """The sources of one tenant."""

    state: State
    folders: Folders
    tenant: str

    def list_sources(self) -> tuple[SourceHistory, ...]:
        """Return every source with its loads, in order of name."""
        with self.state.reading() as connection:
            rows = connection.execute(select(source).where(source.c.tenant == self.tenant).order_by(source.c.name))
            created = {row.name: row.created_us for row in rows}
            loads = self._loads(connection, source_load.c.tenant == self.tenant)
        return tuple(
            SourceHistory(name, at, tuple(one for one in loads if one.draft.source == name))
            for name, at in created.items()
        )

    def find_source(self, name: str) -> SourceHistory | None:
        """Return the source of that name with its loads, or None."""
        is_named = (source.c.tenant == self.tenant) & (source.c.name == name)
        with self.state.reading() as connection:
            created = connection.scalar(select(source.c.created_us).where(is_named))
            if created is None:
                return None
            return SourceHistory(name, created, self._loads(connection, self._is_of(name)))

    def get_source(self, name: str) -> SourceHistory:
        """Return the source of that name with its loads. Raises SourceUnknown."""
        found = self.find_source(name)
        if found is None:
            there = ", ".join(one.name for one in self.list_sources()[:20])
            raise SourceUnknown(
                f"There is no source {name!r}.",
                subject=name,
                remedy=f"There are: {there}." if there else f"Make it: tieout load {name} FILE.",
            )
        return found

    def changing(self, name: str, *, on_wait: Callable[[], None] | None = None) -> Lock:
        """Take the lock under which alone a source may be changed; `on_wait` is called once, before waiting."""
        with storing(f"source {name}"):
            return lock(self.folders.source_lock(digest_text(f"{self.tenant}\0{name}")), on_wait=on_wait)

    def publish_load(
        self,
        draft: LoadDraft,
        folder: Path,
        *,
        now: datetime,
        actor: str,
        at: Callable[[LoadPoint], None] = lambda _point: None,
    ) -> SourceLoad:
        """Make the files in `folder` a load of the source; whenever the process dies, it is there whole or not at all.

        The caller holds `changing`. Raises SourceMovedOn, ArtifactRemoved and StorageFull; then nothing is stored.
        """
        load_id = draft.load_id(self.tenant)
        with storing(f"a load of {draft.source}"):
            _seal(folder, draft.files)
        at("files_written")
        with self.folders.referring():
            Artifacts(self.state, self.folders, self.tenant).get(draft.artifact_id)
            with storing(f"a load of {draft.source}"):
                _put_in_place(folder, self.folders.load(load_id))
            at("renamed")

            def record(connection: Connection) -> None:
                self._record(connection, draft, load_id, now, actor)
                at("before_commit")

            self.state.write(record)
        at("committed")
        return self.get_source(draft.source).loads[-1]

    def undo_load(self, name: str, *, now: datetime, actor: str) -> SourceLoad | None:
        """Take back the latest load that counts and return it, or None when none does. Nothing is deleted.

        The caller holds `changing`. Raises SourceUnknown.
        """
        self.get_source(name)

        def undo(connection: Connection) -> int | None:
            standing = [one for one in self._loads(connection, self._is_of(name)) if one.undone_at is None]
            if not standing:
                return None
            seq = standing[-1].seq
            values = {"undone_us": max(now, self._latest_instant(connection, name) or now), "undone_by": actor}
            connection.execute(update(source_load).where(self._is_of(name), source_load.c.seq == seq).values(values))
            return seq

        undone = self.state.write(undo)
        return next((one for one in self.get_source(name).loads if one.seq == undone), None)

    def file_path(self, load: SourceLoad, name: str) -> Path | None:
        """Return where a file of a load lies; None where the load has no such file. Raises LoadFilesGone."""
        listed = {file.name: file for file in load.draft.files}
        if name not in listed:
            return None
        path = self.folders.load(load.load_id) / listed[name].path
        if not path.is_file() or path.stat().st_size != listed[name].byte_count:
            raise LoadFilesGone(
                f"Load {load.seq} of source {load.draft.source} ({load.name}) has lost its file {path}.",
                subject=load.draft.source,
                remedy="Restore the data folder; the received file itself is kept with the artifacts.",
            )
        return path

    def _is_of(self, name: str) -> ColumnElement[bool]:
        return and_(source_load.c.tenant == self.tenant, source_load.c.source == name)

    def _loads(self, connection: Connection, condition: ColumnElement[bool]) -> tuple[SourceLoad, ...]:
        query = select(source_load).where(condition).order_by(source_load.c.source, source_load.c.seq)
        return tuple(_load(row) for row in connection.execute(query))

    def _latest_instant(self, connection: Connection, name: str) -> datetime | None:
        columns = (source_load.c.loaded_us, source_load.c.undone_us)
        query = select(*(func.max(column, type_=column.type) for column in columns)).where(self._is_of(name))
        return max((instant for instant in connection.execute(query).one() if instant is not None), default=None)

    def _record(self, connection: Connection, draft: LoadDraft, load_id: str, now: datetime, actor: str) -> None:
        last = connection.scalar(select(func.max(source_load.c.seq)).where(self._is_of(draft.source))) or 0
        if last != draft.seq - 1:
            raise SourceMovedOn(
                f"Source {draft.source} was changed by another process meanwhile.",
                subject=draft.source,
                remedy="Load the file again.",
            )
        # A clock that went backwards must not rewrite how the source stood before.
        instant = max(now, self._latest_instant(connection, draft.source) or now)
        key = {"tenant": self.tenant, "name": draft.source}
        is_source = and_(source.c.tenant == self.tenant, source.c.name == draft.source)
        if connection.execute(select(source.c.name).where(is_source)).first() is None:
            connection.execute(insert(source).values(**key, created_us=instant))
        connection.execute(
            insert(source_load).values(
                tenant=self.tenant, load_id=load_id, loaded_us=instant, loaded_by=actor, **_values(draft)
            )
        )


def check_source_name(name: str) -> str:
    """Return `name` if it can be one. Raises BadSourceName."""
    if not _NAME.fullmatch(name):
        raise BadSourceName(
            f"{name!r} cannot be the name of a source.",
            subject=name,
            remedy="Use up to 64 letters, digits, dots, dashes and underscores; begin with a letter or digit.",
        )
    return name


def _seal(folder: Path, files: tuple[RunFile, ...]) -> None:
    """Make the files read-only and wait until they and their names are on the disk."""
    for file in files:
        place = folder / file.path
        place.chmod(0o444)
        fsync(place)
    fsync(folder)


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename the folder to its final place; what an attempt that died before its commit left there goes."""
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    fsync(target.parent)


def _values(draft: LoadDraft) -> dict[str, Any]:
    counts = draft.counts
    return {
        "source": draft.source,
        "seq": draft.seq,
        "artifact_id": draft.artifact_id,
        "name": draft.name,
        "sheet": draft.sheet,
        "records": draft.records,
        "mode": draft.mode,
        "columns": list(draft.columns),
        "key_columns": list(draft.key_columns),
        "date_column": draft.date_column,
        "date_format": draft.date_format,
        "row_count": counts.rows,
        "added_count": counts.added,
        "superseded_count": counts.superseded,
        "quarantined_count": counts.quarantined,
        "undated_count": counts.undated,
        "first_day": None if draft.first_day is None else draft.first_day.isoformat(),
        "last_day": None if draft.last_day is None else draft.last_day.isoformat(),
        "superseded": [vars(one) for one in draft.superseded],
        "files": [vars(file) for file in draft.files],
    }


def _load(row: Row[Any]) -> SourceLoad:
    draft = LoadDraft(
        source=row.source,
        seq=row.seq,
        artifact_id=row.artifact_id,
        name=row.name,
        sheet=row.sheet,
        records=row.records,
        mode=row.mode,
        columns=tuple(row.columns),
        key_columns=tuple(row.key_columns),
        date_column=row.date_column,
        date_format=row.date_format,
        counts=LoadCounts(
            row.row_count, row.added_count, row.superseded_count, row.quarantined_count, row.undated_count
        ),
        first_day=_day(row.first_day),
        last_day=_day(row.last_day),
        superseded=tuple(Superseded(**one) for one in row.superseded),
        files=tuple(_file(one) for one in row.files),
    )
    return SourceLoad(draft, row.load_id, row.loaded_us, row.loaded_by, row.undone_us, row.undone_by)


def _file(recorded: Mapping[str, Any]) -> RunFile:
    return RunFile(**recorded)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
