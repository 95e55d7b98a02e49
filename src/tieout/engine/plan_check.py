"""What a plan must hold to be run: values in range, roles on columns that can play them, sides that fit together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import get_args

import duckdb

from tieout.engine.parse import COUNTED_FORMATS, is_date_format
from tieout.engine.plan import (
    EVIDENCE,
    ColumnType,
    Compared,
    Kind,
    LearnedWeights,
    Plan,
    ReferenceForm,
    Rules,
    Scoring,
    Settlement,
    SidePlan,
    TextForm,
    Weights,
)
from tieout.engine.projection import UNIT_COUNT
from tieout.intake.formats import FORMATS
from tieout.intake.text_encoding import is_encoding

MAX_PPM = 1_000_000
MAX_WINDOW_DAYS = 36_500
"""A hundred years; a wider window is a mistake, and far beyond it day arithmetic overflows."""
MAX_EXPONENT = 9
MAX_WEIGHT = 1_000

DECIMAL_MARKS = (".", ",")
GROUP_MARKS = ("", ".", ",", " ", "'", "\u2019", "\u00a0", "\u2009", "\u202f")

_MOMENTS: tuple[Kind, ...] = ("date", "timestamp")
_COMPARABLE: dict[Kind, tuple[Kind, ...]] = {
    "text": ("text",),
    "number": ("number",),
    "date": _MOMENTS,
    "timestamp": _MOMENTS,
}
_CHARACTERS_OF_VALUES = frozenset("\"'\r\n\0.+-")
"""Together with letters and digits: what stands within cells, so that it cannot stand between them."""


@dataclass(frozen=True)
class Fault:
    """One thing that keeps a plan from being run: its place, what is wrong with it, and what would be right."""

    place: str
    what: str
    remedy: str = "Mend it in the plan file."


def must_be(place: str, allowed: str, given: object) -> Fault:
    """Return the fault of a value that is none of those allowed."""
    return Fault(place, f"{place} must be {allowed}, not {shown(given)}.")


def shown(given: object) -> str:
    """Return a value as a plan file spells it, cut where it is long."""
    if isinstance(given, bool):
        return str(given).lower()
    try:
        text = repr(given)
    except ValueError:  # Python refuses to spell out whole numbers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def find_faults(plan: Plan) -> Iterator[Fault]:
    """Yield what is wrong with the values of a plan, each with its place; a plan without a fault can be run.

    Whether the files have the columns that it names is told when they are read.
    """
    yield from _rules(plan.rules)
    sides = [("ours", plan.ours), ("theirs", plan.theirs)]
    if plan.advice is not None:
        sides.append(("settlement.advice", plan.advice))
    for place, side in sides:
        for name, kind in side.columns.items():
            yield from _column(f"{place}.columns.{name}", kind)
        yield from _roles(place, side)
        yield from _amount(place, side)
        yield from _reading(place, side)
    yield from _pairs_of_columns(plan)
    if plan.settlement is not None:
        yield from _settlement(plan.settlement, plan)
    for position, item in enumerate(plan.compared):
        yield from _compared(f"compared[{position}]", item, plan)
    if plan.learned is not None:
        yield from _learned(plan.learned)


def _rules(rules: Rules) -> Iterator[Fault]:
    if rules.tolerance_micros < 0:
        yield Fault("rules.tolerance", "rules.tolerance must be zero or more.")
    for name, most in (("tolerance_ppm", MAX_PPM), ("window_days", MAX_WINDOW_DAYS)):
        if not 0 <= getattr(rules, name) <= most:
            yield must_be(f"rules.{name}", f"a whole number from 0 to {most}", getattr(rules, name))
    for name, allowed in (("scoring", get_args(Scoring)), ("reference_form", get_args(ReferenceForm))):
        if getattr(rules, name) not in allowed:
            yield must_be(f"rules.{name}", f"one of {', '.join(allowed)}", getattr(rules, name))
    yield from _weights(rules.weights)
    yield from _thresholds(rules)
    if not 0 < rules.lag_half_days <= MAX_WINDOW_DAYS:
        yield must_be("rules.lag_half_days", f"more than 0 and at most {MAX_WINDOW_DAYS}", rules.lag_half_days)
    if rules.zone != "UTC" and rules.zone not in _zones():
        near = get_close_matches(rules.zone, _zones(), n=3)
        remedy = f"Name one of: {', '.join(near)}." if near else 'Name one such as "UTC" or "Europe/Berlin".'
        yield Fault("rules.zone", f"rules.zone names {shown(rules.zone)}, which is no time zone.", remedy)


def _thresholds(rules: Rules) -> Iterator[Fault]:
    for name in ("auto_threshold", "review_threshold", "required_margin"):
        if not 0 <= getattr(rules, name) <= 1:
            yield must_be(f"rules.{name}", "a number from 0 to 1", getattr(rules, name))
    if rules.review_threshold > rules.auto_threshold:
        allowed = f"at most auto_threshold, which is {rules.auto_threshold}"
        yield must_be("rules.review_threshold", allowed, rules.review_threshold)


@cache
def _zones() -> tuple[str, ...]:
    """Return the names of the time zones that the engine knows; those of Python depend on the machine."""
    with duckdb.connect() as con:
        return tuple(name for (name,) in con.execute("select name from pg_timezone_names() order by all").fetchall())


def _weights(weights: Weights) -> Iterator[Fault]:
    values = {name: getattr(weights, name) for name in ("time", "amount", "unit", "text")}
    for name, value in values.items():
        if not 0 <= value <= MAX_WEIGHT:
            yield must_be(f"rules.weights.{name}", f"a number from 0 to {MAX_WEIGHT}", value)
    if not math.fsum(values.values()) > 0:
        yield Fault("rules.weights", "rules.weights are all 0, so that nothing would count.", "Raise one of them.")


def _learned(learned: LearnedWeights) -> Iterator[Fault]:
    if not 0 < learned.match_share < 1:
        yield must_be("learned.match_share", "a number between 0 and 1", learned.match_share)
    seen = set()
    for position, item in enumerate(learned.levels):
        place = f"learned.levels[{position}]"
        if item.evidence not in EVIDENCE:
            yield must_be(f"{place}.evidence", f"one of {', '.join(EVIDENCE)}", item.evidence)
        for name in ("matched", "chance"):
            if not 0 <= getattr(item, name) <= 1:
                yield must_be(f"{place}.{name}", "a number from 0 to 1", getattr(item, name))
        if (item.evidence, item.level) in seen:
            yield Fault(place, f"{place} gives level {item.level} of {item.evidence} again.", "Give each level once.")
        seen.add((item.evidence, item.level))


def _column(place: str, column: ColumnType) -> Iterator[Fault]:
    if column.kind not in get_args(Kind):
        yield must_be(f"{place}.kind", f"one of {', '.join(get_args(Kind))}", column.kind)
    if column.decimal_mark not in DECIMAL_MARKS:
        yield must_be(f"{place}.decimal_mark", "'.' or ','", column.decimal_mark)
    if column.group_mark not in GROUP_MARKS or column.group_mark == column.decimal_mark:
        allowed = "'' (none), '.', ',', ' ' or \"'\", and another than decimal_mark"
        yield must_be(f"{place}.group_mark", allowed, column.group_mark)
    if column.date_format and not is_date_format(column.date_format):
        yield Fault(
            f"{place}.date_format",
            f"{place}.date_format is {shown(column.date_format)}, which is no pattern of dates.",
            "Write day, month and year, such as '%d.%m.%Y' (several patterns with '|' between them), "
            f"one of {', '.join(COUNTED_FORMATS)}, or '' for ISO 8601.",
        )


def _roles(place: str, side: SidePlan) -> Iterator[Fault]:
    for role in ("key", "group", "text", "units"):
        names: tuple[str, ...] = getattr(side, role)
        yield from _unknown(f"{place}.{role}", names, side, place)
        yield from _repeated(f"{place}.{role}", names)
    if len(side.units) > UNIT_COUNT:
        yield Fault(
            f"{place}.units", f"{place}.units names {len(side.units)} columns.", f"Name at most {UNIT_COUNT} of them."
        )
    of_kinds: tuple[tuple[str, tuple[Kind, ...]], ...] = (
        ("currency", ("text",)),
        ("date", _MOMENTS),
        ("quantity", ("number",)),
        ("fee", ("number",)),
        ("fx_rate", ("number",)),
    )
    for role, kinds in of_kinds:
        name = getattr(side, role)
        if name is not None:
            yield from _unknown(f"{place}.{role}", (name,), side, place)
            yield from _of_other_kind(f"{place}.{role}", name, side, place, kinds)
    constant = side.currency_constant
    if constant != constant.strip().upper():
        yield must_be(f"{place}.currency_constant", f"in capital letters ({constant.strip().upper()!r})", constant)


def _amount(place: str, side: SidePlan) -> Iterator[Fault]:
    names = tuple(term.column for term in side.amount)
    yield from _unknown(f"{place}.amount", names, side, place)
    yield from _repeated(f"{place}.amount", names)
    for position, term in enumerate(side.amount):
        if term.sign not in (1, -1):
            yield must_be(f"{place}.amount[{position}].sign", "1 or -1", term.sign)
        yield from _of_other_kind(f"{place}.amount", term.column, side, place, ("number",))
    if not -MAX_EXPONENT <= side.amount_exponent <= MAX_EXPONENT:
        allowed = f"a whole number from -{MAX_EXPONENT} to {MAX_EXPONENT}"
        yield must_be(f"{place}.amount_exponent", allowed, side.amount_exponent)
    if side.direction is not None:
        yield from _unknown(f"{place}.direction.column", (side.direction.column,), side, place)
        yield from _of_other_kind(f"{place}.direction.column", side.direction.column, side, place, ("text",))
        words = side.direction.outgoing
        if not words or any(word != word.strip().upper() for word in words):
            yield must_be(f"{place}.direction.outgoing", "the values of debits, in capital letters", list(words))
    if side.converts and side.fx_rate is None:
        yield Fault(f"{place}.fx_rate", f"{place}.fx_rate must be a column, for `converts` needs a rate.")


def _reading(place: str, side: SidePlan) -> Iterator[Fault]:
    if side.format and side.format not in FORMATS:
        yield must_be(f"{place}.format", f"'' or one of {', '.join(FORMATS)}", side.format)
    if side.encoding and not is_encoding(side.encoding):
        yield must_be(f"{place}.encoding", "'' or an encoding such as utf-8, cp1252 or utf-16", side.encoding)
    mark = side.delimiter
    if mark and (len(mark) > 1 or mark.isalnum() or mark in _CHARACTERS_OF_VALUES):
        yield must_be(f"{place}.delimiter", "'' or one character such as ',', ';', '|' or '\\t'", mark)
    if not -1 <= side.header_line < 2**31:
        yield must_be(
            f"{place}.header_line", "the number of a line, 0 for no header or -1 to find it", side.header_line
        )


def _settlement(settlement: Settlement, plan: Plan) -> Iterator[Fault]:
    roles = (
        ("ours_party", "ours", plan.ours),
        ("theirs_party", "theirs", plan.theirs),
        ("ours_reference", "ours", plan.ours),
        ("theirs_reference", "theirs", plan.theirs),
    )
    for role, of, side in roles:
        if name := getattr(settlement, role):
            yield from _unknown(f"settlement.{role}", (name,), side, of)
    if not 0 <= settlement.window_days <= MAX_WINDOW_DAYS:
        allowed = f"a whole number from 0 to {MAX_WINDOW_DAYS}"
        yield must_be("settlement.window_days", allowed, settlement.window_days)
    advice = settlement.advice
    if advice is None:
        return
    for role, what in (("key", "the invoice"), ("group", "the payment")):
        if len(getattr(advice, role)) != 1:
            yield must_be(f"settlement.advice.{role}", f"the one column that names {what}", getattr(advice, role))
    if not settlement.theirs_reference:
        yield must_be("settlement.theirs_reference", "the column of theirs that advice names a payment by", "")


def _unknown(place: str, names: Sequence[str], side: SidePlan, of: str) -> Iterator[Fault]:
    for name in names:
        if name not in side.columns:
            yield Fault(
                place,
                f"{place} names {name!r}, which is not among {of}.columns.",
                f"Name one of: {', '.join(side.columns)}.",
            )


def _repeated(place: str, names: Sequence[str]) -> Iterator[Fault]:
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        yield Fault(place, f"{place} names {twice!r} twice.", "Name each column once.")


def _of_other_kind(place: str, name: str, side: SidePlan, of: str, kinds: Sequence[Kind]) -> Iterator[Fault]:
    if name not in side.columns or side.columns[name].kind in kinds:
        return
    fitting = [other for other, column in side.columns.items() if column.kind in kinds]
    wanted = " or ".join(kinds)
    choice = f"Name one of: {', '.join(fitting)}, or give" if fitting else "Give"
    yield Fault(
        place,
        f"{place} names {name!r}, a column of kind {side.columns[name].kind}, and takes one of kind {wanted}.",
        f"{choice} {name!r} another kind in {of}.columns.",
    )


def _pairs_of_columns(plan: Plan) -> Iterator[Fault]:
    """Yield where both sides must name as many columns, for the first of ours is held against the first of theirs."""
    for role in ("key", "group", "units"):
        ours, theirs = getattr(plan.ours, role), getattr(plan.theirs, role)
        if len(ours) != len(theirs):
            yield Fault(
                f"theirs.{role}",
                f"theirs.{role} names {_count(theirs)} and ours.{role} names {_count(ours)}.",
                "Name as many on either side, in the same order.",
            )


def _count(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names))
    return "no column" if not names else f"one column ({listed})" if len(names) == 1 else f"{len(names)} ({listed})"


def _compared(place: str, item: Compared, plan: Plan) -> Iterator[Fault]:
    sides = (("ours", item.ours, plan.ours), ("theirs", item.theirs, plan.theirs))
    for of, name, side in sides:
        yield from _unknown(f"{place}.{of}", (name,), side, of)
    if item.kind not in get_args(Kind):
        yield must_be(f"{place}.kind", f"one of {', '.join(get_args(Kind))}", item.kind)
        return
    if item.text_form not in get_args(TextForm):
        yield must_be(f"{place}.text_form", f"one of {', '.join(get_args(TextForm))}", item.text_form)
    elif item.text_form != "written" and item.kind != "text":
        yield Fault(f"{place}.text_form", f"{place} is compared as {item.kind}, which has no text_form.", "Remove it.")
    kinds = [side.columns[name].kind for _, name, side in sides if name in side.columns]
    if all(kind in _COMPARABLE[item.kind] for kind in kinds):
        return
    both = " and ".join(
        f"{of}.{name} is of kind {side.columns[name].kind}" for of, name, side in sides if name in side.columns
    )
    yield Fault(
        f"{place}.kind",
        f"{place}.kind is {item.kind}, but {both}.",
        f"A pair compared as {item.kind} is of kind {' or '.join(_COMPARABLE[item.kind])} on both sides: "
        "change the kind of the pair, or those of the columns.",
    )
