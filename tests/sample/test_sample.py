"""The samples are what SOURCES.md says they are, read with nothing of ours."""

import csv
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pyarrow.parquet as pq

SAMPLE = Path(__file__).parents[2] / "src/tieout/sample"


def rows_of(path):
    with (SAMPLE / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_bank_files_carry_nothing_that_gives_the_pairs_away():
    for side in ("ours", "theirs"):
        table = pq.read_table(SAMPLE / f"bank/{side}.parquet")
        assert table.column_names == ["memo", "transaction_date", "amount"]
        assert table.num_rows == 40_793
        dates = table["transaction_date"].to_pylist()
        assert dates == sorted(dates)


def test_the_truth_pairs_every_row_once():
    truth = pq.read_table(SAMPLE / "bank/truth.parquet")
    for side in ("ours_row", "theirs_row"):
        assert sorted(truth[side].to_pylist()) == list(range(1, 40_794))
    ours = pq.read_table(SAMPLE / "bank/ours.parquet").to_pydict()
    theirs = pq.read_table(SAMPLE / "bank/theirs.parquet").to_pydict()
    pairs = list(zip(truth["ours_row"].to_pylist(), truth["theirs_row"].to_pylist(), strict=True))
    assert sum(ours["amount"][mine - 1] == theirs["amount"][other - 1] for mine, other in pairs) == 10_320
    lags = {(theirs["transaction_date"][other - 1] - ours["transaction_date"][mine - 1]).days for mine, other in pairs}
    assert (min(lags), max(lags)) == (1, 21)


def test_one_payout_ties_to_its_transactions_and_one_does_not():
    held = defaultdict(list)
    for row in rows_of("payouts/balance_transaction_data.csv"):
        held[row["payout_id"]].append(int(row["net"]))
    paid = {row["id"]: int(row["amount"]) for row in rows_of("payouts/payout_data.csv")}
    both = {payout: sum(held[payout]) - paid[payout] for payout in held.keys() & paid.keys()}
    assert both == {"po_0IFUKBig6peNXzgDZQM7WPAo": 0, "po_0II1gGig6peNXzgD4BxKEJJJ": -2_735_267}
    assert sum(map(sum, held.values())) - sum(paid.values()) == -1_008_183


def test_every_line_of_the_earnings_is_its_amount_times_its_rate_to_the_cent():
    for row in rows_of("ads/google_play_earnings.csv"):
        exact = Decimal(row["amount_buyer_currency_"]) * Decimal(row["currency_conversion_rate"])
        assert exact.quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(row["amount_merchant_currency_"])


def test_every_folder_of_samples_carries_its_licence():
    folders = [folder for folder in SAMPLE.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    assert len(folders) == 4
    sources = (SAMPLE / "SOURCES.md").read_text(encoding="utf-8")
    for folder in folders:
        assert (folder / "LICENSE").stat().st_size > 1000
        assert all(f"`{path.relative_to(SAMPLE)}`" in sources for path in folder.iterdir() if path.name != "LICENSE")
