import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tieout.core.redaction import Redaction, redact_log_text, redact_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
HEX = "0123456789abcdef0123456789abcdef"
redaction = Redaction(salt=b"salt")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("mail joe.bloggs+x@example.co.uk now", "mail [REDACTED_EMAIL] now"),
        ("q=joe%40example.com&x", "q=[REDACTED_EMAIL]&x"),
        ("twice joe%2540example.com", "twice [REDACTED_EMAIL]"),
        ("jörg@exämple.de", "[REDACTED_EMAIL]"),
        ("at home @ noon", "at home @ noon"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [REDACTED]"),
        ("BEARER bearer abc", "Bearer [REDACTED]"),
        (f"Bearer {JWT}", "Bearer [REDACTED]"),
        (f"got {JWT}.", "got [REDACTED_JWT]."),
        (f"got x-{JWT}", "got x-[REDACTED_JWT]"),
        ("got " + JWT.replace(".", "%2E"), "got [REDACTED_JWT]"),
        ("got " + JWT.replace(".", "%2e"), "got [REDACTED_JWT]"),
        ("eyJust a word. And. Another", "eyJust a word. And. Another"),
        ("heyJohn.is.here", "heyJohn.is.here"),
        ("sk_test_4eC39HqLyjWD and sk_live_a", "sk_test_[REDACTED] and sk_live_[REDACTED]"),
        ("card 4111111111111111, ok", "card [REDACTED_NUMERIC], ok"),
        ("card_4111111111111111", "card_[REDACTED_NUMERIC]"),
        ("123456789012", "123456789012"),
        ("12345678901234567890", "12345678901234567890"),
        ("1234567890123 1234567890123456789", "[REDACTED_NUMERIC] [REDACTED_NUMERIC]"),
        ("ref A1234567890123", "ref A1234567890123"),
        (HEX, HEX),
        ("ünïcödé 🙂 stays, 100,00 €", "ünïcödé 🙂 stays, 100,00 €"),
    ],
)
def test_texts_lose_what_names_a_person_or_opens_a_door(text, redacted):
    assert redact_text(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET /x?access_token=abc&y=1", "GET /x?access_token=[REDACTED]&y=1"),
        ("id_token=[x", "id_token=[REDACTED]"),
        ("token=[REDACTED]abc", "token=[REDACTED]"),
        ("password=hunter2 api_key=1", "password=[REDACTED] api_key=[REDACTED]"),
        ("postgresql://tieout:pw@db.example.com/x", "postgresql://[REDACTED]@db.example.com/x"),
        (f"id {HEX}", "id [REDACTED_HEX]"),
        (f"id {HEX}g", f"id {HEX}g"),
        ("0190f3a1-7c1e-7abc-8def-0123456789ab", "0190f3a1-7c1e-7abc-8def-0123456789ab"),
    ],
)
def test_logs_also_lose_named_secrets_and_long_hex(text, redacted):
    assert redact_log_text(text) == redacted


HARD = ["a@", "a%40", "%40", "a.", "@a.b", "eyJ", "-eyJ", "eyJa.", "eyJa.b", "bearer ", "bearer", "sk_test_", "1", "f"]
HARD += ["://a:", "://", "token=", "token=[REDACTED]", " ", ".", "%", "%2E", "a", "_", "\u0660", "é", "'"]


