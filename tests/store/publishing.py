# ruff: noqa: T201 - what it prints is what the test reads
"""A process that publishes runs, to be killed, raced or waited for.

Arguments: data folder, a verb and its words.
  die POINT CONFIG     publish the run of CONFIG and die by SIGKILL at POINT
  race CONFIG…         wait for a line on the standard input, then publish the run of each CONFIG
  hold CONFIG          begin the run of CONFIG, leave a checkpoint, say so, and wait to be killed
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.store.builders import DAY, NOW, a_published_run, a_request, a_store, contents_of, written
from tieout.store.opening import Store
from tieout.store.publish import begin_run, publish


def die(store: Store, point: str, config: str) -> None:
    def at(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    request = a_request(store, config=config)
    with begin_run(store.runs, request, now=NOW + DAY) as active:
        at("begun")
        files = written(active, contents_of(request))
        publish(store.runs, active, files, steps=[], summary={}, now=NOW + DAY, at=at)


def race(store: Store, *configs: str) -> None:
    requests = [a_request(store, config=config) for config in configs]
    print("ready", flush=True)
    sys.stdin.readline()
    for request in requests:
        a_published_run(store, request)


def hold(store: Store, config: str) -> None:
    with begin_run(store.runs, a_request(store, config=config), now=NOW) as active:
        (active.work_dir / "checkpoint").write_text("half")
        (active.out_dir / "match.parquet").write_text("half")
        print("holding", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    with a_store(Path(sys.argv[1])) as opened:
        {"die": die, "race": race, "hold": hold}[sys.argv[2]](opened, *sys.argv[3:])
