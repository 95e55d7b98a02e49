"""Backfills of the ads book over the API: accepted once, guarded, and done by a real worker."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests.control.access.people import add_tenant, key_header
from tieout.books.ads import jobs
from tieout.control.flags.actions import set_flag
from tieout.core.actor import Actor
from tieout.store.opening import open_store
from tieout.store.state import open_state
from tieout.store.tables import audit_events, job
from tieout.work.jobs.kinds import Kinds
from tieout.work.worker import Orders, Pace, run_worker

PATH = "/api/v1/recon/backfills"
DAY = {"from": "2026-02-03T00:00:00Z", "to": "2026-02-04T00:00:00Z"}


@pytest.fixture
def acme(platform):
    """How a tenant calls for which the book is switched on."""
    open_store(platform.settings, now=platform.now()).close()
    add_tenant(platform, "acme")
    set_flag(platform, Actor("account:ann"), "VRA_ENABLED", value=True, tenant="acme", reason="a test")
    return key_header(platform, "acme")


def test_a_backfill_is_accepted_once_by_its_key_and_is_on_record(client, platform, acme):
    first, second = (client.post(PATH, json=DAY, headers=acme | {"Idempotency-Key": "november"}) for _ in range(2))
    assert first.status_code == 202, first.text
    assert first.json()["success"] is True
    assert first.json()["data"]["jobId"] == second.json()["data"]["jobId"]
    with platform.of("acme").reading() as connection:
        [accepted] = connection.execute(select(job)).all()
        on_record = connection.scalars(
            select(audit_events.c.entity_id).where(audit_events.c.action == "recon.backfill_asked")
        ).all()
    assert on_record == [accepted.job_id]
    assert (accepted.kind, accepted.queue, accepted.payload["dry_run"]) == ("ads.backfill", "recon", True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"from": "2026-02-05"}, "from must be <= to"),
        ({"from": "yesterday"}, "Invalid --from timestamp"),
        ({"from": "2026-01-05"}, "window exceeds 3 days"),
        ({"force": True}, "--force requires --yes"),
        ({"limit": 10_001}, "--limit exceeds 10000"),
        ({"limit": 0}, ""),
        ({"step": "everything"}, ""),
        ({"more": 1}, ""),
    ],
)
def test_the_guards_of_the_command_hold_here_too(client, platform, acme, change, words):
    answer = client.post(PATH, json=DAY | change, headers=acme)
    assert answer.status_code == 400
    assert words in answer.text
    with platform.of("acme").reading() as connection:
        assert connection.execute(select(job)).all() == []


def test_it_is_not_there_where_the_book_is_switched_off(client, platform, acme):
    add_tenant(platform, "other")
    assert client.post(PATH, json=DAY, headers=key_header(platform, "other")).status_code == 404
    assert client.post(PATH, json=DAY).status_code == 404


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_a_worker_does_it(client, platform, acme):
    asked = client.post(PATH, json=DAY | {"dry_run": False}, headers=acme).json()["data"]["jobId"]
    stop, state = threading.Event(), open_state(platform.settings.state_url)
    tools = {"now": lambda: datetime.now(UTC), "random_bytes": platform.random_bytes}
    known = jobs.kinds(platform.settings, is_on=lambda _: True, **tools)
    orders = Orders(Kinds(known), Pace(poll_s=0.05, beat_s=0.2))
    thread = threading.Thread(target=run_worker, args=(state, orders), kwargs=tools | {"stop": stop})
    thread.start()
    try:
        for _ in range(300):
            told = client.get(f"/v1/ops/jobs/{asked}", headers=acme).json()["data"]
            if told["status"] in {"done", "failed"}:
                break
            stop.wait(0.1)
    finally:
        stop.set()
        thread.join(60)
        state.close()
    assert told["status"] == "done", told
    assert told["result"]["stages"]["expected"] == {"seen": 0, "written": 0, "skipped": 0, "left_out": 0}
    runs = client.get("/v1/runs", headers=acme).json()["data"]
    assert {run["leg"] for run in runs} == {"expected", "match", "reconcile"}
