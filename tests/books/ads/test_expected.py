from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from operator import itemgetter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.books.ads.builders import World, complete, connection, days, instant, piece, rows, stage_of
from tieout.books.ads import expected
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.ads.period import DAY_US, Period
from tieout.books.ads.pieces import pieces_of_run
from tieout.books.ads.rates import reference_rates
from tieout.books.ads.replaying import replay_ads
from tieout.engine import slices

CON = connection()
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A world takes a tenth of a second: to make a failing one smaller would take minutes."""
DAY = days("11-03", "11-04")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def build(receipts, events, period=DAY, limit=None, con=CON):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        receipts = rows("receipt", receipts) if isinstance(receipts, str) else receipts
        events = rows("revenue_event", events) if isinstance(events, str) else events
        pieces = (piece("receipt", receipts, folder), piece("revenue_event", events, folder))
        return stage_of(
            folder,
            lambda runner: expected._work(runner, period, pieces, limit),
            ("expected", "skipped", "fx_rate"),
            con,
        )


def lines(facts, *names):
    return [tuple(row[name] for name in names) for row in facts["expected"]]


def test_a_paid_request_is_worth_its_first_paid_event():
    _, facts, _ = build(
        """
        request | at          | cpm  | winner
        a       | 11-03 10:00 | 9.00 | admob
        """,
        """
        request | at             | usd      | network | unit
        a       | 11-03 10:00:09 | 0.004000 | AdMob   | later
        a       | 11-03 10:00:02 | 0        | admob   | nothing
        a       | 11-03 10:00:05 | 0.003000 | AdMob   | first
        """,
    )
    assert lines(facts, "request_id", "expected_usd_micros", "network", "ad_unit_id", "is_paid", "event_date") == [
        ("a", 3000, "admob", "first", True, date(2025, 11, 3))
    ]


def test_an_unpaid_request_is_worth_a_thousandth_of_the_winning_bid():
    _, facts, _ = build(
        """
        request | at          | cpm       | winner
        a       | 11-03 10:00 | 2.500500  | Unity
        b       | 11-03 11:00 | 2.500499  | unity
        """,
        "request | at | usd",
    )
    assert lines(facts, "request_id", "expected_usd_micros", "network", "is_paid") == [
        ("a", 2501, "unity", False),
        ("b", 2500, "unity", False),
    ]


def test_a_bid_in_euro_takes_the_rate_of_our_own_events_of_that_day():
    _, facts, _ = build(
        """
        request | at          | cpm | winner | currency
        a       | 11-03 10:00 | 2   | admob  | EUR
        """,
        """
        request | at          | usd | currency | rate
        other   | 11-03 01:00 | 1   | eur      | 1.5
        other   | 11-04 01:00 | 1   | EUR      | 1.9
        """,
    )
    assert lines(facts, "expected_usd_micros") == [(3000,)]
    assert [(row["currency"], row["usd_nanos"], row["source"]) for row in facts["fx_rate"]] == [
        ("EUR", 1_500_000_000, "own")
    ]


def test_without_own_rates_the_last_rate_of_the_central_bank_counts():
    """The second of November 2025 is a Sunday: Friday's rate counts."""
    _, facts, _ = build(
        """
        request | at          | cpm     | winner | currency
        a       | 11-02 10:00 | 1000000 | admob  | EUR
        """,
        "request | at | usd",
        days("11-02", "11-03"),
    )
    friday = reference_rates({"EUR"}, date(2025, 10, 31), date(2025, 10, 31)).to_pylist()
    [rate] = [row["usd_nanos"] for row in friday if row["day"] == date(2025, 10, 31)]
    assert facts["fx_rate"][0] | {"day": None} == {"day": None, "currency": "EUR", "usd_nanos": rate, "source": "ecb"}
    assert lines(facts, "expected_usd_micros") == [(rate,)]


def test_a_receipt_that_makes_nothing_expected_is_counted_under_its_reason():
    summary, facts, _ = build(
        """
        id | request | at          | cpm | winner | currency
        1  | early   | 11-02 23:00 | 1   | admob  | USD
        2  | early   | 11-03 01:00 | 1   | admob  | USD
        3  | lost    | 11-03 02:00 | -   | -      | USD
        4  | odd     | 11-03 03:00 | 1   | admob  | XXX
        5  | twice   | 11-03 04:00 | 1   | admob  | USD
        6  | twice   | 11-03 05:00 | 9   | admob  | USD
        """,
        "request | at | usd",
    )
    assert summary["seen"] == 5
    assert summary["skipped"] == {"expected_before": 1, "no_rate": 1, "no_winner": 1, "request_repeated": 1}
    assert lines(facts, "request_id", "expected_usd_micros") == [("twice", 1000)]


