"""Do the jobs of a queue with one worker of ours; argv: state URL, jobs, jobs in a batch."""

import os
import sys
import threading
import time
from datetime import UTC, datetime

from sqlalchemy import func, select

from bench import measure
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import open_state
from tieout.store.tables import job
from tieout.work.jobs.actions import submit_many
from tieout.work.jobs.kinds import Items, Kinds
from tieout.work.jobs.rules import JobRequest, Queue
from tieout.work.worker import Orders, Pace, run_worker


def now():
    return datetime.now(UTC)


def main(url, jobs, batch):
    state = open_state(url)
    everyone = state.of(EVERY_TENANT)
    began = time.perf_counter()
    for first in range(0, jobs, 1000):
        requests = [JobRequest("nothing", {"n": n}) for n in range(first, min(first + 1000, jobs))]
        state.of("acme").write(
            lambda connection, requests=requests: submit_many(
                connection, "acme", requests, now=now(), random_bytes=os.urandom, capacity=jobs
            )
        )
    accept_s = time.perf_counter() - began

    done, stop = 0, threading.Event()

    def nothing(_connection, items):
        nonlocal done
        done += len(items)
        if done >= jobs:
            stop.set()

    kinds = Kinds({"nothing": Items(nothing)}, {"default": Queue(batch_size=batch)})
    orders = Orders(kinds, Pace(batch_threads=int(os.environ.get("BENCH_THREADS", "2"))))
    began = time.perf_counter()
    run_worker(state, orders, now=now, random_bytes=os.urandom, stop=stop)
    seconds = time.perf_counter() - began
    with everyone.reading() as connection:
        marked = connection.scalar(select(func.count()).where(job.c.status == "done"))
    measure.report(seconds, done=marked, accept_us=round(accept_s * 1e6))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
