"""Calls that come at the same moment are done together, each with an answer of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from tieout.store.together import AT_MOST, Together

CALLS = 3 * AT_MOST


class Doing:
    """Doubles numbers, the first batch only when `open` is set; keeps the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = Event(), Event()
        self.at_work = Lock()

    def __call__(self, asked: Sequence[int]) -> list[int | Exception]:
        assert self.at_work.acquire(blocking=False), "two batches of one key at once"
        try:
            self.batches.append(list(asked))
            self.begun.set()
            assert self.open.wait(10)
            if -1 in asked:
                raise RuntimeError("the whole batch")
            return [ValueError(number) if number % 7 == 0 else 2 * number for number in asked]
        finally:
            self.at_work.release()


def _come_meanwhile(together: Together, doing: Doing, numbers: Sequence[int]) -> list[object]:
    """Let the first number be at work until all others wait, and return what each call gave or raised."""

    def call(number: int) -> object:
        try:
            return together.call("key", number, doing)
        except (ValueError, RuntimeError) as error:
            return error

    with ThreadPoolExecutor(len(numbers)) as pool:
        first = pool.submit(call, numbers[0])
        assert doing.begun.wait(10)
        rest = [pool.submit(call, number) for number in numbers[1:]]
        give_up = time.monotonic() + 10
        while len(together._waiting["key"]) < len(rest):
            assert time.monotonic() < give_up, "not all calls came"
            time.sleep(0.001)
        doing.open.set()
        return [future.result(10) for future in [first, *rest]]


def test_what_comes_meanwhile_is_the_next_batch_and_each_gets_its_own_answer() -> None:
    doing, numbers = Doing(), list(range(1, CALLS))
    answers = _come_meanwhile(Together(), doing, numbers)
    assert [answer for answer in answers if not isinstance(answer, Exception)] == [n * 2 for n in numbers if n % 7]
    raised = [answer.args[0] for answer in answers if isinstance(answer, ValueError)]
    assert raised == [number for number in numbers if number % 7 == 0]
    assert [len(batch) for batch in doing.batches] == [1, AT_MOST, AT_MOST, CALLS - 2 - 2 * AT_MOST]
    assert sorted(number for batch in doing.batches for number in batch) == numbers


def test_what_breaks_a_batch_is_told_to_all_of_it_and_to_no_other() -> None:
    doing = Doing()
    together = Together()
    answers = _come_meanwhile(together, doing, [1, -1, 2, 3])
    assert answers[0] == 2
    assert [str(answer) for answer in answers[1:]] == ["the whole batch"] * 3
    assert together.call("key", 4, doing) == 8, "the next one begins anew"


def test_a_call_that_comes_alone_waits_for_nobody_and_leaves_nothing() -> None:
    together, doing = Together(), Doing()
    doing.open.set()
    assert together.call("key", 1, doing) == 2
    assert together.call("other", 2, doing) == 4
    with pytest.raises(ValueError, match="7"):
        together.call("key", 7, doing)
    assert doing.batches == [[1], [2], [7]]
    assert not together._waiting
