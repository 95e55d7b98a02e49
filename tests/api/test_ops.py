"""Jobs, schedules and breakers over the API: each tenant its own, the platform all, and every change on record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.api.conftest import NOW
from tests.control.access.people import add_tenant, caller, key_header
from tests.work.builders import a_job, every
from tests.work.jobs.test_actions import a_dead_letter
from tieout.control.access.caller import NotAllowed
from tieout.control.ops import actions
from tieout.store.tables import audit_events
from tieout.work.breaker.actions import failed
from tieout.work.breaker.rules import BreakerPolicy
from tieout.work.housekeeping import SCHEDULES
from tieout.work.schedules.actions import declare, fire_due


@pytest.fixture
def headers(platform):
    """How a tenant and the platform call."""
    for tenant in ("acme", "other"):
        add_tenant(platform, tenant)
    return {tenant: key_header(platform, tenant) for tenant in ("acme", "other", "superadmin")}


def test_a_tenant_lists_its_own_jobs_and_the_platform_all(client, state, headers):
    mine, theirs = a_job(state, "acme", payload={"secret": 1}), a_job(state, "other", queue="q")

    def listed(who, **asked):
        answer = client.get("/v1/ops/jobs", headers=headers[who], params=asked)
        assert answer.status_code == 200, answer.text
        return {job["id"] for job in answer.json()["data"]}

    assert listed("acme") == {mine.job_id}
    assert listed("acme", tenant="other") == set()
    assert listed("superadmin") == {mine.job_id, theirs.job_id}
    assert listed("superadmin", tenant="other") == {theirs.job_id}
    assert listed("superadmin", queue="q", status="waiting") == {theirs.job_id}
    assert "secret" not in client.get("/v1/ops/jobs", headers=headers["acme"]).text


def test_pages_follow_each_other(client, state, headers):
    made = [a_job(state, "acme", now=NOW + timedelta(seconds=n)).job_id for n in range(5)]
    seen, before = [], None
    while True:
        asked = {"limit": 2} | ({"before": before} if before else {})
        page = client.get("/v1/ops/jobs", headers=headers["acme"], params=asked).json()
        seen += [job["id"] for job in page["data"]]
        before = page["meta"]["next_before"]
        if before is None:
            break
    assert seen == made[::-1]


def test_a_job_is_shown_tried_again_and_cancelled_and_that_is_on_record(client, platform, state, headers):
    dead = a_dead_letter(state, payload={"n": 7})
    address = f"/v1/ops/jobs/{dead.job_id}"
    shown = client.get(address, headers=headers["acme"]).json()["data"]
    assert (shown["status"], shown["payload"], shown["last_error"]) == ("failed", {"n": 7}, "boom")
    assert client.post(f"{address}/retry", headers=headers["acme"]).json()["data"]["status"] == "waiting"
    assert client.post(f"{address}/retry", headers=headers["acme"]).status_code == 409
    assert client.post(f"{address}/cancel", headers=headers["acme"]).json()["data"]["status"] == "canceled"
    with platform.of("acme").reading() as connection:
        told = connection.execute(
            select(audit_events.c.action, audit_events.c.delta)
            .where(audit_events.c.module == "ops")
            .order_by(audit_events.c.seq)
        ).all()
    assert [tuple(row) for row in told] == [
        ("ops.job_retried", {"kind": "count", "before": "failed", "after": "waiting"}),
        ("ops.job_canceled", {"kind": "count", "before": "waiting", "after": "canceled"}),
    ]


def test_the_job_of_another_tenant_is_not_there(client, state, headers):
    dead = a_dead_letter(state, "other")
    address = f"/v1/ops/jobs/{dead.job_id}"
    answers = [client.get(address, headers=headers["acme"])]
    answers += [client.post(f"{address}/{verb}", headers=headers["acme"]) for verb in ("retry", "cancel")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert client.post(f"{address}/retry", headers=headers["superadmin"]).status_code == 200


def test_schedules_are_the_platforms(client, state, headers):
    every(state).write(lambda connection: declare(connection, SCHEDULES, NOW))
    fire_due(state, now=NOW + timedelta(hours=1), random_bytes=lambda n: b"x" * n)
    for address in ("/v1/ops/schedules", "/v1/ops/schedules/retention/ticks"):
        assert client.get(address, headers=headers["acme"]).status_code == 403
    (shown,) = client.get("/v1/ops/schedules", headers=headers["superadmin"]).json()["data"]
    assert (shown["name"], shown["last_lag_ms"]) == ("retention", 43 * 60 * 1000)
    ticks = client.get("/v1/ops/schedules/retention/ticks", headers=headers["superadmin"]).json()["data"]
    assert [tick["skipped_because"] for tick in ticks] == [None]
    run = client.post("/v1/ops/schedules/retention/run", headers=headers["superadmin"])
    assert (run.status_code, run.json()["data"]["kind"]) == (202, "platform.retention")
    assert client.post("/v1/ops/schedules/none/run", headers=headers["superadmin"]).status_code == 404


def test_breakers_are_shown(client, state, headers):
    for _ in range(5):
        failed(state, "reddit", policy=BreakerPolicy(), now=NOW)
    assert client.get("/v1/ops/breakers", headers=headers["acme"]).json()["data"] == {
        "reddit": {"failures": 5, "state": "open", "opened_at": NOW.isoformat(), "half_open_probes": 0}
    }


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("/v1/ops/jobs", {"status": "lost"}),
        ("/v1/ops/jobs", {"queue": "a b"}),
        ("/v1/ops/jobs", {"before": "\u0000"}),
        ("/v1/ops/jobs", {"limit": 0}),
        ("/v1/ops/jobs/..%2f..", {}),
    ],
)
def test_malformed_questions_are_refused(client, headers, address, asked):
    assert client.get(address, headers=headers["acme"], params=asked).status_code in (400, 404)


@pytest.mark.parametrize(
    ("permission", "action", "given"),
    [
        ("ops.jobs.read", actions.list_jobs, ()),
        ("ops.jobs.read", actions.get_job, ("x",)),
        ("ops.jobs.retry", actions.retry_job, ("x",)),
        ("ops.jobs.cancel", actions.cancel_job, ("x",)),
        ("ops.breakers.read", actions.breakers, ()),
        ("superadmin.schedules.read", actions.list_schedules, ()),
        ("superadmin.schedules.run", actions.run_schedule, ("x",)),
    ],
)
def test_each_action_asks_for_its_permission(platform, permission, action, given):
    with pytest.raises(NotAllowed) as refused:
        action(platform, caller("superadmin", "pos.*"), *given)
    assert refused.value.subject == permission
