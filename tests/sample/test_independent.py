"""What the demo publishes, computed a second time with Polars and Decimal from the sample files alone.

Tieout only runs the comparisons (once for the module). Each figure below is read back from the files that it wrote,
and must equal what a few lines of Polars, `csv` and an XML reader make of the same sample, to the last micro-unit.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import starmap
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from defusedxml import ElementTree
from rich.console import Console

from tieout.cli.demo import CASES, reconcile_cases
from tieout.compose import open_workspace
from tieout.core.settings import Settings

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "src/tieout/sample"
CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
PARTS = ("rate", "volume", "fx", "timing", "fee", "duplicate", "missing", "unexpected", "unexplained")
TABLES = ("matches", "deltas", "differences", "unmatched_ours", "unmatched_theirs", "quarantine", "checks")
KINDS_OF_A_LONE_ROW = {"missing", "unexpected", "timing_lag", "duplicate"}
CAMT = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"}


@dataclass(frozen=True)
class Published:
    """What one case of the demo wrote."""

    folder: Path
    summary: dict[str, Any]

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.table(name).to_dicts()


@dataclass(frozen=True)
class Row:
    """One row of a side as the sample holds it, with its amount in units of its currency."""

    amount: Decimal
    currency: str
    day: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> dict[str, Published]:
    base = tmp_path_factory.mktemp("demo")
    workspace = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(base / "data")}))
    try:
        reconcile_cases(workspace, base / "out", Console(quiet=True))
    finally:
        workspace.close()
    return {
        case.name: Published(
            base / "out" / case.name, json.loads((base / "out" / case.name / "summary.json").read_text())
        )
        for case in CASES
    }


def every_case(function):
    return pytest.mark.parametrize("name", ["bank", "payouts", "statement", "store"])(function)


# ---------------------------------------------------------------------------------------------- the sample, read anew


def text_table(path: str) -> pl.DataFrame:
    """A CSV of the sample with every cell as text, so that no number passes through a float."""
    return pl.read_csv(SAMPLE / path, infer_schema_length=0)


def bank_table(side: str) -> pl.DataFrame:
    """A bank file with its row numbers and, beside its amounts, which are doubles of two places, their exact cents."""
    table = pl.read_parquet(SAMPLE / f"bank/{side}.parquet")
    cents = [Decimal(repr(amount)) * 100 for amount in table["amount"]]
    assert all(amount == int(amount) for amount in cents)
    rows = pl.Series("row", range(1, table.height + 1), dtype=pl.Int64)
    return table.with_columns(rows, pl.Series("cents", map(int, cents), dtype=pl.Int64))


def entries_of(path: str) -> Iterator[Row]:
    for entry in ElementTree.parse(SAMPLE / path).iterfind(".//c:Ntry", CAMT):
        yield Row(signed(entry), entry.find("c:Amt", CAMT).get("Ccy"), entry.findtext("c:BookgDt/c:Dt", "", CAMT))


def signed(element) -> Decimal:
    sign = {"CRDT": 1, "DBIT": -1}[element.findtext("c:CdtDbtInd", "", CAMT)]
    return sign * Decimal(element.findtext("c:Amt", "", CAMT))


def bank_rows(side: str) -> list[Row]:
    rows = bank_table(side).select("cents", "transaction_date").iter_rows()
    return [Row(Decimal(cents) / 100, "", day.isoformat()) for cents, day in rows]


def csv_rows(path: str, amount: str, currency: str, date: str, scale: str = "1") -> list[Row]:
    rows = text_table(path).select(amount, currency, date).iter_rows()
    return [Row(Decimal(units) * Decimal(scale), code.upper(), day[:10]) for units, code, day in rows]


def converted_rows() -> list[Row]:
    """The earnings as ours: the buyer's amount times the rate, rounded once to a micro-unit."""
    rows = text_table("ads/google_play_earnings.csv").select(
        "amount_buyer_currency_", "currency_conversion_rate", "merchant_currency", "transaction_date"
    )
    return [
        Row((Decimal(amount) * Decimal(rate)).quantize(MICRO, ROUND_HALF_UP), code, day)
        for amount, rate, code, day in rows.iter_rows()
    ]


