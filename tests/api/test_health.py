import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, text

from tieout.api.app import create_app
from tieout.control import readiness
from tieout.control.readiness import Check, check_state
from tieout.core import metrics
from tieout.store.guards import EVERY_TENANT
from tieout.store.tables.work import breaker, job, worker


class Seconds:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def failed():
    return []


@pytest.fixture
def client(platform, seconds, failed):
    return TestClient(create_app(platform, clock=seconds, failed_loops=lambda: failed), raise_server_exceptions=False)


def add_job(platform, number, *, queue="default", status="waiting", slot=None):
    def add(connection):
        connection.execute(
            insert(job).values(
                job_id=f"{number:036}",
                tenant="acme",
                queue=queue,
                kind="k",
                payload={},
                priority=5,
                status=status,
                due_us=platform.now(),
                attempts=0,
                losses=0,
                max_attempts=5,
                is_cancel_asked=False,
                created_us=platform.now(),
                claimed_by=slot,
            )
        )

    platform.all_tenants.write(add)


def add_worker(platform, slot, **changes):
    row = {
        "slot": slot,
        "process": "host:1:1",
        "roles": ["worker"],
        "version": "0",
        "started_us": platform.now(),
        "heartbeat_us": platform.now(),
        **changes,
    }
    platform.all_tenants.write(lambda connection: connection.execute(insert(worker).values(row)))


def gauges(client):
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) ([\d.e+-]+)$", client.get("/metrics").text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_the_gauges_of_the_runbooks_are_read_from_the_state(platform, client, clock):
    for number, (queue, status, slot) in enumerate(
        [
            ("default", "waiting", None),
            ("ingest", "waiting", None),
            ("ingest", "active", "worker-1"),
            ("billing:webhooks", "failed", None),
            ("default", "done", None),
        ]
    ):
        add_job(platform, number, queue=queue, status=status, slot=slot)
    add_worker(platform, "worker-1", idle_pct=20)
    add_worker(platform, "worker-2", idle_pct=80)
    add_worker(platform, "worker-3", idle_pct=100, stopped_us=platform.now())
    add_worker(platform, "scheduler-1")
    platform.all_tenants.write(
        lambda connection: connection.execute(
            insert(breaker).values(
                integration="tiktok", state="open", failures=5, half_open_probes=0, updated_us=platform.now()
            )
        )
    )
    told = gauges(client)
    assert told["queue_depth"] == 2
    assert told['bull_queue_jobs_waiting{queue="ingest"}'] == 1
    assert told['bull_queue_jobs_active{queue="ingest"}'] == 1
    assert told['bull_queue_jobs_waiting{queue="billing:webhooks"}'] == 0
    assert told['bull_queue_jobs_failed{queue="billing:webhooks"}'] == 1
    assert told["analytics_ingest_buffer_size"] == 1
    assert told["worker_processes"] == 2
    assert told["worker_idle_ratio"] == 0.5
    assert told['breaker_state_total{platform="tiktok",state="open"}'] == 1
    assert told['breaker_state_total{platform="tiktok",state="closed"}'] == 0
    assert told["state_up"] == 1
    clock.pass_time(hours=1)
    fresh = TestClient(create_app(platform))
    assert gauges(fresh)["worker_processes"] == 0


def test_every_gauge_that_is_declared_is_shown(platform, client):
    shown = set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))
    assert {one.name for one in metrics.list_declared()} <= shown


def test_the_state_is_asked_for_metrics_only_every_few_seconds(platform, client, seconds):
    assert gauges(client)["queue_depth"] == 0
    add_job(platform, 1)
    assert gauges(client)["queue_depth"] == 0
    seconds.at = 6
    assert gauges(client)["queue_depth"] == 1


def test_ready_says_what_is_wrong(client, failed):
    assert client.get("/ready").status_code == client.get("/v1/ready").status_code == 200
    failed.append("worker")
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unready")
    assert answer.json()["checks"]["loops"] == {"ok": False, "says": "not running: worker"}
    told = client.get("/health/detailed")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert client.get("/health").json()["status"] == "ok"


