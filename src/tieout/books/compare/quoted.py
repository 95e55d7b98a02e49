"""Columns of codes that the other side quotes in its texts: the number of a check, which the bank's memo tells."""

from __future__ import annotations

import duckdb
from sqlglot import exp

from tieout.books.compare.amounts import AmountChoice, amount_value
from tieout.books.compare.column_profile import Column, SideName, SideProfile
from tieout.books.compare.measured import Facts
from tieout.books.compare.names import is_technical
from tieout.books.compare.statements import create, run_file
from tieout.store.trees import call, column, string

MIN_AGREEING = 5
AGREEING = 0.5
"""Of the numbers that meet, so many are of rows with an equal amount where the one side quotes the other."""
MOST_COLUMNS = 2


def quoted_columns(
    con: duckdb.DuckDBPyConnection, facts: Facts, side: SideName, texts: tuple[str, ...], other_texts: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the columns of a side whose values the texts of the other side quote, beside its own texts.

    None where there are no amounts, which tell whether a number is quoted or merely met.
    """
    pair, search = facts.money.pair, facts.search
    own, other = (search.ours, search.theirs) if side == "ours" else (search.theirs, search.ours)
    out = {(side, name) for name in texts} | facts.tie.columns | search.ignored
    asked = [c for c in own.columns if (side, c.name) not in out and _may_be_quoted(c)]
    if pair is None or not other_texts or not asked:
        return ()
    amounts = (pair.ours, pair.theirs) if side == "ours" else (pair.theirs, pair.ours)
    _keep(con, "infer_told", other, other_texts, amounts[1])
    found = []
    for c in asked:
        _keep(con, "infer_code", own, (c.name,), amounts[0])
        met, agreeing = run_file(con, "quoted")[0]
        if agreeing >= max(MIN_AGREEING, AGREEING * met):
            found.append((-agreeing, c.name))
    return tuple(name for _, name in sorted(found)[:MOST_COLUMNS])


def _may_be_quoted(c: Column) -> bool:
    has_digits = c.is_digits or any("9" in shape.text for shape in c.look.shapes)
    return c.kind == "text" and has_digits and not is_technical(c.name) and c.distinct >= MIN_AGREEING


def _keep(
    con: duckdb.DuckDBPyConnection, table: str, side: SideProfile, names: tuple[str, ...], amount: AmountChoice
) -> None:
    """Keep what some columns of a side say, as one text a row, and the amount of the row."""
    said = call("concat_ws", string(" "), *[column(side.column(name).alias, "raw") for name in names])
    values = exp.select("row_no", exp.alias_(amount_value(amount, side), "amount")).from_(f"infer_{side.side}")
    query = (
        exp.select(exp.alias_(said, "said"), exp.column("amount", table="v"))
        .from_(exp.to_table(f"infer_{side.side}_raw").as_("raw"))
        .join(values.subquery("v"), using=["row_no"])
    )
    create(con, table, query)
