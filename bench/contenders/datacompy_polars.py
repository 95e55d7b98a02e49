"""datacompy on Polars: load the key and the value columns, compare, take what differs and what has no partner.

Floats instead of decimals and no report: both are faster, and the values have two places.
"""

import sys
import time
from pathlib import Path

import polars as pl
from datacompy import PolarsCompare

from bench.data import KEY, VALUES
from bench.measure import report


def load(path: Path) -> pl.DataFrame:
    scan = pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path)
    return scan.select(KEY, *VALUES).cast({pl.Decimal: pl.Float64}).collect()


def main() -> None:
    ours, theirs = (Path(argument) for argument in sys.argv[1:3])
    started = time.perf_counter()
    compare = PolarsCompare(load(ours), load(theirs), KEY)
    flags = [~pl.col(f"{name}_match") for name in VALUES]
    differing = compare.intersect_rows.filter(pl.any_horizontal(flags))
    found = {
        "matches": len(compare.intersect_rows),
        "cells": int(differing.select(pl.sum_horizontal(flag.sum() for flag in flags)).item()),
        "unmatched_ours": len(compare.df1_unq_rows),
        "unmatched_theirs": len(compare.df2_unq_rows),
    }
    report(time.perf_counter() - started, **found)


if __name__ == "__main__":
    main()
