"""The plan of two measured inputs, and a decision for every choice in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import duckdb

from tieout.books.compare.amounts import AmountChoice
from tieout.books.compare.column_profile import Column, SideName, SideProfile
from tieout.books.compare.column_type import TEXT
from tieout.books.compare.correspondence import ColumnPair, is_compatible
from tieout.books.compare.fees import choose_fees
from tieout.books.compare.formats import shown
from tieout.books.compare.keyed_window import KeyWindow, window_of_key
from tieout.books.compare.lags import FARTHEST_DAYS, window_of
from tieout.books.compare.measured import MIN_PAIRS, Facts
from tieout.books.compare.money import CurrencyOf, choose_currencies, codes_set_aside, signed_terms
from tieout.books.compare.names import is_technical, says
from tieout.books.compare.quoted import quoted_columns
from tieout.books.compare.roles import (
    best_date,
    describing_pairs,
    is_mistyped_birth,
    is_worth_comparing,
    quantity_of,
    rank_dates,
    rate_of,
    text_columns,
    unit_pairs,
)
from tieout.books.compare.settled import InferOptions, PlanUndecided, split_sides
from tieout.books.compare.statements import accidents_of, lags_of
from tieout.books.compare.wording import count, days_told, decided, pair_label, percent
from tieout.engine.plan import ColumnType, Compared, Decision, Kind, Plan, Rules, SidePlan, TextForm
from tieout.store.trees import column

SIDES: tuple[SideName, SideName] = ("ours", "theirs")

LIKENESS = Rules(
    scoring="learned",
    auto_threshold=0.80,
    review_threshold=0.10,
)
"""How rows without a reference are paired where no book says otherwise: by what the rows themselves teach."""
SURE_NAME = 0.95
FEW_WORDS = 12
SAME_WORDS = 0.75
"""A column of so few values of which the other side has so many sorts rows in the same words; then each is compared."""
FEW_PAIRED = 1_000
"""Of more pairs the days alone tell which are accidents."""
MANY_VALUES = 20
"""Of so many values some would be on the other side as well, did both sides number the same things."""
OFTEN_REWRITTEN = 0.1
"""Where more of the pairs differ in nothing but capitals, accents and blanks, each side has its own way to write."""
Texts = tuple[tuple[str, ...], tuple[str, ...]]


def draft_plan(con: duckdb.DuckDBPyConnection, facts: Facts, options: InferOptions) -> Plan:
    """Put the plan together. Raises PlanUndecided when rows could only be matched by too little."""
    search, money = facts.search, facts.money
    ours_date, theirs_date, date_decisions = _dates(facts, options)
    texts, text_decisions = _texts(con, facts, options)
    units = _units(facts, texts)
    _require_evidence(facts, (ours_date, theirs_date), texts, units)
    ours_currency, theirs_currency, currency_decisions = choose_currencies(
        search, options, facts.names, money, search.ignored
    )
    keyed = window_of_key(con, facts, options, (ours_date, theirs_date))
    aside = codes_set_aside(search, money, ours_currency, theirs_currency)
    if keyed is not None and keyed.days is None:
        aside |= {(c.side, c.name) for c in (ours_date, theirs_date) if c is not None}
    compared, never = _compared(facts, (ours_date, theirs_date), texts, aside)
    rules, rule_decisions = _rules(con, facts, options, (ours_date, theirs_date), keyed)
    ours_types, theirs_types = _types_of(facts, compared, units)
    ours_units, theirs_units = tuple(pair.ours.name for pair in units), tuple(pair.theirs.name for pair in units)
    fees, fee_decisions = choose_fees(search, facts.tie, money, options, facts.names)
    ours = _side(facts, search.ours, ours_types, ours_date, texts[0], ours_units, ours_currency, fee=fees[0])
    theirs = _side(
        facts, search.theirs, theirs_types, theirs_date, texts[1], theirs_units, theirs_currency, fee=fees[1]
    )
    decisions = (
        *facts.tie.decisions,
        *_hint_decisions(facts),
        *money.decisions,
        *fee_decisions,
        *date_decisions,
        *currency_decisions,
        *text_decisions,
        *_unit_decisions(units),
        *_compared_decisions(facts, compared, never),
        *rule_decisions,
        *_format_decisions(facts, (ours, theirs), compared),
    )
    return Plan(ours, theirs, compared, rules, decisions)


def _require_evidence(facts: Facts, dates: Sequence[Column | None], texts: Texts, units: Sequence[ColumnPair]) -> None:
    """Refuse to match by likeness on nothing, or on amounts alone."""
    if facts.tie.by != "likeness":
        return
    ours, theirs = facts.names.ours_name, facts.names.theirs_name
    if facts.money.pair is None and not (all(texts) and (units or all(dates))):
        raise PlanUndecided(
            f"No column identifies a row of {ours} in {theirs}, and there are neither amounts on both sides "
            "to match by nor texts with something else to go by.",
            subject="key",
            remedy="Name a key with --on OURS=THEIRS, or the amounts with --amount OURS=THEIRS.",
        )
    if not (all(dates) or all(texts) or units):
        raise PlanUndecided(
            f"No column identifies a row of {ours} in {theirs}, "
            "and amounts alone do not tell which rows belong together.",
            subject="key",
            remedy="Name a key with --on OURS=THEIRS, dates with --date OURS=THEIRS, or texts with --text OURS=THEIRS.",
        )


def _dates(facts: Facts, options: InferOptions) -> tuple[Column | None, Column | None, tuple[Decision, ...]]:
    """Decide which column dates a row on each side."""
    search = facts.search
    if options.date:
        return _asked_dates(facts, options.date)
    ranked = rank_dates(search.ours, search.theirs, facts.agreements, search.likenesses, search.ignored)
    ranked = [item for item in ranked if item[0] >= 0.15]
    if not ranked:
        ours, theirs = best_date(search.ours, search.ignored), best_date(search.theirs, search.ignored)
        if (ours is None and theirs is None) or _is_unread(facts, ours, theirs):
            return None, None, ()
        return ours, theirs, (_date_decision(ours, theirs, 0.8, "only one side has dates"),)
    score, best_ours, best_theirs, agreement = ranked[0]
    evidence, confidence = "by name", min(0.9, 0.3 + 0.7 * score)
    if agreement is not None and agreement.present >= MIN_PAIRS:
        near, equal = agreement.close_days / agreement.present, agreement.rate
        evidence = f"within five days of each other on {percent(near)} of {count(agreement.present)} paired rows"
        if equal >= 0.5:
            evidence = f"the same on {percent(equal)} of {count(agreement.present)} paired rows"
        confidence = min(0.97, 0.35 + 0.65 * score)
    sharing = [r for r in ranked[1:] if (r[1].name == best_ours.name) != (r[2].name == best_theirs.name)]
    if sharing and sharing[0][0] >= 0.97 * score:
        evidence += f"; {pair_label(sharing[0][1], sharing[0][2])} would do as well"
        confidence = min(confidence, 0.7)
    return best_ours, best_theirs, (_date_decision(best_ours, best_theirs, confidence, evidence),)


def _is_unread(facts: Facts, *dates: Column | None) -> bool:
    """Say whether the other side has a column of dates as well that cannot be read: both are compared as texts."""
    return any(
        c in (pair.ours, pair.theirs) and not is_compatible(pair.ours, pair.theirs)
        for pair in facts.pairs
        for c in dates
        if c is not None
    )


def _asked_dates(facts: Facts, spec: str) -> tuple[Column | None, Column | None, tuple[Decision, ...]]:
    search = facts.search
    found = [
        side.column(name) if name else best_date(side, search.ignored)
        for side, name in zip((search.ours, search.theirs), split_sides(spec, facts.names, "--date"), strict=True)
    ]
    for c in found:
        if c is not None and c.kind not in ("date", "timestamp"):
            raise PlanUndecided(
                f"{c.name} of {facts.names.called(c.side)} cannot be read as dates.",
                subject=c.name,
                remedy=f"Say how they are written: --date-format {c.name}=DMY, or a pattern such as %d.%m.%Y.",
            )
    return found[0], found[1], (_date_decision(found[0], found[1], 1.0, "as you said"),)


def _date_decision(ours: Column | None, theirs: Column | None, confidence: float, evidence: str) -> Decision:
    return decided("date", pair_label(ours, theirs), confidence, evidence, "--date")


def _texts(con: duckdb.DuckDBPyConnection, facts: Facts, options: InferOptions) -> tuple[Texts, tuple[Decision, ...]]:
    """Decide which columns describe a row in words."""
    search = facts.search
    ours, theirs = (
        tuple(c.name for c in text_columns(side, _tied(facts, side.side), search.ignored))
        for side in (search.ours, search.theirs)
    )
    evidence, confidence = "by name and content", 0.8
    if options.text:
        asked_ours, asked_theirs = split_sides(options.text, facts.names, "--text")
        for side, asked in ((search.ours, asked_ours), (search.theirs, asked_theirs)):
            if asked and side.column(asked).kind != "text":
                raise PlanUndecided(
                    f"{asked} of {side.name} holds {side.column(asked).kind}s, not words.",
                    subject=asked,
                    remedy="Name a column that describes a row with --text.",
                )
        ours = (asked_ours,) if asked_ours else ours
        theirs = (asked_theirs,) if asked_theirs else theirs
        evidence, confidence = "as you said", 1.0
    elif facts.tie.by == "likeness":
        quoted = [
            quoted_columns(con, facts, "ours", ours, theirs),
            quoted_columns(con, facts, "theirs", theirs, ours),
        ]
        ours, theirs = ours + quoted[0], theirs + quoted[1]
        evidence += "".join(f"; {', '.join(names)}: quoted by the other side" for names in quoted if names)
    if not (ours and theirs):
        return (ours, theirs), ()
    label = " + ".join(ours) + ("" if ours == theirs else " = " + " + ".join(theirs))
    return (ours, theirs), (decided("text", label, confidence, evidence, "--text"),)


def _tied(facts: Facts, side: SideName) -> frozenset[str]:
    return frozenset(name for of, name in facts.tie.columns if of == side)


def _units(facts: Facts, texts: Texts) -> tuple[ColumnPair, ...]:
    """Return the hints that two rows are about the same thing; a shared key that identifies no row is the first."""
    if facts.tie.by == "likeness" and facts.money.pair is None:
        told = frozenset((side, name) for side, names in zip(SIDES, texts, strict=True) for name in names)
        shared = [pair for pair in facts.pairs if not _has_own_numbers(facts, pair)]
        return tuple(describing_pairs(shared, told, facts.search.ignored))
    hint = facts.tie.hint
    found = unit_pairs(facts.pairs, facts.tie.columns)
    if hint is None:
        return tuple(found)
    shared = [
        ColumnPair(o, t, hint.name, hint.overlap.containment, None, None, hint.strength)
        for o, t in zip(hint.ours, hint.theirs, strict=True)
    ]
    held = {(pair.ours.no, pair.theirs.no) for pair in shared}
    return (*shared, *(pair for pair in found if (pair.ours.no, pair.theirs.no) not in held))


def _hint_decisions(facts: Facts) -> tuple[Decision, ...]:
    """Say that no key was found, and what is matched by instead."""
    if facts.tie.by != "likeness" or facts.tie.decisions:
        return ()
    hint, refused = facts.tie.hint, facts.tie.refused
    if hint is None:
        evidence = "no column identifies a row on both sides; rows are matched by likeness"
        if refused:
            evidence += f" ({', '.join(refused)}: values in common, but the rows have nothing else in common)"
        return (decided("key", "none", 0.8, evidence, "--on"),)
    evidence = (
        f"rows that share {hint.label} neither repeat each other nor tie in sum; it only hints at what belongs together"
    )
    return (decided("key", "none", 0.5, evidence, "--on"),)


def _unit_decisions(units: Sequence[ColumnPair]) -> tuple[Decision, ...]:
    if not units:
        return ()
    label = ", ".join(pair_label(pair.ours, pair.theirs) for pair in units)
    return (decided("hints", label, 0.7, "the same values on both sides", "--plan"),)


def _compared(
    facts: Facts, dates: tuple[Column | None, Column | None], texts: Texts, aside: set[tuple[str, str]]
) -> tuple[tuple[Compared, ...], tuple[ColumnPair, ...]]:
    """Return the corresponding columns whose values must agree on matched rows, and those that never would.

    With a key that is all but the amount, which is compared as money; without one also dates, texts and hints are
    left out, since rows were matched by their likeness. What is set `aside` is not compared either. A group has no
    single row to compare with.
    """
    if facts.tie.by == "group":
        return (), ()
    dated = {(c.side, c.name) for c in dates if c is not None}
    out = _settled_otherwise(facts, texts) | aside | (dated if facts.tie.by == "likeness" else set())
    found: list[Compared] = []
    never: list[ColumnPair] = []
    for pair in facts.pairs:
        places = {("ours", pair.ours.name), ("theirs", pair.theirs.name)}
        is_half_dated = len(places & dated) == 1
        if places & out or is_half_dated or not (pair.ours.filled or pair.theirs.filled):
            continue
        if is_worth_comparing(pair):
            if _never_agrees(facts, pair, texts):
                never.append(pair)
            else:
                found.append(_as_compared(facts, pair))
    if not found and facts.money.pair is None:
        # Nothing else would be held against each other: that all of it differs is then the finding.
        alike = [pair for pair in never if pair.name >= SURE_NAME]
        found = [_as_compared(facts, pair) for pair in alike]
        never = [pair for pair in never if pair not in alike]
    ours_date, theirs_date = dates
    if facts.tie.by == "key" and ours_date is not None and theirs_date is not None:
        is_there = any(item.ours == ours_date.name or item.theirs == theirs_date.name for item in found)
        is_free = not dated & (facts.tie.columns | out)
        if is_free and not is_there:
            kind: Kind = "timestamp" if ours_date.kind == theirs_date.kind == "timestamp" else "date"
            found.append(Compared(ours_date.name, ours_date.name, theirs_date.name, kind))
    return tuple(sorted(found, key=lambda item: item.name)), tuple(sorted(never, key=lambda pair: pair.ours.name))


def _as_compared(facts: Facts, pair: ColumnPair) -> Compared:
    agreement, kind = facts.agreements.get((pair.ours.no, pair.theirs.no)), _kind(pair)
    is_often = agreement is not None and agreement.rewritten >= max(MIN_PAIRS, OFTEN_REWRITTEN * agreement.present)
    form: TextForm = "folded" if kind == "text" and is_often else "written"
    return Compared(pair.ours.name, pair.ours.name, pair.theirs.name, kind, form)


def _settled_otherwise(facts: Facts, texts: Texts) -> set[tuple[str, str]]:
    """Return the columns that are no values to compare: amounts and their signs, the key, what rows are matched by."""
    out = {(side, name) for side in SIDES for name in facts.money.names(side)} | facts.tie.columns
    out |= facts.money.directions
    if facts.tie.by == "likeness":
        out |= {(side, name) for side, names in zip(SIDES, texts, strict=True) for name in names}
        out |= {(c.side, c.name) for c in (*facts.tie.hint.ours, *facts.tie.hint.theirs)} if facts.tie.hint else set()
    return out


def _never_agrees(facts: Facts, pair: ColumnPair, texts: Texts) -> bool:
    """Say whether two columns are of the same sort but never the same: each side's own numbers, or its own wording."""
    wording = pair.ours.name in texts[0] and pair.theirs.name in texts[1]
    is_own = _has_own_numbers(facts, pair) or _has_own_words(facts, pair)
    return is_own or (wording and _agrees_less(facts, pair, 0.3))


