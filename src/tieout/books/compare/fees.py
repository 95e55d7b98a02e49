"""Which columns hold fees that may explain a gap: found by name, believed when the rows bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from tieout.books.compare.amounts import AmountChoice, amount_value
from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.correspondence import lower_bound
from tieout.books.compare.keys import Search, keep_members
from tieout.books.compare.money import Money
from tieout.books.compare.names import says
from tieout.books.compare.roles import fee_of
from tieout.books.compare.settled import InferOptions, Names, PlanUndecided, is_none, split_sides
from tieout.books.compare.statements import create, rows_of, run_file, select
from tieout.books.compare.tie import Tie, TiedBy
from tieout.books.compare.wording import count, decided
from tieout.engine.plan import Decision, SignedColumn
from tieout.store.trees import call, cast, column, integer, is_present, named

ENOUGH_ROWS = 3
NET_SHARE = 0.95
_UNITS: dict[TiedBy, str] = {"key": "keys", "group": "groups", "likeness": "amounts on both sides"}

Fees = tuple[Column | None, Column | None]


@dataclass(frozen=True)
class _Told:
    """What rows say: on how many the fees differ, and whether the amounts are equal or apart by just that."""

    differing: int
    equal: int
    explained: int

    @property
    def gaps(self) -> int:
        return self.differing - self.equal


def choose_fees(
    search: Search, tie: Tie, money: Money, options: InferOptions, names: Names
) -> tuple[Fees, tuple[Decision, ...]]:
    """Decide which columns state a fee that may be the cause of a gap. Raises UnknownColumn and PlanUndecided."""
    if is_none(options.fee, names):
        return (None, None), (decided("fee", "none", 1.0, "as you said", "--fee"),)
    if options.fee:
        asked = _asked(search, options.fee, names)
        return asked, (decided("fee", _label(asked), 1.0, "as you said", "--fee"),)
    found = (
        fee_of(search.ours, money.names("ours"), search.ignored),
        fee_of(search.theirs, money.names("theirs"), search.ignored),
    )
    if money.pair is None or found == (None, None):
        return (None, None), ()
    told = _told_by_rows(search, tie, money, found)
    is_cause, confidence, evidence = _judged(search, money, found, told, _UNITS[tie.by])
    if is_cause:
        return found, (decided("fee", _label(found), confidence, evidence, "--fee"),)
    return (None, None), (decided("fee", "none", confidence, f"{_label(found)}: {evidence}", "--fee"),)


def _asked(search: Search, spec: str, names: Names) -> Fees:
    asked = split_sides(spec, names, "--fee")
    found = [
        side.column(name) if name else None for side, name in zip((search.ours, search.theirs), asked, strict=True)
    ]
    for c in found:
        if c is not None and c.kind != "number":
            raise PlanUndecided(
                f"{c.name} of {names.called(c.side)} cannot be read as numbers.",
                subject=c.name,
                remedy=f"Name another column with --fee, or say how it is written: --number-format {c.name}=1.234,56.",
            )
    return found[0], found[1]


def _label(fees: Fees) -> str:
    ours, theirs = (c.name if c is not None else "none" for c in fees)
    return ours if ours == theirs else f"{ours} = {theirs}"


def _told_by_rows(search: Search, tie: Tie, money: Money, fees: Fees) -> _Told | None:
    """See whether gaps are the fees: on tied rows, else on amounts that both sides have; None where nothing tells."""
    pair = money.pair
    if pair is None or (tie.finding is None and None not in fees):
        return None
    choices = (pair.ours, pair.theirs)
    stated = [_as_amount(c) for c in fees]
    if tie.finding is not None:
        wanted = [[choice, *([fee] if fee else [])] for choice, fee in zip(choices, stated, strict=True)]
        keep_members(search, (tie.finding.ours, tie.finding.theirs), wanted)
    lowest = min(money.exponents)
    for side, choice, fee, power in zip((search.ours, search.theirs), choices, stated, money.exponents, strict=True):
        sign = pair.factor[0] if side.side == "theirs" else 1
        create(search.con, f"infer_fee_{side.side}", _amounts_and_fees(side, tie, choice, fee, (sign, power - lowest)))
    return _Told(*run_file(search.con, "fee_told" if tie.finding is not None else "fee_met")[0])


def _as_amount(c: Column | None) -> AmountChoice | None:
    return AmountChoice(c.no, (SignedColumn(c.name),), 1.0) if c is not None else None


def _amounts_and_fees(
    side: SideProfile, tie: Tie, choice: AmountChoice, fee: AmountChoice | None, scale: tuple[int, int]
) -> exp.Select:
    """Return the query for amount and fee by key, or by row where nothing ties rows; both sides in one scale."""
    sign, power = scale
    if tie.finding is not None:
        table, key = f"infer_member_{side.side}", column("key")
        amount: exp.Expression = column(f"a{choice.no}")
        charged: exp.Expression = column(f"a{fee.no}") if fee else integer(0)
    else:
        table, key = f"infer_{side.side}", column("row_no")
        amount = amount_value(choice, side)
        charged = amount_value(fee, side) if fee else integer(0)
    amount = exp.Mul(this=exp.paren(call("sum", amount)), expression=integer(sign * 10**power))
    charged = exp.Mul(this=exp.paren(call("sum", charged)), expression=integer(10**power))
    values = [
        named(cast(exp.paren(value), "DECIMAL(38, 6)"), name) for value, name in ((amount, "amount"), (charged, "fee"))
    ]
    query = select(table, named(key, "key"), *values)
    query.set("group", exp.Group(expressions=[key.copy()]))
    return query


def _judged(search: Search, money: Money, fees: Fees, told: _Told | None, unit: str) -> tuple[bool, float, str]:
    """Say whether fees may explain gaps, how sure that is, and why."""
    if told is not None and told.differing:
        of = f"{count(told.differing)} {unit} with a fee"
        if told.explained and 2 * told.explained >= told.gaps:
            share = lower_bound(told.explained, told.gaps)
            return True, 0.6 + 0.35 * share, f"ours less theirs is the fee in {count(told.explained)} of {of}"
        if told.equal:
            said = f"the amounts are equal in {count(told.equal)} of {of}, so that it is no cause of a gap"
            return False, 0.6 + 0.35 * lower_bound(told.equal, told.differing), said
        if told.gaps >= ENOUGH_ROWS:
            return False, 0.7, f"the gap is the fee in {count(told.explained)} of {of}"
    if None in fees:
        for side, choice, fee in zip((search.ours, search.theirs), _choices(money), fees, strict=True):
            after = _is_after(search, side, choice, fee) if fee is not None else ""
            if after:
                return False, 0.7, after
    return True, 0.6, "by name; no row tells whether it explains a gap"


def _choices(money: Money) -> Sequence[AmountChoice]:
    return (money.pair.ours, money.pair.theirs) if money.pair else ()


def _is_after(search: Search, side: SideProfile, choice: AmountChoice, fee: Column) -> str:
    """Return why the amount of a side is after its fee, by name or since another column less the fee is it; or ''."""
    if any(says(name, "net") for name in choice.names):
        return f"{choice.label} of {side.name} is after the fee by name"
    others = [c for c in side.columns if c.kind == "number" and c.name not in (*choice.names, fee.name)]
    if not others:
        return ""
    amount, charged = amount_value(choice, side), column(fee.alias)
    has_fee = exp.NEQ(this=charged, expression=integer(0))
    equal = [
        call(
            "count_if", exp.EQ(this=exp.Sub(this=column(c.alias), expression=charged.copy()), expression=amount.copy())
        )
        for c in others
    ]
    wanted = [named(value, f"v{place}") for place, value in enumerate((exp.Count(this=exp.Star()), *equal))]
    query = select(f"infer_{side.side}", *wanted, where=exp.and_(has_fee, is_present(amount.copy())))
    rows, *hits = rows_of(search.con, query)[0]
    for c, hit in zip(others, hits, strict=True):
        if rows >= ENOUGH_ROWS and hit >= NET_SHARE * rows:
            return f"{choice.label} of {side.name} is {c.name} less the fee"
    return ""