def test_the_unit_of_an_unpaid_request_is_that_of_the_paid_ones_of_its_placement():
    _, facts, _ = build(
        """
        request | at          | cpm | winner | placement_id
        a       | 11-03 10:00 | 1   | admob  | home
        b       | 11-03 11:00 | 1   | admob  | home
        c       | 11-03 12:00 | 1   | unity  | home
        """,
        """
        request | at          | usd | app | unit | format
        a       | 11-03 10:01 | 1   | x   | y    | native
        """,
    )
    assert lines(facts, "request_id", "app_id", "ad_unit_id", "format", "country") == [
        ("a", "x", "y", "native", "US"),
        ("b", "x", "y", "native", None),
        ("c", None, None, None, None),
    ]


def test_the_period_is_half_open():
    receipts = """
        request | at                    | cpm | winner
        before  | 11-02 23:59:59.999999 | 1   | admob
        first   | 11-03 00:00           | 1   | admob
        last    | 11-03 23:59:59.999999 | 1   | admob
        after   | 11-04 00:00           | 1   | admob
        """
    events = """
        request | at          | usd
        last    | 11-04 00:00 | 7
        """
    _, facts, _ = build(receipts, events)
    assert lines(facts, "request_id", "is_paid") == [("first", False), ("last", False)]


def test_a_limit_takes_the_earliest_receipts_and_says_how_many_it_left_out():
    receipts = """
        id | request | at          | cpm | winner
        2  | b       | 11-03 10:00 | 1   | admob
        1  | a       | 11-03 10:00 | 1   | admob
        3  | c       | 11-03 09:00 | 1   | admob
        """
    summary, facts, _ = build(receipts, "request | at | usd", limit=2)
    assert lines(facts, "request_id") == [("c",), ("a",)]
    assert (summary["seen"], summary["left_out"]) == (2, 1)


def test_many_words_are_held_as_text_and_say_the_same(monkeypatch):
    receipts = """
        request | at          | cpm  | winner
        a       | 11-03 10:00 | 9.00 | AdMob
        b       | 11-03 11:00 | 8.00 | unity
        c       | 11-03 12:00 | 7.00 | Unity
        """
    events = """
        request | at          | usd   | network | unit
        a       | 11-03 10:01 | 0.004 | AdMob   | u1
        b       | 11-03 11:01 | 0.005 | Unity   | u2
        """
    _, few, _ = build(receipts, events)
    monkeypatch.setattr(expected, "MOST_WORDS", 1)
    assert build(receipts, events)[1] == few
    assert lines(few, "network", "ad_unit_id") == [("admob", "u1"), ("unity", "u2"), ("unity", "u2")]


RECEIPTS = st.lists(
    st.builds(
        lambda request, hour, cpm, currency, place: {
            "request_id": request,
            "ts_us": instant("11-02 00:00") + hour * 3_600_000_000,
            "winner_cpm_micros": cpm,
            "winner_network": None if cpm is None else "Unity",
            "currency": currency,
            "placement_id": place,
        },
        st.sampled_from("abcdefghijkl"),
        st.integers(0, 71),
        st.none() | st.integers(-1, 3_000_000),
        st.sampled_from(["USD", "EUR", "XXX"]),
        st.sampled_from(["p1", "p2"]),
    ),
    max_size=30,
)
EVENTS = st.lists(
    st.builds(
        lambda request, hour, usd, rate, unit: {
            "request_id": request,
            "event_us": instant("11-02 00:00") + hour * 3_600_000_000,
            "revenue_usd_micros": usd,
            "currency": "EUR" if rate else "USD",
            "fx_rate_nanos": rate,
            "ad_unit_id": unit,
        },
        st.sampled_from("abcdefghijklm"),
        st.integers(0, 71),
        st.integers(0, 5_000),
        st.none() | st.sampled_from([1_100_000_000, 1_150_000_000, 1_200_000_001]),
        st.sampled_from(["u1", "u2"]),
    ),
    max_size=30,
)


