from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from tieout.work.outbox.signing import SigningKey, signature_headers

BODY = '{"id":"1","größe":2}'.encode()


def now():
    return datetime.now(UTC)  # the library that verifies looks at the clock


def public_key(key):
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(key.for_receiver.removeprefix("whpk_")))


def test_the_standard_library_of_receivers_takes_our_hmac():
    key = SigningKey.generate("hmac")
    headers = signature_headers("1", BODY, [key], now=now())
    assert Webhook(key.for_receiver).verify(BODY, headers) == {"id": "1", "größe": 2}
    with pytest.raises(WebhookVerificationError):
        Webhook(key.for_receiver).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(key.for_receiver).verify(BODY, headers | {"webhook-id": "2"})


def test_during_a_rotation_both_keys_verify():
    old, new = SigningKey.generate("hmac"), SigningKey.generate("hmac")
    headers = signature_headers("1", BODY, [new, old], now=now())
    for key in (old, new):
        Webhook(key.for_receiver).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SigningKey.generate("hmac").for_receiver).verify(BODY, headers)


def test_ed25519_verifies_with_the_public_key_alone():
    key = SigningKey.generate("ed25519")
    headers = signature_headers("1", BODY, [key], now=now())
    version, _, signature = headers["webhook-signature"].partition(",")
    content = f"1.{headers['webhook-timestamp']}.".encode() + BODY
    assert version == "v1a"
    public_key(key).verify(base64.b64decode(signature), content)
    with pytest.raises(InvalidSignature):
        public_key(key).verify(base64.b64decode(signature), content + b" ")


def test_the_private_part_of_a_key_is_never_shown():
    for signing in ("hmac", "ed25519"):
        key = SigningKey(signing, b"\x01" * 32)
        assert base64.b64encode(key.secret).decode() not in repr(key)
    assert base64.b64encode(b"\x01" * 32).decode() not in SigningKey("ed25519", b"\x01" * 32).for_receiver
