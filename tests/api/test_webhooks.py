from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi.testclient import TestClient
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from tests.control.access.people import key_header, trail
from tests.work.outbox.builders import tell
from tests.work.outbox.receiver import receiving
from tieout.api.app import create_app
from tieout.control.audit.verifying import verify
from tieout.control.platform import Platform
from tieout.control.webhooks.jobs import courier_of
from tieout.control.webhooks.rules import MAX_ENDPOINTS
from tieout.core.settings import Settings
from tieout.store.tables import webhook_endpoint
from tieout.work.outbox.delivery import Delivered, deliver_due
from tieout.work.outbox.rules import RETRY_AFTER

ENDPOINTS = "/v1/webhooks/endpoints"


@pytest.fixture
def platform(state, state_url, clock, tmp_path):
    settings = Settings.from_environment(
        {
            "TIEOUT_DATA_DIR": str(tmp_path / "data"),
            "TIEOUT_STATE": state_url,
            "TIEOUT_ACTOR": "ann",
            "TIEOUT_WEBHOOK_ALLOW_HTTP": "1",
            "TIEOUT_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
        }
    )
    settings.data_dir.mkdir(exist_ok=True)
    clock.at = datetime.now(UTC)  # who verifies a signature looks at the clock
    return Platform(settings, state, clock)


