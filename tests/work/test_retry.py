"""Calls that are made again: how often, after how long, and which never."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import stamina
from structlog.testing import capture_logs

from tieout.work.retry import CallFailed, RetryPolicy, retry_after_s, with_retry

MIDDLE = b"\x80" + b"\0" * 7
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_waiting():
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def calls(*outcomes, random=MIDDLE, **policy):
    """Make calls with these outcomes; return what came of it, and what was logged of each pause."""
    left = list(outcomes)

    def call():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with capture_logs() as logs:
        try:
            ended = with_retry(call, platform="reddit", random_bytes=lambda _: random, policy=RetryPolicy(**policy))
        except Exception as error:  # noqa: BLE001
            ended = error
    return ended, [log for log in logs if log["event"] == "Platform fetch retry scheduled"], len(outcomes) - len(left)


def test_it_waits_one_two_four_seconds():
    error = CallFailed("no")
    ended, logs, made = calls(error, error, error, error, "late", calls=5)
    assert (ended, made) == ("late", 5)
    assert [log["backoff_seconds"] for log in logs] == [1, 2, 4, 8]
    assert {key: logs[0][key] for key in ("platform", "attempt", "error_code", "log_level")} == {
        "platform": "reddit",
        "attempt": 1,
        "error_code": "fetch_error",
        "log_level": "warning",
    }


def test_three_calls_are_made_and_the_last_failure_is_raised():
    errors = [CallFailed(str(n)) for n in range(4)]
    ended, logs, made = calls(*errors)
    assert (ended, made, len(logs)) == (errors[2], 3, 2)


@pytest.mark.parametrize(("random", "pause_s"), [(b"\0" * 8, 0.9), (b"\xff" * 8, 1.1)])
def test_the_pause_varies_by_a_tenth(random, pause_s):
    _, logs, _ = calls(CallFailed("no"), 1, random=random)
    assert logs[0]["backoff_seconds"] == pause_s


def test_no_pause_is_longer_than_a_minute():
    _, logs, _ = calls(*[CallFailed("no")] * 9, 1, calls=10)
    assert logs[-1]["backoff_seconds"] == 60


@pytest.mark.parametrize(
    "error",
    [
        CallFailed("no", status=401),
        CallFailed("no", status=403),
        CallFailed("no", error_code="auth_error"),
        CallFailed("no", retry_after_s=61),
        ValueError("a bug"),
    ],
)
def test_what_another_call_cannot_mend_is_raised_at_once(error):
    assert calls(error, 1) == (error, [], 1)


def test_what_the_integration_asks_for_is_honoured():
    _, logs, _ = calls(CallFailed("no", retry_after_s=17, status=429, error_code="rate_limited"), 1)
    assert (logs[0]["backoff_seconds"], logs[0]["error_code"]) == (17, "rate_limited")
    _, logs, _ = calls(CallFailed("no", retry_after_s=0.1), 1)
    assert logs[0]["backoff_seconds"] == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("١٢", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header, seconds):
    assert retry_after_s(header, NOW) == seconds
