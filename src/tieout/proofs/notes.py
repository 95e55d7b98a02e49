"""Signed notes, checkpoints of logs and cosignatures, as C2SP writes them, so that existing tools verify ours.

A note is a text that keys have signed (c2sp.org/signed-note); a checkpoint is a note whose text says how many leaves a
log has and what its root is (c2sp.org/tlog-checkpoint); a cosignature says that somebody else saw that checkpoint, and
when (c2sp.org/tlog-cosignature). Keys are Ed25519. Nothing here reads a clock or a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from tieout.core.errors import TieoutError
from tieout.proofs.merkle import HASH_BYTES

KEY_BYTES = 32
MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 256

_DASH = "\N{EM DASH} "
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_KEY_ID_BYTES = 4
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteMalformed(TieoutError):
    """A text is no signed note, no checkpoint or no verifier key of the standard's form."""

    code = "note_malformed"


class SignatureInvalid(TieoutError):
    """A note carries a signature of a known key, and the key did not make it for this text."""

    code = "signature_invalid"


class SignatureMissing(TieoutError):
    """A note carries no signature of a known key."""

    code = "signature_missing"


class Kind(IntEnum):
    """What a key signs: notes as they stand, or cosignatures with an instant in them."""

    NOTE = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name under which it signs; as text it is the standard's vkey."""

    name: str
    public_key: bytes
    kind: Kind = Kind.NOTE

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public_key) != KEY_BYTES:
            raise NoteMalformed(f"The public key of {self.name} has {len(self.public_key)} bytes, not {KEY_BYTES}.")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature; they tell keys apart and protect nothing."""
        said = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(said).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes([self.kind]) + self.public_key)}"


@dataclass(frozen=True)
class Signature:
    """One line of signature: `key_id` and `value` are what stands behind the name."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True)
