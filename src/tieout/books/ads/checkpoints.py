"""Which stages of which backfills are done: a file of JSON that an operator can read, and delete to begin again."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tieout.books.ads.period import instant_text
from tieout.store.folders import fsync
from tieout.store.locks import lock

FILE = Path("logs") / "vra-backfill-checkpoints.json"
"""Where they are by default, below the data folder: what is done is done to the data in it."""


@dataclass(frozen=True)
class Checkpoints:
    """The stages that are done. A file that is missing or cannot be read says that none is."""

    path: Path

    def is_done(self, key: str, stage: str, *, is_dry_run: bool) -> bool:
        """Tell whether a stage is done; what a dry run did is never done for a real one."""
        told = _stages(self._read(), key).get(stage)
        return isinstance(told, dict) and told.get("done") is True and told.get("dryRun") is is_dry_run

    def mark(self, key: str, stage: str, *, is_dry_run: bool, at: datetime) -> None:
        """Write down that a stage is done: the file is the one of before or the new one, whole. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with lock(self.path.with_name(f"{self.path.name}.lock")) as held:  # for others mark theirs at the same time
            told = self._read()
            if not told:
                self._set_aside()
            done = {"done": True, "at": instant_text(at), "dryRun": is_dry_run}
            told.setdefault("runs", {})[key] = {"stages": {**_stages(told, key), stage: done}}
            _write(self.path, json.dumps(told, indent=2) + "\n")
            held.close(remove=True)

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) and isinstance(told.get("runs"), dict) else {}

    def _set_aside(self) -> None:
        """Keep a file that is none of ours, or no longer whole, under another name instead of writing over it."""
        if self.path.is_file() and self.path.stat().st_size:
            self.path.replace(self.path.with_name(f"{self.path.name}.unreadable"))


def failure_text(path: Path, error: OSError) -> str:
    """Return what is said of a file that could not be written, such as EACCES: permission denied."""
    code = errno.errorcode.get(error.errno or 0, "EIO")
    return f"failed to write checkpoint file: {path} - {code}: {os.strerror(error.errno or errno.EIO).lower()}"


def _stages(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    one = told.get("runs", {}).get(key)
    stages = one.get("stages") if isinstance(one, dict) else None
    return stages if isinstance(stages, dict) else {}


def _write(path: Path, text: str) -> None:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        written.chmod(0o644)
        fsync(written)
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    fsync(path.parent)
