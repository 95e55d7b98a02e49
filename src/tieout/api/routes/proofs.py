"""Proofs of the ads book over the network: digests, the checkpoint of the log, and proofs against it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi.responses import PlainTextResponse, Response

from tieout.api.access import Installation
from tieout.api.gates import flag_on
from tieout.api.recon_access import reads_or_does
from tieout.api.section import Section
from tieout.books.ads.proving import desk_of, keys_of
from tieout.books.compare.accepting import store_of
from tieout.books.workspace import Workspace
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.proofs.desk import Desk
from tieout.proofs.merkle import hash_leaf
from tieout.proofs.notes import parse_note
from tieout.proofs.sealing import parse_month
from tieout.proofs.tiles import TILE_WIDTH, LogDamaged, parse_tile_path
from tieout.proofs.witness import consistency_told

routes = Section(prefix="/api/v1/proofs", tags=["proofs"], dependencies=[Depends(flag_on(VRA_ENABLED))])

READ = "proofs.log.read"
READ_ENTRIES = "proofs.entries.read"
MAX_LEAVES = 2**62
MAX_ENTRY_BYTES = 2**16 - 1
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Authorization"}
"""A tile of a width never changes; caches that several callers share keep none, for a log is one tenant's."""
Reader = Annotated[Caller, Depends(reads_or_does(READ))]
EntryReader = Annotated[Caller, Depends(reads_or_does(READ_ENTRIES))]
Size = Annotated[int | None, Query(ge=1, le=MAX_LEAVES, description="Leaves of the log; by default all there are.")]


class DigestNotFound(TieoutError):
    """No digest of the month was issued."""

    code = "digest_not_found"
    http_status = 404


class LeafNotFound(TieoutError):
    """The log has no leaf at this place, or not as many leaves."""

    code = "leaf_not_found"
    http_status = 404


class TileNotFound(TieoutError):
    """The log has no such tile, or not of this width, or does not keep these entries."""

    code = "tile_not_found"
    http_status = 404


class Tile(Response):
    """Hashes or entries as they lie on disk."""

    media_type = "application/octet-stream"


@routes.get("/revenue_digest")
def revenue_digest(
    caller: Reader,
    platform: Installation,
    month: Annotated[str, Query(max_length=100, description="YYYY-MM.")] = "",
) -> dict[str, Any]:
    """Return the signed digest of a month, and how many of its days it covers."""
    parse_month(month)
    found = _desk(platform, caller).find_month(month)
    if found is None:
        raise DigestNotFound("Digest not found", subject=month)
    [signature, *_] = parse_note(found.note).signatures
    return {
        "success": True,
        "data": {
            "month": found.month,
            "digest": found.digest.hex(),
            "signature": signature.value.hex(),
            "coveragePct": found.coverage_bp / 100,
            "notes": found.notes,
            "note": found.note,
            "version": found.version,
        },
    }


@routes.get("/checkpoint", response_class=PlainTextResponse)
def checkpoint(caller: Reader, platform: Installation) -> PlainTextResponse:
    """Return the checkpoint of the log as a signed note (C2SP tlog-checkpoint)."""
    return PlainTextResponse(_desk(platform, caller).log().note)


@routes.get("/tile/entries/{bundle:path}", response_class=Tile)
def entries(caller: EntryReader, platform: Installation, bundle: str) -> Tile:
    """Return up to 256 sealed records, each behind its length in two bytes (C2SP tlog-tiles: entries/N or N.p/W)."""
    _, number, width = _parse(f"tile/0/{bundle}", f"tile/entries/{bundle}")
    desk = _desk(platform, caller)
    hashes, start = desk.log().find_tile(0, number, width), number * TILE_WIDTH
    records = None if hashes is None else desk.list_records(start, start + width)
    if hashes is None or records is None:
        raise _no_tile(f"tile/entries/{bundle}")
    told = [record.encode() for record in records]
    if b"".join(map(hash_leaf, told)) != hashes:
        raise LogDamaged(
            f"Records of the leaves {start:,} to {start + width - 1:,} are not those that were sealed.",
            subject=str(desk.folder),
            remedy="tieout proofs verify names the row.",
        )
    if any(len(one) > MAX_ENTRY_BYTES for one in told):
        raise _no_tile(f"tile/entries/{bundle}", "a record in it is longer than its format can hold")
    return Tile(b"".join(len(one).to_bytes(2, "big") + one for one in told), headers=FOR_EVER)


