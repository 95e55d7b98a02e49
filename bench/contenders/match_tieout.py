"""Tieout through its Python entry, told the files and nothing else."""

import time

import pyarrow as pa
import pyarrow.parquet as pq

import tieout
from bench.brief import Brief, answer_of, read_brief
from bench.measure import report


def options_of(brief: Brief) -> dict[str, object]:
    """Return the options of `tieout.compare` for a data set: none but the remittance advice where there is one."""
    advice = brief.extra.get("remittance")
    return {"advice": advice} if advice else {}


def main() -> None:
    brief, out = read_brief()
    started = time.perf_counter()
    result = tieout.compare(brief.ours, brief.theirs, **options_of(brief))
    seconds = time.perf_counter() - started
    matches: pa.Table = result.matches
    pairs = matches.select(["ours_row", "theirs_row", "outcome", "confidence"])
    pq.write_table(pairs.rename_columns(["ours_row", "theirs_row", "outcome", "score"]), answer_of(out))
    report(seconds)


if __name__ == "__main__":
    main()
