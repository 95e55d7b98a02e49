"""In which power of ten amounts are written: units, or cents and the like."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
from sqlglot import exp

from tieout.books.compare.amounts import AmountChoice
from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.names import normalised, words_of
from tieout.books.compare.roles import AmountPair, currencies_of
from tieout.books.compare.statements import rows_of, select
from tieout.books.compare.wording import decided, percent
from tieout.engine.parse import is_decimal, is_text
from tieout.engine.plan import Decision
from tieout.store.trees import call, column, integer, named, string

_MINOR_WORDS = {"cents": -2, "cent": -2, "minor": -2, "pence": -2, "centimes": -2, "micros": -6, "micro": -6}
_SCALE_NAMES = {0: "units", -2: "hundredths", -3: "thousandths", -6: "millionths"}
_MINOR_NAMES = frozenset({"livemode", "unit amount", "amount refunded", "balance transaction", "amount captured"})
"""Names of columns that stand beside amounts in cents where payment providers give them out."""
_NO_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
"""Currencies without a smaller unit (ISO 4217)."""
TELLING_ROWS = 12
SMALL_SHARE = 0.05
ROUND_SHARE = 0.5


Powers = tuple[int, int]


def exponents(
    ours_side: SideProfile, theirs_side: SideProfile, pair: AmountPair, asked: tuple[int | None, int | None]
) -> Powers:
    """Return the exponents of ours and theirs: as asked, by the ratio that was seen, by names that speak of cents."""
    _, power = pair.factor
    ours, theirs = _power_by_name(pair.ours.names), _power_by_name(pair.theirs.names)
    is_seen = bool(pair.rate)
    if asked[0] is not None:
        ours = asked[0]
        theirs = asked[1] if asked[1] is not None else ours + power if is_seen else theirs
    elif asked[1] is not None:
        theirs = asked[1]
        ours = theirs - power if is_seen else ours
    elif power > 0:
        ours = ours if theirs == ours + power else theirs - power
    elif power < 0:
        theirs = theirs if ours == theirs - power else ours + power
    elif is_seen and ours != theirs:
        # The same numbers on both sides are in the same scale; those with decimals are no cents, whatever their name.
        is_whole = _is_whole(ours_side, pair.ours) and _is_whole(theirs_side, pair.theirs)
        ours = theirs = min(ours, theirs) if is_whole else 0
    return ours, theirs


def _power_by_name(names: Iterable[str]) -> int:
    """Return the power of ten by which the name of an amount says that it is scaled: -2 for cents."""
    found = {_MINOR_WORDS[word] for name in names for word in words_of(name) if word in _MINOR_WORDS}
    return found.pop() if len(found) == 1 else 0


def scale_decision(
    con: duckdb.DuckDBPyConnection,
    ours: SideProfile,
    theirs: SideProfile,
    pair: AmountPair,
    powers: Powers,
    asked: tuple[int | None, int | None],
    told_by: str,
) -> list[Decision]:
    """Say in which scale amounts are taken where that is not plain: as asked, scaled, or whole on both sides."""
    choice = _shown(powers)
    if asked != (None, None):
        return [decided("scale", choice, 1.0, "as you said", "--scale")]
    if pair.factor[1]:
        evidence = f"the ratio is 100, so that {percent(pair.rate or 0.0)} of {told_by} tie"
        return [decided("scale", choice, 0.9, evidence, "--scale")]
    if powers != (0, 0):
        return [decided("scale", choice, 0.9, "by name", "--scale")]
    sides = ((ours, pair.ours), (theirs, pair.theirs))
    if not all(_is_whole(side, amount) for side, amount in sides):
        return []
    hints = [hint for side, amount in sides if (hint := _hint_of_cents(con, side, amount))]
    evidence = "whole numbers on both sides, taken as they stand"
    if not hints:
        return [decided("scale", choice, 0.75, evidence, "--scale")]
    return [decided("scale", choice, 0.5, f"{evidence}; {hints[0]}: --scale cents takes them as hundredths", "--scale")]


def _shown(powers: Powers) -> str:
    ours, theirs = (_SCALE_NAMES.get(power, f"10^{power}") for power in powers)
    if ours == theirs:
        return f"both in {ours}"
    if not powers[0]:
        return f"theirs is in {theirs}"
    return f"ours is in {ours}" if not powers[1] else f"ours is in {ours}, theirs in {theirs}"


def _is_whole(side: SideProfile, amount: AmountChoice) -> bool:
    """Say whether an amount is written without decimals; those of 10.00 are units."""
    return amount.rate is None and all(_is_written_whole(side.column(name)) for name in amount.names)


def _is_written_whole(c: Column) -> bool:
    if not c.is_whole or is_decimal(c.source_type):
        return False
    return not is_text(c.source_type) or not any(c.type.decimal_mark in shape.text for shape in c.look.shapes)


def _hint_of_cents(con: duckdb.DuckDBPyConnection, side: SideProfile, amount: AmountChoice) -> str:
    """Return what speaks for cents, by names or by values that money in units seldom has; '' for nothing."""
    if _has_no_cents(con, side, amount):
        return ""
    beside = sorted(c.name for c in side.columns if normalised(c.name) in _MINOR_NAMES or "money" in words_of(c.name))
    if beside:
        return f"{beside[0]} of {side.name} is usual where amounts are in cents"
    values = [call("abs", column(side.column(name).alias)) for name in amount.names]
    value = values[0] if len(values) == 1 else call("greatest", *values)
    is_round = exp.EQ(this=exp.Mod(this=exp.paren(value.copy()), expression=integer(100)), expression=integer(0))
    query = select(
        f"infer_{side.side}",
        named(exp.Count(this=exp.Star()), "rows"),
        named(call("count_if", exp.LT(this=value, expression=integer(100))), "small"),
        named(call("count_if", is_round), "round"),
        where=exp.GT(this=value.copy(), expression=integer(0)),
    )
    rows, small, whole = rows_of(con, query)[0]
    if rows >= TELLING_ROWS and small <= SMALL_SHARE * rows and whole <= ROUND_SHARE * rows:
        return f"nearly all amounts of {side.name} are 100 or more, and few are round"
    return ""


def _has_no_cents(con: duckdb.DuckDBPyConnection, side: SideProfile, amount: AmountChoice) -> bool:
    columns = currencies_of(side, amount.names, frozenset())
    if not columns:
        return False
    code = call("upper", call("trim", column(columns[0].alias)))
    is_other = exp.Not(this=exp.In(this=code, expressions=[string(known) for known in sorted(_NO_CENTS)]))
    query = select(f"infer_{side.side}_raw", named(call("count_if", is_other), "others"))
    return not rows_of(con, query)[0][0]
