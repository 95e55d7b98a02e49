"""Verifies what Tieout proves, offline: one file of Python 3.9 or later that needs nothing beyond its standard library.

It holds every part of a verification, so that one person can read all of it: Ed25519 signatures (RFC 8032), Merkle
proofs (RFC 9162), canonical JSON (RFC 8785), signed notes, checkpoints and cosignatures (C2SP). It asks no network, no
clock and no file but those it is given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple


class Refused(Exception):
    """What was given proves nothing, and why."""


# Ed25519 (RFC 8032, section 5.1). Points are (X, Y, Z, T) with x = X/Z, y = Y/Z and x·y = T/Z.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)

Point = tuple[int, int, int, int]


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(point: Point) -> Point:
    a, b = point[0] * point[0] % _P, point[1] * point[1] % _P
    c = 2 * point[2] * point[2] % _P
    h = a + b
    e = h - (point[0] + point[1]) ** 2 % _P
    g = a - b
    f = c + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _decode_point(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes spell; None where they spell none, or not in the one way there is."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(encoded) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encode_point(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return int(y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def is_signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Tell whether `signature` is the Ed25519 signature of `message` by `public_key` (RFC 8032, 5.1.7)."""
    point = _decode_point(public_key)
    if len(signature) != 64 or point is None or _BASE is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    minus = (_P - point[0], point[1], 1, _P - point[3])
    # s·B − k·A, both at once from their highest bits; it must be the point that the signature begins with.
    steps = {(1, 0): _BASE, (0, 1): minus, (1, 1): _add(_BASE, minus)}
    found: Point = (0, 1, 1, 0)
    for place in reversed(range(253)):
        found = _double(found)
        step = steps.get((s >> place & 1, k >> place & 1))
        if step is not None:
            found = _add(found, step)
    return _encode_point(found) == signature[:32]


# Merkle trees (RFC 9162, section 2.1).

HASH_BYTES = 32


def hash_leaf(record: bytes) -> bytes:
    """Return the hash of the leaf that holds `record`."""
    return hashlib.sha256(b"\0" + record).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return hashlib.sha256(b"\1" + left + right).digest()


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `proof` shows that `leaf` is at `index` of the tree of `size` leaves with this root (2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    last, found = size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = hash_node(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = hash_node(found, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """Tell whether `proof` shows that the tree of `size` leaves begins with that of `old_size` leaves (2.1.4.2)."""
    if not 0 < old_size <= size or not _are_hashes(old_root, root, *proof):
        return False
    if old_size == size:
        return not proof and old_root == root
    # Where the old tree is one whole node its root, which the reader knows, is not repeated in the proof.
    parts = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not parts:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_found = found = parts[0]
    for sibling in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_found, found = hash_node(sibling, old_found), hash_node(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = hash_node(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree of these leaf hashes."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hash_node(*level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


# Signed notes, checkpoints and cosignatures (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature).

NOTE, COSIGNATURE = 0x01, 0x04


class VerifierKey(NamedTuple):
    """A public key, the name that it signs under, and whether it signs notes or cosignatures."""

    name: str
    key_id: bytes
    kind: int
    public_key: bytes


class Checkpoint(NamedTuple):
    """How many leaves a log has, and their root."""

    origin: str
    size: int
    root: bytes


class Signed(NamedTuple):
    """A signature that was verified; a cosignature says when it was made, in seconds since 1970 UTC."""

    key: VerifierKey
    at_s: int | None


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that `name+id+key` spells."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    material = from_base64(encoded)
    kind, public_key = material[:1], material[1:]
    found = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if not name or kind not in (bytes([NOTE]), bytes([COSIGNATURE])) or len(public_key) != 32:
        raise Refused(f"{text!r} is no Ed25519 verifier key")
    if key_id != found.hex():
        raise Refused(f"the verifier key of {name} was changed: its id is {found.hex()}, not {key_id}")
    return VerifierKey(name, found, kind[0], public_key)


def parse_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Return the text of a note and its signatures, each as name, key id and value; nothing is verified."""
    body, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or any(each < " " and each != "\n" for each in note):
        raise Refused("a note does not end in a blank line and lines of signatures")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        value = from_base64(encoded)
        if dash != "\N{EM DASH}" or not name or "+" in name or len(value) < 5:
            raise Refused(f"{line[:80]!r} is no line of a signature")
        signatures.append((name, value[:4], value[4:]))
    return body + "\n", signatures


def verify_note(note: str, keys: Iterable[VerifierKey]) -> list[Signed]:
    """Return the signatures of a note that `keys` made; refuse a bad one, and a note that none of them signed."""
    known = {(key.name, key.key_id): key for key in keys}
    text, signatures = parse_note(note)
    found = []
    for name, key_id, value in signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        at_s, message, signature = None, text.encode(), value
        if key.kind == COSIGNATURE:
            at_s, signature = int.from_bytes(value[:8], "big"), value[8:]
            message = f"cosignature/v1\ntime {at_s}\n".encode() + message
        if not is_signed(message, signature, key.public_key):
            raise Refused(f"the key {name}+{key_id.hex()} did not sign this: the text or the signature was changed")
        found.append(Signed(key, at_s))
    if not found:
        raise Refused("none of the keys that you trust signed this")
    return found


def parse_checkpoint(note: str) -> Checkpoint:
    """Return what a note says as a checkpoint."""
    text, _ = parse_note(note)
    origin, size, encoded, *extensions = [*text[:-1].split("\n"), "", ""][: max(3, text.count("\n"))]
    root = from_base64(encoded)
    is_number = size.isascii() and size.isdigit() and len(size) < 20 and (size == "0" or size[0] != "0")
    if not origin or not is_number or len(root) != HASH_BYTES or not all(extensions):
        raise Refused("a note says no origin, number of leaves and root, so it is no checkpoint")
    return Checkpoint(origin, int(size), root)


def from_base64(text: str) -> bytes:
    """Return what `text` spells; refuse it where it is not the one way to spell it."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{text[:80]!r} is no base64") from None
    if base64.b64encode(value).decode() != text:
        raise Refused(f"{text[:80]!r} is not the one way to write it in base64")
    return value


# Canonical JSON (RFC 8785).


def load_json(text: str) -> Any:
    """Return what a JSON text says; refuse one that says a thing twice or holds what is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is no JSON: {error}") from None


def canonical(value: Any) -> bytes:
    """Return the one way to write `value` as JSON; numbers beyond 2**53 are refused, for not every reader has them."""
    try:
        return _canonical(value).encode()
    except UnicodeEncodeError:
        raise Refused("a text holds half a character") from None


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_canonical(name)}:{_canonical(value[name])}" for name in names) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int) and abs(value) >= 2**53 and not isinstance(value, bool):
        raise Refused(f"{value} is a number that not every reader has; write it as text")
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Return a number as ECMAScript writes it: its shortest digits, with an exponent from 1e21 on and below 1e-6."""
    if not math.isfinite(value):
        raise Refused("JSON has no infinite numbers")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if value == 0:
        return "0"
    if 0 < point <= 21:
        written = text.ljust(point, "0")
        written = written[:point] + ("." + written[point:] if written[point:] else "")
    elif -6 < point <= 0:
        written = "0." + "0" * -point + text
    else:
        written = text[0] + ("." + text[1:] if text[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + written


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object says a thing twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
