"""Proofs over the API, as the contract prints them: digests, the checkpoint, and proofs that hold against it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from tests.api.recon_worlds import a_judged_day
from tests.control.access.people import add_tenant, key_header
from tieout.api.app import create_app
from tieout.books.ads.proving import issue_month, keys_of
from tieout.core.actor import Actor
from tieout.proofs import merkle
from tieout.proofs.notes import parse_checkpoint, parse_verifier_key, verify_note

ACTOR = Actor("account:tests")


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
