import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs import oracle
from tests.proofs.builders import leaf_hashes
from tieout.proofs import merkle

SIZES = st.integers(1, 300)


def listed(hashes):
    return [hashes[place : place + 32] for place in range(0, len(hashes), 32)]


def test_hashes_of_leaves_and_nodes_are_those_of_the_rfc():
    # From the test data of RFC 6962's reference implementation: the empty tree, and the tree of one empty leaf.
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.hash_leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    two = merkle.hash_node(merkle.hash_leaf(b""), merkle.hash_leaf(b"\0"))
    assert two.hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"


def test_a_leaf_cannot_be_taken_for_a_node():
    left, right = merkle.hash_leaf(b"a"), merkle.hash_leaf(b"b")
    assert merkle.hash_leaf(left + right) != merkle.hash_node(left, right)


@pytest.mark.parametrize("size", range(1, 40))
def test_small_trees_are_as_the_rfc_defines_them(size):
    hashes = leaf_hashes(size)
    leaves, nodes = listed(hashes), merkle.nodes_of(hashes)
    whole = oracle.root(leaves)
    assert merkle.root_of(hashes) == merkle.root(0, size, nodes) == whole
    for index in range(size):
        proof = merkle.inclusion(index, size, nodes)
        assert proof == oracle.path(index, leaves)
        assert merkle.is_included(leaves[index], index, size, proof, whole)
    for old in range(1, size + 1):
        proof = merkle.consistency(old, size, nodes)
        assert proof == oracle.proof(old, leaves)
        assert merkle.is_consistent(old, size, proof, oracle.root(leaves[:old]), whole)


@given(size=SIZES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_shows_one_leaf_at_one_place_of_one_tree(size, data):
    hashes = leaf_hashes(size)
    leaves, nodes = listed(hashes), merkle.nodes_of(hashes)
    index = data.draw(st.integers(0, size - 1))
    proof, whole = merkle.inclusion(index, size, nodes), merkle.root_of(hashes)
    other = data.draw(st.integers(0, 2 * size))
    assert merkle.is_included(leaves[index], other, size, proof, whole) is (other == index)
    if proof:
        place, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        flipped = list(proof)
        flipped[place] = (int.from_bytes(proof[place], "big") ^ 1 << bit).to_bytes(32, "big")
        assert not merkle.is_included(leaves[index], index, size, flipped, whole)
        assert not merkle.is_included(leaves[index], index, size, proof[:-1], whole)
    assert not merkle.is_included(leaves[index], index, size, [*proof, whole], whole)


@given(size=SIZES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_another_history_is_not_consistent(size, data):
    hashes = leaf_hashes(size)
    old = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, old - 1))
    other = hashes[: changed * 32] + merkle.hash_leaf(b"changed") + hashes[(changed + 1) * 32 :]
    nodes = merkle.nodes_of(other)
    proof = merkle.consistency(old, size, nodes)
    assert merkle.is_consistent(old, size, proof, merkle.root(0, old, nodes), merkle.root_of(other))
    assert not merkle.is_consistent(old, size, proof, merkle.root_of(hashes[: old * 32]), merkle.root_of(other))


def test_what_has_no_hash_proves_nothing():
    assert not merkle.is_included(b"", 0, 1, [], b"")
    assert not merkle.is_consistent(1, 1, [], b"", b"")
    assert not merkle.is_consistent(0, 4, [], merkle.EMPTY_ROOT, merkle.root_of(leaf_hashes(4)))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_is_made_of_a_leaf_that_is_not_there(index, size):
    with pytest.raises(ValueError, match="has no leaf"):
        merkle.inclusion(index, size, merkle.nodes_of(leaf_hashes(3)))


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3)])
def test_no_proof_leads_from_an_empty_or_a_longer_tree(old, size):
    with pytest.raises(ValueError, match="no proof leads"):
        merkle.consistency(old, size, merkle.nodes_of(leaf_hashes(3)))
