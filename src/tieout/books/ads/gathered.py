"""Files that hold, gathered, what many runs say: derived and never the truth, one for a tenant and a moment.

The name of a file tells for which shape of tables it was made, up to which publication it goes, and its digest; so
whoever opens one knows without reading it whether it is of use, and by reading it whether it is whole. A file is made
beside the others and renamed into its place: a process that dies leaves the former ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tieout.store.digest import digest_file
from tieout.store.folders import fsync, storing

SUFFIX = ".duckdb"
FOREIGN_KEPT = timedelta(days=7)
"""How long files of another shape stay: a program of another version may serve from them meanwhile."""
SHAPE_DIGITS = 12

_NAME = re.compile(rf"([0-9a-f]{{{SHAPE_DIGITS}}})-([0-9]{{20}})-([0-9a-f]{{64}}){re.escape(SUFFIX)}")


@dataclass(frozen=True)
class GatheredFile:
    """A file as its name tells of it."""

    path: Path
    shape: str
    position: int
    sha256: str

    @property
    def is_whole(self) -> bool:
        """Whether it has the bytes that were written."""
        try:
            return digest_file(self.path) == self.sha256
        except OSError:  # another process put a later one in its place
            return False


def list_gathered(folder: Path, shape: str) -> list[GatheredFile]:
    """Return the files of a shape, the latest first."""
    found = [one for one in _every(folder) if one.shape == shape]
    return sorted(found, key=lambda one: (one.position, one.path.name), reverse=True)


def put_gathered(folder: Path, shape: str, position: int, draft: Path) -> GatheredFile:
    """Put a file that was written in its place, durably, and remove those whose time is over."""
    with storing("gathered facts"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.chmod(0o400)
        fsync(draft)
        sha256 = digest_file(draft)
        path = folder / f"{shape}-{position:020d}-{sha256}{SUFFIX}"
        draft.replace(path)
        fsync(folder)
        made = GatheredFile(path, shape, position, sha256)
        for other in _every(folder):
            if other != made and (other.shape == shape or _is_old(other.path)):
                other.path.unlink(missing_ok=True)
    return made


def _every(folder: Path) -> Iterator[GatheredFile]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    for name in names:
        if told := _NAME.fullmatch(name):
            yield GatheredFile(folder / name, told[1], int(told[2]), told[3])


def _is_old(path: Path) -> bool:
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return False
    return written < datetime.now(UTC) - FOREIGN_KEPT
