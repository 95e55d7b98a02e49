"""Locks between processes: a file that is flocked. The kernel frees it when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass
class Lock:
    """A held lock on `path`; closing it, or the end of the process, frees it."""

    path: Path
    _fd: int

    def close(self, *, remove: bool = False) -> None:
        """Free the lock; with `remove` the file goes too, which only the holder of an exclusive lock may ask for."""
        if self._fd < 0:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def lock(path: Path, *, shared: bool = False, on_wait: Callable[[], None] | None = None) -> Lock:
    """Take the lock on `path`, waiting until it is free; `on_wait` is called once, before waiting."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    held = _attempt(path, mode | fcntl.LOCK_NB)
    if held is not None:
        return held
    if on_wait is not None:
        on_wait()
    while held is None:
        held = _attempt(path, mode)
    return held


def try_lock(path: Path) -> Lock | None:
    """Take the lock on `path` for this process alone, or return None when another holds it."""
    return _attempt(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock_existing(path: Path) -> Lock | None:
    """Take the lock on a file or folder for this process alone, or return None when another holds it or it is gone."""
    try:
        return _attempt(path, fcntl.LOCK_EX | fcntl.LOCK_NB, os.O_RDONLY)
    except FileNotFoundError:
        return None


def _attempt(path: Path, mode: int, opening: int = os.O_RDWR | os.O_CREAT) -> Lock | None:
    fd = os.open(path, opening | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, mode)
        if _is_open_file(path, fd):
            return Lock(path, fd)
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _is_open_file(path: Path, fd: int) -> bool:
    """Tell whether `path` still names the opened file: the holder we waited for may have removed it."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    then = os.fstat(fd)
    return (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)
