"""Sealing: secrets as they may lie in the state database, encrypted with a key that is not in it.

A sealed text is `v1.KEY.TEXT`: which key sealed it, and nonce and ciphertext of AES-256-GCM. The context, such as
`platform_secrets/access_token/1`, is sealed in with it: moved to another row, a sealed text opens no more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes

KEY_BYTES = 32
KEY_FILE = "secret.key"
"""In the data folder, where no key is set: base64 of one key, made at the first start."""

_FORM = "v1"
_NONCE_BYTES = 12


class SecretKeyUnusable(TieoutError):
    """The key of the installation is not 32 bytes in base64, or its file cannot be read or made."""

    code = "secret_key_unusable"
    http_status = 500


class SealedOtherwise(TieoutError):
    """A secret was sealed with a key that this process does not have; `subject` is what it is for."""

    code = "sealed_otherwise"
    http_status = 500


@dataclass(frozen=True)
class Sealer:
    """Seals with the first of its keys and opens what any of them sealed."""

    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def key_id(self) -> str:
        """The name of the key that seals; it tells nothing of the key."""
        return next(iter(self.keys))

    def seal(self, secret: bytes, context: str, random_bytes: RandomBytes = os.urandom) -> str:
        """Return `secret` sealed for `context`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - help answers without it

        nonce = random_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(self.keys[self.key_id]).encrypt(nonce, secret, context.encode())
        return f"{_FORM}.{self.key_id}.{base64.urlsafe_b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, context: str) -> bytes:
        """Return what was sealed for `context`; raise SealedOtherwise."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        form, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if form != _FORM or key_id not in self.keys:
            raise _otherwise(context)
        try:
            body = base64.b64decode(text, altchars=b"-_", validate=True)
            return AESGCM(self.keys[key_id]).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise _otherwise(context) from None


def open_sealer(secret_key: str, data_dir: Path, random_bytes: RandomBytes = os.urandom) -> Sealer:
    """Return the sealer of an installation.

    `secret_key` is the setting: keys in base64 with commas between them, the first seals. Where it is empty the key is
    that of the file `secret.key` in `data_dir`, made when it does not exist. Raises SecretKeyUnusable.
    """
    texts = secret_key.split(",") if secret_key else [_read_or_make(data_dir / KEY_FILE, random_bytes)]
    keys = [parse_key(text) for text in texts]
    return Sealer({_name(key): key for key in keys})


def parse_key(text: str) -> bytes:
    """Return the key that `text` spells in base64; raise SecretKeyUnusable, which does not repeat it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretKeyUnusable(
            f"A key of the installation is not {KEY_BYTES} bytes in base64.",
            remedy="Make one with: openssl rand -base64 32.",
        )
    return key


def _name(key: bytes) -> str:
    return hashlib.sha256(b"tieout: name of a key\0" + key).hexdigest()[:8]


def _read_or_make(path: Path, random_bytes: RandomBytes) -> str:
    try:
        if not path.exists():
            _make(path, random_bytes)
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyUnusable(
            f"The key of the installation, {path}, cannot be read or made: {error}.",
            subject=str(path),
            remedy="Let the account that runs tieout read it, or set TIEOUT_SECRET_KEY.",
        ) from error


def _make(path: Path, random_bytes: RandomBytes) -> None:
    """Make the file whole or not at all; where another process was quicker, its key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}.")  # readable by its owner alone
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(base64.b64encode(random_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, for a rename would take the place of the other process's key.
        path.hardlink_to(draft)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _otherwise(context: str) -> SealedOtherwise:
    return SealedOtherwise(
        f"The secret {context} in the state database was sealed with another key than this installation has.",
        subject=context,
        remedy="Set TIEOUT_SECRET_KEY to the key that sealed it (the same for every process), or put that key back as "
        f"{KEY_FILE} in the data folder.",
    )
