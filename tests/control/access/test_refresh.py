from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import select

from tests.control.access.people import (
    HERE,
    add_person,
    add_tenant,
    caller,
    log_in,
    run_all,
    set_tenant_status,
    trail,
)
from tests.work.jobs.test_claims import take
from tieout.control.access import jobs
from tieout.control.access.actions.roles import create_default_roles, give_role
from tieout.control.access.actions.sign_in import RefreshRefused, SignedIn, refresh, sign_out
from tieout.control.access.actions.users import disable_user, enable_user
from tieout.store.tables import user_refresh_tokens
from tieout.work.jobs.actions import submit
from tieout.work.jobs.batches import Bench, do_batch
from tieout.work.jobs.rules import JobRequest


@pytest.fixture
def user(platform):
    add_tenant(platform)
    return add_person(platform)


def tokens(client):
    return log_in(client).json()["data"]["tokens"]


def renew(client, token):
    return client.post("/v1/auth/refresh", json={"refreshToken": token})


def rows(platform):
    with platform.of("t1").reading() as connection:
        asked = select(user_refresh_tokens).where(user_refresh_tokens.c.tenant == "t1")
        return connection.execute(asked.order_by(user_refresh_tokens.c.issued_us)).all()


def test_each_exchange_gives_a_new_pair_in_the_shape_of_a_sign_in(platform, client, user, clock):
    first = log_in(client).json()["data"]
    clock.pass_time(seconds=10)
    second = renew(client, first["tokens"]["refreshToken"])
    assert second.headers["cache-control"] == "no-store"
    data = second.json()["data"]
    assert data["user"] == first["user"]
    assert data["tokens"]["refreshToken"] != first["tokens"]["refreshToken"]
    assert data["tokens"]["accessToken"] != first["tokens"]["accessToken"]
    assert data["tokens"]["expiresAt"]["accessToken"] == "2026-03-01T12:15:10+00:00"
    assert data["tokens"]["expiresAt"]["refreshToken"] == "2026-03-31T12:00:10+00:00"
    clock.pass_time(seconds=10)
    assert renew(client, data["tokens"]["refreshToken"]).status_code == 200
    found = rows(platform)
    assert len(found) == 3
    assert len({row.family_id for row in found}) == 1
    assert [row.token_id for row in found][:2] == [first["tokens"]["refreshTokenId"], data["tokens"]["refreshTokenId"]]


def test_a_replayed_token_ends_its_whole_sign_in_and_no_other(platform, client, user, clock):
    stolen, other = tokens(client)["refreshToken"], tokens(client)["refreshToken"]
    clock.pass_time(seconds=5)
    thiefs = renew(client, stolen).json()["data"]["tokens"]["refreshToken"]
    clock.pass_time(seconds=5)
    answer = renew(client, stolen)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTHN")
    assert renew(client, thiefs).status_code == 401
    assert renew(client, other).status_code == 200
    [(_, delta)] = [one for one in trail(platform) if one[0] == "auth.refresh_replayed"]
    assert delta["tokens_ended"] == 2
    assert renew(client, stolen).status_code == 401
    assert len([one for one in trail(platform) if one[0] == "auth.refresh_replayed"]) == 1, "told once"


def test_of_many_who_exchange_one_token_at_once_one_wins_and_its_token_lives(platform, client, user):
    token, answers = tokens(client)["refreshToken"], []

    def exchange():
        try:
            answers.append(refresh(platform, token, HERE))
        except RefreshRefused:
            answers.append(None)

    run_all([exchange] * 6)
    assert len(answers) == 6
    [won] = [one for one in answers if one is not None]
    assert isinstance(won, SignedIn)
    assert refresh(platform, won.tokens.refresh, HERE)
    assert "auth.refresh_replayed" not in [action for action, _ in trail(platform)]


def test_two_seconds_later_it_is_a_replay(platform, client, user, clock):
    token = tokens(client)["refreshToken"]
    won = renew(client, token).json()["data"]["tokens"]["refreshToken"]
    clock.pass_time(seconds=2)
    assert renew(client, token).status_code == 401
    won = renew(client, won).json()["data"]["tokens"]["refreshToken"]
    clock.pass_time(microseconds=1)
    assert renew(client, token).status_code == 401
    assert renew(client, won).status_code == 401


def test_a_refresh_token_ends_after_30_days(platform, client, user, clock):
    early, late = tokens(client)["refreshToken"], tokens(client)["refreshToken"]
    clock.pass_time(days=30, seconds=-1)
    assert renew(client, early).status_code == 200
    clock.pass_time(seconds=1)
    assert renew(client, late).status_code == 401


