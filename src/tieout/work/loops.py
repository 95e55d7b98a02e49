"""The loops of a process, each in a thread: one that ends by a fault is told, and begins anew after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Thread

import structlog

from tieout.core import metrics

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0
"""A loop that ran for so long is taken for healthy: the next fault is its first."""

Loop = Callable[[Event], None]
"""Works until the event is set, then returns in good order."""
_log = structlog.get_logger("tieout.loops")


@dataclass
class _Running:
    thread: Thread
    is_failed: bool = False


@dataclass
class Loops:
    """Loops by name, and what stops them all."""

    stop: Event = field(default_factory=Event)
    first_pause_s: float = FIRST_PAUSE_S
    _running: dict[str, _Running] = field(default_factory=dict)

    def start(self, loops: Mapping[str, Loop]) -> None:
        """Begin every loop."""
        for name, loop in loops.items():
            thread = Thread(target=self._keep, args=(name, loop), name=f"tieout-{name}", daemon=True)
            self._running[name] = _Running(thread)
            thread.start()

    def failed(self) -> list[str]:
        """Name the loops that do not run at this moment."""
        return [name for name, one in self._running.items() if one.is_failed]

    def end(self, within_s: float) -> list[str]:
        """Stop every loop and wait for them; return the names of those that still run after `within_s`."""
        self.stop.set()
        until = time.monotonic() + within_s
        for one in self._running.values():
            one.thread.join(max(0.0, until - time.monotonic()))
        return [name for name, one in self._running.items() if one.thread.is_alive()]

    def _keep(self, name: str, loop: Loop) -> None:
        pause_s = self.first_pause_s
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                loop(self.stop)
                fault: BaseException | None = None
            except BaseException as error:  # noqa: BLE001 - whatever it was, the loop is needed
                fault = error
            if self.stop.is_set():
                if fault is not None:
                    _log.error("Loop ended by a fault while it was to stop", loop=name, exc_info=fault)
                return
            if time.monotonic() - began >= STEADY_S:
                pause_s = self.first_pause_s
            self._running[name].is_failed = True
            metrics.LOOP_RESTARTS.labels(name).inc()
            _log.error("Loop ended and begins anew", loop=name, pause_s=pause_s, exc_info=fault)
            self.stop.wait(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            self._running[name].is_failed = False