@routes.get("/tile/{tile:path}", response_class=Tile)
def tile_of(caller: Reader, platform: Installation, tile: str) -> Tile:
    """Return hashes of the log end to end, 32 bytes each (C2SP tlog-tiles: L/N of 256, or L/N.p/W of the first W)."""
    hashes = _desk(platform, caller).log().find_tile(*_parse(f"tile/{tile}", f"tile/{tile}"))
    if hashes is None:
        raise _no_tile(f"tile/{tile}")
    return Tile(hashes, headers=FOR_EVER)


def _parse(path: str, asked: str) -> tuple[int, int, int]:
    found = parse_tile_path(path)
    if found is None:
        raise _no_tile(asked, "that is no path of a tile")
    return found


def _no_tile(asked: str, why: str = "the log has not as many leaves, or no longer keeps it") -> TileNotFound:
    return TileNotFound(f"There is no {asked[:80]}: {why}.", subject=asked[:80])


@routes.get("/inclusion")
def inclusion(
    caller: Reader,
    platform: Installation,
    index: Annotated[int, Query(ge=0, lt=MAX_LEAVES, description="Place of the leaf, from 0.")],
    size: Size = None,
) -> dict[str, Any]:
    """Return the hash of a leaf, and the proof (RFC 9162 2.1.3) that it is in the log of so many leaves."""
    log = _desk(platform, caller).log()
    until = log.size if size is None else size
    if not index < until <= log.size:
        raise LeafNotFound(f"The log has {log.size:,} leaves.", subject=str(index))
    proof = [node.hex() for node in log.inclusion(index, until)]
    data = {"index": index, "size": until, "leaf": log.leaf(index).hex(), "root": log.root(until).hex(), "proof": proof}
    return {"success": True, "data": {"origin": log.origin, **data}}


@routes.get("/consistency")
def consistency(
    caller: Reader,
    platform: Installation,
    old: Annotated[int, Query(alias="from", ge=1, le=MAX_LEAVES, description="Leaves of the older checkpoint.")],
    size: Annotated[
        int | None, Query(alias="to", ge=1, le=MAX_LEAVES, description="Of the later; by default all.")
    ] = None,
) -> dict[str, Any]:
    """Return the proof (RFC 9162 2.1.4) that the log of the later checkpoint begins with that of the older."""
    log = _desk(platform, caller).log()
    until = log.size if size is None else size
    if not old <= until <= log.size:
        raise LeafNotFound(f"The log has {log.size:,} leaves.", subject=str(max(old, until)))
    roots = {"fromRoot": log.root(old).hex(), "toRoot": log.root(until).hex()}
    return {"success": True, "data": {**consistency_told(log, old, until), **roots}}


@routes.get("/keys")
def list_keys(caller: Reader, platform: Installation) -> dict[str, Any]:
    """List every key that ever signed the log, with the standard's verifier key: those revoked, and why, too."""
    bench = _bench(platform, caller)
    origin = desk_of(bench).origin()
    return {
        "success": True,
        "data": [
            {
                "number": key.number,
                "verifierKey": str(key.verifier(origin)),
                "madeAt": key.made_at.isoformat(),
                "retiredAt": key.retired_at.isoformat() if key.retired_at else None,
                "revokedAt": key.revoked_at.isoformat() if key.revoked_at else None,
                "revokedWhy": key.revoked_why,
                "statement": key.statement,
            }
            for key in keys_of(bench).list_keys()
        ],
    }


def _bench(platform: Platform, caller: Caller) -> Workspace:
    return Workspace(platform.settings, store_of(platform, caller), platform.now)


def _desk(platform: Platform, caller: Caller) -> Desk:
    return desk_of(_bench(platform, caller))
