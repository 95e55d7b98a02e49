from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from fastapi.testclient import TestClient

from tests.control.access.people import add_person, add_tenant, key_header, log_in
from tieout.api.access import needs, open_to_all, signed_in
from tieout.api.app import create_app
from tieout.api.gates import flag_on
from tieout.control.access.caller import Caller
from tieout.control.flags.actions import set_flag, unset_flag
from tieout.control.flags.registry import UnknownFlag
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.settings import BadSetting

MAINTENANCE = "support.maintenance_mode"
ANN = Actor("user:ann", "ann")
things = APIRouter()


@things.get("/v1/things", dependencies=[Depends(signed_in)])
@things.post("/v1/things", dependencies=[Depends(signed_in)])
@things.delete("/v1/things", dependencies=[Depends(needs("menu.items.update"))])
def thing():
    return {"data": "done"}


@things.post("/v1/open", dependencies=[Depends(open_to_all)])
def open_thing():
    return {"data": "done"}


@things.get("/recon/overview", dependencies=[Depends(flag_on("VRA_ENABLED")), Depends(signed_in)])
def overview():
    return {"success": True}


@things.get("/v1/who", dependencies=[Depends(flag_on("multi_location"))])
def who(caller: Annotated[Caller, Depends(signed_in)]):
    return {"data": caller.tenant}


def served(platform):
    app = create_app(platform)
    app.include_router(things)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def api(platform):
    for name in ("t1", "t2"):
        add_tenant(platform, name)
    with served(platform) as client:
        yield client


def test_in_maintenance_writes_are_refused_and_reads_go_on(platform, api):
    key = key_header(platform, "t1")
    set_flag(platform, ANN, MAINTENANCE, True)
    refusals = metrics.MAINTENANCE_REFUSALS._value.get()
    for write in (api.post("/v1/things", headers=key), api.delete("/v1/things", headers=key), api.post("/v1/open")):
        assert write.status_code == 503
        assert write.json()["error"]["code"] == "MAINTENANCE"
        assert write.headers["retry-after"] == "60"
    assert metrics.MAINTENANCE_REFUSALS._value.get() == refusals + 3
    assert api.get("/v1/things", headers=key).status_code == 200
    assert api.get("/health").status_code == 200
    unset_flag(platform, ANN, MAINTENANCE)
    assert api.post("/v1/things", headers=key).status_code == 200


def test_maintenance_of_one_tenant_leaves_the_others(platform, api):
    set_flag(platform, ANN, MAINTENANCE, True, tenant="t1")
    assert api.post("/v1/things", headers=key_header(platform, "t1")).status_code == 503
    assert api.post("/v1/things", headers=key_header(platform, "t2")).status_code == 200
    assert api.post("/v1/open").status_code == 200


def test_maintenance_ends_by_itself_where_it_has_an_end(platform, api, clock):
    from datetime import timedelta

    key = key_header(platform, "t1")
    set_flag(platform, ANN, MAINTENANCE, True, expires=clock.at + timedelta(hours=2))
    assert api.post("/v1/things", headers=key).status_code == 503
    clock.pass_time(hours=2)
    assert api.post("/v1/things", headers=key).status_code == 200


def test_who_is_not_known_is_told_that_first(platform, api):
    set_flag(platform, ANN, MAINTENANCE, True)
    assert api.post("/v1/things").status_code == 401


def test_in_maintenance_people_sign_in_and_administrators_end_it(platform, api):
    add_person(platform, "t1")
    admin = key_header(platform, "superadmin")
    path = f"/v1/superadmin/flags/{MAINTENANCE}"
    assert api.put(path, headers=admin, json={"value": True}).status_code == 200
    signed = log_in(api)
    assert signed.status_code == 200
    refresh = signed.json()["data"]["tokens"]["refreshToken"]
    assert api.post("/v1/auth/refresh", json={"refreshToken": refresh}).status_code == 200
    assert api.post("/v1/auth/register", json={}).status_code == 503
    assert api.post("/v1/superadmin/tenants/t1/suspend", headers=admin).status_code == 503
    assert api.delete(path, headers=admin).status_code == 200
    assert api.post("/v1/superadmin/tenants/t1/suspend", headers=admin).status_code == 200


def test_tricks_with_the_path_do_not_get_round_maintenance(platform, api):
    set_flag(platform, ANN, MAINTENANCE, True)
    key = key_header(platform, "t1")
    for path in ("/v1/auth/../things", "/v1/auth/%2e%2e/things", "//v1/things", "/v1/things/", "/V1/auth/../things"):
        answer = api.post(path, headers=key)
        assert answer.status_code in {404, 405, 503, 307}, path
        if answer.status_code == 307:
            assert api.post(answer.headers["location"], headers=key).status_code == 503
    override = {**key, "X-HTTP-Method-Override": "GET"}
    assert api.post("/v1/things", headers=override).status_code == 503