def naive(receipts, events, period):
    """Return request -> (micros, is paid, unit), by loops and Decimals."""
    seen = sorted(receipts, key=lambda row: (row["ts_us"], row["receipt_id"]))
    firsts = {}
    for row in seen:
        if period.start_us - 7 * DAY_US <= row["ts_us"] < period.end_us:
            firsts.setdefault(row["request_id"], row)
    found = {}
    for request, row in firsts.items():
        if row["ts_us"] < period.start_us:
            continue
        paying = [
            event
            for event in events
            if event["request_id"] == request
            and period.start_us <= event["event_us"] < period.end_us
            and event["revenue_usd_micros"] > 0
        ]
        if paying:
            first = min(paying, key=lambda event: (event["event_us"], event["ad_unit_id"], event["revenue_usd_micros"]))
            found[request] = (first["revenue_usd_micros"], True, first["ad_unit_id"])
        elif (row["winner_cpm_micros"] or 0) > 0 and (rate := naive_rate(row, events)) is not None:
            usd = Decimal(row["winner_cpm_micros"]) / 1000 * rate
            found[request] = (int(usd.quantize(Decimal(1), ROUND_HALF_UP)), False, None)
    return found


def naive_rate(row, events):
    if row["currency"] == "USD":
        return Decimal(1)
    if row["currency"] == "XXX":
        return None
    day = row["ts_us"] // DAY_US
    told = sorted(
        event["fx_rate_nanos"] for event in events if event["fx_rate_nanos"] and event["event_us"] // DAY_US == day
    )
    if told:
        return Decimal(told[(len(told) - 1) // 2]) / 10**9
    date_ = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    published = reference_rates({"EUR"}, date_, date_).to_pylist()
    return Decimal(max(published, key=lambda rate: rate["day"])["usd_nanos"]) / 10**9


def completed(kind, given):
    return [complete(kind, row, place) for place, row in enumerate(given, start=1)]


@settings(max_examples=8, deadline=None, phases=NO_SHRINK)
@given(RECEIPTS, EVENTS)
def test_it_is_what_a_loop_over_receipts_finds(receipts, events):
    receipts, events = completed("receipt", receipts), completed("revenue_event", events)
    summary, facts, _ = build(receipts, events)
    want = naive(receipts, events, DAY)
    got = {row["request_id"]: (row["expected_usd_micros"], row["is_paid"]) for row in facts["expected"]}
    assert got == {request: value[:2] for request, value in want.items()}
    assert summary["seen"] == len([row for row in receipts if DAY.start_us <= row["ts_us"] < DAY.end_us])
    units = {row["request_id"]: row["ad_unit_id"] for row in facts["expected"] if row["is_paid"]}
    assert units == {request: value[2] for request, value in want.items() if value[1]}


@settings(max_examples=3, deadline=None, phases=NO_SHRINK)
@given(RECEIPTS, EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(receipts, events, random):
    receipts, events = completed("receipt", receipts), completed("revenue_event", events)
    _, before, made = build(receipts, events)
    assert build(receipts, events)[2] == made
    random.shuffle(receipts)
    random.shuffle(events)
    _, after, made_after = build(receipts, events)
    # Rows stand as their receipts do, so only their order in the file is another.
    assert sorted(after["expected"], key=itemgetter("request_id")) == sorted(
        before["expected"], key=itemgetter("request_id")
    )
    assert all(made_after[fact] == made[fact] for fact in ("skipped", "fx_rate"))


@settings(max_examples=4, deadline=None, phases=NO_SHRINK)
@given(RECEIPTS, EVENTS)
def test_written_in_slices_it_is_the_same_rows_in_the_same_order(receipts, events):
    receipts, events = completed("receipt", receipts), completed("revenue_event", events)
    summary, whole, _ = build(receipts, events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE_ROWS", 3)
        in_slices, found, made = build(receipts, events)
        assert build(receipts, events)[2] == made
    assert (in_slices, found) == (summary, whole)


def test_receipts_of_several_files_are_written_in_slices_which_later_stages_read_as_one(world, monkeypatch):
    told = {}
    for rows_of_slice in (slices.SLICE_ROWS, 2):
        monkeypatch.setattr(slices, "SLICE_ROWS", rows_of_slice)
        made = World(world.folder / f"slices-of-{rows_of_slice}")
        for source, hour in (("one", 10), ("two", 11), ("three", 12)):
            lines_of = [f"{source}{n} | 11-03 {hour}:0{n} | 1 | admob" for n in range(3)]
            made.own("\n".join(["request | at | cpm | winner", *lines_of]), source=source)
        made.own(events="request | at | usd\none1 | 11-03 10:09 | 3\nthree2 | 11-03 12:09 | 4", source="events")
        built = build_expected(made.workspace, DAY)
        pieces = pieces_of_run(made.workspace.store, built.done.run, "expected")
        assert {piece.name for piece in pieces} == {"expected"}
        matched = match_ads(made.workspace, DAY)
        found = [row for one in pieces for row in pq.read_table(one.path).to_pylist()]
        told[rows_of_slice] = (len(pieces), found, made.facts(matched.done, "unit"), replay(made, built))
        made.close()
    (one_file, whole, units, same), (files, found, units_of_slices, same_in_slices) = told.values()
    assert (one_file, files) == (1, 5)
    assert (found, units_of_slices) == (whole, units)
    assert len(whole) == 9
    assert same == same_in_slices == ()


def replay(made, built):
    return replay_ads(made.workspace, built.done.run).differences


def test_receipts_without_a_place_in_a_file_are_read_once_and_written_in_one(world, tmp_path, monkeypatch):
    monkeypatch.setattr(slices, "SLICE_ROWS", 1)
    given = tmp_path / "receipts.csv"
    given.write_text(
        "receipt_id,request_id,ts_us,placement_id,floor_cpm_micros,currency,winner_cpm_micros,winner_network,hash\n"
        + "".join(f"{n},r{n},{instant('11-03 10:00')},p,0,USD,1000000,admob,{n}\n" for n in range(20))
    )
    register_own(world.workspace, OwnRequest("receipts", "csv", (given,)))
    built = build_expected(world.workspace, DAY)
    [only] = pieces_of_run(world.workspace.store, built.done.run, "expected")
    assert [row["request_id"] for row in pq.read_table(only.path).to_pylist()] == [f"r{n}" for n in range(20)]


@settings(max_examples=3, deadline=None, phases=NO_SHRINK)
@given(RECEIPTS, EVENTS)
def test_days_apart_expect_the_same_requests_as_days_together(receipts, events):
    receipts, events = completed("receipt", receipts), completed("revenue_event", events)
    whole = Counter(
        row["request_id"] for row in build(receipts, events, days("11-02", "11-05"), con=CON)[1]["expected"]
    )
    # A bid whose currency has no rate is skipped on its day either way.
    parts = Counter()
    for first, last in (("11-02", "11-03"), ("11-03", "11-04"), ("11-04", "11-05")):
        parts.update(row["request_id"] for row in build(receipts, events, days(first, last))[1]["expected"])
    # An event after midnight pays in the whole and not in the part: then only a request without a bid may differ.
    assert parts.keys() <= whole.keys()
    assert all(count == 1 for count in (*parts.values(), *whole.values()))


def test_a_repeat_writes_nothing_and_gives_the_same_run(world):
    world.own(
        """
        request | at          | cpm | winner
        a       | 11-03 10:00 | 1   | admob
        """
    )
    first = build_expected(world.workspace, DAY)
    again = build_expected(world.workspace, DAY)
    assert (first.seen, first.written, first.skipped) == (1, 1, 0)
    assert (again.seen, again.written, again.skipped) == (1, 0, 1)
    assert first.done.run.run_id == again.done.run.run_id
    assert world.facts(first.done, "expected")[0]["request_id"] == "a"


def test_a_dry_run_counts_and_writes_nothing(world):
    world.own(
        """
        request | at          | cpm | winner
        a       | 11-03 10:00 | 1   | admob
        """
    )
    would = build_expected(world.workspace, DAY, is_dry_run=True)
    assert (would.seen, would.written) == (1, 1)
    assert world.workspace.store.runs.list_current("ads", "expected") == ()


def test_a_source_of_other_days_leaves_the_run_as_it_is(world):
    world.own("request | at | cpm | winner\na | 11-03 10:00 | 1 | admob")
    first = build_expected(world.workspace, DAY)
    world.own("request | at | cpm | winner\nz | 12-24 10:00 | 1 | admob", source="december")
    assert build_expected(world.workspace, DAY).done.run.run_id == first.done.run.run_id


def test_what_a_stranger_received_changes_nothing(world, tmp_path):
    world.own("request | at | cpm | winner\na | 11-03 10:00 | 1 | admob")
    stranger = World(tmp_path, tenant="stranger")
    stranger.own("request | at | cpm | winner\nb | 11-03 10:00 | 5 | admob")
    assert [row["request_id"] for row in world.facts(build_expected(world.workspace, DAY).done, "expected")] == ["a"]
    stranger.close()


def test_a_period_without_anything_is_empty(world):
    assert build_expected(world.workspace, Period(DAY.start_us, DAY.start_us)).seen == 0
