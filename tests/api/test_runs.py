"""Files sent, compared by a real worker, and looked at: over the API alone, each tenant its own."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from sqlalchemy import select

from tests.control.access.people import add_tenant, key_header
from tieout.books.compare import jobs
from tieout.store.opening import open_store
from tieout.store.state import open_state
from tieout.store.tables import audit_events, job
from tieout.work.jobs.kinds import Kinds
from tieout.work.worker import Orders, Pace, run_worker

OURS = b"id,date,amount\n" + b"".join(b"T%d,2026-02-%02d,%d.50\n" % (n, 1 + n % 28, 100 + n) for n in range(40))
THEIRS = OURS.replace(b"T7,2026-02-08,107.50", b"T7,2026-02-08,106.25").replace(b"T9,2026-02-10,109.50\n", b"")
NO_TABLE = b"\x00\x01\x02 this is no table"


@pytest.fixture
def headers(platform):
    """How two tenants call; the data folder belongs to the state."""
    open_store(platform.settings, now=platform.now()).close()
    for tenant in ("acme", "other"):
        add_tenant(platform, tenant)
    return {tenant: key_header(platform, tenant) for tenant in ("acme", "other", "superadmin")}


@pytest.fixture
def working(platform):
    """A worker at work on comparisons, as `tieout serve` runs it: with a connection of its own."""
    stop, state = threading.Event(), open_state(platform.settings.state_url)
    orders = Orders(Kinds(jobs.kinds(platform.settings)), Pace(poll_s=0.05, beat_s=0.2))
    tools = {"now": lambda: datetime.now(UTC), "random_bytes": platform.random_bytes, "stop": stop}
    thread = threading.Thread(target=run_worker, args=(state, orders), kwargs=tools)
    thread.start()
    yield
    stop.set()
    thread.join(60)
    state.close()
    assert not thread.is_alive()


def send(client, headers, content, name):
    answer = client.post("/v1/files", params={"name": name}, content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"] == {"file": sha256(content).hexdigest(), "name": name, "bytes": len(content)}
    return {"file": answer.json()["data"]["file"]}


def ask(client, headers, *, key=None, **body):
    return client.post(
        "/v1/comparisons", json=body, headers=headers | ({"Idempotency-Key": key} if key is not None else {})
    )


def finished(client, headers, job_id):
    """Wait for a job to end."""
    ended = threading.Event()
    for _ in range(600):
        told = client.get(f"/v1/ops/jobs/{job_id}", headers=headers).json()["data"]
        if told["status"] in {"done", "failed", "canceled"}:
            return told
        ended.wait(0.1)
    raise AssertionError(told)


def test_two_files_are_sent_compared_and_looked_at(client, platform, headers, working):
    acme = headers["acme"]
    body = {"ours": send(client, acme, OURS, "ours.csv"), "theirs": send(client, acme, THEIRS, "theirs.csv")}
    accepted = ask(client, acme, **body, options={"on": ["id"]})
    assert accepted.status_code == 202, accepted.text
    done = finished(client, acme, accepted.json()["data"]["jobId"])
    assert done["status"] == "done", (done["last_error"], done["losses"], done["attempts"])
    assert done["result"]["result"] == "differences"

    run_id = done["result"]["run_id"]
    [listed] = client.get("/v1/runs", headers=acme).json()["data"]
    assert (listed["id"], listed["status"], listed["leg"]) == (run_id, "published", "ours.csv ~ theirs.csv")
    shown = client.get(f"/v1/runs/{run_id[:12]}", headers=acme).json()["data"]
    assert [one["file"] for one in shown["inputs"]] == [body["ours"]["file"], body["theirs"]["file"]]
    assert shown["summary"]["matched"]["matches"] == 39
    deltas = client.get(f"/v1/runs/{run_id}/deltas", headers=acme).json()["data"]
    assert [(one["kind"], one["amount"]) for one in deltas] == [("missing", "109.500000"), ("underpay", "1.250000")]
    only = client.get(f"/v1/runs/{run_id}/deltas", headers=acme, params={"kind": "underpay", "limit": 1}).json()
    assert [one["ours_row"] for one in only["data"]] == [8]
    report = client.get(f"/v1/runs/{run_id}/report", headers=acme)
    assert report.headers["content-type"].startswith("text/html")
    assert "109.50" in report.text
    kept = client.get(f"/v1/runs/{run_id}/files/delta", headers=acme)
    said = {one["name"]: one["sha256"] for one in shown["files"]}
    assert sha256(kept.content).hexdigest() == said["delta"]

    again = finished(client, acme, ask(client, acme, **body, options={"on": ["id"]}).json()["data"]["jobId"])
    assert again["result"] == {"run_id": run_id, "result": "differences", "is_reused": True}


def test_what_one_tenant_sent_and_ran_no_other_sees(client, platform, headers, working):
    acme, other = headers["acme"], headers["other"]
    sent = {"ours": send(client, acme, OURS, "ours.csv"), "theirs": send(client, acme, THEIRS, "theirs.csv")}
    job_id = ask(client, acme, **sent).json()["data"]["jobId"]
    run_id = finished(client, acme, job_id)["result"]["run_id"]
    stolen = ask(client, other, **sent)
    assert (stolen.status_code, stolen.json()["error"]["details"]["reason"]) == (404, "artifact_unknown")
    assert client.get("/v1/runs", headers=other).json()["data"] == []
    for path in ("", "/deltas", "/report", "/files/delta"):
        assert client.get(f"/v1/runs/{run_id}{path}", headers=other).status_code == 404
    assert client.get(f"/v1/ops/jobs/{job_id}", headers=other).status_code == 404


def test_a_key_makes_a_repeat_the_same_job_and_is_on_record_once(client, platform, headers):
    acme = headers["acme"]
    body = {"ours": send(client, acme, OURS, "a.csv"), "theirs": send(client, acme, THEIRS, "b.csv")}
    first, second = (ask(client, acme, key="k-1", **body).json()["data"]["jobId"] for _ in range(2))
    assert first == second
    other = ask(client, acme, key="k-1", **body, options={"window_days": 3})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CONFLICT")
    with platform.of("acme").reading() as connection:
        assert len(connection.execute(select(job)).all()) == 1
        asked = select(audit_events.c.entity_id).where(audit_events.c.action == "recon.compare_asked")
        assert connection.scalars(asked).all() == [first]


def test_what_cannot_be_compared_is_a_dead_letter_that_says_why_and_is_not_tried_again(client, headers, working):
    acme = headers["acme"]
    body = {"ours": send(client, acme, NO_TABLE, "ours.bin"), "theirs": send(client, acme, THEIRS, "theirs.csv")}
    told = finished(client, acme, ask(client, acme, **body).json()["data"]["jobId"])
    assert (told["status"], told["attempts"]) == ("failed", 1)
    assert "ours.bin" in told["last_error"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"ours": {"file": "0" * 64}}, 404),
        ({"ours": {"file": "../../etc/passwd"}}, 400),
        ({"ours": {"file": "A" * 64}}, 400),
        ({"options": {"tolerance": ["a lot"]}}, 400),
        ({"options": {"window_days": -1}}, 400),
        ({"options": {"unknown": 1}}, 400),
        ({"more": 1}, 400),
    ],
)
def test_bad_input_is_refused_at_once(client, headers, change, status):
    acme = headers["acme"]
    body = {"ours": send(client, acme, OURS, "a.csv"), "theirs": send(client, acme, THEIRS, "b.csv")} | change
    answer = ask(client, acme, **body)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["", "a/b.csv", "..\\x", "a\nb", "x" * 201])
def test_a_name_is_a_name_and_no_path(client, headers, name):
    answer = client.post("/v1/files", params={"name": name}, content=OURS, headers=headers["acme"])
    assert answer.status_code == 400


def test_nothing_is_left_of_a_file_that_is_too_large(client, platform, headers):
    large = b"x" * (platform.settings.max_upload_bytes + 1)
    answer = client.post("/v1/files", params={"name": "a.csv"}, content=large, headers=headers["acme"])
    assert answer.status_code == 413
    assert not list((platform.settings.data_dir / "incoming").glob("sent-*"))


def test_an_unknown_run_fact_or_beginning_is_told_apart(client, headers):
    for path in ("/v1/runs/abcdef", "/v1/runs/abcdef/deltas", "/v1/runs/abcdef/files/delta"):
        answer = client.get(path, headers=headers["acme"])
        assert (answer.status_code, json.loads(answer.text)["error"]["details"]["reason"]) == (404, "run_unknown")
