"""datacompy on pandas: load the key and the value columns, compare, take what differs and what has no partner.

Read by pyarrow, floats instead of decimals and no report: all faster than pandas left to itself.
"""

import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from datacompy import PandasCompare

from bench.data import KEY, VALUES
from bench.measure import report


def load(path: Path) -> pd.DataFrame:
    columns = [KEY, *VALUES]
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=columns)
    else:
        table = pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(include_columns=columns))
    floats = pa.schema(
        [
            pa.field(one.name, pa.float64() if pa.types.is_decimal(one.type) else one.type, one.nullable)
            for one in table.schema
        ]
    )
    return table.cast(floats).to_pandas(split_blocks=True, self_destruct=True)


def main() -> None:
    ours, theirs = (Path(argument) for argument in sys.argv[1:3])
    started = time.perf_counter()
    compare = PandasCompare(load(ours), load(theirs), join_columns=KEY)
    flags = ~compare.intersect_rows[[f"{name}_match" for name in VALUES]]
    differing = compare.intersect_rows[flags.any(axis=1)]
    found = {
        "matches": len(compare.intersect_rows),
        "cells": int(flags.loc[differing.index].to_numpy().sum()),
        "unmatched_ours": len(compare.df1_unq_rows),
        "unmatched_theirs": len(compare.df2_unq_rows),
    }
    report(time.perf_counter() - started, **found)


if __name__ == "__main__":
    main()