@pytest.fixture(scope="module")
def sides() -> dict[str, tuple[list[Row], list[Row]]]:
    earnings = "ads/google_play_earnings.csv"
    return {
        "bank": (bank_rows("ours"), bank_rows("theirs")),
        "payouts": (
            csv_rows("payouts/balance_transaction_data.csv", "net", "currency", "created", "0.01"),
            csv_rows("payouts/payout_data.csv", "amount", "currency", "created", "0.01"),
        ),
        "statement": (
            list(entries_of("statements/camt053.v2.multi.statement.xml")),
            list(entries_of("statements/camt053.v2.minimal.xml")),
        ),
        "store": (
            converted_rows(),
            csv_rows(earnings, "amount_merchant_currency_", "merchant_currency", "transaction_date"),
        ),
    }


def sums(rows: list[Row]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row.currency] = totals.get(row.currency, Decimal(0)) + row.amount
    return totals


# ------------------------------------------------------------------------------------------------------ in every case


@every_case
def test_every_row_of_the_files_was_read_and_none_refused(demo, sides, name):
    for side, rows in zip(("ours", "theirs"), sides[name], strict=True):
        assert demo[name].summary[side]["rows"] == len(rows)
        assert demo[name].summary[side]["quarantined"] == 0
    assert demo[name].table("quarantine").height == 0


@every_case
def test_the_sums_of_each_currency_are_those_of_the_files(demo, sides, name):
    expected, reported = map(sums, sides[name])
    published = {item["currency"]: item for item in demo[name].summary["currencies"]}
    assert published.keys() == expected.keys() | reported.keys()
    for currency, item in published.items():
        assert Decimal(item["expected"]) == expected.get(currency, 0)
        assert Decimal(item["reported"]) == reported.get(currency, 0)
        assert Decimal(item["difference"]) == expected.get(currency, 0) - reported.get(currency, 0)


@every_case
def test_every_row_is_matched_or_unmatched_and_none_is_used_twice(demo, sides, name):
    matches = demo[name].table("matches")
    for side, rows in zip(("ours", "theirs"), sides[name], strict=True):
        matched = matches.select("match_id", f"{side}_row").unique()[f"{side}_row"].to_list()
        alone = demo[name].table(f"unmatched_{side}")[f"{side}_row"].to_list()
        assert sorted(matched + alone) == list(range(1, len(rows) + 1))
        summary = demo[name].summary
        assert summary["matched"][f"{side}_rows"] == len(matched)
        assert summary[side]["unmatched"] + summary[side]["duplicates"] == len(alone)


@every_case
def test_the_parts_of_every_delta_sum_to_it(demo, name):
    for delta in demo[name].rows("deltas"):
        assert sum(delta[part] for part in PARTS) == delta["amount"], delta["delta_id"]


@every_case
def test_all_deltas_and_what_was_tolerated_sum_to_the_difference(demo, sides, name):
    expected, reported = map(sums, sides[name])
    deltas = demo[name].table("deltas")
    for item in demo[name].summary["currencies"]:
        currency = item["currency"]
        of_currency = deltas.filter(currency=currency)
        difference = expected.get(currency, 0) - reported.get(currency, 0)
        assert total(of_currency, "amount") + Decimal(item["tolerated"]) == difference
        assert {part: total(of_currency, part) for part in PARTS} == {
            part: Decimal(units) for part, units in item["parts"].items()
        }


def total(table: pl.DataFrame, column: str) -> Decimal:
    return sum(table[column].to_list(), Decimal(0))


@every_case
def test_each_delta_states_the_amounts_that_the_files_hold(demo, sides, name):
    ours, theirs = sides[name]
    for delta in demo[name].rows("deltas"):
        if delta["reason_code"].startswith("group_"):
            continue
        for side, rows in (("ours", ours), ("theirs", theirs)):
            row = delta[f"{side}_row"]
            stated = delta[f"{side}_amount"]
            assert stated == (None if row is None else rows[row - 1].amount), delta["delta_id"]


@every_case
def test_the_summary_counts_the_deltas_by_kind_as_they_are(demo, name):
    counted: dict[tuple[str, str], list[Decimal]] = {}
    for delta in demo[name].rows("deltas"):
        counted.setdefault((delta["kind"], delta["currency"]), []).append(delta["amount"])
    published = {
        (item["kind"], item["currency"]): (item["count"], Decimal(item["amount"]))
        for item in demo[name].summary["deltas"]
    }
    assert published == {key: (len(amounts), sum(amounts)) for key, amounts in counted.items()}


