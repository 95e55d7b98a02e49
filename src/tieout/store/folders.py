"""The data folder: where received files and runs lie, and which state database they belong to."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert, select

from tieout.core.errors import TieoutError
from tieout.store.locks import Lock, lock, try_lock_existing
from tieout.store.state import State
from tieout.store.tables import data_folder

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DataFolderUnusable(TieoutError):
    """The data folder cannot be made or written."""

    code = "data_folder_unusable"


class StorageFull(TieoutError):
    """The disk, the quota or the limit on file sizes left no room; nothing half-written was kept."""

    code = "storage_full"
    http_status = 507


class DataFolderOfAnotherState(TieoutError):
    """The data folder holds files that another state database lists."""

    code = "data_folder_of_another_state"


@dataclass(frozen=True)
class Folders:
    """The layout below the data folder."""

    data_dir: Path

    @property
    def mark(self) -> Path:
        return self.data_dir / "folder-id"

    @property
    def artifacts(self) -> Path:
        return self.data_dir / "artifacts"

    @property
    def incoming(self) -> Path:
        return self.data_dir / "incoming"

    @property
    def runs(self) -> Path:
        return self.data_dir / "runs"

    @property
    def loads(self) -> Path:
        return self.data_dir / "loads"

    @property
    def work(self) -> Path:
        return self.data_dir / "work"

    @property
    def locks(self) -> Path:
        return self.data_dir / "locks"

    def artifact(self, artifact_id: str) -> Path:
        """Return where the content with this digest lies."""
        return self.artifacts / artifact_id[:2] / artifact_id

    def run(self, run_id: str) -> Path:
        """Return where the published files of a run lie."""
        return self.runs / run_id

    def work_of(self, run_id: str) -> Path:
        """Return where a run that is not published yet writes."""
        return self.work / run_id

    def run_lock(self, run_id: str) -> Path:
        """Return the lock that whoever computes, drops or sweeps this run must hold."""
        return self.locks / f"run-{run_id}"

    def load(self, load_id: str) -> Path:
        """Return where the rows that one file brought into a source lie."""
        return self.loads / load_id

    def source_lock(self, source_id: str) -> Path:
        """Return the lock that whoever changes this source must hold."""
        return self.locks / f"source-{source_id}"

    def gathered(self, tenant: str, book: str) -> Path:
        """Return where files lie that gather what a tenant's current runs say: derived, and made anew when missing."""
        return self.data_dir / "gathered" / tenant / book

    @contextmanager
    def scratch(self, purpose: str) -> Iterator[Path]:
        """Give an empty folder beside the others for one piece of work, and remove it afterwards.

        It is locked, so that the sweep can tell it from what a dead process left.
        """
        with storing("scratch files"):
            held = None
            while held is None:  # the sweep may take a folder before it is locked
                folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.incoming))
                held = try_lock_existing(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            held.close()

    def referring(self) -> Lock:
        """Take the shared lock of those who are about to refer to an artifact or a load: none is removed meanwhile."""
        return lock(self.locks / "artifacts", shared=True)

    def removing(self) -> Lock:
        """Take the exclusive lock under which an artifact or a load that nothing refers to may be removed."""
        return lock(self.locks / "artifacts")

    def make(self) -> None:
        """Make the folders that are missing, readable by their owner alone. Raises DataFolderUnusable."""
        with storing("the layout of the data folder"):
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.artifacts, self.incoming, self.runs, self.loads, self.work, self.locks):
                folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def storing(subject: str) -> Iterator[None]:
    """Turn what the system says about a failed write below the data folder into StorageFull or DataFolderUnusable."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(
                f"There is no room to store {subject}: {error.strerror}.",
                subject=subject,
                remedy="Make room on the disk of the data folder, or set TIEOUT_DATA_DIR to a folder on another.",
            ) from error
        raise DataFolderUnusable(
            f"The data folder failed while storing {subject}: {error}.",
            subject=subject,
            remedy="Check TIEOUT_DATA_DIR and its permissions.",
        ) from error


def bind_folder(state: State, folders: Folders, *, now: datetime) -> None:
    """Tie the data folder to the state database at first use, and refuse one that is tied to another.

    Without this, a sweep under the wrong TIEOUT_STATE would find nothing referenced and remove everything.
    """
    if not folders.mark.exists():
        with storing("the mark of the data folder"):
            _write_mark(state, folders.mark, now)
    check_folder(state, folders)


def check_folder(state: State, folders: Folders) -> None:
    """Raise DataFolderOfAnotherState unless the data folder is tied to this state database."""
    folder_id = folders.mark.read_text(encoding="ascii") if folders.mark.exists() else ""
    with state.reading() as connection:
        found = connection.scalar(select(data_folder.c.folder_id).where(data_folder.c.folder_id == folder_id))
    if found is None:
        raise DataFolderOfAnotherState(
            f"The data folder {folders.data_dir} belongs to another state database than {state.address}.",
            subject=str(folders.data_dir),
            remedy=f"Set TIEOUT_STATE or TIEOUT_DATA_DIR to the pair that belongs together; if that database is lost, "
            f"remove {folders.mark} to go on with this one.",
        )


def _write_mark(state: State, mark: Path, now: datetime) -> None:
    folder_id = secrets.token_hex(16)
    # The row comes first: a mark without a row would lock its owner out.
    state.write(
        lambda connection: connection.execute(insert(data_folder).values(folder_id=folder_id, first_used_us=now))
    )
    draft = mark.with_name(f"{mark.name}.{folder_id}")
    draft.write_text(folder_id, encoding="ascii")
    fsync(draft)
    try:
        os.link(draft, mark)  # fails where another process was first; then its mark holds
        fsync(mark.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def fsync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
