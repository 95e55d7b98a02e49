"""A real `tieout serve`, for acceptance tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx

from tests.postgres import _free_port as free_port

START_WITHIN_S = 60
END_WITHIN_S = 60


@dataclass
class Served:
    """A process, what it prints, and where it answers."""

    process: subprocess.Popen[str]
    probe_port: int
    printed: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def admin_key(self) -> str:
        [line] = [line for line in self.printed if "administrator" in line]
        return line.rsplit(" ", 1)[1].strip()

    def get(self, path: str, **options) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **options)

    def probe(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.probe_port}{path}", timeout=60)

    def end(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(END_WITHIN_S)


@contextmanager
def served(data_dir: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Run `tieout serve` until it answers; kill what is left of it at the end."""
    probe_port = free_port()
    command = [sys.executable, "-m", "tieout", "serve", "--port", "0", *options]
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": "src", "TIEOUT_DATA_DIR": str(data_dir), "HOME": str(data_dir)}
    given |= {"TIEOUT_WORKER_PORT": str(probe_port), **environment}
    process = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    one = Served(process, probe_port)
    readers = [
        Thread(target=_copy, args=(process.stdout, one.printed), daemon=True),
        Thread(target=_copy, args=(process.stderr, one.logged), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        _wait_until_it_answers(one, has_api="--role" not in options or "api" in options)
        yield one
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(END_WITHIN_S)
        for reader in readers:
            reader.join(5)


def wait_for(what, within_s: float = 30):
    """Ask until `what()` is true, and return what it said."""
    until = time.monotonic() + within_s
    while True:
        said = what()
        if said or time.monotonic() > until:
            return said
        time.sleep(0.05)


def _copy(stream, lines: list[str]) -> None:
    lines.extend(iter(stream.readline, ""))


def _wait_until_it_answers(one: Served, *, has_api: bool) -> None:
    def answers() -> bool:
        if one.process.poll() is not None:
            raise AssertionError(f"it ended: {one.printed}{one.logged}")
        if has_api:
            found = re.search(r"http://\S+", "".join(one.printed))
            if not found:
                return False
            one.url = found[0]
        try:
            return (one.get("/health") if has_api else one.probe("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    assert wait_for(answers, START_WITHIN_S), f"it does not answer: {one.printed}{one.logged}"
