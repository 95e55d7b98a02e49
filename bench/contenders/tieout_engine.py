"""Our engine through its Python entry: files to result tables, as `result.timings` has it."""

import sys
from pathlib import Path

import tieout
from bench.data import KEY
from bench.measure import report


def main() -> None:
    ours, theirs = (Path(argument) for argument in sys.argv[1:3])
    result = tieout.compare(ours, theirs, on=KEY)
    report(
        result.timings["engine_s"],
        matches=result.matches.num_rows,
        cells=result.differences.num_rows,
        unmatched_ours=result.unmatched_ours.num_rows,
        unmatched_theirs=result.unmatched_theirs.num_rows,
    )


if __name__ == "__main__":
    main()