@every_case
def test_each_unmatched_row_is_one_delta_of_its_whole_amount(demo, sides, name):
    deltas = [delta for delta in demo[name].rows("deltas") if delta["kind"] in KINDS_OF_A_LONE_ROW]
    published = Counter((delta["ours_row"], delta["theirs_row"], delta["amount"]) for delta in deltas)
    ours, theirs = sides[name]
    alone = Counter(
        [(row, None, ours[row - 1].amount) for row in demo[name].table("unmatched_ours")["ours_row"]]
        + [(None, row, -theirs[row - 1].amount) for row in demo[name].table("unmatched_theirs")["theirs_row"]]
    )
    assert published == alone


@every_case
def test_csv_and_json_hold_the_same_rows_as_the_parquet(demo, name):
    for table in TABLES:
        published = demo[name].table(table)
        from_csv = pl.read_csv(demo[name].folder / f"{table}.csv", infer_schema_length=0)
        assert from_csv.columns == published.columns
        assert from_csv.height == published.height
        from_json = json.loads((demo[name].folder / f"{table}.json").read_text())
        assert from_json["rows"] == published.height
        assert from_json["included"] == len(from_json["items"])
        for column in (name for name, kind in published.schema.items() if isinstance(kind, pl.Decimal)):
            cells = published[column].to_list()
            assert [None if cell is None else Decimal(cell) for cell in from_csv[column]] == cells
            in_json = [item[column] for item in from_json["items"]]
            assert [None if cell is None else Decimal(cell) for cell in in_json] == cells[: len(in_json)]


# -------------------------------------------------------------------------------------------------- bank transactions


@pytest.fixture(scope="module")
def bank_pairs(demo) -> pl.DataFrame:
    """The published pairs beside both rows of the sample; `is_true` where the known truth has the same pair."""
    ours, theirs = bank_table("ours"), bank_table("theirs")
    truth = pl.read_parquet(SAMPLE / "bank/truth.parquet").with_columns(is_true=pl.lit(value=True))
    return (
        demo["bank"]
        .table("matches")
        .join(ours.rename({name: f"ours_{name}" for name in ours.columns}), on="ours_row")
        .join(theirs.rename({name: f"theirs_{name}" for name in theirs.columns}), on="theirs_row")
        .join(truth, on=["ours_row", "theirs_row"], how="left")
        .with_columns(
            pl.col("is_true").fill_null(value=False),
            gap=pl.col("ours_cents") - pl.col("theirs_cents"),
            lag=(pl.col("theirs_transaction_date") - pl.col("ours_transaction_date")).dt.total_days().abs(),
        )
    )


def bank_rule(demo, name: str) -> Any:
    return demo["bank"].summary["plan"][name]


def test_every_bank_pair_is_one_to_one_within_the_window(demo, bank_pairs):
    assert bank_pairs.height == demo["bank"].table("matches").height
    assert bank_pairs["ours_row"].n_unique() == bank_pairs["theirs_row"].n_unique() == bank_pairs.height
    assert bank_pairs["lag"].max() <= bank_rule(demo, "window_days")


def test_every_bank_pair_had_a_reason_to_be_considered(bank_pairs):
    """The same amount, one within a sixth and of the same sign, or a word of three letters in common."""
    within_a_sixth = pl.col("gap").abs() * 6 <= pl.max_horizontal(
        pl.col("ours_cents").abs(), pl.col("theirs_cents").abs()
    )
    others = bank_pairs.filter(~within_a_sixth)
    assert others.height < bank_pairs.height / 100
    for ours, theirs in others.select("ours_memo", "theirs_memo").iter_rows():
        assert {word for word in words(ours) & words(theirs) if len(word) >= 3}, (ours, theirs)


def words(memo: str) -> set[str]:
    return set(re.findall(r"\w+", memo.lower()))


def test_accepted_bank_pairs_reach_the_threshold_and_the_rest_only_that_of_a_review(demo, bank_pairs):
    auto, review = bank_rule(demo, "auto_threshold"), bank_rule(demo, "review_threshold")
    assert bank_pairs.filter(outcome="auto")["confidence"].min() >= auto
    assert bank_pairs.filter(outcome="review")["confidence"].min() >= review
    assert set(bank_pairs["outcome"]) == {"auto", "review"}


