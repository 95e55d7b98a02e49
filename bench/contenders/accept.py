"""Accept jobs one by one, each in a transaction of its own, or insert such rows; argv: state URL, jobs, who."""

import os
import statistics
import sys
import time
from datetime import UTC, datetime

from sqlalchemy import insert

from bench import measure
from tieout.store.state import open_state
from tieout.store.tables import job
from tieout.work.jobs.actions import _values, submit
from tieout.work.jobs.rules import JobRequest


def main(url, jobs, who):
    state = open_state(url).of("acme")
    request = JobRequest("nothing", {"n": 1})

    def ours(connection):
        submit(connection, "acme", request, now=datetime.now(UTC), random_bytes=os.urandom, capacity=5000)

    def bare(connection):
        connection.execute(insert(job).values(_values("acme", request, datetime.now(UTC), os.urandom)))

    action = {"submit": ours, "insert": bare}[who]
    each = []
    for _ in range(jobs):
        began = time.perf_counter()
        state.write(action)
        each.append(time.perf_counter() - began)
    measure.report(sum(each), done=jobs, median_us=round(statistics.median(each) * 1e6))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
