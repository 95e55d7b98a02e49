"""Vectors that others made: Merkle proofs, canonical JSON and Ed25519 (their sources stand in vectors/SOURCES.md)."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
import rfc8785

from tieout.proofs import merkle, notes
from tieout.proofs.offline import verify

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


def signatures():
    for group in json.loads((VECTORS / "wycheproof" / "ed25519_test.json").read_bytes())["testGroups"]:
        public_key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            yield case["tcId"], (bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]), public_key), case["result"]


@pytest.mark.parametrize("is_signed", [notes.is_signed, verify.is_signed], ids=["library", "offline"])
def test_each_signature_of_wycheproof_gets_its_verdict(is_signed):
    found = {number: is_signed(*case) for number, case, _ in signatures()}
    assert [number for number, _, result in signatures() if found[number] is not (result == "valid")] == []
    assert len(found) == 151


def canonical_by_library(value):
    return rfc8785.dumps(value)


@pytest.mark.parametrize("canonical", [canonical_by_library, verify.canonical], ids=["library", "offline"])
def test_each_text_becomes_its_canonical_json(canonical):
    folder = VECTORS / "jcs" / "testdata"
    names = sorted(path.name for path in (folder / "input").iterdir())
    assert len(names) == 6
    for name in names:
        value = verify.load_json((folder / "input" / name).read_text(encoding="utf-8"))
        assert canonical(value) == (folder / "output" / name).read_bytes().strip(), name
        outhex = (folder / "outhex" / name).with_suffix(".txt").read_text()
        assert canonical(value) == bytes.fromhex(outhex), name


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_the_offline_verifier_gives_each_merkle_vector_its_verdict(kind):
    for path in sorted((MERKLE / kind).rglob("*.json")):
        case = json.loads(path.read_bytes())
        if kind == "inclusion":
            leaf, whole = hashes([case["leafHash"], case["root"]])
            found = verify.is_included(leaf, case["leafIdx"], case["treeSize"], hashes(case["proof"]), whole)
        else:
            roots = hashes([case["root1"], case["root2"]])
            found = verify.is_consistent(case["size1"], case["size2"], hashes(case["proof"]), *roots)
        assert found is (not case["wantErr"] and are_hashes(case)), path
