"""Nodes of large trees hashed by the engine: on all its threads, where a loop in Python has one."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pyarrow as pa
from duckdb import DuckDBPyConnection

from tieout.proofs import merkle
from tieout.proofs.merkle import HASH_BYTES, Pairs

FEWEST = 1 << 15
"""Below so many nodes the loop is quicker than asking the engine."""

_PAIR_BYTES = 2 * HASH_BYTES
_HASHED = rf"select sha256('\x{merkle.NODE.hex()}'::blob || pair) as hash from pairs_of_hashes"


def pairs_in_engine(con: DuckDBPyConnection) -> Pairs:
    """Return what `merkle.hash_pairs` does, done by the engine behind `con`, which has to keep the order of rows."""
    [keeps_order] = con.execute("select current_setting('preserve_insertion_order')").fetchone() or (False,)
    if not keeps_order:
        raise ValueError("an engine that does not keep the order of rows cannot hash the nodes of a tree")

    def hash_pairs(hashes: bytes) -> bytes:
        count = len(hashes) // _PAIR_BYTES
        if count < FEWEST:
            return merkle.hash_pairs(hashes)
        column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_PAIR_BYTES), count, [None, pa.py_buffer(hashes)])
        cursor = con.cursor()
        cursor.register("pairs_of_hashes", pa.table({"pair": column}))
        found = cursor.sql(_HASHED).to_arrow_table().column("hash")
        cursor.unregister("pairs_of_hashes")
        return from_hex(found)

    return hash_pairs


@contextmanager
def pairs_where_many(open_engine: Callable[[], AbstractContextManager[DuckDBPyConnection]]) -> Iterator[Pairs]:
    """Give what hashes nodes as quickly as their number asks for; an engine is opened when the first many come."""
    with ExitStack() as opened:
        by_engine: list[Pairs] = []

        def hash_pairs(hashes: bytes) -> bytes:
            if len(hashes) < FEWEST * _PAIR_BYTES:
                return merkle.hash_pairs(hashes)
            if not by_engine:
                by_engine.append(pairs_in_engine(opened.enter_context(open_engine())))
            return by_engine[0](hashes)

        yield hash_pairs


def from_hex(hashes: pa.ChunkedArray) -> bytes:
    """Return a column of hashes, spelt in hex, end to end: quicker here at once than in the engine one by one."""
    length = 2 * HASH_BYTES
    texts = ((memoryview(chunk.buffers()[2]), chunk.offset, len(chunk)) for chunk in hashes.chunks if len(chunk))
    return b"".join(binascii.unhexlify(text[first * length : (first + count) * length]) for text, first, count in texts)
