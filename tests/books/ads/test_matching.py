from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.books.ads.builders import EPOCH, World, complete, connection, days, instant, piece, rows, stage_of
from tieout.books.ads import matching
from tieout.books.ads.matching import MatchRules, ThresholdRefused, match_ads, match_rules
from tieout.books.ads.period import DAY_US

CON = connection()
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A world takes a tenth of a second: to make a failing one smaller would take minutes."""
DAY = days("11-03", "11-04")
NOON = "11-03 12:00"
FACTS = ("match", "match_review", "unmatched_line", "unit")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def match(expected, lines, events="request | at | usd", period=DAY, rules=None, con=CON):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given_rows = {"expected": expected, "statement_line": lines, "revenue_event": events}
        pieces = tuple(
            piece(kind, rows(kind, found) if isinstance(found, str) else found, folder)
            for kind, found in given_rows.items()
        )
        chosen = rules or match_rules(keeps_review=True)
        return stage_of(folder, lambda runner: matching._work(runner, period, pieces, chosen), FACTS, con)


def outcomes(facts):
    found = {(row["load_id"], row["row_no"]): (row["unit_id"], "auto", row["score_e9"]) for row in facts["match"]}
    found |= {
        (row["load_id"], row["row_no"]): (row["unit_id"], "review", row["score_e9"]) for row in facts["match_review"]
    }
    found |= {
        (row["load_id"], row["row_no"]): (row["reason_code"], row["outcome"], None) for row in facts["unmatched_line"]
    }
    return [found[key] for key in sorted(found)]


def test_a_line_that_names_a_request_is_matched_with_it_whatever_it_pays():
    told, facts, _ = match(
        """
        request | at          | usd
        a       | 11-03 23:00 | 1
        """,
        """
        day   | request | paid | unit
        11-03 | a       | 9    | other
        """,
    )
    assert outcomes(facts) == [("request:a", "auto", 1_000_000_000)]
    assert (told["exact"], told["auto"]) == (1, 1)
    [row] = facts["match"]
    assert (row["keys_used"], str(row["link_confidence"]), row["request_id"]) == ("exact", "1.00", "a")


def test_a_request_is_matched_once():
    _, facts, _ = match(
        """
        request | at          | usd
        a       | 11-03 10:00 | 1
        """,
        """
        day   | request | paid | network
        11-03 | a       | 1    | aaa
        11-03 | a       | 2    | admob
        """,
    )
    assert outcomes(facts) == [("request_already_matched", "duplicate", None), ("request:a", "auto", 1_000_000_000)]


def test_an_aggregated_line_is_matched_with_the_sum_of_its_day_and_unit():
    _, facts, _ = match(
        """
        request | at          | usd | country | is_paid
        a       | 11-03 10:00 | 1   | us      | yes
        b       | 11-03 11:00 | 2   | US      | yes
        c       | 11-03 12:00 | 4   | US      | no
        d       | 11-03 12:00 | 8   | DE      | yes
        """,
        """
        day   | paid | impressions | format
        11-03 | 5    | 2           | Banner
        11-03 | 1    | 1           | banner
        """,
    )
    cell = "cell:2025-11-03|admob|app|unit|US|banner"
    assert [one[:2] for one in outcomes(facts)] == [(cell, "auto"), (cell, "auto")]
    [unit] = [row for row in facts["unit"] if row["unit_id"] == cell]
    assert (unit["expected_rows"], unit["expected_micros"], unit["unpaid_rows"], unit["unpaid_micros"]) == (
        3,
        7_000_000,
        1,
        4_000_000,
    )
    assert (unit["reported_rows"], unit["impressions"], unit["reported_micros"]) == (2, 3, 6_000_000)


def test_a_statement_in_another_currency_is_held_against_dollars_at_the_rate_of_the_day():
    _, facts, _ = match(
        "request | at | usd\na | 11-03 10:00 | 3",
        """
        day   | paid | currency
        11-03 | 2    | EUR
        11-03 | 5    | XXX
        """,
        "request | at | usd | currency | rate\nz | 11-03 01:00 | 1 | EUR | 1.5",
    )
    assert [(row["currency"], row["reported_micros"], row["reason_code"]) for row in facts["unit"]] == [
        ("USD", 3_000_000, ""),
        ("XXX", 5_000_000, "no_rate"),
    ]


def test_a_line_that_repeats_another_is_a_duplicate_but_single_impressions_may_be_alike():
    _, facts, _ = match(
        "request | at | usd\na | 11-03 10:00 | 3",
        """
        day   | paid | impressions | load | unit
        11-03 | 3    | 2           | l1   | unit
        11-03 | 3    | 2           | l2   | unit
        11-03 | 1    | 1           | l1   | solo
        11-03 | 1    | 1           | l1   | solo
        """,
    )
    assert [one[0] for one in outcomes(facts)] == [
        "cell:2025-11-03|admob|app|unit|US|banner",
        "unexpected",
        "unexpected",
        "line_repeated",
    ]


def test_alike_lines_of_one_impression_are_duplicates_beyond_what_we_counted():
    _, facts, _ = match(
        """
        request | at          | usd
        a       | 11-03 10:00 | 1
        b       | 11-03 11:00 | 1
        """,
        """
        day   | paid
        11-03 | 1
        11-03 | 1
        11-03 | 1
        """,
    )
    assert [one[1] for one in outcomes(facts)] == ["auto", "auto", "duplicate"]


@pytest.mark.parametrize(
    ("minutes", "usd", "line", "outcome"),
    [
        ("12:00", "1", "unit | US", "auto"),
        # time 0.5, amount 0.3 and no hint: exactly the upper threshold, which is inclusive
        ("12:00", "1", "- | -", "auto"),
        ("12:00:01", "1", "- | -", "review"),
        # no time, amount and all hints: exactly the lower threshold
        ("12:05", "1", "unit | DE", "review"),
        ("12:05", "1.000001", "unit | DE", "unmatched"),
        ("11:55", "1", "unit | DE", "review"),
    ],
)
def test_the_thresholds_are_inclusive(minutes, usd, line, outcome):
    unit, country = line.split(" | ")
    app, shape = ("-", "-") if unit == "-" else ("app", "banner")
    expected = f"""
        request | at            | usd   | country
        a       | 11-03 {minutes} | {usd} | DE
        """
    lines = f"""
        day   | paid | app   | unit   | format  | country   | request
        11-03 | 1    | {app} | {unit} | {shape} | {country} | unknown
        """
    assert outcomes(match(expected, lines)[1])[0][1] == outcome


def test_ties_go_to_the_smaller_request():
    _, facts, _ = match(
        """
        request | at          | usd | unit
        b       | 11-03 12:00 | 1   | x
        a       | 11-03 12:00 | 1   | y
        c       | 11-03 12:00 | 1   | z
        """,
        "day | paid\n11-03 | 1",
    )
    assert outcomes(facts)[0][0] == "request:a"


def test_likeness_pairs_one_to_one():
    """Both lines are nearest to a; the line that pays exactly its value gets it, the other takes what is left."""
    _, facts, _ = match(
        """
        request | at          | usd  | unit
        a       | 11-03 12:00 | 1    | x
        b       | 11-03 12:01 | 1.1  | x
        """,
        """
        day   | paid | unit
        11-03 | 1.01 | x1
        11-03 | 1    | x2
        """,
        rules=MatchRules(auto_e9=600_000_000, keeps_review=True),
    )
    assert [one[0] for one in outcomes(facts)] == ["request:b", "request:a"]


def test_a_renamed_unit_is_found_by_its_sum():
    _, facts, _ = match(
        """
        request | at          | usd | unit
        a       | 11-03 01:00 | 1   | old
        b       | 11-03 22:00 | 2   | old
        c       | 11-03 22:00 | 9   | more
        """,
        """
        day   | paid | impressions | unit
        11-03 | 3    | 2           | new
        """,
    )
    assert outcomes(facts) == [("cell:2025-11-03|admob|app|old|US|banner", "auto", 950_000_000)]


def test_a_sum_of_one_impression_is_no_single_request():
    """The request at noon is of another unit; a network that states sums says nothing about when."""
    _, facts, _ = match(
        "request | at | usd | unit\na | 11-03 12:00 | 1 | other\nb | 11-03 20:00 | 1 | old",
        "day | paid | impressions | unit\n11-03 | 1 | 1 | new\n11-03 | 9 | 4 | more",
    )
    assert {unit.split(":")[0] for unit, _, _ in outcomes(facts) if ":" in unit} == {"cell"}


def test_a_sum_that_is_a_day_late_is_left_to_be_judged():
    _, facts, _ = match(
        "request | at | usd\na | 11-03 22:00 | 2",
        "day | paid | impressions\n11-04 | 2 | 3",
        period=days("11-03", "11-05"),
    )
    assert outcomes(facts) == [("unexpected", "unmatched", None)]


def test_pairs_for_review_are_kept_where_asked_for():
    given_ = ("request | at | usd\na | 11-03 12:05 | 1", "day | paid | request\n11-03 | 1 | unknown")
    told, facts, _ = match(*given_, rules=match_rules())
    assert told["review"] == 1
    assert facts["match_review"] == []
    [row] = match(*given_)[1]["match_review"]
    assert row["reasons"] == '{"time":"0.000000","amount":"0.300000","unit":"0.200000","hints":"4/4"}'


@pytest.mark.parametrize(
    ("auto", "review"), [("1.1", "0.5"), ("0.8", "-0.1"), ("x", "0.5"), ("nan", "0"), ("0.4", "0.5")]
)
def test_a_threshold_that_is_no_share_is_refused(auto, review):
    with pytest.raises(ThresholdRefused):
        match_rules(auto, review)


def test_a_crowded_block_is_compared_in_part():
    names = [f"r{number:03}" for number in range(30)]
    expected = [
        complete(
            "expected",
            {"request_id": name, "ts_us": instant("11-03 12:00"), "expected_usd_micros": 7, "ad_unit_id": "x"},
        )
        for name in names
    ]
    lines = [
        complete(
            "statement_line", {"event_date": (EPOCH + timedelta(microseconds=DAY.start_us)).date(), "paid_micros": 7}, n
        )
        for n in range(1, 31)
    ]
    told, facts, _ = match(expected, lines, rules=MatchRules(crowd=10, keeps_review=True))
    assert told["candidates"] == 101, "ten by ten requests, and what is left as one sum"
    assert sorted(one[0].split(":")[0] for one in outcomes(facts)) == ["cell"] * 20 + ["request"] * 10


HINTS = st.sampled_from(["x", "y", ""])
PAID = st.integers(-1, 6).map(lambda n: n * 500_000)
EXPECTED = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"), st.sampled_from([0, 60, 299, 300, -120, 40_000]), PAID, HINTS, HINTS, st.booleans()
    ),
    max_size=8,
    unique_by=lambda one: one[0],
)
LINES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "q", None, None]), PAID, HINTS, HINTS, st.integers(0, 2)), max_size=8
)


def make(expected, lines):
    day = (EPOCH + timedelta(microseconds=DAY.start_us)).date()
    return (
        [
            complete(
                "expected",
                {
                    "request_id": name,
                    "ts_us": instant(NOON) + seconds * 1_000_000,
                    "expected_usd_micros": max(usd, 0),
                    "ad_unit_id": unit or None,
                    "country": country or None,
                    "is_paid": paid,
                },
            )
            for name, seconds, usd, unit, country, paid in expected
        ],
        [
            complete(
                "statement_line",
                {
                    "event_date": day,
                    "request_id": request,
                    "paid_micros": paid,
                    "ad_unit_id": unit,
                    "country": country,
                    "impressions": impressions,
                },
                place,
            )
            for place, (request, paid, unit, country, impressions) in enumerate(lines, start=1)
        ],
    )


def hints_of(row):
    return [(row[name] or "").lower() for name in ("app_id", "ad_unit_id", "country", "format")]


def score(line, paid, item, usd, away_us):
    """The formula of the contract in exact fractions."""
    time = Fraction(300_000_000 - min(away_us, 300_000_000), 300_000_000)
    amount = Fraction(usd, usd + 4 * abs(paid - usd)) if paid > 0 and usd > 0 else Fraction(0)
    present = [pair for pair in zip(hints_of(line), hints_of(item), strict=True) if pair[0]]
    unit = Fraction(sum(a == b for a, b in present), len(present)) if present else Fraction(0)
    return (time * 5 + amount * 3 + unit * 2) / 10, -sum(a == b for a, b in present)


def greedy(pairs):
    """Go through the pairs from the best on; take one whose sides are both free."""
    taken, used_lines, used_items = {}, set(), set()
    for *_, value, line, item in sorted(pairs):
        if line not in used_lines and item not in used_items:
            taken[line] = (item, value)
            used_lines.add(line)
            used_items.add(item)
    return taken


def naive(expected, lines):  # noqa: C901, PLR0912 - one rule after another, as plain as can be
    """Return what becomes of each line, by loops."""
    ends, by_request = {}, {row["request_id"]: row for row in expected}
    matched, seen = set(), set()
    for line in lines:
        content = tuple(sorted((k, v) for k, v in line.items() if k not in ("row_no", "statement_id", "artifact_id")))
        key = line["row_no"]
        if content in seen and (line["request_id"] or line["impressions"] > 1):
            ends[key] = ("line_repeated", "duplicate")
        elif line["request_id"] in by_request:
            is_first = line["request_id"] not in matched
            matched.add(line["request_id"])
            ends[key] = (
                (f"request:{line['request_id']}", "auto") if is_first else ("request_already_matched", "duplicate")
            )
        seen.add(content)
    open_rows = [row for row in expected if row["request_id"] not in matched]
    cells = defaultdict(list)
    for row in open_rows:
        cells["|".join(["2025-11-03", "admob", *cased(row)])].append(row)
    open_lines = [line for line in lines if line["row_no"] not in ends]
    for name, members in cells.items():
        within = [
            line
            for line in open_lines
            if line["request_id"] is None and "|".join(["2025-11-03", "admob", *cased(line)]) == name
        ]
        excess = sum(line["impressions"] for line in within) - len(members)
        alike = [
            line
            for place, line in enumerate(within)
            if line["impressions"] == 1
            and any(
                (line["paid_micros"], line["impressions"]) == (other["paid_micros"], other["impressions"])
                for other in within[:place]
            )
        ]
        for line in alike[::-1][: max(excess, 0)]:
            ends[line["row_no"]] = ("line_repeated", "duplicate")
    open_lines = [line for line in open_lines if line["row_no"] not in ends]
    summed = set()
    for line in open_lines:
        name = "|".join(["2025-11-03", "admob", *cased(line)])
        if line["request_id"] is None and name in cells:
            summed.add(name)
            ends[line["row_no"]] = (f"cell:{name}", "auto")
    loose = [line for line in open_lines if line["row_no"] not in ends]
    noon = instant(NOON)
    in_sums = any(line["impressions"] > 1 and line["request_id"] is None for line in open_lines)
    single = [line for line in loose if line["impressions"] <= 1 and (line["request_id"] or not in_sums)]
    pairs = []
    for line in single:
        for name, members in cells.items():
            for row in members if name not in summed else ():
                pairs += ranked(
                    line,
                    line["paid_micros"],
                    line["row_no"],
                    row,
                    row["expected_usd_micros"],
                    row["request_id"],
                    row["ts_us"],
                    noon,
                )
    for key, (item, value) in greedy(pairs).items():
        ends[key] = (f"request:{item}", "auto" if value >= Fraction(8, 10) else "review")
    taken = {end[0] for end in ends.values()}
    groups = defaultdict(list)
    for line in loose:
        if line["row_no"] not in ends and line["request_id"] is None:
            groups["|".join(cased(line))].append(line)
    pairs = []
    for group in groups.values():
        paid, key = sum(line["paid_micros"] for line in group), min(line["row_no"] for line in group)
        for name, members in cells.items():
            left = [row for row in members if row["is_paid"] and f"request:{row['request_id']}" not in taken]
            if left and name not in summed:
                usd = sum(row["expected_usd_micros"] for row in left)
                pairs += ranked(group[0], paid, key, left[0], usd, name, noon, noon)
    for key, (item, value) in greedy(pairs).items():
        for group in groups.values():
            if min(line["row_no"] for line in group) == key:
                for line in group:
                    ends[line["row_no"]] = (f"cell:{item}", "auto" if value >= Fraction(8, 10) else "review")
    return [ends.get(line["row_no"], ("unexpected", "unmatched")) for line in lines]


def cased(row):
    app, unit, country, shape = (row[name] or "" for name in ("app_id", "ad_unit_id", "country", "format"))
    return app, unit, country.upper(), shape.lower()


def ranked(line, paid, key, row, usd, name, ts, noon):  # noqa: PLR0917 - what a tie is decided by
    value, hints = score(line, paid, row, usd, abs(ts - noon))
    nine = round(value * 10**9)
    if nine < 500_000_000:
        return []
    gap = abs(paid - usd) if paid > 0 else float("inf")
    return [(-nine, name, ts, gap, 4 + hints, key, Fraction(nine, 10**9), key, name)]


@settings(max_examples=8, deadline=None, phases=NO_SHRINK)
@given(EXPECTED, LINES)
def test_it_is_what_loops_find(expected, lines):
    expected, lines = make(expected, lines)
    _, facts, _ = match(expected, lines)
    assert [one[:2] for one in outcomes(facts)] == naive(expected, lines)


@settings(max_examples=3, deadline=None, phases=NO_SHRINK)
@given(EXPECTED, LINES, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(expected, lines, random):
    expected, lines = make(expected, lines)
    before = match(expected, lines)[2]
    random.shuffle(expected)
    random.shuffle(lines)
    assert match(expected, lines)[2] == before


def test_overlapping_runs_expect_a_request_once(world):
    line = "request | at | usd\na | 11-03 12:00 | 1"
    world.publish("expected", "2025-11-03..2025-11-04", expected=rows("expected", line))
    world.publish("expected", "2025-11-02..2025-11-05", expected=rows("expected", line))
    world.statement("day | paid\n11-03 | 1")
    done = match_ads(world.workspace, DAY)
    assert (done.auto, done.unmatched) == (1, 0)
    assert [row["expected_rows"] for row in world.facts(done.done, "unit")] == [1]
    assert match_ads(world.workspace, DAY).done.is_reused
    assert DAY.end_us - DAY.start_us == DAY_US
