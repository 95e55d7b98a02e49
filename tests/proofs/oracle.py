"""Merkle trees as RFC 9162 (section 2.1) defines them, word for word and slowly: over lists of leaf hashes."""

from hashlib import sha256


def largest_power_below(count):
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), root(leaves[k:])]
    return [*path(m - k, leaves[k:]), root(leaves[:k])]


def proof(m, leaves):
    return subproof(m, leaves, is_whole=True)


def subproof(m, leaves, *, is_whole):
    if m == len(leaves):
        return [] if is_whole else [root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], is_whole=is_whole), root(leaves[k:])]
    return [*subproof(m - k, leaves[k:], is_whole=False), root(leaves[:k])]
