from __future__ import annotations

import threading

import pytest

from tests.control.access.people import (
    HERE,
    PASSWORD,
    add_person,
    add_tenant,
    caller,
    everything,
    log_in,
    run_all,
    set_tenant_status,
    trail,
)
from tieout.control.access import passwords
from tieout.control.access.actions.users import NewUser, create_user, disable_user, enable_user
from tieout.control.access.store.users import find_user


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


def fail(client, times=1):
    return [log_in(client, word="wrong password").status_code for _ in range(times)]


def test_five_failures_lock_for_a_minute_and_each_further_one_for_twice_as_long(platform, client, clock):
    add_tenant(platform)
    add_person(platform)
    assert fail(client, 5) == [401] * 5
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        clock.pass_time(seconds=minutes * 60 - 1)
        assert log_in(client).status_code == 401, "still locked"
        clock.pass_time(seconds=1)
        fail(client)
    clock.pass_time(hours=1)
    assert log_in(client).status_code == 200
    assert fail(client, 4) == [401] * 4
    assert log_in(client).status_code == 200, "the count began anew"
    assert [action for action, _ in trail(platform)] == ["auth.locked"] * 9 + ["auth.signed_in"] * 2


def test_failures_while_locked_do_not_make_it_longer(platform, client, clock):
    add_tenant(platform)
    add_person(platform)
    fail(client, 50)
    clock.pass_time(minutes=1)
    assert log_in(client).status_code == 200


def test_of_many_guesses_at_one_time_none_succeeds_after_the_fifth_that_failed(platform, monkeypatch):
    """The password is verified outside the transaction: what counts is the order in which results are stored."""
    from tieout.control.access.actions import sign_in as module

    add_tenant(platform)
    add_person(platform)
    real = module._enter

    def enter_late(*arguments):
        for _ in range(5):
            with pytest.raises(module.SignInRefused):
                module.sign_in(platform, "ann@example.com", "wrong password", None, HERE)
        return real(*arguments)

    monkeypatch.setattr(module, "_enter", enter_late)
    with pytest.raises(module.SignInRefused):
        module.sign_in(platform, "ann@example.com", PASSWORD, None, HERE)


def test_guesses_in_many_threads_are_all_counted(platform):
    from tieout.control.access.actions.sign_in import SignInRefused, sign_in

    add_tenant(platform)
    user = add_person(platform)
    refused = []

    def guess():
        try:
            sign_in(platform, "ann@example.com", "wrong password", None, HERE)
        except SignInRefused:
            refused.append(1)

    run_all([guess] * 4)
    assert len(refused) == 4
    with platform.of("t1").reading() as connection:
        assert find_user(connection, "t1", user.user_id).failed_logins == 4


def test_many_unknown_at_once_are_all_answered(platform, monkeypatch):
    """The first of them makes the hash that they are compared with: it may not wait for a turn that it holds."""
    from tieout.control.access.actions.sign_in import SignInRefused, sign_in

    passwords._of_nobody.cache_clear()
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(1))

    def knock():
        with pytest.raises(SignInRefused):
            sign_in(platform, "nobody@example.com", PASSWORD, None, HERE)

    run_all([knock] * 4)


def test_a_password_that_is_right_in_two_tenants_needs_the_tenant(platform, client):
    for tenant in ("t1", "t2"):
        add_tenant(platform, tenant, alias=f"shop-{tenant}")
        add_person(platform, tenant)
    answer = log_in(client)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "CONFLICT"
    assert answer.json()["error"]["details"]["reason"] == "tenant_needed"
    assert "shop-t1, shop-t2" in answer.json()["error"]["message"]
    for name in ("t2", "shop-t2"):
        assert log_in(client, tenant=name).json()["data"]["user"]["tenantId"] == "t2"
    assert log_in(client, tenant="shop-t3").status_code == 401


