"""Run one contender in a process of its own: wall time, processor time and peak memory, bounded in both."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What a single run may use before it is stopped."""

    timeout_s: float
    memory_mb: int


@dataclass(frozen=True)
class Sample:
    """One run: `seconds` is what the contender measured itself, `wall_s` the life of its process."""

    wall_s: float
    cpu_s: float
    peak_mb: int
    exit_code: int
    seconds: float | None = None
    found: dict[str, int] = field(default_factory=dict)
    stopped: str = ""


def _memory_mb(pid: int) -> tuple[int, int]:
    """Return the memory that a process and its children hold now, and the most that one of them ever held."""
    now = most = 0
    pending = [pid]
    while pending:
        one = pending.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        pending += [int(child) for child in children.split()]
        kilobytes = {line.split()[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Vm")}
        now += kilobytes.get("VmRSS:", 0)
        most = max(most, kilobytes.get("VmHWM:", 0))
    return now // 1024, most // 1024


@dataclass
class _Watch:
    """What is known of a running process; the kernel's own ru_maxrss would include the parent that forked it."""

    peak_mb: int = 0
    stopped: str = ""

    def look(self, pid: int, limits: Limits, elapsed_s: float) -> None:
        now_mb, most_mb = _memory_mb(pid)
        self.peak_mb = max(self.peak_mb, most_mb)
        if elapsed_s > limits.timeout_s:
            self.stopped = f"stopped after {limits.timeout_s:g} s"
        elif now_mb > limits.memory_mb:
            self.stopped = f"stopped above {limits.memory_mb} MiB"


def _wait(pid: int, limits: Limits, started: float) -> tuple[int, resource.struct_rusage, _Watch]:
    """Wait for a process, and end its group when it passes a limit."""
    watch = _Watch()
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage, watch
        if not watch.stopped:
            watch.look(pid, limits, time.perf_counter() - started)
            if watch.stopped:
                os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)


def run(command: list[str], limits: Limits, log: Path, env: dict[str, str] | None = None) -> Sample:
    """Run a command and measure it; its last line of output may be JSON with `seconds` and counts.

    `peak_mb` is the largest resident set that the process or a child of it had, seen every 10 ms.
    """
    with log.open("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
        status, usage, watch = _wait(process.pid, limits, started)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().splitlines()
    found: dict[str, int] = {}
    if lines and lines[-1].startswith("{"):
        found = json.loads(lines[-1])
    seconds = found.pop("seconds", None)
    return Sample(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=watch.peak_mb,
        exit_code=process.returncode,
        seconds=seconds,
        found=found,
        stopped=watch.stopped,
    )


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def report(seconds: float, **found: int) -> None:
    """Print what a contender found, as the last line that `run` reads."""
    sys.stdout.write(json.dumps({"seconds": seconds, **found}) + "\n")
