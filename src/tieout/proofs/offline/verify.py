"""Verifies what Tieout proves, offline: one file of Python 3.9 or later that needs nothing beyond its standard library.

It holds every part of a verification, so that one person can read all of it: Ed25519 signatures (RFC 8032), Merkle
proofs (RFC 9162), canonical JSON (RFC 8785), signed notes, checkpoints and cosignatures (C2SP). It asks no network, no
clock and no file but those it is given.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import sys
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:  # what only readers of types need would cost a third of the time that a bundle takes
    from collections.abc import Iterable, Sequence
    from typing import Any


class Refused(Exception):
    """What was given proves nothing, and why."""


# Ed25519 (RFC 8032, section 5.1). Points are (X, Y, Z, T) with x = X/Z, y = Y/Z and x·y = T/Z.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_WINDOW = 5
"""A scalar is taken apart into odd digits below 2**4, at most one in five bits: so few points have to be added."""

Point = tuple[int, int, int, int]
Addend = tuple[int, int, int, int]
"""A point to be added to others: Y - X, Y + X, 2dT and 2Z."""


def _addend(point: Point) -> Addend:
    x, y, z, t = point
    return (y - x, y + x, 2 * _D * t % _P, 2 * z)


def _minus(point: Addend) -> Addend:
    lower, upper, t, z = point
    return (upper, lower, -t, z)


def _add(point: Point, other: Addend) -> Point:
    x, y, z, t = point
    a, b, c, d = (y - x) * other[0] % _P, (y + x) * other[1] % _P, t * other[2] % _P, z * other[3] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b = x * x % _P, y * y % _P
    h, g = a + b, a - b
    e, f = h - (x + y) * (x + y) % _P, 2 * z * z % _P + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _decode_point(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes spell; None where they spell none, or not in the one way there is."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(encoded) != 32 or y >= _P:
        return None
    over, under = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = over * pow(under, 3, _P) * pow(over * pow(under, 7, _P), (_P - 5) // 8, _P) % _P
    if (under * x * x - over) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (under * x * x - over) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encode_point(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return int(y | (x & 1) << 255).to_bytes(32, "little")


def _digits(scalar: int) -> dict[int, int]:
    """Return odd digits by their place, of which the sum of digit·2**place is `scalar`."""
    found, place = {}, 0
    while scalar:
        if scalar & 1:
            digit = scalar & ((1 << _WINDOW) - 1)
            digit -= digit >> (_WINDOW - 1) << _WINDOW
            found[place] = digit
            scalar -= digit
        scalar >>= 1
        place += 1
    return found


def _odd_multiples(point: Point) -> dict[int, Addend]:
    """Return point, 3·point, 5·point and so on, and their negatives."""
    found, twice = {}, _addend(_double(point))
    for digit in range(1, 1 << (_WINDOW - 1), 2):
        found[digit] = _addend(point)
        found[-digit] = _minus(found[digit])
        point = _add(point, twice)
    return found


@lru_cache(maxsize=8)
def _multiples_of(public_key: bytes) -> dict[int, Addend] | None:
    """Return the odd multiples of the point that a key spells, made once for all that it signed."""
    point = _decode_point(public_key)
    return None if point is None else _odd_multiples(point)


_BASE = (4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")


def is_signed(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Tell whether `signature` is the Ed25519 signature of `message` by `public_key` (RFC 8032, 5.1.7)."""
    base, key = _multiples_of(_BASE), _multiples_of(public_key)
    if len(signature) != 64 or base is None or key is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    # s·B − k·A, both at once from their highest bits; it must be the point that the signature begins with.
    of_base, of_key = _digits(s), _digits(k)
    found: Point = (0, 1, 1, 0)
    for place in range(max([*of_base, *of_key, 0]), -1, -1):
        found = _double(found)
        if place in of_base:
            found = _add(found, base[of_base[place]])
        if place in of_key:
            found = _add(found, key[-of_key[place]])
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


class VerifierKey:
    """A public key, the name that it signs under, and whether it signs notes or cosignatures."""

    def __init__(self, name: str, key_id: bytes, kind: int, public_key: bytes) -> None:
        self.name, self.key_id, self.kind, self.public_key = name, key_id, kind, public_key