def _has_own_numbers(facts: Facts, pair: ColumnPair) -> bool:
    """Say whether each side numbers its rows in its own way in two columns."""
    is_dated = says(pair.ours.name, "date", "created") and says(pair.theirs.name, "date", "created")
    is_unique = min(pair.ours.uniqueness, pair.theirs.uniqueness) >= 0.9
    if not is_unique or is_dated or pair.ours.kind != "text":
        return False
    return _agrees_less(facts, pair, 0.05) if pair.rate is not None else _has_nothing_in_common(facts, pair)


def _has_nothing_in_common(facts: Facts, pair: ColumnPair) -> bool:
    overlap = facts.search.overlaps.get((pair.ours.no, pair.theirs.no))
    is_many = min(pair.ours.distinct, pair.theirs.distinct) >= MANY_VALUES
    is_number = says(pair.ours.name, "id", "reference") and not says(pair.ours.name, "phone", "email", "card")
    return is_many and is_number and (overlap is None or overlap.containment < 0.05)


def _has_own_words(facts: Facts, pair: ColumnPair) -> bool:
    """Say whether each side sorts its rows in words of its own: sale and refund, charge and refund."""
    overlap = facts.search.overlaps.get((pair.ours.no, pair.theirs.no))
    is_few = max(pair.ours.distinct, pair.theirs.distinct) <= FEW_WORDS and pair.ours.kind == pair.theirs.kind == "text"
    is_shared = overlap is not None and overlap.containment >= SAME_WORDS
    return is_few and not is_shared and _agrees_less(facts, pair, 0.3)