def test_an_unknown_token_is_refused_and_one_of_a_wrong_kind_is_malformed(client):
    for token in ("x", "tr_", "tr_" + "0" * 64, "\ud7ff", "é" * 200):
        assert renew(client, token).status_code == 401
    for token in ("", "x" * 201, 1, None):
        assert renew(client, token).status_code == 400


def test_an_access_token_or_a_key_is_no_refresh_token(platform, client, user):
    assert renew(client, tokens(client)["accessToken"][:200]).status_code == 401


def test_a_disabled_user_and_a_closed_tenant_get_no_new_tokens(platform, client, user):
    token = tokens(client)["refreshToken"]
    set_tenant_status(platform, "t1", "suspended")
    assert renew(client, token).status_code == 401
    set_tenant_status(platform, "t1", "active")
    token = renew(client, token).json()["data"]["tokens"]["refreshToken"]
    disable_user(platform, caller(), user.user_id)
    assert renew(client, token).status_code == 401
    assert all(row.revoked_us for row in rows(platform))


def test_new_tokens_have_the_roles_of_now(platform, client):
    add_tenant(platform)
    user = add_person(platform, role="cashier")
    first = log_in(client).json()["data"]
    assert first["user"]["roles"] == ["cashier"]
    ids = platform.of("t1").write(lambda connection: create_default_roles(connection, "t1", platform.now()))
    give_role(platform, caller(), user.user_id, ids["kitchen"])
    second = renew(client, first["tokens"]["refreshToken"]).json()["data"]
    assert second["user"]["roles"] == ["cashier", "kitchen"]
    header = {"Authorization": f"Bearer {second['tokens']['accessToken']}"}
    assert client.get("/v1/auth/me", headers=header).json()["data"]["roles"] == ["cashier", "kitchen"]


def test_signing_out_ends_the_sign_in_and_says_so_once(platform, client, user):
    first = tokens(client)["refreshToken"]
    second = renew(client, first).json()["data"]["tokens"]["refreshToken"]
    other = tokens(client)["refreshToken"]
    for _ in range(2):
        answer = client.post("/v1/auth/logout", json={"refreshToken": second})
        assert (answer.status_code, answer.json()) == (200, {"data": {"signedOut": True}})
    assert renew(client, second).status_code == 401
    assert renew(client, other).status_code == 200
    assert client.post("/v1/auth/logout", json={"refreshToken": "never there"}).status_code == 200
    assert [action for action, _ in trail(platform)].count("auth.signed_out") == 1


def test_signing_out_and_exchanging_at_once_leaves_nobody_signed_in(platform, client, user):
    token, made = tokens(client)["refreshToken"], []

    def exchange():
        try:
            made.append(refresh(platform, token, HERE).tokens.refresh)
        except RefreshRefused:
            made.append(token)

    run_all([exchange, lambda: sign_out(platform, token, HERE)])
    with pytest.raises(RefreshRefused):
        refresh(platform, made[0], HERE)


def test_exchanging_and_disabling_at_once_leaves_no_token_and_no_deadlock(platform, client, user):
    for _ in range(4):
        token = tokens(client)["refreshToken"]

        def exchange(token=token):
            with contextlib.suppress(RefreshRefused):
                refresh(platform, token, HERE)

        run_all([exchange, exchange, lambda: disable_user(platform, caller(), user.user_id)])
        assert all(row.revoked_us for row in rows(platform))
        enable_user(platform, caller(), user.user_id)


@pytest.mark.parametrize("at_once", [2, 100])
def test_tokens_that_ended_are_dropped(platform, client, user, clock, monkeypatch, at_once):
    monkeypatch.setattr(jobs, "AT_ONCE", at_once)
    for _ in range(3):
        tokens(client)
    clock.pass_time(days=29)
    last = log_in(client).json()["data"]["tokens"]["refreshTokenId"]
    clock.pass_time(days=2)
    kinds = jobs.kinds(now=platform.now, random_bytes=platform.random_bytes)
    request, at = JobRequest(jobs.DROP_ENDED, {}), {"now": platform.now(), "random_bytes": platform.random_bytes}
    platform.of("superadmin").write(lambda connection: submit(connection, "superadmin", request, **at))
    bench = Bench(platform.state, platform.now, platform.random_bytes)
    rounds = 0
    while taken := take(platform.state, now=platform.now(), kinds=(jobs.DROP_ENDED,)):
        do_batch(bench, kinds, taken[0].batch_id, taken)
        rounds += 1
    assert [row.token_id for row in rows(platform)] == [last]
    assert rounds == (2 if at_once == 2 else 1)