class Checkpoint:
    """How many leaves a log has, and their root."""

    def __init__(self, origin: str, size: int, root: bytes) -> None:
        self.origin, self.size, self.root = origin, size, root


class Signed:
    """A signature that was verified; a cosignature says when it was made, in seconds since 1970 UTC."""

    def __init__(self, key: VerifierKey, at_s: int | None) -> None:
        self.key, self.at_s = key, at_s


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that `name+id+key` spells."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    material = from_base64(encoded)
    kind, public_key = material[:1], material[1:]
    found = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if not _is_name(name) or kind not in (bytes([NOTE]), bytes([COSIGNATURE])) or len(public_key) != 32:
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
        if dash != "\N{EM DASH}" or not _is_name(name) or len(value) < 5:
            raise Refused(f"{line[:80]!r} is no line of a signature")
        signatures.append((name, value[:4], value[4:]))
    return body + "\n", signatures


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


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
        value = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        raise Refused(f"{text[:80]!r} is no base64") from None
    if binascii.b2a_base64(value, newline=False).decode() != text:
        raise Refused(f"{text[:80]!r} is not the one way to write it in base64")
    return value


# Canonical JSON (RFC 8785).


def load_json(text: str) -> Any:
    """Return what a JSON text says; refuse one that says a thing twice or holds what is no JSON."""
    try:
        return _READER.decode(text)
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
    import math  # noqa: PLC0415 - records hold no such numbers
    from decimal import Decimal  # noqa: PLC0415

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


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
_WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# Bundles. Everything above is about bytes, everything below about what they say.

FORMAT = "tieout-proof/1"
MICROS = 1_000_000
SUM_LEAF, SUM_NODE = b"\x02", b"\x03"
MAX_SUM = 2**63 - 1
NAMING = (
    *("evidence_id", "unit_id", "request_id", "statement_id", "network", "load_id", "row_no"),
    *("name", "side", "party", "window", "day"),
)
"""Fields that say which row a record is of."""
AMOUNTS = {"expected": "expected_micros", "reported": "reported_micros", "delta_part": "amount_micros"}
"""Kinds of rows whose amounts are summed, and the field that holds the amount."""


class Leaf:
    """A record with its place in the log, proven to be there."""

    def __init__(self, index: int, record: str, told: dict[str, Any]) -> None:
        self.index, self.record, self.hash = index, record, hash_leaf(record.encode())
        self.kind: str = told["kind"]
        self.content: dict[str, Any] = told["content"]
        self.told = told

    def __str__(self) -> str:
        content = self.content
        named = " ".join(f"{name}={content[name]}" for name in NAMING if content.get(name))
        return f"leaf {self.index} ({self.kind} {named or self.told['day']})"


class Report:
    """What a bundle proves, and what it does not, in sentences."""

    def __init__(self, claim: str) -> None:
        self.claim = claim
        self.proven: list[str] = []
        self.not_proven: list[str] = []


def verify_bundle(text: str, trusted: Iterable[str] = (), held_files: Iterable[bytes] = ()) -> Report:
    """Return the Report of a bundle; raise Refused at the first thing that does not fit.

    `trusted` are verifier keys from elsewhere; without them the bundle's own are taken, and the report says so.
    `held_files` are contents of files that the verifier holds: lines of the bundle are looked up in them.
    """
    try:
        return _verify_bundle(text, list(trusted), list(held_files))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise Refused(f"the bundle is not complete or not well formed ({type(error).__name__}: {error})") from None


