"""The platform's own jobs do their work through a worker's hands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.work.builders import NOW, a_job, every, random_bytes
from tests.work.jobs.test_claims import on, take
from tieout.core.settings import Settings
from tieout.store.tables import job
from tieout.work import housekeeping
from tieout.work.jobs import claims
from tieout.work.jobs.batches import Bench, do_batch


@pytest.mark.parametrize("at_once", [2, 100])
def test_retention_deletes_what_every_tenant_finished_long_ago(state, tmp_path: Path, monkeypatch, at_once):
    monkeypatch.setattr(housekeeping, "AT_ONCE", at_once)
    settings = Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path), "TIEOUT_JOB_RETENTION_DAYS": "10"})
    later = NOW + timedelta(days=11)
    for tenant in ("a", "b", "c"):
        made = a_job(state, tenant)
        on(state, claims.finish, take(state)[0].batch_id, [made.job_id], NOW)
    bench = Bench(state, lambda: later, random_bytes(3))
    kinds = housekeeping.kinds(settings, now=lambda: later, random_bytes=random_bytes(3))
    a_job(state, "superadmin", kind=housekeeping.RETENTION, now=later)
    rounds = 0
    while jobs := take(state, now=later, kinds=(housekeeping.RETENTION,)):
        do_batch(bench, kinds, jobs[0].batch_id, jobs)
        rounds += 1
    with every(state).reading() as connection:
        left = connection.execute(select(job.c.kind, func.count()).group_by(job.c.kind)).all()
    assert [tuple(row) for row in left] == [(housekeeping.RETENTION, rounds)]
    assert rounds == (2 if at_once == 2 else 1)
