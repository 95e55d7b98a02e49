"""Breakers: open after so many failures, try again after a while, the same for all workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.work.builders import NOW
from tieout.work.breaker.actions import failed, guarded, may_call, snapshot, succeeded
from tieout.work.breaker.rules import (
    Breaker,
    BreakerPolicy,
    CircuitOpen,
    after_failure,
    after_success,
    ask,
)

POLICY = BreakerPolicy()


def fail(state, times=1, now=NOW):
    for _ in range(times):
        failed(state, "reddit", policy=POLICY, now=now)


def may(state, now=NOW):
    return may_call(state, "reddit", policy=POLICY, now=now)


def seen(state):
    with state.reading() as connection:
        return snapshot(connection)


def later(seconds):
    return NOW + timedelta(seconds=seconds)


def test_it_opens_at_the_threshold_and_denies(state):
    fail(state, 4)
    assert may(state) is None
    fail(state)
    assert may(state, later(299.9)) == "circuit_open"
    assert seen(state) == {
        "reddit": {"failures": 5, "state": "open", "opened_at": NOW.isoformat(), "half_open_probes": 0}
    }


def test_after_the_pause_three_probes_go_through_and_a_success_closes_it(state):
    fail(state, 5)
    assert [may(state, later(300)) for _ in range(4)] == [None, None, None, "half_open_probe_exhausted"]
    assert seen(state)["reddit"]["half_open_probes"] == 3
    assert seen(state)["reddit"]["state"] == "half_open"
    succeeded(state, "reddit", now=later(301))
    assert may(state, later(301)) is None
    assert seen(state) == {"reddit": {"failures": 0, "state": "closed", "opened_at": None, "half_open_probes": 0}}


def test_a_failed_probe_opens_it_again(state):
    fail(state, 5)
    assert may(state, later(300)) is None
    fail(state, now=later(301))
    assert may(state, later(302)) == "circuit_open"
    assert may(state, later(600.9)) == "circuit_open"
    assert may(state, later(601)) is None


def test_a_success_between_starts_the_count_again(state):
    fail(state, 4)
    succeeded(state, "reddit", now=NOW)
    fail(state, 4)
    assert may(state) is None


def test_probes_of_which_nothing_was_heard_are_not_waited_for_for_ever(state):
    fail(state, 5)
    for _ in range(3):
        may(state, later(300))
    assert may(state, later(599)) == "half_open_probe_exhausted"
    assert may(state, later(600)) is None


def test_one_integration_is_not_another(state):
    fail(state, 5)
    assert may_call(state, "tiktok", policy=POLICY, now=NOW) is None
    assert set(seen(state)) == {"reddit"}


def test_workers_that_probe_together_get_three_probes(state):
    fail(state, 5)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: may(state, later(300)), range(16)))
    assert answers.count(None) == 3


def test_failures_that_come_together_are_all_counted(state):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fail(state), range(4)))
    assert seen(state)["reddit"]["failures"] == 4


def test_a_guarded_call_tells_the_breaker_how_it_went(state):
    def call(action):
        return guarded(state, "reddit", action, policy=POLICY, now=lambda: NOW)

    assert call(lambda: 7) == 7
    assert seen(state) == {}  # nothing is written while all is well
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            call(lambda: 1 / 0)
    with pytest.raises(CircuitOpen) as denied:
        call(lambda: pytest.fail("called"))
    assert (denied.value.reason, denied.value.http_status) == ("circuit_open", 503)


@given(st.lists(st.tuples(st.sampled_from(["ask", "ok", "bad"]), st.integers(0, 200)), max_size=60))
def test_whatever_comes_the_breaker_keeps_its_rules(story):
    """Against a naive reader: open for 300 s from the fifth failure in a row or a failed probe, at most 3 probes."""
    breaker, now = Breaker("x"), NOW
    for what, passed in story:
        now += timedelta(seconds=passed)
        before = breaker
        if what == "ok":
            breaker = after_success(breaker, now)
            assert (breaker.state, breaker.failures) == ("closed", 0)
        elif what == "bad":
            breaker = after_failure(breaker, POLICY, now)
            assert breaker.failures == before.failures + 1
            assert (breaker.state == "closed") == (before.state == "closed" and breaker.failures < 5)
            assert breaker.state != "half_open"
        else:
            breaker, denial = ask(breaker, POLICY, now)
            if denial == "circuit_open":
                assert breaker == before
                assert now < before.opened_us + timedelta(seconds=300)
            assert breaker.half_open_probes <= 3
            assert (denial is None) or before.state != "closed"
