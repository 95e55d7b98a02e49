"""The stages as durable jobs: what each does with its payload, and that another attempt goes on where one stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from tests.books.ads.builders import NOW, World
from tieout.books.ads import jobs
from tieout.books.ads.backfill import STAGES
from tieout.store.guards import EVERY_TENANT
from tieout.store.tables import job as job_table
from tieout.work.jobs.kinds import Hopeless, InSteps

RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-05 10:00 | 1 | admob"
OURS = "request | at | usd\na | 11-03 10:00 | 100\nb | 11-05 10:00 | 10"
THEIRS = "day | paid\n11-03 | 90\n11-05 | 10"
DAY = {"from": "2025-11-03", "to": "2025-11-04"}


class WorkerLost(BaseException):
    """The worker is lost before a step."""


@dataclass
class KeptSteps:
    """What a handler is handed, with the answers that an earlier attempt left; lost before the step `lost_at`."""

    state: object
    payload: dict
    tenant: str = "default"
    kept: dict = field(default_factory=dict)
    done: list = field(default_factory=list)
    lost_at: str = ""

    def __post_init__(self):
        self.job = SimpleNamespace(payload=self.payload, tenant=self.tenant, created_by="ann", created_us=NOW)

    def now(self):
        return NOW

    def step(self, name, action):
        if name == self.lost_at:
            raise WorkerLost
        if name not in self.kept:
            self.kept[name] = action()
            self.done.append(name)
        return self.kept[name]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.own(RECEIPTS, OURS)
    made.statement(THEIRS)
    yield made
    made.close()


@pytest.fixture
def do(world):
    """Do a job of a kind; return its result and the steps that it took."""
    settings = world.workspace.settings

    def attempt(kind, payload, **more):
        steps = KeptSteps(world.workspace.store.state, payload, **more)
        known = jobs.kinds(settings, is_on=lambda _: True, now=lambda: NOW, random_bytes=os.urandom)[kind]
        assert isinstance(known, InSteps)
        return known.do(steps), steps.done

    return attempt


def windows(world, leg):
    return [run.window.window for run in world.workspace.store.runs.list_current("ads", leg)]


def test_each_stage_is_a_job_of_its_own(do, world):
    expected, _ = do(jobs.EXPECTED, DAY)
    assert (expected["written"], expected["is_reused"]) == (1, False)
    assert do(jobs.MATCH, DAY | {"auto_threshold": "0.9"})[0]["auto"] == 1
    judged, steps = do(jobs.RECONCILE, DAY)
    assert judged["by_kind"] == {"underpay": 1}
    assert judged["run_id"] == world.workspace.store.runs.list_current("ads", "reconcile")[0].run_id
    assert steps == ["run"]
    assert do(jobs.RECONCILE, DAY)[0]["is_reused"]
    assert do(jobs.EXPECTED, DAY | {"dry_run": True})[0]["run_id"] is None


def test_a_backfill_goes_on_where_another_worker_was_lost(do, world):
    payload = DAY | {"dry_run": False}
    kept = {}
    with pytest.raises(WorkerLost):
        do(jobs.BACKFILL, payload, kept=kept, lost_at="reconcile 2025-11-03..2025-11-04")
    assert windows(world, "match") == ["2025-11-03..2025-11-04"]
    assert windows(world, "reconcile") == []
    told, done = do(jobs.BACKFILL, payload, kept=kept)
    assert done[0] == "reconcile 2025-11-03..2025-11-04"
    assert windows(world, "reconcile") == ["2025-11-03..2025-11-04"]
    assert list(told["stages"]) == list(STAGES)
    assert told["stages"]["expected"] == {"seen": 1, "written": 1, "skipped": 0, "left_out": 0}
    assert told["stages"]["reconcile"] == {"deltas": 1, "inserted": 1}
    assert "has no key that signs" in told["stages"]["proofs"]["not_available"]


def test_a_long_backfill_is_a_step_a_day(do, world):
    payload = {"from": "2025-11-02", "to": "2025-11-06", "dry_run": False, "force": True, "yes": True}
    kept, step = {}, "expected 2025-11-04..2025-11-05"
    with pytest.raises(WorkerLost):
        do(jobs.BACKFILL, payload | {"step": "expected"}, kept=kept, lost_at=step)
    told, done = do(jobs.BACKFILL, payload | {"step": "expected"}, kept=kept)
    assert done == [step, "expected 2025-11-05..2025-11-06"]
    assert told["stages"] == {"expected": {"seen": 2, "written": 2, "skipped": 0, "left_out": 0}}


def test_a_dry_run_is_the_default_and_stores_nothing(do, world):
    told, done = do(jobs.BACKFILL, DAY)
    assert done == ["rehearse"]
    assert told["dry_run"] is True
    assert told["stages"]["reconcile"] == {"deltas": 1, "inserted": 0}
    assert windows(world, "expected") == []


def test_days_are_counted_back_from_when_the_job_was_asked_for(do, world):
    told, _ = do(jobs.BACKFILL, {"days": 2, "dry_run": False, "step": "expected"})
    assert told["window"] == "2025-11-18T00:00:00Z..2025-11-20T00:00:00Z"
    assert windows(world, "expected") == ["2025-11-18..2025-11-20"]


def test_receipts_that_are_left_out_stop_a_backfill(do, world):
    world.own(RECEIPTS + "\nc | 11-03 11:00 | 1 | admob", OURS)
    told, _ = do(jobs.BACKFILL, DAY | {"dry_run": False, "limit": 1})
    assert told["stopped_after"] == "expected"
    assert windows(world, "match") == []


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (jobs.EXPECTED, {}),
        (jobs.EXPECTED, DAY | {"limit": 0}),
        (jobs.MATCH, DAY | {"min_conf": "2"}),
        (jobs.RECONCILE, DAY),
        (jobs.BACKFILL, {"from": "2025-11-01", "to": "2025-12-01"}),
        (jobs.BACKFILL, DAY | {"dry_run": False, "step": "reconcile"}),
    ],
)
def test_what_the_asker_has_to_mend_is_not_tried_again(do, kind, payload):
    with pytest.raises(Hopeless):
        do(kind, payload)


def test_every_day_each_tenant_that_is_switched_on_gets_a_backfill(world, tmp_path):
    state = world.workspace.store.state.of(EVERY_TENANT)
    for tenant in ("acme", "closed"):
        other = World(tmp_path, tenant=tenant)
        other.own(RECEIPTS, OURS)
        other.close()
    [schedule] = jobs.SCHEDULES
    kinds = jobs.kinds(
        world.workspace.settings,
        is_on=lambda tenant: tenant != "closed",
        now=lambda: NOW,
        random_bytes=os.urandom,
    )
    tick = SimpleNamespace(job_id="tick-1", payload=schedule.payload, created_us=datetime(2025, 11, 20, 2, tzinfo=UTC))
    for _ in range(2):  # an attempt that is repeated asks once
        state.write(lambda connection: kinds[schedule.kind].do(connection, [tick]))
    with state.reading() as connection:
        asked = connection.execute(select(job_table.c.tenant, job_table.c.kind, job_table.c.payload)).all()
    assert sorted((row.tenant, row.kind) for row in asked) == [("acme", "ads.backfill"), ("default", "ads.backfill")]
    request = jobs.request_of(asked[0].payload, on=date(2025, 11, 25))
    assert request.period.window == "2025-11-12..2025-11-20"
    assert not request.is_dry_run
