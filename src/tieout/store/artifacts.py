"""Received files, each kept once by the digest of its content, with a receipt for each time it came."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from tieout.core.errors import TieoutError
from tieout.store.digest import CHUNK_BYTES, digest_file
from tieout.store.folders import Folders, fsync, storing
from tieout.store.state import State
from tieout.store.tables import artifact, receipt


class FileMissing(TieoutError):
    """No file lies at the path that was named."""

    code = "file_missing"
    http_status = 404


class NotAFile(TieoutError):
    """The path names a folder, a pipe, a socket or a device, not a file."""

    code = "not_a_file"


class FileUnreadable(TieoutError):
    """The file exists and cannot be read."""

    code = "file_unreadable"


class FileTooLarge(TieoutError):
    """The file is larger than the limit; nothing of it was stored."""

    code = "file_too_large"
    http_status = 413


class FileChangedWhileRead(TieoutError):
    """The file was written, cut or replaced while it was being received; nothing of it was stored."""

    code = "file_changed_while_read"
    http_status = 409


class ArtifactUnknown(TieoutError):
    """No file with this digest was received, for this tenant."""

    code = "artifact_unknown"
    http_status = 404


class ArtifactRemoved(TieoutError):
    """The file was received, but its content is no longer kept."""

    code = "artifact_removed"
    http_status = 410


class ArtifactDamaged(TieoutError):
    """The stored content no longer has the digest under which it was stored."""

    code = "artifact_damaged"
    http_status = 500


@dataclass(frozen=True)
class Artifact:
    """A stored content: `artifact_id` is its SHA-256 in hex; `name` is what it was called when received."""

    artifact_id: str
    name: str
    byte_count: int
    path: Path


@dataclass(frozen=True)
class Receipt:
    """One arrival of a file; `seq` grows with each."""

    seq: int
    artifact_id: str
    name: str
    byte_count: int
    received_at: datetime
    received_by: str


@dataclass(frozen=True)
class Artifacts:
    """The received files of one tenant."""

    state: State
    folders: Folders
    tenant: str

    def receive(
        self,
        path: Path,
        *,
        received_by: str,
        received_at: datetime,
        name: str | None = None,
        max_bytes: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        is_settled: bool = True,
    ) -> Artifact:
        """Store the content of `path` once and write a receipt.

        `name` is what the sender calls it (the file's own name by default). `on_progress` gets the bytes read so
        far. With `is_settled` false the content may still be on its way to the disk: call `settle` before anything
        that must last refers to it. May be called from several threads. Raises FileMissing, NotAFile,
        FileUnreadable, FileTooLarge, FileChangedWhileRead and StorageFull; after each of them nothing is stored.
        """
        called = _storable(path.name if name is None else name)
        with _opened(path) as source:
            before = os.fstat(source)
            if max_bytes is not None and before.st_size > max_bytes:
                raise FileTooLarge(
                    f"{called} has {before.st_size:,} bytes; at most {max_bytes:,} are taken.",
                    subject=called,
                    remedy="Send it in parts, or raise TIEOUT_MAX_UPLOAD_BYTES.",
                )
            reading = _Reading(path, source, before, on_progress or _ignore, is_settled=is_settled)
            arrival = _Arrival(called, before.st_size, received_at, received_by)
            # A content of this size may be here already: then one pass that writes nothing settles it.
            is_new = not self._has_size(before.st_size)
            artifact_id = self._keep(reading, arrival, is_new=is_new) or self._keep(reading, arrival, is_new=True)
        assert artifact_id is not None  # noqa: S101 - a content that was copied is always kept
        return Artifact(artifact_id, called, before.st_size, self.folders.artifact(artifact_id))

    def settle(self, artifact_id: str) -> None:
        """Wait until a received content is on the disk.

        Until then a power failure may take it; the file is then shorter than its receipt says, so that receiving it
        again stores it again.
        """
        path = self.folders.artifact(artifact_id)
        with storing(artifact_id):
            fsync(path)
            fsync(path.parent)

    def get(self, artifact_id: str) -> Artifact:
        """Return a received file under the name it had last. Raises ArtifactUnknown and ArtifactRemoved."""
        query = (
            select(artifact.c.removed_us, receipt.c.name, receipt.c.byte_count)
            .join_from(artifact, receipt)
            .where(artifact.c.tenant == self.tenant, artifact.c.artifact_id == artifact_id)
            .where(receipt.c.tenant == self.tenant)
            .order_by(receipt.c.seq.desc())
            .limit(1)
        )
        with self.state.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ArtifactUnknown(
                f"No file with the digest {artifact_id} was received.",
                subject=artifact_id,
                remedy="Check the digest, and TIEOUT_TENANT.",
            )
        path = self.folders.artifact(artifact_id)
        if row.removed_us is not None or not path.exists():
            raise ArtifactRemoved(
                f"{row.name} ({artifact_id}) was received, but its content is no longer kept.",
                subject=artifact_id,
                remedy="Send the file again.",
            )
        return Artifact(artifact_id, row.name, row.byte_count, path)

    def artifact_path(self, artifact_id: str) -> Path:
        """Return where a received content lies. Raises ArtifactUnknown and ArtifactRemoved."""
        return self.get(artifact_id).path

    def verify(self, artifact_id: str) -> Artifact:
        """Read a stored content again and return it if its digest still holds. Raises ArtifactDamaged if not."""
        kept = self.get(artifact_id)
        found = digest_file(kept.path)
        if found != artifact_id:
            raise ArtifactDamaged(
                f"The stored content of {kept.name} was {artifact_id} when received and is {found} now.",
                subject=artifact_id,
                remedy=f"Send the file again after removing {kept.path}, and check the disk.",
            )
        return kept

    def list_receipts(self, *, limit: int = 100, before: int | None = None) -> tuple[Receipt, ...]:
        """Return up to `limit` receipts, latest first; `before` is the `seq` of the last one of the former page."""
        query = select(receipt).where(receipt.c.tenant == self.tenant).order_by(receipt.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(receipt.c.seq < before)
        return self._receipts(query)

    def receipts_of(self, artifact_id: str) -> tuple[Receipt, ...]:
        """Return every receipt of one content, in the order of arrival."""
        return self._receipts(
            select(receipt)
            .where(receipt.c.tenant == self.tenant, receipt.c.artifact_id == artifact_id)
            .order_by(receipt.c.seq)
        )

    def _receipts(self, query: Select[Any]) -> tuple[Receipt, ...]:
        with self.state.reading() as connection:
            return tuple(_receipt(row) for row in connection.execute(query))

    def _has_size(self, byte_count: int) -> bool:
        same = select(artifact.c.artifact_id).where(
            artifact.c.tenant == self.tenant, artifact.c.byte_count == byte_count, artifact.c.removed_us.is_(None)
        )
        with self.state.reading() as connection:
            return connection.execute(same.limit(1)).first() is not None

    def _keep(self, reading: _Reading, arrival: _Arrival, *, is_new: bool) -> str | None:
        """Store what is read and record its arrival; None if it was thought to be here, was not copied, and is not."""
        draft_or_not = _draft(self.folders.incoming) if is_new else nullcontext()
        with storing(arrival.name), draft_or_not as draft:
            artifact_id = reading.digest(copy_to=None if draft is None else draft.fd)
            with self.folders.referring():
                target = self.folders.artifact(artifact_id)
                if not _has_bytes(target, arrival.byte_count):
                    if draft is None:
                        return None
                    draft.place(target)
                self.state.write(lambda connection: self._record(connection, artifact_id, arrival))
        return artifact_id

    def _record(self, connection: Connection, artifact_id: str, arrival: _Arrival) -> None:
        key = {"tenant": self.tenant, "artifact_id": artifact_id}
        known = update(artifact).where(artifact.c.tenant == self.tenant, artifact.c.artifact_id == artifact_id)
        if connection.execute(known.values(removed_us=None)).rowcount == 0:
            connection.execute(insert(artifact).values(**key, byte_count=arrival.byte_count))
        connection.execute(
            insert(receipt).values(
                **key,
                name=arrival.name,
                byte_count=arrival.byte_count,
                received_us=arrival.received_at,
                received_by=arrival.received_by,
            )
        )


@dataclass(frozen=True)
class _Arrival:
    name: str
    byte_count: int
    received_at: datetime
    received_by: str


@dataclass(frozen=True)
class _Reading:
    """A file that is being received: what it was when opened, and passes over its bytes that notice a change."""

    path: Path
    source: int
    before: os.stat_result
    on_progress: Callable[[int], None]
    is_settled: bool

    def digest(self, *, copy_to: int | None) -> str:
        """Return the digest of the file, writing its bytes to `copy_to` (if `is_settled` to the disk)."""
        digest = hashlib.sha256()
        chunks = [memoryview(bytearray(min(CHUNK_BYTES, self.before.st_size) or 1)) for _ in range(2)]
        hashed: list[Future[None] | None] = [None, None]
        offset = 0
        # One chunk is hashed while the next is read and written: 1.7 GB/s against 1.3 one after the other.
        with ThreadPoolExecutor(1) as hasher:
            for turn in cycle((0, 1)):
                if (earlier := hashed[turn]) is not None:
                    earlier.result()
                count = self._read(chunks[turn], offset)
                offset += count
                if count == 0 or offset > self.before.st_size:
                    break
                filled = chunks[turn][:count]
                hashed[turn] = hasher.submit(digest.update, filled)
                if copy_to is not None:
                    _write(copy_to, filled)
                self.on_progress(offset)
        if offset != self.before.st_size or self._is_changed():
            raise FileChangedWhileRead(
                f"{self.path} changed while it was read.",
                subject=str(self.path),
                remedy="Try again when its writer is done, or on a copy.",
            )
        if copy_to is not None and self.is_settled:
            os.fsync(copy_to)
        return digest.hexdigest()

    def _is_changed(self) -> bool:
        try:
            return not (_identity(self.before) == _identity(os.fstat(self.source)) == _identity(self.path.stat()))
        except OSError:
            return True

    def _read(self, chunk: memoryview, offset: int) -> int:
        try:
            return os.preadv(self.source, [chunk], offset)
        except OSError as error:
            raise _unreadable(self.path, error) from error


@dataclass(frozen=True)
class _Draft:
    """A content that is being written; flocked, so that the sweep can tell it from what a dead process left."""

    path: Path
    fd: int

    def place(self, target: Path) -> None:
        """Give the content its final name; one that came at the same time stays, for it may be read already."""
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            fsync(target.parent.parent)
        os.fchmod(self.fd, 0o444)
        try:
            os.link(self.path, target)
        except FileExistsError:
            if not _has_bytes(target, os.fstat(self.fd).st_size):
                self.path.rename(target)
        fsync(target.parent)


@contextmanager
def _draft(folder: Path) -> Iterator[_Draft]:
    fd, name = tempfile.mkstemp(dir=folder)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield _Draft(Path(name), fd)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(fd)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:  # a NUL character in the name
        raise FileMissing(f"{str(path)!r} is no name of a file.", subject=str(path)) from error
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise NotAFile(
                f"{path} is {_kind(mode)}, not a file.", subject=str(path), remedy="Name a file; write it out first."
            )
        yield fd
    finally:
        os.close(fd)


def _write(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]


def _unreadable(path: Path, error: OSError) -> TieoutError:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return FileMissing(f"There is no file {path}.", subject=str(path), remedy="Check the path.")
    if error.errno in {errno.ENXIO, errno.ENODEV}:  # what opening a socket or a device without driver says
        return NotAFile(f"{path} is a socket or a device, not a file.", subject=str(path), remedy="Name a file.")
    return FileUnreadable(
        f"{path} cannot be read: {error.strerror}.", subject=str(path), remedy="Check its permissions and its disk."
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _has_bytes(path: Path, byte_count: int) -> bool:
    try:
        return path.stat().st_size == byte_count
    except FileNotFoundError:
        return False


def _storable(name: str) -> str:
    """Return a name that any database takes: bytes of a file name that are no UTF-8, and NUL, become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def _receipt(row: Row[Any]) -> Receipt:
    return Receipt(row.seq, row.artifact_id, row.name, row.byte_count, row.received_us, row.received_by)


def _ignore(_byte_count: int) -> None:
    pass
