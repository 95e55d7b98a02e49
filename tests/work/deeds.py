"""Jobs for tests with real processes: what they do leaves a trace in the state, or in a folder where it is outside.

`python -m tests.work.deeds STATE FOLDER` is a worker that does them until it is told to stop.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from sqlalchemy import Connection, text

from tieout.store.state import State, open_state
from tieout.work.jobs.kinds import Hopeless, InSteps, Items, Kinds
from tieout.work.jobs.rules import BackOff, Job
from tieout.work.jobs.steps import Steps
from tieout.work.worker import Orders, Pace, run_worker

SOON = BackOff(first_s=0.01, cap_s=0.05)
PACE = Pace(lease_s=3.0, beat_s=0.3, poll_s=0.05, stop_within_s=10, after_fault_s=0.2)


def make_traces(state: State) -> None:
    """A table of effects: a second effect of the same job is a second row."""
    state.write(lambda c: c.execute(text("create table effect (job_id varchar(36), tenant varchar(64), who text)")))


def effect(connection: Connection, job: Job) -> None:
    connection.execute(
        text("insert into effect values (:job, :tenant, :who)"),
        {"job": job.job_id, "tenant": job.tenant, "who": str(os.getpid())},
    )


def kinds(folder: Path) -> Kinds:  # noqa: C901 - one deed after the other
    """`folder` is where jobs and tests talk to each other."""

    def mark(name: str) -> None:
        with (folder / name).open("a") as trace:
            trace.write(f"{os.getpid()}\n")

    def wait_for(name: str) -> None:
        until = time.monotonic() + 30
        while not (folder / name).exists():
            if time.monotonic() > until:
                raise TimeoutError(name)
            time.sleep(0.01)

    def count(connection: Connection, jobs: Sequence[Job]) -> None:
        for job in jobs:
            effect(connection, job)

    def picky(connection: Connection, jobs: Sequence[Job]) -> list[int]:
        for job in jobs:
            effect(connection, job)
            if job.payload["n"] < 0:
                raise ValueError(f"n is {job.payload['n']}")
            if job.payload["n"] == 13:
                raise Hopeless("13 will never do.")
        return [job.payload["n"] * 2 for job in jobs]

    def hold_on(connection: Connection, jobs: Sequence[Job]) -> None:
        """Have the effect, say so, and stay before the mark while the file `stay` is there."""
        for job in jobs:
            effect(connection, job)
        mark("in_batch")
        while (folder / "stay").exists():
            time.sleep(0.01)

    def long(steps: Steps) -> list[int]:
        done = []
        for n in range(steps.job.payload["steps"]):

            def action(n: int = n) -> int:
                mark(f"step_{n}")
                if (folder / f"fail_{n}").exists():
                    raise ValueError(f"step {n}")
                if (folder / f"stay_{n}").exists():
                    wait_for(f"go_{n}")
                return n * 10

            done.append(steps.step(f"step {n}", action))
        steps.state.write(lambda connection: effect(connection, steps.job))
        return done

    def deadly(_connection: Connection, _jobs: Sequence[Job]) -> None:
        mark("deadly")
        os.kill(os.getpid(), signal.SIGKILL)

    return Kinds(
        {
            "count": Items(count, back_off=SOON),
            "picky": Items(picky, back_off=SOON),
            "hold_on": Items(hold_on, queue="held", back_off=SOON),
            "long": InSteps(long, queue="long", back_off=SOON),
            "deadly": Items(deadly, queue="deadly", back_off=SOON),
        }
    )


def main(url: str, folder: str) -> None:
    import dbos  # noqa: F401 - now, for on a busy machine it stops every thread for longer than the short lease here

    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    state = open_state(url)
    (Path(folder) / f"worker-{os.getpid()}").touch()
    run_worker(
        state, Orders(kinds(Path(folder)), PACE), now=lambda: datetime.now(UTC), random_bytes=os.urandom, stop=stop
    )
    state.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