class Note:
    """A text, its last newline included, and the signatures below it; nothing is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


@dataclass(frozen=True)
class Signed:
    """A signature that was verified: by which key, and for a cosignature when, in seconds since 1970 UTC."""

    key: VerifierKey
    at_s: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What the text of a checkpoint says: the log `origin` has `size` leaves and the root `root`."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, _base64(self.root), *self.extensions))


@dataclass(frozen=True)
class Signer:
    """A private key, 32 bytes, with the name under which it signs."""

    name: str
    private_key: bytes = field(repr=False)
    kind: Kind = Kind.NOTE

    @property
    def verifier_key(self) -> VerifierKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - help answers without it

        public = Ed25519PrivateKey.from_private_bytes(self.private_key).public_key()
        return VerifierKey(self.name, public.public_bytes_raw(), self.kind)

    def of_kind(self, kind: Kind) -> Self:
        """Return the same key for the other kind of signature."""
        return type(self)(self.name, self.private_key, kind)

    def _sign(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        return Ed25519PrivateKey.from_private_bytes(self.private_key).sign(message)


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that a vkey spells, `name+id+key`; raise NoteMalformed, also where the id is of another key."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    material = _from_base64(encoded)
    if material is None or len(material) != 1 + KEY_BYTES or material[0] not in set(Kind):
        raise NoteMalformed(
            "A verifier key is not of the form name+id+key, or its key is not Ed25519.",
            subject=name,
            remedy="Copy the whole line that `tieout proofs keys` prints.",
        )
    key = VerifierKey(name, material[1:], Kind(material[0]))
    if key_id != key.key_id.hex():
        raise NoteMalformed(
            f"The verifier key of {name} has the id {key.key_id.hex()}, not {key_id}: its text was changed.",
            subject=name,
            remedy="Get the key again from its owner.",
        )
    return key


def parse_note(text: str | bytes) -> Note:
    """Return the note that `text` is. Raises NoteMalformed."""
    text = _decode(text)
    body, blank, lines = text.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise _malformed("it does not end in a blank line and lines of signatures")
    signatures = [_parse_signature(line) for line in lines.removesuffix("\n").split("\n")]
    if len(signatures) > MAX_SIGNATURES:
        raise _malformed(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(f"{body}\n", tuple(signatures))


def parse_checkpoint(note: Note | str | bytes) -> Checkpoint:
    """Return what the text of a note says as a checkpoint; its signatures are not looked at. Raises NoteMalformed."""
    text = (note if isinstance(note, Note) else parse_note(note)).text
    origin, *rest = text.removesuffix("\n").split("\n")
    size, encoded, *extensions = rest if len(rest) > 1 else ("", "")
    root = _from_base64(encoded)
    if not origin or not _SIZE.fullmatch(size) or root is None or len(root) != HASH_BYTES or not all(extensions):
        raise NoteMalformed(
            f"A note of {origin or 'no origin'} is no checkpoint: it says no origin, number of leaves and root.",
            subject=origin,
        )
    return Checkpoint(origin, int(size), root, tuple(extensions))


def sign_note(text: str, signer: Signer) -> str:
    """Return `text`, which ends in a newline, as a note that `signer` signed."""
    if not text.endswith("\n"):
        raise ValueError("the text of a note ends in a newline")
    _decode(text)
    key = signer.verifier_key
    return str(Note(text, (Signature(key.name, key.key_id, signer._sign(text.encode())),)))  # noqa: SLF001


def sign_checkpoint(origin: str, size: int, root: bytes, signer: Signer) -> str:
    """Return the checkpoint of a log as a note that `signer` signed."""
    note = sign_note(str(Checkpoint(origin, size, root)), signer)
    parse_checkpoint(note)  # an origin with a line break in it would say something else
    return note


def cosign(note: str | bytes, cosigner: Signer, at_s: int) -> str:
    """Return the checkpoint `note` with the cosignature of `cosigner` below its signatures; `at_s` is now.

    It says that the cosigner saw this checkpoint and that it is the latest: verify the note, and that it is consistent
    with the last one cosigned, before.
    """
    parsed = parse_note(note)
    parse_checkpoint(parsed)
    key = cosigner.of_kind(Kind.COSIGNATURE).verifier_key
    value = at_s.to_bytes(_TIME_BYTES, "big") + cosigner._sign(_cosigned(parsed.text, at_s))  # noqa: SLF001
    return str(Note(parsed.text, (*parsed.signatures, Signature(key.name, key.key_id, value))))


def verify_note(note: Note | str | bytes, keys: Iterable[VerifierKey]) -> tuple[Signed, ...]:
    """Return the signatures of `note` that `keys` made, in the order of its lines; others are ignored.

    Raises SignatureInvalid where one of them is not good, and SignatureMissing where there is none.
    """
    parsed = note if isinstance(note, Note) else parse_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    found: list[Signed] = []
    for signature in parsed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            found.append(_verify(parsed.text, signature, key))
    if not found:
        signers = ", ".join(f"{each.name}+{each.key_id.hex()}" for each in parsed.signatures)
        raise SignatureMissing(
            f"None of the known keys signed the note; those that did are {signers}.",
            subject=signers,
            remedy="Give the verifier key of who should have signed it.",
        )
    return tuple(found)


def _verify(text: str, signature: Signature, key: VerifierKey) -> Signed:
    at_s = None
    message, value = text.encode(), signature.value
    if key.kind is Kind.COSIGNATURE:
        at_s, value = int.from_bytes(value[:_TIME_BYTES], "big"), value[_TIME_BYTES:]
        message = _cosigned(text, at_s)
    if not is_signed(message, value, key.public_key) or (at_s or 0) >> 63:
        raise SignatureInvalid(
            f"The key {key.name}+{key.key_id.hex()} did not sign this text: the text or the signature was changed.",
            subject=key.name,
            remedy="Get the note again from where it was published.",
        )
    return Signed(key, at_s)


def is_signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Tell whether `signature` is the Ed25519 signature (RFC 8032) of `message` by `public_key`."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return len(signature) == _SIGNATURE_BYTES


def _cosigned(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = _from_base64(encoded)
    if not line.startswith(_DASH) or not _is_name(name) or value is None or len(value) <= _KEY_ID_BYTES:
        raise _malformed(f"{line[:80]!r} is no line of a signature")
    return Signature(name, value[:_KEY_ID_BYTES], value[_KEY_ID_BYTES:])


def _decode(text: str | bytes) -> str:
    if len(text) > MAX_NOTE_BYTES:
        raise _malformed(f"it is longer than {MAX_NOTE_BYTES:,} bytes")
    try:
        decoded = text.decode() if isinstance(text, bytes) else _encodable(text)
    except UnicodeError as error:
        raise _malformed("it is no UTF-8") from error
    if _CONTROL.search(decoded):
        raise _malformed("it holds control characters")
    return decoded


def _encodable(text: str) -> str:
    text.encode()
    return text


def _malformed(why: str) -> NoteMalformed:
    return NoteMalformed(f"This is no signed note: {why}.", remedy="Get it again from where it was published.")


def _check_name(name: str) -> None:
    if not _is_name(name):
        raise NoteMalformed(f"{name!r} cannot name a key: it is empty, or holds a space or a plus.", subject=name)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() or each < " " for each in name)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_base64(text: str) -> bytes | None:
    """Return what `text` spells; None where it is not the one way to spell it."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if _base64(value) == text else None
