"""Which column says which way money went, where amounts are written without a sign: debit or credit, S or H."""

from __future__ import annotations

import re

import duckdb
from sqlglot import exp

from tieout.books.compare.column_profile import Column, SideProfile
from tieout.books.compare.names import says
from tieout.books.compare.settled import InferOptions, Names, PlanUndecided, is_none, split_sides
from tieout.books.compare.statements import create, rows_of, select
from tieout.engine.plan import Direction
from tieout.engine.projection import outgoing_value
from tieout.store.trees import call, cast, column, named

MOST_WORDS = 8
"""A column with more different values is something else."""
LEAST_FILLED = 0.9

_WORDS = {
    "out": "d dr db deb dbt dbit debit debits out outgoing outflow moneyout paidout cashout withdrawal expense "
    "refund refunded chargeback return s soll lastschrift belastung ausgang ausgabe abgang retoure rückerstattung "
    "erstattung débit debe cargo egreso gasto reembolso débito debito addebito uscita dare remboursement sortie af "
    "uitgave",
    "in": "c cr cred crdt credit credits in incoming inflow moneyin paidin cashin deposit income sale charge capture "
    "payment h haben gutschrift eingang einnahme zugang verkauf zahlung crédit haber abono ingreso venta crédito "
    "credito accredito entrata avere vente entrée bij inkomst",
}
_SIGNS = frozenset("+-\u2212\u2013")
_OUTGOING, _INCOMING = (frozenset(_WORDS[way].upper().split()) for way in ("out", "in"))


def direction_of(
    con: duckdb.DuckDBPyConnection, side: SideProfile, ignored: frozenset[tuple[str, str]] = frozenset()
) -> Direction | None:
    """Return the column of a side whose values all say debit or credit, both of them, and which of them are debits.

    Of several the one that is called so, else the first by name.
    """
    found = [(c, _outgoing_words(con, c)) for c in side.columns if (c.side, c.name) not in ignored]
    told = sorted(
        ((c, words) for c, words in found if words),
        key=lambda item: (not says(item[0].name, "debit", "credit"), not says(item[0].name, "type"), item[0].name),
    )
    return Direction(told[0][0].name, told[0][1]) if told else None


def _outgoing_words(con: duckdb.DuckDBPyConnection, c: Column) -> tuple[str, ...]:
    """Return the debits among the values of a column, in capitals; none where it is no such column."""
    is_told = 2 <= c.distinct <= 2 * MOST_WORDS and c.filled_share >= LEAST_FILLED
    if c.kind != "text" or not (is_told or _has_plus_signs(c)):
        return ()
    word = call("upper", call("trim", cast(column(c.alias), "VARCHAR")))
    query = select(f"infer_{c.side}_raw", named(word, "word")).distinct().order_by("word").limit(MOST_WORDS + 2)
    words = [text for (text,) in rows_of(con, query) if text]
    if set(words) <= _SIGNS:
        return tuple(sorted(set(words) - {"+"})) if "+" in words else ()
    outgoing = tuple(text for text in words if _plain(text) in _OUTGOING)
    incoming = [text for text in words if _plain(text) in _INCOMING]
    is_told = len(words) <= MOST_WORDS and len(outgoing) + len(incoming) == len(words)
    return outgoing if is_told and incoming else ()


def _has_plus_signs(c: Column) -> bool:
    """Say whether a column has no value but plus signs; minus signs alone are none, and count as no value."""
    return {shape.text.strip() for shape in c.look.shapes} in ({"+"}, {"+", "\u2212"})


def _plain(word: str) -> str:
    """Return a word without what stands between its parts: MONEY-OUT is MONEYOUT."""
    return re.sub(r"[\s._-]+", "", word)


def add_to_values(con: duckdb.DuckDBPyConnection, side: SideProfile, direction: Direction) -> None:
    """Put the column of a direction, which is text, among the values of its side, where amounts are."""
    values, raw = (exp.to_table(f"infer_{side.side}{end}", alias=end.strip("_") or "v") for end in ("", "_raw"))
    told = column(side.column(direction.column).alias, "raw")
    query = select(values, exp.Column(this=exp.Star(), table=exp.to_identifier("v")), told)
    query.append("joins", exp.Join(this=raw, method="POSITIONAL"))
    create(con, f"infer_{side.side}", query)


def asked_directions(
    con: duckdb.DuckDBPyConnection,
    options: InferOptions,
    names: Names,
    sides: tuple[SideProfile, SideProfile],
    ignored: frozenset[tuple[str, str]],
) -> tuple[Direction | None, Direction | None]:
    """Return the directions to try, by --direction or as found. Raises UnknownColumn and PlanUndecided."""
    if is_none(options.direction, names):
        return None, None
    if not options.direction:
        return direction_of(con, sides[0], ignored), direction_of(con, sides[1], ignored)
    asked = split_sides(options.direction, names, "--direction")
    return _named(con, sides[0], asked[0]), _named(con, sides[1], asked[1])


def _named(con: duckdb.DuckDBPyConnection, side: SideProfile, name: str | None) -> Direction | None:
    if name is None:
        return None
    words = _outgoing_words(con, side.column(name))
    if not words:
        raise PlanUndecided(
            f"The values of {name} in {side.name} do not all say debit or credit in words that are known.",
            subject=name,
            remedy="Name another column with --direction, or list the values that take money away as `outgoing` of"
            " `direction` in a plan.",
        )
    return Direction(name, words)


def turned(value: exp.Expression, direction: Direction, side: SideProfile) -> exp.Expr:
    """Return an amount over the values of its side, negative where the direction says that it went out."""
    return outgoing_value(value, column(side.column(direction.column).alias), direction)
