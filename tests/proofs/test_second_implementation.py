"""Another implementation, pymerkle, finds the same roots, makes the same proofs and takes ours.

It is licensed under the GPL: it stands beside these tests, and nothing that we ship imports it.
"""

import random

import pytest
from pymerkle import InclusionProof, InmemoryTree, verify_consistency, verify_inclusion

from tieout.proofs import bulk, merkle
from tieout.proofs.offline import verify as offline

LARGEST = 700
SOME = random.Random(9162)
RECORDS = [SOME.randbytes(SOME.randrange(80)) for _ in range(LARGEST)]
HASHES = b"".join(map(merkle.hash_leaf, RECORDS))
NODES = merkle.nodes_of(HASHES)
SIZES = [*range(1, 132), 255, 256, 257, 511, 512, 513, LARGEST, *(SOME.randrange(132, LARGEST) for _ in range(10))]


@pytest.fixture(scope="module")
def theirs():
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(RECORDS)
    return tree


def places(size):
    """The first, the last and some others."""
    return sorted({0, size - 1, *(SOME.randrange(size) for _ in range(4))})


@pytest.mark.parametrize("root_of", [merkle.root_of, lambda hashes: merkle.root_of(hashes, bulk.hash_pairs)])
def test_both_find_the_same_roots(theirs, root_of):
    for size in [0, *SIZES]:
        assert root_of(HASHES[: size * 32]) == merkle.root(0, size, NODES) == theirs.get_root(size)


def test_both_make_the_same_proofs_of_inclusion(theirs):
    for size in SIZES:
        whole = theirs.get_root(size)
        for index in places(size):
            made, leaf = theirs.prove_inclusion(index + 1, size), theirs.get_leaf(index + 1)
            ours = merkle.inclusion(index, size, NODES)
            assert made.path == [leaf, *ours]
            assert merkle.is_included(leaf, index, size, made.path[1:], whole)
            assert offline.is_included(leaf, index, size, made.path[1:], whole)
            taken = InclusionProof("sha256", True, size, index + 1, made.rule, [leaf, *ours])
            verify_inclusion(leaf, merkle.root(0, size, NODES), taken, index=index + 1, size=size)


def test_each_takes_the_others_proofs_of_consistency(theirs):
    for size in SIZES:  # theirs take the trees apart further, so that the hashes are not the same ones
        whole = merkle.root(0, size, NODES)
        for old in (one + 1 for one in places(size)):
            part = merkle.root(0, old, NODES)
            made, ours = theirs.prove_consistency(old, size), merkle.consistency(old, size, NODES)
            verify_consistency(part, whole, made, prior_size=old, later_size=size)
            for module in (merkle, offline):
                assert module.is_consistent(old, size, ours, theirs.get_root(old), theirs.get_root(size))
