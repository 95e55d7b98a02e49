from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.books.ads.builders import World, complete, connection, days, instant, piece, rows, stage_of
from tieout.books.ads import reconcile
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.reconcile import NotMatchedYet, reconcile_ads
from tieout.books.ads.tunables import Tunables, tunables_of
from tieout.books.ads.tune import tune_ads
from tieout.books.compare.facts_sql import NoRuns, open_facts
from tieout.store.runs import RunOfAnotherBook

CON = connection()
DAY = days("11-03", "11-04")
LATE = date(2025, 11, 11)
SOON = date(2025, 11, 10)
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
FACTS = ("rule", "delta", "delta_unit", "balance")
BASE = "win:2025-11-03T00:00:00Z..2025-11-04T00:00:00Z"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def judge(units=(), lines=(), events=(), expected=(), as_of=LATE, con=CON, period=DAY, **environ):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given_rows = {"unit": units, "statement_line": lines, "revenue_event": events, "expected": expected}
        pieces = tuple(
            piece(kind, rows(kind, found) if isinstance(found, str) else list(found), folder)
            for kind, found in given_rows.items()
        )
        told = tunables_of(environ)
        return stage_of(folder, lambda runner: reconcile._work(runner, period, pieces, told, as_of), FACTS, con)


def deltas(made):
    return {row["kind"]: Decimal(row["amount_micros"]).scaleb(-6).normalize() + 0 for row in made[1]["delta"]}


def verdict(made, kind, currency="USD"):
    [row] = [row for row in made[1]["rule"] if (row["kind"], row["currency"], row["scope"]) == (kind, currency, "")]
    return row["outcome"], row["reason"]


UNIT = "unit_id | rows | we | lines | they | impressions | unpaid | unpaid_rows\n"


@pytest.mark.parametrize(
    ("unit", "want"),
    [
        ("u | 10 | 100 | 1 | 95      | 10 | 0  | 0", {}),
        ("u | 10 | 100 | 1 | 94.9    | 10 | 0  | 0", {"underpay": Decimal("5.1")}),
        ("u | 10 | 100 | 1 | 94.999999 | 10 | 0  | 0", {"underpay": Decimal("5.000001")}),
        ("u | 10 | 100 | 1 | 80      | 10 | 20 | 2", {"timing_lag": Decimal(20)}),
        ("u | 10 | 100 | 1 | 105     | 10 | 0  | 0", {}),
        ("u | 10 | 100 | 1 | 105.000001 | 10 | 0  | 0", {"overpay": Decimal("-5.000001")}),
    ],
)
def test_underpay_overpay_and_timing_at_their_boundaries(unit, want):
    assert deltas(judge(UNIT + unit, as_of=SOON, VRA_UNDERPAY_TOL="0.05")) == want


@pytest.mark.parametrize(
    ("they", "want"),
    [
        ("98", {}),
        ("97.999999", {"underpay": Decimal("2.000001")}),
        ("102", {}),
        ("102.000001", {"overpay": Decimal("-2.000001")}),
    ],
)
def test_two_percent_are_forgiven_where_nothing_else_is_said(they, want):
    assert deltas(judge(UNIT + f"u | 10 | 100 | 1 | {they} | 10 | 0 | 0")) == want


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        ("u | auto | 10 | 100 | 1 | {} | 10 | 50 | 5", "timing_lag"),
        ("u | duplicate | 0 | 0 | 1 | {} | 10 | 0 | 0", "duplicate"),
        ("u | unmatched | 0 | 0 | 1 | {} | 10 | 0 | 0", "unexpected"),
    ],
)
def test_one_micro_is_a_delta_of_the_kinds_that_forgive_none(unit, kind):
    even, off = ("100", "99.999999") if kind == "timing_lag" else ("0", "0.000001")
    head = "unit_id | outcome | rows | we | lines | they | impressions | unpaid | unpaid_rows\n"
    assert deltas(judge(head + unit.format(even), as_of=SOON)) == {}
    assert {name: abs(money) for name, money in deltas(judge(head + unit.format(off), as_of=SOON)).items()} == {
        kind: Decimal("0.000001")
    }