def _verify_bundle(text: str, trusted: list[str], held_files: list[bytes]) -> Report:
    bundle = load_json(text)
    if bundle["format"] != FORMAT:
        raise Refused(f"the bundle has the format {bundle['format']}, and this program reads {FORMAT}")
    keys = [parse_verifier_key(key) for key in (trusted or bundle["keys"])]
    checkpoint, signed = _checkpoint(bundle["checkpoint"], keys)
    nodes = [bytes.fromhex(node) for node in bundle["nodes"]]
    leaves = [_leaf(one, nodes, bundle, checkpoint) for one in bundle["leaves"]]
    _check_whole(bundle, text, checkpoint.origin, keys)
    claim, seal = leaves[bundle["claim"]], leaves[bundle["seal"]]
    if claim.kind not in CLAIMS:
        raise Refused(f"what is claimed is a {claim.kind}, which this program has no words for")
    _check_seal(seal, leaves, bundle)
    report = Report(f"{bundle['tenant']} published {CLAIMS[claim.kind][1](claim)}")
    rows = [leaves[place] for place in bundle["rows"]]
    _say_signed(report, checkpoint, signed, is_trusted=bool(trusted))
    _say_sealed(report, seal, claim, rows)
    _say_rules(report, bundle, seal, claim)
    for one in bundle["sums"]:
        _say_sum(report, one, leaves, claim)
    if claim.kind == "kpi":
        _say_figures(report, claim, seal, rows)
    if claim.kind == "match":
        _say_match(report, claim, rows)
    _say_lines(report, bundle, rows, held_files)
    _say_limits(report, bundle, signed, seal)
    return report


def _checkpoint(note: str, keys: list[VerifierKey]) -> tuple[Checkpoint, list[Signed]]:
    """Return a checkpoint and who signed it; refuse one that the key of its own log did not sign."""
    signed = verify_note(note, keys)
    said = parse_checkpoint(note)
    if not any(one.key.name == said.origin and one.at_s is None for one in signed):
        raise Refused(f"the checkpoint of {said.origin} is not signed by a key of that name")
    return said, signed


def _check_whole(bundle: dict[str, Any], text: str, origin: str, keys: list[VerifierKey]) -> None:
    """Refuse a bundle of which any byte is another than when it was signed."""
    rest = {name: value for name, value in bundle.items() if name != "signed"}
    digest = hashlib.sha256(_spelt_once(rest).encode()).hexdigest()
    verify_note(bundle["signed"], keys)
    if parse_note(bundle["signed"])[0] != f"{origin}/bundle\n{digest}\n" or text != _spelt_once(bundle) + "\n":
        raise Refused("the bundle is not as it was signed: something in it was changed")


def _spelt_once(value: dict[str, Any]) -> str:
    """Return a record or a bundle as it must be written; of texts, truths and small numbers as RFC 8785 writes them.

    In the encoder of the standard library: a tenth of the time of `canonical`, which takes any value.
    """
    return _WRITER.encode(value)


def _leaf(one: dict[str, Any], nodes: list[bytes], bundle: dict[str, Any], log: Checkpoint) -> Leaf:
    record: str = one["record"]
    told = load_json(record)
    leaf = Leaf(one["index"], record, told)
    if _spelt_once(told) != record:
        raise Refused(f"{leaf}: the record is not written as RFC 8785 writes it")
    for name in ("tenant", "book", "day"):
        if told[name] != bundle[name]:
            raise Refused(f"{leaf}: it is of {name} {told[name]}, and the bundle of {bundle[name]}")
    if not is_included(leaf.hash, leaf.index, log.size, [nodes[number] for number in one["proof"]], log.root):
        raise Refused(f"{leaf}: it is not in the log that was signed; the record or its proof was changed")
    return leaf


def _check_seal(seal: Leaf, leaves: list[Leaf], bundle: dict[str, Any]) -> None:
    """Hold each row against the leaf that says what the day was sealed with."""
    if seal.kind != "day":
        raise Refused(f"{seal} does not say what a day was sealed with")
    first, count = int(seal.content["first_leaf"]), int(seal.content["leaves"])
    if seal.index != first + count:
        raise Refused(f"{seal}: it does not stand at the end of its day")
    for leaf in leaves:
        if leaf is not seal and not first <= leaf.index < first + count:
            raise Refused(f"{leaf}: it was not sealed with the day {bundle['day']}")


