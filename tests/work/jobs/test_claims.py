"""Taking jobs: order, fairness, limits, leases, and that nobody ends what another holds."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.work.builders import NOW, a_job, every, random_bytes
from tieout.store.tables import job as job_table
from tieout.work.jobs import actions, claims, store
from tieout.work.jobs.batches import Bench, do_at_once
from tieout.work.jobs.claims import Claim
from tieout.work.jobs.kinds import Items
from tieout.work.jobs.rules import MAX_LOSSES, Queue, Rate

_numbers = count(1)
UNLIMITED = Queue()


def take(
    state, at_most=100, *, limits=UNLIMITED, now=NOW, slot="worker-1", lease_s=60, queue="default", kinds=("count",)
):
    wanted = Claim(slot, f"batch-{next(_numbers)}", now, lease_s, kinds, at_most)
    return every(state).write(lambda connection: claims.claim(connection, queue, limits, wanted))


def look(state, job):
    with every(state).reading() as connection:
        return store.find(connection, None, job.job_id)


def on(state, statement, *given, **named):
    return every(state).write(lambda connection: statement(connection, *given, **named))


def later(**passed):
    return NOW + timedelta(**passed)


def test_high_goes_before_normal_before_low_and_first_due_first(state):
    low = a_job(state, priority="low")
    late = a_job(state, due_at=later(seconds=-1))
    early = a_job(state, due_at=later(seconds=-2))
    high = a_job(state, priority="high")
    coming = a_job(state, priority="high", due_at=later(seconds=1))
    assert [job.job_id for job in take(state)] == [job.job_id for job in (high, early, late, low)]
    assert look(state, coming).status == "waiting"
    assert [job.job_id for job in take(state, now=later(seconds=1))] == [coming.job_id]


def test_a_claim_says_whose_it_is_and_for_how_long(state):
    made = a_job(state)
    (job,) = take(state, lease_s=45, slot="worker-3")
    assert job == look(state, made)
    assert (job.status, job.claimed_by, job.claimed_until_us) == ("active", "worker-3", later(seconds=45))
    assert (job.attempts, job.started_us) == (1, NOW)
    assert take(state) == []


def test_tenants_take_turns_however_much_one_has(state):
    for _ in range(20):
        a_job(state, "big")
    for tenant in ("small", "tiny"):
        a_job(state, tenant, priority="low")
    assert [job.tenant for job in take(state, 3)] in (["big", "small", "tiny"], ["big", "tiny", "small"])
    assert Counter(job.tenant for job in take(state, 10)) == {"big": 10}


def test_who_has_less_at_work_is_first(state):
    for _ in range(3):
        a_job(state, "big", priority="high")
    take(state, 2)
    a_job(state, "small", priority="low")
    assert [job.tenant for job in take(state, 1)] == ["small"]


def test_only_known_kinds_of_the_queue_are_taken(state):
    a_job(state, kind="newer")
    a_job(state, queue="other")
    known = a_job(state)
    assert [job.job_id for job in take(state)] == [known.job_id]
    assert len(take(state, kinds=("newer", "count"))) == 1
    assert len(take(state, queue="other")) == 1


def test_a_queue_has_only_so_many_at_work(state):
    jobs = [a_job(state, tenant) for tenant in ("a", "b") for _ in range(5)]
    limits = Queue(concurrency=3)
    assert Counter(job.tenant for job in take(state, limits=limits)) in ({"a": 2, "b": 1}, {"a": 1, "b": 2})
    assert take(state, limits=limits) == []
    active = [job for job in jobs if look(state, job).status == "active"]
    on(state, claims.finish, look(state, active[0]).batch_id, [active[0].job_id], NOW)
    assert len(take(state, limits=limits)) == 1


def test_a_tenant_has_only_so_many_at_work_and_leaves_the_rest_to_others(state):
    for tenant, jobs in (("a", 9), ("b", 1), ("c", 5)):
        for _ in range(jobs):
            a_job(state, tenant)
    assert Counter(job.tenant for job in take(state, limits=Queue(concurrency_per_tenant=3))) == {
        "a": 3,
        "b": 1,
        "c": 3,
    }
    assert take(state, limits=Queue(concurrency_per_tenant=3)) == []


@pytest.mark.parametrize("per_tenant", [False, True])
def test_no_window_of_the_rate_has_more_than_its_jobs(state, per_tenant):
    for _ in range(30):
        a_job(state)
    rate = Rate(jobs=5, seconds=10)
    limits = Queue(batch_size=3, rate_per_tenant=rate) if per_tenant else Queue(batch_size=3, rate=rate)
    began = []
    for second in range(25):
        began += [(second, job) for job in take(state, limits=limits, now=later(seconds=second))]
    seconds = [second for second, _ in began]
    assert seconds == [0] * 3 + [1] * 2 + [10] * 3 + [11] * 2 + [20] * 3 + [21] * 2


def test_the_rate_of_one_tenant_is_not_that_of_another(state):
    for tenant in ("a", "a", "a", "b", "b", "b"):
        a_job(state, tenant)
    limits = Queue(rate_per_tenant=Rate(jobs=2, seconds=60))
    assert Counter(job.tenant for job in take(state, limits=limits)) == {"a": 2, "b": 2}
    assert take(state, limits=limits, now=later(seconds=59)) == []


@pytest.mark.parametrize("limits", [Queue(batch_size=7), Queue(batch_size=7, concurrency=40, rate=Rate(40, 60))])
def test_workers_that_claim_together_never_take_the_same_job(state, limits):
    made = {a_job(state, tenant).job_id for tenant in ("a", "b", "c") for _ in range(20)}

    def take_all(number):
        taken = []
        for _ in range(8):
            taken += [job.job_id for job in take(state, limits=limits, slot=f"worker-{number}")]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for part in pool.map(take_all, range(4)) for job_id in part]
    assert len(taken) == len(set(taken)) == (40 if limits.concurrency else 60)
    assert set(taken) <= made


def test_a_lost_claim_waits_again_and_its_worker_can_end_it_no_more(state):
    made = a_job(state, max_attempts=1)
    (old,) = take(state)
    assert on(state, claims.take_back_lost, later(seconds=60)) == 0
    assert on(state, claims.take_back_lost, later(seconds=61)) == 1
    assert (look(state, made).status, look(state, made).attempts, look(state, made).losses) == ("waiting", 0, 1)
    (new,) = take(state, now=later(seconds=61), slot="worker-2")
    assert on(state, claims.hold, old.batch_id, [made.job_id]) == {}
    assert on(state, claims.finish, old.batch_id, [made.job_id], NOW) == 0
    assert not on(state, claims.fail, old.batch_id, made.job_id, "late", now=NOW, again=None)
    assert on(state, claims.hand_back, old.batch_id, NOW) == 0
    assert on(state, claims.cancel_held, old.batch_id, [made.job_id], NOW) == 0
    on(state, claims.renew, "worker-1", [old.batch_id], later(days=1))
    assert look(state, made) == new


def test_a_claim_that_is_renewed_is_kept(state):
    made = a_job(state)
    (job,) = take(state)
    on(state, claims.renew, "worker-1", [job.batch_id], later(seconds=100))
    assert on(state, claims.take_back_lost, later(seconds=99)) == 0
    assert look(state, made).claimed_until_us == later(seconds=100)


def test_a_job_that_ends_its_workers_becomes_a_dead_letter(state):
    made = a_job(state)
    for loss in range(1, MAX_LOSSES + 1):
        assert len(take(state)) == 1
        assert on(state, claims.take_back_lost, later(hours=1)) == 1
        assert look(state, made).losses == loss
        assert look(state, made).status == ("failed" if loss == MAX_LOSSES else "waiting"), loss
        on_time = look(state, made).due_us
        assert on_time == later(hours=1)
        every(state).write(lambda c: c.exec_driver_sql("update job set due_us = 0"))
    assert "lost" in look(state, made).last_error


def test_a_failed_attempt_waits_and_the_last_is_a_dead_letter(state):
    made = a_job(state, max_attempts=2)
    (job,) = take(state)
    assert on(state, claims.fail, job.batch_id, job.job_id, "boom", now=NOW, again=later(seconds=5))
    assert take(state, now=later(seconds=4)) == []
    (job,) = take(state, now=later(seconds=5))
    assert (job.is_last_attempt, job.last_error) == (True, "boom")
    assert on(state, claims.fail, job.batch_id, job.job_id, "again", now=later(seconds=6), again=None)
    dead = look(state, made)
    assert (dead.status, dead.last_error, dead.finished_us) == ("failed", "again", later(seconds=6))


def test_what_is_handed_back_has_not_begun(state):
    made = a_job(state)
    (job,) = take(state)
    assert on(state, claims.hand_back, job.batch_id, later(seconds=1)) == 1
    assert (look(state, made).status, look(state, made).attempts, look(state, made).losses) == ("waiting", 0, 0)


def test_results_are_kept_with_their_jobs(state):
    jobs = [a_job(state) for _ in range(3)]
    batch_id = take(state)[0].batch_id
    results = {jobs[0].job_id: {"rows": 1}, jobs[1].job_id: None, jobs[2].job_id: "ok"}
    assert on(state, claims.finish_with, batch_id, results, later(seconds=1)) == 3
    assert [look(state, job).result for job in jobs] == [{"rows": 1}, None, "ok"]
    assert {look(state, job).status for job in jobs} == {"done"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["high", "normal", "low"]), st.integers(-3, 3)), max_size=12
    ),
    st.integers(1, 8),
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from([None, 1, 2]),
)
def test_a_claim_is_what_a_naive_reader_of_the_rules_takes(state, asked, at_most, concurrency, per_tenant):
    every(state).write(lambda c: c.exec_driver_sql("delete from job"))
    jobs = [a_job(state, t, priority=p, due_at=later(seconds=s)) for t, p, s in asked]
    limits = Queue(concurrency=concurrency, concurrency_per_tenant=per_tenant)
    expected = naive(jobs, min(at_most, concurrency or at_most), per_tenant or at_most)
    assert [job.job_id for job in take(state, at_most, limits=limits)] == expected


def naive(jobs, most, of_each):
    due = sorted((job.priority, job.due_us, job.job_id, job.tenant) for job in jobs if job.due_us <= NOW)
    seen = Counter()
    turns = []
    for priority, due_us, job_id, tenant in due:
        seen[tenant] += 1
        if seen[tenant] <= of_each:
            turns.append((seen[tenant], priority, due_us, job_id))
    return [job_id for *_, job_id in sorted(turns)][:most]


def test_jobs_that_are_done_at_once_are_seen_by_nobody_else_and_only_once(state):
    made = {a_job(state, tenant).job_id for tenant in ("a", "b") for _ in range(30)}
    given = []

    def do(connection, items):
        given.extend((job.tenant, job.job_id) for job in items)
        return [job.job_id for job in items]

    bench = Bench(state, lambda: NOW, random_bytes())

    def work(number):
        wanted = Claim(f"worker-{number}", f"at-once-{number}", NOW, 60, ("count",), 7)
        while do_at_once(bench, {"count": Items(do)}, "default", 7, wanted):
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert sorted(job_id for _, job_id in given) == sorted(made)
    with every(state).reading() as connection:
        jobs = actions.list_jobs(connection, None, limit=100)
    assert {(job.status, job.attempts, job.result == job.job_id) for job in jobs} == {("done", 1, True)}


def test_a_handler_sees_only_the_tenant_of_its_jobs_where_the_database_enforces_that(state):
    for tenant in ("a", "b"):
        a_job(state, tenant)
    seen = []

    def do(connection, items):
        tenants = set(connection.scalars(select(job_table.c.tenant)))
        seen.append(({job.tenant for job in items}, tenants))

    wanted = Claim("worker-1", "at-once", NOW, 60, ("count",), 10)
    assert len(do_at_once(Bench(state, lambda: NOW, random_bytes()), {"count": Items(do)}, "default", 10, wanted)) == 2
    expected = [({"a"}, {"a"}), ({"b"}, {"b"})] if state.is_postgresql else [({"a"}, {"a", "b"}), ({"b"}, {"a", "b"})]
    assert seen == expected


def test_where_one_of_them_fails_nothing_has_happened(state):
    made = [a_job(state) for _ in range(3)]

    def do(connection, items):
        connection.execute(job_table.update().values(created_by="effect"))
        raise ValueError

    wanted = Claim("worker-1", "at-once", NOW, 60, ("count",), 10)
    assert do_at_once(Bench(state, lambda: NOW, random_bytes()), {"count": Items(do)}, "default", 10, wanted) is None
    assert [look(state, job) for job in made] == made