def test_a_delta_has_the_words_of_the_contract():
    [row] = judge(UNIT + "u | 10 | 100 | 1 | 90 | 10 | 0 | 0")[1]["delta"]
    assert row == {
        "kind": "underpay",
        "amount_micros": 10_000_000,
        "currency": "USD",
        "reason_code": "agg_underpay",
        "window_start_us": DAY.start_us,
        "window_end_us": DAY.end_us,
        "evidence_id": f"{BASE}:underpay",
        "confidence": Decimal("0.70"),
        "timing_micros": 0,
        "missing_micros": 0,
        "volume_micros": 0,
        "rate_micros": 10_000_000,
        "ivt_micros": 0,
        "duplicate_micros": 0,
        "unexpected_micros": 0,
    }


@pytest.mark.parametrize(("as_of", "kind"), [(SOON, "timing_lag"), (LATE, "missing")])
def test_what_waits_is_timing_for_seven_days_and_then_missing(as_of, kind):
    made = judge(UNIT + "u | 10 | 100 | 0 | 0 | 0 | 100 | 10", as_of=as_of)
    assert deltas(made) == {kind: 100}
    assert verdict(made, "underpay") == ("not_computable", "no statement line in the window")


@pytest.mark.parametrize(
    ("impressions", "want"),
    [(98_500, {}), (98_499, {"missing": Decimal("1.501")})],
)
def test_missing_impressions_at_their_boundary(impressions, want):
    """1,500 of 100,000 are exactly 1.5%; the money of what is missing up to there is underpaid, here below 2%."""
    made = judge(UNIT + f"u | 100000 | 100 | 1 | {Decimal(impressions) / 1000} | {impressions} | 0 | 0")
    assert deltas(made) == want


def test_missing_impressions_below_their_boundary_still_count_as_underpaid():
    made = judge(UNIT + "u | 1000 | 100 | 1 | 97 | 990 | 0 | 0")
    assert deltas(made) == {"underpay": 3}
    [row] = made[1]["delta"]
    assert (row["volume_micros"], row["rate_micros"]) == (1_000_000, 2_000_000)


def test_deductions_for_invalid_traffic_explain_a_part():
    [row] = judge("unit_id | rows | we | lines | they | impressions | ivt\nu | 10 | 100 | 1 | 90 | 10 | 4")[1]["delta"]
    assert (row["amount_micros"], row["ivt_micros"], row["rate_micros"]) == (10_000_000, 4_000_000, 6_000_000)


def test_duplicates_and_what_nobody_expects_are_deltas_of_their_own():
    made = judge(
        """
        unit_id | outcome   | currency | rows | we  | lines | they | impressions
        u       | auto      | USD      | 10   | 100 | 1     | 100  | 10
        d       | duplicate | USD      | 0    | 0   | 1     | 7    | 10
        x       | unmatched | USD      | 0    | 0   | 1     | 2    | 10
        y       | unmatched | JPY      | 0    | 0   | 1     | 500  | 10
        """
    )
    found = {(row["evidence_id"].removeprefix(BASE), row["currency"], row["amount_micros"]) for row in made[1]["delta"]}
    assert found == {
        (":duplicate", "USD", -7_000_000),
        (":unexpected", "USD", -2_000_000),
        (":unexpected:JPY", "JPY", -500_000_000),
    }


def test_what_waits_for_a_person_is_no_delta_yet():
    made = judge("unit_id | outcome | rows | we | lines | they\nu | review | 10 | 100 | 1 | 50")
    assert deltas(made) == {}
    assert made[1]["balance"][0]["review_micros"] == 50_000_000


def test_a_network_that_pays_for_what_waits_owes_nothing():
    made = judge(
        """
        unit_id | rows | we  | lines | they | impressions | unpaid | unpaid_rows
        a       | 10   | 100 | 1     | 120  | 12          | 0      | 0
        b       | 2    | 25  | 0     | 0    | 0           | 25     | 2
        """,
        as_of=SOON,
    )
    assert deltas(made) == {"timing_lag": 5}


def test_when_nothing_is_expected_the_rules_about_money_say_so():
    made = judge()
    assert deltas(made) == {}
    for kind in ("underpay", "overpay", "missing", "timing_lag"):
        assert verdict(made, kind) == ("not_computable", "nothing was expected")
    assert verdict(made, "ivt_outlier")[0] == "not_computable"
    assert verdict(made, "viewability_gap") == ("not_computable", "no expected row tells of viewability")
    assert verdict(made, "fx_mismatch", "") == ("not_computable", "no event of the window names a rate")


