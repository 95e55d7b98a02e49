from __future__ import annotations

import pytest

from tests.control.access.people import (
    PASSWORD,
    add_person,
    add_tenant,
    log_in,
    set_tenant_status,
    trail,
)


def test_right_e_mail_and_password_give_user_and_tokens_as_the_contract_prints_them(platform, client, clock):
    add_tenant(platform)
    user = add_person(platform)
    for path in ("/auth/login", "/v1/auth/login"):
        answer = client.post(path, json={"email": " Ann@Example.COM", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        data = answer.json()["data"]
        assert data["user"] == {
            "id": user.user_id,
            "tenantId": "t1",
            "email": "ann@example.com",
            "firstName": "Ann",
            "lastName": "Lee",
            "roles": ["business_owner"],
            "permissions": ["!superadmin.*", "*"],
        }
        assert set(data["tokens"]) == {"accessToken", "refreshToken", "refreshTokenId", "expiresAt"}
        assert data["tokens"]["expiresAt"] == {
            "accessToken": "2026-03-01T12:15:00+00:00",
            "refreshToken": "2026-03-31T12:00:00+00:00",
        }
        me = client.get("/v1/auth/me", headers={"Authorization": f"Bearer {data['tokens']['accessToken']}"})
        assert me.json()["data"]["user"] == data["user"]
    assert [action for action, _ in trail(platform)] == ["auth.signed_in", "auth.signed_in"]


def without_id(answer):
    """What an answer says, less the id of the request, which is another each time."""
    return answer.json()["error"] | {"request_id": None}


def test_every_reason_for_a_refusal_has_the_same_answer(platform, client, clock):
    add_tenant(platform)
    add_person(platform)
    wrong = log_in(client, word="wrong password")
    unknown = log_in(client, email="nobody@example.com")
    no_address = log_in(client, email="nobody")
    elsewhere = log_in(client, tenant="t2")
    for _ in range(4):
        log_in(client, word="wrong password")
    locked = log_in(client)
    clock.pass_time(hours=2)
    set_tenant_status(platform, "t1", "suspended")
    suspended = log_in(client)
    for answer in (wrong, unknown, no_address, elsewhere, locked, suspended):
        assert (answer.status_code, without_id(answer)) == (401, without_id(wrong))
        assert "retry-after" not in answer.headers
    assert wrong.json()["error"]["code"] == "AUTHN"


@pytest.mark.parametrize("status", ["active", "trial"])
def test_users_of_open_tenants_sign_in(platform, client, status):
    add_tenant(platform, status=status)
    add_person(platform)
    assert log_in(client).status_code == 200


def test_a_password_that_is_too_short_is_malformed(client):
    answer = log_in(client, word="short")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")