def _agrees_less(facts: Facts, pair: ColumnPair, share: float) -> bool:
    """Say whether enough paired rows were seen, and the columns agree on less than a share of them."""
    agreement = facts.agreements.get((pair.ours.no, pair.theirs.no))
    return pair.rate is not None and agreement is not None and agreement.present >= 5 and pair.rate < share


def _kind(pair: ColumnPair) -> Kind:
    if is_mistyped_birth(pair):
        return "text"
    ours, theirs = pair.ours.type.kind, pair.theirs.type.kind
    if ours == theirs:
        return ours
    if {ours, theirs} == {"date", "timestamp"}:
        return "date"
    plain = all(c.is_digits and c.max_length <= 12 and not c.look.zero_led for c in (pair.ours, pair.theirs))
    return "number" if plain and {ours, theirs} == {"text", "number"} else "text"


def _types_of(
    facts: Facts, compared: Sequence[Compared], units: Sequence[ColumnPair]
) -> tuple[dict[str, ColumnType], dict[str, ColumnType]]:
    """Return the type of every column of both sides; columns compared with each other are of one kind.

    Numbers that name groups are text: 0042 and 42 are two of them.
    """
    ours, theirs = ({c.name: c.type for c in side.columns} for side in (facts.search.ours, facts.search.theirs))
    for pair in units:
        if is_mistyped_birth(pair):
            ours[pair.ours.name] = theirs[pair.theirs.name] = TEXT
    for item in compared:
        for types, name in ((ours, item.ours), (theirs, item.theirs)):
            is_text = types[name].kind == "text"
            if item.kind == "number" and is_text:
                types[name] = ColumnType("number")
            if item.kind == "text" and not is_text:
                types[name] = TEXT
    if facts.tie.by == "group":
        for side, name in facts.tie.columns:
            types = ours if side == "ours" else theirs
            if types[name].kind == "number" and name not in facts.money.names(side):
                types[name] = TEXT
    return ours, theirs


