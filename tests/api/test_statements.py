"""Statements sent over the API and loaded by a real worker: the job's result has the exit code of the command."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from tests.api.test_recon import with_settings
from tests.api.test_runs import finished, send
from tests.control.access.people import add_tenant, key_header, trail
from tieout.api.app import create_app
from tieout.books.ads import uploading
from tieout.store.opening import open_store
from tieout.store.state import open_state
from tieout.work.jobs.kinds import Kinds
from tieout.work.worker import Orders, Pace, run_worker

PATH = "/api/v1/recon/statements"
HEAD = b"event_date,app_id,ad_unit_id,country,format,currency,impressions,paid\n"
GOOD = HEAD + b"2025-11-03,one,unit,US,banner,USD,10,1.25\n"
BAD_ROW = GOOD + b"2025-11-03,one,unit,US,banner,USD,many,1.25\n"
DRIFTED = GOOD.replace(b"paid", b"earned_perhaps")


@pytest.fixture
def api(platform):
    open_store(platform.settings, now=platform.now()).close()
    with TestClient(create_app(with_settings(platform)), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def acme(platform):
    add_tenant(platform, "acme")
    return key_header(platform, "acme")


@pytest.fixture
def working(platform):
    stop, state = threading.Event(), open_state(platform.settings.state_url)
    allowed = replace(platform.settings, ads_networks=("admob",))
    orders = Orders(Kinds(uploading.kinds(allowed)), Pace(poll_s=0.05, beat_s=0.2))
    tools = {"now": lambda: datetime.now(UTC), "random_bytes": platform.random_bytes, "stop": stop}
    thread = threading.Thread(target=run_worker, args=(state, orders), kwargs=tools)
    thread.start()
    yield
    stop.set()
    thread.join(60)
    state.close()
    assert not thread.is_alive()


def ask(api, headers, content, **said):
    body = {"network": "admob", "load_id": "l-1", "report_id": "daily"} | send(api, headers, content, "november.csv")
    return api.post(PATH, json=body | said, headers=headers)


def loaded(api, headers, content, **said):
    answer = ask(api, headers, content, **said)
    assert answer.status_code == 202, answer.text
    return finished(api, headers, answer.json()["data"]["jobId"])


def result(api, headers, content, **said):
    told = loaded(api, headers, content, **said)
    assert told["status"] == "done", told
    return told["result"]["exit_code"], told["result"]["outcome"]


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_the_result_of_the_job_says_what_the_exit_code_of_the_command_would(api, acme, working, platform):
    assert result(api, acme, GOOD, dry_run=True) == (0, "dry_run")
    assert result(api, acme, GOOD) == (0, "loaded")
    assert result(api, acme, GOOD) == (0, "already_loaded")
    assert result(api, acme, BAD_ROW, load_id="l-2") == (10, "loaded")
    assert result(api, acme, DRIFTED, load_id="l-3") == (30, "schema_drift")
    assert result(api, acme, GOOD, network="unity") == (40, "network_not_allowed")
    assert result(api, acme, BAD_ROW, restate=True) == (10, "restated")
    failed = loaded(api, acme, GOOD)  # the load has other content by now
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert "load_differs" in failed["last_error"]
    assert [action for action, _ in trail(platform, "acme")].count("recon.statement_sent") == 8
    [run] = [one for one in api.get("/v1/runs", headers=acme).json()["data"] if one["window"] == "admob/l-2"]
    [given] = api.get(f"/v1/runs/{run['id']}", headers=acme).json()["data"]["inputs"]
    assert given["name"] == "november.csv"


def test_a_statement_of_a_stranger_and_one_that_was_never_sent_are_not_there(api, acme, platform):
    add_tenant(platform, "other")
    assert ask(api, acme, GOOD).status_code == 202
    body = {"network": "admob", "load_id": "l", "report_id": "r", "file": "0" * 64}
    assert api.post(PATH, json=body, headers=acme).status_code == 404
    sent = send(api, acme, GOOD, "a.csv")
    assert api.post(PATH, json=body | sent, headers=key_header(platform, "other")).status_code == 404
    for wrong in ({"network": "a/b"}, {"load_id": ""}, {"separator": "|"}, {"file": "../x"}, {"schema_ver": 0}):
        assert api.post(PATH, json=body | sent | wrong, headers=acme).status_code == 400
