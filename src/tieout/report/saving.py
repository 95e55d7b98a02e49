"""Writing what people keep: a file is whole or it is not there, and what went wrong is said in words."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from tieout.core.errors import TieoutError

_REMEDIES = {
    errno.ENOSPC: "The disk is full: free space, or choose another place with --out or --report.",
    errno.EDQUOT: "The disk quota is used up: free space, or choose another place with --out or --report.",
    errno.EACCES: "You may not write there: choose another place with --out or --report, or change the permissions.",
    errno.EPERM: "You may not write there: choose another place with --out or --report, or change the permissions.",
    errno.EROFS: "The disk is read-only: choose another place with --out or --report.",
    errno.ENOTDIR: "A part of that path is a file, not a folder: choose another place with --out or --report.",
    errno.EEXIST: "A file stands where a folder is needed: choose another place with --out or --report.",
    errno.EISDIR: "A folder stands where the file should go: move it, or choose another place with --out or --report.",
    errno.ENAMETOOLONG: "The name is too long: choose a shorter one.",
}


class ResultNotWritten(TieoutError):
    """A file of the result could not be written; what stood there before is untouched."""

    code = "result_not_written"


@contextmanager
def explain_failure(path: Path) -> Iterator[None]:
    """Turn what the system or DuckDB says while `path` is written into ResultNotWritten."""
    try:
        yield
    except OSError as error:
        raise _not_written(path, error.strerror or str(error), error.errno) from error
    except duckdb.IOException as error:
        line = str(error).splitlines()[0]
        full = "No space left" in line or "Disk quota" in line
        raise _not_written(path, line, errno.ENOSPC if full else None) from error
    except duckdb.OutOfMemoryException as error:
        raise ResultNotWritten(
            f"{path} could not be written: memory ran out.",
            subject=str(path),
            remedy="Nothing was left behind; close other programs or raise TIEOUT_MEMORY_LIMIT and try again.",
        ) from error


def _not_written(path: Path, reason: str, number: int | None) -> ResultNotWritten:
    remedy = _REMEDIES.get(number or 0, "Choose another place with --out or --report and try again.")
    return ResultNotWritten(f"{path} could not be written: {reason}.", subject=str(path), remedy=remedy)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and move it there in one step. Raises ResultNotWritten."""
    beside = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    with explain_failure(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)
            beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