def _number_role(c: Column | None, types: Mapping[str, ColumnType]) -> str | None:
    """Return the name of the column unless it is compared as text, because the other side's is."""
    return c.name if c is not None and types[c.name].kind == "number" else None


def _rules(
    con: duckdb.DuckDBPyConnection,
    facts: Facts,
    options: InferOptions,
    dates: tuple[Column | None, Column | None],
    keyed: KeyWindow | None,
) -> tuple[Rules, tuple[Decision, ...]]:
    """Set tolerance and window; without a key the window comes from rows that a unique amount pairs."""
    days = options.window_days or 0
    decisions: tuple[Decision, ...] = ()
    ours_date, theirs_date = dates
    if options.window_days is not None:
        decisions = (decided("window", days_told(days), 1.0, "as you said", "--window-days"),)
    elif keyed is not None:
        days, decisions = keyed.days or 0, (keyed.decision,)
    elif facts.tie.by == "likeness" and ours_date is not None and theirs_date is not None:
        dated = (column(ours_date.alias), column(theirs_date.alias))
        lags, chances = lags_of(con, *dated, FARTHEST_DAYS) if facts.paired else ({}, {})
        is_by_amount = facts.money.pair is not None
        accidents = accidents_of(con) if is_by_amount and 0 < sum(lags.values()) <= FEW_PAIRED else inf
        paired_by = "a unique amount" if is_by_amount else "a value that identifies most"
        days, confidence, evidence = window_of(lags, chances, accidents, paired_by)
        decisions = (decided("window", days_told(days), confidence, evidence, "--window-days"),)
    rules = replace(
        LIKENESS,
        tolerance_micros=options.tolerance_micros or 0,
        tolerance_ppm=options.tolerance_ppm or 0,
        window_days=days,
        reference_form=facts.tie.reference_form,
    )
    return rules, decisions


