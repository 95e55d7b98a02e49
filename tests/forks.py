"""Commands as processes of their own, without each importing everything anew: a server that has imported forks them.

What is imported takes most of the time of a small command. A forked process is as real as any other: it has its own
memory and environment, can be killed at any instant, and ends with an exit code.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

SERVER = """
import json, os, signal, sys, threading, traceback
import tieout.compose, tieout.cli.app, tieout.cli.comparing, tieout.cli.reviewing, tieout.cli.query
import tieout.cli.listing, tieout.cli.showing, tieout.cli.explaining, tieout.cli.replaying
import tieout.books.compare.increment, tieout.books.compare.what_if, tieout.report.html, tieout.report.exports
import tieout.cli.ads_stages, tieout.cli.ingesting, tieout.cli.generating, tieout.cli.backfilling

def child(job):
    os.environ.clear()
    os.environ.update(job["env"])
    for number, path in enumerate((job["stdin"], job["stdout"], job["stderr"])):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.argv = job["argv"]
    code = 0
    try:
        if job["code"] is None:
            tieout.compose.main()
        else:
            exec(compile(job["code"], "<child>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        child(job)
    watch = threading.Timer(job["timeout_s"], os.kill, (pid, signal.SIGKILL))
    watch.start()
    _, status = os.waitpid(pid, 0)
    watch.cancel()
    watch.join()
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Forks:
    """Servers that wait for something to run, each one thing at a time."""

    def __init__(self, servers: Sequence[subprocess.Popen[str]]) -> None:
        self._idle: Queue[subprocess.Popen[str]] = Queue()
        for server in servers:
            self._idle.put(server)

    def run(
        self,
        arguments: Sequence[object],
        *,
        env: Mapping[str, str],
        code: str | None = None,
        stdin: str = "",
        timeout_s: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run `tieout` with these arguments, or `code` with them in sys.argv, and wait for its end."""
        argv = ["tieout" if code is None else "-c", *map(str, arguments)]
        with tempfile.TemporaryDirectory(prefix="tieout-fork-") as folder:
            paths = {name: Path(folder) / name for name in ("stdin", "stdout", "stderr")}
            for name, path in paths.items():
                path.write_text(stdin if name == "stdin" else "", encoding="utf-8")
            job = {"argv": argv, "env": dict(env), "code": code, "timeout_s": timeout_s}
            job |= {name: str(path) for name, path in paths.items()}
            ended = self._ask(json.dumps(job))
            out, err = (paths[name].read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(argv, ended, out, err)

    def _ask(self, job: str) -> int:
        server = self._idle.get()
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(job + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())
        finally:
            self._idle.put(server)


@contextmanager
def forking(count: int) -> Iterator[Forks]:
    """Start so many servers, and end them."""
    servers = [
        subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        yield Forks(servers)
    finally:
        for server in servers:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(30)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Two servers for all tests of a process."""
    with forking(2) as opened:
        yield opened
