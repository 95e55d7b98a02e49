"""Append the records of a list to a pymerkle tree in memory and ask for its root; argv: records, bytes of each."""

import sys
import time

from pymerkle import InmemoryTree

from bench import measure
from bench.sealed import head_of, records


def main(count, length):
    entries = records(count, length)
    tree = InmemoryTree(algorithm="sha256")
    began, used = time.perf_counter(), time.process_time()
    tree.append_entries(entries)
    root = tree.get_root()
    measure.report(time.perf_counter() - began, root=head_of(root), cpu_us=round((time.process_time() - used) * 1e6))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
