"""Which files of a log are damaged: every tile is read and held against the others and the checkpoint.

The tiles say everything twice: each hash above level 0 is that of a full tile below it. So a tile that is wrong is told
from the one above it or below it, as long as the root that was signed follows from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tieout.proofs import bulk, merkle
from tieout.proofs.merkle import HASH_BYTES
from tieout.proofs.notes import parse_checkpoint
from tieout.proofs.tiles import (
    CHECKPOINT,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    LogDamaged,
    TileLog,
    narrow_forms,
    tile_path,
)

_PIECE_BYTES = 1024 * TILE_BYTES
"""So many tiles are hashed at once."""


@dataclass(frozen=True)
class Damage:
    """One damaged file of a log; `leaves` are those that it is about."""

    path: Path
    leaves: range
    found: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found} (leaves {self.leaves.start:,} to {self.leaves.stop - 1:,})"


def find_damage(log: TileLog) -> list[Damage]:
    """Return every damaged file of `log`, held against the root that its checkpoint says.

    Verify the signature of the checkpoint before: where it is good, an empty answer means that each of its leaves is as
    it was signed. One damaged file is named exactly; of several that hide each other's damage all that disagree are.
    """
    if not log.size:
        return []
    reading = _Reading(log)
    reading.read()
    whole = parse_checkpoint(log.note).root
    if reading.rebuilt_root() == whole:
        for level in range(1, reading.height):
            reading.name_differing(level, "does not follow from the tiles below it")
    elif reading.stored_root() == whole:
        reading.descend()
    else:
        reading.name_suspects()
    reading.look_at_narrow_forms()
    return sorted(set(reading.found), key=lambda each: (each.leaves.start, len(each.leaves), str(each.path)))


@dataclass
class _Reading:
    """The levels of a log: as stored, and as they follow from the tiles below them; of level 0 the right edge alone."""

    log: TileLog
    stored: list[bytes] = field(default_factory=list)
    rebuilt: list[bytes] = field(default_factory=list)
    follows: list[bytes] = field(default_factory=list)
    """What the stored tiles of the level below say; `rebuilt` is what the leaves say."""
    found: list[Damage] = field(default_factory=list)
    unread: set[tuple[int, int]] = field(default_factory=set)

    @property
    def height(self) -> int:
        return len(self.stored)

    def read(self) -> None:
        edge, hashes, pending = b"", bytearray(), bytearray()
        for number in range(-(-self.log.size // TILE_WIDTH)):
            tile = self._read_tile(0, number)
            if self._width(0, number) < TILE_WIDTH:
                edge = tile
                continue
            pending += tile
            if len(pending) == _PIECE_BYTES or not tile:
                hashes += _hash_tiles(bytes(pending))
                pending.clear()
            if not tile:
                hashes += self._entry_above(0, number)
        hashes += _hash_tiles(bytes(pending))
        self.stored, self.rebuilt, self.follows = [edge], [edge], [edge]
        below = below_rebuilt = bytes(hashes)
        while below:
            level = self.height
            stored = b"".join(
                self._read_tile(level, number) or below[number * TILE_BYTES : (number + 1) * TILE_BYTES]
                for number in range(-(-len(below) // TILE_BYTES))
            )
            self.stored.append(stored)
            self.rebuilt.append(below_rebuilt)
            self.follows.append(below)
            below, below_rebuilt = _hash_tiles(stored), _hash_tiles(below_rebuilt)

    def rebuilt_root(self) -> bytes:
        return self._root_of(self.rebuilt)

    def stored_root(self) -> bytes:
        return self._root_of(self.stored)

    def name_differing(self, level: int, words: str) -> None:
        """Name the tiles of a level that are not what the leaves say."""
        for number, stored, rebuilt in _tiles(self.stored[level], self.rebuilt[level]):
            if stored != rebuilt:
                self._name(level, number, words)

    def descend(self) -> None:
        """Name the full tiles that are not what the tiles above them say, from above, where the right edge is right."""
        doubtful: set[tuple[int, int]] = set()
        for level in reversed(range(1, self.height)):
            for place in range(len(self.follows[level]) // HASH_BYTES):
                at = slice(place * HASH_BYTES, (place + 1) * HASH_BYTES)
                parent = (level, place // TILE_WIDTH)
                if self.stored[level][at] == self.follows[level][at]:
                    continue
                if parent not in doubtful:
                    self._name(level - 1, place, "does not have the hash that the tile above it says")
                    doubtful.add((level - 1, place))
                elif not self._is_mended(*parent):
                    self._name(level - 1, place, "or the tile above it, damaged as well, is wrong about it")

    def name_suspects(self) -> None:
        """Name the tiles that disagree, and the right end of level 0, where no level alone leads to the root."""
        for level in range(1, self.height):
            for number, stored, follows in _tiles(self.stored[level], self.follows[level]):
                if stored != follows:
                    self._name(level, number, "and a tile below it disagree")
                    for place in range(len(stored) // HASH_BYTES):
                        at = slice(place * HASH_BYTES, (place + 1) * HASH_BYTES)
                        if stored[at] != follows[at]:
                            self._name(level - 1, number * TILE_WIDTH + place, "and the tile above it disagree")
        if self.stored[0]:
            self._name(0, self.log.size // TILE_WIDTH, "does not lead to the root of the checkpoint")
        elif not self.found:
            path = self.log.folder / CHECKPOINT
            self.found.append(Damage(path, range(self.log.size), "says a root that does not follow from the tiles"))

    def look_at_narrow_forms(self) -> None:
        """Name the forms of tiles at the right edge that are not how the tile began."""
        for level in range(self.height):
            number = (self.log.size >> level * TILE_HEIGHT) // TILE_WIDTH
            width = self._width(level, number)
            if width == 0 or self._is_named(level, number):
                continue  # of two that differ the other one was found to be wrong
            tile = self.stored[level][-width * HASH_BYTES :]
            for path in narrow_forms(self.log.folder, level, number):
                if int(path.name) < width and path.read_bytes() != tile[: int(path.name) * HASH_BYTES]:
                    span = self._span(level, number, int(path.name))
                    self.found.append(Damage(path, span, "is not how the tile that it became begins"))

    def _is_mended(self, level: int, number: int) -> bool:
        """Tell whether a damaged tile would have the hash that is said of it, were it what the tiles below it say."""
        content = self.follows[level][number * TILE_BYTES : (number + 1) * TILE_BYTES]
        above = self.stored[level + 1] if level + 1 < self.height else b""
        return _hash_tiles(content) == above[number * HASH_BYTES : (number + 1) * HASH_BYTES]

    def _read_tile(self, level: int, number: int) -> bytes:
        try:
            return self.log.read_tile(level, number)
        except LogDamaged as error:
            self.unread.add((level, number))
            width = self._width(level, number)
            path = self.log.folder / tile_path(level, number, width)
            found = error.what.removeprefix(f"The file {path} of the log ").removesuffix(".")
            self.found.append(Damage(path, self._span(level, number, width), found))
            return b""

    def _entry_above(self, level: int, number: int) -> bytes:
        """Return what the tile above says that the hash of an unreadable one is, so that the rest can be judged."""
        try:
            above = self.log.read_tile(level + 1, number // TILE_WIDTH)
        except LogDamaged:
            above = bytes(TILE_BYTES)
        place = number % TILE_WIDTH
        return above[place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def _root_of(self, levels: list[bytes]) -> bytes:
        def node(level: int, index: int) -> bytes:
            tile_level, height = divmod(level, TILE_HEIGHT)
            first = 0 if tile_level else self.log.size // TILE_WIDTH * TILE_WIDTH
            place = (index << height) - first
            return merkle.root_of(levels[tile_level][place * HASH_BYTES : (place + (1 << height)) * HASH_BYTES])

        return merkle.root(0, self.log.size, node)

    def _width(self, level: int, number: int) -> int:
        return min((self.log.size >> level * TILE_HEIGHT) - number * TILE_WIDTH, TILE_WIDTH)

    def _name(self, level: int, number: int, words: str) -> None:
        if (level, number) in self.unread:
            return  # it was named when it could not be read
        width = self._width(level, number)
        path = self.log.folder / tile_path(level, number, width)
        self.found.append(Damage(path, self._span(level, number, width), words))

    def _is_named(self, level: int, number: int) -> bool:
        path = self.log.folder / tile_path(level, number, self._width(level, number))
        return any(each.path == path for each in self.found)

    def _span(self, level: int, number: int, width: int) -> range:
        first, count = number << (level + 1) * TILE_HEIGHT, width << level * TILE_HEIGHT
        return range(first, first + count)


def _hash_tiles(hashes: bytes) -> bytes:
    """Return the hashes of the full tiles that lie end to end in `hashes`."""
    hashes = hashes[: len(hashes) - len(hashes) % TILE_BYTES]
    for _ in range(TILE_HEIGHT):
        hashes = bulk.hash_pairs(hashes)
    return hashes


def _tiles(stored: bytes, other: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    for place in range(0, len(stored), TILE_BYTES):
        yield place // TILE_BYTES, stored[place : place + TILE_BYTES], other[place : place + TILE_BYTES]
