"""A process that loads into a source, to be killed, raced or waited for.

Arguments: data folder, a verb and its words.
  die POINT FILE…      load with --restate and die by SIGKILL when POINT, a step or a point of publication, is reached
  race FILE            wait for a line on the standard input, then load the file with --add
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.intake.source_builders import Desk


def die(desk: Desk, point: str, *files: str) -> None:
    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    desk.load(*map(Path, files), mode="restate", on_step=reached, at=reached)


def race(desk: Desk, file: str) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    desk.load(Path(file), mode="add")


if __name__ == "__main__":
    desk = Desk(Path(sys.argv[1]))
    {"die": die, "race": race}[sys.argv[2]](desk, *sys.argv[3:])
