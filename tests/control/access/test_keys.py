from __future__ import annotations

from datetime import timedelta

import pytest

from tests.control.access.people import (
    add_person,
    add_tenant,
    caller,
    everything,
    key_header,
    run_all,
    token_header,
    trail,
)
from tieout.control.access.actions.keys import BadExpiry, KeyEnded, create_key, list_keys, rotate_key
from tieout.control.access.caller import NotAllowed


@pytest.fixture
def owner(platform, client):
    add_tenant(platform)
    add_person(platform)
    return token_header(client)


def make(client, header, **changed):
    body = {"name": "till 7", "permissions": ["pos.*"], **changed}
    return client.post("/v1/keys", json=body, headers=header)


def works(client, text):
    return client.get("/v1/auth/me", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_a_key_is_shown_once_and_works(platform, client, owner):
    answer = make(client, owner)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    data = answer.json()["data"]
    assert data["key"].startswith(f"tk_{data['id'].replace('-', '')}_")
    assert data["status"] == "active"
    assert data["createdBy"].startswith("user:")
    me = client.get("/v1/auth/me", headers={"Authorization": f"Bearer {data['key']}"}).json()["data"]
    assert me == {"tenantId": "t1", "actor": f"key:{data['id']}", "roles": [], "permissions": ["pos.*"], "user": None}
    listed = client.get("/v1/keys", headers=owner)
    assert listed.json()["meta"] == {"limit": 50, "offset": 0, "total": 1}
    assert listed.json()["data"][0]["id"] == data["id"]
    secret = data["key"].rpartition("_")[2]
    assert secret not in listed.text
    assert secret not in everything(platform)


def test_a_key_may_do_no_more_than_its_maker(platform, client, owner):
    assert make(client, owner, permissions=["*"]).status_code == 403
    assert make(client, owner, permissions=["superadmin.tenants.read"]).status_code == 403
    assert make(client, owner, permissions=["*", "!superadmin.*"]).status_code == 201
    weak = key_header(platform, "t1", "identity.keys.*", "pos.tickets.*")
    assert make(client, weak, permissions=["pos.tickets.create"]).status_code == 201
    assert make(client, weak, permissions=["pos.*"]).status_code == 403
    assert make(client, weak, permissions=["identity.users.read"]).status_code == 403


def test_a_weak_key_does_not_get_at_a_strong_one_by_replacing_it(platform, client, owner):
    strong = make(client, owner, permissions=["*", "!superadmin.*"]).json()["data"]["id"]
    weak = key_header(platform, "t1", "identity.keys.*")
    assert client.post(f"/v1/keys/{strong}/rotate", headers=weak).status_code == 403


def test_a_key_without_the_permission_makes_none(platform, client, owner):
    answer = make(client, key_header(platform, "t1", "pos.*"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AUTHZ")
    assert answer.json()["error"]["details"]["subject"] == "identity.keys.create"


BODIES = [
    {"permissions": []},
    {"permissions": "pos.*"},
    {"permissions": ["nothing.at.all"]},
    {"permissions": ["pos.*"] * 101},
    {"permissions": ["x" * 129]},
    {"name": ""},
    {"name": "a\0b"},
    {"name": "x" * 101},
    {"expiresAt": "2020-01-01T00:00:00Z"},
    {"expiresAt": "2026-03-01T12:00:00Z"},
    {"expiresAt": "9999-12-31T23:59:59-12:00"},
    {"expiresAt": "0001-01-01T00:00:00+12:00"},
    {"expiresAt": "2027-01-01T00:00:00"},
    {"expiresAt": "soon"},
    {"more": 1},
]


def test_what_is_wrong_with_a_body_is_said(client, owner):
    for body in BODIES:
        answer = make(client, owner, **body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION"), (body, answer.text)


def test_a_replaced_key_works_for_a_day_besides_the_new_one(platform, client, owner, clock):
    old = make(client, owner).json()["data"]
    answer = client.post(f"/v1/keys/{old['id']}/rotate", headers=owner)
    assert answer.status_code == 201
    new = answer.json()["data"]
    assert (new["name"], new["permissions"], new["expiresAt"]) == ("till 7", ["pos.*"], None)
    assert works(client, old["key"])
    assert works(client, new["key"])
    clock.pass_time(hours=24)
    assert not works(client, old["key"])
    assert works(client, new["key"])
    shown = {key["id"]: key for key in client.get("/v1/keys", headers=token_header(client)).json()["data"]}
    assert (shown[old["id"]]["status"], shown[old["id"]]["replacedBy"]) == ("expired", new["id"])


def test_the_overlap_is_as_long_as_said_and_never_longer_than_the_old_key(platform, clock):
    add_tenant(platform)
    until = clock.at + timedelta(hours=2)
    old = create_key(platform, caller(), "a", ["pos.*"], expires=until)
    clock.pass_time(hours=1)
    new = rotate_key(platform, caller(), old.key.key_id, old_until=clock.at + timedelta(days=9))
    assert new.key.expires == clock.at + timedelta(hours=2), "as long as the old one was to last"
    keys, _ = list_keys(platform, caller(), limit=9)
    assert {key.key_id: key.expires for key in keys}[old.key.key_id] == until
    with pytest.raises(BadExpiry):
        rotate_key(platform, caller(), new.key.key_id, old_until=clock.at)


def test_a_key_is_replaced_once_though_two_try_at_once(platform):
    add_tenant(platform)
    old, made = create_key(platform, caller(), "a", ["pos.*"]), []

    def rotate():
        try:
            made.append(rotate_key(platform, caller(), old.key.key_id))
        except KeyEnded:
            made.append(None)

    run_all([rotate] * 3)
    assert len(made) == 3
    assert len([one for one in made if one]) == 1


def test_a_revoked_key_works_no_more_and_stays_revoked(platform, client, owner):
    key = make(client, owner).json()["data"]
    assert works(client, key["key"])
    first = client.post(f"/v1/keys/{key['id']}/revoke", headers=owner).json()["data"]
    assert first["status"] == "revoked"
    assert not works(client, key["key"])
    assert client.post(f"/v1/keys/{key['id']}/revoke", headers=owner).json()["data"] == first
    answer = client.post(f"/v1/keys/{key['id']}/rotate", headers=owner)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")


def test_an_unknown_key_is_not_found(client, owner):
    for verb in ("rotate", "revoke"):
        for key_id in ("0195f3c2-0000-7000-8000-000000000000", "x"):
            assert client.post(f"/v1/keys/{key_id}/{verb}", headers=owner).status_code == 404
    for key_id in ("a%00b", "x" * 37, "..%2f", "é"):
        assert client.post(f"/v1/keys/{key_id}/revoke", headers=owner).status_code in {400, 404}, "no id"


def test_what_happens_to_keys_is_on_record(platform, client, owner):
    key = make(client, owner).json()["data"]
    new = client.post(f"/v1/keys/{key['id']}/rotate", headers=owner).json()["data"]
    client.post(f"/v1/keys/{new['id']}/revoke", headers=owner)
    assert trail(platform)[1:] == [
        ("api_key.created", {"name": "till 7", "permissions": ["pos.*"], "expires": None}),
        (
            "api_key.rotated",
            {"replaced_by": new["id"], "expires": {"from": None, "to": "2026-03-02T12:00:00+00:00"}},
        ),
        ("api_key.revoked", {"name": "till 7"}),
    ]


def test_nobody_makes_a_key_for_more_than_they_have_whoever_calls(platform):
    add_tenant(platform)
    with pytest.raises(NotAllowed):
        create_key(platform, caller("t1", "pos.*"), "a", ["menu.items.read"])
