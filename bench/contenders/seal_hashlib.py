"""Hash the records of a list and every node above them, and do nothing else; argv: records, bytes of each."""

import hashlib
import sys
import time

from bench import measure
from bench.sealed import head_of, records


def main(count, length):
    entries = records(count, length)
    sha256 = hashlib.sha256
    began, used = time.perf_counter(), time.process_time()
    level = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    measure.report(
        time.perf_counter() - began, root=head_of(level[0]), cpu_us=round((time.process_time() - used) * 1e6)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
