import json
import threading
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tieout.api.access import open_to_all, signed_in
from tieout.api.app import create_app
from tieout.api.limits import limited
from tieout.control.access.caller import Caller
from tieout.core import metrics
from tieout.core.actor import Actor


class Thing(BaseModel):
    value: Any
    number: int = 0


probe = APIRouter(dependencies=[Depends(open_to_all)])


@probe.post("/v1/things/{name}")
def keep(name: str, thing: Thing) -> dict[str, Any]:
    return {"data": {"name": name, "value": thing.value}}


@probe.get("/v1/things/{name}")
def show(name: str, number: int = 0) -> dict[str, Any]:
    return {"data": {"name": name, "number": number}}


@probe.post("/upload")
async def upload(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@probe.get("/fault/{kind}")
def fault(kind: str) -> None:
    raise {
        "bug": ValueError("for joe@example.com"),
        "gone": OperationalError("select", {}, Exception("gone")),
        "pool": PoolTimeout("pool"),
        "big": OverflowError("int too large"),
    }[kind]


released = threading.Event()


@probe.get("/slow")
def slow() -> dict[str, str]:
    released.wait(30)
    return {"late": "answer"}


@probe.post("/login-like", dependencies=[Depends(limited("reconciliation_run"))])
def run(caller: Annotated[Caller, Depends(signed_in)]) -> dict[str, str]:
    return {"tenant": caller.tenant}


class Seconds:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def open_client(platform, seconds):
    opened = []

    def opener(base_url="http://testserver", **settings):
        chosen = replace(platform, settings=replace(platform.settings, **settings))
        app = create_app(chosen, clock=seconds)
        app.include_router(probe)
        client = TestClient(app, base_url=base_url, raise_server_exceptions=False)
        opened.append(client)
        return client

    yield opener
    for client in opened:
        client.close()


@pytest.fixture
def state_url(tmp_path):
    """The edge does not touch the state: one kind is enough."""
    return f"sqlite:///{tmp_path / 'data' / 'state.db'}"


JSON = {"content-type": "application/json"}


def test_a_sane_request_id_is_taken_over_and_told_with_errors(open_client):
    client = open_client()
    answer = client.get("/v1/nothing", headers={"X-Request-ID": "from-caller.1"})
    assert answer.headers["x-request-id"] == "from-caller.1"
    assert answer.json()["error"]["request_id"] == "from-caller.1"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "a\tb", "<script>", "é".encode("latin-1"), "-a"])
def test_any_other_request_id_is_replaced(open_client, given):
    headers = {} if given is None else {"X-Request-ID": given}
    made = open_client().get("/health", headers=headers).headers["x-request-id"]
    assert made != given
    assert len(made) == 36


