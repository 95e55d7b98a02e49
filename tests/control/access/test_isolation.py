"""No tenant sees or changes another's rows: on SQLite by the statements alone, on PostgreSQL by both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.control.access.people import add_person, add_tenant, caller, log_in, token_header, trail
from tieout.control.access.actions.keys import create_key
from tieout.control.access.actions.roles import add_role
from tieout.control.access.rules import permissions_of
from tieout.control.access.store import keys, refresh_tokens, roles, users
from tieout.store.tables import api_keys, user_refresh_tokens, user_roles
from tieout.store.tables import roles as roles_table
from tieout.store.tables import users as users_table

TABLES = (users_table, roles_table, user_roles, user_refresh_tokens, api_keys)


@pytest.fixture
def theirs(platform, client):
    """Two tenants with the same people; what the first has, by name."""
    for tenant in ("t1", "t2"):
        ids = add_tenant(platform, tenant)
        add_person(platform, tenant, f"ann@{tenant}.example.com", roles=ids)
        log_in(client, f"ann@{tenant}.example.com")
    user = add_person(platform, "t1", "bob@t1.example.com", "cashier")
    return {
        "user": user.user_id,
        "key": create_key(platform, caller("t1"), "a key", ["pos.*"]).key.key_id,
        "role": add_role(platform, caller("t1"), "host", ["pos.*"]).role_id,
    }


def rows_of(platform, tenant):
    with platform.of(tenant).reading() as connection:
        asked = [select(one).where(one.c.tenant == tenant).order_by(*one.primary_key) for one in TABLES]
        return [connection.execute(one).all() for one in asked]


def test_no_route_reaches_into_another_tenant(platform, client, theirs):
    before, told = rows_of(platform, "t1"), trail(platform, "t1")
    header = token_header(client, "ann@t2.example.com")
    mine = client.get("/v1/auth/me", headers=header).json()["data"]["user"]["id"]
    for method, path, body in [
        ("POST", f"/v1/keys/{theirs['key']}/rotate", None),
        ("POST", f"/v1/keys/{theirs['key']}/revoke", None),
        ("POST", f"/v1/users/{theirs['user']}/disable", None),
        ("POST", f"/v1/users/{theirs['user']}/enable", None),
        ("DELETE", f"/v1/rbac/roles/{theirs['role']}", None),
        ("POST", f"/v1/rbac/roles/{theirs['role']}/assign", {"userId": mine}),
        ("POST", f"/v1/rbac/roles/{theirs['role']}/assign", {"userId": theirs["user"]}),
        ("POST", f"/v1/rbac/roles/{theirs['role']}/unassign", {"userId": theirs["user"]}),
    ]:
        assert client.request(method, path, json=body, headers=header).status_code == 404, path
    new = {"email": "x@t2.example.com", "firstName": "X", "lastName": "Y", "password": "long enough"}
    answer = client.post("/v1/users", json={**new, "roleIds": [theirs["role"]]}, headers=header)
    assert answer.status_code == 404
    for path in ("/v1/keys", "/v1/users", "/v1/rbac/roles"):
        shown = client.get(path, headers=header).text
        assert not any(one in shown for one in theirs.values()), path
        assert "t1.example.com" not in shown
    assert rows_of(platform, "t1") == before
    assert trail(platform, "t1") == told


def test_no_statement_reaches_into_another_tenant_though_the_connection_could(platform, theirs):
    now = platform.now() + timedelta(hours=1)
    before = rows_of(platform, "t1")
    with platform.of("t1").reading() as connection:
        family = connection.execute(select(user_refresh_tokens).where(user_refresh_tokens.c.tenant == "t1")).first()

    def reach(connection):
        assert users.find_user(connection, "t2", theirs["user"]) is None
        assert not users.is_email_taken(connection, "t2", "bob@t1.example.com")
        assert users.count_users(connection, "t2") == 1
        assert {one.tenant for one in users.list_users(connection, "t2", limit=99, offset=0)} == {"t2"}
        users.set_status(connection, "t2", theirs["user"], "disabled")
        users.set_password_hash(connection, "t2", theirs["user"], "x")
        users.note_failure(connection, "t2", theirs["user"], failures=9, locked_until=now)
        users.note_success(connection, "t2", theirs["user"], now=now)
        assert roles.find_role(connection, "t2", theirs["role"]) is None
        assert not roles.is_name_taken(connection, "t2", "host")
        assert roles.count_roles(connection, "t2") == 5
        assert {one.tenant for one in roles.list_roles(connection, "t2", limit=99)} == {"t2"}
        assert roles.roles_of(connection, "t2", theirs["user"]) == []
        assert roles.count_holders(connection, "t2", theirs["role"]) == 0
        roles.delete_role(connection, "t2", theirs["role"])
        roles.take(connection, "t2", theirs["user"], theirs["role"])
        assert keys.find_key(connection, "t2", theirs["key"]) is None
        assert keys.list_keys(connection, "t2", limit=99) == []
        assert keys.count_keys(connection, "t2") == 0
        keys.revoke_key(connection, "t2", theirs["key"], now=now)
        keys.note_replaced(connection, "t2", theirs["key"], by="x", expires=now)
        keys.note_use(connection, "t2", theirs["key"], minute=now)
        refresh_tokens.note_use(connection, "t2", family.token_id, now=now)
        assert refresh_tokens.revoke_family(connection, "t2", family.family_id, now=now) == 0
        assert refresh_tokens.revoke_of_user(connection, "t2", family.user_id, now=now) == 0

    platform.all_tenants.write(reach)
    assert rows_of(platform, "t1") == before


def test_a_user_has_the_roles_of_their_own_tenant_though_ids_are_the_same(platform, client, theirs):
    """An id is unique by chance alone; what joins tables joins on the tenant as well."""
    with platform.of("t1").reading() as connection:
        role = roles.find_role(connection, "t1", theirs["role"])
    platform.of("t2").write(
        lambda connection: roles.add_role(connection, replace(role, tenant="t2", permissions=("menu.*",)))
    )
    user = add_person(platform, "t2", "eve@t2.example.com", role=None)
    platform.of("t2").write(
        lambda connection: roles.give(connection, "t2", user.user_id, role.role_id, now=platform.now(), by=None)
    )
    with platform.all_tenants.reading() as connection:
        assert permissions_of(roles.roles_of(connection, "t2", user.user_id)) == ("menu.*",)