@pytest.mark.parametrize("part", HARD)
@pytest.mark.parametrize("end", ["", "!", "@", "["])
def test_a_long_run_of_anything_is_read_in_one_go(part, end):
    # No time is taken: what needed the square of its length would not end.
    redact_log_text(part * (200_000 // len(part)) + end)


pieces = st.lists(
    st.one_of(
        st.sampled_from([*HARD, JWT, HEX, "joe@example.com", "4111111111111111", "Bearer x", "sk_live_x", "=", "&"]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@given(pieces)
@example("token=Bearer a")
@example("://a:b@c@d.e")
def test_what_was_redacted_stays_as_it_is(text):
    assert redact_text(redact_text(text)) == redact_text(text)
    assert redact_log_text(redact_log_text(text)) == redact_log_text(text)


@given(st.text(), st.text())
def test_a_token_and_an_address_are_found_in_any_surroundings(before, after):
    text = f"{before} {JWT} joe@example.com {after}"
    assert JWT not in redact_text(text)
    assert "joe@example.com" not in redact_text(text)


@pytest.mark.parametrize(
    "key",
    [
        *("authorization", "Authorization", "proxy-authorization", "auth", "token", "tokens", "accessToken", "apiKey"),
        *("x_api_key", "card", "cardNumber", "card_last4", "password", "new_password", "secret", "clientSecret"),
        *("cookie", "set-cookie", "signature", "sig", "digest", "hash", "prev_hash", "reason_code"),
    ],
)
def test_a_field_whose_name_says_that_it_is_secret_is_masked(key):
    assert redaction.fields({key: "some value"}) == {key: "[REDACTED]"}
    assert redaction.fields({"inside": [{key: {"deep": 1}}]}) == {"inside": [{key: "[REDACTED]"}]}


def test_fields_are_redacted_by_their_names():
    told = redaction.fields(
        {
            "userId": "u1",
            "email": "Joe@Example.com",
            "ip": "10.1.2.3",
            "ip_address": "2001:db8:1:2::3",
            "client_ip": "::ffff:10.1.2.3",
            "remote_addr": "nonsense",
            "idfa": "x",
            "gaid": "x",
            "deviceId": "x",
            "consent": "x",
            "url": "https://u:p@example.com/a?token=1#f",
            "run_digest": HEX,
            "request_id": HEX,
            "note": f"{HEX} joe@example.com",
            "amount_micros": 1_234_567_890_123_456,
            "joe@example.com": 1,
        }
    )
    assert told.pop("userId") == "sha256:" + hashlib.sha256(b"saltu1").hexdigest()
    assert told.pop("email").endswith(":om")
    assert told == {
        "ip": "10.1.2.0/24",
        "ip_address": "2001:db8:1::/48",
        "client_ip": "10.1.2.0/24",
        "remote_addr": "[REDACTED]",
        "url": "https://[REDACTED]@example.com/a",
        "run_digest": HEX,
        "request_id": HEX,
        "note": "[REDACTED_HEX] [REDACTED_EMAIL]",
        "amount_micros": 1_234_567_890_123_456,
        "[REDACTED_EMAIL]": 1,
    }


def test_two_installations_do_not_share_what_they_write_for_a_user():
    assert Redaction(b"a").fields({"user_id": "1"}) != Redaction(b"b").fields({"user_id": "1"})


def test_the_same_address_is_the_same_person_in_any_case():
    assert redaction.fields({"email": "A@B.co"})["email"] == redaction.fields({"email": "a@b.co"})["email"]


class Odd:
    def __str__(self):
        return "joe@example.com"


def test_whatever_a_field_holds_becomes_plain():
    deep = []
    deep.append(deep)
    told = redaction.fields({"a": Odd(), "b": b"joe@example.com\xff", "c": {"x"}, "d": deep, "e": "\ud800", "f": None})
    assert told["a"] == "[REDACTED_EMAIL]"
    assert told["b"].startswith("[REDACTED_EMAIL]")
    assert told["c"] == ["x"]
    assert "[TOO DEEP]" in str(told["d"])


keys = st.sampled_from(["userId", "email", "ip", "url", "token", "note", "run_digest", "request_id", "consent", "sig"])


@given(st.dictionaries(keys, st.one_of(pieces, st.none(), st.integers(), st.lists(pieces), st.booleans())))
@example({"email": "a@b.c"})
def test_fields_that_were_redacted_stay_as_they_are(fields):
    once = redaction.fields(fields)
    assert redaction.fields(once) == once
