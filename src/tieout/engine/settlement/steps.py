"""The pass that applies payments to open invoices: rows and advice out of the engine, applications back into it.

What is sets (which line names which payment, what is left open) is SQL; which payment settles what is decided one after
another, for each application takes from what is open, and is in `application`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa
from sqlglot import exp

from tieout.engine.loading import Loaded, Locate
from tieout.engine.plan import Plan, Settlement, SidePlan
from tieout.engine.settlement.application import lines_in_texts, settle
from tieout.engine.settlement.open_items import Application, Item, Line, Settled, Terms
from tieout.engine.steps import Runner, Step
from tieout.intake.records import LINE
from tieout.store.trees import call, cast, column, named, sql_of, string

APPLICATION_SCHEMA = pa.schema(
    [
        ("match_id", pa.int64()),
        ("ours_row", pa.int64()),
        ("theirs_row", pa.int64()),
        ("applied_micros", pa.int64()),
        ("currency", pa.string()),
        ("kind", pa.string()),
        ("verdict", pa.string()),
        ("alternatives", pa.int32()),
        ("outcome", pa.string()),
        ("confidence", pa.float64()),
        ("reason", pa.string()),
    ]
)
REFUSED_SCHEMA = pa.schema([("line_no", pa.int64()), ("reason", pa.string())])
_COLUMNS = ("entry_no", "day", "currency", "amount_micros", "party", "reference", "text")


def settle_open_items(runner: Runner, plan: Plan, settlement: Settlement) -> None:
    """Apply payments to invoices among what no reference and no group settled, as the plan says how."""
    runner.run_all(
        [
            _open_items("open_invoice", "expected", plan.ours, settlement.ours_party, settlement.ours_reference),
            _open_items("open_payment", "reported", plan.theirs, settlement.theirs_party, settlement.theirs_reference),
        ]
    )
    if plan.advice is not None:
        runner.run_all([_payment_reference(plan.theirs, settlement.theirs_reference), "advice_line"])

    def apply(con: duckdb.DuckDBPyConnection, _query: str) -> pa.Table:
        done = _settled(con, plan, settlement)
        con.register("refused", _table_of(((one.line, one.reason) for one in done.refused), REFUSED_SCHEMA))
        con.execute("create or replace table refused_line as from refused")
        con.unregister("refused")
        theirs_offset = int(con.execute("select theirs_offset from run").fetchall()[0][0])
        return _table_of(_rows_of(done, theirs_offset), APPLICATION_SCHEMA)

    runner.run_computed(_application_row(has_advice=plan.advice is not None), apply)
    runner.run_all(["add_settled_group", "ungrouped_expected", "ungrouped_reported", "scoring_is_possible"])


def _open_items(name: str, canonical: str, side: SidePlan, party: str, reference: str) -> Step:
    """Return the step that makes the open rows of a side with party and reference, which only the plan can name."""
    ungrouped, opened = f"ungrouped_{canonical}", f"open_{canonical}"
    values = [
        column("entry_no", "u"),
        column("day", "u"),
        named(call("coalesce", column("currency", "u"), string("")), "currency"),
        column("amount_micros", "u"),
        named(_own(side, party), "party"),
        named(_own(side, reference), "reference"),
        named(call("coalesce", column("text", "e"), string("")), "text"),
    ]
    query = exp.select(*values).from_(exp.to_table(ungrouped).as_("u"))
    query = query.join(exp.to_table(opened).as_("e"), using=["entry_no"])
    is_there = exp.Not(this=exp.Is(this=column("amount_micros", "u"), expression=exp.null()))
    return Step(
        name=name,
        reads=(ungrouped, opened),
        out=name,
        columns=_COLUMNS,
        grain=("entry_no",),
        form="table",
        why="what neither a reference nor a group settled, with the party and the reference that advice may quote",
        sql=sql_of(query.where(is_there)),
    )


def _own(side: SidePlan, name: str) -> exp.Expr:
    """Return a column of the file as trimmed text; '' where there is none."""
    if not name:
        return string("")
    field = f"f{list(side.columns).index(name) + 1}"
    value = exp.Dot(this=column("source", "e"), expression=exp.to_identifier(field, quoted=True))
    return call("trim", call("coalesce", cast(value, "VARCHAR"), string("")))


def _payment_reference(side: SidePlan, name: str) -> Step:
    """Return the step that lists what the rows of theirs are called in advice, those settled before included."""
    query = exp.select(column("entry_no", "e"), named(_own(side, name), "reference"))
    return Step(
        name="payment_reference",
        reads=("reported",),
        out="payment_reference",
        columns=("entry_no", "reference"),
        grain=("entry_no",),
        form="table",
        why="what a payment is called in advice, which only the plan can name",
        sql=sql_of(query.from_(exp.to_table("reported").as_("e"))),
    )


def _application_row(*, has_advice: bool) -> Step:
    return Step(
        name="application_row",
        reads=("open_invoice", "open_payment", *(("advice_line",) if has_advice else ())),
        out="application_row",
        columns=tuple(APPLICATION_SCHEMA.names),
        grain=("ours_row", "theirs_row"),
        form="computed",
        why="which payment settles how much of which invoice; a payment that settles nothing has no row of ours",
        sql="",
    )


def _settled(con: duckdb.DuckDBPyConnection, plan: Plan, settlement: Settlement) -> Settled:
    lines: list[Line] = []
    if plan.advice is not None:
        found = con.execute(
            "select line_no, theirs_row, reference, amount_micros, memo from advice_line"
            " semi join open_payment on entry_no = theirs_row order by line_no"
        ).fetchall()
        lines = [Line(*row) for row in found]
    terms = Terms(
        window_days=settlement.window_days,
        tolerance=plan.rules.tolerance_micros,
        is_single=plan.advice is not None,
    )
    invoices, payments = _items(con, "open_invoice"), _items(con, "open_payment")
    return settle(invoices, payments, [*lines, *lines_in_texts(invoices, payments, lines)], terms)


def _items(con: duckdb.DuckDBPyConnection, relation: str) -> list[Item]:
    rows = con.execute(
        "select entry_no, amount_micros, currency, date_diff('day', date '1970-01-01', day), party, reference, text"
        f" from {relation} order by entry_no"
    ).fetchall()
    return [Item(*row) for row in rows]


def _table_of(rows: Iterable[Sequence[object]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
    return pa.table(arrays, schema=schema)


def _rows_of(done: Settled, theirs_offset: int) -> list[tuple[object, ...]]:
    """Return the applications, each with the number of its group, and the payments that were not applied."""
    group = _groups_of(done.applications)
    rows: list[tuple[object, ...]] = [
        (
            group[one.ours_row],
            one.ours_row,
            one.theirs_row,
            one.applied,
            one.currency,
            one.kind,
            one.verdict,
            one.alternatives,
            one.outcome,
            one.confidence,
            one.reason,
        )
        for one in done.applications
    ]
    for left in done.unapplied:
        kind, reason = "not_applied", left.reason
        if left.duplicate_of is not None:
            kind, reason = "duplicate", f"repeats row {left.duplicate_of + theirs_offset}: {reason}"
        rows.append((None, None, left.theirs_row, 0, "", kind, "", 0, "auto", 1.0, reason))
    return rows


def _groups_of(applications: Sequence[Application]) -> dict[int, int]:
    """Return for each row of ours the smallest row of ours that applications tie it to."""
    root: dict[int, int] = {}

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    first_of: dict[int, int] = {}
    for one in applications:
        root.setdefault(one.ours_row, one.ours_row)
        other = first_of.setdefault(one.theirs_row, one.ours_row)
        low, high = sorted((find(other), find(one.ours_row)))
        root[high] = low
    return {row: find(row) for row in root}


def refused_advice(
    con: duckdb.DuckDBPyConnection, loaded: Loaded, advice: SidePlan, locate: Locate
) -> list[tuple[int, int | None, str, str, str, str]]:
    """Return (row_no, line, column, reason_code, reason, raw) for each line of advice that could not be followed."""
    payment, invoice = advice.group[0], advice.key[0]
    found = con.execute(
        "select line_no, 'payment_unknown', 'no row of theirs (or several) is called ' || coalesce(payment, 'so'),"
        " coalesce(payment, '') from advice_line where theirs_row is null"
        " union all"
        " select l.line_no, 'advice_not_followed', r.reason, l.reference from refused_line r"
        " join advice_line l using (line_no) order by all"
    ).fetchall()
    numbers = [line_no for line_no, *_ in found]
    if loaded.has_lines:
        rows = con.execute(
            f'select {sql_of(loaded.row_no)} + {loaded.offset}, "{LINE}" from {loaded.rows}'
            f" where {sql_of(loaded.row_no)} + {loaded.offset} in (select unnest(?::bigint[]))",
            [numbers],
        ).fetchall()
        places: dict[int, tuple[int | None, str]] = {number: (line, "") for number, line in rows}
    else:
        places = dict(locate(numbers)) if numbers else {}
    result = []
    for number, code, reason, value in found:
        line, raw = places.get(number, (None, ""))
        result.append((number, line, payment if code == "payment_unknown" else invoice, code, reason, raw or value))
    return result
