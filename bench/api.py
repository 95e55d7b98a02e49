"""Tieout's API beside the least that FastAPI can do: one row read, one job accepted; on SQLite and on PostgreSQL.

Rounds alternate between the two, on the same database and the same machine; the clients are a process of their own.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.postgres import running_postgres

ROOT = Path(__file__).parents[1]
MARKS = ("<!-- api results -->", "<!-- end of api results -->")
FREE = {
    "TIEOUT_RATE_LIMIT_RPM": "1000000000",
    "TIEOUT_RATE_LIMIT_TENANT_RPM": "1000000000",
    "TIEOUT_QUEUE_CAPACITY": "1000000",
    "TIEOUT_WORKER_PORT": "0",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command, environment):
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(url):
    for _ in range(600):
        try:
            return httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


def request(method, path, key=None, body=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    text = json.dumps(body).encode() if body is not None else b""
    lines += ["Content-Type: application/json"] if text else []
    lines.append(f"Content-Length: {len(text)}")
    return "\r\n".join([*lines, "", ""]).encode() + text


def cpu_s(pid):
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(process, port, asked, wanted, clients, seconds):
    before = cpu_s(process.pid)
    command = [sys.executable, "-m", "bench.load", "127.0.0.1", port, wanted, clients, seconds]
    done = subprocess.run(list(map(str, command)), input=asked, capture_output=True, cwd=ROOT, check=True)
    told = json.loads(done.stdout)
    return told | {"cpu_ms": 1000 * (cpu_s(process.pid) - before) / told["requests"]}


def measure(url, folder, options):
    environment = {**os.environ, **FREE, "PYTHONPATH": "src", "TIEOUT_DATA_DIR": str(folder), "TIEOUT_STATE": url}
    ours_port, bare_port = free_port(), free_port()
    python = sys.executable
    made = subprocess.run(
        [python, "-m", "tieout", "init", "--json"], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    key = json.loads(made.stdout)["admin_key"]
    bare = [python, "-m", "bench.contenders.bare_api", json.dumps({"state": url, "port": bare_port})]
    with (
        running([python, "-m", "bench.contenders.accepting_api", json.dumps({"port": ours_port})], environment) as ours,
        running(bare, environment) as plain,
    ):
        wait_for(f"http://127.0.0.1:{ours_port}/health")
        wait_for(f"http://127.0.0.1:{bare_port}/openapi.json")
        add = ("/v1/bench/jobs", key, {"name": "x"})
        head = {"Authorization": f"Bearer {key}"}
        made_job = httpx.post(f"http://127.0.0.1:{ours_port}{add[0]}", headers=head, json=add[2])
        job_id = made_job.json()["data"]["id"]
        tasks = {
            "read, 10 clients": (10, 200, ("GET", f"/v1/ops/jobs/{job_id}", key), ("GET", f"/jobs/{job_id}")),
            "accept, 50 clients": (50, 202, ("POST", *add), ("POST", "/jobs", None, {"name": "x"})),
        }
        found = {task: {"tieout": [], "bare": []} for task in tasks}
        for _ in range(options.rounds):
            for task, (clients, wanted, *asked) in tasks.items():
                sides = (("tieout", ours, ours_port, asked[0]), ("bare", plain, bare_port, asked[1]))
                for name, server, port, one in sides:
                    found[task][name].append(load(server, port, request(*one), wanted, clients, options.seconds))
    return found


def rows_of(database, found):
    for task, sides in found.items():
        middle = {
            name: sorted(rounds, key=lambda one: one["per_second"])[len(rounds) // 2] for name, rounds in sides.items()
        }
        pairs = zip(sides["tieout"], sides["bare"], strict=True)
        ratio = statistics.median(ours["per_second"] / plain["per_second"] for ours, plain in pairs)
        for name, one in middle.items():
            others = sum(each["other_answers"] for each in sides[name])
            yield [
                database,
                task,
                name,
                one["per_second"],
                one["median_ms"],
                one["p95_ms"],
                one["p99_ms"],
                others,
                f"{ratio:.2f}" if name == "tieout" else "1",
                f"{statistics.median(each['cpu_ms'] for each in sides[name]):.2f}",
            ]


def table(rows):
    head = [
        "state",
        "task",
        "server",
        "requests a s",
        "median ms",
        "p95 ms",
        "p99 ms",
        "refused",
        "ratio",
        "CPU ms a request",
    ]
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in [head, ["---"] * 3 + ["---:"] * 7, *rows]]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sqlite-only", action="store_true")
    parser.add_argument("--publish", action="store_true", help="write the figures into bench/README.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows += rows_of("SQLite", measure(f"sqlite:///{folder}/a/state.db", Path(folder) / "a", options))
    if options.sqlite_only:
        print(table(rows))
        return
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        server.run("alter system set fsync = on")
        server.stop()
        server.start()
        rows += rows_of("PostgreSQL", measure(server.new_database(), Path(folder) / "a", options))
    shown = table(rows)
    print(shown)
    if options.publish:
        page = ROOT / "bench/README.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
        page.write_text(f"{before}{MARKS[0]}\n{shown}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