BASELINE = "day | paid | ivt | impressions\n10-10 | 100 | 5 | 1\n10-11 | 100 | 4 | 1\n"


@pytest.mark.parametrize(
    ("ivt", "outcome"), [("7", "within"), ("7.1", "delta"), ("7.000001", "delta"), ("0", "within")]
)
def test_invalid_traffic_at_its_boundary(ivt, outcome):
    """The period is judged though nothing is expected in it."""
    made = judge(lines=BASELINE + f"11-03 | 100 | {ivt} | 1")
    assert verdict(made, "ivt_outlier") == (outcome, "")
    assert [row["evidence_id"] for row in made[1]["delta"]] == ([f"{BASE}:ivt"] if outcome == "delta" else [])


def test_one_network_stands_out_though_all_together_do_not():
    lines = """
        day   | network | paid | ivt
        10-10 | admob   | 900  | 9
        10-10 | Meta    | 100  | 1
        11-03 | admob   | 900  | 9
        11-03 | meta    | 100  | 4
        """
    made = judge(lines=lines)
    assert [row["evidence_id"] for row in made[1]["delta"]] == [f"{BASE}:ivt:meta"]
    assert judge(lines=lines.replace("| 4", "| 3"))[1]["delta"] == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (BASELINE, "no statement line of the window tells of invalid traffic"),
        (BASELINE + "11-03 | 1 | - | 1", "no statement line of the window tells of invalid traffic"),
        ("day | paid | ivt\n11-03 | 1 | 1", "no statement line of the 30 days before tells of invalid traffic"),
        (
            "day | paid | ivt\n10-03 | 1 | 1\n11-03 | 1 | 1",
            "no statement line of the 30 days before tells of invalid traffic",
        ),
    ],
)
def test_invalid_traffic_that_nobody_tells_of_is_not_computable(lines, reason):
    assert verdict(judge(lines=lines), "ivt_outlier") == ("not_computable", reason)


@pytest.mark.parametrize(
    ("rate", "outcome"),
    [
        ("1.111", "within"),
        ("1.111001", "delta"),
        ("1.1121", "delta"),
        ("1.089", "within"),
        ("1.088999", "delta"),
    ],
)
def test_rates_at_their_boundary(rate, outcome):
    events = (
        f"request | at | usd | currency | rate\na | 10-20 10:00 | 1 | EUR | 1.1\nb | 11-03 10:00 | 1 | EUR | {rate}"
    )
    made = judge(events=events, VRA_FX_BAND_PCT="1")
    assert verdict(made, "fx_mismatch", "EUR") == (outcome, "")
    found = [(row["evidence_id"], row["reason_code"], row["currency"]) for row in made[1]["delta"]]
    assert found == ([(f"{BASE}:fx:EUR", "fx_band_exceeded_EUR", "USD")] if outcome == "delta" else [])


@pytest.mark.parametrize(("rate", "ours", "outcome"), [("1.005", "90", "within"), ("1.005001", "90.0001", "delta")])
def test_bands_of_rates_and_of_viewability_where_nothing_else_is_said(rate, ours, outcome):
    """Half a percent, and 15 points."""
    made = judge(
        lines="day | paid | view | impressions\n11-03 | 1 | 75 | 10000",
        expected=f"request | at | usd | view\na | 11-03 10:00 | 1 | {ours}",
        events="request | at | usd | currency | rate\n"
        f"a | 10-20 10:00 | 1 | EUR | 1\nb | 11-03 10:00 | 1 | EUR | {rate}",
    )
    assert verdict(made, "fx_mismatch", "EUR") == verdict(made, "viewability_gap") == (outcome, "")


def test_a_currency_without_a_past_is_not_computable():
    made = judge(events="request | at | usd | currency | rate\na | 11-03 10:00 | 1 | EUR | 1.1")
    assert verdict(made, "fx_mismatch", "EUR") == ("not_computable", "no event of the 30 days before names a rate")


