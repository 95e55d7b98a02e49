"""Leaves, logs and keys for tests, made from numbers alone."""

from hashlib import sha256

from tieout.proofs import notes
from tieout.proofs.tiles import TileLog

ORIGIN = "tieout.example/acme/ads"
SIGNER = notes.Signer(ORIGIN, bytes(range(32)))
COSIGNER = notes.Signer("witness.example/w1", bytes(range(32, 64)), notes.Kind.COSIGNATURE)


def leaf_hashes(count, first=0):
    """The hashes of `count` leaves, end to end."""
    return b"".join(sha256(b"leaf %d" % number).digest() for number in range(first, first + count))


def extend(log, count, signer=SIGNER):
    """Append the next `count` leaves to `log` and publish them."""
    with log.writing() as writer:
        writer.append(leaf_hashes(count, writer.size))
        writer.publish(notes.sign_checkpoint(log.origin, writer.size, writer.root(), signer))


def a_log(folder, *counts):
    """A log with leaves published in steps of `counts`."""
    log = TileLog.open(folder, ORIGIN)
    for count in counts:
        extend(log, count)
    return log


def files_of(folder):
    """What lies in a log's folder, without its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "writer.lock"
    }
