"""Accepting jobs: with the change, once per key, and never more than the queue holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from tests.work.builders import NOW, a_job, every, random_bytes
from tieout.store.tables import job
from tieout.work.jobs import store
from tieout.work.jobs.actions import submit, submit_many
from tieout.work.jobs.rules import BadJob, JobRequest, OtherJobHasKey, QueueFull


def rows_of(state):
    with every(state).reading() as connection:
        return connection.scalar(select(func.count()).select_from(job))


def test_an_accepted_job_reads_back_as_it_was_asked_for(state):
    payload = {"text": "ä\u0000\U0001f600", "list": [1, None, True, 2.5], "deep": {"a": {}}}
    made = a_job(state, payload=payload, priority="high", due_at=NOW + timedelta(hours=1), created_by="user:1")
    with state.of("acme").reading() as connection:
        assert store.find(connection, "acme", made.job_id) == made
    assert (made.status, made.priority, made.due_us) == ("waiting", 0, NOW + timedelta(hours=1))


def test_a_job_goes_with_the_change_that_asked_for_it(state):
    def change(connection):
        submit(connection, "acme", JobRequest("count", 1), now=NOW, random_bytes=random_bytes())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        state.of("acme").write(change)
    assert rows_of(state) == 0


def test_the_same_key_gives_the_same_job_and_another_payload_is_refused(state):
    first = a_job(state, payload={"a": 1, "b": 2}, idempotency_key="k")
    assert a_job(state, payload={"b": 2, "a": 1}, idempotency_key="k") == first
    with pytest.raises(OtherJobHasKey) as refused:
        a_job(state, payload={"a": 1, "b": 3}, idempotency_key="k")
    assert (refused.value.http_status, refused.value.subject) == (409, first.job_id)
    assert a_job(state, "other", payload={"a": 2}, idempotency_key="k").job_id != first.job_id
    assert a_job(state, kind="sum", payload={"a": 2}, idempotency_key="k").job_id != first.job_id
    assert rows_of(state) == 3


def test_a_full_queue_refuses_and_keeps_what_it_has(state):
    jobs = [a_job(state, capacity=3, idempotency_key=str(n)) for n in range(3)]
    with pytest.raises(QueueFull) as refused:
        a_job(state, capacity=3)
    assert refused.value.http_status == 503
    assert refused.value.headers["Retry-After"]
    assert a_job(state, capacity=3, idempotency_key="2") == jobs[2]  # asked for again, not anew
    a_job(state, "other", capacity=3)  # one tenant's jobs do not fill the queue of another
    a_job(state, queue="reports", capacity=3)
    assert rows_of(state) == 5


def test_many_are_accepted_together_or_not_at_all(state):
    def accept(count, *, capacity):
        requests = [JobRequest("count", {"n": n}, idempotency_key=f"n{n}") for n in range(count)]
        return state.of("acme").write(
            lambda connection: submit_many(
                connection, "acme", requests, now=NOW, random_bytes=random_bytes(), capacity=capacity
            )
        )

    first = accept(4, capacity=5)
    with pytest.raises(QueueFull):
        accept(6, capacity=5)
    again = accept(5, capacity=5)
    assert again[:4] == first
    assert [made.payload["n"] for made in again] == list(range(5))
    assert rows_of(state) == 5
    assert state.of("acme").write(lambda c: submit_many(c, "acme", [], now=NOW, random_bytes=random_bytes())) == []


def test_of_many_with_one_key_that_race_one_is_made(state):
    start = Barrier(8)

    def ask(_):
        start.wait()
        return a_job(state, idempotency_key="k").job_id

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(ask, range(8)))
    assert len(made) == 1
    assert rows_of(state) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": ""},
        {"kind": "a b"},
        {"kind": "k" * 129},
        {"queue": "../x"},
        {"queue": "q" * 65},
        {"payload": float("nan")},
        {"payload": {"x": object()}},
        {"payload": "\ud800"},
        {"payload": "x" * 300_000},
        {"max_attempts": 0},
        {"max_attempts": 101},
        {"priority": "urgent"},
        {"idempotency_key": ""},
        {"idempotency_key": "a\nb"},
    ],
)
def test_what_cannot_be_kept_is_refused(asked):
    with pytest.raises(BadJob):
        replace(JobRequest("count", 1), **asked)


def test_a_payload_that_is_nested_too_deep_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadJob):
        JobRequest("count", deep)