@pytest.mark.parametrize(
    ("ours", "impressions", "outcome", "reason"),
    [
        ("80", 10_000, "within", ""),
        ("81", 10_000, "delta", ""),
        ("80.0001", 10_000, "delta", ""),
        ("70", 10_000, "within", ""),
        ("69.9999", 10_000, "delta", ""),
        ("81", 9_999, "not_computable", "fewer than 10000 impressions tell of viewability"),
    ],
)
def test_viewability_at_its_boundary(ours, impressions, outcome, reason):
    made = judge(
        lines=f"day | paid | view | impressions\n11-03 | 1 | 75 | {impressions}",
        expected=f"request | at | usd | view\na | 11-03 10:00 | 1 | {ours}",
        VRA_VIEWABILITY_GAP_PP="5",
    )
    assert verdict(made, "viewability_gap") == (outcome, reason)
    assert [row["evidence_id"] for row in made[1]["delta"]] == ([f"{BASE}:viewability"] if outcome == "delta" else [])


def test_thresholds_of_the_environment():
    assert tunables_of({}) == Tunables()
    odd = {
        "VRA_UNDERPAY_TOL": "much",
        "VRA_FX_BAND_PCT": "-3",
        "VRA_IVT_P95_BAND_PP": "nan",
        "VRA_VIEWABILITY_GAP_PP": "",
    }
    assert tunables_of(odd) == Tunables(fx_band_e12=0)
    assert tunables_of({"VRA_IVT_P95_BAND_PP": "1.5"}).ivt_band_e12 == 15_000_000_000


AMOUNT = st.integers(0, 40).map(lambda n: n * 250_000)
UNITS = st.lists(
    st.tuples(
        st.sampled_from(["auto", "auto", "auto", "alone", "alone", "unmatched", "duplicate", "review"]),
        AMOUNT,
        AMOUNT,
        st.integers(0, 4),
        st.integers(0, 4),
        st.integers(0, 6),
        st.integers(0, 3),
        st.sampled_from(["admob", "admob", "unity"]),
        st.none() | AMOUNT,
        st.sampled_from(["US", "US", "", "DE"]),
    ),
    max_size=12,
)


def unit_of(place, given_):
    outcome, we, they, paid_rows, unpaid_rows, impressions, day, network, ivt, country = given_
    has_ours, has_theirs = outcome in ("auto", "alone", "review"), outcome != "alone"
    count = max(paid_rows + unpaid_rows, 1)
    unpaid = we * unpaid_rows // count
    return complete(
        "unit",
        {
            "unit_id": f"u{place:02}",
            "outcome": "unmatched" if outcome == "alone" else outcome,
            "event_date": date(2025, 11, 3) + timedelta(days=day),
            "network": network,
            "country": country,
            "expected_rows": count if has_ours else 0,
            "expected_micros": we if has_ours else 0,
            "unpaid_rows": min(unpaid_rows, count) if has_ours else 0,
            "unpaid_micros": unpaid if has_ours else 0,
            "reported_rows": 1 if has_theirs else 0,
            "impressions": impressions if has_theirs else 0,
            "reported_micros": they if has_theirs else 0,
            "ivt_micros": ivt if has_theirs else None,
        },
    )


