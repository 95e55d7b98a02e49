from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from tests.control.access.people import (
    HERE,
    OPERATOR,
    add_person,
    add_tenant,
    caller,
    key_header,
    set_tenant_status,
    token_header,
    trail,
)
from tieout.control.access.actions.keys import create_admin_key, create_key, list_keys, revoke_key
from tieout.control.access.actions.signing import rotate_signing, signing_secret
from tieout.control.access.actions.users import disable_user
from tieout.control.access.authentication import authenticate, recognise
from tieout.control.access.caller import NotSignedIn
from tieout.control.platform import Platform
from tieout.core.sealing import SealedOtherwise
from tieout.store.tables import platform_secrets


class Statements:
    """Counts the statements that a piece of code sends to the database."""

    def __init__(self, platform):
        self.engine, self.texts = platform.state.engine, []

    def __enter__(self):
        event.listen(self.engine, "before_cursor_execute", self.note)
        return self.texts

    def note(self, _connection, _cursor, statement, *_):
        self.texts.append(statement)

    def __exit__(self, *_):
        event.remove(self.engine, "before_cursor_execute", self.note)


def other_process(platform):
    """Return the same installation as another process has it open: the same state, a memory of its own."""
    return Platform(platform.settings, platform.state, platform.now)


def who(platform, header, where=HERE):
    return authenticate(platform, header["Authorization"], where)


def signs(platform):
    return signing_secret(platform).secret_id


@pytest.fixture
def header(platform, client):
    add_tenant(platform)
    add_person(platform)
    return token_header(client)


BAD_HEADERS = [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "Bearer a.b.c", "bearer tk_", "Bearer tk_1_2"]
BAD_HEADERS += ["Bearer " + "x" * 100_000, "Bearer \xe9", "Bearer tk_\0", "Bearer x y", "tk_1_2", "Bearer eyJ.eyJ."]


def test_a_header_that_names_nobody_is_refused(platform):
    for authorization in BAD_HEADERS:
        with pytest.raises(NotSignedIn, match="no valid token"):
            authenticate(platform, authorization, HERE)


def test_a_token_names_its_user(platform, header):
    found = who(platform, header)
    assert found.tenant == "t1"
    assert found.actor.name == f"user:{found.actor.user_id}"
    assert (found.actor.ip_address, found.actor.user_agent, found.actor.request_id) == ("203.0.113.9", "browser", "r-1")
    assert found.permissions == ("!superadmin.*", "*")
    assert found.roles == ("business_owner",)


def test_a_token_is_read_without_the_database(platform, header):
    who(platform, header)
    with Statements(platform) as asked:
        who(platform, header)
        assert recognise(platform, header["Authorization"], HERE) is not None
    assert asked == []


def test_the_secrets_are_read_again_after_30_s(platform, header, clock):
    who(platform, header)
    clock.pass_time(seconds=29)
    with Statements(platform) as asked:
        who(platform, header)
        assert asked == []
        clock.pass_time(seconds=1)
        assert recognise(platform, header["Authorization"], HERE) is None
        who(platform, header)
    assert sum("platform_secrets" in one for one in asked) == 1


def test_a_token_ends_after_15_minutes(platform, header, clock):
    clock.pass_time(seconds=899)
    who(platform, header)
    clock.pass_time(seconds=1)
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            who(platform, header)
    with pytest.raises(NotSignedIn):
        who(other_process(platform), header)


def test_a_token_of_the_future_is_refused_beyond_a_minute_of_skew(platform, header, clock):
    clock.pass_time(seconds=-60)
    who(other_process(platform), header)
    clock.pass_time(seconds=-1)
    with pytest.raises(NotSignedIn):
        who(other_process(platform), header)


def test_a_disabled_user_stays_until_the_token_ends_and_no_longer(platform, client, header, clock):
    found = who(platform, header)
    disable_user(platform, caller(), found.actor.user_id)
    who(platform, header)
    clock.pass_time(seconds=900)
    with pytest.raises(NotSignedIn):
        who(platform, header)


