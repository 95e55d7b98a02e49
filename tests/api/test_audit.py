from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from tests.api.conftest import NOW
from tests.control.access.people import key_header, trail
from tests.control.audit.trails import a_trail, note, tamper


@pytest.fixture
def own(platform):
    return key_header(platform, "t1")


@pytest.fixture
def admin(platform):
    return key_header(platform, "superadmin")


def read(client, headers, **query):
    answer = client.get("/v1/audit", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_tenant_reads_its_own_events_the_latest_first(client, platform, own):
    a_trail(platform.state, 3, tenant="t1")
    a_trail(platform.state, 3, tenant="t2")
    found = read(client, own, module="m")["data"]
    assert [event["delta"]["number"] for event in found] == [3, 2, 1]
    assert {event["tenant"] for event in found} == {"t1"}
    one = client.get(f"/v1/audit/{found[0]['id']}", headers=own).json()["data"]
    assert one == found[0]
    assert (one["entityType"], one["ipAddress"], one["createdAt"]) == (
        "thing",
        "203.0.113.9",
        "2026-03-01T12:03:00.000000+00:00",
    )


def test_pages_hold_each_event_once_also_where_instants_are_the_same(client, platform, admin):
    for tenant in ("t1", "t2", "t3"):
        for _ in range(4):
            note(platform.state, tenant)
    found, following = [], None
    while True:
        page = read(client, admin, limit=5, module="m", **({"cursor": following} if following else {}))
        found += [event["id"] for event in page["data"]]
        following = page["meta"]["next"]
        if following is None:
            break
    assert len(found) == len(set(found)) == 12


def test_filters_choose_events(client, platform, own):
    a_trail(platform.state, 4, tenant="t1")
    note(platform.state, "t1", module="billing", action="billing.invoice.created", entity_id="9")
    window = {"from": (NOW + timedelta(minutes=2)).isoformat(), "to": (NOW + timedelta(minutes=4)).isoformat()}
    assert [event["delta"]["number"] for event in read(client, own, **window)["data"]] == [3, 2]
    assert [event["entityId"] for event in read(client, own, action="billing.invoice.created")["data"]] == ["9"]
    assert (
        read(client, own, module="m", entityId="4", entityType="thing", actor="user:ann")["data"][0]["entityId"] == "4"
    )


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"from": "yesterday"}, {"from": "2026-03-01"}, {"cursor": "x"}, {"cursor": "WzFd"}]
)
def test_a_query_that_is_not_as_it_must_be_is_refused(client, own, query):
    answer = client.get("/v1/audit", params=query, headers=own)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")


def test_another_tenants_trail_is_for_administrators(client, platform, own, admin):
    a_trail(platform.state, 2, tenant="t2")
    (event, *_) = read(client, admin, tenant="t2")["data"]
    assert client.get(f"/v1/audit/{event['id']}", headers=admin).status_code == 200
    assert client.get(f"/v1/audit/{event['id']}", headers=own).status_code == 404
    for path in ("/v1/audit", "/v1/audit/export", "/v1/audit/verify"):
        assert client.get(path, params={"tenant": "t2"}, headers=own).status_code == 403
        assert client.get(path).status_code == 401


def test_each_way_to_read_has_its_permission(client, platform):
    reader = key_header(platform, "t1", "audit.events.read")
    assert client.get("/v1/audit", headers=reader).status_code == 200
    assert client.get("/v1/audit/export", headers=reader).status_code == 403
    assert client.get("/v1/audit/verify", headers=reader).status_code == 403


def test_an_export_is_a_file_and_is_itself_noted(client, platform, own):
    a_trail(platform.state, 3, tenant="t1")
    answer = client.get("/v1/audit/export", params={"module": "m"}, headers=own)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert [row["entity_id"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))] == ["1", "2", "3"]
    answer = client.get("/v1/audit/export", params={"format": "ndjson", "module": "m"}, headers=own)
    assert [json.loads(line)["entity_id"] for line in answer.text.splitlines()] == ["1", "2", "3"]
    action, delta = trail(platform)[-1]
    assert (action, delta["format"], delta["module"]) == ("audit.events.exported", "ndjson", "m")


def test_a_broken_chain_is_told(client, platform, own, admin, state_url):
    a_trail(platform.state, 3, tenant="t1")
    (intact,) = client.get("/v1/audit/verify", headers=own).json()["data"]
    assert (intact["isIntact"], intact["tenant"]) == (True, "t1")
    seen = {"seq": intact["events"], "head": intact["head"]}
    assert client.get("/v1/audit/verify", params=seen, headers=own).json()["data"][0]["isIntact"]
    seen["head"] = "0" * 64
    (other,) = client.get("/v1/audit/verify", params=seen, headers=own).json()["data"]
    assert other["problem"] == "not_as_seen"
    tamper(state_url, "update audit_events set actor = 'user:bob' where tenant = 't1' and seq = 2")
    (broken,) = client.get("/v1/audit/verify", headers=own).json()["data"]
    assert (broken["isIntact"], broken["firstBroken"], broken["problem"]) == (False, 2, "changed")
    every = {one["tenant"]: one["isIntact"] for one in client.get("/v1/audit/verify", headers=admin).json()["data"]}
    assert every == {"superadmin": True, "t1": False}
