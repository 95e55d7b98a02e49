"""Verifying: a sealed day or month held against its signature, the log, the records beside it, and what is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa
from duckdb import DuckDBPyConnection

from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.engine.steps import Runner
from tieout.proofs import merkle
from tieout.proofs.bulk import hash_leaves, hash_pairs
from tieout.proofs.damage import find_damage
from tieout.proofs.desk import DayRecords, Desk, NothingSealed, SealedDay, SealedMonth, check_checkpoint, content_of
from tieout.proofs.leaves import DayOf, make_leaves, proofs_step
from tieout.proofs.merkle import HASH_BYTES
from tieout.proofs.notes import (
    NoteMalformed,
    SignatureInvalid,
    SignatureMissing,
    VerifierKey,
    parse_checkpoint,
    verify_note,
)
from tieout.proofs.sealing import day_digest, day_origin, month_origin, parse_month
from tieout.proofs.tiles import LogDamaged, TileLog
from tieout.store.digest import digest_file

Status = Literal["ok", "not_found", "digest_mismatch", "signature_invalid_or_missing"]
RecordsOf = Callable[[date], DayRecords | None]
"""Gives what is published of a day now; None where its files are no longer kept."""


@dataclass(frozen=True)
class Verdict:
    """How a day or month stands. `why` says in words what does not fit, and names the row where one does not."""

    subject: str
    status: Status
    why: str = ""
    leaves: int = 0
    is_compared: bool = False
    """Whether the rows that are published now were held against the log too."""

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"


class _Mismatch(Exception):
    """What ends a verification at the first thing that does not fit."""

    def __init__(self, status: Status, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def verify_day(desk: Desk, day: date, records_of: RecordsOf) -> Verdict:
    """Verify the latest seal of a day."""
    sealed = desk.find_day(day)
    if sealed is None:
        return Verdict(day.isoformat(), "not_found", "The day was not sealed.")
    return _counted(_held(day.isoformat(), sealed.leaf_count, lambda: _check_day(desk, sealed, records_of)))


def verify_month(desk: Desk, month: str, records_of: RecordsOf) -> Verdict:
    """Verify the latest digest of a month, and each of its days. Raises MonthRefused."""
    first, last = parse_month(month)
    sealed = desk.find_month(month)
    if sealed is None:
        return Verdict(month, "not_found", "Digest not found")

    def check() -> bool:
        days = desk.list_days(first, last)
        _check_month(desk, sealed, days)
        compared = [_check_day(desk, day, records_of) for day in days]
        return all(compared)

    count = sum(day.leaf_count for day in desk.list_days(first, last))
    return _counted(_held(month, count, check))


def _held(subject: str, count: int, check: Callable[[], bool]) -> Verdict:
    try:
        is_compared = check()
    except _Mismatch as found:
        return Verdict(subject, found.status, found.why, count)
    except (SignatureInvalid, SignatureMissing) as error:
        return Verdict(subject, "signature_invalid_or_missing", error.what, count)
    except (NothingSealed, NoteMalformed, LogDamaged, TieoutError) as error:
        return Verdict(subject, "digest_mismatch", str(error), count)
    return Verdict(subject, "ok", "", count, is_compared)


def _counted(verdict: Verdict) -> Verdict:
    metrics.PROOFS_VERIFY.labels("true" if verdict.is_ok else "false").inc()
    return verdict


def _check_day(desk: Desk, sealed: SealedDay, records_of: RecordsOf) -> bool:
    """Raise what does not fit; tell whether what is published now was compared too."""
    identity = desk.identity()
    keys, log = desk.keys.verifiers(identity.origin), desk.log()
    _check_signed(sealed.note, day_origin(identity.origin, sealed.day), sealed.leaf_count, sealed.root, keys)
    check_checkpoint(log, keys)
    if sealed.records_dropped_at is not None:
        _check_root(sealed, _leaves_of(log, sealed))
        _check_included(log, sealed)
        return False
    with desk.engine() as runner:
        _check_records(desk, runner.con, log, sealed)
        _check_said(desk, sealed)
        _check_included(log, sealed)
        records = records_of(sealed.day)
        if records is None:
            return False
        _check_published(desk, runner, sealed, records)
        return True


def _check_month(desk: Desk, sealed: SealedMonth, days: tuple[SealedDay, ...]) -> None:
    identity, log = desk.identity(), desk.log()
    keys = desk.keys.verifiers(identity.origin)
    origin = month_origin(identity.origin, sealed.month)
    _check_signed(sealed.note, origin, len(sealed.day_leaves), sealed.digest, keys)
    check_checkpoint(log, keys)
    if merkle.root_of(b"".join(log.leaf(leaf) for leaf in sealed.day_leaves)) != sealed.digest:
        raise _Mismatch("digest_mismatch", f"The digest of {sealed.month} is not that of its days in the log.")
    if day_digest(log, days) != sealed.digest:
        known = set(sealed.day_leaves)
        later = [day.day.isoformat() for day in days if day.last_leaf not in known]
        raise _Mismatch(
            "digest_mismatch",
            f"{', '.join(later)} was sealed since the digest of {sealed.month}; issue the month once more.",
        )
    damage = find_damage(log)
    if damage:
        raise _Mismatch("digest_mismatch", "; ".join(map(str, damage[:3])))
    last = desk.last_of(sealed.leaf)
    if digest_file(desk.leaf_file(sealed.leaf)) != sealed.records_sha256:
        raise _Mismatch("digest_mismatch", f"The file {desk.leaf_file(sealed.leaf)} was changed.")
    content = content_of(last)
    said = (content["digest"], content["version"], content["coverage_bp"], content["notes"])
    wanted = (sealed.digest.hex(), str(sealed.version), str(sealed.coverage_bp), sealed.notes)
    if last.hash != log.leaf(sealed.leaf) or said != wanted:
        raise _Mismatch("digest_mismatch", f"The record of {sealed.month} is not the one that was sealed.")


def _check_signed(note: str, origin: str, size: int, root: bytes, keys: Iterable[VerifierKey]) -> None:
    verify_note(note, keys)
    said = parse_checkpoint(note)
    if (said.origin, said.size, said.root) != (origin, size, root):
        raise _Mismatch(
            "digest_mismatch",
            f"What was signed says {said.size:,} leaves of {said.origin} with the root {said.root.hex()}; on record"
            f" are {size:,} of {origin} with {root.hex()}.",
        )


def _check_records(desk: Desk, con: DuckDBPyConnection, log: TileLog, sealed: SealedDay) -> None:
    """Hash the records beside the log and hold each against its leaf."""
    table = desk.read_leaves(sealed.first_leaf)
    con.register("sealed_record", table.append_column("place", pa.array(range(table.num_rows), pa.int64())))
    count = sealed.leaf_count + 1
    if table.num_rows != count:
        raise _Mismatch("digest_mismatch", f"{table.num_rows:,} records are kept of {count:,} leaves.")
    kept = _leaves_of(log, sealed)
    made = hash_leaves(table.column("record").chunks)
    if kept != made:
        place = next(n for n in range(count) if _at(kept, n) != _at(made, n))
        [row] = table.slice(place, 1).to_pylist()
        raise _Mismatch(
            "digest_mismatch",
            f"Leaf {sealed.first_leaf + place:,} is not the hash of its record: {_named(row['kind'], row['key'])}.",
        )
    _check_root(sealed, kept)


def _check_root(sealed: SealedDay, leaves: bytes) -> None:
    if merkle.root_of(leaves[: sealed.leaf_count * HASH_BYTES], hash_pairs) != sealed.root:
        raise _Mismatch("digest_mismatch", f"The leaves of {sealed.day} do not lead to its root.")


def _leaves_of(log: TileLog, sealed: SealedDay) -> bytes:
    """Return the hashes of the leaves of a day, and behind them that of the leaf that ends it."""
    if sealed.last_leaf >= log.size:
        raise _Mismatch(
            "digest_mismatch", f"The log ends at leaf {log.size:,}; the day ends at {sealed.last_leaf + 1:,}."
        )
    return b"".join(log.leaves(sealed.first_leaf, sealed.last_leaf + 1))


def _check_said(desk: Desk, sealed: SealedDay) -> None:
    """Hold what the state says of the day against its last leaf, and the file of its records against its digest."""
    content, path = content_of(desk.last_of(sealed.first_leaf)), desk.leaf_file(sealed.first_leaf)
    said = (int(content["version"]), int(content["first_leaf"]), int(content["leaves"]), content["root"])
    counts = {kind: int(count) for kind, count in content["counts"].items()}
    if said != (sealed.version, sealed.first_leaf, sealed.leaf_count, sealed.root.hex()) or counts != sealed.counts:
        raise _Mismatch("digest_mismatch", f"The state says something else of {sealed.day} than was sealed.")
    if digest_file(path) != sealed.records_sha256:
        raise _Mismatch("digest_mismatch", f"The file {path} was changed; its records are those that were sealed.")


def _check_included(log: TileLog, sealed: SealedDay) -> None:
    """Hold the last leaf of the day against the checkpoint: so the tiles above it are those that were signed."""
    said = parse_checkpoint(log.note)
    for leaf in (sealed.first_leaf, sealed.last_leaf):
        if not merkle.is_included(log.leaf(leaf), leaf, said.size, log.inclusion(leaf), said.root):
            raise _Mismatch("digest_mismatch", f"Leaf {leaf:,} is not in the log that the checkpoint signs.")


def _check_published(desk: Desk, runner: Runner, sealed: SealedDay, records: DayRecords) -> None:
    records.make(runner)
    make_leaves(runner, DayOf(desk.store.tenant, desk.book, sealed.day, desk.identity().blinding))
    runner.run(proofs_step("changed_row"))
    first = runner.con.sql("from changed_row order by kind, key limit 1").fetchall()
    if not first:
        return
    [(total,)] = runner.con.sql("select count(*) from changed_row").fetchall()
    [(kind, key, what)] = first
    words = {"gone": "was sealed and is no longer published", "added": "is published and was not sealed"}
    told = words.get(what, "is published with another content than was sealed")
    raise _Mismatch(
        "digest_mismatch",
        f"{_named(kind, key)} of {sealed.day} {told} ({total:,} rows differ). If it was restated, issue the day once"
        " more.",
    )


def _at(hashes: bytes, place: int) -> bytes:
    return hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES]


def _named(kind: str, key: str) -> str:
    return f"{kind} {' '.join(key.split(chr(10)))}"
