from __future__ import annotations

import pytest

from tests.control.access.people import add_person, add_tenant, caller, key_header, run_all, token_header, trail
from tieout.control.access.actions.keys import create_admin_key
from tieout.control.access.actions.roles import (
    RoleInUse,
    RoleNameTaken,
    RoleUnknown,
    add_role,
    assign_role,
    create_default_roles,
    delete_role,
    give_role,
    list_roles,
    take_role,
)
from tieout.control.access.actions.users import (
    EmailTaken,
    NewUser,
    OwnAccount,
    add_user,
    create_user,
    disable_user,
    get_user,
)
from tieout.control.access.caller import NotAllowed
from tieout.control.access.registry import DEFAULT_ROLES


@pytest.fixture
def ids(platform):
    return add_tenant(platform)


@pytest.fixture
def owner(platform, client, ids):
    add_person(platform)
    return token_header(client)


def role(client, header, **changed):
    return client.post("/v1/rbac/roles", json={"name": "host", "permissions": ["pos.*"], **changed}, headers=header)


def person(client, header, **changed):
    body = {"email": "bob@example.com", "firstName": "Bob", "lastName": "Ray", "password": "long enough", **changed}
    return client.post("/v1/users", json=body, headers=header)


def test_a_tenant_begins_with_the_default_roles_and_asking_again_makes_no_others(platform, ids):
    again = platform.of("t1").write(lambda connection: create_default_roles(connection, "t1", platform.now()))
    assert again == ids
    roles, total = list_roles(platform, caller(), limit=10, offset=0)
    assert total == len(DEFAULT_ROLES)
    assert {one.name: one.permissions for one in roles} == DEFAULT_ROLES
    assert all(one.is_system for one in roles)


def test_the_platform_has_the_role_of_its_administrators(platform):
    made = platform.of("superadmin").write(
        lambda connection: create_default_roles(connection, "superadmin", platform.now())
    )
    assert set(made) == {"superadmin"}


def test_a_role_is_made_given_taken_and_deleted(platform, client, owner):
    made = role(client, owner)
    assert made.status_code == 201
    data = made.json()["data"]
    assert (data["name"], data["permissions"], data["isSystem"]) == ("host", ["pos.*"], False)
    user = person(client, owner).json()["data"]
    given = client.post(f"/v1/rbac/roles/{data['id']}/assign", json={"userId": user["id"]}, headers=owner)
    assert given.json()["data"] == {"roleId": data["id"], "userId": user["id"], "assigned": True, "changed": True}
    again = client.post(f"/v1/rbac/roles/{data['id']}/assign", json={"userId": user["id"]}, headers=owner)
    assert again.json()["data"]["changed"] is False
    bob = token_header(client, "bob@example.com", word="long enough")
    assert client.get("/v1/auth/me", headers=bob).json()["data"]["permissions"] == ["pos.*"]
    assert client.delete(f"/v1/rbac/roles/{data['id']}", headers=owner).status_code == 409
    taken = client.post(f"/v1/rbac/roles/{data['id']}/unassign", json={"userId": user["id"]}, headers=owner)
    assert taken.json()["data"]["changed"] is True
    assert client.delete(f"/v1/rbac/roles/{data['id']}", headers=owner).status_code == 200
    assert client.delete(f"/v1/rbac/roles/{data['id']}", headers=owner).status_code == 404
    told = [action for action, _ in trail(platform) if action.startswith(("role", "user"))]
    assert told == ["role.created", "user.created", "role.assigned", "role.unassigned", "role.deleted"]


def test_an_unknown_permission_is_malformed(client, owner):
    for permissions in (["nothing.at.all"], ["pos.tickets.create", "pos.tickets.fly"], ["!nothing.*"]):
        answer = role(client, owner, permissions=permissions)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")
        assert answer.json()["error"]["details"]["reason"] == "unknown_permission"


def test_roles_are_listed_by_name_page_by_page(client, owner):
    first = client.get("/v1/rbac/roles?limit=2", headers=owner).json()
    assert [one["name"] for one in first["data"]] == ["business_owner", "cashier"]
    assert first["meta"] == {"limit": 2, "offset": 0, "total": 5}
    second = client.get("/v1/rbac/roles?limit=2&offset=2", headers=owner).json()
    assert [one["name"] for one in second["data"]] == ["inventory_manager", "kitchen"]


def test_permissions_are_listed_with_what_the_caller_has(client, owner):
    held = {one["name"]: one["held"] for one in client.get("/v1/rbac/permissions", headers=owner).json()["data"]}
    assert held["pos.payments.refund"] is True
    assert held["superadmin.tenants.read"] is held["tenant_registrations.approve"] is False


