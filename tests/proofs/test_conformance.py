"""Vectors that others made: Merkle proofs, canonical JSON and Ed25519 (their sources stand in vectors/SOURCES.md)."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from tieout.proofs import merkle

VECTORS = Path(__file__).parent / "vectors"
MERKLE = VECTORS / "merkle" / "testdata"


def hashes(values):
    return [b64decode(value) for value in values or ()]


def verdict(kind, case):
    proof = hashes(case["proof"])
    if kind in {"inclusion", "subtreeinclusion"}:
        subtree = (case.get("start", 0), case["end"] if "end" in case else case["treeSize"])
        leaf, whole = hashes([case["leafHash"], case["root"]])
        return merkle.is_in_subtree(leaf, case["leafIdx"], subtree, proof, whole)
    part, whole = hashes([case["root1"], case["root2"]])
    if kind == "consistency":
        return merkle.is_consistent(case["size1"], case["size2"], proof, part, whole)
    return merkle.is_subtree_consistent((case["start"], case["end"]), case["size"], proof, part, whole)


def are_hashes(case):
    return all(len(b64decode(case[name])) == merkle.HASH_BYTES for name in ("root", "root1", "root2") if name in case)


def with_hashes_for_roots(case):
    """The case with 32 bytes in the place of roots that are none: twelve bytes that say "don't care"."""
    as_hash = {name: b64encode(sha256(b64decode(case[name])).digest()) for name in ("root1", "root2") if name in case}
    empty = b64encode(merkle.EMPTY_ROOT).decode()
    return case | {name: value for name, value in as_hash.items() if case[name] != empty}


@pytest.mark.parametrize(
    ("kind", "count", "refused", "without_hashes"),
    [
        ("inclusion", 98, 92, 0),
        ("consistency", 98, 92, 1),
        ("subtreeinclusion", 204, 192, 0),
        ("subtreeconsistency", 118, 106, 3),
    ],
)
def test_each_merkle_vector_gets_its_verdict(kind, count, refused, without_hashes):
    cases = {path: json.loads(path.read_bytes()) for path in sorted((MERKLE / kind).rglob("*.json"))}
    assert len(cases) == count
    assert [case["wantErr"] for case in cases.values()].count(True) == refused
    lax = {path for path, case in cases.items() if not case["wantErr"] and not are_hashes(case)}
    assert len(lax) == without_hashes
    found = {path: verdict(kind, with_hashes_for_roots(case) if path in lax else case) for path, case in cases.items()}
    assert [str(path) for path, case in cases.items() if found[path] is case["wantErr"]] == []
    # What is no hash proves nothing, though the makers of the vectors let it pass.
    assert not any(verdict(kind, cases[path]) for path in lax)