def _side(
    facts: Facts,
    side: SideProfile,
    types: dict[str, ColumnType],
    day: Column | None,
    text: tuple[str, ...],
    units: tuple[str, ...],
    currency: CurrencyOf,
    *,
    fee: Column | None,
) -> SidePlan:
    """Return one side of the plan."""
    tie, pair, ignored = facts.tie, facts.money.pair, facts.search.ignored
    is_ours = side.side == "ours"
    tied = tuple(c.name for c in (tie.finding.ours if is_ours else tie.finding.theirs)) if tie.finding else ()
    choice: AmountChoice | None = None if pair is None else pair.ours if is_ours else pair.theirs
    sign = 1 if pair is None or is_ours else pair.factor[0]
    names = choice.names if choice else ()
    quantity, rate = quantity_of(side, ignored), rate_of(side, ignored)
    used_rate = choice.rate if choice is not None and choice.rate else rate.name if rate else None
    return SidePlan(
        columns=types,
        key=tied if tie.by == "key" else (),
        group=tied if tie.by == "group" else (),
        amount=signed_terms(choice, sign) if choice else (),
        amount_exponent=facts.money.exponents[0 if is_ours else 1],
        direction=choice.direction if choice else None,
        currency=currency.column,
        currency_constant=currency.constant,
        date=day.name if day else None,
        text=text,
        quantity=_number_role(quantity, types) if quantity and quantity.name not in names else None,
        fee=_number_role(fee, types),
        fx_rate=used_rate,
        converts=choice is not None and choice.rate is not None,
        units=units,
    )