def test_a_name_is_taken_once_though_two_take_it_at_once(platform, ids):
    outcomes = []

    def make():
        try:
            outcomes.append(add_role(platform, caller(), "host", ["pos.*"]))
        except RoleNameTaken:
            outcomes.append(None)

    run_all([make] * 3)
    assert len([one for one in outcomes if one]) == 1
    assert len(outcomes) == 3


def test_a_role_of_the_platform_stays(client, owner, ids):
    answer = client.delete(f"/v1/rbac/roles/{ids['kitchen']}", headers=owner)
    assert (answer.status_code, answer.json()["error"]["details"]["reason"]) == (409, "role_of_the_platform")


def test_the_first_administrator_adds_others_who_sign_in_to_the_platform(platform, client):
    header = {"Authorization": f"Bearer {create_admin_key(platform).text}"}
    [made] = client.get("/v1/rbac/roles", headers=header).json()["data"]
    assert (made["name"], made["permissions"]) == ("superadmin", ["*"])
    assert person(client, header, roleIds=[made["id"]]).status_code == 201
    data = client.post("/v1/auth/login", json={"email": "bob@example.com", "password": "long enough"}).json()["data"]
    assert (data["user"]["tenantId"], data["user"]["permissions"]) == ("superadmin", ["*"])
    mine = {"Authorization": f"Bearer {data['tokens']['accessToken']}"}
    held = {one["name"]: one["held"] for one in client.get("/v1/rbac/permissions", headers=mine).json()["data"]}
    assert all(held.values())


# What a caller cannot do by roles: get, or give, more than they have.


def test_nobody_makes_a_role_that_grants_more_than_they_have(platform, client, owner):
    for permissions in (["*"], ["superadmin.*"], ["*.tenants.read"], ["*", "!pos.*"]):
        assert role(client, owner, permissions=permissions).status_code == 403, permissions
    assert role(client, owner, permissions=["*", "!superadmin.*", "!pos.*"]).status_code == 201
    weak = key_header(platform, "t1", "rbac.*", "pos.tickets.*")
    assert role(client, weak, name="a", permissions=["pos.payments.refund"]).status_code == 403
    assert role(client, weak, name="b", permissions=["pos.tickets.read"]).status_code == 201


def test_nobody_gives_a_role_that_grants_more_than_they_have(platform, ids):
    ann = add_person(platform, email="a@b.c", role=None)
    weak = caller("t1", "rbac.*", "identity.*", "pos.tickets.*")
    with pytest.raises(NotAllowed):
        give_role(platform, weak, ann.user_id, ids["business_owner"])
    with pytest.raises(NotAllowed):
        add_user(platform, weak, NewUser("x@y.z", "X", "Y"), (ids["cashier"],))
    mine = add_role(platform, weak, "tickets", ["pos.tickets.*"])
    assert give_role(platform, weak, ann.user_id, mine.role_id)


def test_nobody_frees_a_permission_by_taking_the_role_that_takes_it(platform, ids):
    """`*` in one role, `!superadmin.*` in another: without the second the first grants more than the caller has."""
    boss = add_person(platform, email="boss@b.c", role=None)
    root = caller()
    whole = add_role(platform, root, "whole", ["*"])
    less = add_role(platform, root, "less", ["!superadmin.*"])
    for one in (whole, less):
        give_role(platform, root, boss.user_id, one.role_id)
    owner = caller("t1", "*", "!superadmin.*")
    with pytest.raises(NotAllowed):
        take_role(platform, owner, boss.user_id, less.role_id)
    assert take_role(platform, owner, boss.user_id, whole.role_id)


