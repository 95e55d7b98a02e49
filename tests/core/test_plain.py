from __future__ import annotations

import pytest

from tieout.core.plain import REDACTED, names_secret, plain_values


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "newPassword",
        "password_hash",
        "refresh_token",
        "accessToken",
        "secret",
        "apiKey",
        "api_key",
        "Authorization",
        "cookie",
        "client_secret",
        "private_key",
        "card_number",
    ],
)
def test_secrets_are_known_by_the_name_they_stand_under(name):
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["token_id", "secretId", "key_id", "tokens_used", "cardholder", "reason_code", "hash", "author", ""]
)
def test_what_only_refers_to_a_secret_is_told(name):
    assert not names_secret(name)


def test_secrets_are_masked_however_deep_and_in_text():
    delta = {
        "password": {"from": "hunter2", "to": 12345},
        "list": [{"token": ["abc", None, True]}],
        "said": "curl -H 'Authorization: Bearer abcdefgh12345' whsec_c2VjcmV0 eyJhbGciOi.eyJzdWIi.c2ln sk_live_abc123",
        "changed": {"secret": True},
    }
    masked = plain_values(delta)
    assert masked["password"] == {"from": REDACTED, "to": REDACTED}
    assert masked["list"] == [{"token": [REDACTED, None, True]}]
    assert masked["said"] == f"curl -H 'Authorization: {REDACTED}' {REDACTED} {REDACTED} {REDACTED}"
    assert masked["changed"] == {"secret": True}


@pytest.mark.parametrize("value", [b"bytes", object(), float("nan"), float("inf"), {1}])
def test_a_value_that_has_no_json_is_refused(value):
    with pytest.raises(TypeError):
        plain_values({"x": value})
