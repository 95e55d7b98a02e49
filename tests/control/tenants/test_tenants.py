import pytest
from sqlalchemy import insert, select

from tests.control.access.people import add_person, add_tenant, key_header, log_in, token_header, trail
from tests.control.tenants.applications import superadmin
from tests.control.tenants.test_registrations import toggled
from tieout.control.flags.actions import set_flag, unset_flag
from tieout.control.tenants.actions import TenantUnknown, change_status, get_tenant, switch_modules
from tieout.control.tenants.rules import BadApplication
from tieout.core.actor import Actor
from tieout.store.tables import event_outbox, tenant_modules

ANN = Actor("user:ann", "ann")
TENANTS = "/v1/superadmin/tenants"


def from_plan(platform, of, module, *, enabled):
    row = {"tenant": of, "module_id": module, "enabled": enabled, "source": "plan", "updated_us": platform.now()}
    platform.of(of).write(lambda connection: connection.execute(insert(tenant_modules).values(row)))


def events(platform, of):
    asked = select(event_outbox.c.event_type, event_outbox.c.payload).where(event_outbox.c.tenant == of)
    with platform.of(of).reading() as connection:
        return [(row.event_type, row.payload["data"]["data"]) for row in connection.execute(asked)]


def switch(client, headers, tenant, **modules):
    body = {"modules": [{"key": key, "enabled": on} for key, on in modules.items()]}
    return client.patch(f"{TENANTS}/{tenant}/modules", headers=headers, json=body)


def test_a_module_that_is_switched_by_hand_is_told_and_belongs_no_more_to_the_plan(platform, client):
    add_tenant(platform)
    from_plan(platform, "t1", "pos", enabled=True)
    from_plan(platform, "t1", "menu", enabled=True)
    headers, off = superadmin(platform), toggled("pos", "false")
    answer = switch(client, headers, "t1", pos=False, loyalty=True)
    assert answer.status_code == 200, answer.text
    assert {one["key"]: (one["enabled"], one["source"]) for one in answer.json()["data"]["modules"]} == {
        "loyalty": (True, "superadmin"),
        "menu": (True, "plan"),
        "pos": (False, "superadmin"),
    }
    assert answer.json()["meta"]["warnings"] == ["loyalty needs pos"]
    switched = [{"key": "pos", "from": True, "to": False}, {"key": "loyalty", "from": False, "to": True}]
    assert trail(platform, "t1") == [("registration.module_toggled", {"toggles": switched})]
    assert events(platform, "t1") == [("tenant.modules_changed", {"modules": {"pos": False, "loyalty": True}})]
    assert toggled("pos", "false") == off + 1
    assert switch(client, headers, "t1", pos=False, loyalty=True).status_code == 200
    assert len(trail(platform, "t1")) == len(events(platform, "t1")) == 1
    assert toggled("pos", "false") == off + 1


def test_a_module_that_is_set_to_what_the_plan_says_is_kept_from_the_plan_and_that_is_told(platform):
    add_tenant(platform)
    from_plan(platform, "t1", "menu", enabled=True)
    after, switched = switch_modules(platform, ANN, "t1", [("menu", True)])
    assert [(one.enabled, one.source) for one in after] == [(True, "superadmin")]
    assert switched == ()
    assert trail(platform, "t1") == [("tenant.modules_pinned", {"modules": ["menu"]})]


