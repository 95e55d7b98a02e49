"""Proofs over the API, as the contract prints them: digests, the checkpoint, and proofs that hold against it."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from tests.api.recon_worlds import a_judged_day
from tests.control.access.people import add_tenant, key_header
from tests.proofs import oracle
from tests.proofs.builders import leaf_hashes
from tieout.api.app import create_app
from tieout.books.ads.proving import desk_of, issue_month, keys_of
from tieout.control.access.actions.keys import create_key
from tieout.control.access.caller import Caller
from tieout.core.actor import Actor
from tieout.proofs import merkle
from tieout.proofs.notes import parse_checkpoint, parse_verifier_key, sign_checkpoint, verify_note

ACTOR = Actor("account:tests")
SQLITE = pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
"""Tiles are files: one state database is enough."""


def opened(platform, *, flags):
    return create_app(replace(platform, settings=replace(platform.settings, flags=flags)))


@pytest.fixture
def ask(platform):
    """Ask a route of the proofs as a tenant."""
    for tenant in ("acme", "other"):
        add_tenant(platform, tenant)
    keys = {tenant: key_header(platform, tenant) for tenant in ("acme", "other")}
    with TestClient(opened(platform, flags={"VRA_ENABLED": "true"}), raise_server_exceptions=False) as client:
        yield lambda path, tenant="acme", **asked: client.get(
            f"/api/v1/proofs/{path}", params=asked, headers=keys[tenant]
        )


@pytest.fixture
def world(platform, ask):
    made = a_judged_day(platform, "acme")
    keys_of(made.workspace).rotate(ACTOR)
    issue_month(made.workspace, "2025-11")
    return made


def test_the_digest_of_a_month(ask, world):
    answer = ask("revenue_digest", month="2025-11")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert answer.json()["success"] is True
    assert {"month", "digest", "signature", "coveragePct", "notes"} <= set(data)
    assert (data["month"], data["coveragePct"]) == ("2025-11", 3.33)
    assert data["notes"].startswith("1 of 30 days; missing 2025-11-01")
    [key] = [parse_verifier_key(one["verifierKey"]) for one in ask("keys").json()["data"]]
    assert verify_note(data["note"], [key])
    assert len(bytes.fromhex(data["signature"])) == 64
    assert parse_checkpoint(data["note"]).root.hex() == data["digest"]


@pytest.mark.parametrize("month", ["2025-13", "2025-1", "x", "", "2025-11-01", "２０２５-11"])
def test_a_month_that_is_none_is_told(ask, month):
    answer = ask("revenue_digest", month=month)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert answer.json()["error"] == "Invalid month format. Use YYYY-MM."


def test_a_month_without_a_digest_and_another_tenant_are_not_found(ask, world):
    for answer in (ask("revenue_digest", month="2025-10"), ask("revenue_digest", "other", month="2025-11")):
        assert answer.status_code == 404
        assert answer.json()["error"] == "Digest not found"
    for path, asked in (("checkpoint", {}), ("inclusion", {"index": 0}), ("consistency", {"from": 1})):
        assert ask(path, "other", **asked).status_code == 404
    assert ask("keys", "other").json()["data"] == []


def test_the_checkpoint_is_a_signed_note_and_proofs_hold_against_it(ask, world):
    note = ask("checkpoint")
    assert note.headers["content-type"].startswith("text/plain")
    [key] = [parse_verifier_key(one["verifierKey"]) for one in ask("keys").json()["data"]]
    verify_note(note.text, [key])
    said = parse_checkpoint(note.text)
    for index in (0, said.size - 1):
        data = ask("inclusion", index=index).json()["data"]
        proof = [bytes.fromhex(node) for node in data["proof"]]
        assert merkle.is_included(bytes.fromhex(data["leaf"]), index, said.size, proof, said.root)
    data = ask("consistency", **{"from": 3}).json()["data"]
    proof = [bytes.fromhex(node) for node in data["proof"]]
    assert merkle.is_consistent(3, said.size, proof, bytes.fromhex(data["fromRoot"]), said.root)


@pytest.fixture
def long_log(world):
    """The log with 600 leaves more, whose records nobody keeps."""
    desk = desk_of(world.workspace)
    log = desk.log()
    with log.writing() as writer:
        writer.append(leaf_hashes(600))
        writer.publish(sign_checkpoint(log.origin, writer.size, writer.root(), desk.keys.signer(log.origin)))
    return log


def hashes_of(answer):
    assert answer.status_code == 200, answer.text
    return [answer.content[place : place + 32] for place in range(0, len(answer.content), 32)]


@SQLITE
def test_a_client_of_tile_logs_finds_the_root_that_was_signed(ask, long_log):
    said = parse_checkpoint(ask("checkpoint").text)
    full, rest = divmod(said.size, 256)
    assert full == 2
    leaves = [hashes_of(ask(f"tile/0/{number:03d}")) for number in range(full)]
    assert [len(tile) for tile in leaves] == [256, 256]
    assert hashes_of(ask("tile/1/000.p/2")) == [oracle.root(tile) for tile in leaves]
    last = hashes_of(ask(f"tile/0/{full:03d}.p/{rest}"))
    assert oracle.root([*leaves[0], *leaves[1], *last]) == said.root
    assert hashes_of(ask("tile/0/000.p/17")) == leaves[0][:17], "a client may know an older checkpoint"


@SQLITE
def test_tiles_are_bytes_that_are_kept_for_ever_and_checkpoints_are_not_kept(ask, long_log):
    for path in ("tile/0/000", "tile/0/002.p/1", "tile/entries/000.p/1"):
        headers = ask(path).headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["cache-control"] == "private, max-age=31536000, immutable"
        assert headers["vary"] == "Authorization"
    headers = ask("checkpoint").headers
    assert (headers["content-type"], headers["cache-control"]) == ("text/plain; charset=utf-8", "no-store")


NO_TILES = (
    "0/003 0/002 0/002.p/200 0/000.p/0 0/000.p/256 0/000.p/300 0/000.p/01 1/000 1/000.p/3 2/000 2/000.p/1 00/000 "
    "64/000 0/0 0/0000 0/x000/000 0/x001/000 0/-01 0/000/ 0 0/000.p 0/000.p/ 0/%2E%2E/checkpoint 0/000.p/1/2 data/000 "
    "0/٠٠٠ 0/x999/x999/x999/x999/x999/999 entries/003 entries/000.p/999 entries/ entries/0 entries/1/000"
)


@SQLITE
def test_a_tile_that_is_not_there_is_not_found(ask, long_log):
    for path in ("", *NO_TILES.split()):
        answer = ask(f"tile/{path}")
        assert (path, answer.status_code) == (path, 404)
        assert len(answer.content) < 1000


def entries_of(content):
    found = []
    while content:
        length = int.from_bytes(content[:2], "big")
        found.append(content[2 : 2 + length])
        content = content[2 + length :]
    return found


@SQLITE
def test_entries_hash_to_the_leaves_and_say_what_was_sealed(ask, world):
    size = parse_checkpoint(ask("checkpoint").text).size
    entries = entries_of(ask(f"tile/entries/000.p/{size}").content)
    assert [merkle.hash_leaf(entry) for entry in entries] == hashes_of(ask(f"tile/0/000.p/{size}"))
    kinds = [json.loads(entry)["kind"] for entry in entries]
    assert kinds[-2:] == ["day", "month"], "of two files, one behind the other"
    assert entries_of(ask("tile/entries/000.p/3").content) == entries[:3]
    first = desk_of(world.workspace).leaf_file(0)
    pq.write_table(pq.read_table(first), first, row_group_size=3)
    assert entries_of(ask(f"tile/entries/000.p/{size}").content) == entries


@SQLITE
def test_entries_that_are_not_kept_are_not_found(ask, world, long_log):
    assert ask("tile/entries/000").status_code == 404
    desk = desk_of(world.workspace)
    assert ask("tile/entries/000.p/1").status_code == 200
    desk.leaf_file(0).unlink()
    assert ask("tile/entries/000.p/1").status_code == 404


@SQLITE
def test_entries_that_were_changed_are_not_given(ask, world):
    desk = desk_of(world.workspace)
    table = pq.read_table(desk.leaf_file(0))
    rows = table.to_pylist()
    rows[1]["record"] = rows[1]["record"].replace("USD", "EUR", 1)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), desk.leaf_file(0))
    assert ask("tile/entries/000.p/1").status_code == 200
    assert ask("tile/entries/000.p/2").status_code == 500


@SQLITE
def test_who_may_read_the_log_may_not_read_its_entries(platform, ask, world):
    key = create_key(platform, Caller("acme", ACTOR, ("*",)), "witness", ["proofs.log.read"])
    with TestClient(opened(platform, flags={"VRA_ENABLED": "true"})) as client:
        client.headers["Authorization"] = f"Bearer {key.text}"
        assert client.get("/api/v1/proofs/tile/0/000.p/1").status_code == 200
        assert client.get("/api/v1/proofs/tile/entries/000.p/1").status_code == 403


@SQLITE
def test_tiles_are_those_of_the_callers_tenant(platform, ask, world):
    for path in ("tile/0/000.p/1", "tile/entries/000.p/1"):
        assert ask(path, "acme").status_code == 200
        assert ask(path, "other").status_code == 404
    theirs = a_judged_day(platform, "other")
    keys_of(theirs.workspace).rotate(ACTOR)
    issue_month(theirs.workspace, "2025-11")
    for path in ("tile/0/000.p/1", "tile/entries/000.p/1"):
        assert ask(path, "acme").content != ask(path, "other").content


def test_places_that_are_not_in_the_log_are_told(ask, world):
    size = parse_checkpoint(ask("checkpoint").text).size
    assert ask("inclusion", index=size).status_code == 404
    assert ask("inclusion", index=0, size=size + 1).status_code == 404
    assert ask("consistency", **{"from": size + 1}).status_code == 404
    assert ask("consistency", **{"from": 3, "to": 2}).status_code == 404
    assert ask("inclusion", index=-1).status_code == 400
    assert ask("consistency", **{"from": 0}).status_code == 400


def test_without_the_flag_nothing_is_there(platform, world):
    with TestClient(opened(platform, flags={}), raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/proofs/checkpoint", headers=key_header(platform, "acme"))
    assert answer.status_code == 404
    assert answer.json()["code"] == "FEATURE_DISABLED"
