"""The other side: whoever countersigns a log with a key of its own, and whoever holds two histories side by side.

A countersignature is a cosignature (c2sp.org/tlog-cosignature): it says when a checkpoint was seen, and that it follows
on the last one that this key saw. What was seen is kept in a file, so that a log that was cut or forked is refused.
Nothing here needs an installation: a counterparty runs it on a machine of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.proofs import merkle
from tieout.proofs.damage import find_damage
from tieout.proofs.desk import LEAF_FOLDER, Desk
from tieout.proofs.leaves import read_leaf_file
from tieout.proofs.notes import (
    KEY_BYTES,
    Checkpoint,
    Kind,
    Note,
    Signer,
    VerifierKey,
    cosign,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    verify_note,
)
from tieout.proofs.tiles import CHECKPOINT, LogDamaged, TileLog, first_difference

WITNESS_FOLDER = "witness"
_PRIVATE = "PRIVATE+KEY+"

Relation = Literal["same", "first_begins_second", "second_begins_first", "differ", "undecided"]


class WitnessKeyUnusable(TieoutError):
    """The file of a countersigning key cannot be read, or must not be replaced."""

    code = "witness_key_unusable"


class HistoryRefused(TieoutError):
    """A checkpoint does not follow on the last one that was seen: the log was cut, forked, or the proof is missing."""

    code = "history_refused"
    http_status = 409


class CosignatureRefused(TieoutError):
    """What is to be added are no cosignatures of a checkpoint of this log."""

    code = "cosignature_refused"


class HistoryUnreadable(TieoutError):
    """What is to be compared is neither the folder of a log nor a checkpoint."""

    code = "history_unreadable"


@dataclass(frozen=True)
class Compared:
    """How two histories stand to each other. `leaf` is the first that differs, `row` what it is where that is known."""

    relation: Relation
    sizes: tuple[int, int]
    leaf: int | None = None
    row: str = ""


@dataclass(frozen=True)
class History:
    """What a party holds of a log: its checkpoint, and perhaps the tiles."""

    checkpoint: Checkpoint
    log: TileLog | None

    def root(self, size: int) -> bytes | None:
        """Return the root of the first `size` leaves, None where this cannot tell."""
        if size == self.checkpoint.size:
            return self.checkpoint.root
        return self.log.root(size) if self.log is not None and size <= self.checkpoint.size else None


def make_key(path: Path, name: str, random_bytes: RandomBytes = os.urandom) -> VerifierKey:
    """Make a countersigning key in a file that its owner alone may read; return its public half."""
    signer = Signer(name, random_bytes(KEY_BYTES), Kind.COSIGNATURE)
    key = signer.verifier_key
    secret = base64.b64encode(bytes([Kind.COSIGNATURE]) + signer.private_key).decode()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{_PRIVATE}{name}+{key.key_id.hex()}+{secret}\n")
    except OSError as error:
        raise WitnessKeyUnusable(
            f"The key file {path} cannot be made: {error.strerror}.",
            subject=str(path),
            remedy="Name a file that does not exist yet.",
        ) from error
    return key


def read_key(path: Path) -> Signer:
    """Return the countersigning key of a file. Raises WitnessKeyUnusable, which does not repeat it."""
    try:
        name, key_id, encoded = path.read_text(encoding="ascii").strip().removeprefix(_PRIVATE).split("+", 2)
        material = base64.b64decode(encoded, validate=True)
        signer = Signer(name, material[1:], Kind.COSIGNATURE)
        is_whole = len(material) == 1 + KEY_BYTES and signer.verifier_key.key_id.hex() == key_id
    except (OSError, ValueError, binascii.Error):
        is_whole = False
    if not is_whole:
        raise WitnessKeyUnusable(
            f"The file {path} holds no countersigning key.",
            subject=str(path),
            remedy="tieout proofs countersign --new-key NAME --key FILE makes one.",
        )
    return signer


def countersign(
    note: str, signer: Signer, seen_file: Path, log_keys: Iterable[VerifierKey], proof: Sequence[bytes], now: datetime
) -> str:
    """Return the checkpoint `note` with the signature of `signer` below it, and remember that it was seen.

    `log_keys` are needed the first time, `proof` (that this log begins with the last one seen) after that. Raises
    HistoryRefused and what `verify_note` raises.
    """
    parsed = parse_note(note)
    said, seen = parse_checkpoint(parsed), _read_seen(seen_file)
    known = [parse_verifier_key(key) for key in seen.get("keys", [])]
    keys = list(log_keys) or known
    if not keys:
        raise HistoryRefused(
            f"No key of the log {said.origin} is known, so nothing says that the checkpoint is of it.",
            subject=said.origin,
            remedy="Give the verifier key of the log, got from its owner, with --log-key.",
        )
    verify_note(parsed, keys)
    if seen:
        _check_follows(said, parse_checkpoint(parse_note(seen["checkpoint"])), proof)
    signed = cosign(note, signer, int(now.timestamp()))
    told = {"checkpoint": signed, "keys": [str(key) for key in keys]}
    draft = seen_file.with_name(f"{seen_file.name}.draft")
    draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    draft.replace(seen_file)
    return signed


def add_cosignatures(desk: Desk, note: str, cosigners: Sequence[VerifierKey]) -> int:
    """Keep the cosignatures of `note`, a checkpoint of the log, that `cosigners` made; return how many are new.

    They are added to the witness file of the checkpoint, and to the checkpoint that is served while it is the latest.
    """
    log, parsed = desk.log(), parse_note(note)
    said = parse_checkpoint(parsed)
    if said.origin != log.origin or said.size > log.size or log.root(said.size) != said.root:
        raise CosignatureRefused(
            f"The checkpoint that was countersigned is none of the log {log.origin}.",
            subject=said.origin,
            remedy="Compare the histories: tieout proofs compare.",
        )
    verify_note(parsed, cosigners)
    known = {(key.name, key.key_id) for key in cosigners}
    added = [one for one in parsed.signatures if (one.name, one.key_id) in known]
    path = desk.folder / WITNESS_FOLDER / str(said.size)
    kept = parse_note(path.read_text(encoding="utf-8")) if path.exists() else Note(parsed.text, ())
    fresh = [one for one in added if one not in kept.signatures]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(str(Note(parsed.text, (*kept.signatures, *fresh))), encoding="utf-8")
    draft.replace(path)
    with log.writing() as writer:
        served = parse_note(writer.note)
        if served.text == parsed.text:
            lines = [one for one in added if one not in served.signatures]
            writer.publish(str(Note(served.text, (*served.signatures, *lines))))
    return len(fresh)


def list_witnessed(desk: Desk) -> list[str]:
    """Return the checkpoints that others countersigned, the latest first."""
    folder = desk.folder / WITNESS_FOLDER
    sizes = sorted((int(path.name) for path in folder.glob("*") if path.name.isdecimal()), reverse=True)
    return [(folder / str(size)).read_text(encoding="utf-8") for size in sizes]


def consistency_told(log: TileLog, old_size: int, size: int | None = None) -> dict[str, Any]:
    """Return the proof that a log begins with its first `old_size` leaves, as `countersign --proof` reads it."""
    until = log.size if size is None else size
    return {
        "origin": log.origin,
        "from": old_size,
        "to": until,
        "proof": [node.hex() for node in log.consistency(old_size, until)],
    }


def read_proof(told: Mapping[str, Any]) -> list[bytes]:
    """Return the hashes of a proof as `consistency_told` has them. Raises HistoryRefused."""
    try:
        return [bytes.fromhex(node) for node in told["proof"]]
    except (KeyError, TypeError, ValueError):
        raise HistoryRefused("This is no proof of consistency.", remedy="tieout proofs checkpoint --since") from None


def open_history(path: Path) -> History:
    """Open the folder of a log, or a checkpoint. Raises HistoryUnreadable and what the log raises."""
    note = path / CHECKPOINT if path.is_dir() else path
    try:
        said = parse_checkpoint(note.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TieoutError) as error:
        raise HistoryUnreadable(
            f"{path} is neither the folder of a log nor a checkpoint: {error}.",
            subject=str(path),
            remedy="Name the folder that holds `checkpoint` and `tile`, or the file of a checkpoint.",
        ) from error
    if not path.is_dir():
        return History(said, None)
    log = TileLog.open(path, said.origin)
    damage = find_damage(log)
    if damage:
        raise LogDamaged(
            f"The log in {path} is damaged, so it shows no history: {'; '.join(map(str, damage[:3]))}",
            subject=str(path),
            remedy="Get it again from who published it.",
        )
    return History(said, log)


def compare(first: History, second: History, named: Callable[[int], str] = lambda _leaf: "") -> Compared:
    """Say how two histories stand to each other, and where they differ which leaf is the first."""
    sizes = (first.checkpoint.size, second.checkpoint.size)
    if first.checkpoint.origin != second.checkpoint.origin:
        raise HistoryUnreadable(
            f"They are two logs: {first.checkpoint.origin} and {second.checkpoint.origin}.",
            subject=second.checkpoint.origin,
        )
    smaller = min(sizes)
    roots = first.root(smaller), second.root(smaller)
    if None in roots:
        return Compared("undecided", sizes)
    if roots[0] == roots[1]:
        if sizes[0] == sizes[1]:
            return Compared("same", sizes)
        return Compared("first_begins_second" if sizes[0] < sizes[1] else "second_begins_first", sizes)
    leaf = first_difference(first.log, second.log) if first.log is not None and second.log is not None else None
    return Compared("differ", sizes, leaf, named(leaf) if leaf is not None else "")


def row_of(folder: Path, leaf: int) -> str:
    """Return which row a leaf is, from the records beside the log; nothing where they are not there or unreadable."""
    starts = sorted(int(path.stem) for path in (folder / LEAF_FOLDER).glob("*.parquet") if path.stem.isdecimal())
    begun = [start for start in starts if start <= leaf]
    if not begun:
        return ""
    place = leaf - begun[-1]
    try:
        table = read_leaf_file(folder / LEAF_FOLDER / f"{begun[-1]:012d}.parquet", ("kind", "key"))
        rows = table.slice(place, 1).to_pylist()
    except (OSError, ValueError):
        return ""
    if not rows:
        return ""
    [row] = rows
    return f"{row['kind']} {' '.join(row['key'].split(chr(10)))}"


def _read_seen(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        seen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parse_checkpoint(seen["checkpoint"])
    except (OSError, ValueError, KeyError, TypeError, TieoutError) as error:
        raise HistoryRefused(
            f"The file {path}, which remembers what was seen, cannot be read: {error}.",
            subject=str(path),
            remedy="Put it back from a backup; without it a forked log would not be noticed.",
        ) from error
    return seen


def _check_follows(said: Checkpoint, seen: Checkpoint, proof: Sequence[bytes]) -> None:
    if said.origin != seen.origin:
        why = f"it is of {said.origin}, and what was seen is of {seen.origin}"
    elif said.size < seen.size:
        why = f"it has {said.size:,} leaves, and {seen.size:,} were seen: the log was cut"
    elif said.size == seen.size and said.root != seen.root:
        why = f"it has another root for the same {said.size:,} leaves: two histories are shown"
    elif said.size > seen.size and not merkle.is_consistent(seen.size, said.size, proof, seen.root, said.root):
        why = f"no proof shows that its first {seen.size:,} leaves are those that were seen"
    else:
        return
    raise HistoryRefused(
        f"The checkpoint was not countersigned: {why}.",
        subject=said.origin,
        remedy=f"Ask for the proof: tieout proofs checkpoint --since {seen.size}, and compare the histories.",
    )