def test_modules_of_a_tenant_that_does_not_exist_are_404(platform, client):
    headers = superadmin(platform)
    for answer in (
        switch(client, headers, "nobody", pos=True),
        client.get(f"{TENANTS}/nobody", headers=headers),
        client.post(f"{TENANTS}/nobody/suspend", headers=headers),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_tenants_are_listed_by_status_and_found_by_id_or_alias(platform, client):
    for name, status in (("t1", "active"), ("t2", "suspended"), ("t3", "trial")):
        add_tenant(platform, name, alias=f"alias-{name}", status=status)
    headers = superadmin(platform)
    listed = client.get(TENANTS, headers=headers).json()
    assert {one["id"] for one in listed["data"]} == {"t1", "t2", "t3"}
    assert listed["meta"] == {"limit": 50, "offset": 0, "total": 3}
    assert [one["id"] for one in client.get(f"{TENANTS}?status=suspended", headers=headers).json()["data"]] == ["t2"]
    assert client.get(f"{TENANTS}?status=gone", headers=headers).status_code == 400
    assert client.get(f"{TENANTS}/alias-t1", headers=headers).json()["data"]["id"] == "t1"
    assert get_tenant(platform, "t1").profile is None
    with pytest.raises(TenantUnknown):
        get_tenant(platform, "")


def test_who_belongs_to_a_suspended_tenant_is_let_in_no_more_until_it_is_reactivated(platform, client, clock):
    roles = add_tenant(platform)
    add_person(platform, roles=roles)
    user, key = token_header(client), key_header(platform)
    headers = superadmin(platform)
    assert client.get("/v1/modules", headers=user).status_code == 200

    answer = client.post(f"{TENANTS}/t1/suspend", headers=headers, json={"reason": "unpaid"})
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "suspended")
    refused = client.get("/v1/modules", headers=user)  # the token is good for another 15 minutes
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTHZ")
    assert client.get("/v1/modules", headers=key).status_code in {401, 403}
    assert log_in(client).status_code == 401
    assert client.post(f"{TENANTS}/t1/suspend", headers=headers).status_code == 409

    assert client.post(f"{TENANTS}/t1/reactivate", headers=headers).json()["data"]["status"] == "active"
    clock.pass_time(seconds=6)
    assert client.get("/v1/modules", headers=user).status_code == 200
    assert client.get("/v1/modules", headers=key).status_code == 200
    assert [one for one in trail(platform, "t1") if one[0].startswith("tenant.")] == [
        ("tenant.suspended", {"from": "active", "to": "suspended", "reason": "unpaid"}),
        ("tenant.reactivated", {"from": "suspended", "to": "active", "reason": None}),
    ]
    assert [kind for kind, _ in events(platform, "t1")] == ["tenant.suspended", "tenant.reactivated"]


def test_a_closed_tenant_stays_closed(platform, client):
    add_tenant(platform)
    headers = superadmin(platform)
    assert client.post(f"{TENANTS}/t1/close", headers=headers).json()["data"]["status"] == "closed"
    for verb in ("suspend", "reactivate", "close"):
        assert client.post(f"{TENANTS}/t1/{verb}", headers=headers).status_code == 409
    assert client.post(f"{TENANTS}/t1/delete", headers=headers).status_code == 400


def test_a_tenant_is_suspended_within_five_seconds_in_another_process(platform, client, clock):
    add_tenant(platform)
    key = key_header(platform)
    assert client.get("/v1/modules", headers=key).status_code == 200
    from tieout.control.platform import Platform

    elsewhere = Platform(platform.settings, platform.state, platform.now)
    change_status(elsewhere, ANN, "t1", "suspend")
    clock.pass_time(seconds=5)
    assert client.get("/v1/modules", headers=key).status_code in {401, 403}


def test_the_name_for_all_tenants_is_the_name_of_none(platform, client):
    for change in (
        lambda: change_status(platform, ANN, "*", "suspend"),
        lambda: switch_modules(platform, ANN, "*", [("pos", True)]),
        lambda: get_tenant(platform, "*"),
        lambda: set_flag(platform, ANN, "multi_location", True, tenant="*"),
        lambda: unset_flag(platform, ANN, "multi_location", tenant="*"),
    ):
        with pytest.raises(TenantUnknown):
            change()
    headers = superadmin(platform)
    for path in ("*", "%00", "a%00b", "..", "x" * 65):
        for method, tail in (("GET", ""), ("POST", "/suspend"), ("PATCH", "/modules")):
            body = {"modules": [{"key": "pos", "enabled": True}]} if method == "PATCH" else None
            answer = client.request(method, f"{TENANTS}/{path}{tail}", headers=headers, json=body)
            assert answer.status_code in {400, 404, 405}, f"{method} {path}: {answer.text}"


def test_a_reason_that_cannot_be_kept_is_refused(platform):
    add_tenant(platform)
    with pytest.raises(BadApplication):
        change_status(platform, ANN, "t1", "suspend", reason="a\0b")


def test_a_tenant_sees_its_own_modules_alone(platform, client):
    for name in ("t1", "t2"):
        add_tenant(platform, name)
        from_plan(platform, name, f"only_{name}", enabled=True)
    answer = client.get("/v1/modules", headers=key_header(platform, "t1"))
    assert [one["key"] for one in answer.json()["data"]] == ["only_t1"]