def test_every_answer_carries_the_safety_headers(open_client):
    client = open_client()
    for answer in (client.get("/health"), client.get("/nothing"), client.get("/fault/bug")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
        assert len(answer.headers["x-request-id"]) == 36
    assert "max-age" in open_client("https://testserver").get("/health").headers["strict-transport-security"]


def test_no_other_site_may_call(open_client):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = open_client().options("/v1/things/a", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_method_that_a_path_does_not_know_is_405_with_those_it_knows(open_client):
    answer = open_client().delete("/v1/things/a")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_a_fault_tells_nothing_but_its_request_id(open_client):
    answer = open_client().get("/fault/bug")
    assert answer.status_code == 500
    assert answer.json() == {
        "success": False,
        "error": "Internal error",
        "code": "INTERNAL",
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(("kind", "status"), [("gone", 503), ("pool", 503), ("big", 400)])
def test_what_the_database_cannot_do_is_said(open_client, kind, status):
    answer = open_client().get(f"/fault/{kind}")
    assert answer.status_code == status
    assert answer.json()["code"] == {503: "UNAVAILABLE", 400: "VALIDATION"}[status]


NESTED = b"[" * 200 + b"]" * 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"value": NaN}',
        b'{"value": Infinity}',
        b'{"value": "\\ud800"}',
        b'{"value": "\xff"}',
        b'{"value": "a\\u0000b"}',
        b'{"value": {"a\\u0000": 1}}',
        b'{"value": ' + NESTED + b"}",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"",
        b'{"number": "x", "value": 1}',
        b'{"number": 1e400, "value": 1}',
        b'{"number": ' + b"9" * 5000 + b', "value": 1}',
        b'\xef\xbb\xbf{"value": 1}',
        '{"value": 1}'.encode("utf-16"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(open_client, body):
    answer = open_client().post("/v1/things/a", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION"


def test_what_only_looks_strange_is_taken(open_client):
    value = {"text": "a\\u0000b 🙂", "deep": json.loads("[" * 40 + "]" * 40), "wide": [[]] * 500}
    answer = open_client().post("/v1/things/a", json={"value": value})
    assert answer.json()["data"]["value"] == value


@pytest.mark.parametrize("path", ["/v1/things/a%00b", "/v1/things/a?number=1%00", "/%00"])
def test_a_nul_in_the_address_is_refused(open_client, path):
    answer = open_client().get(path)
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/v1/things/%ff%fe", "/v1/things/%ed%a0%80", "/v1/things/a?number=" + "9" * 400])
def test_odd_addresses_are_no_fault(open_client, path):
    assert open_client().get(path).status_code in (200, 400)


def test_a_body_beyond_the_limit_is_refused_by_its_length(open_client):
    client = open_client(max_body_bytes=10)
    answer = client.post("/v1/things/a", json={"value": "x" * 20})
    assert answer.status_code == 413
    assert answer.json()["error"]["details"] == {"reason": "body_too_large", "limit": 10}
    assert client.post("/upload", content=b"x" * 20, headers={"content-type": "text/csv"}).json() == {"bytes": 20}


@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_a_body_beyond_the_limit_is_refused_while_it_comes(open_client, kind):
    def parts():
        for _ in range(5):
            yield b"[[[[[[["

    client = open_client(max_body_bytes=10, max_upload_bytes=10)
    answer = client.post("/upload", content=parts(), headers={"content-type": kind})
    assert answer.status_code == 413
    assert answer.json()["code"] == "VALIDATION"


def test_a_request_that_takes_too_long_is_refused_and_its_late_answer_dropped(open_client):
    released.clear()
    client = open_client(request_timeout_s=0.05)
    waiting = threading.Timer(0.5, released.set)
    waiting.start()
    answer = client.get("/slow")
    waiting.join()
    assert answer.status_code == 503
    assert answer.json()["code"] == "UNAVAILABLE"
    assert len(answer.headers["x-request-id"]) == 36


def test_the_limit_of_a_minute_is_counted_down_and_then_refused(open_client, seconds):
    client = open_client(rate_limit_rpm=2)
    seconds.at = 30
    first = client.get("/v1/things/a")
    assert first.headers["x-ratelimit-limit"] == "2"
    assert first.headers["x-ratelimit-remaining"] == first.headers["ratelimit-remaining"] == "1"
    assert first.headers["x-ratelimit-reset"] == "30"
    client.get("/v1/things/a")
    refused = client.get("/v1/things/a")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.json()["error"]["code"] == "RATE_LIMIT"
    assert "Rate limit exceeded for category 'v1'" in refused.json()["error"]["message"]
    assert client.get("/v1/things/a", headers={"Authorization": "Bearer other"}).status_code == 200
    assert client.get("/health").status_code == 200
    seconds.at = 60
    assert client.get("/v1/things/a").status_code == 200


def test_attempts_to_sign_in_are_limited_by_address_whatever_token_they_carry(open_client):
    client = open_client(rate_limit_login_rpm=3)
    told = [
        client.post("/auth/login", json={}, headers={"Authorization": f"Bearer {number}"}).status_code
        for number in range(5)
    ]
    assert told[3:] == [429, 429]
    assert 429 not in told[:3]


def test_memory_for_limits_is_bounded(open_client, monkeypatch):
    monkeypatch.setattr("tieout.api.limits.MAX_KEYS", 3)
    client = open_client(rate_limit_rpm=5)
    told = [
        client.get("/v1/things/a", headers={"Authorization": f"Bearer {number}"}).status_code for number in range(20)
    ]
    assert told == [200] * 8 + [429] * 12


def test_only_the_hosts_of_the_server_are_answered(open_client):
    client = open_client(trusted_hosts=("api.example.com", "[::1]"))
    for host, status in [
        ("api.example.com", 200),
        ("API.example.com:8000", 200),
        ("[::1]:80", 200),
        ("evil.com", 400),
        ("", 400),
    ]:
        assert client.get("/health", headers={"Host": host}).status_code == status


def test_requests_are_counted_by_the_template_of_their_route(open_client):
    client = open_client()
    client.get("/v1/things/some-thing")
    client.request("BREW", "/v1/things/other-thing")
    client.get("/no/such/path")
    text = metrics.render().decode()
    assert 'method="GET",route="/v1/things/{name}",service="api",status_code="200"' in text
    assert 'method="other",route="/v1/things/{name}",service="api",status_code="405"' in text
    assert 'method="GET",route="unmatched",service="api",status_code="404"' in text
    assert "some-thing" not in text
    assert "other-thing" not in text


def test_a_route_may_have_a_limit_of_its_own(open_client, monkeypatch):
    caller = Caller("acme", Actor("key:1"), ("*",))
    monkeypatch.setattr("tieout.api.access.recognise", lambda *_: caller)
    client = open_client()
    told = [client.post("/login-like") for _ in range(12)]
    assert [answer.status_code for answer in told] == [200] * 10 + [429] * 2
    assert told[-1].json()["details"]["subject"] == "reconciliation_run"


def test_a_tenant_has_a_limit_over_all_its_keys(open_client, monkeypatch):
    caller = Caller("acme", Actor("key:1"), ("*",))
    monkeypatch.setattr("tieout.api.access.recognise", lambda *_: caller)
    client = open_client(rate_limit_tenant_rpm=2)
    told = [client.post("/login-like", headers={"Authorization": f"Bearer {number}"}) for number in range(3)]
    assert [answer.status_code for answer in told] == [200, 200, 429]
