"""Merkle-sum trees: the root commits to a total and to each amount in it; a proof shows one row and hides the others.

A leaf is the hash of a row's record with its amount; a node is the hash of its two children with theirs, and its
amount is their sum. What is owed and what is taken back are summed apart, as credit and debit, both never negative:
with signed amounts a branch that nobody is shown could cancel another. The shape is that of RFC 9162 2.1: the left part
is the largest power of two. Amounts are micros, 8 bytes each, the most significant first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tieout.core.errors import TieoutError
from tieout.proofs.bulk import hash_rows
from tieout.proofs.merkle import HASH_BYTES

SUM_LEAF, SUM_NODE = b"\x02", b"\x03"
"""Other prefixes than those of the log (0 and 1), so that nothing of the one can be shown as a part of the other."""
MAX_SUM = 2**63 - 1

Micros = npt.NDArray[np.uint64]


class SumTooLarge(TieoutError):
    """A total needs more than 63 bits of micros."""

    code = "sum_too_large"


@dataclass(frozen=True)
class Total:
    """The hash of a branch, with the micros in it that are owed and those that are taken back."""

    hash: bytes
    credit: int
    debit: int

    @property
    def micros(self) -> int:
        return self.credit - self.debit


EMPTY = Total(hashlib.sha256(b"").digest(), 0, 0)
"""The root of a tree without rows."""


@dataclass(frozen=True)
class _Level:
    hashes: bytes
    owed: Micros
    taken_back: Micros

    def __len__(self) -> int:
        return len(self.owed)

    def at(self, position: int) -> Total:
        start = position * HASH_BYTES
        return Total(self.hashes[start : start + HASH_BYTES], int(self.owed[position]), int(self.taken_back[position]))


@dataclass(frozen=True)
class SumTree:
    """A whole tree: `records` are the hashes of the rows' records, in the order of the leaves."""

    records: bytes
    levels: Sequence[_Level] = field(repr=False)

    @property
    def rows(self) -> int:
        return len(self.records) // HASH_BYTES

    @property
    def root(self) -> Total:
        return self.levels[-1].at(0) if self.rows else EMPTY

    def find(self, record: bytes) -> int:
        """Return the place of the row with this record's hash; raise KeyError."""
        place = self.records.find(record)
        while place >= 0 and place % HASH_BYTES:
            place = self.records.find(record, place + 1)
        if place < 0:
            raise KeyError(record.hex())
        return place // HASH_BYTES

    def proof(self, position: int) -> list[Total]:
        """Return the siblings from the leaf at `position` up to the root."""
        if not 0 <= position < self.rows:
            raise IndexError(position)
        found = []
        for level in self.levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level):
                found.append(level.at(sibling))
            position >>= 1
        return found


def sum_tree(records: bytes, amounts: npt.NDArray[np.int64]) -> SumTree:
    """Return the tree over rows with these records' hashes and signed amounts. Raises SumTooLarge."""
    if len(records) != len(amounts) * HASH_BYTES:
        raise ValueError(f"{len(records)} bytes are not {len(amounts)} hashes")
    _check_sums(amounts)
    owed = np.where(amounts > 0, amounts, 0).astype(np.uint64)
    taken_back = np.where(amounts < 0, -amounts, 0).astype(np.uint64)
    levels = [_Level(_leaf_hashes(records, owed, taken_back), owed, taken_back)]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    return SumTree(records, levels)


def leaf_total(record: bytes, amount: int) -> Total:
    """Return the leaf of a row with this record's hash and signed amount."""
    credit, debit = max(amount, 0), max(-amount, 0)
    return Total(hashlib.sha256(SUM_LEAF + record + _spelt(credit, debit)).digest(), credit, debit)


def fold(left: Total, right: Total) -> Total:
    """Return the node over two branches. Raises SumTooLarge."""
    credit, debit = left.credit + right.credit, left.debit + right.debit
    if credit > MAX_SUM or debit > MAX_SUM or min(left.credit, left.debit, right.credit, right.debit) < 0:
        raise SumTooLarge("A branch of a Merkle-sum tree is beyond 63 bits, or below nothing.")
    spelt = SUM_NODE + left.hash + _spelt(left.credit, left.debit) + right.hash + _spelt(right.credit, right.debit)
    return Total(hashlib.sha256(spelt).digest(), credit, debit)


def root_of(record: bytes, amount: int, position: int, rows: int, siblings: Sequence[Total]) -> Total | None:
    """Return the root that a proof leads to, or None where it has not the length that its place asks for."""
    at, last, total, left = position, rows - 1, leaf_total(record, amount), list(siblings)
    if not 0 <= position < rows:
        return None
    while last:
        if at % 2 or at < last:
            if not left:
                return None
            sibling = left.pop(0)
            total = fold(sibling, total) if at % 2 else fold(total, sibling)
        at, last = at >> 1, last >> 1
    return None if left else total


def _spelt(credit: int, debit: int) -> bytes:
    return credit.to_bytes(8, "big") + debit.to_bytes(8, "big")


def _check_sums(amounts: npt.NDArray[np.int64]) -> None:
    # Exact: the halves of 63-bit amounts cannot overflow a 64-bit sum of so few rows as memory holds.
    for part in (amounts[amounts > 0], -amounts[amounts < 0]):
        high, low = int((part >> 32).sum()), int((part & 0xFFFFFFFF).sum())
        if (high << 32) + low > MAX_SUM or (len(part) and int(part.min()) < 0):
            raise SumTooLarge(
                "The total of a party needs more than 63 bits of micros.", remedy="Look for a wrong amount."
            )


def _leaf_hashes(records: bytes, owed: Micros, taken_back: Micros) -> bytes:
    hashes = np.frombuffer(records, np.uint8).reshape(-1, HASH_BYTES)
    return hash_rows(SUM_LEAF, np.concatenate([hashes, _columns(owed, taken_back)], axis=1))


def _above(level: _Level) -> _Level:
    """Return the level over one: pairs become nodes, a last one without a pair goes up as it is."""
    pairs = len(level) // 2
    hashes = np.frombuffer(level.hashes, np.uint8)[: pairs * 2 * HASH_BYTES].reshape(pairs, 2, HASH_BYTES)
    sums = _columns(level.owed[: pairs * 2], level.taken_back[: pairs * 2]).reshape(pairs, 2, 16)
    rows = np.concatenate([hashes, sums], axis=2).reshape(pairs, 2 * (HASH_BYTES + 16))
    lone = slice(pairs * 2, None)
    return _Level(
        hash_rows(SUM_NODE, rows) + level.hashes[pairs * 2 * HASH_BYTES :],
        np.append(level.owed[0 : pairs * 2 : 2] + level.owed[1 : pairs * 2 : 2], level.owed[lone]),
        np.append(level.taken_back[0 : pairs * 2 : 2] + level.taken_back[1 : pairs * 2 : 2], level.taken_back[lone]),
    )


def _columns(owed: Micros, taken_back: Micros) -> npt.NDArray[np.uint8]:
    return np.stack([owed, taken_back], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16)
