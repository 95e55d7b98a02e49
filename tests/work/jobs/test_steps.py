"""Long jobs in this process: what is kept of them, how they end, and what is swept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from tests.work.builders import a_job, random_bytes
from tests.work.jobs.test_claims import look, on, take
from tieout.work.jobs import actions, claims
from tieout.work.jobs.batches import Bench
from tieout.work.jobs.kinds import InSteps
from tieout.work.jobs.rules import BackOff
from tieout.work.jobs.steps import Durable, do_in_steps


def now():
    return datetime.now(UTC)


@pytest.fixture
def durable(state):
    made = Durable(state, "worker-1", "this")
    yield made
    made.close()


def attempt(state, durable, do, *, stopping=False, **more):
    """Claim a job and do one attempt of it."""
    (job,) = take(state, now=now())
    stop = Event()
    if stopping:
        stop.set()
    kind = InSteps(do, back_off=BackOff(first_s=0, cap_s=0), **more)
    do_in_steps(Bench(state, now, random_bytes()), durable, kind, job.batch_id, job, stop)
    return look(state, job)


def kept(durable):
    return {each.workflow_id for each in durable._launched().list_workflows()}


def test_how_a_long_job_ends(state, durable):
    """One test for all ends, for DBOS takes a second to begin."""
    ran = []

    def do(steps):
        first = steps.step("first", lambda: ran.append("first") or len(ran))
        return [first, steps.step("second", second)]

    def second():
        ran.append("second")
        if len(ran) < 3:
            raise ValueError("not yet")
        return {"ran": len(ran)}

    made = a_job(state, now=now())
    failed = attempt(state, durable, do)
    assert (failed.status, failed.last_error, kept(durable)) == ("waiting", "ValueError: not yet", {made.job_id})
    assert attempt(state, durable, do, stopping=True).attempts == 1  # handed back: not an attempt
    done = attempt(state, durable, do)
    assert (done.status, done.result, ran) == ("done", [1, {"ran": 3}], ["first", "second", "second"])
    assert kept(durable) == set()

    # What is no JSON is the failure of its step; what takes too long, of the job.
    a_job(state, now=now(), max_attempts=1)
    odd = attempt(state, durable, lambda steps: steps.step("odd", object))
    assert (odd.status, odd.last_error[:9]) == ("failed", "TypeError")
    a_job(state, now=now(), max_attempts=1)
    slow = attempt(state, durable, lambda steps: steps.step("slow", int), timeout_s=-1)
    assert (slow.status, slow.last_error[:14]) == ("failed", "JobTookTooLong")

    # A dead letter keeps its steps for a person who tries it again.
    assert kept(durable) == {odd.job_id, slow.job_id}

    # Cancelled between two steps.
    made = a_job(state, now=now())

    def cancel(steps):
        steps.step("first", lambda: None)
        on(state, lambda connection: actions.cancel(connection, "acme", made.job_id, now=now()))
        steps.step("never", lambda: ran.append("never"))

    assert attempt(state, durable, cancel).status == "canceled"
    assert "never" not in ran

    # Taken by another in between: its end is no longer this worker's.
    made = a_job(state, now=now())

    def lose(steps):
        on(state, claims.take_back_lost, now() + timedelta(hours=1))
        steps.step("never", lambda: ran.append("never"))

    lost = attempt(state, durable, lose)
    assert (lost.status, lost.losses, "never" in ran) == ("waiting", 1, False)

    # What was kept of a job whose process was lost before it could delete it is swept; what may be needed stays.
    durable.run("gone", lambda: None)
    assert durable.sweep(now() + timedelta(hours=1)) == 1
    assert kept(durable) == {odd.job_id, slow.job_id, lost.job_id}
