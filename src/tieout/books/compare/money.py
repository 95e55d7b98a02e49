"""Which amounts are reconciled, in which sign, scale and currency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
from sqlglot import exp

from tieout.books.compare.amounts import AmountChoice, amount_choices, amount_value, with_direction
from tieout.books.compare.column_profile import SideProfile
from tieout.books.compare.correspondence import lower_bound
from tieout.books.compare.direction import add_to_values, asked_directions
from tieout.books.compare.evidence import Agreements, keep_keys
from tieout.books.compare.keys import GroupSums, Search
from tieout.books.compare.names import words_of
from tieout.books.compare.overlap import Overlap
from tieout.books.compare.roles import (
    FEW_SEEN,
    SAME,
    AmountPair,
    Factor,
    Share,
    best_factor,
    currencies_of,
    is_crossed,
    overlap_shares,
    rank_amounts,
    share_of,
    stated_currency,
)
from tieout.books.compare.scale import exponents, scale_decision
from tieout.books.compare.settled import (
    InferOptions,
    Names,
    PlanUndecided,
    is_none,
    split_amounts,
    split_currency,
    split_scale,
)
from tieout.books.compare.statements import create, rows_of, run_file, select
from tieout.books.compare.wording import count, decided, percent
from tieout.engine.plan import Decision, SignedColumn
from tieout.store.trees import call, cast, column, integer, is_present, named

MEETINGS = 6
"""Pairs of amounts whose values are held against each other when no key pairs rows."""
MIN_SCORE = 0.08
ENOUGH_SEEN = 5
"""From so many paired rows on, amounts that are never equal are not the same thing."""
CONTRADICTED = 0.02
SELDOM_NEAR = 0.25
CODES_SHOWN = 4
"""Amounts less a fee or in another rate are near on most rows; those of strangers are seldom."""
ASKED = "as you said"


@dataclass(frozen=True)
class Money:
    """The amounts of both sides; None where a side has none. `evidence` says what agreement of them is counted in."""

    pair: AmountPair | None
    decisions: tuple[Decision, ...] = ()
    exponents: tuple[int, int] = (0, 0)

    def names(self, side: str) -> tuple[str, ...]:
        if self.pair is None:
            return ()
        return self.pair.ours.names if side == "ours" else self.pair.theirs.names

    @property
    def directions(self) -> frozenset[tuple[str, str]]:
        """The side and name of each column that gives an amount its sign."""
        if self.pair is None:
            return frozenset()
        told = (("ours", self.pair.ours.direction), ("theirs", self.pair.theirs.direction))
        return frozenset((side, direction.column) for side, direction in told if direction is not None)


@dataclass(frozen=True)
class CurrencyOf:
    """Where the currency of a side stands: a column, a constant, or nowhere."""

    column: str | None = None
    constant: str = ""


def asked_amounts(
    con: duckdb.DuckDBPyConnection,
    options: InferOptions,
    names: Names,
    ours: SideProfile,
    theirs: SideProfile,
    ignored: frozenset[tuple[str, str]],
) -> tuple[tuple[AmountChoice, ...], tuple[AmountChoice, ...], bool]:
    """Return the amounts to choose from on each side, and whether the user named any.

    Raises UnknownColumn, and PlanUndecided for a column named as an amount that holds no numbers.
    """
    if is_none(options.amount, names):
        return (), (), False
    directions = asked_directions(con, options, names, (ours, theirs), ignored)
    found = []
    for side, direction in zip((ours, theirs), directions, strict=True):
        if direction is not None:
            add_to_values(con, side, direction)
        left_out = frozenset(name for of, name in ignored if of == side.side)
        found.append(amount_choices(con, side, left_out, direction, is_asked=bool(options.direction)))
    if not options.amount:
        return found[0], found[1], False
    for place, terms in enumerate(split_amounts(options.amount, names)):
        if terms:
            side = (ours, theirs)[place]
            _require_numbers(side, terms)
            is_single = len(terms) == 1 and terms[0].sign == 1
            no = side.column(terms[0].column).no if is_single else 20_000
            named_amount = (AmountChoice(no, terms, 1.0),)
            found[place] = with_direction(named_amount, side, directions[place], is_asked=bool(options.direction))
    return found[0], found[1], True


def _require_numbers(side: SideProfile, terms: Sequence[SignedColumn]) -> None:
    for term in terms:
        if side.column(term.column).kind != "number":
            raise PlanUndecided(
                f"{term.column} of {side.name} cannot be read as numbers.",
                subject=term.column,
                remedy=f"Say how they are written, such as --number-format {term.column}=1.234,56, "
                "or name another column with --amount.",
            )


def amount_shares(
    search: Search, agreements: Agreements, sums: GroupSums | None, *, is_paired: bool
) -> Mapping[tuple[int, int], Share | None]:
    """Return how often each pair of amounts agrees: in sum over groups, on paired rows, or by values alone."""
    if sums:
        found: dict[tuple[int, int], Share | None] = {}
        for nos, group in sums.items():
            factor = best_factor(group.factors)
            found[nos] = Share(factor, group.factors[factor], 0.0, group.groups)
        return found
    if is_paired:
        return {
            (o.no, t.no): share_of(agreements.get((o.no, t.no)))
            for o in search.ours_amounts
            for t in search.theirs_amounts
        }
    shares = overlap_shares(search.overlaps)
    first = rank_amounts(search.ours_amounts, search.theirs_amounts, shares, search.likenesses)[:MEETINGS]
    return shares | {(pair.ours.no, pair.theirs.no): _met(search, pair) for pair in first}


def _met(search: Search, pair: AmountPair) -> Share:
    """Return what share of distinct amounts both sides have in common, under the factor that suits best."""
    for side, choice in ((search.ours, pair.ours), (search.theirs, pair.theirs)):
        value = amount_value(choice, side)
        query = exp.select(exp.alias_(value, "amount")).distinct().from_(f"infer_{side.side}")
        query = query.where(is_present(value.copy()), exp.NEQ(this=exp.paren(value.copy()), expression=integer(0)))
        create(search.con, f"infer_amount_{side.side}", query)
    ours, theirs, *counts = run_file(search.con, "amount_meet")[0]
    smaller = max(1, min(ours, theirs))
    factors: dict[Factor, float] = dict(zip(_FACTORS, (met / smaller for met in counts), strict=True))
    factor = best_factor(factors)
    # Signs and cents also meet by accident; they count only when they explain far more than the plain amounts.
    if factor != SAME and factors[factor] < 2 * factors[SAME] + 0.1:
        factor = SAME
    return Share(factor, factors[factor], 0.0)


_FACTORS: tuple[Factor, ...] = ((1, 0), (-1, 0), (1, 2), (1, -2), (-1, 2), (-1, -2))


def choose_money(
    search: Search,
    options: InferOptions,
    shares: Mapping[tuple[int, int], Share | None],
    told_by: str,
    *,
    is_asked: bool,
    is_paired: bool = False,
) -> Money:
    """Choose the amounts to reconcile; `told_by` names what their agreement was counted in: paired rows or others.

    Raises PlanUndecided when rows that are paired contradict the only amounts there are.
    """
    if options.amount and not is_asked:
        return Money(None, (decided("amount", "none", 1.0, ASKED, "--amount"),))
    ranked = rank_amounts(search.ours_amounts, search.theirs_amounts, shares, search.likenesses)
    ranked = [pair for pair in ranked if is_asked or pair.score >= MIN_SCORE]
    if not ranked:
        return Money(None)
    best = ranked[0]
    if is_asked:
        evidence, confidence = f"{ASKED}; {_told(best, told_by)}", 1.0
    else:
        if is_paired:
            _require_agreement(search, best, told_by)
        evidence, confidence = _told(best, told_by), _confidence(best)
        rival = _rival(best, ranked)
        if rival is not None:
            confidence = min(confidence, 0.5 if not (best.rate or 0) else 0.8)
            evidence += f"; {_label(rival)} would do as well"
    asked_scale = split_scale(options.scale) if options.scale else (None, None)
    powers = exponents(search.ours, search.theirs, best, asked_scale)
    scale = scale_decision(search.con, search.ours, search.theirs, best, powers, asked_scale, told_by)
    decisions = [decided("amount", _label(best), confidence, evidence, "--amount"), *_sign(best, told_by)]
    decisions += [*_directions(best), *scale]
    return Money(best, tuple(decisions), powers)


def _require_agreement(search: Search, pair: AmountPair, told_by: str) -> None:
    """Refuse amounts that only their names suggest when none of the rows that are paired bears them out."""
    is_contradicted = pair.seen >= ENOUGH_SEEN and (pair.rate or 0.0) < CONTRADICTED and pair.near < SELDOM_NEAR
    if not is_contradicted or pair.is_told:
        return
    raise PlanUndecided(
        f"No amount of {search.ours.name} agrees with one of {search.theirs.name}: the likeliest, {_label(pair)}, "
        f"is equal in {percent(pair.rate or 0.0)} of {told_by}.",
        subject="amount",
        remedy="Name the amounts with --amount OURS=THEIRS, or compare without amounts: --amount none.",
    )


def _told(pair: AmountPair, told_by: str) -> str:
    if pair.rate is None:
        return "by name"
    return (
        f"equal in {percent(pair.rate)} of {told_by}"
        if pair.factor == SAME
        else f"tie in {percent(pair.rate)} of {told_by}"
    )


def _confidence(pair: AmountPair) -> float:
    """Return how sure a pair of amounts is: what few rows tell counts for less, and a name alone is a guess."""
    named = math.sqrt(pair.ours.weight * pair.theirs.weight)
    rate = pair.rate or 0.0
    if pair.seen:
        rate = lower_bound(round(rate * pair.seen), pair.seen)
    confidence = min(0.98, 0.35 + 0.4 * named + 0.3 * rate)
    if is_crossed(pair.ours, pair.theirs) and not (pair.seen >= FEW_SEEN and rate >= 0.5):
        return min(confidence, 0.5)
    return min(confidence, 0.6) if pair.rate == 0 else confidence


def _rival(best: AmountPair, ranked: Sequence[AmountPair]) -> AmountPair | None:
    """Return another pair that is as good, where the two share a column so that they cannot both be right."""
    for pair in ranked[1:]:
        if best.score - pair.score > 0.02 * best.score:
            return None
        shares_one = (pair.ours.names == best.ours.names) != (pair.theirs.names == best.theirs.names)
        if shares_one and pair.ours.rate is None and pair.theirs.rate is None:
            return pair
    return None


def _label(pair: AmountPair) -> str:
    ours, theirs = pair.ours.label, pair.theirs.label
    return ours if ours == theirs else f"{ours} = {theirs}"


def _sign(pair: AmountPair, told_by: str) -> list[Decision]:
    if pair.factor[0] > 0:
        return []
    evidence = f"theirs is the negative of ours, so that {percent(pair.rate or 0.0)} of {told_by} tie"
    return [decided("sign", "theirs is turned round", 0.9, evidence, "--amount")]


def _directions(pair: AmountPair) -> list[Decision]:
    told = {choice.direction: choice for choice in (pair.ours, pair.theirs) if choice.direction is not None}
    if not told:
        return []
    label = ", ".join(f"{direction.column}: {' and '.join(direction.outgoing)} goes out" for direction in told)
    evidence = f"{', '.join(choice.names[0] for choice in told.values())} has no sign of its own"
    return [decided("direction", label, 0.9, evidence, "--direction")]


def signed_terms(choice: AmountChoice, sign: int) -> tuple[SignedColumn, ...]:
    """Return the columns of an amount, turned round when the sign is negative."""
    if sign > 0:
        return choice.terms
    return tuple(replace(term, sign=-1 if term.sign > 0 else 1) for term in choice.terms)


def keep_unique_amounts(search: Search, pair: AmountPair) -> None:
    """Keep the distinct amounts of both sides as keys, so that rows with a unique amount can be paired."""
    sign, power = pair.factor
    for side, choice in ((search.ours, pair.ours), (search.theirs, pair.theirs)):
        value: exp.Expression = exp.paren(amount_value(choice, side))
        if side.side == "theirs":
            if sign < 0:
                value = exp.Neg(this=value)
            if power > 0:
                value = exp.Mul(this=value, expression=integer(100))
        elif power < 0:
            value = exp.Mul(this=value, expression=integer(100))
        rounded = cast(
            exp.TryCast(this=exp.paren(value), to=exp.DataType.build("DECIMAL(24, 6)", dialect="duckdb")), "VARCHAR"
        )
        keep_keys(search.con, side.side, rounded, f"infer_{side.side}")


def choose_currencies(
    search: Search, options: InferOptions, names: Names, money: Money, ignored: frozenset[tuple[str, str]]
) -> tuple[CurrencyOf, CurrencyOf, tuple[Decision, ...]]:
    """Decide where the currency of each side stands. Raises UnknownColumn, and PlanUndecided for one that has none."""
    found: list[CurrencyOf] = []
    told: list[tuple[str, float]] = []
    asked = split_currency(options.currency, names) if options.currency else (None, None)
    for side, wanted in zip((search.ours, search.theirs), asked, strict=True):
        place, evidence, confidence = _currency_of(search, side, wanted, money, ignored)
        found.append(place)
        told.append((evidence, confidence))
    if asked == ("", ""):
        return found[0], found[1], (decided("currency", "none", 1.0, ASKED, "--currency"),)
    ours, theirs = _matched_columns(search, found, money, ignored, asked)
    ours, theirs, carried = _carried(search, ours, theirs)
    if money.pair is not None:
        _require_both_say(search, ours, theirs)
    decisions = _currency_decisions(ours, theirs, told, carried)
    return ours, theirs, decisions


def _require_both_say(search: Search, ours: CurrencyOf, theirs: CurrencyOf) -> None:
    """Refuse amounts in several currencies on a side when the other says none: no row of them could be equal."""
    for side, place, other, silent in (
        (search.ours, ours, search.theirs, theirs),
        (search.theirs, theirs, search.ours, ours),
    ):
        if place.column is None or silent.column or silent.constant:
            continue
        codes = _codes(search, side, place.column)
        if not codes:
            continue
        shown = f"{codes[0]}={place.column}" if side.side == "theirs" else f"{place.column}={codes[0]}"
        raise PlanUndecided(
            f"{side.name} has amounts in {_listed(codes)} ({place.column}); {other.name} does not say in which "
            "currency its amounts are.",
            subject="currency",
            remedy=f"Say it with --currency, such as --currency {shown}; --currency none compares amounts without it.",
        )


def _codes(search: Search, side: SideProfile, name: str) -> list[str]:
    """Return the currency codes that a column holds, the commonest first."""
    code = call("upper", call("trim", cast(exp.column(side.column(name).alias), "VARCHAR")))
    query = exp.select(exp.alias_(code, "code"), exp.alias_(exp.Count(this=exp.Star()), "rows"))
    query = query.from_(f"infer_{side.side}_raw").group_by("code").order_by(exp.column("rows").desc(), "code")
    return [text for text, _ in rows_of(search.con, query) if text]


def codes_set_aside(search: Search, money: Money, ours: CurrencyOf, theirs: CurrencyOf) -> set[tuple[str, str]]:
    """Return the columns of currency codes that say nothing when they are compared as text.

    Those of a side whose amount names its currency, for they are of another, and both where one side writes eur and
    the other EUR.
    """
    if ours.column is None or theirs.column is None:
        places = [(search.ours, ours), (search.theirs, theirs)]
        sides = [side for side, place in places if place.column is None and _is_named(place.constant, money, side)]
        return {(side.side, c.name) for side in sides for c in side.columns if c.is_currency and c.distinct > 1}
    told = []
    for side, name in ((search.ours, ours.column), (search.theirs, theirs.column)):
        code = call("trim", cast(column(side.column(name).alias), "VARCHAR"))
        query = select(f"infer_{side.side}_raw", named(code, "code")).distinct()
        told.append({text for (text,) in rows_of(search.con, query) if text})
    folded = [{code.upper() for code in codes} for codes in told]
    is_same_but_for_letters = not told[0] & told[1] and bool(folded[0] & folded[1])
    return {("ours", ours.column), ("theirs", theirs.column)} if is_same_but_for_letters else set()


def _is_named(code: str, money: Money, side: SideProfile) -> bool:
    """Say whether the amount of a side has a currency in its name: amount_eur."""
    return code in {word.upper() for name in money.names(side.side) for word in words_of(name)}


def _listed(codes: Sequence[str]) -> str:
    shown = list(codes[:CODES_SHOWN])
    if len(codes) > CODES_SHOWN:
        return f"{', '.join(shown)} and {len(codes) - CODES_SHOWN} more currencies"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _currency_of(
    search: Search, side: SideProfile, wanted: str | None, money: Money, ignored: frozenset[tuple[str, str]]
) -> tuple[CurrencyOf, str, float]:
    if wanted == "":
        return CurrencyOf(), ASKED, 1.0
    if wanted is not None:
        is_column = any(c.name == wanted for c in side.columns)
        if is_column and side.column(wanted).kind != "text":
            raise PlanUndecided(
                f"{wanted} of {side.name} holds no currency codes.",
                subject=wanted,
                remedy="Name another column, or a code such as --currency EUR.",
            )
        return (CurrencyOf(column=wanted) if is_column else CurrencyOf(constant=wanted)), ASKED, 1.0
    amount = money.names(side.side)
    code, sure, why = stated_currency(side, amount)
    columns = currencies_of(side, amount, ignored)
    if columns and _is_named(code, money, side):
        # Of amount, currency and amount_eur the codes go with the amount as it was paid.
        told = [c for c in columns if code in _codes(search, side, c.name)]
        if told and told[0].distinct > 1:
            return CurrencyOf(constant=code), f"{why}, though {told[0].name} holds others", sure
    if columns:
        also = f"; {len(columns) - 1} more such columns" if len(columns) > 1 else ""
        place = CurrencyOf(columns[0].name, code)
        return place, f"{columns[0].name} holds currency codes{also}", 0.95 if len(columns) == 1 else 0.8
    return CurrencyOf(constant=code), why, sure


def _matched_columns(
    search: Search,
    found: Sequence[CurrencyOf],
    money: Money,
    ignored: frozenset[tuple[str, str]],
    asked: tuple[str | None, str | None],
) -> tuple[CurrencyOf, CurrencyOf]:
    """Prefer, where a side has several currency columns and names leave it open, one that meets the other side's."""
    ours, theirs = found
    if asked != (None, None) or not (ours.column and theirs.column):
        return ours, theirs
    theirs_no = search.theirs.column(theirs.column).no
    best = ours
    for c in currencies_of(search.ours, money.names("ours"), ignored):
        met: Overlap | None = search.overlaps.get((c.no, theirs_no))
        if met is not None and met.common:
            return CurrencyOf(c.name, ours.constant), theirs
    return best, theirs