def test_the_rollback_of_the_runbook_a_route_whose_flag_is_off_is_not_there(platform, api):
    key = key_header(platform, "t1")
    off = api.get("/recon/overview", headers=key)
    assert (off.status_code, off.json()["code"], off.json()["error"]) == (
        404,
        "FEATURE_DISABLED",
        "Feature not available",
    )
    assert api.get("/recon/overview").status_code == 404  # nobody learns more without signing in
    set_flag(platform, ANN, "VRA_ENABLED", True)
    assert api.get("/recon/overview", headers=key).status_code == 200
    assert api.get("/recon/overview").status_code == 401
    for text, status in (("true", 200), ("false", 404), ("True", 404)):
        environment = replace(platform.settings, flags={"VRA_ENABLED": text})
        with served(Platform(environment, platform.state, platform.now, access=platform.access)) as again:
            assert again.get("/recon/overview", headers=key).status_code == status


def test_a_feature_may_be_there_for_one_tenant(platform, api):
    set_flag(platform, ANN, "multi_location", True, tenant="t1")
    assert api.get("/v1/who", headers=key_header(platform, "t1")).json() == {"data": "t1"}
    for headers in (key_header(platform, "t2"), {}, {"Authorization": "Bearer forged"}):
        assert api.get("/v1/who", headers=headers).status_code == 404


def test_a_route_cannot_ask_for_a_flag_that_does_not_exist():
    with pytest.raises(UnknownFlag):
        flag_on("VRA_ENABELD")


def test_a_slip_in_the_environment_is_said_when_the_server_starts(platform):
    with pytest.raises(BadSetting, match="VRA_SHADOW_ONLY"):
        create_app(
            Platform(replace(platform.settings, flags={"VRA_SHADOW_ONLY": "no idea"}), platform.state, platform.now)
        )


# The routes of flags


def test_an_administrator_lists_sets_and_unsets_flags(platform, api):
    admin = key_header(platform, "superadmin")
    listed = api.get("/v1/superadmin/flags", headers=admin).json()["data"]
    assert {"VRA_ENABLED", "VRA_SHADOW_ONLY", MAINTENANCE, "pos.offline_queue"} <= {one["key"] for one in listed}
    body = {"value": True, "tenantId": "t1", "expiresAt": "2026-03-02T00:00:00+01:00", "reason": "upgrade"}
    answer = api.put(f"/v1/superadmin/flags/{MAINTENANCE}", headers=admin, json=body)
    assert answer.json()["data"] == {
        "key": MAINTENANCE,
        "kind": "boolean",
        "value": True,
        "variant": "on",
        "reason": "TARGETING_MATCH",
        "origin": "tenant",
        "expiresAt": "2026-03-01T23:00:00Z",
        "changed": True,
    }
    found = {one["key"]: one for one in api.get("/v1/superadmin/flags", headers=admin).json()["data"]}[MAINTENANCE]
    assert found["value"] is False
    assert [(one["tenantId"], one["value"], one["reason"]) for one in found["tenants"]] == [("t1", True, "upgrade")]
    own = {one["key"]: one["value"] for one in api.get("/v1/flags", headers=key_header(platform, "t1")).json()["data"]}
    other = {
        one["key"]: one["value"] for one in api.get("/v1/flags", headers=key_header(platform, "t2")).json()["data"]
    }
    assert (own[MAINTENANCE], other[MAINTENANCE]) == (True, False)
    gone = api.delete(f"/v1/superadmin/flags/{MAINTENANCE}?tenantId=t1", headers=admin).json()["data"]
    assert (gone["value"], gone["changed"]) == (False, True)


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("no.such.flag", {"value": True}, 404),
        (MAINTENANCE, {"value": "true"}, 400),
        (MAINTENANCE, {"value": 1}, 400),
        (MAINTENANCE, {"value": None}, 400),
        (MAINTENANCE, {"value": {"a": 1}}, 400),
        (MAINTENANCE, {}, 400),
        (MAINTENANCE, {"value": True, "until": "x"}, 400),
        (MAINTENANCE, {"value": True, "expiresAt": "2026-03-01T11:00:00Z"}, 400),
        (MAINTENANCE, {"value": True, "expiresAt": "2026-03-02T00:00:00"}, 400),
        (MAINTENANCE, {"value": True, "tenantId": "nobody"}, 404),
        (MAINTENANCE, {"value": True, "tenantId": ""}, 400),
        (MAINTENANCE, {"value": True, "tenantId": "*"}, 400),
        (MAINTENANCE, {"value": True, "reason": "a\u0000b"}, 400),
        ("no%00flag", {"value": True}, 400),
        (MAINTENANCE, {"value": True, "reason": "x" * 501}, 400),
    ],
)
def test_what_cannot_be_set_is_refused_in_plain_words(platform, api, key, body, status):
    answer = api.put(f"/v1/superadmin/flags/{key}", headers=key_header(platform, "superadmin"), json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_a_tenant_sets_no_flag(platform, api):
    key = key_header(platform, "t1")
    assert api.get("/v1/superadmin/flags", headers=key).status_code == 403
    assert api.put(f"/v1/superadmin/flags/{MAINTENANCE}", headers=key, json={"value": True}).status_code == 403
    assert api.delete(f"/v1/superadmin/flags/{MAINTENANCE}", headers=key).status_code == 403
    assert api.get("/v1/flags").status_code == 401
