"""An append-only log as tiles on disk, laid out as c2sp.org/tlog-tiles says, so that a proof reads a handful of files.

A tile holds up to 256 hashes, end to end: of leaves at level 0, and above it of full tiles of the level below. Beside
the tiles lies `checkpoint`, the signed note that says how many leaves there are. It alone decides: what lies beyond it
is of a writer that died, no reader looks at it, and the next writer writes it anew. A file within it is never changed.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Self

from tieout.core.errors import TieoutError
from tieout.proofs import bulk, merkle
from tieout.proofs.merkle import HASH_BYTES
from tieout.proofs.notes import Checkpoint, NoteMalformed, parse_checkpoint
from tieout.store.folders import fsync, storing
from tieout.store.locks import try_lock

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
CHECKPOINT = "checkpoint"

_DRAFT = "checkpoint.draft"
_LOCK = "writer.lock"
_CHUNK_BYTES = 1 << 25  # a million leaves are hashed and written at a time
_CACHED_TILES = 64
_TILE_PATH = re.compile(r"tile/([0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_FEW_FILES = 64
"""Up to so many new files are waited for one by one; more are quicker waited for with the whole file system."""


class LogDamaged(TieoutError):
    """A file of a log is missing, cut or changed; `subject` is its path."""

    code = "log_damaged"
    http_status = 500


class LogOfAnotherOrigin(TieoutError):
    """The checkpoint in the folder of a log names another log."""

    code = "log_of_another_origin"
    http_status = 409


class LogHasWriter(TieoutError):
    """Another process is appending to the log."""

    code = "log_has_writer"
    http_status = 409


class LogSizeUnexpected(TieoutError):
    """A log has another number of leaves than whoever appends to it, or publishes it, knows of."""

    code = "log_size_unexpected"
    http_status = 409


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Return where a tile lies below the folder of its log: `tile/0/x001/234`, of width 17 `tile/0/x001/234.p/17`."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *upper, last = (digits[place : place + 3] for place in range(0, len(digits), 3))
    name = "/".join(["tile", str(level), *(f"x{part}" for part in upper), last])
    return name if width == TILE_WIDTH else f"{name}.p/{width}"


def parse_tile_path(path: str) -> tuple[int, int, int] | None:
    """Return (level, number, width) of the tile that `tile_path` says lies at `path`; None where none does."""
    found = _TILE_PATH.fullmatch(path)
    if found is None:
        return None
    level, number, width = int(found[1]), int(found[2].replace("x", "").replace("/", "")), int(found[3] or TILE_WIDTH)
    return (level, number, width) if width <= TILE_WIDTH and tile_path(level, number, width) == path else None


def list_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, number, width) of every tile of a log of `size` leaves, level by level."""
    level = 0
    while size:
        for number in range(size // TILE_WIDTH):
            yield level, number, TILE_WIDTH
        if size % TILE_WIDTH:
            yield level, size // TILE_WIDTH, size % TILE_WIDTH
        level, size = level + 1, size // TILE_WIDTH


class TileLog:
    """A log as its checkpoint says it is. What it reads is not verified here: a proof shows whether it is right."""

    def __init__(self, folder: Path, origin: str, size: int, note: str) -> None:
        self.folder = folder
        self.origin = origin
        self.size = size
        """How many leaves the checkpoint covers."""
        self.note = note
        """The checkpoint with its signatures; empty where none was published."""
        self._cached = lru_cache(_CACHED_TILES)(self.read_tile)

    @classmethod
    def open(cls, folder: Path, origin: str) -> Self:
        """Open the log in `folder`, which may not exist yet. Raises LogDamaged and LogOfAnotherOrigin."""
        note, size = _read_checkpoint(folder, origin)
        return cls(folder, origin, size, note)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves, of all by default."""
        return merkle.root(0, self._within(size), self.node)

    def leaf(self, index: int) -> bytes:
        """Return the hash of a leaf."""
        self._within(index + 1)
        return self.node(0, index)

    def leaves(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the hashes of the leaves [start, end), end to end, a tile or less at a time."""
        end = self._within(end)
        while start < end:
            number, first = divmod(start, TILE_WIDTH)
            last = min(end - number * TILE_WIDTH, TILE_WIDTH)
            yield self._cached(0, number)[first * HASH_BYTES : last * HASH_BYTES]
            start = number * TILE_WIDTH + last

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that leaf `index` is among the first `size` leaves."""
        return merkle.inclusion(index, self._within(size), self.node)

    def consistency(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the first `size` leaves begin with the first `old_size`."""
        return merkle.consistency(old_size, self._within(size), self.node)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a node that lies within the log."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, place = divmod(index << height, TILE_WIDTH)
        tile = self._cached(tile_level, number)
        return merkle.root_of(tile[place * HASH_BYTES : (place + (1 << height)) * HASH_BYTES])

    def find_tile(self, level: int, number: int, width: int) -> bytes | None:
        """Return the first `width` hashes of a tile; None where the log has not as many. Raises LogDamaged."""
        has = (self.size >> level * TILE_HEIGHT) - number * TILE_WIDTH
        return self.read_tile(level, number)[: width * HASH_BYTES] if width <= has else None

    def read_tile(self, level: int, number: int) -> bytes:
        """Return the hashes of a tile, as many as belong to the log. Raises LogDamaged."""
        width = min((self.size >> level * TILE_HEIGHT) - number * TILE_WIDTH, TILE_WIDTH)
        path = self.folder / tile_path(level, number, width)
        try:
            content, expected = path.read_bytes(), width * HASH_BYTES
        except FileNotFoundError:
            # A narrow tile may go once the tile is full, which another writer may have made it meanwhile.
            content, expected = _read_or_empty(self.folder / tile_path(level, number)), TILE_BYTES
        except OSError as error:
            raise _damaged(path, f"cannot be read: {error.strerror}") from error
        if len(content) != expected:
            found = f"has {len(content):,} bytes, not {expected:,}" if content else "is missing or empty"
            raise _damaged(path, found)
        return content[: width * HASH_BYTES]

    @contextmanager
    def writing(self, at_size: int | None = None) -> Iterator[LogWriter]:
        """Give what appends to the log, as the one writer of it; what it does not publish is forgotten.

        With `at_size` the log must have this many leaves: a checkpoint that was lost or put back would otherwise start
        another history. Raises LogHasWriter and LogSizeUnexpected.
        """
        with storing(f"the log {self.origin}"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = try_lock(self.folder / _LOCK)
        if held is None:
            raise LogHasWriter(
                f"Another process is appending to the log {self.origin}.",
                subject=self.origin,
                remedy="Try again when it is done.",
            )
        with held:
            writer = LogWriter.open(self.folder, self.origin)
            if at_size is not None and writer.size != at_size:
                raise LogSizeUnexpected(
                    f"The log {self.origin} has {writer.size:,} leaves on disk, and {at_size:,} are known of.",
                    subject=str(self.folder / CHECKPOINT),
                    remedy="Verify the log; put its folder back from a backup if leaves were lost.",
                )
            try:
                yield writer
            finally:  # what was published stays so, whatever happened after it
                self.size, self.note = writer.published, writer.note
                self._cached.cache_clear()

    def _within(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise LogSizeUnexpected(
                f"The log {self.origin} has {self.size:,} leaves; {size:,} were asked for.", subject=self.origin
            )
        return size


class LogWriter(TileLog):
    """A log to which one process appends; `size` grows with each leaf, `published` when a checkpoint is published."""

    def __init__(self, folder: Path, origin: str, size: int, note: str) -> None:
        super().__init__(folder, origin, size, note)
        self.published = size
        self._edge = self._read_edge()
        """The hashes of the tile at the right end of each level, less than 256."""
        self._new: list[Path] = []
        self._made: set[Path] = set()

    def append(self, leaf_hashes: bytes | Iterable[bytes]) -> range:
        """Append leaves by their hashes, 32 bytes each, end to end or in pieces; return their indices.

        They count only once a checkpoint of them is published.
        """
        first = self.size
        for chunk in _chunks(leaf_hashes):
            with storing(f"the log {self.origin}"):
                self._append(chunk)
        return range(first, self.size)

    def publish(self, note: str) -> None:
        """Make `note`, a checkpoint of the log as it is now, its checkpoint; all is on the disk when this returns.

        A note of the same leaves with other signatures takes the place of the one before.
        """
        said = parse_checkpoint(note)
        found = Checkpoint(self.origin, self.size, self.root())
        if (said.origin, said.size, said.root) != (found.origin, found.size, found.root):
            raise LogSizeUnexpected(
                f"The checkpoint to publish says {said.size:,} leaves of {said.origin}; the log {self.origin} has "
                f"{self.size:,}, or another root.",
                subject=self.origin,
            )
        with storing(f"the log {self.origin}"):
            self._write_edge()
            self._wait_for_disk()
            draft = self.folder / _DRAFT
            _write(draft, note.encode())
            fsync(draft)
            draft.replace(self.folder / CHECKPOINT)
            fsync(self.folder)
            self._remove_filled()
        self.published, self.note = self.size, note
        self._new.clear()

    def read_tile(self, level: int, number: int) -> bytes:
        """Return the hashes of a tile, also of one that is not full and was not written yet."""
        if level < len(self._edge) and number == self.size >> (level + 1) * TILE_HEIGHT:
            return bytes(self._edge[level])
        return super().read_tile(level, number)

    def _read_edge(self) -> list[bytes]:
        edge: list[bytes] = []
        count = self.size
        while count:
            level, number = len(edge), count // TILE_WIDTH
            edge.append(super().read_tile(level, number) if count % TILE_WIDTH else b"")
            count = number
        return edge

    def _append(self, hashes: bytes) -> None:
        """Write the tiles that `hashes` fill, and hand the hashes of those to the level above."""
        level, count = 0, self.size
        self.size += len(hashes) // HASH_BYTES
        while hashes:
            if level == len(self._edge):
                self._edge.append(b"")
            hashes = self._edge[level] + hashes
            full = len(hashes) - len(hashes) % TILE_BYTES
            for place in range(0, full, TILE_BYTES):
                self._write_tile(
                    tile_path(level, count // TILE_WIDTH + place // TILE_BYTES), hashes[place : place + TILE_BYTES]
                )
            self._edge[level] = hashes[full:]
            hashes = hashes[:full]
            for _ in range(TILE_HEIGHT):
                hashes = bulk.hash_pairs(hashes)
            level, count = level + 1, count // TILE_WIDTH
        self._cached.cache_clear()

    def _write_edge(self) -> None:
        for level, tile in enumerate(self._edge):
            size, published = (count >> level * TILE_HEIGHT for count in (self.size, self.published))
            if tile and size != published:
                self._remove_unpublished(level, size // TILE_WIDTH)
                self._write_tile(tile_path(level, size // TILE_WIDTH, size % TILE_WIDTH), tile)

    def _remove_unpublished(self, level: int, number: int) -> None:
        """Remove the narrow forms of a tile that a writer made which died before it published."""
        published = (self.published >> level * TILE_HEIGHT) - number * TILE_WIDTH
        for path in narrow_forms(self.folder, level, number):
            if int(path.name) > published:
                path.unlink()

    def _write_tile(self, name: str, content: bytes) -> None:
        # Not beside and renamed: no checkpoint covers the file yet, so that nobody reads it before it is whole.
        path = self.folder / name
        if path.parent not in self._made:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._made.add(path.parent)
        _write(path, content)
        self._new.append(path)

    def _wait_for_disk(self) -> None:
        if len(self._new) > _FEW_FILES:
            _sync_file_system(self.folder)
            return
        for path in self._new:
            fsync(path)
        names = {folder for path in self._new for folder in path.parents if folder.is_relative_to(self.folder)}
        for folder in sorted(names):
            fsync(folder)

    def _remove_filled(self) -> None:
        """Remove the narrow forms of tiles that are full now."""
        for level in range(len(self._edge)):
            before, now = (count >> level * TILE_HEIGHT for count in (self.published, self.size))
            number = before // TILE_WIDTH
            forms = narrow_forms(self.folder, level, number) if number < now // TILE_WIDTH else []
            for path in forms:
                path.unlink()
            if forms:
                forms[0].parent.rmdir()


def first_difference(ours: TileLog, theirs: TileLog) -> int | None:
    """Return the first leaf in which two logs differ, of those that both have; None where one begins with the other."""
    for level, index in merkle.largest_nodes(0, min(ours.size, theirs.size)):
        if ours.node(level, index) == theirs.node(level, index):
            continue
        place = index
        for lower in reversed(range(level)):
            place *= 2
            if ours.node(lower, place) == theirs.node(lower, place):
                place += 1
        return place
    return None


def narrow_forms(folder: Path, level: int, number: int) -> list[Path]:
    """Return the files of a tile from when it was not full, the narrowest first."""
    found = (folder / f"{tile_path(level, number)}.p").glob("*")
    return sorted((path for path in found if path.name.isdecimal()), key=lambda path: int(path.name))


def _read_checkpoint(folder: Path, origin: str) -> tuple[str, int]:
    path = folder / CHECKPOINT
    try:
        note = path.read_bytes()
    except FileNotFoundError:
        return "", 0
    try:
        said = parse_checkpoint(note)
    except NoteMalformed as error:
        raise _damaged(path, f"is no checkpoint ({error.what})") from error
    if said.origin != origin:
        raise LogOfAnotherOrigin(
            f"The folder {folder} holds the log {said.origin}, not {origin}.",
            subject=str(path),
            remedy="Put the folder of each log back where it was.",
        )
    return note.decode(), said.size


def _chunks(leaf_hashes: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole hashes end to end, up to a million at a time."""
    pending = bytearray()
    for piece in [leaf_hashes] if isinstance(leaf_hashes, bytes | bytearray | memoryview) else leaf_hashes:
        if len(piece) % HASH_BYTES:
            raise ValueError(f"{len(piece)} bytes are not a whole number of hashes of {HASH_BYTES}")
        view = memoryview(piece)
        while view:
            taken = view[: _CHUNK_BYTES - len(pending)]
            pending += taken
            view = view[len(taken) :]
            if len(pending) == _CHUNK_BYTES:
                yield bytes(pending)
                pending.clear()
    if pending:
        yield bytes(pending)


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def _sync_file_system(folder: Path) -> None:
    """Wait until all that was written to the file system of `folder` is on the disk: 0.1 s where 4,000 files take 4."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:  # not Linux
            os.sync()
        elif syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(fd)


def _read_or_empty(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _damaged(path: Path, found: str) -> LogDamaged:
    return LogDamaged(
        f"The file {path} of the log {found}.",
        subject=str(path),
        remedy="Put it back from a backup; `tieout proofs verify` names what else is damaged.",
    )