@pytest.fixture(scope="module")
def bank_weights(demo) -> dict[tuple[str, int], tuple[float, float]]:
    """The learned shares of each level of evidence, among pairs that belong together and among any, from plan.toml."""
    plan = tomllib.loads((demo["bank"].folder / "plan.toml").read_text(encoding="utf-8"))
    levels = {
        (item["evidence"], item["level"]): (item["matched"], item["chance"]) for item in plan["learned"]["levels"]
    }
    return levels | {("pair", 0): (plan["learned"]["match_share"], 0.0)}


def memo_words(memo: str) -> tuple[str, list[str]]:
    bare = "".join(c for c in unicodedata.normalize("NFD", memo.lower()) if not unicodedata.combining(c))
    text = " ".join(re.findall(r"[^\W_]+", bare))
    return text, sorted(set(text.split()))


def amount_level(ours: int, theirs: int) -> int:
    if ours == theirs:
        return 0
    if ours * theirs <= 0:
        return 20 if ours == -theirs else 21
    if sorted(str(abs(ours)).rstrip("0")) == sorted(str(abs(theirs)).rstrip("0")):
        return 10
    share = abs(ours - theirs) / max(abs(ours), abs(theirs))
    bounds = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.17, 0.5)
    return (1 if ours > theirs else -1) * (1 + sum(share > bound for bound in bounds))


def time_level(lag: int) -> int:
    size = abs(lag) if abs(lag) <= 3 else 4 + sum(abs(lag) > bound for bound in (5, 8, 14, 31))
    return size if lag >= 0 else -size


def text_levels(pairs: pl.DataFrame, rarity: dict[str, float]) -> list[int]:
    """Hundreds: the first two words begin alike; tens: spelling; ones: how rare the shared words are together."""
    spelt = [
        (memo_words(ours), memo_words(theirs)) for ours, theirs in pairs.select("ours_memo", "theirs_memo").iter_rows()
    ]
    asked = pl.DataFrame(
        [(o, t, " ".join(ow), " ".join(tw)) for (o, ow), (t, tw) in spelt], schema=["a", "b", "c", "d"], orient="row"
    )
    likeness = duckdb.sql(
        "select greatest(jaro_winkler_similarity(a, b), jaro_winkler_similarity(c, d)) from asked"
    ).fetchall()
    levels = []
    for ((ours, ours_words), (theirs, theirs_words)), (alike,) in zip(spelt, likeness, strict=True):
        begins = [word[0] for word in ours.split()[:2]] == [word[0] for word in theirs.split()[:2]]
        is_same = ours == theirs or ours_words == theirs_words
        tens = 50 if is_same else 10 + 10 * sum(alike >= bound for bound in (0.72, 0.82, 0.92))
        shared = sum(rarity[word] for word in set(ours_words) & set(theirs_words))
        ones = 0 if shared == 0 else 1 + sum(shared >= bound for bound in (2.5, 5, 7.5, 10))
        levels.append(100 * begins + tens + ones)
    assert len(levels) == asked.height
    return levels