def split(unit):
    """Return what one unit lacks or has too much of, and what it is of, by plain words and numbers."""
    we, they, unpaid = unit["expected_micros"], unit["reported_micros"], unit["unpaid_micros"]
    paid_rows = unit["expected_rows"] - unit["unpaid_rows"]
    one = dict.fromkeys(("waits", "lost", "price", "over", "unexpected", "duplicate", "review", "came", "settled"), 0)
    one |= {"waits_rows": 0, "lost_rows": 0, "more_rows": 0, "unit": unit, "alone": unit["reported_rows"] == 0}
    if we == they:
        return one
    if unit["outcome"] in ("review", "duplicate"):
        return one | {unit["outcome"]: we - they if unit["outcome"] == "review" else they}
    if unit["reported_rows"] == 0:
        one |= {"waits": unpaid, "lost": we - unpaid, "lost_rows": paid_rows if we > unpaid else 0}
    elif unit["expected_rows"] == 0:
        one |= {"unexpected": they, "more_rows": unit["impressions"]}
    elif they > we:
        one |= {"over": they - we, "more_rows": max(unit["impressions"] - unit["expected_rows"], 0)}
    else:
        waits = min(unpaid, we - they)
        short = max(paid_rows - unit["impressions"], 0) if unit["impressions"] else 0
        lost = min((we - unpaid) * short // paid_rows if short else 0, we - they - waits)
        one |= {"waits": waits, "lost": lost, "lost_rows": short if lost else 0, "price": we - they - waits - lost}
    return one | {"waits_rows": unit["unpaid_rows"] if one["waits"] else 0}


def cover_waiting(ones):
    """What a network paid too much on a day is for its own auctions of the day that wait, in the order of the units."""
    for lacking in ones:
        waits, rows_, gives = lacking["waits"], lacking["waits_rows"], 0
        for rich in ones if lacking["alone"] else ():
            if day_of(rich) == day_of(lacking) and rich["unit"]["network"] == lacking["unit"]["network"]:
                given_ = min(rich["over"], lacking["waits"])
                rich.setdefault("before", (rich["over"], rich["more_rows"]))
                rich["over"] -= given_
                lacking["waits"] -= given_
                gives += given_
        if gives:
            lacking["waits_rows"] = -(-rows_ * lacking["waits"] // waits)
    for rich in ones:
        over, more = rich.pop("before", (rich["over"], rich["more_rows"]))
        rich["more_rows"] = more * rich["over"] // over if over != rich["over"] else rich["more_rows"]


def day_of(one):
    return one["unit"]["event_date"]


def key_of(one, with_country):
    unit = one["unit"]
    names = ("network", "app_id", "ad_unit_id", "format", *(("country",) if with_country else ()))
    return tuple(unit[name] for name in names)


def move(ones):
    """Hold what a day lacks against what another has: impressions first, then what both say they are worth."""
    short, rich = defaultdict(lambda: [0, 0, 0, 0, 0]), defaultdict(lambda: [0, 0, 0, 0, 0])
    for one in ones:
        lacks = one["waits_rows"] + one["lost_rows"]
        side, rows_ = (short, lacks) if lacks else (rich, one["more_rows"])
        money = one["waits"] + one["lost"] + one["price"] if lacks else one["over"] + one["unexpected"]
        if rows_ and money:
            at = side[key_of(one, with_country=True), day_of(one)]
            at[0] += rows_
            at[1] += money
    for lag in (1, -1, 2, 3, 4, 5, 6, 7):
        for is_blank in (False, True):
            for (key, day), lack in sorted(short.items()):
                there = sorted(
                    at
                    for at in rich
                    if at[1] == day + timedelta(days=lag)
                    and (at[0][:4] == key[:4] and key[4] == "" if is_blank else at[0] == key)
                )
                pair(lack, [rich[at] for at in there])
    for found in (short, rich):
        for (key, day), (_, _, *left) in found.items():
            for one in ones:
                lacks = one["waits_rows"] + one["lost_rows"]
                if (found is short) == (lacks > 0) and (key_of(one, with_country=True), day_of(one)) == (key, day):
                    left = settle(one, *left)  # noqa: PLW2901 - what the next one may still take


def pair(lack, there):
    used, worth = [], []
    for one in there:
        used.append(min(lack[0] - sum(used), one[0]))
        worth.append(one[1] * used[-1] // one[0] if used[-1] else 0)
    if not sum(used):
        return
    own_worth = lack[1] * sum(used) // lack[0]
    moved = left = min(own_worth, sum(worth))
    for one, rows_, money in zip(there, used, worth, strict=True):
        given_ = min(left, money)
        left -= given_
        one[:] = [one[0] - rows_, one[1] - money, one[2] + rows_, one[3] + money, one[4] + given_]
    lack[:] = [
        lack[0] - sum(used), lack[1] - own_worth, lack[2] + sum(used), lack[3] + own_worth, lack[4] + moved
    ]  # fmt: skip


def settle(one, rows_, worth, moved):
    """Take from one unit what has moved of its key and day; return what is left to be taken from the next."""
    if one["waits_rows"] + one["lost_rows"]:
        here = min(worth, one["waits"] + one["lost"] + one["price"])
        came = min(moved, here)
        left = here
        for name in ("waits", "lost", "price"):
            taken = min(left, one[name])
            one[name] -= taken
            left -= taken
        one["came"] += came
        one["price"] += here - came
        taken_rows = 0
        for name in ("waits_rows", "lost_rows"):
            taken = min(rows_ - taken_rows, one[name])
            one[name] -= taken
            taken_rows += taken
        return rows_ - taken_rows, worth - here, moved - came
    if not one["more_rows"]:
        return rows_, worth, moved
    here = min(worth, one["over"] + one["unexpected"])
    came = min(moved, here)
    if one["unexpected"]:
        one["unexpected"] -= here
        one["over"] += here
    one["over"] -= came
    one["settled"] += came
    return rows_ - min(rows_, one["more_rows"]), worth - here, moved - came


def naive(units, as_of):
    """Return kind -> amount of the deltas and what came for another day, by loops and fractions."""
    ones = [split(unit) for unit in sorted(units, key=lambda unit: unit["unit_id"])]
    cover_waiting(ones)
    move(ones)
    parts, lost_rows = defaultdict(int), 0
    for one in ones:
        is_late = as_of > day_of(one) + timedelta(days=7)
        parts["timing_lag"] += one["came"] + (0 if is_late else one["waits"])
        parts["missing"] += one["waits"] if is_late else 0
        lost_rows += one["waits_rows"] if is_late and one["waits"] else 0
        is_open = one["alone"] and not is_late
        parts["timing_lag" if is_open else "missing"] += one["lost"]
        lost_rows += one["lost_rows"] if one["lost"] and not is_open else 0
        parts["underpay"] += one["price"]
        for kind, name in (("overpay", "over"), ("duplicate",) * 2, ("unexpected",) * 2, ("settled",) * 2):
            parts[kind] -= one[name]
    whole, count = sum(unit["expected_micros"] for unit in units), sum(unit["expected_rows"] for unit in units)
    found = {kind: parts[kind] for kind in ("timing_lag", "duplicate", "unexpected") if parts[kind]}
    if count and Fraction(lost_rows, count) > Fraction(15, 1000) and parts["missing"]:
        found["missing"] = parts["missing"]
    else:
        parts["underpay"] += parts["missing"]
    found |= {
        kind: parts[kind] for kind in ("underpay", "overpay") if whole and abs(parts[kind]) > whole * Fraction(2, 100)
    }
    return found, parts["settled"]


@settings(max_examples=12, deadline=None, phases=NO_SHRINK)
@given(UNITS)
def test_it_is_what_loops_find_and_no_micro_is_lost(found):
    units = [unit_of(place, one) for place, one in enumerate(found)]
    made = judge(units, as_of=date(2025, 11, 12), period=days("11-03", "11-07"))
    [balance] = made[1]["balance"]
    told = {row["kind"]: row["amount_micros"] for row in made[1]["delta"]}
    assert (told, balance["settled_micros"]) == naive(units, date(2025, 11, 12))
    gap = sum(unit["expected_micros"] - unit["reported_micros"] for unit in units)
    parts = ("delta", "tolerated", "settled", "review")
    assert sum(balance[f"{name}_micros"] for name in parts) == gap
    assert balance["delta_micros"] == sum(row["amount_micros"] for row in made[1]["delta_unit"])


@settings(max_examples=3, deadline=None, phases=NO_SHRINK)
@given(UNITS, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(found, random):
    units = [unit_of(place, one) for place, one in enumerate(found)]
    before = judge(units)[2]
    random.shuffle(units)
    assert judge(units)[2] == before


@settings(max_examples=5, deadline=None, phases=NO_SHRINK)
@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 9), st.integers(0, 50)), max_size=30),
    st.integers(0, 9),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(-30, 0), st.sampled_from([110, 111, 112, 120])), max_size=12),
)
def test_bands_are_what_fractions_say(before, ivt, paid, rates):
    first = date(2025, 11, 3)
    told = [(first - timedelta(days=30 - day), share, base) for day, share, base in before] + [(first, ivt, paid)]
    lines = [
        complete("statement_line", {"event_date": day, "ivt_micros": share * 10**6, "paid_micros": base * 10**6}, place)
        for place, (day, share, base) in enumerate(told, start=1)
    ]
    events = [
        complete(
            "revenue_event",
            {
                "request_id": f"e{place}",
                "event_us": instant("11-03 10:00") + day * 86_400_000_000,
                "revenue_usd_micros": 1,
                "currency": "EUR",
                "fx_rate_nanos": rate * 10**7,
            },
        )
        for place, (day, rate) in enumerate(rates)
    ]
    made = judge(lines=lines, events=events)
    shares = defaultdict(lambda: [0, 0])
    for day, share, base in told[:-1]:
        shares[day][0] += share
        shares[day][1] += base
    ordered = sorted(Fraction(share * 10**12 // base if base else 0, 10**12) for share, base in shares.values())
    if ordered:
        p95 = next(share for place, share in enumerate(ordered, start=1) if place * 100 >= 95 * len(ordered))
        is_out = Fraction(ivt, paid) > p95 + Fraction(2, 100)
        assert verdict(made, "ivt_outlier")[0] == ("delta" if is_out else "within")
    now, past = [rate for day, rate in rates if not day], sorted(rate for day, rate in rates if day)
    if now and past:
        median = Fraction(past[(len(past) - 1) // 2] + past[len(past) // 2], 2)
        is_out = abs(Fraction(sum(now), len(now)) - median) / median > Fraction(5, 1000)
        assert verdict(made, "fx_mismatch", "EUR")[0] == ("delta" if is_out else "within")


def prepared(world, paid="97"):
    world.own(
        "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-04 10:00 | 1 | admob",
        "request | at | usd\na | 11-03 10:01 | 100\nb | 11-04 10:01 | 100",
    )
    world.statement(f"day | paid\n11-03 | {paid}\n11-04 | 100")


def run_stages(world, *periods):
    for period in periods:
        build_expected(world.workspace, period)
        match_ads(world.workspace, period)


def test_days_apart_come_to_the_same_as_days_together(world):
    prepared(world)
    apart, whole = (days("11-03", "11-04"), days("11-04", "11-05")), days("11-03", "11-05")
    run_stages(world, *apart)
    first = reconcile_ads(world.workspace, whole, Tunables(underpay_e12=0))
    run_stages(world, whole)
    second = reconcile_ads(world.workspace, whole, Tunables(underpay_e12=0))
    assert first.deltas == 1
    assert world.facts(first.done, "delta") == world.facts(second.done, "delta")
    assert world.facts(first.done, "balance") == world.facts(second.done, "balance")


def test_a_period_that_is_matched_in_part_is_refused(world):
    prepared(world)
    run_stages(world, days("11-03", "11-04"))
    with pytest.raises(NotMatchedYet):
        reconcile_ads(world.workspace, days("11-03", "11-05"), Tunables())


def test_thresholds_and_the_day_of_grace_are_part_of_what_a_run_is(world):
    prepared(world)
    run_stages(world, DAY)
    first = reconcile_ads(world.workspace, DAY, Tunables())
    assert reconcile_ads(world.workspace, DAY, Tunables()).done.is_reused
    assert not reconcile_ads(world.workspace, DAY, Tunables(underpay_e12=1)).done.is_reused
    world.now += timedelta(days=300)
    assert reconcile_ads(world.workspace, DAY, Tunables()).done.run.run_id == first.done.run.run_id


def test_tuning_shows_what_would_appear_and_stores_nothing(world):
    prepared(world, paid="99")
    run_stages(world, DAY)
    assert reconcile_ads(world.workspace, DAY, Tunables()).deltas == 0
    current = world.workspace.store.runs.list_current("ads", "reconcile")
    tuned = tune_ads(world.workspace, days("11-01", "12-01"), "underpay", "0.009")
    assert [(one.kind, one.amount_micros) for one in tuned.appear] == [("underpay", 1_000_000)]
    assert (tuned.windows, tuned.go, tuned.changed) == (("2025-11-03..2025-11-04",), (), ())
    assert tune_ads(world.workspace, days("11-01", "12-01"), "underpay", "0.01").appear == ()
    assert world.workspace.store.runs.list_current("ads", "reconcile") == current


def test_a_strangers_statement_changes_nothing(world, tmp_path):
    prepared(world)
    run_stages(world, DAY)
    first = reconcile_ads(world.workspace, DAY, Tunables())
    stranger = World(tmp_path, tenant="stranger")
    prepared(stranger, paid="5")
    run_stages(stranger, DAY)
    assert reconcile_ads(world.workspace, DAY, Tunables()).done.run.run_id == first.done.run.run_id
    stranger.close()


def test_facts_of_comparisons_are_queried_without_those_of_this_book(world):
    prepared(world)
    run_stages(world, DAY)
    run = reconcile_ads(world.workspace, DAY, Tunables()).done.run
    with pytest.raises(NoRuns, match="no run to query"), open_facts(world.workspace, {"recon_deltas"}):
        pass
    with pytest.raises(RunOfAnotherBook, match="of ads/reconcile/"):
        open_facts(world.workspace, {"recon_deltas"}, run_prefix=run.run_id).__enter__()