def _delta_words(claim: Leaf) -> str:
    content = claim.content
    start, end = (instant(int(content[name])) for name in ("window_start_us", "window_end_us"))
    what = f"{content['kind']} of {money(content['amount_micros'])} {content['currency']}"
    return (
        f"for {start} to {end}: {what} ({content['reason_code']}, confidence {content['confidence']}), "
        f"{content['evidence_id']}"
    )


def _part_words(claim: Leaf) -> str:
    content = claim.content
    amount = f"{money(content['amount_micros'])} {content['currency']}"
    return f"that {amount} of {content['evidence_id']} come from {content['unit_id']} ({content['part']})"


def _kpi_words(claim: Leaf) -> str:
    content = claim.content
    figures = ", ".join(f"{name} {money(content[f'{name}_micros'])}" for name in FIGURES)
    return f"as {content['name']} of {content['window']} in {content['currency']}: {figures}"


def _match_words(claim: Leaf) -> str:
    content = claim.content
    ours = f"request {content['request_id']}" if content["request_id"] else content["unit_id"]
    amount = f"{money(content['usd_micros'])} USD" if content["usd_micros"] is not None else "no amount"
    return (
        f"that {_row_words(content)}, {amount}, answers to {ours} (confidence {content['link_confidence']}, by "
        f"{content['keys_used']})"
    )


def _expected_words(claim: Leaf) -> str:
    content = claim.content
    amount = f"{money(content['expected_micros'])} {content['currency']}"
    return (
        f"that {amount} were expected of {content['network'] or 'no network'} for request {content['request_id']} of "
        f"{instant(int(content['ts_us']))}"
    )


def _reported_words(claim: Leaf) -> str:
    return f"that {_row_words(claim.content)} {_says(claim.content)}"


def _says(content: dict[str, Any]) -> str:
    what = ", ".join(content[name] for name in ("app_id", "ad_unit_id", "country", "format") if content[name])
    return f"says {money(content['reported_micros'])} {content['currency']} for {what}"


def _row_words(content: dict[str, Any]) -> str:
    return f"row {content['row_no']} of {content['network']}'s statement {content['load_id']}"


def _sum_words(claim: Leaf) -> str:
    content = claim.content
    amount = money(int(content["credit_micros"]) - int(content["debit_micros"]))
    rows = f"{int(content['rows']):,} rows"
    return f"for {claim.told['day']}: the total {_total_words(content)} is {amount} {content['currency']} in {rows}"


def _total_words(content: dict[str, Any]) -> str:
    words = {"expected": "expected of", "reported": "reported by"}.get(content["side"], "of the parts of")
    return f"{words} {content['party']}"


def _day_words(claim: Leaf) -> str:
    content = claim.content
    return f"{int(content['leaves']):,} records for {claim.told['day']}, version {content['version']}"


CLAIMS = {
    "delta": ("delta", _delta_words),
    "delta_part": ("part of the delta", _part_words),
    "kpi": ("figure", _kpi_words),
    "match": ("match", _match_words),
    "expected": ("entry", _expected_words),
    "reported": ("entry", _reported_words),
    "sum": ("total", _sum_words),
    "day": ("record of the day", _day_words),
}
"""Kinds of records that a bundle can prove: how one is called, and what it says."""
FIGURES = ("expected", "reported", "delta", "tolerated", "review")
MADE_BY = {"delta": "reconcile", "kpi": "reconcile", "match": "match"}
"""Which stage makes records that name the window of its run."""


def _say_signed(report: Report, log: Checkpoint, signed: list[Signed], *, is_trusted: bool) -> None:
    names = ", ".join(f"{one.key.name}+{one.key.key_id.hex()}" for one in signed if one.at_s is None)
    report.proven.append(f"The log {log.origin} had {log.size:,} leaves when it was signed with {names}.")
    for one in signed:
        if one.at_s is not None:
            seen = instant(one.at_s * MICROS)
            report.proven.append(f"{one.key.name} signed the same log, and says that it saw it at {seen}.")
    if not is_trusted:
        report.not_proven.append(
            f"Whose the key {names} is: it came with the bundle. Compare it with the one that was published, or give "
            "that one with --key."
        )


