"""The verifier that others run says what ours says, and needs nothing of ours."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.proofs.builders import COSIGNER, ORIGIN, SIGNER, leaf_hashes
from tieout.proofs import merkle, notes
from tieout.proofs.offline import verify

KEYS = [SIGNER.verifier_key, COSIGNER.verifier_key]
NOTE = notes.cosign(notes.sign_checkpoint(ORIGIN, 42, bytes(range(32)), SIGNER), COSIGNER, 1_700_000_000)
NO_FLOATS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def offline_keys():
    return [verify.parse_verifier_key(str(key)) for key in KEYS]


def verdict_of(note):
    """What either verifier says of a note: who signed what and when, or None where it is refused."""
    try:
        ours = [(each.key.name, each.at_s) for each in notes.verify_note(note, KEYS)]
        ours.append(tuple(notes.parse_checkpoint(note).__dict__.values())[:3])
    except (notes.NoteMalformed, notes.SignatureInvalid, notes.SignatureMissing):
        ours = None
    try:
        theirs = [(each.key.name, each.at_s) for each in verify.verify_note(note, offline_keys())]
        said = verify.parse_checkpoint(note)
        theirs.append((said.origin, said.size, said.root))
    except verify.Refused:
        theirs = None
    return ours, theirs


def test_it_imports_nothing_beyond_the_standard_library():
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    roots = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "." * node.level]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert roots <= sys.stdlib_module_names


def test_it_runs_where_nothing_else_is(tmp_path):
    code = (
        f"import importlib.util as u; s = u.spec_from_file_location('verify', {verify.__file__!r}); "
        "m = u.module_from_spec(s); s.loader.exec_module(m); "
        f"print(m.verify_note({NOTE!r}, [m.parse_verifier_key({str(KEYS[0])!r})])[0].key.name)"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (found.stdout.strip(), found.stderr) == (ORIGIN, "")


def test_a_note_with_a_cosignature_is_verified_by_both():
    ours, theirs = verdict_of(NOTE)
    assert ours == theirs == [(ORIGIN, None), ("witness.example/w1", 1_700_000_000), (ORIGIN, 42, bytes(range(32)))]


@given(place=st.integers(0, len(NOTE) - 1), to=st.characters(max_codepoint=0x2100, exclude_categories=["Cs"]))
@example(place=NOTE.index("— witness") + 5, to="\N{NO-BREAK SPACE}")
@settings(max_examples=120, deadline=None)
def test_both_give_a_changed_note_the_same_verdict(place, to):
    changed = NOTE[:place] + to + NOTE[place + 1 :]
    ours, theirs = verdict_of(changed)
    assert ours == theirs
    if changed != NOTE and place < NOTE.index("\n\n"):
        assert ours is None


@given(NO_FLOATS)
@settings(max_examples=40, deadline=None)
def test_canonical_json_is_that_of_the_library(value):
    assert verify.canonical(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_numbers_are_written_as_the_library_writes_them(number):
    assert verify.canonical(number) == rfc8785.dumps(number)


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(verify.Refused):
        verify.canonical(value)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "[NaN]", "[Infinity]", "{", "[" * 100_000])
def test_json_that_can_be_read_in_two_ways_is_refused(text):
    with pytest.raises(verify.Refused, match="no JSON"):
        verify.load_json(text)


@given(size=st.integers(1, 200), data=st.data())
@settings(max_examples=50, deadline=None)
def test_merkle_proofs_get_the_same_verdict(size, data):
    hashes = leaf_hashes(size)
    nodes, root = merkle.nodes_of(hashes), merkle.root_of(hashes)
    assert verify.root_of([hashes[place : place + 32] for place in range(0, len(hashes), 32)]) == root
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    said = data.draw(st.integers(0, size + 1))
    leaf, proof = nodes(0, index), merkle.inclusion(index, size, nodes)
    assert verify.is_included(leaf, said, size, proof, root) is merkle.is_included(leaf, said, size, proof, root)
    assert verify.is_included(leaf, index, size, proof, root)
    old_root, proof = merkle.root(0, old, nodes), merkle.consistency(old, size, nodes)
    assert verify.is_consistent(old, size, proof, old_root, root)
    arguments = (said, size, proof, old_root, root)
    assert verify.is_consistent(*arguments) is merkle.is_consistent(*arguments)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a+b+c", str(KEYS[0]).replace("+", "+0", 1), str(KEYS[0])[:-1], "b" + str(KEYS[0])],
)
def test_a_changed_verifier_key_is_refused(text):
    with pytest.raises(verify.Refused):
        verify.parse_verifier_key(text)
