"""The report page: one HTML file that carries its style and pictures, and tells a whole run to an accountant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from tieout.report import charts, words
from tieout.report.facts import Facts, Row, open_facts
from tieout.report.saving import replace_file
from tieout.report.verdict import deltas_by_currency, rank_currencies, sort_decisions, tell_decisions, tell_verdict

MAX_PICTURED_CURRENCIES = 3
MAX_BARS = 120
MAX_LARGEST = 25
MAX_LARGEST_PICTURED = 10
MAX_REVIEW = 25
MAX_OPEN = 25
MAX_CHANGES = 25
MAX_DUPLICATES = 25
MAX_QUARANTINED = 25
MAX_CHECKS = 50
MAX_COLUMNS = 12
MAX_EXAMPLES = 3
MAX_PARTS_ACROSS = 4
TEXT_WIDTH = 90

_SVG_OPEN = re.compile(r"<svg[^>]*?viewBox=\"([\d. -]+)\"[^>]*>")
_ID = re.compile(r'(id="|url\(#)(clip\d+)')


@dataclass(frozen=True)
class Picture:
    """One drawing with the words under it."""

    name: str
    caption: str
    svg: Markup
    is_wide: bool = False


@dataclass(frozen=True)
class CurrencyStory:
    """What the page tells of one currency: its pictures and its largest differences."""

    name: str
    totals: Mapping[str, Any]
    pictures: Sequence[Picture]
    largest: Sequence[Row]
    delta_count: int


@dataclass(frozen=True)
class PassStory:
    """One way of matching and how sure its matches are."""

    name: str
    picture: Picture | None
    lowest: float


@dataclass(frozen=True)
class WeightBar:
    """What one evidence of a pair weighs, and where its bar lies in a waterfall, in hundredths of its width."""

    name: str
    bits: float
    start: float
    width: float


@dataclass(frozen=True)
class ReviewPair:
    """A match that a person must confirm, with what speaks for it and what does not agree."""

    pair: Row
    unlike: Sequence[Row] = field(default_factory=tuple)
    weights: Sequence[WeightBar] = field(default_factory=tuple)


def write_report(run_dir: Path, summary: Mapping[str, Any], out: Path, *, as_of: date | None = None) -> None:
    """Write the report of the run in `run_dir` to `out`, whole or not at all; the same run gives the same bytes.

    Open items are aged against `as_of`, by default the latest day in the data.
    Raises RunFolderIncomplete, FactUnreadable and ResultNotWritten.
    """
    with open_facts(run_dir) as facts:
        page = render_page(facts, summary, as_of=as_of)
    replace_file(out, page.encode("utf-8", "replace"))


def render_page(facts: Facts, summary: Mapping[str, Any], *, as_of: date | None = None) -> str:
    """Return the report as one HTML text."""
    day = as_of or facts.ask("latest_day")[0]["day"]
    reasons = {(row["side"], row["reason_code"]): row["rows"] for row in facts.ask("open_reasons")}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            summary={"searched": "", "digests": {}, **summary},
            as_of=day,
            style=Markup(_style()),  # noqa: S704 our own file
            verdict=tell_verdict(summary),
            decided=tell_decisions(summary),
            parts=_parts_tables(summary["currencies"]),
            stories=_currency_stories(facts, summary, day),
            told_apart=_untold_currencies(summary),
            passes=_pass_stories(facts),
            review=_review_pairs(facts),
            open_rows={side: facts.ask(f"open_{side}", limit=MAX_OPEN) for side in ("ours", "theirs")},
            open_counts={side: _count_open(reasons, side) for side in ("ours", "theirs")},
            rule_changes=[(*words.tell_rule_change(item), item) for item in _why_not(summary)["rules"]],
            changes=facts.ask("smallest_changes", limit=MAX_CHANGES),
            change_count=sum(item["rows"] for item in _why_not(summary)["rows"] if item["kind"] != "nothing_near"),
            duplicates=facts.ask("duplicates", limit=MAX_DUPLICATES),
            duplicate_count=sum(rows for (_, code), rows in reasons.items() if code == "duplicate"),
            columns=_column_stories(facts, summary),
            failed_checks=facts.ask("failed_checks", limit=MAX_CHECKS),
            quarantined=facts.ask("quarantined", limit=MAX_QUARANTINED),
            decisions=sort_decisions(summary),
            roles=_roles(summary["plan"]),
            rules=_rules(summary["plan"]),
        )
    )


def _untold_currencies(summary: Mapping[str, Any]) -> list[str]:
    return [words.currency_name(item["currency"]) for item in rank_currencies(summary)[MAX_PICTURED_CURRENCIES:]]


def _why_not(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    return summary.get("why_not") or {"rules": (), "rows": ()}


def _count_open(reasons: Mapping[tuple[str, str], int], side: str) -> int:
    return sum(rows for (at, code), rows in reasons.items() if at == side and code not in {"duplicate", "review"})


def _currency_stories(facts: Facts, summary: Mapping[str, Any], as_of: date | None) -> list[CurrencyStory]:
    counts = deltas_by_currency(summary)
    return [
        _tell_currency(facts, item, as_of, counts.get(item["currency"], 0), f"c{place}")
        for place, item in enumerate(rank_currencies(summary)[:MAX_PICTURED_CURRENCIES])
    ]


def _tell_currency(facts: Facts, item: Mapping[str, Any], as_of: date | None, deltas: int, key: str) -> CurrencyStory:
    code = item["currency"]
    shown = words.plain(code, 20)
    largest = facts.ask("largest_deltas", currency=code, limit=MAX_LARGEST)
    by_day = facts.ask("by_day", currency=code, points=MAX_BARS)
    unit = by_day[0]["bin"] if by_day else "day"
    day_bars = [charts.DayBar(row["start"], int(row["delta_micros"])) for row in by_day]
    undated = int(facts.ask("undated", currency=code)[0]["delta_micros"])
    age_bars = [
        charts.AgeBar(row["bucket"], row["items"], int(row["less_micros"]), int(row["more_micros"]))
        for row in (facts.ask("ageing", currency=code, as_of=as_of) if as_of else ())
    ]
    day_caption = f"Differences by {unit}, expected less reported"
    day_caption += f", {by_day[-1]['start']} to {by_day[0]['start']}." if by_day else "."
    if undated:
        day_caption += f" Without a date: {words.money_of_micros(undated)}."
    fall = charts.waterfall({**item, "currency": shown})
    fall_caption = "From expected to reported: each part moves the total."
    if fall["usermeta"]["is_cut"]:
        fall_caption += " The totals are cut off at the double line."
    pictures = [
        _draw(f"{key}w", fall_caption, fall, is_wide=True),
        _draw(f"{key}d", day_caption, charts.differences_by_day(day_bars, unit, shown)),
        _draw(f"{key}a", f"What is open on {as_of}, by its age in days.", charts.ageing(age_bars, shown, as_of)),
    ]
    if any(row["amount_micros"] for row in largest):
        pictured = charts.largest_differences(largest[:MAX_LARGEST_PICTURED], shown)
        pictures.append(_draw(f"{key}l", "The largest differences.", pictured, is_wide=True))
    return CurrencyStory(shown, item, pictures, largest, deltas)


def _pass_stories(facts: Facts) -> list[PassStory]:
    bins: dict[str, list[Row]] = {}
    for row in facts.ask("confidence"):
        bins.setdefault(row["pass"], []).append(row)
    stories = []
    for place, (name, rows) in enumerate(bins.items()):
        lowest = min(row["lowest"] for row in rows)
        picture = None
        if lowest < 1:
            bars = [charts.ConfidenceBar(row["outcome"], row["bin"], row["matches"]) for row in rows]
            said = words.humanise(name, words.PASS_WORDS)
            picture = _draw(f"p{place}", f"{said}: how sure.", charts.confidence_histogram(bars, said.lower()))
        stories.append(PassStory(name, picture, lowest))
    return stories


def _review_pairs(facts: Facts) -> list[ReviewPair]:
    pairs = facts.ask("review_matches", limit=MAX_REVIEW)
    if not pairs:
        return []
    unlike: dict[tuple[int, int], list[Row]] = {}
    for row in facts.ask("review_values", match_ids=sorted({pair["match_id"] for pair in pairs})):
        unlike.setdefault((row["ours_row"], row["theirs_row"]), []).append(row)
    return [
        ReviewPair(pair, unlike.get((pair["ours_row"], pair["theirs_row"]), ()), _waterfall(pair)) for pair in pairs
    ]


def _waterfall(pair: Row) -> list[WeightBar]:
    """Return the weights of a pair one after another, what it weighs before evidence first; none without weights."""
    named = [(name, pair[f"weight_{name}"]) for name in ("pair", "amount", "time", "text", "unit")]
    steps = [(name, bits) for name, bits in named if bits]
    ends = list(accumulate((bits for _, bits in steps), initial=0.0))
    low, span = min(ends), max(max(ends) - min(ends), 1e-9)
    return [
        WeightBar(name, bits, 100 * (min(before, after) - low) / span, 100 * abs(bits) / span)
        for (name, bits), before, after in zip(steps, ends, ends[1:], strict=False)
    ]


def _column_stories(facts: Facts, summary: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[Row]]]:
    return [
        (item, facts.ask("differing_values", column=item["column"], limit=MAX_EXAMPLES))
        for item in summary["differences"][:MAX_COLUMNS]
    ]


def _parts_tables(currencies: Sequence[Mapping[str, Any]]) -> list[tuple[list[Mapping[str, Any]], list[str]]]:
    """Split the currencies into tables narrow enough to read, each with the parts that are not zero in it."""
    differing = [
        item
        for item in currencies
        if Decimal(item["tolerated"]) or any(Decimal(amount) for amount in item["parts"].values())
    ]
    tables = []
    for start in range(0, len(differing), MAX_PARTS_ACROSS):
        across = differing[start : start + MAX_PARTS_ACROSS]
        shown = [name for name in words.PART_NAMES if any(Decimal(item["parts"][name]) for item in across)]
        tables.append((across, shown))
    return tables


def _roles(plan: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return which column plays which role on both sides, from the summary's plan."""
    ours, theirs = plan.get("ours"), plan.get("theirs")
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return []
    named = [(str(role), _say(ours.get(role)), _say(theirs.get(role))) for role in ours]
    return [(words.humanise(role, {}), left, right) for role, left, right in named if left or right]


