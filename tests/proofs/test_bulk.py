"""Many hashes at once are those of the loop, and nothing is loaded for few."""

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest

from tests.proofs.builders import leaf_hashes
from tieout.proofs import bulk, merkle


@pytest.fixture(params=[1, 3])
def many(monkeypatch, request):
    """Let a few messages be many, and be handed over in pieces, each to one or more threads."""
    monkeypatch.setattr(bulk, "FEWEST", 3)
    monkeypatch.setattr(bulk, "FEWEST_TO_LOAD", 3)
    monkeypatch.setattr(bulk, "PIECE", 10)
    monkeypatch.setattr(bulk, "THREADS", request.param)


def test_a_loop_hashes_each_message_behind_its_prefix():
    text = bytes(range(64))
    assert merkle.hash_each(b"\2", text, 16) == b"".join(
        sha256(b"\2" + text[n : n + 16]).digest() for n in (0, 16, 32, 48)
    )
    assert merkle.hash_each(b"\2", b"", 16) == b""


@pytest.mark.parametrize("count", [0, 2, 8, 10, 14, 28, 30, 1_000])
def test_nodes_are_hashed_as_the_loop_does(many, count):
    hashes = leaf_hashes(count)
    assert bulk.hash_pairs(hashes) == merkle.hash_pairs(hashes)
    assert merkle.root_of(hashes + hashes[:32], bulk.hash_pairs) == merkle.root_of(hashes + hashes[:32])


@pytest.mark.parametrize("length", [1, 54, 55, 56, 63, 64, 65, 200])
def test_rows_of_any_length_are_hashed_behind_their_prefix(many, length):
    rows = np.random.default_rng(length).integers(0, 256, (20, length), np.uint8)
    assert bulk.hash_rows(b"\3", rows) == b"".join(sha256(b"\3" + row.tobytes()).digest() for row in rows)


def test_records_of_any_text_are_hashed_as_leaves(many):
    texts = ["", "a", "é" * 40, "\0", "\U0001f600" * 20, "x" * 10_000, '"'] * 3
    pieces = [pa.array(texts), pa.array(texts[:2]), pa.array(texts).slice(4, 9), pa.array([], pa.string())]
    wanted = [text for piece in pieces for text in piece.to_pylist()]
    assert bulk.hash_leaves(pieces) == b"".join(merkle.hash_leaf(text.encode()) for text in wanted)


def test_more_than_one_batch_keeps_its_order():
    hashes = leaf_hashes(500) * 600  # 150,000 nodes
    assert bulk.hash_pairs(hashes) == merkle.hash_pairs(hashes[: 500 * 32]) * 600


def test_few_hashes_load_nothing():
    code = "import sys; from tieout.proofs.bulk import hash_pairs; hash_pairs(bytes(64_000)); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tieout.proofs.bulk" in found.stdout.split()
    assert "datafusion" not in found.stdout.split()
