"""Which columns of a side could be its amount: single columns of numbers, and pairs of credit and debit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb
from sqlglot import exp

from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.direction import turned
from tieout.books.compare.names import is_technical, meanings_of, says
from tieout.books.compare.statements import rows_of, select
from tieout.engine.plan import Direction, SignedColumn
from tieout.store.trees import call, column, integer, is_present, named, try_cast

BOTH_AT_ONCE = 0.05
"""A credit and a debit of the same thing seldom stand in one row; a total or a mistake may."""
FIRST_AMOUNT_NO = 10_000
"""Amounts that are no single column are numbered from here on; the others bear the number of their column."""


FIRST_DIRECTED_NO = 20_001
"""Amounts that a direction signs bear the number of their column beyond this one; one that is named 20,000."""
FEW_NEGATIVES = 0.05
"""A reversal of a debit may be negative beside a column that says debit; where many are, the sign is there already."""
UNSIGNED = 0.85
"""Where amounts tie either way, those are taken whose column of directions is heeded."""


@dataclass(frozen=True)
class AmountChoice:
    """A way to an amount: one column, or credit less debit, or (with `rate`) a column times an exchange rate.

    With `direction` another column gives the sign.

    `weight` says how much the names alone speak for it, 0 to 1.
    """

    no: int
    terms: tuple[SignedColumn, ...]
    weight: float
    rate: str | None = None
    direction: Direction | None = None

    @property
    def label(self) -> str:
        parts = [("- " if term.sign < 0 else "+ ") + term.column for term in self.terms]
        text = " ".join(parts).removeprefix("+ ")
        text = f"{text} by {self.direction.column}" if self.direction else text
        return f"{text} × {self.rate}" if self.rate else text

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(term.column for term in self.terms)


def amount_choices(
    con: duckdb.DuckDBPyConnection,
    side: SideProfile,
    ignored: frozenset[str] = frozenset(),
    direction: Direction | None = None,
    *,
    is_asked: bool = False,
) -> tuple[AmountChoice, ...]:
    """Return every way to an amount that a side offers, by name of its columns, and `with_direction` those signed."""
    numbers = [c for c in side.columns if c.kind == "number" and c.parsed and c.name not in ignored]
    numbers = sorted((c for c in numbers if not is_technical(c.name)), key=lambda c: c.name)
    terms: list[tuple[tuple[SignedColumn, ...], float, str | None]] = []
    for credit, debit in _credit_and_debit(con, numbers):
        is_signed = debit.negatives > 0 and debit.negatives >= 0.9 * (debit.parsed - debit.zeros)
        taken = SignedColumn(debit.name) if is_signed else SignedColumn(debit.name, -1)
        terms.append(((SignedColumn(credit.name), taken), 1.0, None))
    terms += [((SignedColumn(c.name),), weight_of(c), None) for c in numbers]
    rates = [c for c in numbers if is_rate(c)]
    for c in numbers:
        if weight_of(c) >= 0.5:
            terms += [((SignedColumn(c.name),), 0.5 * weight_of(c), rate.name) for rate in rates]
    choices = [
        AmountChoice(_number(side, term, rate, place), term, weight, rate)
        for place, (term, weight, rate) in enumerate(terms, start=FIRST_AMOUNT_NO)
    ]
    return with_direction(tuple(choices), side, direction, is_asked=is_asked)


def with_direction(
    choices: tuple[AmountChoice, ...], side: SideProfile, direction: Direction | None, *, is_asked: bool = False
) -> tuple[AmountChoice, ...]:
    """Return the choices and, of each single column that has no sign of its own, the amount that `direction` signs.

    Where that is asked for, a column is signed by it alone, and whatever sign it has.
    """
    if direction is None:
        return choices
    found: list[AmountChoice] = []
    for choice in choices:
        c = side.column(choice.terms[0].column)
        is_single = len(choice.terms) == 1 and choice.rate is None and choice.terms[0].sign > 0
        is_signed = c.negatives > FEW_NEGATIVES * (c.parsed - c.zeros)
        if is_single and (is_asked or not is_signed):
            found.append(replace(choice, no=FIRST_DIRECTED_NO + choice.no, direction=direction))
            found += [] if is_asked else [replace(choice, weight=UNSIGNED * choice.weight)]
        else:
            found.append(choice)
    return tuple(found)


def _number(side: SideProfile, terms: tuple[SignedColumn, ...], rate: str | None, otherwise: int) -> int:
    return side.column(terms[0].column).no if len(terms) == 1 and rate is None else otherwise


EARLIEST_YEAR, LATEST_YEAR = 1800, 2100
OLDEST = 130


def is_rate(c: Column) -> bool:
    """Say whether a column holds exchange rates, by name and sign."""
    return c.kind == "number" and says(c.name, "rate") and not says(c.name, "tax") and not c.negatives and not c.zeros


def is_year_or_age(c: Column) -> bool:
    """Say whether a column of whole numbers tells a year of our time or how old someone is, by name and range."""
    if c.kind != "number" or not c.is_whole or c.low is None or c.high is None:
        return False
    is_year = says(c.name, "year") and c.low >= EARLIEST_YEAR and c.high <= LATEST_YEAR
    return is_year or (says(c.name, "age") and c.low >= 0 and c.high <= OLDEST)


def weight_of(c: Column) -> float:
    """Return how much the name of a column of numbers speaks for its being the amount, 0 to 1."""
    meanings = set(meanings_of(c.name))
    if is_year_or_age(c) or meanings & {"rate", "quantity", "percent", "id", "account", "phone"}:
        return 0.02
    if meanings & {"fee", "tax", "discount", "tip", "refunded", "balance", "saldo"}:
        return 0.15
    if meanings & {"amount"}:
        return 1.0 if meanings <= {"amount", "transaction", "payment", "net", "gross"} else 0.85
    if meanings & {"net", "gross", "payment", "debit", "credit", "paid", "subtotal", "revenue", "spend", "cost"}:
        return 0.7
    return 0.1 if c.is_whole and c.high is not None and c.high < 100 else 0.3


def _credit_and_debit(con: duckdb.DuckDBPyConnection, numbers: list[Column]) -> list[tuple[Column, Column]]:
    """Return the pairs of columns that are a credit and a debit of the same thing, by their names and in their rows."""
    pairs = []
    for credit in numbers:
        for debit in numbers:
            of_credit, of_debit = set(meanings_of(credit.name)), set(meanings_of(debit.name))
            is_pair = "credit" in of_credit and "debit" in of_debit and credit is not debit
            is_pair = is_pair and of_credit - {"credit", "amount"} == of_debit - {"debit", "amount"}
            if is_pair and _is_one_or_other(con, credit, debit):
                pairs.append((credit, debit))
    return pairs


def _is_one_or_other(con: duckdb.DuckDBPyConnection, credit: Column, debit: Column) -> bool:
    """Say whether nearly every row has a credit or a debit and not both; totals of each stand in one row."""
    one, other = (exp.func("coalesce", column(c.alias), integer(0)) for c in (credit, debit))
    has_one, has_other = exp.NEQ(this=one, expression=integer(0)), exp.NEQ(this=other, expression=integer(0))
    both = call("count_if", exp.and_(has_one, has_other))
    either = call("count_if", exp.or_(has_one.copy(), has_other.copy()))
    query = select(f"infer_{credit.side}", named(both, "both"), named(either, "either"))
    both_rows, either_rows = rows_of(con, query)[0]
    return int(both_rows) <= BOTH_AT_ONCE * int(either_rows)


def amount_value(choice: AmountChoice, side: SideProfile) -> exp.Expression:
    """Return the expression of an amount over the values of its side; null where none of its columns has one."""
    values: list[exp.Expression] = []
    for term in choice.terms:
        value: exp.Expression = column(side.column(term.column).alias)
        values.append(exp.Neg(this=exp.paren(value)) if term.sign < 0 else value)
    total: exp.Expr
    if len(values) == 1:
        total = values[0]
    else:
        present = exp.or_(*[is_present(value.copy()) for value in values])
        summed: exp.Expression = call("coalesce", values[0].copy(), integer(0))
        for value in values[1:]:
            summed = exp.Add(this=summed, expression=call("coalesce", value.copy(), integer(0)))
        total = exp.Case().when(present, summed)
    if choice.direction:
        total = turned(total, choice.direction, side)
    if choice.rate:
        rate = try_cast(column(side.column(choice.rate).alias), "DECIMAL(12, 6)")
        product = exp.Mul(this=try_cast(exp.paren(total), "DECIMAL(24, 6)"), expression=rate)
        total = call("round", product, integer(2))
    return try_cast(exp.paren(total), "DECIMAL(18, 6)")