def _rules(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = [(str(name), _say(value)) for name, value in plan.items() if name not in {"ours", "theirs", "decisions"}]
    return [(words.humanise(name, {}), value) for name, value in told if value]


def _say(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        return "; ".join(f"{words.plain(key, 40)}: {_say(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_say(item) for item in value)
    return words.plain(value, 200)


def _draw(name: str, caption: str, spec: charts.Spec, *, is_wide: bool = False) -> Picture:
    return Picture(name, caption, inline_svg(charts.render_svg(spec), name, str(spec["description"])), is_wide)


def inline_svg(svg: str, name: str, description: str) -> Markup:
    """Prepare a drawing to stand inside a page: it scales, has ids of its own and a description that is read out."""
    body = _ID.sub(rf"\1{name}-\2", svg)
    told = escape(description)
    return Markup(  # noqa: S704 drawn by Vega from our specification
        _SVG_OPEN.sub(
            lambda found: (
                f'<svg class="drawing" viewBox="{found[1]}" role="img" aria-labelledby="{name}-told">'
                f'<title id="{name}-told">{told}</title>'
            ),
            body,
            count=1,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        plain=lambda text, limit=TEXT_WIDTH: words.plain(text, limit),
        money=words.money,
        tone=_tone,
        signed=lambda amount: words.money(amount, sign=True),
        micros=words.money_of_micros,
        count=words.count,
        counted=words.counted,
        confidence=words.confidence,
        size=words.size,
        currency=words.currency_name,
        kind=lambda code: words.humanise(code, words.KIND_WORDS),
        reason=lambda code: words.humanise(code, words.REASON_WORDS),
        passing=lambda code: words.humanise(code, words.PASS_WORDS),
        application=lambda code: words.humanise(code, words.APPLICATION_WORDS),
        outcome=lambda code: words.humanise(code, words.OUTCOME_WORDS),
        side=lambda code: words.humanise(code, words.SIDE_WORDS),
        code_words=lambda code: words.humanise(code, {}),
        explain=words.explain_delta,
        change=words.explain_change,
        change_kind=lambda code: words.humanise(code, words.CHANGE_WORDS),
    )
    environment.globals.update(part_words=words.PART_WORDS, part_meanings=words.PART_MEANINGS)
    return environment


def _tone(amount: Decimal | int | str | None) -> str:
    value = Decimal(amount or 0)
    return "less" if value > 0 else "more" if value < 0 else "quiet"


def _read(name: str) -> str:
    return (files("tieout.report") / "page" / name).read_text(encoding="utf-8")


def _style() -> str:
    """Return the style of the page; pictures hold light colours, which a dark screen swaps one by one."""
    swaps = "\n".join(
        f'  .drawing [{attribute}="{light}"] {{ {attribute}: {dark}; }}'
        for light, dark in charts.DARK.items()
        for attribute in ("fill", "stroke")
    )
    return _read("page.css") + f"@media screen and (prefers-color-scheme: dark) {{\n{swaps}\n}}\n"