@pytest.fixture
def client(platform):
    with TestClient(create_app(platform), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def own(platform):
    return key_header(platform, "t1")


@pytest.fixture
def other(platform):
    return key_header(platform, "t2")


@pytest.fixture
def admin(platform):
    return key_header(platform, "superadmin")


def add(client, headers, receiver, path="/in", **body):
    answer = client.post(ENDPOINTS, json={"url": receiver.url(path), **body}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["data"]


def dead_letter(platform, client, headers, receiver, clock):
    """An endpoint, and an event that it refused until it was given up."""
    endpoint = add(client, headers, receiver)
    receiver.statuses["/in"] = 500
    event_id = tell(platform.state, tenant="t1", now=clock.at)
    for wait in (timedelta(0), *RETRY_AFTER):
        clock.at += wait * 1.1
        deliver_due(courier_of(platform))
    return endpoint, event_id


def listed(client, headers, **query):
    answer = client.get("/v1/webhooks/deliveries", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_an_endpoint_gets_events_signed_with_the_secret_that_was_shown_once(client, platform, own, receiver, clock):
    made = add(client, own, receiver, eventTypes=["pos.*"])
    shown = client.get(f"{ENDPOINTS}/{made['id']}", headers=own).json()["data"]
    assert "secret" not in shown
    assert (shown["eventTypes"], shown["isEnabled"], shown["signing"]) == (["pos.*"], True, "hmac")
    tell(platform.state, tenant="t1", now=clock.at)
    tell(platform.state, "billing.invoice.paid", tenant="t1", now=clock.at)
    assert deliver_due(courier_of(platform)) == Delivered(dispatched=1)
    (got,) = receiver.received
    Webhook(made["secret"]).verify(got.body, got.headers)


def test_the_state_holds_no_secret_in_the_clear(client, platform, own, receiver):
    secret = add(client, own, receiver)["secret"].removeprefix("whsec_")
    raw = base64.b64decode(secret)
    with platform.of("t1").reading() as connection:
        kept = str(connection.scalar(select(webhook_endpoint.c.secrets)))
    assert secret not in kept
    assert raw.hex() not in kept
    assert secret not in str(trail(platform))


def test_ed25519_shows_the_public_key_whenever_asked(client, platform, own, receiver, clock):
    made = add(client, own, receiver, signing="ed25519")
    assert client.get(f"{ENDPOINTS}/{made['id']}", headers=own).json()["data"]["publicKey"] == made["publicKey"]
    tell(platform.state, tenant="t1", now=clock.at)
    deliver_due(courier_of(platform))
    (got,) = receiver.received
    version, _, signature = got.headers["webhook-signature"].partition(",")
    signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(made["publicKey"].removeprefix("whpk_")))
    key.verify(base64.b64decode(signature), signed)
    assert version == "v1a"


def test_after_a_rotation_both_secrets_verify_until_the_overlap_ends(client, platform, own, receiver, clock):
    first = add(client, own, receiver)
    answer = client.post(f"{ENDPOINTS}/{first['id']}/rotate", json={"overlapHours": 1}, headers=own)
    second = answer.json()["data"]
    assert second["secret"] != first["secret"]
    assert len(second["secrets"]) == 2

    def send():
        tell(platform.state, tenant="t1", now=clock.at)
        deliver_due(courier_of(platform))
        return receiver.received[-1]

    got = send()
    for secret in (first["secret"], second["secret"]):
        Webhook(secret).verify(got.body, got.headers)
    began, clock.at = clock.at, clock.at + timedelta(hours=1)
    got = send()
    clock.at = began
    assert len(got.headers["webhook-signature"].split()) == 1
    replaced = client.post(f"{ENDPOINTS}/{first['id']}/rotate", json={"overlapHours": 0}, headers=own).json()["data"]
    got = send()
    Webhook(replaced["secret"]).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(second["secret"]).verify(got.body, got.headers)


def test_a_test_event_goes_to_the_endpoint_whatever_it_wants(client, platform, own, receiver):
    made = add(client, own, receiver, eventTypes=["pos.*"])
    add(client, own, receiver, "/other")
    answer = client.post(f"{ENDPOINTS}/{made['id']}/test", headers=own)
    assert answer.status_code == 202
    deliver_due(courier_of(platform))
    (got,) = receiver.received
    assert (got.path, got.event["type"], got.id) == ("/in", "webhook.ping", answer.json()["data"]["eventId"])
    (delivery,) = listed(client, own)
    assert (delivery["status"], delivery["lastStatusCode"]) == ("dispatched", 204)


def test_an_endpoint_can_be_changed_disabled_and_enabled_and_goes_on_with_what_it_missed(
    client, platform, own, receiver, clock
):
    path = f"{ENDPOINTS}/{add(client, own, receiver)['id']}"
    tell(platform.state, tenant="t1", now=clock.at)
    off = client.patch(path, json={"isEnabled": False}, headers=own).json()["data"]
    assert (off["isEnabled"], off["disabledReason"][:12]) == (False, "Disabled by ")
    assert deliver_due(courier_of(platform)) == Delivered()
    tell(platform.state, tenant="t1", now=clock.at)
    changed = {"isEnabled": True, "url": receiver.url("/new"), "eventTypes": ["*"]}
    on = client.patch(path, json=changed, headers=own).json()["data"]
    assert (on["isEnabled"], on["disabledReason"], on["url"]) == (True, None, receiver.url("/new"))
    assert deliver_due(courier_of(platform)) == Delivered(dispatched=1)
    assert [one.path for one in receiver.received] == ["/new"]


def test_a_deleted_endpoint_is_gone_and_gets_nothing_more(client, platform, own, receiver, clock):
    path = f"{ENDPOINTS}/{add(client, own, receiver)['id']}"
    tell(platform.state, tenant="t1", now=clock.at)
    assert client.delete(path, headers=own).status_code == 204
    assert client.get(path, headers=own).status_code == 404
    assert client.delete(path, headers=own).status_code == 404
    assert client.get(ENDPOINTS, headers=own).json()["meta"]["total"] == 0
    assert deliver_due(courier_of(platform)) == Delivered()
    assert [one["status"] for one in listed(client, own)] == ["canceled"]


def test_an_endpoint_that_cannot_be_is_refused(client, own):
    for body, reason in (
        ({"url": "https://10.0.0.1/"}, "url_refused"),
        ({"url": "https://169.254.169.254/latest"}, "url_refused"),
        ({"url": "ftp://hooks.example.com"}, "url_refused"),
        ({"url": "https://hooks.example.com", "eventTypes": ["POS"]}, "bad_event_pattern"),
        ({"url": "https://hooks.example.com", "eventTypes": ["a..b"]}, "bad_event_pattern"),
    ):
        answer = client.post(ENDPOINTS, json=body, headers=own)
        assert (answer.status_code, answer.json()["error"]["details"]["reason"]) == (400, reason), body


def test_a_body_that_is_not_as_it_must_be_is_refused(client, own):
    for body in ({}, {"url": 1}, {"url": "https://a.example", "eventTypes": []}, {"url": "https://a.example", "x": 1}):
        answer = client.post(ENDPOINTS, json=body, headers=own)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION"), body


def test_a_tenant_has_no_more_endpoints_than_allowed(client, own, receiver):
    for _ in range(MAX_ENDPOINTS):
        add(client, own, receiver)
    answer = client.post(ENDPOINTS, json={"url": receiver.url("/in")}, headers=own)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")


def test_no_tenant_sees_or_touches_anothers_endpoints_and_deliveries(client, platform, own, other, receiver, clock):
    made, event_id = dead_letter(platform, client, own, receiver, clock)
    path = f"{ENDPOINTS}/{made['id']}"
    assert client.get(ENDPOINTS, headers=other).json()["data"] == []
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"isEnabled": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate", {}),
        ("POST", f"{path}/test", None),
        ("POST", f"/v1/ops/outbox/{event_id}/retry", None),
        ("POST", f"/v1/webhooks/deliveries/{listed(client, own)[0]['id']}/skip", None),
    ):
        answer = client.request(method, where, json=body, headers=other)
        assert answer.status_code == 404, (method, where, answer.text)
    assert listed(client, other) == []
    assert client.get("/v1/webhooks/deliveries", params={"tenant": "t1"}, headers=other).status_code == 403
    assert client.get(path, headers=own).json()["data"]["isEnabled"]


@pytest.mark.parametrize("route", ["/ops/outbox/{}/retry", "/v1/ops/outbox/{}/retry"])
def test_a_dead_letter_can_be_delivered_again_and_what_follows_it_goes_on(
    client, platform, own, receiver, clock, route
):
    _, event_id = dead_letter(platform, client, own, receiver, clock)
    tell(platform.state, tenant="t1", now=clock.at)
    (dead,) = listed(client, own, status="failed")
    assert (dead["eventId"], dead["lastError"], dead["failures"]) == (event_id, "It answered 500.", 10)
    receiver.statuses["/in"] = 204
    answer = client.post(route.format(event_id), headers=own)
    assert (answer.status_code, answer.json()["data"]) == (202, {"retried": [dead["id"]]})
    deliver_due(courier_of(platform))
    assert [one["status"] for one in listed(client, own)] == ["dispatched", "dispatched"]
    assert [one.version for one in receiver.received[-2:]] == [1, 2]
    again = client.post(route.format(dead["id"]), headers=own)
    assert again.status_code == 409
    assert client.post(route.format("unknown"), headers=own).status_code == 404


def test_an_administrator_of_the_platform_retries_for_any_tenant(client, platform, own, admin, receiver, clock):
    dead_letter(platform, client, own, receiver, clock)
    (dead,) = listed(client, admin, status="failed", tenant="t1")
    receiver.statuses["/in"] = 204
    assert client.post(f"/ops/outbox/{dead['id']}/retry", headers=admin).status_code == 202
    assert deliver_due(courier_of(platform)) == Delivered(dispatched=1)
    assert trail(platform)[-1][0] == "webhooks.delivery.retried"


def test_who_may_not_retry_does_not(client, platform, own, receiver, clock):
    _, event_id = dead_letter(platform, client, own, receiver, clock)
    reader = key_header(platform, "t1", "ops.outbox.read")
    assert client.post(f"/ops/outbox/{event_id}/retry", headers=reader).status_code == 403
    assert client.post(f"/ops/outbox/{event_id}/retry").status_code == 401
    assert len(listed(client, reader, status="failed")) == 1


def test_a_dead_letter_that_is_skipped_lets_what_follows_go_on(client, platform, own, receiver, clock):
    dead_letter(platform, client, own, receiver, clock)
    tell(platform.state, tenant="t1", now=clock.at)
    receiver.statuses["/in"] = 204
    assert deliver_due(courier_of(platform)) == Delivered()
    (dead,) = listed(client, own, status="failed")
    path = f"/v1/webhooks/deliveries/{dead['id']}/skip"
    assert client.post(path, headers=own).json()["data"]["status"] == "canceled"
    assert client.post(path, headers=own).status_code == 409
    clock.pass_time(seconds=6)
    assert deliver_due(courier_of(platform)) == Delivered(dispatched=1)


def test_deliveries_come_in_pages_that_hold_each_once(client, platform, own, receiver, clock):
    for path in ("/x", "/y", "/z"):
        add(client, own, receiver, path)
    for entity_id in range(5):
        tell(platform.state, tenant="t1", entity_id=str(entity_id), now=clock.at)
    found, following = [], None
    while True:
        query = {"limit": 4} | ({"cursor": following} if following else {})
        answer = client.get("/v1/webhooks/deliveries", params=query, headers=own).json()
        found += [one["id"] for one in answer["data"]]
        following = answer["meta"]["next"]
        if following is None:
            break
    assert len(found) == len(set(found)) == 15
    assert client.get("/v1/webhooks/deliveries", params={"cursor": "nonsense"}, headers=own).status_code == 400
    assert {one["entityId"] for one in listed(client, own, entityId="3")} == {"3"}


def test_each_change_stands_in_the_audit_trail(client, platform, own, receiver):
    made = add(client, own, receiver, "/in?token=hidden")
    path = f"{ENDPOINTS}/{made['id']}"
    client.patch(path, json={"eventTypes": ["pos.*"]}, headers=own)
    client.patch(path, json={"eventTypes": ["pos.*"]}, headers=own)  # changes nothing
    client.post(f"{path}/rotate", headers=own)
    client.post(f"{path}/test", headers=own)
    receiver.statuses["/in?token=hidden"] = 410
    deliver_due(courier_of(platform))
    client.delete(path, headers=own)
    told = [(action, delta) for action, delta in trail(platform) if action.startswith("webhooks.")]
    assert [action.removeprefix("webhooks.endpoint.") for action, _ in told] == [
        *("created", "changed", "secret_rotated", "tested", "disabled", "deleted")
    ]
    assert told[1][1] == {"event_types": {"from": ["*"], "to": ["pos.*"]}}
    assert told[4][1] == {"is_enabled": {"from": True, "to": False}, "reason": "It answered 410 Gone."}
    assert "hidden" not in str(told)
    assert verify(platform.state, "t1").events == len(trail(platform))
