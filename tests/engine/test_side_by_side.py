"""Tasks on cursors of their own: order, failure, and Ctrl-C at any instant."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import duckdb
import pytest

from tieout.engine.side_by_side import run_side_by_side

ENDLESS = "select sum(a.range * b.range) from range(10_000_000) a, range(10_000_000) b"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def ask(question: str):
    return lambda cursor: cursor.execute(question).fetchall()[0][0]


def test_results_stand_in_the_order_of_the_tasks(con: duckdb.DuckDBPyConnection) -> None:
    tasks = {name: ask(f"select {number}") for number, name in enumerate("dcba")}
    made = run_side_by_side(con, tasks, after={"d": "a", "c": "ba"}, at_most=2)
    assert list(made.items()) == [("d", 0), ("c", 1), ("b", 2), ("a", 3)]


def test_nothing_to_do_is_done_at_once(con: duckdb.DuckDBPyConnection) -> None:
    assert run_side_by_side(con, {}, after={}, at_most=3) == {}


def test_a_failure_ends_what_runs_beside_it_and_starts_nothing_more(con: duckdb.DuckDBPyConnection) -> None:
    started: list[str] = []

    def later(_cursor: duckdb.DuckDBPyConnection) -> None:
        started.append("later")

    tasks = {"endless": ask(ENDLESS), "wrong": ask("select error('so')"), "later": later}
    with pytest.raises(duckdb.InvalidInputException, match="so"):
        run_side_by_side(con, tasks, after={"later": ["endless"]}, at_most=2)
    assert started == []
    assert con.execute("select 1").fetchall() == [(1,)]


@pytest.mark.parametrize("delay_ms", [0, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 20, 100])
def test_ctrl_c_at_any_instant_ends_every_task(con: duckdb.DuckDBPyConnection, delay_ms: float) -> None:
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    alive = threading.active_count()
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait()
        time.sleep(delay_ms / 1000)  # the instant under test, not a wait for something
        os.kill(os.getpid(), signal.SIGINT)

    def first(cursor: duckdb.DuckDBPyConnection) -> int:
        begun.set()
        return int(cursor.execute(ENDLESS).fetchall()[0][0])

    sender = threading.Thread(target=interrupt)
    sender.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_side_by_side(con, {"a": first, "b": ask(ENDLESS), "c": ask(ENDLESS)}, after={"c": "a"}, at_most=2)
        sender.join()
        assert threading.active_count() == alive
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, former)
    assert con.execute("select 1").fetchall() == [(1,)]


def test_beside_the_main_thread_no_handler_is_touched(con: duckdb.DuckDBPyConnection) -> None:
    made: list[dict[str, int]] = []
    beside = threading.Thread(
        target=lambda: made.append(run_side_by_side(con, {"a": ask("select 7")}, after={}, at_most=1))
    )
    beside.start()
    beside.join()
    assert made == [{"a": 7}]
