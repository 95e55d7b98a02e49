from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tieout.control.access import passwords
from tieout.control.access.passwords import hash_password, verify_password
from tieout.control.access.registry import MAX_PATTERNS, TooManyPermissions, UnknownPermission, check_patterns
from tieout.control.access.rules import (
    SigningSecret,
    UnusableEmail,
    UnusablePassword,
    check_password,
    lock_after,
    plain_email,
    secret_to_sign,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(4, None), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (12, 60), (10**9, 60)],
)
def test_a_lock_doubles_up_to_an_hour(failures, minutes):
    assert lock_after(failures, NOW) == (None if minutes is None else NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025, "\N{LATIN SMALL LIGATURE FFI}" * 400, "\ud800" * 9])
def test_a_password_has_8_to_1024_characters(password):
    with pytest.raises(UnusablePassword, match="8 to 1024"):
        check_password(password)
    with pytest.raises(UnusablePassword):
        verify_password(None, password)


def test_a_password_is_the_same_from_every_keyboard():
    assert verify_password(hash_password("Müller-Lüdenscheidt"), "Mu\u0308ller-Lu\u0308denscheidt").is_right


@pytest.mark.parametrize("password", ["12345678", "x" * 1024, "pass\0word", "🙂" * 8, " spaces stay "])
def test_a_password_opens_its_own_hash_alone(password):
    hashed = hash_password(password)
    assert hashed.startswith("$argon2id$")
    assert verify_password(hashed, password).is_right
    assert not verify_password(hashed, password[:-1] + "?").is_right
    assert not verify_password(None, password).is_right
    assert not verify_password("no hash", password).is_right


def test_a_hash_with_parameters_of_the_past_is_outdated():
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("12345678")
    assert verify_password(old, "12345678").is_outdated
    assert not verify_password(hash_password("12345678"), "12345678").is_outdated


def test_nobody_s_password_takes_the_same_work(monkeypatch):
    done = []

    class Counting:
        def __init__(self, real):
            self.real = real

        def verify(self, hashed, plain):
            done.append(hashed.rsplit("$", 2)[0])
            return self.real.verify(hashed, plain)

        def __getattr__(self, name):
            return getattr(self.real, name)

    hashed = hash_password("12345678")
    counting = Counting(passwords._hasher())
    passwords._of_nobody()
    monkeypatch.setattr(passwords, "_hasher", lambda: counting)
    verify_password(hashed, "12345678")
    verify_password(hashed, "wrong one")
    verify_password(None, "12345678")
    assert len(done) == 3
    assert len(set(done)) == 1, "each with the same parameters"


@pytest.mark.parametrize(
    "text", ["", "ann", "@example.com", "ann@", "a b@example.com", "a@b@c", "a\0@b", "x" * 65 + "@b", "a@" + "b" * 254]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UnusableEmail):
        plain_email(text)


def test_an_address_is_kept_in_lower_case():
    assert plain_email("  Ann.Lee+x@Example.COM ") == "ann.lee+x@example.com"


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "!",
        "nothing.at.all",
        "pos",
        "Pos.*",
        "pos.tickets.create ",
        "pos..create",
        "pos.tick*",
        "!!pos.*",
        "!nothing.*",
        "pos.*\n",
        "x" * 200,
        "*.*.*.*",
    ],
)
def test_a_pattern_that_stands_for_nothing_is_refused(pattern):
    with pytest.raises(UnknownPermission):
        check_patterns([pattern])


def test_patterns_are_sorted_and_stand_once():
    assert check_patterns(["pos.*", "!pos.payments.*", "pos.*", "*"]) == ("!pos.payments.*", "*", "pos.*")


def test_there_is_an_end_to_patterns(monkeypatch):
    from tieout.control.access import registry

    many = {f"m.f{number}.a": "" for number in range(MAX_PATTERNS + 1)}
    monkeypatch.setattr(registry, "PERMISSIONS", many)
    with pytest.raises(TooManyPermissions):
        check_patterns(many)


def secret(number, *, retired=None, age_s=0):
    return SigningSecret(str(number), bytes(32), NOW - timedelta(seconds=age_s), retired)


def test_the_oldest_secret_that_is_not_retired_signs():
    old = secret(1, age_s=100, retired=NOW + timedelta(seconds=60))
    new = secret(2)
    assert secret_to_sign([new, old], NOW) is old
    assert secret_to_sign([new, old], NOW + timedelta(seconds=60)) is new
    assert secret_to_sign([], NOW) is None
    assert secret_to_sign([old], NOW + timedelta(hours=1)) is None


def test_a_retired_secret_verifies_until_its_last_token_has_ended():
    old = secret(1, retired=NOW)
    assert old.verifies(NOW + timedelta(seconds=900))
    assert not old.verifies(NOW + timedelta(seconds=960))
