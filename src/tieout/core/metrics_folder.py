"""The folder in which processes of one machine add up their metrics."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample

FOLDER = "metrics"
"""Where in the data folder it lies."""
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_LOCK = "in-use.lock"
_COMMANDS = "commands"
"""In place of a process id in the names of the files to which commands add."""
_SIZES = {"counter": 1 << 20, "gauge_livesum": 1 << 20, "gauge_mostrecent": 1 << 18, "histogram": 1 << 21}
"""Bytes that are set aside for each kind of metric."""
_handed: dict[tuple[str, str], float] = {}


def share_metrics(folder: Path) -> int:
    """Let this process count in `folder`; what no living process left there is cleared first.

    To be called before `tieout.core.metrics` is imported. Returns the lock that says that the process lives; it ends
    with the process. Where the disk has no room for its counts the process keeps them to itself.
    """
    if "tieout.core.metrics" in sys.modules:
        raise RuntimeError("the metrics were imported before the folder that they are to count in was named")
    for one in (folder.parent, folder):  # the mode given is that of the last folder alone
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # another process counts here
    else:
        for old in folder.glob("*.db"):
            old.unlink()
    fcntl.flock(lock, fcntl.LOCK_SH)
    with suppress(OSError):
        for kind in _SIZES:
            _set_aside(folder, kind, str(os.getpid()))
        os.environ[VARIABLE] = str(folder)
    return lock


def _set_aside(folder: Path, kind: str, owner: str) -> None:
    """Make the file of a kind with room on the disk for what it will hold.

    The library makes files without any, and a process that counts into such a file on a full disk is killed.
    """
    path = folder / f"{kind}_{owner}.db"
    if path.exists():
        return
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            file.write(bytes(_SIZES[kind]))
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def hand_over(folder: Path) -> None:
    """Add what this command counted since it last did so to what the servers that share `folder` show.

    A command ends before anyone could ask it; its counts lie in one file for all commands, so that the number of files
    does not grow with theirs. Where no server ever shared the folder nothing is kept. A folder that cannot be written
    is no fault of the command.
    """
    if "tieout.core.metrics" not in sys.modules or VARIABLE in os.environ or not folder.is_dir():
        return
    from tieout.core.metrics import list_samples  # noqa: PLC0415 - it is loaded if anything was counted

    samples = list(list_samples())
    if not any(sample.value for _, _, sample in samples):
        return
    with suppress(OSError), _alone(folder):
        _add(folder, samples)


def leave_out() -> None:
    """Keep what this command counted until now to itself: it was about nothing of the installation."""
    if "tieout.core.metrics" not in sys.modules:
        return
    from tieout.core.metrics import list_samples  # noqa: PLC0415 - it is loaded if anything was counted

    for kind, family, sample in list_samples():
        _handed[kind, _key(family, sample)] = sample.value


def _key(family: Metric, sample: Sample) -> str:
    from prometheus_client import mmap_dict  # noqa: PLC0415 - only where there is something to add

    labels = sample.labels
    return mmap_dict.mmap_key(family.name, sample.name, list(labels), list(labels.values()), family.documentation)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = os.open(folder / f"{_COMMANDS}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _add(folder: Path, samples: list[tuple[str, Metric, Sample]]) -> None:
    from prometheus_client import mmap_dict  # noqa: PLC0415 - only where there is something to add

    open_file: Any = mmap_dict.MmapedDict
    files: dict[str, Any] = {}
    now_s = time.time()
    try:
        for kind, family, sample in samples:
            if kind not in files:
                _set_aside(folder, kind, _COMMANDS)
                files[kind] = open_file(str(folder / f"{kind}_{_COMMANDS}.db"))
            key = _key(family, sample)
            if kind.startswith("gauge"):
                files[kind].write_value(key, sample.value, now_s)
            else:
                before, _ = files[kind].read_value(key)
                files[kind].write_value(key, before + sample.value - _handed.get((kind, key), 0.0), 0.0)
            _handed[kind, key] = sample.value
    finally:
        for file in files.values():
            file.close()
