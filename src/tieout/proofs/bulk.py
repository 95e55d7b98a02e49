"""SHA-256 of many messages at once: by DataFusion, which uses the processor's own instructions for it.

A loop over hashlib spends four fifths of its time between the hashes, and the engine's `sha256` is plain C. DataFusion
takes 0.05 to 0.3 s to load, so it is loaded where the first many messages come, and not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tieout.proofs import merkle
from tieout.proofs.merkle import HASH_BYTES, LEAF, NODE

FEWEST = 1 << 12
"""Below so many messages the loop is quicker."""
FEWEST_TO_LOAD = 1 << 17
"""Below so many messages the loop is done before DataFusion is loaded."""
PIECE = 1 << 18
"""So many messages are handed over at a time."""
THREADS = os.cpu_count() or 1

Rows = npt.NDArray[np.uint8]
"""Messages of one length, one below the other."""


def hash_pairs(hashes: bytes) -> bytes:
    """Return what `merkle.hash_pairs` does."""
    if not _are_many(len(hashes) // (2 * HASH_BYTES)):
        return merkle.hash_pairs(hashes)
    return hash_rows(NODE, np.frombuffer(hashes, np.uint8).reshape(-1, 2 * HASH_BYTES))


def hash_rows(prefix: bytes, rows: Rows) -> bytes:
    """Return the hashes of the rows, each behind `prefix`, end to end."""
    count, length = rows.shape
    if not _are_many(count):
        return merkle.hash_each(prefix, rows.tobytes(), length)
    pieces = (_column(prefix, rows[start : start + PIECE]) for start in range(0, count, PIECE))
    return b"".join(_hashed(piece, b"") for piece in pieces)


def hash_leaves(records: Iterable[pa.Array]) -> bytes:
    """Return the hashes of leaves (RFC 9162, 2.1.1) whose records are these texts, end to end."""
    return b"".join(_leaves_hashed(piece) for piece in records)


def _leaves_hashed(records: pa.Array) -> bytes:
    if not _are_many(len(records)):
        return b"".join(merkle.hash_leaf(text.encode()) for text in records.to_pylist())
    return b"".join(_hashed(records.slice(start, PIECE), LEAF) for start in range(0, len(records), PIECE))


def _are_many(count: int) -> bool:
    return count >= (FEWEST if "datafusion" in sys.modules else FEWEST_TO_LOAD)


def _column(prefix: bytes, rows: Rows) -> pa.Array:
    count, length = rows.shape[0], len(prefix) + rows.shape[1]
    messages = np.empty((count, length), np.uint8)
    messages[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    messages[:, len(prefix) :] = rows
    ends = np.arange(count + 1, dtype=np.int32) * np.int32(length)
    return pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(ends), pa.py_buffer(messages)])


def _hashed(messages: pa.Array, prefix: bytes) -> bytes:
    """Return the hashes of `messages`, which are texts where there is a prefix."""
    from datafusion import SessionConfig, SessionContext, col, lit  # noqa: PLC0415 - see above
    from datafusion import functions as f  # noqa: PLC0415

    share = max(-(-len(messages) // THREADS), FEWEST)
    parts = [messages.slice(start, share) for start in range(0, len(messages), share)]
    # A context of its own, for one keeps what it was ever given. As many partitions as are given: of more it would make
    # some itself, and mix the rows.
    context = SessionContext(SessionConfig().with_target_partitions(len(parts)))
    frame = context.create_dataframe([[pa.record_batch([part], names=["message"])] for part in parts])
    message = f.concat(lit(prefix.decode()), col("message")) if prefix else col("message")
    found = frame.select(f.sha256(message).alias("hash")).collect_partitioned()
    return b"".join(_joined(batch.column(0)) for part in found for batch in part)


def _joined(hashes: pa.Array) -> bytes:
    """Return hashes end to end, as they lie in memory."""
    return bytes(memoryview(hashes.buffers()[2])[hashes.offset * HASH_BYTES :][: len(hashes) * HASH_BYTES])