def _compared_decisions(
    facts: Facts, compared: Sequence[Compared], never: Sequence[ColumnPair]
) -> tuple[Decision, ...]:
    """Say which columns are held against each other, how they were found, and which are alike but are not compared."""
    found: list[Decision] = []
    by_place = {(pair.ours.name, pair.theirs.name): pair for pair in facts.pairs}
    if compared:
        found.append(_compared_decision(by_place, compared))
    elif facts.tie.by != "group" and facts.money.pair is None:
        evidence = "no other columns correspond, so that only the presence of rows is compared"
        found.append(decided("compared", "nothing", 0.6, evidence, "--plan"))
    for item in compared:
        pair = by_place.get((item.ours, item.theirs))
        if item.text_form == "folded" and pair is not None:
            found.append(_folded_decision(facts, pair))
    for pair in never:
        seen = "hardly a value in common" if pair.rate is None else f"equal on only {percent(pair.rate)} of paired rows"
        evidence = f"{seen}: each side has its own"
        found.append(decided("not compared", pair_label(pair.ours, pair.theirs), 0.7, evidence, "--plan"))
    loading = [pair for pair in facts.pairs if is_technical(pair.ours.name) and pair.ours.filled and pair.theirs.filled]
    if loading:
        label = ", ".join(sorted(pair_label(pair.ours, pair.theirs) for pair in loading))
        found.append(decided("not compared", label, 0.8, "by name it tells how rows were loaded", "--plan"))
    return tuple(found)