def _say_sealed(report: Report, seal: Leaf, claim: Leaf, rows: list[Leaf]) -> None:
    content = seal.content
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row.kind] = kinds.get(row.kind, 0) + 1
    shown = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    others = f", and so are the records it comes with ({shown})" if shown else ""
    report.proven.append(
        f"The {CLAIMS[claim.kind][0]} is in that log, byte for byte as shown{others}: sealed together as the day "
        f"{seal.told['day']}, version {content['version']}, {int(content['leaves']):,} records."
    )


def _say_rules(report: Report, bundle: dict[str, Any], seal: Leaf, claim: Leaf) -> None:
    for leg, config in sorted(bundle["rules"].items()):
        digest = hashlib.sha256(config.encode()).hexdigest()
        runs = [run for run in seal.content["runs"] if run["leg"] == leg and run["config_digest"] == digest]
        if leg == MADE_BY.get(claim.kind):
            runs = [run for run in runs if run["window"] == claim.content["window"]]
        if not runs:
            raise Refused(f"the settings of {leg} are not those that the day was sealed with")
        report.proven.append(
            f"The rule of {leg} is the one shown (SHA-256 {digest[:16]}…), of code version {runs[0]['code_version']} "
            f"({runs[0]['code_digest'][:16]}…), run {runs[0]['run_id'][:12]}."
        )


def _say_sum(report: Report, one: dict[str, Any], leaves: list[Leaf], claim: Leaf) -> None:
    total = leaves[one["leaf"]]
    if total.kind != "sum":
        raise Refused(f"{total} is no total")
    content = total.content
    credit, debit, count = (int(content[name]) for name in ("credit_micros", "debit_micros", "rows"))
    wanted = (bytes.fromhex(content["root"]), credit, debit)
    for row in one["rows"]:
        leaf = leaves[row["leaf"]]
        field = AMOUNTS.get(leaf.kind)
        party = leaf.content.get("evidence_id" if leaf.kind == "delta_part" else "network")
        side = "delta" if leaf.kind == "delta_part" else leaf.kind
        if field is None or (side, party, leaf.content["currency"]) != tuple(
            content[name] for name in ("side", "party", "currency")
        ):
            raise Refused(f"{leaf} is not a row of the total of {content['side']} {content['party']}")
        siblings = [(bytes.fromhex(node), int(owed), int(back)) for node, owed, back in row["proof"]]
        if sum_root(leaf.hash, int(leaf.content[field]), row["position"], count, siblings) != wanted:
            raise Refused(f"{leaf}: it is not in the total of {content['side']} {content['party']} with its amount")
    amount = f"{money(credit - debit)} {content['currency']}"
    among = f"the {len(one['rows'])} shown are among them with their amounts; the others stay hidden"
    if content["side"] != "delta" or claim.kind != "delta":
        report.proven.append(f"The total {_total_words(content)} that day is {amount} in {count:,} rows; {among}.")
    elif content["party"] != claim.content["evidence_id"]:
        raise Refused(f"{total} is the total of another delta")
    elif credit - debit == int(claim.content["amount_micros"]):
        report.proven.append(f"Its {count:,} parts add up to exactly {amount}; {among}.")
    else:
        report.not_proven.append(f"That its parts add up to the delta: the {count:,} there are add up to {amount}.")