def test_the_confidence_of_a_bank_pair_follows_from_its_amounts_days_and_memos(demo, bank_pairs, bank_weights):
    """No pair is surer than its own weight alone makes it; other candidates of its rows can only take from that."""
    tables = [bank_table("ours"), bank_table("theirs")]
    rows = tables[0].height
    seen = Counter(word for table in tables for memo in table["memo"] for word in memo_words(memo)[1])
    rarity = {word: round(-math.log(count / (2 * rows)), 6) for word, count in seen.items()}
    times = [Counter(table["cents"]) for table in tables]
    met = sum(times[0][cents] * times[1][cents] - 1 for cents in times[0] if cents in times[1])
    by_chance = (met + 0.05) / rows**2
    matched = bank_weights["pair", 0][0] * rows
    weight_before = math.log2(matched / (rows - matched) ** 2)
    text_weights = {
        spelling: [bank_weights["text", 10 * spelling + ones] for ones in range(6)]
        for spelling in (*range(1, 6), *range(11, 16))
    }
    standalone = []
    columns = ("ours_cents", "theirs_cents", "ours_transaction_date", "theirs_transaction_date")
    for (ours, theirs, ours_day, theirs_day), level in zip(
        bank_pairs.select(columns).iter_rows(), text_levels(bank_pairs, rarity), strict=True
    ):
        m, u = bank_weights["amount", amount_level(ours, theirs)]
        if ours == theirs:
            u = max((times[0][ours] + times[1][ours] - 2) / (2 * rows - 2), by_chance, 1e-7)
        bits = weight_before + math.log2(m / u)
        m, u = bank_weights["time", time_level((theirs_day - ours_day).days)]
        # A rarer word never weighs less than a commoner one in memos spelt equally alike.
        bits += math.log2(m / u) + max(math.log2(m / u) for m, u in text_weights[level // 10][: level % 10 + 1])
        standalone.append(1 / (1 + 2 ** -max(-60, min(60, bits))))
    told = bank_pairs.with_columns(standalone=pl.Series(standalone))
    assert told.filter(pl.col("confidence") > pl.col("standalone") + 1e-4).height == 0
    alone = told.filter(alternatives=0)
    assert alone.height > rows / 2
    assert alone.filter(pl.col("confidence") < pl.col("standalone") - 0.05).height < alone.height / 100


def test_of_the_bank_pairs_at_a_confidence_that_share_is_right(bank_pairs):
    """Calibration, where the truth is known: in no band does confidence promise more than it keeps."""
    for low, high in ((0.8, 0.97), (0.97, 0.99), (0.99, 0.995), (0.995, 0.999), (0.999, 1.01)):
        band = bank_pairs.filter((pl.col("confidence") >= low) & (pl.col("confidence") < high))
        if band.height >= 30:
            promised = band["confidence"].mean()
            slack = 3 * math.sqrt(max(promised * (1 - promised), 0.001) / band.height)
            assert band["is_true"].mean() >= promised - slack, (low, band.height, promised)


def test_the_bank_deltas_are_the_gaps_of_the_pairs_no_more_no_fewer(demo, bank_pairs):
    gaps = bank_pairs.filter(pl.col("gap") != 0)
    computed = {
        (ours, theirs, "underpay" if gap > 0 else "overpay", Decimal(gap) / 100)
        for ours, theirs, gap in gaps.select("ours_row", "theirs_row", "gap").iter_rows()
    }
    deltas = [delta for delta in demo["bank"].rows("deltas") if delta["match_id"] is not None]
    assert {(d["ours_row"], d["theirs_row"], d["kind"], d["amount"]) for d in deltas} == computed
    assert len(deltas) == len(computed) == gaps.height
    differences = demo["bank"].rows("differences")
    assert {(d["ours_row"], d["theirs_row"], d["difference"]) for d in differences} == {
        (ours, theirs, amount) for ours, theirs, _, amount in computed
    }
    equal = bank_pairs.filter(gap=0)["ours_cents"].sum()
    assert Decimal(demo["bank"].summary["currencies"][0]["agreed"]) == Decimal(equal) / 100


def test_a_bank_row_alone_is_timing_where_the_other_side_ends_or_starts_within_the_window(demo):
    ours, theirs = bank_table("ours"), bank_table("theirs")
    window = bank_rule(demo, "window_days")
    dates = {"ours": ours["transaction_date"], "theirs": theirs["transaction_date"]}
    first, last = dates["ours"].min(), dates["theirs"].max()
    for delta in demo["bank"].rows("deltas"):
        if delta["kind"] in {"missing", "unexpected", "timing_lag"}:
            is_ours = delta["ours_row"] is not None
            day = dates["ours" if is_ours else "theirs"][(delta["ours_row"] or delta["theirs_row"]) - 1]
            is_near = ((last - day) if is_ours else (day - first)).days < window
            assert delta["kind"] == ("timing_lag" if is_near else "missing" if is_ours else "unexpected"), delta


def test_accepted_bank_pairs_are_right_and_most_are_found(demo, bank_pairs):
    auto, review = bank_pairs.filter(outcome="auto"), bank_pairs.filter(outcome="review")
    rows = demo["bank"].summary["ours"]["rows"]
    assert auto["is_true"].sum() / auto.height > 0.999
    assert auto["is_true"].sum() / rows > 0.99
    assert review.height < rows / 1000


def test_the_window_that_was_found_holds_the_lags_of_the_known_pairs(demo):
    truth = pl.read_parquet(SAMPLE / "bank/truth.parquet")
    ours = bank_table("ours").select("row", our_day="transaction_date")
    theirs = bank_table("theirs").select("row", their_day="transaction_date")
    pairs = truth.join(ours, left_on="ours_row", right_on="row").join(theirs, left_on="theirs_row", right_on="row")
    lags = pairs.select((pl.col("their_day") - pl.col("our_day")).dt.total_days()).to_series()
    assert (lags <= bank_rule(demo, "window_days")).mean() > 0.98


def test_the_readme_states_the_figures_of_the_bank_case(bank_pairs, demo):
    found = re.search(
        r"([\d,]+) pairs accepted, of which ([\d.]+)% are right .*?; "
        r"([\d,]+) more proposed for review; ([\d,]+) rows a side",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    auto = bank_pairs.filter(outcome="auto")
    alone = demo["bank"].table("unmatched_ours").height
    assert alone == demo["bank"].table("unmatched_theirs").height
    stated = (int(found[1].replace(",", "")), found[2], int(found[3].replace(",", "")), int(found[4].replace(",", "")))
    right = f"{100 * auto['is_true'].sum() / auto.height:.2f}"
    assert stated == (auto.height, right, bank_pairs.filter(outcome="review").height, alone)


# --------------------------------------------------------------------------------------------------- payouts in groups


@pytest.fixture(scope="module")
def payout_sums() -> dict[str, tuple[Decimal, Decimal]]:
    """For each payout that both files know: what its transactions sum to, and what was paid."""
    held = text_table("payouts/balance_transaction_data.csv").select("payout_id", "net").drop_nulls()
    paid = dict(text_table("payouts/payout_data.csv").select("id", "amount").iter_rows())
    groups: dict[str, Decimal] = {}
    for payout, net in held.iter_rows():
        groups[payout] = groups.get(payout, Decimal(0)) + Decimal(net) / 100
    return {payout: (net, Decimal(paid[payout]) / 100) for payout, net in groups.items() if payout in paid}


def test_the_payouts_that_meet_are_those_that_both_files_name(demo, payout_sums):
    held = text_table("payouts/balance_transaction_data.csv")["payout_id"].to_list()
    paid = text_table("payouts/payout_data.csv")["id"].to_list()
    matches = demo["payouts"].rows("matches")
    assert {(held[match["ours_row"] - 1], paid[match["theirs_row"] - 1]) for match in matches} == {
        (payout, payout) for payout in payout_sums
    }
    members = sum(held.count(payout) * paid.count(payout) for payout in payout_sums)
    assert len(matches) == members
    assert {(match["pass"], match["outcome"]) for match in matches} == {("group", "auto")}


def test_the_payouts_that_differ_do_so_by_what_their_sums_differ(demo, payout_sums):
    paid = text_table("payouts/payout_data.csv")["id"].to_list()
    published = {
        paid[delta["theirs_row"] - 1]: (delta["ours_amount"], delta["theirs_amount"], delta["amount"], delta["kind"])
        for delta in demo["payouts"].rows("deltas")
        if delta["match_id"] is not None
    }
    assert published == {
        payout: (net, out, net - out, "underpay" if net > out else "overpay")
        for payout, (net, out) in payout_sums.items()
        if net != out
    }
    assert published == {
        "po_0II1gGig6peNXzgD4BxKEJJJ": (Decimal("1140.86"), Decimal("28493.53"), Decimal("-27352.67"), "overpay")
    }


def test_the_transactions_and_payouts_alone_are_the_others(demo, payout_sums):
    held = text_table("payouts/balance_transaction_data.csv")["payout_id"].to_list()
    paid = text_table("payouts/payout_data.csv")["id"].to_list()
    alone = {
        "ours": [row for row, payout in enumerate(held, 1) if payout not in payout_sums],
        "theirs": [row for row, payout in enumerate(paid, 1) if payout not in payout_sums],
    }
    assert {side: len(rows) for side, rows in alone.items()} == {"ours": 7, "theirs": 13}
    for side, rows in alone.items():
        unmatched = demo["payouts"].table(f"unmatched_{side}")
        assert unmatched[f"{side}_row"].to_list() == rows
        assert unmatched["reason_code"].unique().to_list() == ["missing" if side == "ours" else "unexpected"]


# ---------------------------------------------------------------------------------------------- statements of a bank


@dataclass(frozen=True)
class Balance:
    """What a statement says of one currency: its opening balance and entries, and its closing balance."""

    reached: Decimal
    closing: Decimal


def balances_of(path: str) -> dict[tuple[str, str], Balance]:
    """Booked balances (OPBD, CLBD) by statement and currency; what is not stated counts as nothing."""
    balances = {}
    for statement in ElementTree.parse(SAMPLE / path).iterfind(".//c:Stmt", CAMT):
        booked = {
            (found.findtext("c:Tp/c:CdOrPrtry/c:Cd", "", CAMT), found.find("c:Amt", CAMT).get("Ccy")): signed(found)
            for found in statement.iterfind("c:Bal", CAMT)
        }
        moved: dict[str, Decimal] = {}
        for entry in statement.iterfind("c:Ntry", CAMT):
            currency = entry.find("c:Amt", CAMT).get("Ccy")
            moved[currency] = moved.get(currency, Decimal(0)) + signed(entry)
        for currency in {code for kind, code in booked if kind in {"OPBD", "CLBD"}} | moved.keys():
            opening = booked.get(("OPBD", currency), Decimal(0))
            closing = booked.get(("CLBD", currency), Decimal(0))
            key = (statement.findtext("c:Id", "", CAMT), currency)
            balances[key] = Balance(opening + moved.get(currency, Decimal(0)), closing)
    return balances


@pytest.mark.parametrize(
    ("side", "path", "ties"),
    [
        ("ours", "statements/camt053.v2.multi.statement.xml", [True, True]),
        ("theirs", "statements/camt053.v2.minimal.xml", [False, False]),
    ],
)
def test_every_balance_of_a_statement_is_checked_and_judged_by_its_arithmetic(demo, side, path, ties):
    computed = balances_of(path)
    assert [balance.reached == balance.closing for _, balance in sorted(computed.items())] == ties
    checks = demo["statement"].table("checks").filter(side=side).to_dicts()
    published = {
        (check["subject"].rsplit(" ", 1)[1], check["currency"]): (
            check["computed"],
            check["stated"],
            check["difference"],
            check["ok"],
        )
        for check in checks
    }
    assert len(checks) == len(published)
    assert published == {
        key: (
            balance.reached,
            balance.closing,
            balance.closing - balance.reached,
            balance.reached == balance.closing,
        )
        for key, balance in computed.items()
    }


def test_the_statement_that_contradicts_itself_keeps_its_entry(demo, sides):
    assert demo["statement"].summary["checks"]["failed"] == 2
    (match,) = demo["statement"].rows("matches")
    ours, theirs = (
        rows[match[f"{side}_row"] - 1] for side, rows in zip(("ours", "theirs"), sides["statement"], strict=True)
    )
    assert ours == theirs == Row(Decimal("8.85"), "EUR", "2014-12-31")


# ----------------------------------------------------------------------------------------- earnings in two currencies


def test_what_a_conversion_leaves_is_the_delta_of_the_line_all_of_it_exchange_rate(demo, sides):
    ours, theirs = sides["store"]
    gaps = {
        row: mine.amount - other.amount
        for row, (mine, other) in enumerate(zip(ours, theirs, strict=True), start=1)
        if mine.amount != other.amount
    }
    deltas = demo["store"].rows("deltas")
    assert {delta["ours_row"]: delta["amount"] for delta in deltas} == gaps
    assert len(deltas) == len(gaps) == 5
    assert all(delta["fx"] == delta["amount"] and delta["theirs_row"] == delta["ours_row"] for delta in deltas)
    assert max(map(abs, gaps.values())) < CENT / 2
    assert sum(gaps.values()) == Decimal("-0.009125")


def test_every_line_of_the_earnings_meets_itself(demo):
    keys = list(
        starmap(
            "{} {}".format,
            text_table("ads/google_play_earnings.csv").select("description", "transaction_type").iter_rows(),
        )
    )
    assert len(set(keys)) == len(keys) == 10
    matches = demo["store"].rows("matches")
    assert [(match["ours_row"], match["theirs_row"]) for match in matches] == [(row, row) for row in range(1, 11)]
    assert {(match["pass"], match["outcome"]) for match in matches} == {("reference", "auto")}
