"""Real worker processes, killed where it hurts: no job is lost and no effect is doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

import tieout
from tests.work.builders import a_job, every
from tests.work.deeds import make_traces
from tieout.store.state import IDLE_TIMEOUT_S, StateUnavailable
from tieout.store.tables import job
from tieout.work.jobs import store
from tieout.work.jobs.actions import submit_many
from tieout.work.jobs.rules import MAX_LOSSES, JobRequest
from tieout.work.slots import list_workers

BOUND_S = 30


def now():
    return datetime.now(UTC)


def until(condition, what="it", bound_s=BOUND_S):
    """Wait for a condition, with a bound; what it returned is returned."""
    end = time.monotonic() + bound_s
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < end, f"waited {bound_s} s for {what}"
        time.sleep(0.02)


class Workers:
    def __init__(self, url, folder):
        self.url, self.folder, self.all = url, folder, []

    def start(self):
        root = Path(__file__).parents[2]
        environment = os.environ | {"PYTHONPATH": f"{Path(tieout.__file__).parents[1]}:{root}"}
        command = [sys.executable, "-m", "tests.work.deeds", self.url, str(self.folder)]
        with (self.folder / f"log-{len(self.all)}").open("w") as log:
            process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self.all.append(process)
        return process

    def logs(self):
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.folder.glob("log-*")))

    def end(self):
        for process in self.all:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "traces"
    made.mkdir()
    return made


@pytest.fixture
def workers(state, state_url, folder):
    make_traces(state)
    made = Workers(state_url, folder)
    yield made
    made.end()
    sys.stderr.write(made.logs())  # shown by pytest where the test failed


def statuses(state):
    with every(state).reading() as connection:
        return Counter(connection.scalars(select(job.c.status)))


def effects(state):
    with every(state).reading() as connection:
        return Counter(connection.scalars(text("select job_id from effect")))


def look(state, made):
    with every(state).reading() as connection:
        return store.find(connection, None, made.job_id)


def slots_of(state):
    with every(state).reading() as connection:
        return [each.slot for each in list_workers(connection)]


def lines(path):
    return path.read_text().split() if path.exists() else []


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def many(state, tenant, jobs, kind="count"):
    requests = [JobRequest(kind, {"n": n}) for n in range(jobs)]
    return state.of(tenant).write(
        lambda connection: submit_many(connection, tenant, requests, now=now(), random_bytes=os.urandom)
    )


def test_two_workers_on_one_queue_do_each_job_once(state, workers):
    workers.start()
    workers.start()
    made = [job.job_id for tenant in ("a", "b", "c") for job in many(state, tenant, 400)]
    until(lambda: statuses(state) == {"done": len(made)}, "all jobs")
    assert effects(state) == dict.fromkeys(made, 1)


def test_a_worker_killed_between_effect_and_mark_leaves_neither(state, workers, folder):
    (folder / "stay").touch()
    made = [a_job(state, kind="hold_on", queue="held", now=now()).job_id for _ in range(5)]
    first = workers.start()
    until(lambda: lines(folder / "in_batch"), "the batch")
    kill(first)
    assert effects(state) == {}
    (folder / "stay").unlink()
    workers.start()
    until(lambda: statuses(state) == {"done": 5}, "the jobs")
    assert effects(state) == dict.fromkeys(made, 1)


def test_bad_items_do_not_hold_back_the_others(state, workers):
    numbers = [*range(1, 13), -1, *range(20, 40), 13]
    made = {n: a_job(state, kind="picky", payload={"n": n}, max_attempts=2, now=now()) for n in numbers}
    workers.start()
    until(lambda: statuses(state) == {"done": 32, "failed": 2}, "the jobs")
    bad, hopeless = look(state, made[-1]), look(state, made[13])
    assert (bad.attempts, bad.last_error) == (2, "ValueError: n is -1")
    assert (hopeless.attempts, hopeless.last_error) == (1, "Hopeless: 13 will never do.")
    assert effects(state) == {job.job_id: 1 for n, job in made.items() if n not in {-1, 13}}
    assert {look(state, job).result == n * 2 for n, job in made.items() if n not in {-1, 13}} == {True}


def test_a_long_job_goes_on_where_its_worker_was_killed(state, workers, folder):
    (folder / "stay_2").touch()
    made = a_job(state, "a", kind="long", queue="long", payload={"steps": 4}, now=now(), max_attempts=1)
    first = workers.start()
    until(lambda: lines(folder / "step_2"), "the step")
    kill(first)
    (folder / "go_2").touch()
    workers.start()
    done = until(lambda: (found := look(state, made)).status == "done" and found, "the job")
    assert done.result == [0, 10, 20, 30]
    assert (done.attempts, done.losses) == (1, 1)
    assert [len(lines(folder / f"step_{n}")) for n in range(4)] == [1, 1, 2, 1]
    assert effects(state) == {made.job_id: 1}


def test_another_worker_takes_a_long_job_over(state, workers, folder):
    (folder / "stay_1").touch()
    made = a_job(state, "a", kind="long", queue="long", payload={"steps": 3}, now=now())
    workers.start()
    workers.start()
    until(lambda: lines(folder / "step_1"), "the step")
    until(lambda: slots_of(state) == ["worker-1", "worker-2"], "both workers")
    holder = look(state, made).claimed_by
    kill(next(process for process in workers.all if str(process.pid) == lines(folder / "step_1")[0]))
    (folder / "go_1").touch()
    done = until(lambda: (found := look(state, made)).status == "done" and found, "the job")
    assert {holder, done.claimed_by} == {"worker-1", "worker-2"}
    assert [len(lines(folder / f"step_{n}")) for n in range(3)] == [1, 2, 1]
    assert effects(state) == {made.job_id: 1}


def test_a_step_that_fails_is_tried_again_and_those_before_it_are_not(state, workers, folder):
    (folder / "fail_1").touch()
    made = a_job(state, "a", kind="long", queue="long", payload={"steps": 3}, now=now(), max_attempts=50)
    workers.start()
    until(lambda: look(state, made).attempts >= 2, "two attempts")
    assert look(state, made).last_error == "ValueError: step 1"
    (folder / "fail_1").unlink()
    done = until(lambda: (found := look(state, made)).status == "done" and found, "the job")
    assert done.result == [0, 10, 20]
    assert len(lines(folder / "step_0")) == 1
    assert len(lines(folder / "step_1")) == done.attempts


def test_a_worker_that_is_told_to_stop_ends_its_batch_and_hands_back_its_long_job(state, workers, folder):
    (folder / "stay").touch()
    (folder / "stay_0").touch()
    long = a_job(state, kind="long", queue="long", payload={"steps": 3}, now=now())
    process = workers.start()
    until(lambda: lines(folder / "step_0"), "the step")
    short = a_job(state, kind="hold_on", queue="held", now=now())
    until(lambda: lines(folder / "in_batch"), "the batch")
    process.terminate()
    (folder / "go_0").touch()
    (folder / "stay").unlink()
    assert process.wait(BOUND_S) == 0
    assert look(state, short).status == "done"
    handed = look(state, long)
    assert (handed.status, handed.attempts, handed.losses) == ("waiting", 0, 0)
    workers.start()
    until(lambda: look(state, long).status == "done", "the job")
    assert len(lines(folder / "step_0")) == 1


def test_a_worker_that_slept_too_long_changes_nothing_when_it_wakes(state, workers, folder):
    (folder / "stay_0").touch()
    made = a_job(state, kind="long", queue="long", payload={"steps": 2}, now=now())
    first = workers.start()
    until(lambda: lines(folder / "step_0"), "the step")
    first.send_signal(signal.SIGSTOP)
    workers.start()
    # It may have been stopped in the midst of a transaction, whose locks PostgreSQL takes from it after a while.
    until(lambda: len(lines(folder / "step_0")) == 2, "the other worker", BOUND_S + IDLE_TIMEOUT_S)
    (folder / "go_0").touch()
    done = until(lambda: (found := look(state, made)).status == "done" and found, "the job")
    first.send_signal(signal.SIGCONT)
    late = a_job(state, kind="long", queue="long", payload={"steps": 2}, now=now())
    until(lambda: look(state, late).status == "done", "a later job")
    assert look(state, made) == done
    assert effects(state) == {made.job_id: 1, late.job_id: 1}


def test_a_job_that_kills_its_workers_becomes_a_dead_letter(state, workers, folder):
    made = a_job(state, kind="deadly", queue="deadly", now=now())

    def ended():
        if not workers.all or workers.all[-1].poll() is not None:
            workers.start()
        return look(state, made).status == "failed"

    until(ended, "the dead letter")
    # Once at once with others, when nobody could know; then it was claimed, and its losses were counted.
    assert len(lines(folder / "deadly")) == MAX_LOSSES + 1
    other = a_job(state, now=now())
    until(lambda: look(state, other).status == "done", "the next job")


def test_the_database_may_be_gone_for_a_while(request, folder):
    from tests.postgres import Postgres, running_postgres
    from tieout.store.state import open_state

    request.getfixturevalue("postgres")  # skips where none is installed
    server: Postgres
    with running_postgres() as server:
        url = server.new_database()
        state = open_state(url)
        make_traces(state)
        workers = Workers(url, folder)
        try:
            process = workers.start()
            many(state, "a", 300)
            until(lambda: statuses(state)["done"] > 0, "the first jobs")
            server.stop(how="immediate")
            with pytest.raises(StateUnavailable):
                a_job(state)
            time.sleep(1)  # long enough for heartbeats and claims to fail
            assert process.poll() is None
            server.start()
            made = many(state, "b", 10)
            until(lambda: statuses(state) == {"done": 310}, "all jobs")
            assert set(effects(state).values()) == {1}
            assert len(effects(state)) == 300 + len(made)
        finally:
            workers.end()
            sys.stderr.write(workers.logs())
            state.close()


def test_hosts_whose_clocks_differ_agree_by_the_clock_of_the_database(state):
    from tieout.work.clock import SharedClock

    fast = SharedClock(state, lambda: now() + timedelta(hours=3))
    fast.set()
    if state.is_postgresql:
        assert abs(fast() - now()) < timedelta(seconds=5)
    else:
        assert fast.ahead == timedelta()  # one host, one clock