def _say_figures(report: Report, claim: Leaf, seal: Leaf, rows: list[Leaf]) -> None:
    """Say of each figure whether it is the sum of what it comes with."""
    content = claim.content
    figure = {name: int(content[f"{name}_micros"]) for name in FIGURES}
    shown = {row.index: row for row in rows}.values()
    for side in ("expected", "reported"):
        totals = [row.content for row in shown if row.kind == "sum" and row.content["side"] == side]
        own = [one for one in totals if one["currency"] == content["currency"]]
        micros = sum(int(one["credit_micros"]) - int(one["debit_micros"]) for one in own)
        wanted, count = figure[side], int(seal.content["counts"].get(side, 0))
        if sum(int(one["rows"]) for one in totals) != count:
            report.not_proven.append(f"That what was {side} adds up: not all totals of the day are in the bundle.")
        elif micros == wanted:
            report.proven.append(
                f"What was {side}, {money(wanted)} {content['currency']}, is exactly the sum of the {len(own)} totals "
                f"shown; all {count:,} rows of the day are in its totals."
            )
        else:
            report.not_proven.append(
                f"That what was {side} adds up: the totals of {seal.told['day']} are {money(micros)}, the figure is "
                f"{money(wanted)}; it is of {content['window']}."
            )
    deltas = [int(row.content["amount_micros"]) for row in shown if _is_of_figure(row, content)]
    found, wanted = sum(deltas), figure["delta"]
    if found == wanted:
        report.proven.append(f"Its deltas, {money(wanted)}, are exactly the sum of the {len(deltas)} shown.")
    else:
        report.not_proven.append(f"That its deltas add up: those shown are {money(found)}, the figure {money(wanted)}.")
    rest = figure["expected"] - figure["reported"] - wanted - figure["tolerated"] - figure["review"]
    if rest:
        report.not_proven.append(f"Where {money(rest)} of the difference are: what came for another day is not told.")
    else:
        report.proven.append(
            "What was expected less what was reported is exactly the deltas, what was tolerated and what is in review."
        )
    report.not_proven.append(
        "Which rows those totals are of: bundles of matches and entries show that they are in them."
    )


def _is_of_figure(row: Leaf, figure: dict[str, Any]) -> bool:
    names = ("window", "currency")
    return row.kind == "delta" and all(row.content[name] == figure[name] for name in names)


def _say_match(report: Report, claim: Leaf, rows: list[Leaf]) -> None:
    names = ("network", "load_id", "artifact_id", "row_no")
    of_line = [row for row in rows if row.kind == "reported"]
    line = [row for row in of_line if all(row.content[name] == claim.content[name] for name in names)]
    if line:
        report.proven.append(f"The row itself is sealed too; it {_says(line[0].content)}.")
    else:
        report.not_proven.append("What that row says: its record is not in the bundle.")
    entries = [row.content for row in rows if row.kind == "expected"]
    amounts: dict[str, int] = {}
    for one in entries:
        amounts[one["currency"]] = amounts.get(one["currency"], 0) + int(one["expected_micros"])
    told = " and ".join(f"{money(micros)} {currency}" for currency, micros in sorted(amounts.items()))
    if entries:
        report.proven.append(f"{len(entries)} entries of ours that are shown with it come to {told}.")
    report.not_proven.append(
        "That no other row answers better: only what was published is sealed, not what was weighed."
    )


def _say_lines(report: Report, bundle: dict[str, Any], rows: list[Leaf], held_files: list[bytes]) -> None:
    said = {(row.content["artifact_id"], row.content["row_no"]) for row in rows if row.kind == "reported"}
    held = {hashlib.sha256(content).hexdigest(): content for content in held_files}
    found = 0
    for line in bundle["lines"]:
        if (line["artifact_id"], str(line["row_no"])) not in said:
            raise Refused(f"line {line['line']} of {line['file']} belongs to no record of the bundle")
        content = held.get(line["artifact_id"])
        if content is not None:
            found += 1
            if not _has_line(content, line["line"], line["text"]):
                raise Refused(f"line {line['line']} of {line['file']} says something else in the file that you hold")
    named = {row.content["artifact_id"] for row in rows if row.kind == "reported"}
    for digest in held:
        if digest not in named:
            raise Refused(f"a file that you hold (SHA-256 {digest[:16]}…) is not one that the records name")
    if found:
        report.proven.append(
            f"{found} lines shown are those of the files that you hold, whose SHA-256 the records name."
        )
    if len(bundle["lines"]) > found:
        report.not_proven.append(
            f"That {len(bundle['lines']) - found} lines are in the files as shown: the records name the files by their "
            "SHA-256; hold the files against them with --file."
        )


def _has_line(content: bytes, number: int, text: str) -> bool:
    lines = content.decode("utf-8-sig", "replace").splitlines()
    return 0 < number <= len(lines) and lines[number - 1].strip() == text.strip()


