"""Pictures of a run as Vega-Lite specifications, plain dicts that hold their data, and their rendering to SVG.

Colours mean the same in every picture: vermilion is money reported too little, blue is money reported too much,
slate is a total. The three differ in hue, in lightness and for every common colour blindness.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tieout.core.money import MICRO_DIGITS, MICROS_PER_UNIT
from tieout.report.words import (
    KIND_WORDS,
    OUTCOME_WORDS,
    PART_NAMES,
    PART_WORDS,
    confidence,
    count,
    counted,
    humanise,
    money_of_micros,
    short_money,
)

Spec = dict[str, Any]

LESS = "#c8500a"
MORE = "#0b6fae"
TOTAL = "#5b6770"
SURE = "#1b7f5c"
UNSURE = "#d99a00"
INK = "#1f2933"
MUTED = "#5f6b76"
GRID = "#e3e7eb"
PAPER = "#ffffff"

DARK = {
    LESS: "#ff8a4c",
    MORE: "#58b4ea",
    TOTAL: "#93a1ae",
    SURE: "#3cc79a",
    UNSURE: "#f0c04a",
    INK: "#e8edf2",
    MUTED: "#a3b1bf",
    GRID: "#2f3a45",
    PAPER: "#151a20",
}
"""What each colour becomes on a dark page. Pictures hold the light ones; the page swaps them by style."""

MAX_POINTS = 200
AGE_BUCKETS = ("Later", "0-1", "2-7", "8-30", "31-90", "Over 90", "No date")
_ALWAYS_SHOWN = AGE_BUCKETS[1:6]
_BIN_FORMATS = {"day": "%-d %b", "week": "%-d %b %y", "month": "%b %Y", "year": "%Y"}
_BIN_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}
_LEAST_BINS = 14
_COMPACT = (
    "abs(datum.value) < 1000 ? format(datum.value, ',.6~f')"
    " : replace(replace(replace(format(datum.value, '~s'), 'G', 'bn'), 'M', 'm'), 'T', 'tn')"
)
_WHOLE = f"datum.value % 1 ? '' : ({_COMPACT})"
_CLIP = re.compile(r"(?<=id=\")clip\d+(?=\")|(?<=url\(#)clip\d+(?=\))")
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


class TooManyPoints(ValueError):
    """A picture was given more points than it can show: a fault of the query before it."""


@dataclass(frozen=True)
class DayBar:
    """The differences of one day, week, month or year that begins on `start`; positive is reported too little."""

    start: date
    delta_micros: int


@dataclass(frozen=True)
class AgeBar:
    """Open items of one bucket of AGE_BUCKETS: their number and what was reported too little and too much."""

    bucket: str
    items: int
    less_micros: int
    more_micros: int


@dataclass(frozen=True)
class ConfidenceBar:
    """Matches of one outcome whose confidence is in the twentieth that begins at `bin` / 20."""

    outcome: str
    bin: int
    matches: int


def render_svg(spec: Spec) -> str:
    """Return a specification as SVG, drawn by Vega inside this process; any address to load from is refused."""
    import vl_convert  # noqa: PLC0415 the drawing engine costs half a second and only pages need it

    svg: str = vl_convert.vegalite_to_svg(
        spec, vl_version="6.4", allowed_base_urls=[], format_locale="en-US", time_format_locale="en-US"
    )
    return _number_from_one(svg)


def waterfall(currency: Mapping[str, Any]) -> Spec:
    """Draw expected → parts → reported of one entry of the summary's `currencies`.

    Each part moves the total from what we expected to what they report. Where the parts are small beside the
    totals, the two totals are cut off and marked so; every bar carries its amount.
    """
    steps = _waterfall_steps(currency)
    edges = [float(edge) for step in steps for edge in (step["from"], step["to"])]
    low, high, is_cut = _span(edges)
    for step in steps:
        if step["way"] == "total":
            step["from"] = low if step["to"] >= 0 else high
        step["top"] = max(step["from"], step["to"])
    order = [step["label"] for step in steps]
    x = {
        "field": "label",
        "type": "nominal",
        "sort": order,
        "axis": {
            "title": None,
            "labelAngle": 0,
            "ticks": False,
            "labelPadding": 8,
            "labelExpr": "split(datum.label, ' ')",
        },
        "scale": {"paddingInner": 0.35, "paddingOuter": 0.2},
    }
    scale = {"domain": [low, high], "zero": False, "nice": False}
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "strokeWidth": 1},
            "encoding": {
                "y": {"field": "from", "type": "quantitative", "scale": scale, "axis": None},
                "y2": {"field": "to"},
                "color": _colours({"total": TOTAL, "less": LESS, "more": MORE}, "way"),
                "stroke": _colours({"total": TOTAL, "less": LESS, "more": MORE}, "way"),
            },
        },
        {
            "transform": [{"filter": "datum.next != null"}],
            "mark": {"type": "rule", "color": MUTED, "strokeDash": [2, 2]},
            "encoding": {
                "y": {"field": "to", "type": "quantitative"},
                "x": {**x, "bandPosition": 1},
                "x2": {"field": "next", "bandPosition": 0},
            },
        },
        {
            "mark": {"type": "text", "dy": -7, "baseline": "bottom", "color": INK, "fontSize": 12},
            "encoding": {"y": {"field": "top", "type": "quantitative"}, "text": {"field": "amount"}},
        },
    ]
    if is_cut:
        base = low if edges[0] >= 0 else high
        away = -1 if edges[0] >= 0 else 1
        layers += [
            {
                "transform": [{"filter": "datum.way == 'total'"}],
                "mark": {
                    "type": "tick",
                    "orient": "horizontal",
                    "color": PAPER,
                    "thickness": 3,
                    "bandSize": 200,
                    "width": {"band": 1},
                    "yOffset": away * offset,
                    "opacity": 1,
                },
                "encoding": {"y": {"datum": base, "type": "quantitative"}},
            }
            for offset in (9, 16)
        ]
    name = str(currency["currency"])
    told = ", ".join(f"{step['label']} {step['exact']}" for step in steps)
    return _picture(
        f"Waterfall from expected to reported{' in ' + name if name else ''}: {told}.",
        {"values": _limited(steps), "name": "steps"},
        {"encoding": {"x": x}, "layer": layers, "usermeta": {"is_cut": is_cut}},
        width=900,
        height=280,
    )


def differences_by_day(bars: Sequence[DayBar], unit: str, currency: str) -> Spec:
    """Draw the differences of one currency over time; `unit` is day, week, month or year, the width of a bar."""
    if not bars:
        return empty_picture("No difference has a date.")
    values = [
        {
            "start": _instant(bar.start),
            "end": _instant(_next_start(bar.start, unit)),
            "amount": bar.delta_micros / MICROS_PER_UNIT,
            "way": "less" if bar.delta_micros > 0 else "more",
        }
        for bar in sorted(bars, key=lambda bar: bar.start)
    ]
    largest = max(bars, key=lambda bar: (abs(bar.delta_micros), bar.start))
    first, last = min(bar.start for bar in bars), max(bar.start for bar in bars)
    return _picture(
        f"Differences by {unit} from {first} to {last}{' in ' + currency if currency else ''}; "
        f"the largest is {money_of_micros(largest.delta_micros)} on {largest.start}.",
        {"values": _limited(values)},
        {
            "mark": {"type": "rect", "stroke": PAPER, "strokeWidth": 0.5},
            "encoding": {
                "x": {
                    "field": "start",
                    "type": "temporal",
                    "scale": {"type": "utc", "domain": _domain(first, last, unit), "nice": False},
                    "axis": {
                        "title": None,
                        "format": _BIN_FORMATS[unit],
                        "tickCount": 6,
                        "labelOverlap": True,
                        "grid": False,
                    },
                },
                "x2": {"field": "end"},
                "y": _money_axis("amount"),
                "y2": {"datum": 0},
                "color": _colours({"less": LESS, "more": MORE}, "way"),
            },
        },
    )


def ageing(bars: Sequence[AgeBar], currency: str, as_of: date | None) -> Spec:
    """Draw the open items of one currency by age in days on `as_of`; too little upwards, too much downwards."""
    if not bars or as_of is None:
        return empty_picture("No open item has a date.")
    known = {bar.bucket: bar for bar in bars}
    shown = [known.get(name, AgeBar(name, 0, 0, 0)) for name in AGE_BUCKETS if name in known or name in _ALWAYS_SHOWN]
    values = [
        {
            "bucket": bar.bucket.replace("-", "\u2013"),
            "less": bar.less_micros / MICROS_PER_UNIT,
            "more": bar.more_micros / MICROS_PER_UNIT,
            "items": count(bar.items) if bar.items else "",
        }
        for bar in shown
    ]
    told = "; ".join(
        f"{bar.bucket} days: {counted(bar.items, 'item')}, {money_of_micros(bar.less_micros)} too little and "
        f"{money_of_micros(-bar.more_micros)} too much"
        for bar in shown
        if bar.items
    )
    x = {
        "field": "bucket",
        "type": "nominal",
        "sort": [value["bucket"] for value in values],
        "axis": {"title": "days open (number of items above)", "labelAngle": 0, "ticks": False},
    }
    return _picture(
        f"Open items by age on {as_of}{' in ' + currency if currency else ''}. {told}.",
        {"values": _limited(values)},
        {
            "encoding": {"x": x},
            "layer": [
                {
                    "mark": {"type": "bar", "color": LESS},
                    "encoding": {"y": _money_axis("less")},
                },
                {
                    "mark": {"type": "bar", "color": MORE},
                    "encoding": {"y": _money_axis("more")},
                },
                {
                    "mark": {"type": "text", "dy": -6, "baseline": "bottom", "color": INK, "fontSize": 12},
                    "encoding": {"y": _money_axis("less"), "text": {"field": "items"}},
                },
            ],
        },
    )


def largest_differences(deltas: Sequence[Mapping[str, Any]], currency: str) -> Spec:
    """Draw the largest differences of one currency as bars; `deltas` are rows of the fact, largest first."""
    values = [
        {
            "place": place,
            "label": f"{humanise(delta['kind'], KIND_WORDS)}, {_rows_of(delta)}",
            "amount": delta["amount_micros"] / MICROS_PER_UNIT,
            "text": short_money(delta["amount_micros"]),
            "way": "less" if delta["amount_micros"] > 0 else "more",
        }
        for place, delta in enumerate(deltas)
        if delta["amount_micros"]
    ]
    if not values:
        return empty_picture("No difference in money.")
    told = "; ".join(f"{value['label']}: {value['text']}" for value in values)
    y = {
        "field": "place",
        "type": "ordinal",
        "axis": {
            "title": None,
            "ticks": False,
            "domain": False,
            "labelLimit": 290,
            "labelPadding": 6,
            "minExtent": 300,
            "labelExpr": _labels_by_place([str(value["label"]) for value in values]),
        },
    }
    amounts = [float(str(value["amount"])) for value in values]
    low, high = min(0.0, *amounts), max(0.0, *amounts)
    room = (high - low) * 0.22
    x = {
        "field": "amount",
        "type": "quantitative",
        "scale": {"domain": [low - (room if low < 0 else 0), high + (room if high > 0 else 0)], "nice": False},
        "axis": None,
    }
    return _picture(
        f"The largest differences{' in ' + currency if currency else ''}. {told}.",
        {"values": _limited(values)},
        {
            "encoding": {"y": y, "x": x},
            "layer": [
                {
                    "mark": {"type": "bar"},
                    "encoding": {"color": _colours({"less": LESS, "more": MORE}, "way")},
                },
                *(
                    {
                        "transform": [{"filter": f"datum.way == '{way}'"}],
                        "mark": {"type": "text", "dx": dx, "align": align, "color": INK, "fontSize": 12},
                        "encoding": {"text": {"field": "text"}},
                    }
                    for way, dx, align in (("less", 5, "left"), ("more", -5, "right"))
                ),
            ],
        },
        height=max(60, 28 * len(values)),
        width=900,
    )


def confidence_histogram(bars: Sequence[ConfidenceBar], pass_name: str) -> Spec:
    """Draw how sure the matches of one pass are, accepted and to be reviewed, in steps of five percent."""
    if not bars:
        return empty_picture("Nothing was matched.")
    first = min(10, *(bar.bin for bar in bars))
    values = [
        {"bin": bar.bin * 5, "end": bar.bin * 5 + 5, "matches": bar.matches, "outcome": bar.outcome}
        for bar in sorted(bars, key=lambda bar: (bar.bin, bar.outcome))
    ]
    told = "; ".join(
        f"{confidence(bar.bin / 20)} and more: {count(bar.matches)} {humanise(bar.outcome, OUTCOME_WORDS)}"
        for bar in sorted(bars, key=lambda bar: (bar.bin, bar.outcome))
    )
    return _picture(
        f"Confidence of the matches by {pass_name}. {told}.",
        {"values": _limited(values)},
        {
            "mark": {"type": "bar", "stroke": PAPER, "strokeWidth": 1},
            "encoding": {
                "x": {
                    "field": "bin",
                    "type": "quantitative",
                    "bin": {"binned": True, "step": 5},
                    "scale": {"domain": [first * 5, 100], "nice": False},
                    "axis": {"title": "confidence", "labelExpr": "datum.value + '%'", "grid": False, "tickMinStep": 10},
                },
                "x2": {"field": "end"},
                "y": {
                    "field": "matches",
                    "type": "quantitative",
                    "axis": {"title": "matches", "tickCount": 4, "labelExpr": _WHOLE},
                },
                "color": _colours({"auto": SURE, "review": UNSURE}, "outcome"),
            },
        },
        height=160,
    )


def _number_from_one(svg: str) -> str:
    """Number clip paths inside each picture: Vega counts them over the life of the process."""
    places: dict[str, str] = {}
    return _CLIP.sub(lambda found: places.setdefault(found[0], f"clip{len(places) + 1}"), svg)


def empty_picture(message: str) -> Spec:
    """Return a picture that says in words that there is nothing to draw."""
    return _picture(
        message,
        {"values": [{"message": message}]},
        {
            "mark": {"type": "text", "color": MUTED, "fontSize": 13},
            "encoding": {"text": {"field": "message"}},
        },
        height=80,
    )


def _picture(description: str, data: Spec, body: Spec, *, width: int = 440, height: int = 220) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 6,
        "background": None,
        "data": data,
        **body,
        "config": {
            "font": _FONT,
            "view": {"stroke": None},
            # One description tells the picture; labels on every bar repeat it, in the time zone of the machine.
            "mark": {"aria": False},
            "axis": {
                "aria": False,
                "labelColor": MUTED,
                "titleColor": MUTED,
                "titleFontWeight": "normal",
                "labelFontSize": 12,
                "titleFontSize": 12,
                "gridColor": GRID,
                "domainColor": GRID,
                "tickColor": GRID,
            },
        },
    }


def _limited(values: list[Spec]) -> list[Spec]:
    if len(values) > MAX_POINTS:
        raise TooManyPoints(f"{len(values)} points for one picture; at most {MAX_POINTS} are drawn.")
    return values


def _colours(by_value: Mapping[str, str], field: str) -> Spec:
    scale = {"domain": list(by_value), "range": list(by_value.values())}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _money_axis(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"title": None, "tickCount": 5, "labelExpr": _COMPACT, "domain": False, "ticks": False},
    }


def _instant(day: date) -> int:
    """Milliseconds, so that the drawing engine never asks for a time zone."""
    return (day - date(1970, 1, 1)).days * 86_400_000


def _next_start(start: date, unit: str) -> date:
    if start.year == MAXYEAR:
        return date.max
    if unit == "month":
        return date(start.year + start.month // 12, start.month % 12 + 1, 1)
    return date(start.year + 1, 1, 1) if unit == "year" else start + timedelta(days=_BIN_DAYS[unit])


def _domain(first: date, last: date, unit: str) -> list[int]:
    """Widen a short span, so that a single day does not fill the picture."""
    low, high = _instant(first), _instant(_next_start(last, unit))
    bin_width = _BIN_DAYS[unit] * 86_400_000
    missing = max(bin_width, (_LEAST_BINS * bin_width - (high - low)) // 2)
    return [low - missing, high + missing]


def _waterfall_steps(currency: Mapping[str, Any]) -> list[Spec]:
    expected, reported = Decimal(currency["expected"]), Decimal(currency["reported"])
    parts = {**currency["parts"], "tolerated": currency.get("tolerated", "0")}
    steps: list[Spec] = [_step("Expected", Decimal(0), expected, "total")]
    running = expected
    for name in (*PART_NAMES, "tolerated"):
        amount = Decimal(parts.get(name, 0))
        if amount:
            steps.append(_step(PART_WORDS[name], running, running - amount, "less" if amount > 0 else "more"))
            running -= amount
    steps.append(_step("Reported", Decimal(0), reported, "total"))
    for step, after in pairwise(steps):
        step["next"] = after["label"]
    return steps


def _step(label: str, start: Decimal, end: Decimal, way: str) -> Spec:
    moved = int((end - start).scaleb(MICRO_DIGITS))
    exact = money_of_micros(moved).replace("-", "\u2212")
    amount = exact if len(exact) <= 13 else short_money(moved)
    return {
        "label": label,
        "from": float(start),
        "to": float(end),
        "way": way,
        "amount": amount if way == "total" or moved < 0 else f"+{amount}",
        "exact": money_of_micros(moved, sign=way != "total"),
        "next": None,
    }


def _span(edges: Sequence[float]) -> tuple[float, float, bool]:
    """Return the lowest and highest value to draw, and whether the totals are cut off.

    Both totals stand on zero, which is the first edge and the last but one.
    """
    reached = [*edges[1:-2], edges[-1]]
    low, high = min(reached), max(reached)
    if low > 0 or high < 0:
        spread = high - low
        if 0 < spread < 0.35 * max(abs(low), abs(high)):
            margin = spread * 0.45
            return (low - margin, high + spread * 0.15, True) if low > 0 else (low - spread * 0.15, high + margin, True)
    low, high = min(0.0, low), max(0.0, high)
    room = (high - low) * 0.1 or 1.0
    return (low - room if low < 0 else low), high + room, False


def _rows_of(delta: Mapping[str, Any]) -> str:
    ours, theirs = delta.get("ours_row"), delta.get("theirs_row")
    if ours is not None and theirs is not None:
        return f"our row {ours} and their row {theirs}"
    return f"our row {ours}" if ours is not None else f"their row {theirs}"


def _labels_by_place(labels: Sequence[str]) -> str:
    """Spell the labels as a Vega expression; they hold our own words and numbers only."""
    quoted = ", ".join("'" + label.replace("\\", "").replace("'", "") + "'" for label in labels)
    return f"[{quoted}][datum.value]"
