"""What people do with jobs: look, try again, cancel; and what time does: retention."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.work.builders import NOW, a_job, every
from tests.work.jobs.test_claims import look, on, take
from tieout.work.jobs import actions, claims
from tieout.work.jobs.rules import BackOff, Depth, JobNotInStatus, JobUnknown, unit_interval


def a_dead_letter(state, tenant="acme", **asked):
    made = a_job(state, tenant, **asked)
    batch_id = next(job.batch_id for job in take(state) if job.job_id == made.job_id)
    on(state, claims.fail, batch_id, made.job_id, "boom", now=NOW, again=None)
    return look(state, made)


def as_tenant(state, tenant, action, *given, **named):
    return state.of(tenant).write(lambda connection: action(connection, tenant, *given, **named))


def test_a_dead_letter_waits_again_with_all_its_attempts(state):
    dead = a_dead_letter(state)
    again = as_tenant(state, "acme", actions.retry, dead.job_id, now=NOW)
    assert (again.status, again.attempts, again.last_error, again.finished_us) == ("waiting", 0, "boom", None)
    with pytest.raises(JobNotInStatus) as refused:
        as_tenant(state, "acme", actions.retry, dead.job_id, now=NOW)
    assert refused.value.http_status == 409
    assert len(take(state)) == 1


def test_a_waiting_job_is_cancelled_at_once_and_an_active_one_is_asked(state):
    waiting, active = a_job(state, due_at=NOW + timedelta(hours=1)), a_job(state)
    (job,) = take(state)
    assert as_tenant(state, "acme", actions.cancel, waiting.job_id, now=NOW).status == "canceled"
    assert as_tenant(state, "acme", actions.cancel, active.job_id, now=NOW).is_cancel_asked
    assert look(state, active).status == "active"
    with pytest.raises(JobNotInStatus):
        as_tenant(state, "acme", actions.cancel, waiting.job_id, now=NOW)
    on(state, claims.hand_back, job.batch_id, NOW)
    assert look(state, active).status == "canceled"  # and not waiting: nobody wants it


@pytest.mark.parametrize("ends", ["fails", "is lost"])
def test_a_job_that_was_to_be_cancelled_is_not_tried_again(state, ends):
    made = a_job(state)
    (job,) = take(state)
    as_tenant(state, "acme", actions.cancel, made.job_id, now=NOW)
    if ends == "fails":
        on(state, claims.fail, job.batch_id, job.job_id, "boom", now=NOW, again=NOW)
    else:
        on(state, claims.take_back_lost, NOW + timedelta(hours=1))
    assert look(state, made).status == "canceled"
    assert look(state, made).finished_us is not None


def test_no_tenant_sees_or_changes_the_job_of_another(state):
    dead = a_dead_letter(state, "other")
    for action in (actions.retry, actions.cancel):
        with pytest.raises(JobUnknown):
            as_tenant(state, "acme", action, dead.job_id, now=NOW)
    with pytest.raises(JobUnknown):
        as_tenant(state, "acme", actions.get_job, dead.job_id)
    assert as_tenant(state, "acme", actions.list_jobs) == []
    assert look(state, dead) == dead


def test_jobs_are_listed_in_pages_the_newest_first(state):
    made = [a_job(state, now=NOW + timedelta(seconds=n), queue="q" if n % 2 else "default") for n in range(5)]
    newest = [job.job_id for job in reversed(made)]
    with every(state).reading() as connection:
        first = actions.list_jobs(connection, None, limit=2)
        rest = actions.list_jobs(connection, None, before=first[-1].job_id)
        assert [job.job_id for job in first + rest] == newest
        assert [job.job_id for job in actions.list_jobs(connection, "acme", queue="q")] == newest[1::2]
        assert actions.list_jobs(connection, None, status="failed") == []


def test_depth_is_counted_by_queue_and_status(state):
    a_dead_letter(state)
    a_job(state, queue="q")
    a_job(state, "other", queue="q")
    take(state, 1, queue="q")
    with every(state).reading() as connection:
        assert actions.measure(connection) == [
            Depth("default", "failed", 1),
            Depth("q", "active", 1),
            Depth("q", "waiting", 1),
        ]


def test_retention_deletes_what_is_done_and_later_the_dead_letters(state):
    dead = a_dead_letter(state)
    done = a_job(state, idempotency_key="k")
    on(state, claims.finish, take(state)[0].batch_id, [done.job_id], NOW)
    waiting = a_job(state)

    def purge(days):
        return on(
            state,
            actions.purge,
            now=NOW + timedelta(days=days),
            done_after=timedelta(days=30),
            failed_after=timedelta(days=180),
        )

    assert [purge(30), purge(31), purge(180), purge(181)] == [0, 1, 0, 1]
    assert (look(state, done), look(state, dead)) == (None, None)
    assert look(state, waiting) == waiting


def test_the_pause_after_an_attempt_doubles_up_to_its_cap():
    back_off = BackOff(first_s=5, cap_s=60, jitter=0.1)
    assert [back_off.delay_s(n, 0.5) for n in range(1, 6)] == [5, 10, 20, 40, 60]
    assert back_off.delay_s(1, 0) == pytest.approx(4.5)
    assert back_off.delay_s(1, 1) == pytest.approx(5.5)
    assert back_off.delay_s(10_000, 0.5) == 60
    assert (unit_interval(b"\0" * 8), unit_interval(b"\x80" + b"\0" * 7)) == (0, 0.5)
    assert unit_interval(b"\xff" * 4) < 1