def _say_limits(report: Report, bundle: dict[str, Any], signed: list[Signed], seal: Leaf) -> None:
    if not any(one.at_s is not None for one in signed):
        report.not_proven.append("That everybody is shown the same log, and when it was signed: no witness signed it.")
    report.not_proven.append(
        "That the records are true: only that they were published like this, and were not changed since."
    )
    report.not_proven.append(
        f"That version {seal.content['version']} is the last one of {seal.told['day']}: a restatement is sealed behind "
        "it, and it stays."
    )
    for what, count in sorted(bundle["left_out"].items()):
        report.not_proven.append(f"Anything about {count:,} further {what}: they are not in the bundle.")


def sum_root(
    record: bytes, amount: int, position: int, count: int, siblings: Sequence[tuple[bytes, int, int]]
) -> tuple[bytes, int, int] | None:
    """Return hash, credit and debit of the root of a Merkle-sum tree that a proof leads to; None where it cannot."""
    if not 0 <= position < count:
        return None
    owed, back = max(amount, 0), max(-amount, 0)
    node = hashlib.sha256(SUM_LEAF + record + _spelt(owed, back)).digest()
    at, last, left = position, count - 1, list(siblings)
    while last:
        if at % 2 or at < last:
            if not left:
                return None
            other, other_owed, other_back = left.pop(0)
            if not (0 <= other_owed <= MAX_SUM - owed and 0 <= other_back <= MAX_SUM - back):
                return None
            mine, theirs = node + _spelt(owed, back), other + _spelt(other_owed, other_back)
            node = hashlib.sha256(SUM_NODE + (theirs + mine if at % 2 else mine + theirs)).digest()
            owed, back = owed + other_owed, back + other_back
        at, last = at >> 1, last >> 1
    return None if left else (node, owed, back)


def _spelt(owed: int, back: int) -> bytes:
    return owed.to_bytes(8, "big") + back.to_bytes(8, "big")


def money(micros: int | str) -> str:
    """Return micros as an amount with at least two places."""
    micros = int(micros)
    whole, rest = divmod(abs(micros), MICROS)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole:,}.{places}"


def instant(micros: int) -> str:
    """Return micros since 1970 as an instant in UTC, seconds or micros."""
    day, rest = divmod(micros, 86_400 * MICROS)
    seconds, part = divmod(rest, MICROS)
    era, of_era = divmod(day + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day_of_month = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    date = f"{year + era * 400 + (month <= 2):04d}-{month:02d}-{day_of_month:02d}"
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{date}T{clock}{f'.{part:06d}' if part else ''}Z"


USAGE = """usage: python verify.py BUNDLE [--key VKEY]... [--file STATEMENT]...

Verifies a proof bundle offline and says what it proves and what it does not. With --key the log must be signed with
that key, got from elsewhere; with --file lines are held against a file of yours.
Exit codes: 0 valid, 1 refused, 2 not read."""


def main(arguments: Sequence[str]) -> int:
    """Verify the bundle that the arguments name; return the exit code."""
    names: list[str] = []
    keys: list[str] = []
    files: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in ("--key", "--file") and left:
            (keys if word == "--key" else files).append(left.pop(0))
        elif word.startswith("-"):
            return _say(USAGE, 2)
        else:
            names.append(word)
    if len(names) != 1:
        return _say(USAGE, 2)
    try:
        content, *held = [_read(name) for name in [names[0], *files]]
    except OSError as error:
        return _say(f"NOT READ: {error}", 2)
    try:
        report = verify_bundle(content.decode(), keys, held)
    except (Refused, UnicodeDecodeError) as error:
        return _say(f"REFUSED: {error}.", 1)
    lines = ["VALID.", f"Claim: {report.claim}.", "", "Proven:", *(f"  - {one}" for one in report.proven)]
    return _say("\n".join([*lines, "", "Not proven:", *(f"  - {one}" for one in report.not_proven)]), 0)


def _read(name: str) -> bytes:
    with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs as much as the signatures
        return file.read()


def _say(text: str, code: int) -> int:
    sys.stdout.buffer.write(text.encode() + b"\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
