"""Rebuild src/tieout/sample from the originals that SOURCES.md names: same originals, same bytes.

The bank transactions lose the two columns that give the answer away and get a row order of their own; every other
file is a plain copy.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

SAMPLE = Path(__file__).parents[1] / "src/tieout/sample"
COPIED = (
    ("matching/transactions/LICENSE", "bank/LICENSE"),
    ("payments/stripe_seeds/balance_transaction_data.csv", "payouts/balance_transaction_data.csv"),
    ("payments/stripe_seeds/payout_data.csv", "payouts/payout_data.csv"),
    ("payments/stripe_seeds/LICENSE", "payouts/LICENSE"),
    ("bank/camt/camt053.v2.minimal.xml", "statements/camt053.v2.minimal.xml"),
    ("bank/camt/camt053.v2.multi.statement.xml", "statements/camt053.v2.multi.statement.xml"),
    ("bank/camt/LICENSE", "statements/LICENSE"),
    ("ads/google_play_earnings.csv", "ads/google_play_earnings.csv"),
    # Of the same owner and under the same licence; the earnings file came without a copy of the text.
    ("payments/stripe_seeds/LICENSE", "ads/LICENSE"),
)
BANK_SIDES = {"ours": "origin", "theirs": "destination"}

# Rows go by what they say. Rows that say the same go by a hash that differs between the sides, so that not even
# the order of twins tells which belong together.
ORDERED = """
create table {side} as
select row_number() over (order by transaction_date, memo, amount, sha256('{side}' || ground_truth)) as row_no, *
from read_parquet('{path}')
"""
ROWS = "copy (select memo, transaction_date, amount from {side} order by row_no) to '{path}' (format parquet, {how})"
TRUTH = """
copy (
    select ours.row_no as ours_row, theirs.row_no as theirs_row
    from ours join theirs using (ground_truth)
    order by ours_row
) to '{path}' (format parquet, {how})
"""
HOW = "compression zstd, compression_level 19"


def make_bank(originals: Path, sample: Path) -> None:
    """Write both sides without the answer, and the answer beside them."""
    folder = sample / "bank"
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        for side, original in BANK_SIDES.items():
            path = originals / f"matching/transactions/{original}.parquet"
            connection.execute(ORDERED.format(side=side, path=path))
            connection.execute(ROWS.format(side=side, path=folder / f"{side}.parquet", how=HOW))
        connection.execute(TRUTH.format(path=folder / "truth.parquet", how=HOW))


def copy_files(originals: Path, sample: Path) -> None:
    """Copy what is shipped as it was found."""
    for source, target in COPIED:
        path = sample / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(originals / source, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild the sample folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("originals", type=Path, help="folder with bank/, matching/, payments/ and ads/")
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="where to write (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if not chosen.originals.is_dir():
        print(f"{chosen.originals} is no folder. Give the folder that holds the originals.", file=sys.stderr)
        return 20
    make_bank(chosen.originals, chosen.sample)
    copy_files(chosen.originals, chosen.sample)
    print(f"samples are in {chosen.sample}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
