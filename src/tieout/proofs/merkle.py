"""Merkle trees of RFC 9162 (section 2.1): hashes, roots, and proofs made and verified. Pure; a hash is 32 bytes.

A tree of n leaves is named by its hashes alone. A node of it is `(level, index)`: the root of the 2**level leaves that
begin at index × 2**level; only nodes whose leaves all exist are asked for. A subtree is the leaves [start, end) where
start is a multiple of the smallest power of two that is not below end − start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree that has no leaf."""

Nodes = Callable[[int, int], bytes]
"""Returns the hash of the node (level, index)."""

Pairs = Callable[[bytes], bytes]
"""Hashes the nodes above hashes that lie end to end, as `hash_pairs` does."""

LEAF = b"\0"
NODE = b"\1"
_PAIR_BYTES = 2 * HASH_BYTES


def hash_leaf(record: bytes) -> bytes:
    """Return the hash of a leaf; no node can have the same, for both are told apart before they are hashed."""
    return hashlib.sha256(LEAF + record).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return hashlib.sha256(NODE + left + right).digest()


def hash_pairs(hashes: bytes) -> bytes:
    """Return the hashes of the nodes above `hashes`, which lie end to end and are an even number."""
    return hash_each(NODE, hashes, _PAIR_BYTES)


def hash_each(prefix: bytes, messages: bytes, length: int) -> bytes:
    """Return the hashes of messages of one length that lie end to end, each behind `prefix`."""
    begun, found = hashlib.sha256(prefix).copy, []  # a copy costs half of what a new one does
    for start in range(0, len(messages), length):
        one = begun()
        one.update(messages[start : start + length])
        found.append(one.digest())
    return b"".join(found)


def root_of(hashes: bytes, pairs: Pairs = hash_pairs) -> bytes:
    """Return the root of the tree whose leaf hashes are `hashes`, end to end; `pairs` hashes its nodes."""
    if not hashes:
        return EMPTY_ROOT
    while len(hashes) > HASH_BYTES:
        # An odd one goes up as it is: so the left part of each node is the largest power of two, as the RFC splits.
        odd = len(hashes) % _PAIR_BYTES
        hashes = pairs(hashes[: len(hashes) - odd]) + hashes[len(hashes) - odd :]
    return hashes


def nodes_of(hashes: bytes) -> Nodes:
    """Return the nodes of the tree whose leaf hashes are `hashes`, end to end, all of them hashed now."""
    levels = [hashes]
    while len(levels[-1]) > HASH_BYTES:
        levels.append(hash_pairs(levels[-1][: len(levels[-1]) // _PAIR_BYTES * _PAIR_BYTES]))
    return lambda level, index: levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES]


def root(start: int, end: int, nodes: Nodes) -> bytes:
    """Return the root of the subtree [start, end)."""
    if start == end:
        return EMPTY_ROOT
    *lower, whole = (nodes(level, index) for level, index in largest_nodes(start, end))
    for left in reversed(lower):
        whole = hash_node(left, whole)
    return whole


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return [root(start, end, nodes) for start, end in _siblings(index, size)]


def consistency(old_size: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `size` leaves begins with that of `old_size` (RFC 9162, 2.1.4.1)."""
    if not 0 < old_size <= size:
        raise ValueError(f"no proof leads from {old_size} leaves to {size}")
    parts: list[tuple[int, int]] = []
    start, end, is_left_edge = 0, size, True
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start, is_left_edge = middle, False
    if not is_left_edge:  # whoever checks the proof knows the old root, but not the root of this part of it
        parts.append((start, end))
    return [root(*part, nodes) for part in reversed(parts)]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], whole: bytes) -> bool:
    """Tell whether `proof` shows that `leaf` is at `index` of the tree of `size` leaves whose root is `whole`."""
    return is_in_subtree(leaf, index, (0, size), proof, whole)


def is_in_subtree(leaf: bytes, index: int, subtree: tuple[int, int], proof: Sequence[bytes], whole: bytes) -> bool:
    """Tell whether `proof` shows that `leaf` is at `index` of the subtree whose root is `whole` (RFC 9162, 2.1.3.2)."""
    start, end = subtree
    if not (is_subtree(start, end) and start <= index < end and _are_hashes(leaf, whole, *proof)):
        return False
    place, last = index - start, end - start - 1
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            leaf = hash_node(sibling, leaf)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            leaf = hash_node(leaf, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and leaf == whole


def is_consistent(old_size: int, size: int, proof: Sequence[bytes], old_whole: bytes, whole: bytes) -> bool:
    """Tell whether `proof` shows that the tree of `size` leaves begins with the tree of `old_size`.

    `whole` and `old_whole` are their roots. Of an empty old tree nothing can be shown, so it is not consistent.
    """
    return old_size > 0 and is_subtree_consistent((0, old_size), size, proof, old_whole, whole)


def is_subtree_consistent(
    subtree: tuple[int, int], size: int, proof: Sequence[bytes], part: bytes, whole: bytes
) -> bool:
    """Tell whether `proof` shows that the subtree whose root is `part` lies in the tree of `size` leaves.

    `whole` is the root of the tree. For subtrees that begin at 0 it is the algorithm of RFC 9162, 2.1.4.2; for others
    that of Merkle Tree Certificates (draft-ietf-plants-merkle-tree-certs).
    """
    start, end = subtree
    if not (is_subtree(start, end) and end <= size and _are_hashes(part, whole, *proof)):
        return False
    if start == end:
        return not proof and part == EMPTY_ROOT
    first, last, tree_last = start, end - 1, size - 1
    while first != last and (last & 1 or last == tree_last):
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    pending = iter(proof)
    seed = part if first == last else next(pending, b"")
    if not seed:
        return False
    part_found = whole_found = seed
    for sibling in pending:
        if tree_last == 0:
            return False
        if last & 1 or last == tree_last:
            if first < last:
                part_found = hash_node(sibling, part_found)
            whole_found = hash_node(sibling, whole_found)
            while not last & 1 and last:
                first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
        else:
            whole_found = hash_node(whole_found, sibling)
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    return tree_last == 0 and part_found == part and whole_found == whole


def is_subtree(start: int, end: int) -> bool:
    """Tell whether the leaves [start, end) are a subtree: the leaves of one node, or the first of them."""
    return 0 <= start <= end and start % (1 << max(end - start - 1, 0).bit_length()) == 0


def _are_hashes(*values: bytes) -> bool:
    # Two hashes of no length would match whatever they stand for.
    return all(len(value) == HASH_BYTES for value in values)


def _split(count: int) -> int:
    """Return the largest power of two below `count`, which is 2 or more."""
    return 1 << (count - 1).bit_length() - 1


def largest_nodes(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest nodes that cover a subtree, from the left."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    """Return the subtrees beside the way from leaf `index` to the root, the lowest first."""
    beside: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return beside[::-1]
