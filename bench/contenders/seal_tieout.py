"""Hash records and seal them; argv: records, bytes of each, and where the log lies or - for memory."""

import sys
import time
from pathlib import Path

import pyarrow as pa

from bench import measure
from bench.sealed import ORIGIN, PRIVATE_KEY, head_of, records
from tieout.proofs import bulk, merkle, notes
from tieout.proofs.tiles import TileLog


def main(count, length, place):
    entries = pa.array(records(count, length), pa.string())
    began, used = time.perf_counter(), time.process_time()
    hashes = bulk.hash_leaves([entries])
    hashed = time.perf_counter()
    if place == "-":
        root = merkle.root_of(hashes, bulk.hash_pairs)
    else:
        log = TileLog.open(Path(place), ORIGIN)
        with log.writing() as writer:
            writer.append(hashes)
            root = writer.root()
            writer.publish(notes.sign_checkpoint(ORIGIN, writer.size, root, notes.Signer(ORIGIN, PRIVATE_KEY)))
    done = time.perf_counter()
    cpu_us, leaves_us = (round(seconds * 1e6) for seconds in (time.process_time() - used, hashed - began))
    measure.report(done - began, root=head_of(root), cpu_us=cpu_us, leaves_us=leaves_us)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