def test_nobody_disables_or_changes_one_who_may_more(platform, ids):
    boss = add_person(platform, email="boss@b.c")
    weak = caller("t1", "rbac.*", "identity.*")
    for act in (
        lambda: disable_user(platform, weak, boss.user_id),
        lambda: take_role(platform, weak, boss.user_id, ids["business_owner"]),
        lambda: give_role(platform, weak, boss.user_id, ids["kitchen"]),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert get_user(platform, "t1", boss.user_id).role_names == ("business_owner",)
    assert get_user(platform, "t1", boss.user_id).user.is_active


def test_a_role_is_not_deleted_while_it_is_given(platform, ids):
    """Of the two one comes first: then the role is gone, or it has a holder and stays."""
    ann = add_person(platform, role=None)
    for number in range(5):
        made, outcomes = add_role(platform, caller(), f"r{number}", ["pos.*"]), []

        def give(made=made, outcomes=outcomes):
            try:
                outcomes.append(give_role(platform, caller(), ann.user_id, made.role_id))
            except RoleUnknown:
                outcomes.append("unknown")

        def delete(made=made, outcomes=outcomes):
            try:
                outcomes.append(delete_role(platform, caller(), made.role_id))
            except RoleInUse:
                outcomes.append("in use")

        run_all([give, delete])
        assert set(outcomes) in ({True, "in use"}, {None, "unknown"})


# Users


def test_users_are_added_and_listed(platform, client, clock, owner, ids):
    clock.pass_time(seconds=1)
    answer = person(client, owner, email="Bob@Example.com", roleIds=[ids["cashier"], ids["kitchen"]])
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert (data["email"], data["roles"], data["status"]) == ("bob@example.com", ["cashier", "kitchen"], "active")
    listed = client.get("/v1/users", headers=owner).json()
    assert [one["email"] for one in listed["data"]] == ["ann@example.com", "bob@example.com"]
    assert listed["meta"]["total"] == 2
    assert "argon2" not in client.get("/v1/users", headers=owner).text
    assert trail(platform)[-1] == ("user.created", {"email": "bob@example.com", "roles": ["cashier", "kitchen"]})


def test_an_address_is_taken_once_though_two_take_it_at_once(platform, ids):
    outcomes = []

    def add():
        try:
            outcomes.append(add_user(platform, caller(), NewUser("a@b.c", "A", "B", password="long enough")))  # noqa: S106
        except EmailTaken:
            outcomes.append(None)

    run_all([add] * 3)
    assert len([one for one in outcomes if one]) == 1
    assert len(outcomes) == 3


def test_the_same_address_may_be_a_user_of_two_tenants(platform, ids):
    add_tenant(platform, "t2")
    assert add_person(platform, "t1").email == add_person(platform, "t2").email


def test_nobody_disables_themselves(platform, ids, client):
    ann = add_person(platform)
    header = token_header(client)
    answer = client.post(f"/v1/users/{ann.user_id}/disable", headers=header)
    assert (answer.status_code, answer.json()["error"]["details"]["reason"]) == (409, "own_account")
    assert OwnAccount.http_status == 409


def test_a_user_is_disabled_and_enabled_once(platform, client, owner):
    bob = person(client, owner).json()["data"]
    for verb, status in (("disable", "disabled"), ("disable", "disabled"), ("enable", "active"), ("enable", "active")):
        assert client.post(f"/v1/users/{bob['id']}/{verb}", headers=owner).json()["data"]["status"] == status
    told = [one for one in trail(platform) if one[0] in {"user.disabled", "user.enabled"}]
    assert told == [
        ("user.disabled", {"status": {"from": "active", "to": "disabled"}, "sessions_ended": 0}),
        ("user.enabled", {"status": {"from": "disabled", "to": "active"}}),
    ]


BODIES = [{"email": "x"}, {"password": "short"}, {"firstName": ""}, {"roleIds": ["a b"]}, {"roleIds": ["x"] * 21}]
BODIES += [{"status": "x"}, {"email": "a\0@b.c"}, {"lastName": "a\nb"}]


def test_a_malformed_user_is_said_to_be_so(client, owner):
    for body in BODIES:
        answer = person(client, owner, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION"), (body, answer.text)


def test_an_unknown_role_or_user_is_not_found(client, owner, ids):
    assert person(client, owner, roleIds=["nothing"]).status_code == 404
    missing = {"userId": "nobody"}
    assert client.post(f"/v1/rbac/roles/{ids['kitchen']}/assign", json=missing, headers=owner).status_code == 404
    assert client.post("/v1/users/nobody/disable", headers=owner).status_code == 404


def test_the_owner_of_a_new_tenant_is_made_in_one_transaction_with_a_hash_made_before(platform, client):
    """What the approval of a registration does."""
    from tests.control.access.people import PASSWORD, hash_of_password, log_in

    add_tenant(platform, "t9")
    new = NewUser("own@example.com", "O", "N", password_hash=hash_of_password(), user_id="t9")

    def make(connection):
        user = create_user(connection, "t9", new, platform.now(), platform.random_bytes)
        ids = create_default_roles(connection, "t9", platform.now(), platform.random_bytes)
        assert assign_role(connection, "t9", user.user_id, ids["business_owner"], platform.now())
        assert not assign_role(connection, "t9", user.user_id, ids["business_owner"], platform.now())

    platform.of("t9").write(make)
    assert log_in(client, "own@example.com", PASSWORD).json()["data"]["user"]["id"] == "t9"
