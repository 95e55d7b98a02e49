import json
import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from tests.report.builders import PARTS, a_full_run, delta, units
from tieout.report import charts
from tieout.report.charts import AgeBar, ConfidenceBar, DayBar


def currency(expected="1000", tolerated="0", code="EUR", **parts):
    gap = sum(Decimal(amount) for amount in parts.values()) + Decimal(tolerated)
    return {
        "currency": code,
        "expected": expected,
        "reported": str(Decimal(expected) - gap),
        "difference": str(gap),
        "tolerated": tolerated,
        "parts": {part: parts.get(part, "0.000000") for part in PARTS},
    }


def steps_of(spec):
    return spec["data"]["values"]


def texts_in(svg):
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


PICTURES = {
    "waterfall": lambda: charts.waterfall(currency(missing="120.5", unexpected="-40", fee="3.25")),
    "by day": lambda: charts.differences_by_day(
        [DayBar(date(2026, 1, 30) + timedelta(days=n), (n - 3) * 10**6) for n in range(9)], "day", "EUR"
    ),
    "by month": lambda: charts.differences_by_day(
        [DayBar(date(2025, 12, 1), 5), DayBar(date(2026, 3, 1), -5)], "month", ""
    ),
    "ageing": lambda: charts.ageing([AgeBar("2-7", 3, 5_000_000, -2_000_000)], "EUR", date(2026, 2, 1)),
    "largest": lambda: charts.largest_differences([delta("missing", "12", ours_row=3)], "EUR"),
    "confidence": lambda: charts.confidence_histogram(
        [ConfidenceBar("auto", 19, 4), ConfidenceBar("review", 12, 1)], "x"
    ),
    "nothing": lambda: charts.empty_picture("Nothing here."),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_data_and_becomes_svg(name):
    spec = PICTURES[name]()
    assert json.loads(json.dumps(spec)) == spec
    svg = charts.render_svg(spec)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "NaN" not in svg
    assert "undefined" not in svg


def test_a_picture_is_the_same_whatever_was_drawn_before():
    first = {name: charts.render_svg(make()) for name, make in PICTURES.items()}
    again = {name: charts.render_svg(make()) for name, make in reversed(PICTURES.items())}
    assert first == again


def test_a_picture_is_the_same_in_every_time_zone_and_locale():
    program = (
        "import datetime as d, hashlib\n"
        "from tieout.report import charts as c\n"
        "bars = [c.DayBar(d.date(2026, 1, n), n * 10**9) for n in (1, 2, 31)]\n"
        "s = c.render_svg(c.differences_by_day(bars, 'day', ''))\n"
        "print(hashlib.sha256(s.encode()).hexdigest())"
    )
    seen = set()
    for zone, locale in (("America/Los_Angeles", "C"), ("Pacific/Kiritimati", "de_DE.UTF-8"), ("UTC", "C.UTF-8")):
        environment = {**os.environ, "TZ": zone, "LC_ALL": locale, "LANG": locale}
        seen.add(
            subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout
        )
    assert len(seen) == 1


def test_drawing_refuses_every_address():
    for url in ("http://127.0.0.1:9/data.json", "https://example.org/x.csv"):
        spec = {"data": {"url": url}, "mark": "bar", "encoding": {"x": {"field": "a"}}}
        with pytest.raises(ValueError, match="not allowed"):
            charts.render_svg(spec)


def test_the_waterfall_walks_from_expected_to_reported_through_every_part():
    spec = charts.waterfall(currency("1000", tolerated="0.01", missing="120.5", unexpected="-40", fee="3.25"))
    steps = steps_of(spec)
    assert [step["label"] for step in steps] == [
        "Expected",
        "Fees",
        "Missing",
        "Unexpected",
        "Within tolerance",
        "Reported",
    ]
    assert [step["way"] for step in steps] == ["total", "less", "less", "more", "less", "total"]
    assert [step["exact"] for step in steps] == ["1,000.00", "-3.25", "-120.50", "+40.00", "-0.01", "916.24"]
    for before, after in pairwise(steps[1:-1]):
        assert before["to"] == after["from"]
    assert steps[-2]["to"] == pytest.approx(916.24)
    assert "Missing -120.50" in spec["description"]


amounts = st.integers(min_value=-(10**13), max_value=10**13).map(units)


@given(amounts, st.dictionaries(st.sampled_from(PARTS), amounts, max_size=9))
def test_every_bar_of_a_waterfall_is_inside_its_picture(expected, parts):
    spec = charts.waterfall(currency(expected, **parts))
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < high
    for step in steps_of(spec):
        assert low <= step["from"] <= high
        assert low <= step["to"] <= high
    is_cut = spec["usermeta"]["is_cut"]
    assert is_cut == (not low <= 0 <= high)


def test_totals_are_cut_off_only_where_the_parts_would_vanish():
    assert charts.waterfall(currency("1000000", missing="5"))["usermeta"]["is_cut"]
    assert charts.waterfall(currency("-1000000", missing="5"))["usermeta"]["is_cut"]
    assert not charts.waterfall(currency("1000", missing="900"))["usermeta"]["is_cut"]
    assert not charts.waterfall(currency("0"))["usermeta"]["is_cut"]


def test_labels_of_a_waterfall_are_drawn():
    drawn = texts_in(charts.render_svg(PICTURES["waterfall"]()))
    assert {"1,000.00", "916.25", "\u2212120.50", "+40.00"} <= set(drawn)


def test_a_single_day_does_not_fill_the_picture():
    spec = charts.differences_by_day([DayBar(date(2026, 3, 1), 1)], "day", "")
    low, high = spec["encoding"]["x"]["scale"]["domain"]
    assert (high - low) / 86_400_000 >= 10


@pytest.mark.parametrize("unit", ["day", "week", "month", "year"])
@pytest.mark.parametrize("start", [date(1, 1, 1), date(2026, 12, 28), date(9999, 12, 1), date(9999, 12, 31)])
def test_the_first_and_the_last_days_of_the_calendar_can_be_drawn(unit, start):
    assert charts.render_svg(charts.differences_by_day([DayBar(start, 10**18)], unit, ""))


def test_age_buckets_stand_in_order_and_empty_ones_are_kept():
    spec = charts.ageing([AgeBar("Over 90", 1, 5, 0), AgeBar("No date", 2, 0, -5)], "EUR", date(2026, 1, 1))
    assert [value["bucket"] for value in steps_of(spec)] == [
        "0\u20131",
        "2\u20137",
        "8\u201330",
        "31\u201390",
        "Over 90",
        "No date",
    ]
    assert [value["items"] for value in steps_of(spec)] == ["", "", "", "", "1", "2"]


def test_largest_differences_leave_out_what_is_not_money():
    spec = charts.largest_differences(
        [delta("missing", None, ours_row=1), delta("value_mismatch", "0", ours_row=2)], ""
    )
    assert "No difference in money" in spec["description"]


def test_a_currency_or_kind_from_a_file_cannot_reach_the_expressions():
    row = delta("it's\\' + alert(1) + '", "3", ours_row=1)
    assert charts.render_svg(charts.largest_differences([row], "E'\\"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: charts.differences_by_day([], "day", "EUR"),
        lambda: charts.ageing([], "EUR", None),
        lambda: charts.largest_differences([], "EUR"),
        lambda: charts.confidence_histogram([], "scored"),
    ],
)
def test_no_data_is_said_in_words(make):
    spec = make()
    assert spec["description"] in texts_in(charts.render_svg(spec))


def test_too_many_points_are_refused():
    bars = [DayBar(date(2020, 1, 1) + timedelta(days=n), 1) for n in range(charts.MAX_POINTS + 1)]
    with pytest.raises(charts.TooManyPoints):
        charts.differences_by_day(bars, "day", "")


def test_small_numbers_on_an_axis_are_not_called_thousandths():
    svg = charts.render_svg(charts.differences_by_day([DayBar(date(2026, 1, 1), 500_000)], "day", ""))
    assert "0.5" in texts_in(svg)
    assert not any(text.endswith("m") and text[0].isdigit() for text in texts_in(svg))


def linear(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


# Machado, Oliveira and Fernandes (2009), severity 1.0.
BLINDNESS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def lab(rgb):
    x, y, z = (
        sum(weight * part for weight, part in zip(row, rgb, strict=True))
        for row in ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    )
    fx, fy, fz = (
        max(value, 0) ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (x / 0.9505, y, z / 1.089)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("side", ["light", "dark"])
def test_colours_that_mean_something_differ_for_the_colour_blind(blindness, side):
    groups = [(charts.LESS, charts.MORE, charts.TOTAL), (charts.SURE, charts.UNSURE)]
    for group in groups:
        shown = [charts.DARK[colour] if side == "dark" else colour for colour in group]
        seen = [
            lab([sum(w * part for w, part in zip(row, linear(colour), strict=True)) for row in BLINDNESS[blindness]])
            for colour in shown
        ]
        for one, other in combinations(seen, 2):
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 15


def luminance(colour):
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def test_words_in_pictures_are_legible_on_both_papers():
    for ink in (charts.INK, charts.MUTED):
        for paper, text in ((charts.PAPER, ink), (charts.DARK[charts.PAPER], charts.DARK[ink])):
            low, high = sorted((luminance(paper), luminance(text)))
            assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_builders_summary_can_be_drawn(tmp_path):
    for item in a_full_run().write(tmp_path)["currencies"]:
        assert charts.render_svg(charts.waterfall(item))
