"""Sealing: what was published of a day, and the days of a month, are appended to the log of the book and signed.

Nothing is ever rewritten: a day whose rows changed is sealed once more, behind what is there. The order of writes makes
a crash at any of them harmless: first the records, then the tiles, then the checkpoint that makes both count, then the
state. A log that is ahead of the state is caught up with from the records.
"""

from __future__ import annotations

import json
import time
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.proofs import merkle
from tieout.proofs.bulk import hash_pairs
from tieout.proofs.damage import find_damage
from tieout.proofs.desk import (
    DayRecords,
    Desk,
    SealedDay,
    SealedFileDamaged,
    SealedMonth,
    SealedRecordsGone,
    check_checkpoint,
    content_of,
    damaged,
)
from tieout.proofs.leaves import DAY, DayOf, Leaf, Leaves, make_leaf, make_leaves, write_leaves
from tieout.proofs.notes import SignatureInvalid, SignatureMissing, Signer, VerifierKey, sign_checkpoint, verify_note
from tieout.proofs.tiles import LogDamaged, LogWriter, TileLog
from tieout.store.digest import digest_file
from tieout.store.folders import fsync, storing

MONTH = "month"
FULL_BP = 10_000
RECORD_FORMAT = "1"
"""To be raised where records come to say something else of the same rows: then every day is sealed anew."""
Outcome = Literal["issued", "unchanged", "would_issue", "nothing"]
"""`unchanged`: sealed before with the same leaves. `nothing`: no run has judged the day, so it is not sealed yet."""
Point = Literal["records_written", "appended", "checkpoint_published", "recorded"]


class MonthRefused(TieoutError):
    """A month is not spelt YYYY-MM."""

    code = "month_refused"


class LogAheadOfState(TieoutError):
    """The log has leaves that neither the state nor the records beside it know of."""

    code = "log_ahead_of_state"
    http_status = 500


@dataclass(frozen=True)
class IssuedDay:
    """What became of a day: its leaves by kind, and their root. `first_leaf` is None where nothing was appended."""

    day: date
    outcome: Outcome
    counts: Mapping[str, int]
    root: bytes
    first_leaf: int | None = None
    version: int = 0


@dataclass(frozen=True)
class IssuedMonth:
    """What became of a month and of its days. `missing` are the days that no run has judged."""

    month: str
    outcome: Outcome
    digest: bytes
    coverage_bp: int
    missing: tuple[date, ...]
    days: tuple[IssuedDay, ...]


At = Callable[[Point], None]


