from __future__ import annotations

import pytest

from tests.control.access.people import (
    PASSWORD,
    add_person,
    add_tenant,
    caller,
    key_header,
    log_in,
    token_header,
    trail,
)
from tieout.control.access.actions.passwords import reset_password
from tieout.control.access.caller import NotAllowed

NEW = "a better one"


@pytest.fixture
def ann(platform):
    add_tenant(platform)
    return add_person(platform)


def change(client, header, current=PASSWORD, new=NEW):
    return client.post("/v1/auth/password", json={"currentPassword": current, "newPassword": new}, headers=header)


def test_a_user_changes_their_password_and_every_sign_in_ends(platform, client, ann):
    data = log_in(client).json()["data"]["tokens"]
    answer = change(client, {"Authorization": f"Bearer {data['accessToken']}"})
    assert (answer.status_code, answer.json()) == (200, {"data": {"changed": True}})
    assert client.post("/v1/auth/refresh", json={"refreshToken": data["refreshToken"]}).status_code == 401
    assert log_in(client).status_code == 401
    assert log_in(client, word=NEW).status_code == 200
    assert ("user.password_changed", {"sessions_ended": 1}) in trail(platform)


def test_guesses_at_the_current_password_lock_the_user(platform, client, ann):
    header = token_header(client)
    for _ in range(5):
        answer = change(client, header, current="wrong password")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION")
    assert change(client, header).status_code == 400
    assert log_in(client).status_code == 401
    assert trail(platform)[-1][0] == "auth.locked"


def test_a_key_has_no_password(platform, client, ann):
    assert change(client, key_header(platform)).status_code == 404
    assert change(client, {}).status_code == 401


def test_a_new_password_is_checked_like_any(client, ann):
    assert change(client, token_header(client), new="short").status_code == 400


def test_an_administrator_gives_a_new_password_and_ends_a_lock(platform, client, ann):
    bob = add_person(platform, email="bob@example.com", role="cashier")
    header = token_header(client)
    for _ in range(5):
        log_in(client, "bob@example.com", word="wrong password")
    answer = client.post(f"/v1/users/{bob.user_id}/password", json={"password": NEW}, headers=header)
    assert answer.status_code == 200
    assert log_in(client, "bob@example.com", word=NEW).status_code == 200
    assert ("user.password_reset", {"sessions_ended": 0}) in trail(platform)
    assert client.post("/v1/users/nobody/password", json={"password": NEW}, headers=header).status_code == 404


def test_nobody_takes_over_one_who_may_more(platform, client, ann):
    with pytest.raises(NotAllowed):
        reset_password(platform, caller("t1", "identity.*"), ann.user_id, NEW)
    assert log_in(client).status_code == 200


def test_nobody_takes_over_a_user_of_another_tenant(platform, client, ann):
    add_tenant(platform, "t2")
    header = key_header(platform, "t2")
    assert client.post(f"/v1/users/{ann.user_id}/password", json={"password": NEW}, headers=header).status_code == 404
