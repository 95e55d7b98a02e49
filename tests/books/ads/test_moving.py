"""What a day lacks and another day has: how far apart, each impression once, and however a period is cut."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.books.ads.builders import SCHEMAS, TYPES, complete, connection, days, rows
from tieout.books.ads import reconcile
from tieout.books.ads.moving import LAGS, REACH_DAYS, moved_days
from tieout.books.ads.period import DAY_US, Period, parse_period
from tieout.books.ads.pieces import Piece
from tieout.books.ads.reconcile import NotMatchedYet, covering, neighbouring
from tieout.books.ads.steps import ads_step
from tieout.books.ads.tunables import Tunables
from tieout.engine.steps import Runner

CON = connection()
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
LATE = date(2025, 12, 31)
FIRST = date(2025, 11, 3)


def parts_of(units, period=None, as_of=LATE):
    """Return (unit, part) -> micros of the units of a period; those of other days are of the windows around it."""
    period = period or days("11-01", "12-01")
    inside = [unit for unit in units if period.first_day <= unit["event_date"] < period.end_day]
    table = pa.schema([(name, TYPES[kind]) for name, kind in SCHEMAS["unit"].items()])
    for name, found in (("unit", inside), ("neighbour_unit", [unit for unit in units if unit not in inside])):
        CON.register("given_rows", pa.Table.from_pylist(found, schema=table))
        CON.execute(f"create or replace table {name} as from given_rows")
    reconcile._tell_run(CON, period, Tunables(), as_of)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(CON, Path(folder))
        runner.run_all([ads_step("reconcile", name) for name in reconcile.GAP_STEPS])
        runner.run_computed(ads_step("reconcile", "moved_day"), moved_days)
        runner.run_all([ads_step("reconcile", name) for name in ("moved", "unit_split", "unit_part")])
    return {
        (unit, part): micros for unit, part, micros in CON.sql("select unit_id, part, micros from unit_part").fetchall()
    }


def judged(text, **told):
    found = [unit | {"country": unit["country"] or ""} for unit in rows("unit", text)]
    return {f"{unit} {part}": micros / 10**6 for (unit, part), micros in parts_of(found, **told).items()}


HEAD = "unit_id | day | rows | we | lines | they | impressions | outcome\n"
SHORT = "short | 11-10 | 10 | 100 | 1 | 70 | 7 | auto\n"


@pytest.mark.parametrize(
    ("day", "is_found"),
    [("11-08", False), ("11-09", True), ("11-10", False), ("11-11", True), ("11-17", True), ("11-18", False)],
)
def test_what_lacks_may_have_come_a_day_before_to_seven_days_after(day, is_found):
    told = judged(HEAD + SHORT + f"more | {day} | 10 | 100 | 1 | 130 | 13 | auto")
    if is_found:
        assert told == {"short timing": 30, "more settled": -30}
    else:
        assert told == {"short missing": 30, "more overpay": -30}


def test_a_line_that_nobody_expects_may_be_what_another_day_lacks():
    told = judged(HEAD + SHORT + "line | 11-12 | 0 | 0 | 1 | 30 | 3 | unmatched")
    assert told == {"short timing": 30, "line settled": -30}


def test_what_comes_is_used_once():
    told = judged(
        HEAD + SHORT + SHORT.replace("short | 11-10", "again | 11-11") + "more | 11-12 | 10 | 100 | 1 | 130 | 13 | auto"
    )
    assert told == {"again timing": 30, "short missing": 30, "more settled": -30}


def test_a_part_of_what_lacks_may_come():
    told = judged(HEAD + SHORT + "more | 11-12 | 10 | 100 | 1 | 120 | 12 | auto")
    assert told == {"short timing": 20, "short missing": 10, "more settled": -20}


@pytest.mark.parametrize(
    ("short", "more"),
    [
        ("10 | 100 | 1 | 70 | 10", "10 | 100 | 1 | 130 | 13"),
        ("10 | 100 | 1 | 70 | 7", "10 | 100 | 1 | 130 | 10"),
        ("10 | 100 | 1 | 70 | 7", "10 | 100 | 1 | 100 | 13"),
    ],
)
def test_money_moves_with_impressions_only(short, more):
    """A lower price is no impression that came later, and a higher one none that was late."""
    told = judged(HEAD + f"short | 11-10 | {short} | auto\nmore | 11-12 | {more} | auto")
    assert not any(name.endswith(("timing", "settled")) for name in told)


def test_of_money_that_differs_the_lesser_has_moved_and_the_rest_is_price():
    less = judged(HEAD + SHORT + "more | 11-12 | 10 | 100 | 1 | 129 | 13 | auto")
    assert less == {"short timing": 29, "short rate": 1, "more settled": -29}
    more = judged(HEAD + SHORT + "line | 11-12 | 0 | 0 | 1 | 31 | 3 | unmatched")
    assert more == {"short timing": 30, "line settled": -30, "line overpay": -1}


@pytest.mark.parametrize(("column", "other"), [("network", "unity"), ("app", "b"), ("unit", "b"), ("format", "native")])
def test_only_the_same_unit_of_the_same_network_moves(column, other):
    told = judged(
        f"unit_id | day | rows | we | lines | they | impressions | {column}\n"
        f"short | 11-10 | 10 | 100 | 1 | 70 | 7 | {other}\nmore | 11-12 | 10 | 100 | 1 | 130 | 13 | a"
    )
    assert told == {"short missing": 30, "more overpay": -30}


def test_what_waits_for_an_event_has_no_country_and_may_come_from_several():
    """A receipt tells none. Lines of the country of what is short come first."""
    head = "unit_id | day | rows | we | lines | they | impressions | unpaid | unpaid_rows | country\n"
    waits = "waits | 11-10 | 5 | 50 | 0 | 0 | 0 | 50 | 5 | \n"
    us = "us | 11-12 | 10 | 100 | 1 | 130 | 13 | 0 | 0 | US\n"
    de = "de | 11-12 | 10 | 100 | 1 | 120 | 12 | 0 | 0 | DE\n"
    told = judged(head + waits + us + de)
    assert told == {"waits timing": 50, "us settled": -30, "de settled": -20}
    short = "short | 11-10 | 10 | 100 | 1 | 70 | 7 | 0 | 0 | US\n"
    assert judged(head + waits + us + short)["short timing"] == 30
    other = short.replace("US", "FR")
    assert "short missing" in judged(head + other + us)


def test_what_has_moved_is_timing_on_whatever_day_it_is_judged():
    text = HEAD + SHORT + "more | 11-12 | 10 | 100 | 1 | 130 | 13 | auto"
    assert judged(text, as_of=date(2025, 11, 11)) == judged(text, as_of=date(2026, 11, 11))


UNITS = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.sampled_from([0, 0, 2, 4, 6]),
        st.integers(0, 6),
        st.sampled_from(["US", "DE", ""]),
        st.booleans(),
    ),
    max_size=14,
)


def unit_of(place, told):
    day, expected, reported, country, is_paid = told
    return complete(
        "unit",
        {
            "unit_id": f"u{place:02}",
            "event_date": FIRST + timedelta(days=day),
            "country": country,
            "outcome": "auto" if expected and reported else "unmatched",
            "expected_rows": expected,
            "expected_micros": expected * (1000 + place),
            "unpaid_rows": 0 if is_paid else expected,
            "unpaid_micros": 0 if is_paid or not expected else expected * (1000 + place),
            "reported_rows": 1 if reported else 0,
            "impressions": reported,
            "reported_micros": reported * 1001,
        },
    )


@settings(max_examples=6, deadline=None, phases=NO_SHRINK)
@given(UNITS, st.sets(st.integers(1, 11), max_size=3))
def test_however_a_period_is_cut_each_unit_has_the_same_parts(found, cuts):
    units = [unit_of(place, one) for place, one in enumerate(found)]
    whole = parts_of(units)
    edges = [0, *sorted(cuts), 30]
    cut = {}
    for begin, end in pairwise(edges):
        start = FIRST + timedelta(days=begin)
        cut |= parts_of(units, parse_period(str(start), str(FIRST + timedelta(days=end)), is_forced=True))
    assert cut == whole
    by_part = Counter()
    for (_, part), micros in whole.items():
        by_part[part] += micros
    assert sum(by_part.values()) == sum(unit["expected_micros"] - unit["reported_micros"] for unit in units)
    assert by_part["settled"] >= -by_part["timing"]


@settings(max_examples=30, deadline=None, phases=NO_SHRINK)
@given(st.integers(0, 2**32 - 1))
def test_days_beyond_the_reach_decide_nothing(seed):
    """A year in which each day lacks or has too much of everything, seen from one day: far days might be absent."""
    random = np.random.default_rng(seed)
    count = 365 * 4
    day, key = np.divmod(np.arange(count), 4)
    table = pa.table(
        {
            "is_short": random.random(count) < 0.5,
            "key_no": key,
            "group_no": key // 2,
            "is_blank": key % 2 == 0,
            "day_no": day,
            "impressions": random.integers(1, 5, count),
            "micros": random.integers(1, 1000, count),
        }
    )
    middle = int(random.integers(REACH_DAYS, 365 - REACH_DAYS))
    near = table.filter(pa.array(abs(day - middle) <= REACH_DAYS))
    assert of_day(table, middle) == of_day(near, middle)


def of_day(table, day):
    CON.register("some_days", table)
    found = moved_days(CON, "from some_days order by is_short, key_no, day_no").to_pylist()
    return [row for row in found if row["day_no"] == day]


def test_large_money_is_shared_without_overflow():
    many = 9 * 10**8
    text = {
        "is_short": [False, True],
        "key_no": [0, 0],
        "group_no": [0, 0],
        "is_blank": [False, False],
        "day_no": [1, 0],
    }
    table = pa.table(text | {"impressions": [many - 1, many], "micros": [4 * 10**18, 4 * 10**18]})
    CON.register("some_days", table)
    more, short = moved_days(CON, "from some_days").to_pylist()
    assert short["priced_micros"] == 4 * 10**18 * (many - 1) // many
    assert more["moved_micros"] == short["moved_micros"] == short["priced_micros"]


def piece(start, end):
    window = f"2025-{start}..2025-{end}"
    return Piece("match", window, "0" * 64, "unit", "0" * 64, Path("unit.parquet"))


def windows(found):
    return [f"{one.window[5:10]}..{one.window[17:]}" for one in found]


def test_the_windows_around_a_period_are_those_of_its_kind_side_by_side():
    one_day = [piece(f"11-{day:02}", f"11-{day + 1:02}") for day in (2, 3, 4, 5, 7)]
    longer = [piece("11-02", "11-05"), piece("11-05", "11-08"), piece("11-01", "11-30")]
    assert windows(neighbouring([*one_day, *longer], days("11-04", "11-05"))) == [
        "11-02..11-03", "11-03..11-04", "11-05..11-06", "11-07..11-08"
    ]  # fmt: skip
    assert windows(neighbouring([*one_day, *longer], days("11-02", "11-05"))) == ["11-05..11-08"]
    assert neighbouring(longer, days("11-01", "11-30")) == ()


def test_windows_beyond_the_reach_are_not_read():
    far = [Period(day * DAY_US, (day + 1) * DAY_US) for day in range(20_000, 20_100)]
    pieces = [Piece("match", one.window, "0" * 64, "unit", "0" * 64, Path("unit.parquet")) for one in far]
    found = neighbouring(pieces, far[50])
    assert len(found) == 2 * REACH_DAYS
    assert sum(abs(lag) for lag in LAGS) == REACH_DAYS
    assert pieces[50] not in found


def test_a_period_that_nothing_covers_is_refused_whatever_lies_around():
    with pytest.raises(NotMatchedYet):
        covering([piece("11-03", "11-04")], days("11-04", "11-05"))