def test_a_password_that_is_right_in_one_of_two_tenants_is_enough(platform, client):
    from tieout.control.access.passwords import hash_password
    from tieout.control.access.store.users import set_password_hash

    for tenant in ("t1", "t2"):
        add_tenant(platform, tenant)
        user = add_person(platform, tenant)
    other = hash_password("another password")
    platform.of("t2").write(lambda connection: set_password_hash(connection, "t2", user.user_id, other))
    assert log_in(client, word="another password").json()["data"]["user"]["tenantId"] == "t2"
    assert log_in(client).json()["data"]["user"]["tenantId"] == "t1"
    fail(client, 5)
    assert log_in(client, tenant="t1").status_code == log_in(client, tenant="t2").status_code == 401


def test_a_disabled_user_does_not_sign_in_and_an_enabled_one_does(platform, client):
    add_tenant(platform)
    user = add_person(platform)
    disable_user(platform, caller(), user.user_id)
    assert log_in(client).status_code == 401
    enable_user(platform, caller(), user.user_id)
    assert log_in(client).status_code == 200


def test_a_user_without_a_password_does_not_sign_in(platform, client):
    add_tenant(platform)
    new = NewUser("bob@example.com", "Bob", "Ray")
    platform.of("t1").write(lambda connection: create_user(connection, "t1", new, platform.now()))
    assert log_in(client, "bob@example.com").status_code == 401


def test_an_outdated_hash_is_replaced_when_its_password_is_known(platform, client):
    from argon2 import PasswordHasher

    add_tenant(platform)
    old = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
    new = NewUser("bob@example.com", "Bob", "Ray", password_hash=old)
    user = platform.of("t1").write(lambda connection: create_user(connection, "t1", new, platform.now()))
    for _ in range(2):
        assert log_in(client, "bob@example.com").status_code == 200
    with platform.of("t1").reading() as connection:
        changed = find_user(connection, "t1", user.user_id)
    assert changed.password_hash != old
    assert "m=8," in changed.password_hash


def test_each_way_to_be_refused_does_the_same_work(platform, client, monkeypatch):
    add_tenant(platform)
    add_person(platform)
    add_person(platform, email="locked@example.com")
    for _ in range(5):
        log_in(client, "locked@example.com", word="wrong password")
    verified = []
    real = passwords._hasher().verify
    passwords._of_nobody()

    class Counting:
        def verify(self, hashed, plain):
            verified.append(hashed.rsplit("$", 2)[0])
            return real(hashed, plain)

        def check_needs_rehash(self, hashed):
            return False

    monkeypatch.setattr(passwords, "_hasher", Counting)
    for email, word in [
        ("ann@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("locked@example.com", PASSWORD),
    ]:
        verified.clear()
        assert log_in(client, email, word=word).status_code == 401
        assert len(verified) == 1, email
    assert len(set(verified)) == 1


BODIES = [
    {},
    [],
    None,
    "x",
    {"email": "ann@example.com"},
    {"email": 1, "password": PASSWORD},
    {"email": "ann@example.com", "password": ["x" * 9]},
    {"email": "ann@example.com", "password": "x" * 1025},
    {"email": "x" * 255, "password": PASSWORD},
    {"email": "ann@example.com", "password": PASSWORD, "tenant": "*"},
    {"email": "ann@example.com", "password": PASSWORD, "tenant": "a\0"},
    {"email": "ann@example.com", "password": PASSWORD, "admin": True},
]


def test_a_malformed_body_is_said_to_be_so(client):
    for body in BODIES:
        answer = client.post("/v1/auth/login", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION"), body
        assert PASSWORD not in answer.text


UNSTORABLE = [b'{"email":"\\ud800@b.c","password":"12345678"}', b'{"email":"a@b.c\\u0000","password":"12345678"}']


def test_text_that_no_database_keeps_is_no_fault_of_ours(client):
    for text in UNSTORABLE:
        answer = client.post("/v1/auth/login", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 401}, text


def test_no_secret_is_in_the_trail_or_in_the_database(platform, client):
    add_tenant(platform)
    add_person(platform)
    data = log_in(client).json()["data"]["tokens"]
    client.post("/v1/auth/refresh", json={"refreshToken": data["refreshToken"]})
    written = everything(platform)
    for secret in (PASSWORD, data["accessToken"], data["refreshToken"], data["refreshToken"][3:]):
        assert secret not in written
    said = str(trail(platform))
    assert "argon2" not in said