def test_a_stranger_s_names_of_secrets_do_not_reach_the_database_again_and_again(platform, header):
    from tests.control.access.test_tokens import forge

    who(platform, header)
    with Statements(platform) as asked:
        for number in range(50):
            with pytest.raises(NotSignedIn):
                authenticate(platform, "Bearer " + forge(header={"alg": "HS256", "kid": f"x{number}"}), HERE)
    assert len(asked) <= 5


def test_all_processes_that_need_the_first_secret_at_once_make_one(platform):
    gate, found = threading.Barrier(6), []

    def sign():
        process = other_process(platform)
        gate.wait(10)
        found.append(signing_secret(process))

    threads = [threading.Thread(target=sign) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(found) == 6
    assert len({(one.secret_id, one.key) for one in found}) == 1
    with platform.state.reading() as connection:
        assert len(connection.execute(select(platform_secrets)).all()) == 1


def test_the_secret_lies_sealed(platform):
    secret = signing_secret(platform)
    with platform.state.reading() as connection:
        [row] = connection.execute(select(platform_secrets)).all()
    assert row.sealed.startswith("v1.")
    assert secret.key.hex() not in row.sealed
    assert secret.key.hex() not in repr(secret)


def test_another_key_of_the_installation_gives_one_clear_error(platform, header):
    (platform.settings.data_dir / "secret.key").unlink()
    with pytest.raises(SealedOtherwise, match="TIEOUT_SECRET_KEY"):
        who(other_process(platform), header)


def test_nobody_notices_that_the_signing_secret_is_replaced(platform, client, header, clock):
    stranger = other_process(platform)
    who(stranger, header)
    assert rotate_signing(platform, OPERATOR) == "2"
    for _ in range(20):  # ten minutes in which each process sees what the other signs
        fresh = token_header(client)
        who(stranger, fresh)
        who(stranger, header)
        who(platform, header)
        clock.pass_time(seconds=30)
    assert signs(platform) == "2"
    clock.pass_time(seconds=301)
    with pytest.raises(NotSignedIn):
        who(platform, header)
    assert trail(platform, "superadmin") == [
        ("signing_secret.rotated", {"before": ["1"], "after": "2", "at_once": False})
    ]


def test_the_old_secret_signs_no_more_and_verifies_no_longer_than_it_must(platform, clock):
    signing_secret(platform)
    rotate_signing(platform, OPERATOR)
    assert signs(platform) == "1"
    clock.pass_time(seconds=60)
    assert signs(platform) == "2"
    assert set(platform.access.secrets.by_id) == {"1", "2"}
    clock.pass_time(seconds=960)
    signing_secret(platform)
    assert set(platform.access.secrets.by_id) == {"2"}
    clock.pass_time(days=2)
    rotate_signing(platform, OPERATOR)
    with platform.state.reading() as connection:
        assert {row.secret_id for row in connection.execute(select(platform_secrets))} == {"2", "3"}


def test_a_leaked_secret_ends_at_once(platform, client, header, clock):
    stranger = other_process(platform)
    who(stranger, header)
    rotate_signing(platform, OPERATOR, is_at_once=True)
    with pytest.raises(NotSignedIn):
        who(platform, header)
    clock.pass_time(seconds=30)
    with pytest.raises(NotSignedIn):
        who(stranger, header)
    who(stranger, token_header(client))


def test_two_who_rotate_at_once_make_two_secrets(platform):
    signing_secret(platform)
    gate, made = threading.Barrier(2), []

    def rotate():
        process = other_process(platform)
        gate.wait(10)
        made.append(rotate_signing(process, OPERATOR))

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(made) == ["2", "3"]


def test_a_key_names_itself_and_is_looked_up_once_in_5_s(platform, clock):
    add_tenant(platform)
    header = key_header(platform, "t1", "pos.*")
    with Statements(platform) as asked:
        found = who(platform, header)
        lookups = [one for one in asked if one.lower().startswith("select") and "api_keys" in one]
        assert len(lookups) == 1
        asked.clear()
        clock.pass_time(seconds=4)
        assert who(platform, header) == found
        assert asked == []
        clock.pass_time(seconds=1)
        who(platform, header)
        assert [one for one in asked if "api_keys" in one] != []
    assert found.tenant == "t1"
    assert found.actor.name.startswith("key:")
    assert found.actor.user_id is None
    assert found.may("pos.tickets.create")
    assert not found.may("menu.items.read")


def test_the_use_of_a_key_is_noted_to_the_minute_and_not_oftener(platform, clock):
    add_tenant(platform)
    header = key_header(platform)
    clock.pass_time(seconds=30)
    writes = []
    with Statements(platform) as asked:
        for _ in range(12):
            who(platform, header)
            clock.pass_time(seconds=10)
        writes = [one for one in asked if one.lower().startswith("update")]
    assert len(writes) == 3  # at 30 s, 60 s and 120 s
    [key], _ = list_keys(platform, caller(), limit=10)
    assert key.last_used == clock.at.replace(second=0)


def test_a_revoked_key_ends_here_at_once_and_elsewhere_in_5_s(platform, clock):
    add_tenant(platform)
    header, stranger = key_header(platform), other_process(platform)
    who(platform, header)
    who(stranger, header)
    [key], _ = list_keys(platform, caller(), limit=10)
    revoke_key(platform, caller(), key.key_id)
    with pytest.raises(NotSignedIn):
        who(platform, header)
    clock.pass_time(seconds=5)
    with pytest.raises(NotSignedIn):
        who(stranger, header)


def test_a_key_ends_when_it_was_said_to_though_it_is_remembered(platform, clock):
    add_tenant(platform)
    header = key_header(platform, expires=clock.at + timedelta(seconds=2))
    who(platform, header)
    clock.pass_time(seconds=2)
    with pytest.raises(NotSignedIn):
        who(platform, header)


def test_keys_of_a_closed_tenant_open_nothing(platform, clock):
    add_tenant(platform)
    header = key_header(platform)
    set_tenant_status(platform, "t1", "suspended")
    with pytest.raises(NotSignedIn):
        who(platform, header)
    set_tenant_status(platform, "t1", "active")
    who(platform, header)


def test_a_key_whose_end_was_changed_is_another_key(platform):
    add_tenant(platform)
    text = key_header(platform)["Authorization"]
    for changed in (text[:-1] + ("0" if text[-1] != "0" else "1"), text + "0", text[:-1], text.upper()):
        with pytest.raises(NotSignedIn):
            authenticate(platform, changed, HERE)


def test_an_installation_has_one_first_administrator_whoever_starts_it(platform):
    gate, made = threading.Barrier(4), []

    def start():
        gate.wait(10)
        made.append(create_admin_key(platform))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    [key] = [one for one in made if one is not None]
    assert len(made) == 4
    found = authenticate(platform, f"Bearer {key.text}", HERE)
    assert found.tenant == "superadmin"
    assert found.may("tenant_registrations.approve")
    assert found.may("superadmin.tenants.toggle_modules")
    assert key.text not in repr(key)
    assert create_admin_key(platform) is None
    assert [action for action, _ in trail(platform, "superadmin")] == ["api_key.created"]


def test_a_state_that_cannot_be_written_still_lets_keys_in(platform, monkeypatch):
    from tieout.store.state import State, StateUnavailable

    add_tenant(platform)
    text = create_key(platform, caller(), "a", ["*"]).text

    def fail(*_):
        raise StateUnavailable("read only")

    monkeypatch.setattr(State, "write", fail)
    assert authenticate(platform, f"Bearer {text}", HERE).tenant == "t1"
