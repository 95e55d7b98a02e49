from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.proofs.sums import EMPTY, SumTooLarge, Total, fold, leaf_total, root_of, sum_tree

AMOUNTS = st.lists(st.integers(-(2**55), 2**55), max_size=40)


def made(amounts):
    records = [hashlib.sha256(str(place).encode()).digest() for place in range(len(amounts))]
    return records, sum_tree(b"".join(records), np.array(amounts, np.int64))


def naive(leaves):
    """The definition of RFC 9162 2.1.1, with amounts."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return fold(naive(leaves[:split]), naive(leaves[split:]))


@given(AMOUNTS)
def test_the_root_is_that_of_the_definition_and_the_total_is_that_of_the_rows(amounts):
    records, tree = made(amounts)
    leaves = [leaf_total(*both) for both in zip(records, amounts, strict=True)]
    assert tree.root == (naive(leaves) if leaves else EMPTY)
    assert tree.root.micros == sum(amounts)
    assert tree.root.credit == sum(one for one in amounts if one > 0)


@given(AMOUNTS.filter(bool), st.data())
def test_a_proof_leads_to_the_root_for_its_row_place_and_amount_alone(amounts, data):
    records, tree = made(amounts)
    place = data.draw(st.integers(0, len(amounts) - 1))
    proof, rows = tree.proof(place), len(amounts)
    assert tree.find(records[place]) == place
    assert root_of(records[place], amounts[place], place, rows, proof) == tree.root
    assert root_of(records[place], amounts[place] + 1, place, rows, proof) != tree.root
    assert root_of(hashlib.sha256(b"another").digest(), amounts[place], place, rows, proof) != tree.root
    assert root_of(records[place], amounts[place], place, rows, [*proof, EMPTY]) is None
    if proof:
        assert root_of(records[place], amounts[place], place, rows, proof[1:]) != tree.root
        moved = replace(proof[0], credit=proof[0].credit + 1)
        assert root_of(records[place], amounts[place], place, rows, [moved, *proof[1:]]) != tree.root


def test_a_branch_that_nobody_is_shown_cannot_take_away_from_a_total():
    with pytest.raises(SumTooLarge):
        fold(leaf_total(b"\1" * 32, 10), Total(b"\2" * 32, -5, 0))


@pytest.mark.parametrize("amounts", [[2**62, 2**62], [-(2**62), -(2**62), 1], [-(2**63)]])
def test_a_total_beyond_63_bits_is_refused(amounts):
    with pytest.raises(SumTooLarge):
        made(amounts)


def test_the_largest_total_is_exact():
    _, tree = made([2**62, 2**62 - 1, -7])
    assert (tree.root.credit, tree.root.debit) == (2**63 - 1, 7)


def test_a_row_that_is_not_in_the_tree_is_not_found():
    _, tree = made([1, 2, 3])
    with pytest.raises(KeyError):
        tree.find(b"\0" * 32)
    with pytest.raises(IndexError):
        tree.proof(3)
