"""Signatures as Standard Webhooks has them: HMAC-SHA256 (`v1`) with a shared secret, or Ed25519 (`v1a`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from tieout.core.ids import RandomBytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Signing = Literal["hmac", "ed25519"]
SECRET_BYTES = 32

_HMAC_PREFIX = "whsec_"
_PUBLIC_PREFIX = "whpk_"


@dataclass(frozen=True)
class SigningKey:
    """What signs: 32 bytes, shared with the receiver (hmac) or known to nobody else (ed25519)."""

    signing: Signing
    secret: bytes

    @classmethod
    def generate(cls, signing: Signing, random_bytes: RandomBytes = os.urandom) -> SigningKey:
        """Return a new key."""
        return cls(signing, random_bytes(SECRET_BYTES))

    def __repr__(self) -> str:
        return f"SigningKey({self.signing!r})"

    @property
    def for_receiver(self) -> str:
        """What the receiver verifies with: the secret itself as `whsec_…`, or the public key as `whpk_…`."""
        if self.signing == "hmac":
            return _HMAC_PREFIX + _base64(self.secret)
        return _PUBLIC_PREFIX + _base64(self._private_key().public_key().public_bytes_raw())

    def sign(self, content: bytes) -> str:
        """Return the signature with its version, such as `v1,…`."""
        if self.signing == "hmac":
            return "v1," + _base64(hmac.new(self.secret, content, hashlib.sha256).digest())
        return "v1a," + _base64(self._private_key().sign(content))

    def _private_key(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - help answers without it
            Ed25519PrivateKey,
        )

        return Ed25519PrivateKey.from_private_bytes(self.secret)


def signature_headers(event_id: str, body: bytes, keys: Iterable[SigningKey], *, now: datetime) -> dict[str, str]:
    """Return id, time and signatures of a message: one signature a key, so that a receiver may have the old or the new.

    Source: Standard Webhooks 1.0.0.
    """
    seconds = str(int(now.timestamp()))
    content = b".".join((event_id.encode(), seconds.encode(), body))
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(key.sign(content) for key in keys),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