def with_settings(platform, **changes):
    return replace(platform, settings=replace(platform.settings, **changes))


def by_name(platform):
    return {check.name: check for check in check_state(platform)}


def test_the_guardrails_hold_on_postgresql_alone(platform):
    wanted = {"state"}
    if platform.state.is_postgresql:
        wanted |= {"staging_backlog", "replica_lag", "cache_hit_ratio"}
    assert set(by_name(platform)) == wanted
    assert all(check.is_ok for check in check_state(platform))


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_backlog_beyond_the_limit_is_refused(platform):
    for number in range(3):
        add_job(platform, number, queue="ingest")
    assert by_name(with_settings(platform, ready_max_backlog=3))["staging_backlog"].is_ok
    told = by_name(with_settings(platform, ready_max_backlog=2))["staging_backlog"]
    assert told == Check("staging_backlog", False, "3 of at most 2", {"analytics_ingest_buffer_size": 3})


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_no_replica_where_one_is_wanted_is_refused(platform):
    told = by_name(with_settings(platform, read_replicas=1))["replica_lag"]
    assert (told.is_ok, told.says) == (False, "0 replicas of 1")


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("lag_s", "is_ok"), [(15.0, True), (15.1, False)])
def test_a_replica_may_lag_for_fifteen_seconds(platform, monkeypatch, lag_s, is_ok):
    rows = f"select 'replica', {lag_s}, 'streaming' union all select 'other', 0.1, 'streaming'"
    monkeypatch.setattr(readiness, "_REPLICAS", text(rows))
    told = by_name(platform)["replica_lag"]
    assert (told.is_ok, told.figures) == (is_ok, {"replicas": 2, "replay_lag_seconds": lag_s})


def test_the_figures_of_the_guardrails_are_gauges(platform, client, monkeypatch):
    monkeypatch.setattr(readiness, "_REPLICAS", text("select 'replica', 15.5, 'streaming'"))
    monkeypatch.setattr(readiness, "_CACHE", text("select 99000, 1000"))
    told = gauges(client)
    names = ("db_replicas", "db_replica_lag_seconds", "db_cache_hit_ratio")
    wanted = [1, 15.5, 0.99] if platform.state.is_postgresql else [None] * 3
    assert [told.get(name) for name in names] == wanted


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("hit", "read", "is_ok"), [(80_000, 20_000, True), (79_999, 20_001, False), (0, 99_999, True)])
def test_a_cache_that_misses_counts_once_enough_was_asked(platform, monkeypatch, hit, read, is_ok):
    monkeypatch.setattr(readiness, "_CACHE", text(f"select {hit}, {read}"))
    assert by_name(platform)["cache_hit_ratio"].is_ok == is_ok


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_guardrail_that_cannot_be_read_is_told_and_does_not_count(platform, monkeypatch):
    monkeypatch.setattr(readiness, "_REPLICAS", text("select * from no_such_view"))
    told = by_name(platform)["replica_lag"]
    assert told.is_ok
    assert "pg_monitor" in told.says


def test_transactions_are_counted_by_tenant_and_statements_timed(platform):
    from tieout.store.observed import observe

    observe(platform.state.engine)
    gauge = metrics.DB_CONNECTIONS_ACTIVE.labels("counted")._value
    timed = metrics.DB_QUERY_DURATION.labels("select", "false")._sum
    before = timed.get()
    with platform.of("counted").reading() as connection:
        connection.execute(text("select 1"))
        assert gauge.get() == 1
    assert gauge.get() == 0
    assert timed.get() > before
    with pytest.raises(ZeroDivisionError):
        platform.of("counted").write(lambda _: 1 / 0)
    assert gauge.get() == 0
    assert EVERY_TENANT == "*"
