"""Tasks side by side, each on a database connection of its own, which Ctrl-C ends at once and without a trace."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from graphlib import TopologicalSorter
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TypeVar

import duckdb

LOOK_AGAIN_S = 0.05
"""How often a wait looks whether it was cancelled. A query that began after the last look is then interrupted too."""

K = TypeVar("K")
T = TypeVar("T")


def thread_count(con: duckdb.DuckDBPyConnection) -> int:
    """Return how many threads a connection works with."""
    return int(con.execute("select current_setting('threads')").fetchall()[0][0])


def run_side_by_side(
    con: duckdb.DuckDBPyConnection,
    tasks: Mapping[K, Callable[[duckdb.DuckDBPyConnection], T]],
    *,
    after: Mapping[K, Collection[K]],
    at_most: int,
) -> dict[K, T]:
    """Run every task on a cursor of `con`, `at_most` at once, and return what each returned, in the order of `tasks`.

    Each cursor has the variables of `con`. A task starts when those that `after` names for it have ended; of several,
    the first in `tasks`. When one raises or the process is interrupted, the queries of the others are interrupted too,
    and the first error is raised when all have ended.
    """
    place = {key: number for number, key in enumerate(tasks)}
    order = TopologicalSorter({key: after.get(key, ()) for key in tasks})
    order.prepare()
    made: dict[K, T] = {}
    failed: list[BaseException] = []
    variables = con.sql("select name, value, type from duckdb_variables() where value <> 'NULL'").fetchall()
    ready: list[K] = []
    running: dict[Future[T], tuple[K, duckdb.DuckDBPyConnection]] = {}
    with _interrupts_noted() as interrupted, ThreadPoolExecutor(at_most) as pool:
        while running or (order.is_active() and not (failed or interrupted.is_set())):
            ready = sorted([*ready, *order.get_ready()], key=place.__getitem__)
            while ready and len(running) < at_most and not (failed or interrupted.is_set()):
                key = ready.pop(0)
                cursor = con.cursor()
                for name, value, kind in variables:
                    cursor.execute(f"set variable {name} = cast($value as {kind})", {"value": value})
                # In a copy of the context: what a task traces or logs belongs to the run.
                running[pool.submit(copy_context().run, tasks[key], cursor)] = (key, cursor)
            for future in wait(running, timeout=LOOK_AGAIN_S, return_when=FIRST_COMPLETED).done:
                key, cursor = running.pop(future)
                if error := future.exception():
                    failed.append(error)
                else:
                    made[key] = future.result()
                    order.done(key)
            if failed or interrupted.is_set():
                for _, cursor in running.values():
                    cursor.interrupt()
    if failed:
        raise failed[0]
    return {key: made[key] for key in tasks}


@contextmanager
def _interrupts_noted() -> Iterator[Event]:
    """Note Ctrl-C instead of raising it inside, where it could strike between a lock and its release.

    The process is interrupted after, by the handler that was set before, whatever was raised inside.
    """
    noted = Event()
    former = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(former):  # elsewhere no signal is raised
        yield noted
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        noted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, former)
        if noted.is_set():
            former(signal.SIGINT, None)
