from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tieout.work.outbox.rules import next_attempt, rest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600
WAITS_S = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]


def least(count):
    return bytes(count)


def most(count):
    return b"\xff" * count


@pytest.mark.parametrize(("failures", "wait_s"), list(enumerate(WAITS_S, start=1)))
def test_each_failure_waits_longer_by_chance_up_to_a_tenth_more(failures, wait_s):
    assert next_attempt(failures, now=NOW, random_bytes=least) == NOW + timedelta(seconds=wait_s)
    latest = next_attempt(failures, now=NOW, random_bytes=most) - NOW
    assert timedelta(seconds=wait_s * 1.09) < latest <= timedelta(seconds=wait_s * 1.1)


def test_after_the_last_wait_a_delivery_is_given_up():
    assert next_attempt(len(WAITS_S) + 1, now=NOW, random_bytes=least) is None


def test_what_the_endpoint_asks_for_counts_where_it_is_later_and_no_longer_than_a_day():
    def after(asked_s):
        return next_attempt(2, now=NOW, random_bytes=least, asked_s=asked_s) - NOW

    assert after(10) == timedelta(minutes=5)
    assert after(900) == timedelta(minutes=15)
    assert after(1e9) == timedelta(days=1)


def test_an_endpoint_that_does_not_answer_rests_longer_each_time_up_to_five_minutes():
    assert [rest(failures).total_seconds() for failures in (1, 2, 3, 7, 100)] == [5, 10, 20, 300, 300]