def _carried(search: Search, ours: CurrencyOf, theirs: CurrencyOf) -> tuple[CurrencyOf, CurrencyOf, str]:
    """Let a side that states no currency have the other's, when the other's amounts are all in one."""
    places = [ours, theirs]
    for at, side in ((0, search.ours), (1, search.theirs)):
        mine, other = places[at], places[1 - at]
        code = mine.constant or _only_code(search, side, mine)
        if code and not other.column and not other.constant:
            places[1 - at] = CurrencyOf(constant=code)
            return places[0], places[1], f"{side.name} is all in {code}, the other side states none"
    return ours, theirs, ""


def _only_code(search: Search, side: SideProfile, place: CurrencyOf) -> str:
    if place.column is None or side.column(place.column).distinct != 1:
        return ""
    value = exp.column(side.column(place.column).alias)
    query = exp.select(exp.Upper(this=exp.Max(this=value))).from_(f"infer_{side.side}_raw")
    return str(rows_of(search.con, query)[0][0] or "").strip()


def _currency_decisions(
    ours: CurrencyOf, theirs: CurrencyOf, told: Sequence[tuple[str, float]], carried: str
) -> tuple[Decision, ...]:
    choices = [place.column or place.constant for place in (ours, theirs)]
    if not any(choices):
        return ()
    reasons = [evidence for evidence, _ in told if evidence] + ([carried] if carried else [])
    sure = [confidence for evidence, confidence in told if evidence]
    confidence = min(min(sure, default=0.7), 0.7 if carried else 1.0)
    choice = choices[0] if choices[0] == choices[1] else " = ".join(text or "none" for text in choices)
    return (decided("currency", choice, confidence, "; ".join(dict.fromkeys(reasons)), "--currency"),)


def told_by_words(*, is_group: bool, is_paired: bool, pairs: int) -> str:
    """Return what the agreement of amounts was counted in."""
    if is_group:
        return "the groups in sum"
    return f"{count(pairs)} paired rows" if is_paired else "the distinct amounts"
