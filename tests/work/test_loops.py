import threading

import pytest

from tieout.work.loops import Loops


@pytest.fixture
def loops():
    made = Loops(first_pause_s=0.01)
    yield made
    made.end(5)


def until(event):
    assert event.wait(10)


def test_a_loop_that_ends_by_a_fault_begins_anew(loops):
    begun, again = [], threading.Event()

    def loop(stop):
        begun.append(1)
        if len(begun) == 1:
            raise ValueError("once")
        if len(begun) == 2:
            return
        again.set()
        stop.wait()

    loops.start({"one": loop})
    until(again)
    assert loops.failed() == []
    assert loops.end(5) == []


def test_while_it_rests_it_counts_as_failed():
    loops = Loops(first_pause_s=60)
    failed = threading.Event()

    def loop(_stop):
        failed.set()
        raise SystemExit

    loops.start({"one": loop, "other": lambda stop: stop.wait()})
    until(failed)
    while not loops.failed():
        pass
    assert loops.failed() == ["one"]
    assert loops.end(5) == []


def test_loops_that_do_not_end_in_time_are_named():
    loops, release = Loops(), threading.Event()
    loops.start({"stuck": lambda _: release.wait(30), "good": lambda stop: stop.wait()})
    assert loops.end(0.05) == ["stuck"]
    release.set()
    assert loops.end(5) == []


def test_a_fault_while_stopping_ends_the_loop(loops):
    def loop(stop):
        stop.wait()
        raise ValueError

    loops.start({"one": loop})
    assert loops.end(5) == []
