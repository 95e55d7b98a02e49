"""Every route: says who may call it, refuses who is unknown or may not, and never faults."""

import json
import re

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings

from tieout.api.app import ROUTES, create_app, iter_routes, permission_of
from tieout.control.access.actions.keys import create_admin_key, create_key
from tieout.control.access.caller import Caller
from tieout.control.flags.actions import set_flag
from tieout.core.actor import Actor

EXAMPLES = 3
OPEN = {
    "/auth/login",
    "/auth/logout",
    "/auth/refresh",
    "/auth/register",
    "/docs",
    "/health",
    "/health/detailed",
    "/metrics",
    "/ready",
    "/v1/auth/login",
    "/v1/auth/logout",
    "/v1/auth/refresh",
    "/v1/auth/register",
    "/v1/health",
    "/v1/metrics",
    "/v1/ready",
}
"""The only paths that answer callers who are not known."""


@pytest.fixture
def app(platform):
    set_flag(platform, Actor("account:ann"), "VRA_ENABLED", value=True)  # else its routes are not there
    set_flag(platform, Actor("account:ann"), "VRA_SHADOW_ONLY", value=False)  # else they change nothing
    return create_app(platform)


@pytest.fixture
def admin(platform):
    return {"Authorization": f"Bearer {create_admin_key(platform).text}"}


@pytest.fixture
def tenant(platform):
    """A caller who may do everything within a tenant."""
    acme = Caller("acme", Actor("test"), ("*",))
    return {"Authorization": f"Bearer {create_key(platform, acme, 'all', ['*', '!superadmin.*']).text}"}


def operations(app):
    for route in iter_routes(app):
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route.path_format, permission_of(route)


def with_ids(path):
    return re.sub(r"\{\w+\}", "01890000-0000-7000-8000-000000000000", path)


def test_every_route_says_who_may_call_it(app):
    assert [one for one in operations(app) if one[2] is None] == []
    assert {path for _, path, permission in operations(app) if permission == "open"} <= OPEN
    assert len(list(operations(app))) >= sum(len(routes.routes) for routes in ROUTES)


def test_every_route_is_described(app):
    for path, operation in app.openapi()["paths"].items():
        for method, one in operation.items():
            assert one.get("description"), f"{method} {path} has no docstring"


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_nobody_unknown_gets_past_a_closed_route(app, client):
    for method, path, permission in operations(app):
        if permission == "open":
            continue
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
            answer = client.request(method, with_ids(path), headers=headers)
            assert (answer.status_code, answer.json().get("code") or answer.json()["error"]["code"]) == (
                401,
                "AUTHN",
            ), path


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_a_caller_without_the_permission_is_refused(app, client, monkeypatch):
    monkeypatch.setattr("tieout.api.access.recognise", lambda *_: Caller("acme", Actor("key:1"), ()))
    for method, path, permission in operations(app):
        if permission in ("open", "signed_in"):
            continue
        answer = client.request(method, with_ids(path))
        assert answer.status_code == 403, f"{method} {path}"


def test_the_page_of_routes_opens_without_a_network(app, client):
    answer = client.get("/docs")
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", answer.text)
    assert "<script" not in answer.text
    for path in app.openapi()["paths"]:
        assert f" {path}</code>" in answer.text


@pytest.mark.parametrize("who", ["admin", "tenant"])
def test_whatever_is_sent_no_route_faults(app, who, request, log_lines):
    headers = request.getfixturevalue(who)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    faults = []
    client = TestClient(app, raise_server_exceptions=False)

    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case):
            kwargs = case.as_transport_kwargs(base_url="http://testserver", headers=headers)
            kwargs.pop("cookies", None)
            answer = client.request(**kwargs)
            if answer.status_code == 500 or answer.status_code not in range(200, 600):
                faults.append((case.method, case.formatted_path, answer.status_code, answer.text[:200]))

        send()
    client.close()
    raised = [json.loads(line) for line in log_lines.getvalue().splitlines() if "Unexpected fault" in line]
    assert faults == [], [one.get("exception", "")[-600:] for one in raised][:3]
