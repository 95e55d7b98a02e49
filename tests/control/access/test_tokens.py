from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.control.access.caller import NotSignedIn
from tieout.control.access.rules import SigningSecret
from tieout.control.access.tokens import AccessClaims, SignedByUnknown, read_token, sign_token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = SigningSecret("1", bytes(range(32)), NOW, None)
SECRETS = {"1": SECRET}
CLAIMS = AccessClaims("u1", "t1", ("owner",), ("*", "!superadmin.*"), NOW, NOW + timedelta(seconds=900), "j1")
SAID = {
    "sub": "u1",
    "tenantId": "t1",
    "aud": "t1",
    "roles": ["owner"],
    "permissions": ["*"],
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "jti": "j1",
}


def coded(value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def forge(said=SAID, header=None, key=SECRET.key, digest=hashlib.sha256):
    head = {"alg": "HS256", "typ": "JWT", "kid": "1"} if header is None else header
    signed = f"{coded(head)}.{coded(said)}"
    return f"{signed}.{coded(hmac.new(key, signed.encode(), digest).digest())}"


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_what_is_signed_is_read_back_and_says_what_the_contract_says():
    text = sign_token(CLAIMS, SECRET)
    assert read_token(text, SECRETS) == (CLAIMS, "1")
    header, said, _ = (part for part in text.split("."))
    assert decoded(header) == {"typ": "JWT", "alg": "HS256", "kid": "1"}
    assert decoded(said) == {**SAID, "permissions": ["*", "!superadmin.*"]}


def test_a_token_made_by_hand_reads_the_same():
    assert read_token(forge(), SECRETS)[0] == replace(CLAIMS, permissions=("*",))


HEADERS = [
    {"alg": "none", "kid": "1"},
    {"alg": "None", "kid": "1"},
    {"alg": "", "kid": "1"},
    {"kid": "1"},
    {"alg": "HS256"},
    {"alg": "HS512", "kid": "1"},
    {"alg": "RS256", "kid": "1"},
    {"alg": ["HS256"], "kid": "1"},
    {"alg": None, "kid": "1"},
    {"alg": "HS256", "kid": 1},
    {"alg": "HS256", "kid": ["1"]},
    {"alg": "HS256", "kid": {"1": 1}},
    {"alg": "HS256", "kid": "1", "crit": ["x"], "x": 1},
    {"alg": "HS256", "kid": "1", "b64": False, "crit": ["b64"]},
    {"alg": "HS256", "kid": "../1"},
    {"alg": "dir", "enc": "A128GCM", "kid": "1"},
    [],
    "HS256",
    None,
    1,
]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_only_hs256_by_a_known_secret_is_read(header):
    for text in (forge(header=header or {}), forge(header=header or {}, digest=hashlib.sha512)):
        with pytest.raises(NotSignedIn):
            read_token(text, SECRETS)
    head, said, _ = forge(header=header or {}).split(".")
    with pytest.raises(NotSignedIn):
        read_token(f"{head}.{said}.", SECRETS)


def test_a_key_in_the_header_is_not_used():
    mine = b"m" * 32
    jwk = {"kty": "oct", "k": coded(mine)}
    for more in ({"jwk": jwk}, {"jku": "https://example.com"}, {"x5u": "https://example.com"}):
        with pytest.raises(NotSignedIn):
            read_token(forge(header={"alg": "HS256", "kid": "1", **more}, key=mine), SECRETS)


def test_another_secret_of_that_name_does_not_sign():
    with pytest.raises(NotSignedIn) as caught:
        read_token(forge(key=b"x" * 32), SECRETS)
    assert not isinstance(caught.value, SignedByUnknown)
    for key in (b"", b"\0" * 32):
        with pytest.raises(NotSignedIn):
            read_token(forge(key=key), SECRETS)


def test_an_unknown_secret_is_told_apart_so_that_it_can_be_looked_for():
    with pytest.raises(SignedByUnknown):
        read_token(forge(header={"alg": "HS256", "kid": "2"}), SECRETS)


WRONG = [
    ("sub", [None, "", 1, ["u1"], ...]),
    ("tenantId", [None, "", 1, "t2", ["t1"], ...]),
    ("aud", [None, "", "t2", ["t1"], ["t1", "t2"], ...]),
    ("roles", [None, "owner", [1], {}, ...]),
    ("permissions", [None, "*", [["*"]], {"*": 1}, ...]),
    ("jti", [None, "", 1, ...]),
    ("iat", [None, "1", 1.5, True, -1, 10**30, SAID["exp"], SAID["exp"] - 901, float("nan"), ...]),
    ("exp", [None, "1", 1.5, False, -1, 10**30, SAID["iat"], SAID["iat"] + 901, float("inf"), ...]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG for value in values], ids=str)
def test_a_claim_that_is_missing_or_of_a_wrong_kind_is_refused_though_the_signature_is_right(name, value):
    said = {key: one for key, one in SAID.items() if key != name} | ({} if value is ... else {name: value})
    with pytest.raises(NotSignedIn):
        read_token(forge(said), SECRETS)


@pytest.mark.parametrize(
    "said", [[], None, 1, "x", b"", b"{", b"\xff", b"[" * 100_000], ids=lambda said: repr(said)[:20]
)
def test_a_body_that_is_no_object_is_refused_though_the_signature_is_right(said):
    with pytest.raises(NotSignedIn):
        read_token(forge(said), SECRETS)


@given(st.text(max_size=60))
def test_no_text_makes_it_fall_over(text):
    with pytest.raises(NotSignedIn):
        read_token(text, SECRETS)


@given(st.integers(0, 10_000), st.sampled_from("AZaz09-_=. "))
def test_no_other_character_in_any_place_passes(place, other):
    text = sign_token(CLAIMS, SECRET)
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    try:
        claims, _ = read_token(changed, SECRETS)
    except NotSignedIn:
        return
    # The last character of a part of base64 has bits that mean nothing.
    assert claims == CLAIMS
    assert changed == text or place in {
        len(part) - 1 for part in (text, text.rpartition(".")[0], text.partition(".")[0])
    }


@given(st.integers(-2000, 2000))
def test_a_token_counts_from_a_minute_before_its_making_to_its_end(second):
    at = NOW + timedelta(seconds=second)
    assert CLAIMS.is_current(at) is (-60 <= second < 900)