def _folded_decision(facts: Facts, pair: ColumnPair) -> Decision:
    agreement = facts.agreements[pair.ours.no, pair.theirs.no]
    evidence = f"all that differs on {count(agreement.rewritten)} of {count(agreement.present)} paired rows"
    choice = f"{pair_label(pair.ours, pair.theirs)} without capitals, accents and further blanks"
    return decided("compared as", choice, 0.9, evidence, "--plan")


def _compared_decision(by_place: Mapping[tuple[str, str], ColumnPair], compared: Sequence[Compared]) -> Decision:
    labels, guessed, sure = [], [], []
    for item in compared:
        label = item.ours if item.ours == item.theirs else f"{item.ours} = {item.theirs}"
        pair = by_place.get((item.ours, item.theirs))
        labels.append(label)
        if pair is not None:
            sure.append(max(pair.name, pair.lift or 0.0, pair.content))
            guessed += [label] if pair.name < 0.7 else []
    evidence = [f"{len(labels) - len(guessed)} by name"] if len(labels) > len(guessed) else []
    evidence += [f"by their values: {', '.join(guessed)}"] if guessed else []
    return decided("compared", ", ".join(labels), min(0.97, *sure, 1.0), "; ".join(evidence), "--ignore")


def _format_decisions(facts: Facts, sides: Sequence[SidePlan], compared: Sequence[Compared]) -> tuple[Decision, ...]:
    """Say how columns in use are read where that is not plain, and every format that was a close call."""
    found = []
    for profile, side in zip((facts.search.ours, facts.search.theirs), sides, strict=True):
        used = {term.column for term in side.amount} | {side.date, side.fee, side.quantity, side.fx_rate}
        used |= {item.ours if profile.side == "ours" else item.theirs for item in compared}
        for c in sorted(profile.columns, key=lambda c: c.name):
            if c.name in used and side.columns[c.name].kind != "text":
                found += _format_decision(facts, c)
    return tuple(found)


def _format_decision(facts: Facts, c: Column) -> list[Decision]:
    option = "--number-format" if c.kind == "number" else "--date-format"
    subject = f"format of {c.name} ({c.side})"
    verdict = facts.verdicts.get((c.side, c.name))
    if verdict is not None:
        return [decided(subject, shown(verdict.type), verdict.confidence, verdict.evidence, option)]
    share = c.parsed / c.filled if c.filled else 1.0
    if c.type == ColumnType(c.type.kind) and share == 1.0:
        return []
    evidence = f"{count(c.parsed)} of {count(c.filled)} values can be read so"
    others = [reading.parsed for reading in c.measured if _reads_otherwise(reading.type, c.type)]
    if others and max(others) < c.parsed:
        evidence += f", {count(c.parsed - max(others))} of them in no other way"
    return [decided(subject, shown(c.type), 0.6 + 0.39 * share, evidence, option)]


def _reads_otherwise(other: ColumnType, chosen: ColumnType) -> bool:
    """Say whether a format would read texts as other values: another order of the day, another decimal mark."""
    if other.kind == chosen.kind == "number":
        return other.decimal_mark != chosen.decimal_mark
    return other.kind != "number" and chosen.kind != "number" and other.date_format != chosen.date_format
