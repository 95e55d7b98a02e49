"""The blocks of a runbook, and a shell that runs them as an operator would paste them."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests.forks import Forks

REPOSITORY = Path(__file__).parents[2]
BLOCK_WITHIN_S = 120
_FENCE = re.compile(r"^(?P<indent> *)```(?P<words>[a-z]+[^\n`]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)

SHIM = """#!{python} -IS
import json, os, socket, sys
if sys.argv[1:2] == ["serve"]:
    with open({pids!r}, "a") as pids:
        print(os.getpid(), file=pids)
    os.execv({python!r}, [{python!r}, "-m", "tieout", *sys.argv[1:]])
asked = socket.socket(socket.AF_UNIX)
asked.connect({address!r})
asked.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode() + b"\\n")
code, out, err = json.loads(b"".join(iter(lambda: asked.recv(1 << 16), b"")))
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
AS_TIEOUT = "import os, sys, tieout.compose\nsys.argv[0] = 'tieout'\nos.chdir({folder!r})\ntieout.compose.main()\n"


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is written in, the exit code it is to end with, its text, and its line of the page."""

    language: str
    exit_code: int
    text: str
    line: int


@dataclass(frozen=True)
class Ran:
    """What a block did."""

    code: int
    output: str


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, *options = match["words"].split()
        told = dict(option.split("=") for option in options)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, int(told.get("exit", 0)), textwrap.dedent(match["text"]), line))
    return found


def is_told(transcript: str, output: str) -> bool:
    """Whether the lines of a transcript stand in an output in this order; … stands for anything in a line."""
    parts = [".*".join(map(re.escape, line.split("…"))) for line in transcript.strip().splitlines()]
    return re.search(r"^" + r"$(?:.|\n)*?^".join(parts) + r"$", output, re.MULTILINE) is not None


class Shell:
    """Runs blocks one after another, each with the variables that those before it left."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def run(self, block: Block) -> Ran:
        kept, script = self._folder / ".environment", self._folder / ".block.sh"
        output = self._folder / f".output-{block.line}"
        script.write_text(f"trap 'env -0 > {shlex.quote(str(kept))}' EXIT\nset -e\n{block.text}")
        with output.open("w") as told:  # a file, for a server in the background would keep a pipe open
            done = subprocess.run(
                ["bash", str(script)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                timeout=BLOCK_WITHIN_S,
                check=False,
            )
        self._environment = dict(one.split("=", 1) for one in kept.read_text().split("\0") if one)
        return Ran(done.returncode, output.read_text())


@contextmanager
def shell_with_tieout(folder: Path, forks: Forks, **environment: str) -> Iterator[Shell]:
    """Give a shell in which `tieout` is this program; servers that it started are ended."""
    programs, pids, address = folder / "bin", folder / "pids", folder / "socket"
    programs.mkdir()
    pids.touch()
    shim = programs / "tieout"
    shim.write_text(SHIM.format(python=sys.executable, pids=str(pids), address=str(address)))
    shim.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    Thread(target=_answer, args=(listener, forks), daemon=True).start()
    at = folder / "at"
    at.mkdir()
    given = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY / "src"), "HOME": str(folder)}
    given |= {"TIEOUT_DATA_DIR": str(folder / "data"), "TIEOUT_WORKER_PORT": "0", "COLUMNS": "120", **environment}
    try:
        yield Shell(at, given)
    finally:
        listener.close()
        for pid in map(int, pids.read_text().split()):
            _end(pid)


def _answer(listener: socket.socket, forks: Forks) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            asked, _ = listener.accept()
            with asked, asked.makefile("rb") as read:
                arguments, env, folder = json.loads(read.readline())
                done = forks.run(arguments, env=env, code=AS_TIEOUT.format(folder=folder))
                asked.sendall(json.dumps([done.returncode, done.stdout, done.stderr]).encode())


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
