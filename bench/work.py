"""Durable work side by side: jobs that do nothing, by our worker, PgQueuer and Procrastinate on the same PostgreSQL.

Every run is a process of its own on a database of its own; the contenders take turns; figures are medians. The
server waits for its disk at each commit. Run it as `python -m bench.work` from the repository root.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import measure, peers
from tests.postgres import Postgres, running_postgres

HERE = Path(__file__).parent
LIMITS = measure.Limits(timeout_s=300, memory_mb=4000)
RESULTS = HERE / "results-work.json"


@dataclass(frozen=True)
class Contender:
    """Who does how many jobs, how many at once; a peer has its own environment."""

    name: str
    script: str
    jobs: int
    at_once: str
    peer: str | None = None

    def command(self, url: str) -> list[str]:
        python = peers.python_of(self.peer) if self.peer else sys.executable
        return [python, str(HERE / "contenders" / self.script), url, str(self.jobs), self.at_once]


def contenders(jobs: int) -> list[Contender]:
    few = max(jobs // 10, 100)
    return [
        Contender("tieout, batches of 500", "work_tieout.py", jobs, "500"),
        Contender("tieout, batches of 100", "work_tieout.py", jobs, "100"),
        Contender("PgQueuer, batches of 500", "work_pgqueuer.py", jobs, "500", "pgqueuer"),
        Contender("PgQueuer, batches of 100", "work_pgqueuer.py", jobs, "100", "pgqueuer"),
        Contender("Procrastinate, 1 at a time", "work_procrastinate.py", few, "1", "procrastinate"),
        Contender("Procrastinate, 20 at a time", "work_procrastinate.py", few, "20", "procrastinate"),
        Contender("DBOS, a workflow for 10", "work_dbos.py", few, "10"),
        Contender("accept one by one", "accept.py", few, "submit"),
        Contender("bare insert one by one", "accept.py", few, "insert"),
    ]


@contextmanager
def durable_postgres() -> Iterator[Postgres]:
    """Start the server of the tests, but one that waits for its disk."""
    with running_postgres() as server:
        server.run("alter system set fsync = on")
        server.run("alter system set max_wal_size = '4GB'")
        server.run("select pg_reload_conf()")
        yield server


def measure_all(jobs: int, rounds: int, only: str) -> dict[str, dict]:
    """Return for each contender its jobs per second, done and accepted, one figure a round."""
    chosen = [each for each in contenders(jobs) if only in each.name]
    for peer in sorted({each.peer for each in chosen if each.peer}):
        peers.make(peer)
    found: dict[str, dict] = {each.name: {"jobs": each.jobs, "done_per_s": [], "accepted_per_s": []} for each in chosen}
    ours = {"PYTHONPATH": f"{HERE.parent / 'src'}:{HERE.parent}"}
    with durable_postgres() as server, tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for each in chosen[turn % len(chosen) :] + chosen[: turn % len(chosen)]:
                url = server.new_database()
                log = Path(folder) / "log"
                sample = measure.run(each.command(url), LIMITS, log, env={} if each.peer else ours)
                server.drop_database(url)
                if sample.seconds is None or sample.found["done"] != each.jobs:
                    raise SystemExit(f"{each.name}: {sample.stopped or sample.found}\n{measure.tail(log)}")
                found[each.name]["done_per_s"].append(each.jobs / sample.seconds)
                if accept_us := sample.found.get("accept_us"):
                    found[each.name]["accepted_per_s"].append(each.jobs / accept_us * 1e6)
                print(f"{each.name}: {each.jobs / sample.seconds:,.0f} jobs/s", flush=True)
    return found


def table(found: dict[str, dict]) -> str:
    lines = [
        "| contender | jobs | done per s, median | min to max | accepted in bulk per s |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, figures in found.items():
        done, accepted = figures["done_per_s"], figures["accepted_per_s"]
        bulk = f"{statistics.median(accepted):,.0f}" if accepted else ""
        lines.append(
            f"| {name} | {figures['jobs']:,} | {statistics.median(done):,.0f} | {min(done):,.0f} to {max(done):,.0f} "
            f"| {bulk} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="contenders whose name holds this")
    parser.add_argument("--publish", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    found = measure_all(chosen.jobs, chosen.rounds, chosen.only)
    print(table(found))
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    if chosen.publish:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
