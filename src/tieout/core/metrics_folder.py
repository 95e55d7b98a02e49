"""The folder in which processes of one machine add up their metrics."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_LOCK = "in-use.lock"


def share_metrics(folder: Path) -> int:
    """Let this process count in `folder`; what no living process left there is cleared first.

    To be called before `tieout.core.metrics` is imported. Returns the lock that says that the process lives; it ends
    with the process.
    """
    if "tieout.core.metrics" in sys.modules:
        raise RuntimeError("the metrics were imported before the folder that they are to count in was named")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # another process counts here
    else:
        for old in folder.glob("*.db"):
            old.unlink()
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.environ[VARIABLE] = str(folder)
    return lock
