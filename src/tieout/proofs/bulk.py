"""Nodes of large trees hashed by the engine: on all its threads, where a loop in Python has one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from tieout.proofs import merkle
from tieout.proofs.merkle import HASH_BYTES, Pairs

FEWEST = 1 << 15
"""Below so many nodes the loop is quicker than asking the engine."""

_HASHED = "select unhex(sha256(message)) as hash from pairs_of_hashes"


def pairs_in_engine(con: DuckDBPyConnection) -> Pairs:
    """Return what `merkle.hash_pairs` does, done by the engine behind `con`, which nobody else uses meanwhile."""

    def hash_pairs(hashes: bytes) -> bytes:
        count = len(hashes) // (2 * HASH_BYTES)
        if count < FEWEST:
            return merkle.hash_pairs(hashes)
        messages = np.empty((count, 1 + 2 * HASH_BYTES), np.uint8)
        messages[:, 0] = merkle.NODE[0]
        messages[:, 1:] = np.frombuffer(hashes, np.uint8).reshape(count, 2 * HASH_BYTES)
        column = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(messages.shape[1]), count, [None, pa.py_buffer(messages)]
        )
        cursor = con.cursor()
        cursor.register("pairs_of_hashes", pa.table({"message": column}))
        found = cursor.sql(_HASHED).to_arrow_table().column("hash")
        cursor.unregister("pairs_of_hashes")
        return joined(found)

    return hash_pairs


def joined(hashes: pa.ChunkedArray) -> bytes:
    """Return a column of hashes end to end."""
    fixed = hashes.cast(pa.binary(HASH_BYTES))
    views = (
        (memoryview(chunk.buffers()[1]), chunk.offset * HASH_BYTES, len(chunk) * HASH_BYTES) for chunk in fixed.chunks
    )
    return b"".join(view[start : start + length] for view, start, length in views)
