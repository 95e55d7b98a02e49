"""What `tieout proofs` prints, and its exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK, TieoutError
from tieout.proofs.keys import PrivateKeyUnreadable, SigningKey, parse_private_key
from tieout.proofs.notes import parse_verifier_key
from tieout.proofs.offline import verify as offline
from tieout.proofs.sealing import IssuedDay, IssuedMonth
from tieout.proofs.verifying import Verdict
from tieout.proofs.witness import (
    Compared,
    add_cosignatures,
    consistency_told,
    countersign,
    list_witnessed,
    make_key,
    open_history,
    read_key,
    read_proof,
    row_of,
)
from tieout.proofs.witness import compare as compare_histories

EXIT_NOTHING = EXIT_DIFFERENCES
VERIFIER = "verify.py"
ENVIRONMENT_KEY = "PROOFS_SIGNING_PRIVATE_KEY"


class DayRefused(TieoutError):
    """A day is not spelt YYYY-MM-DD, or it was not said which day or month."""

    code = "day_refused"


class ClaimRefused(TieoutError):
    """It was not said what a bundle is to prove, or more than one thing."""

    code = "claim_refused"


class FileNotRead(TieoutError):
    """A file that was named cannot be read."""

    code = "file_not_read"


def show_issued(workspace: Any, day: str | None, month: str | None, *, is_dry_run: bool, as_json: bool) -> int:
    """Seal a day or a month and say what was done; return the exit code."""
    from tieout.books.ads.proving import issue_day, issue_month  # noqa: PLC0415

    _one_of(day=day, month=month)
    if day is not None:
        one = issue_day(workspace, _day(day), is_dry_run=is_dry_run)
        if as_json:
            print_json(_day_told(one))
        else:
            _say_day(one)
        return EXIT_OK if one.outcome == "issued" else EXIT_NOTHING
    issued = issue_month(workspace, str(month), is_dry_run=is_dry_run)
    if as_json:
        print_json(
            {
                "month": issued.month,
                "outcome": issued.outcome,
                "digest": issued.digest.hex(),
                "coverage_pct": _percent(issued.coverage_bp),
                "missing": [one.isoformat() for one in issued.missing],
                "days": [_day_told(one) for one in issued.days],
            }
        )
    else:
        _say_month(issued)
    is_new = issued.outcome == "issued" or any(one.outcome == "issued" for one in issued.days)
    return EXIT_OK if is_new else EXIT_NOTHING


def show_verified(workspace: Any, day: str | None, month: str | None, delta: str | None, *, as_json: bool) -> int:
    """Verify a day, a month or a delta and say how it stands; return the exit code."""
    from tieout.books.ads.evidence import verify_delta  # noqa: PLC0415
    from tieout.books.ads.proving import verify_day, verify_month  # noqa: PLC0415

    _one_of(day=day, month=month, delta=delta)
    if day is not None:
        verdict = verify_day(workspace, _day(day))
    elif month is not None:
        verdict = verify_month(workspace, month)
    else:
        verdict = verify_delta(workspace, str(delta))
    _say_verdict(verdict, as_json=as_json)
    return EXIT_OK if verdict.is_ok else EXIT_NOTHING


def show_bundle_verified(path: Path, keys: Sequence[str], *, as_json: bool) -> int:
    """Verify a bundle as `verify.py` does; return the exit code."""
    from tieout.core import metrics  # noqa: PLC0415

    text = _read(path)
    try:
        report = offline.verify_bundle(text, keys)
    except offline.Refused as error:
        metrics.PROOFS_VERIFY.labels("false").inc()
        if as_json:
            print_json({"subject": str(path), "status": "refused", "why": str(error)})
        else:
            _say(f"refused: {error}.")
        return EXIT_NOTHING
    metrics.PROOFS_VERIFY.labels("true").inc()
    if as_json:
        told = {"claim": report.claim, "proven": report.proven, "not_proven": report.not_proven}
        print_json({"subject": str(path), "status": "ok", **told})
    else:
        _say(f"ok: {report.claim}.")
        _say("\n".join(["Proven:", *(f"  - {one}" for one in report.proven)]))
        _say("\n".join(["Not proven:", *(f"  - {one}" for one in report.not_proven)]))
    return EXIT_OK


@dataclass(frozen=True)
class Claim:
    """What a bundle is to prove: a delta, the figures `kpi` of a day, or a leaf."""

    delta: str | None = None
    kpi: str | None = None
    day: str | None = None
    leaf: int | None = None

    @property
    def name(self) -> str:
        """What the file of the bundle is named after."""
        words = self.delta or (f"leaf-{self.leaf}" if self.leaf is not None else f"{self.kpi}-{self.day}")
        return "".join(one if one.isalnum() else "-" for one in words)


def show_bundle(
    workspace: Any, claim: Claim, out: Path | None, *, max_parts: int, max_rows: int, as_json: bool
) -> None:
    """Write the bundle of a claim, and the verifier beside it."""
    text = _bundled(workspace, claim, max_parts=max_parts, max_rows=max_rows)
    path = out or Path(f"proof-{claim.name}.json")
    verifier = path.with_name(VERIFIER)
    path.write_text(text, encoding="utf-8")
    source = (files("tieout.proofs.offline") / "verify.py").read_text(encoding="utf-8")
    is_there = verifier.exists() and verifier.read_text(encoding="utf-8") == source
    if not is_there and not verifier.exists():
        verifier.write_text(source, encoding="utf-8")
        is_there = True
    if as_json:
        told = {"bundle": str(path), "bytes": path.stat().st_size, "verifier": str(verifier) if is_there else None}
        print_json(told)
        return
    _say(f"{path} ({path.stat().st_size:,} bytes)")
    if is_there:
        _say(f"Verify it anywhere: python {VERIFIER} {path.name}")
    else:
        _warn(f"{verifier} is another file and was left as it is; `tieout proofs verify --bundle` verifies too.")


def _bundled(workspace: Any, claim: Claim, *, max_parts: int, max_rows: int) -> str:
    from tieout.books.ads.evidence import bundle_delta, bundle_kpi, bundle_leaf  # noqa: PLC0415

    is_one = sum(given is not None for given in (claim.delta, claim.kpi, claim.leaf)) == 1
    if not is_one or (claim.kpi is None) != (claim.day is None):
        raise ClaimRefused(
            "Give a delta, or --kpi with --day, or --leaf, and one of them.",
            subject="bundle",
            remedy="tieout proofs list --day DAY names what was sealed.",
        )
    if claim.delta is not None:
        return bundle_delta(workspace, claim.delta, max_parts=max_parts, max_rows=max_rows)
    if claim.leaf is not None:
        return bundle_leaf(workspace, claim.leaf, max_parts=max_parts, max_rows=max_rows)
    day = _day(str(claim.day))
    return bundle_kpi(workspace, str(claim.kpi), day, max_parts=max_parts, max_rows=max_rows)


def show_sealed(workspace: Any, day: str, kind: str | None, find: str | None, *, limit: int, as_json: bool) -> None:
    """Show what a day was sealed with, by leaf."""
    from tieout.books.ads.evidence import list_sealed  # noqa: PLC0415

    listed = list_sealed(workspace, _day(day), kind=kind, find=find, limit=limit)
    if as_json:
        rows = [{"leaf": row.leaf, "kind": row.kind, "content": _content(row.record)} for row in listed.rows]
        print_json({"day": day, "version": listed.day.version, "total": listed.total, "rows": rows})
        return
    for row in listed.rows:
        _say(str(offline.Leaf(row.leaf, row.record, json.loads(row.record))))
    if listed.total > len(listed.rows):
        _say(f"{listed.total - len(listed.rows):,} more; --kind, --find and --limit show others.")
    elif not listed.total:
        _say(f"Nothing that says {find!r} was sealed with {day}.")


def _content(record: str) -> Any:
    return json.loads(record)["content"]


def show_checkpoint(
    workspace: Any, since: int | None, add: Path | None, cosigners: Sequence[str], *, as_json: bool
) -> None:
    """Print the checkpoint or a proof of consistency, or keep what others signed."""
    from tieout.books.ads.proving import desk_of  # noqa: PLC0415

    desk = desk_of(workspace)
    if add is not None:
        count = add_cosignatures(desk, _read(add), [parse_verifier_key(key) for key in cosigners])
        if as_json:
            print_json({"added": count})
        else:
            _say(f"{count} countersignatures were added.")
        return
    log = desk.log()
    if since is not None:
        print_json(consistency_told(log, since))
        return
    if as_json:
        keys = [str(key) for key in desk.keys.verifiers(log.origin)]
        told = {"origin": log.origin, "size": log.size, "root": log.root().hex(), "note": log.note, "keys": keys}
        print_json(told | {"witnessed": list_witnessed(desk)})
        return
    sys.stdout.write(log.note)


def show_new_key(path: Path, name: str) -> None:
    """Make a countersigning key and print its public half."""
    _say(str(make_key(path, name)))


def show_countersigned(
    note: Path | None, key: Path, log_keys: Sequence[str], seen: Path | None, proof: Path | None
) -> None:
    """Sign a checkpoint and print it with the signature."""
    if note is None:
        raise FileNotRead("No checkpoint was named.", remedy="Name the file that holds it.")
    hashes = [] if proof is None else read_proof(_json(proof))
    seen_file = seen or key.with_name(f"{key.name}.seen")
    keys = [parse_verifier_key(one) for one in log_keys]
    sys.stdout.write(countersign(_read(note), read_key(key), seen_file, keys, hashes, datetime.now(UTC)))


def show_compared(first: Path, second: Path, *, as_json: bool) -> int:
    """Say how two histories stand to each other; return the exit code."""
    folder = next((path for path in (first, second) if (path / "leaves").is_dir()), None)
    found = compare_histories(
        open_history(first), open_history(second), lambda leaf: row_of(folder, leaf) if folder else ""
    )
    if as_json:
        print_json({"relation": found.relation, "sizes": found.sizes, "leaf": found.leaf, "row": found.row or None})
    else:
        _say(_relation_words(found, first, second))
    return EXIT_OK if found.relation in ("same", "first_begins_second", "second_begins_first") else EXIT_NOTHING


def show_keys(workspace: Any, *, as_json: bool) -> None:
    """Show every signing key of the tenant."""
    from tieout.books.ads.proving import desk_of, keys_of  # noqa: PLC0415

    desk, keys = desk_of(workspace), keys_of(workspace).list_keys()
    origin = desk.origin()
    if as_json:
        print_json({"origin": origin, "keys": [_key_told(key, origin) for key in keys]})
        return
    if not keys:
        _say("There is no signing key. tieout proofs keys rotate makes the first.")
    for key in keys:
        _say(f"{key.number}  {_status(key)}  {key.made_at:%Y-%m-%d %H:%M}  {key.verifier(origin)}")


def show_rotated(workspace: Any, *, is_from_environment: bool, as_json: bool) -> None:
    """Make the key that signs from now on and show it."""
    from tieout.books.ads.proving import desk_of, keys_of  # noqa: PLC0415

    private = None
    if is_from_environment:
        pem = os.environ.get(ENVIRONMENT_KEY) or ""
        if not pem:
            raise PrivateKeyUnreadable(f"{ENVIRONMENT_KEY} is not set.", subject=ENVIRONMENT_KEY)
        private = parse_private_key(pem)
    made, origin = keys_of(workspace).rotate(_account(workspace), private), desk_of(workspace).origin()
    if as_json:
        print_json(_key_told(made, origin))
    else:
        _say(f"Key {made.number} signs from now on. Publish it: {made.verifier(origin)}")


def show_revoked(workspace: Any, number: int, why: str, *, is_dry_run: bool, is_agreed: bool, as_json: bool) -> int:
    """Revoke a key once that is agreed to; return the exit code."""
    from tieout.books.ads.proving import desk_of, keys_of  # noqa: PLC0415

    question = f"Let nothing that key {number} signed hold any more?"
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed):
        if as_json:
            print_json({"revoked": False})
        else:
            _say(f"Nothing was done: key {number} stays as it is.")
        return EXIT_NOTHING
    key = keys_of(workspace).revoke(number, why, _account(workspace))
    if as_json:
        print_json(_key_told(key, desk_of(workspace).origin()))
    else:
        _say(f"Key {number} is revoked. tieout proofs issue --month signs what it signed anew.")
    return EXIT_OK


def _account(workspace: Any) -> Actor:
    return Actor(f"account:{workspace.settings.actor}")


def _one_of(**given: str | None) -> None:
    if sum(value is not None for value in given.values()) != 1:
        names = " or ".join(f"--{name}" for name in given)
        raise DayRefused(f"Give {names}, and one of them.", subject=names)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DayRefused(f"Invalid --day: {text!r}.", subject="--day", remedy="Use YYYY-MM-DD.") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileNotRead(f"{path} cannot be read: {error}.", subject=str(path)) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise FileNotRead(f"{path} holds no JSON: {error}.", subject=str(path)) from error


def _percent(coverage_bp: int) -> str:
    return f"{coverage_bp // 100}.{coverage_bp % 100:02d}"


def _say_day(one: IssuedDay) -> None:
    words = {
        "issued": f"sealed as version {one.version}, from leaf {one.first_leaf}",
        "unchanged": "sealed before with the same leaves",
        "would_issue": "would be sealed (dry-run)",
        "nothing": "nothing to seal: no run has judged the day",
    }[one.outcome]
    counts = ", ".join(f"{kind} {count}" for kind, count in one.counts.items())
    root = f" Root: {one.root.hex()}" if one.counts else ""
    _say(f"[VRA Proofs] {one.day}: {words}.{root}")
    if counts:
        _say(f"[VRA Proofs] {one.day}: {sum(one.counts.values())} leaves: {counts}")


def _say_month(issued: IssuedMonth) -> None:
    for one in issued.days:
        _say_day(one)
    words = {
        "issued": "issued",
        "unchanged": "issued before with the same days",
        "would_issue": "would be issued (dry-run)",
        "nothing": "nothing to issue: no day is sealed",
    }[issued.outcome]
    digest = f" Digest: {issued.digest.hex()}" if issued.outcome in ("issued", "unchanged") else ""
    _say(f"[VRA Proofs] {issued.month}: {words}.{digest} Coverage: {_percent(issued.coverage_bp)}%")
    if issued.missing:
        _say(f"[VRA Proofs] Missing days: {', '.join(day.isoformat() for day in issued.missing)}")


def _day_told(one: IssuedDay) -> dict[str, Any]:
    return {
        "day": one.day.isoformat(),
        "outcome": one.outcome,
        "version": one.version or None,
        "root": one.root.hex() if one.counts else None,
        "first_leaf": one.first_leaf,
        "leaves": dict(one.counts),
    }


def _say_verdict(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        told = {"subject": verdict.subject, "status": verdict.status, "why": verdict.why or None}
        print_json(told | {"leaves": verdict.leaves, "compared_with_published": verdict.is_compared})
        return
    if not verdict.is_ok:
        _say(f"[VRA Verify] {verdict.subject}: {verdict.status}: {verdict.why}")
        return
    rest = "" if verdict.is_compared else " What was published is no longer kept, so it was not compared."
    _say(f"[VRA Verify] {verdict.subject}: ok: {verdict.leaves} leaves.{rest}")


def _relation_words(found: Compared, first: Path, second: Path) -> str:
    sizes = f"{found.sizes[0]:,} and {found.sizes[1]:,} leaves"
    if found.relation == "differ":
        where = f"The first leaf that differs is {found.leaf:,}." if found.leaf is not None else ""
        where = where or "Which leaf differs is not told by a checkpoint: compare the folders of the log."
        return f"Two histories ({sizes}). {where}{f' It is {found.row}.' if found.row else ''}"
    return {
        "same": f"One history: both have the same {found.sizes[0]:,} leaves.",
        "first_begins_second": f"One history: {second} goes on where {first} ends ({sizes}).",
        "second_begins_first": f"One history: {first} goes on where {second} ends ({sizes}).",
        "undecided": f"Undecided ({sizes}): from checkpoints of two sizes it cannot be told; name a folder of the log.",
    }[found.relation]


def _status(key: SigningKey) -> str:
    return "signs" if key.is_current else "verifies" if key.verifies else f"revoked ({key.revoked_why})"


def _key_told(key: SigningKey, origin: str) -> dict[str, Any]:
    return {
        "number": key.number,
        "status": "signs" if key.is_current else "verifies" if key.verifies else "revoked",
        "verifier_key": str(key.verifier(origin)),
        "public_key": key.public_key.hex(),
        "made_at": key.made_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "revoked_why": key.revoked_why,
        "statement": key.statement,
    }


def _say(line: str) -> None:
    print(line)  # noqa: T201


def _warn(line: str) -> None:
    print(f"Warning: {line}", file=sys.stderr)  # noqa: T201
