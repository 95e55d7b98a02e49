"""Prove leaves of a log on disk, each after opening it anew; argv: the log, how many, `warm` or `cold`.

Cold means that the tiles which a proof reads were dropped from the memory of the system.
"""

import os
import random
import statistics
import sys
import time
from pathlib import Path

from bench import measure
from bench.sealed import ORIGIN
from tieout.proofs import merkle
from tieout.proofs.tiles import TILE_HEIGHT, TILE_WIDTH, TileLog, tile_path


def tiles_of(log, index):
    """The files that a proof of a leaf reads: beside its way up, and at the right edge."""
    level, size = 0, log.size
    while size:
        for number in {index >> (level + 1) * TILE_HEIGHT, size // TILE_WIDTH}:
            width = min(size - number * TILE_WIDTH, TILE_WIDTH)
            if width > 0:
                yield log.folder / tile_path(level, number, width)
        level, size = level + 1, size // TILE_WIDTH


def drop(paths):
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def main(folder, count, cache):
    some = random.Random(1)
    root = TileLog.open(folder, ORIGIN).root()
    opened, proven = [], []
    for _ in range(count):
        began = time.perf_counter()
        log = TileLog.open(folder, ORIGIN)
        opened.append(time.perf_counter() - began)
        index = some.randrange(log.size)
        if cache == "cold":
            drop(tiles_of(log, index))
        began = time.perf_counter()
        proof = log.inclusion(index)
        proven.append(time.perf_counter() - began)
        assert merkle.is_included(log.leaf(index), index, log.size, proof, root)
    measure.report(
        sum(proven),
        open_us=round(statistics.median(opened) * 1e6),
        proof_us=round(statistics.median(proven) * 1e6),
        slow_proof_us=round(sorted(proven)[len(proven) * 99 // 100] * 1e6),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
