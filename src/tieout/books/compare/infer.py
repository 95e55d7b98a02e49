"""Find out how two inputs compare: types, keys, amounts, dates, what must agree; how sure it is, and why."""

from __future__ import annotations

from dataclasses import replace

import duckdb

from tieout.books.compare.draft import draft_plan
from tieout.books.compare.formats import asked_formats
from tieout.books.compare.measured import Inputs, measure_inputs, settle_formats
from tieout.books.compare.settled import InferOptions, Names, PlanUndecided, UnknownColumn, UnknownFormat
from tieout.books.compare.statements import drop_all
from tieout.engine.macros import add_macros
from tieout.engine.plan import ColumnType, Plan
from tieout.intake.records import LINE, ROW_NO

__all__ = ["InferOptions", "PlanUndecided", "UnknownColumn", "UnknownFormat", "infer"]


def infer(
    con: duckdb.DuckDBPyConnection,
    ours: str,
    theirs: str,
    options: InferOptions | None = None,
    *,
    ours_name: str = "ours",
    theirs_name: str = "theirs",
    is_sample: bool = False,
) -> Plan:
    """Return the plan of comparing two relations of `con`, with a decision for each choice.

    With `is_sample` the relations hold some rows of larger inputs: that few values are common then says little
    against a key. Raises PlanUndecided when something essential stays open, UnknownColumn and UnknownFormat for
    options that cannot be followed. Neither the order of rows nor that of columns changes the plan.
    """
    options = options or InferOptions()
    ours_types, theirs_types = _types(con, ours), _types(con, theirs)
    names = Names(tuple(ours_types), tuple(theirs_types), ours_name, theirs_name)
    _require_rows(con, names, ours, theirs)
    inputs = Inputs(
        con, {"ours": ours, "theirs": theirs}, {"ours": ours_types, "theirs": theirs_types}, names, is_sample
    )
    asked = asked_formats(options, names)
    add_macros(con, "folded")
    try:
        facts = measure_inputs(inputs, options, asked)
        verdicts = settle_formats(con, facts)
        read_otherwise: dict[tuple[str, str], ColumnType] = {
            place: verdict.type
            for place, verdict in verdicts.items()
            if verdict.type != (facts.side(place[0]).column(place[1]).reading or verdict).type
        }
        if read_otherwise:
            facts = measure_inputs(inputs, options, replace(asked, types={**asked.types, **read_otherwise}))
        return draft_plan(con, replace(facts, verdicts=verdicts), options)
    finally:
        drop_all(con)


def _types(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = con.table(relation)
    types = dict(zip(described.columns, [str(kind) for kind in described.types], strict=True))
    return {name: kind for name, kind in types.items() if name not in (ROW_NO, LINE)}


def _require_rows(con: duckdb.DuckDBPyConnection, names: Names, ours: str, theirs: str) -> None:
    for relation, columns, called in ((ours, names.ours, names.ours_name), (theirs, names.theirs, names.theirs_name)):
        if not columns:
            raise PlanUndecided(f"{called} has no columns.", subject=called, remedy="Give a file with a header line.")
        if not con.table(relation).limit(1).fetchall():
            raise PlanUndecided(
                f"{called} has no rows, so nothing can be told about its columns.",
                subject=called,
                remedy="Give a file with rows, or a saved plan with --plan.",
            )