def parse_month(text: str) -> tuple[date, date]:
    """Return the first and the last day of a month, `YYYY-MM`. Raises MonthRefused."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        first = None
    if first is None or f"{first:%Y-%m}" != text:
        raise MonthRefused("Invalid month format. Use YYYY-MM.", subject=text)
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def issue_day(desk: Desk, records: DayRecords, *, is_dry_run: bool = False, at: At = lambda _point: None) -> IssuedDay:
    """Seal what was published of a day, unless its last seal has the same leaves.

    Raises what the keys raise where none can sign, LogHasWriter, and LogAheadOfState.
    """
    if not records.is_judged:
        return IssuedDay(records.day, "nothing", {}, merkle.EMPTY_ROOT)
    if is_dry_run:
        return _rehearse(desk, records)
    began = time.perf_counter()
    signer = desk.keys.signer(desk.make_identity().origin)  # before anything is written: no seal without a signature
    with _writing(desk, signer) as writer:
        issued = _seal_day(desk, writer, signer, records, at)
    if issued.outcome == "issued":
        metrics.PROOFS_ISSUANCE.labels(DAY).observe(time.perf_counter() - began)
        for kind, count in issued.counts.items():
            metrics.PROOFS_LEAVES.labels(kind).inc(count)
    return issued


def issue_month(
    desk: Desk, month: str, days: Sequence[DayRecords], *, is_dry_run: bool = False, at: At = lambda _point: None
) -> IssuedMonth:
    """Seal the days of a month that are not, and then the month: the digest over the leaves of its days, by date.

    Raises MonthRefused and what `issue_day` raises.
    """
    first, last = parse_month(month)
    issued = tuple(issue_day(desk, records, is_dry_run=is_dry_run, at=at) for records in days)
    if is_dry_run:
        covered = {one.day for one in issued if one.outcome != "nothing"}
        covered |= {one.day for one in desk.list_days(first, last)}
        return _month_told(month, "would_issue", merkle.EMPTY_ROOT, covered, issued)
    sealed = desk.list_days(first, last)
    covered = {one.day for one in sealed}
    if not sealed:
        return _month_told(month, "nothing", merkle.EMPTY_ROOT, covered, issued)
    began = time.perf_counter()
    signer = desk.keys.signer(desk.identity().origin)
    with _writing(desk, signer) as writer:
        digest = day_digest(writer, sealed)
        former = desk.find_month(month)
        if former is not None and former.digest == digest:
            if not _is_signed(former.note, desk.keys.verifiers(writer.origin)):
                note = sign_checkpoint(month_origin(writer.origin, month), len(sealed), digest, signer)
                desk.sign_month_anew(former, note)
            return _month_told(month, "unchanged", digest, covered, issued)
        told = _month_told(month, "issued", digest, covered, issued)
        _seal_month(desk, writer, signer, told, sealed, at)
    metrics.PROOFS_ISSUANCE.labels(MONTH).observe(time.perf_counter() - began)
    metrics.PROOFS_COVERAGE.labels(metrics.bounded("month", month)).set(told.coverage_bp / 100)
    return told


def day_digest(log: TileLog, days: Sequence[SealedDay]) -> bytes:
    """Return the root over the last leaves of sealed days: each says which day it is and what was sealed."""
    return merkle.root_of(b"".join(log.leaf(one.last_leaf) for one in days))


def day_origin(origin: str, day: date) -> str:
    """Return the origin of the signed note of a day."""
    return f"{origin}/day/{day.isoformat()}"


def month_origin(origin: str, month: str) -> str:
    """Return the origin of the signed note of a month."""
    return f"{origin}/month/{month}"


def _rehearse(desk: Desk, records: DayRecords) -> IssuedDay:
    identity = desk.find_identity()
    blinding = identity.blinding if identity else bytes(32)
    with desk.engine() as runner:
        records.make(runner)
        leaves = make_leaves(runner, DayOf(desk.store.tenant, desk.book, records.day, blinding))
    root, former = merkle.root_of(leaves.hashes, hash_pairs), desk.find_day(records.day)
    is_same = former is not None and former.root == root
    return IssuedDay(records.day, "unchanged" if is_same else "would_issue", leaves.counts, root)


@contextmanager
def _writing(desk: Desk, signer: Signer) -> Iterator[LogWriter]:
    """Give the log for writing, once the state knows all that is in it."""
    with storing(f"the records of {desk.book}"):
        desk.leaf_file(0).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = TileLog.open(desk.folder, desk.identity().origin)
    with log.writing() as writer:
        _check_former(desk, writer, signer)
        _catch_up(desk, writer, signer)
        yield writer


def _check_former(desk: Desk, writer: LogWriter, signer: Signer) -> None:
    """Refuse to go on with a log that is not as it was signed: a signature below it would hide that.

    Where the key that signed it was revoked since, it is held against all of its leaves and signed anew.
    """
    if not writer.size:
        return
    every = [key.verifier(writer.origin) for key in desk.keys.list_keys()]
    check_checkpoint(writer, every)
    if _is_signed(writer.note, desk.keys.verifiers(writer.origin)):
        return
    damage = find_damage(TileLog.open(desk.folder, writer.origin))
    if damage:
        raise LogDamaged(f"The log is damaged: {damage[0]}", subject=str(damage[0].path))
    writer.publish(sign_checkpoint(writer.origin, writer.size, writer.root(), signer))


def _is_signed(note: str, keys: Sequence[VerifierKey]) -> bool:
    try:
        return bool(verify_note(note, keys))
    except (SignatureMissing, SignatureInvalid):
        return False


def _catch_up(desk: Desk, writer: LogWriter, signer: Signer) -> None:
    """Record what a process appended that died before it could say so in the state."""
    while (known := desk.known_size()) < writer.size:
        path = desk.leaf_file(known)
        if not path.exists():
            raise LogAheadOfState(
                f"The log has {writer.size:,} leaves, the state knows {known:,}, and {path} is missing.",
                subject=str(path),
                remedy="Put the file, or the state database, back from a backup.",
            )
        last = desk.last_of(known)
        _record(desk, signer, last, known)
        if desk.known_size() <= known:
            raise damaged(path, "it does not say what it holds")
    if known > writer.size:
        raise LogAheadOfState(
            f"The state knows {known:,} leaves, and the log has {writer.size:,}: the log was put back or cut.",
            subject=str(desk.folder),
            remedy="Put the folder of the log back from a backup that is not older than the state.",
        )


def _seal_day(desk: Desk, writer: LogWriter, signer: Signer, records: DayRecords, at: At) -> IssuedDay:
    identity = desk.identity()
    former = desk.find_day(records.day)
    if former is not None and _is_of_runs(desk, writer, former, records):
        return _unchanged(desk, former, signer)
    with desk.engine() as runner:
        records.make(runner)
        of = DayOf(desk.store.tenant, desk.book, records.day, identity.blinding)
        leaves = make_leaves(runner, of)
        root = merkle.root_of(leaves.hashes, hash_pairs)
        if former is not None and former.root == root:
            return _unchanged(desk, former, signer)
        version, first = former.version + 1 if former else 1, writer.size
        last = _day_leaf(of, leaves, root, records, first, former)
        with storing(f"the sealed records of {records.day}"):
            _put(desk.leaf_file(first), lambda path: write_leaves(runner.con, leaves, last, path))
    at("records_written")
    _append(desk, writer, signer, leaves.hashes, last, at)
    return IssuedDay(records.day, "issued", leaves.counts, root, first, version)


def _unchanged(desk: Desk, former: SealedDay, signer: Signer) -> IssuedDay:
    """Leave a day as it was sealed; only a signature that holds no more is made anew."""
    origin = desk.identity().origin
    if not _is_signed(former.note, desk.keys.verifiers(origin)):
        note = sign_checkpoint(day_origin(origin, former.day), former.leaf_count, former.root, signer)
        desk.sign_day_anew(former, note)
    return IssuedDay(former.day, "unchanged", former.counts, former.root, former.first_leaf, former.version)


def _is_of_runs(desk: Desk, writer: LogWriter, former: SealedDay, records: DayRecords) -> bool:
    """Tell, without making a leaf, whether a day was sealed with these runs: the same runs have the same rows."""
    try:
        last = desk.last_of(former.first_leaf)
    except (SealedFileDamaged, SealedRecordsGone):
        return False
    said = content_of(last)
    is_sealed = last.hash == writer.leaf(former.last_leaf) and said["root"] == former.root.hex()
    return is_sealed and (said["format"], said["runs"]) == (RECORD_FORMAT, _runs_told(records))


def _runs_told(records: DayRecords) -> list[dict[str, Any]]:
    return [
        {
            "code_digest": run.code_digest,
            "code_version": run.code_version,
            "config_digest": run.config_digest,
            "files": {file.name: file.sha256 for file in run.files},
            "leg": run.window.leg,
            "run_id": run.run_id,
            "window": run.window.window,
        }
        for run in sorted(records.runs, key=lambda run: (run.window.leg, run.window.window))
    ]


def _day_leaf(
    of: DayOf, leaves: Leaves, root: bytes, records: DayRecords, first: int, former: SealedDay | None
) -> Leaf:
    content = {
        "counts": {kind: str(count) for kind, count in leaves.counts.items()},
        "first_leaf": str(first),
        "format": RECORD_FORMAT,
        "leaves": str(leaves.count),
        "root": root.hex(),
        "runs": _runs_told(records),
        "supersedes": str(former.last_leaf) if former else None,
        "version": str(former.version + 1 if former else 1),
    }
    return make_leaf(of, DAY, f"{records.day.isoformat()}\n{content['version']}", content)


def _seal_month(
    desk: Desk, writer: LogWriter, signer: Signer, told: IssuedMonth, sealed: Sequence[SealedDay], at: At
) -> None:
    former = desk.find_month(told.month)
    version = former.version + 1 if former else 1
    of = DayOf(desk.store.tenant, desk.book, parse_month(told.month)[0], desk.identity().blinding)
    content = {
        "coverage_bp": str(told.coverage_bp),
        "day_leaves": [str(one.last_leaf) for one in sealed],
        "days": [one.day.isoformat() for one in sealed],
        "digest": told.digest.hex(),
        "month": told.month,
        "notes": _notes(told),
        "supersedes": str(former.leaf) if former else None,
        "version": str(version),
    }
    last = make_leaf(of, MONTH, f"{told.month}\n{version}", content)
    table = pa.table({"kind": [last.kind], "key": [last.key], "record": [last.text]})
    with storing(f"the sealed records of {told.month}"):
        _put(desk.leaf_file(writer.size), lambda path: pq.write_table(table, path, compression="zstd"))
    at("records_written")
    _append(desk, writer, signer, b"", last, at)


def _append(desk: Desk, writer: LogWriter, signer: Signer, hashes: bytes, last: Leaf, at: At) -> None:
    first = writer.append(hashes + last.hash).start
    at("appended")
    writer.publish(sign_checkpoint(writer.origin, writer.size, writer.root(), signer))
    at("checkpoint_published")
    _record(desk, signer, last, first)
    at("recorded")


def _record(desk: Desk, signer: Signer, last: Leaf, first: int) -> None:
    """Record in the state what `last` says of the leaves from `first` on."""
    content, origin, now = content_of(last), desk.identity().origin, desk.now()
    sha256 = digest_file(desk.leaf_file(first))
    if last.kind == DAY:
        day = date.fromisoformat(json.loads(last.text)["day"])
        count, root = int(content["leaves"]), bytes.fromhex(content["root"])
        note = sign_checkpoint(day_origin(origin, day), count, root, signer)
        counts = {kind: int(number) for kind, number in content["counts"].items()}
        desk.record_day(SealedDay(day, int(content["version"]), first, count, root, note, sha256, counts, now))
    elif last.kind == MONTH:
        digest, leaves = bytes.fromhex(content["digest"]), tuple(map(int, content["day_leaves"]))
        note = sign_checkpoint(month_origin(origin, content["month"]), len(leaves), digest, signer)
        version, coverage = int(content["version"]), int(content["coverage_bp"])
        desk.record_month(
            SealedMonth(content["month"], version, first, leaves, digest, note, sha256, coverage, content["notes"], now)
        )


def _put(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole and let it take the place of what a process left that died before it counted."""
    draft = path.with_name(f"{path.name}.draft")
    write(draft)
    fsync(draft)
    draft.replace(path)
    fsync(path.parent)


def _month_told(
    month: str, outcome: Outcome, digest: bytes, covered: set[date], days: tuple[IssuedDay, ...]
) -> IssuedMonth:
    first, last = parse_month(month)
    every = [first.replace(day=number) for number in range(1, last.day + 1)]
    missing = tuple(day for day in every if day not in covered)
    coverage_bp = (len(every) - len(missing)) * FULL_BP // len(every)
    return IssuedMonth(month, outcome, digest, coverage_bp, missing, days)


def _notes(told: IssuedMonth) -> str:
    _, last = parse_month(told.month)
    words = f"{last.day - len(told.missing)} of {last.day} days"
    return f"{words}; missing {', '.join(day.isoformat() for day in told.missing)}" if told.missing else words
