"""What of the steps only the plan and the files know, so that it cannot be a SQL file."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tieout.engine.plan import Compared, Plan
from tieout.engine.projection import REF_SEPARATOR, EntryShape, compared_pairs, joined
from tieout.engine.steps import Step
from tieout.store.trees import call, cast, column, integer, named, sql_of, string

_CELL = (
    'STRUCT("position" INTEGER, "column" VARCHAR, ours_value VARCHAR, theirs_value VARCHAR, difference_micros BIGINT)'
)
BUILT_BY_ONE_CORE = range(100_000, 1_048_576)
"""Of so many rows DuckDB builds a join's hash table on one core unless it is told; of fewer it is built soon."""

_TOLERANCE = ("tolerance_micros", "tolerance_ppm")


def differing_cells_macro(plan: Plan) -> str:
    """Return the statement that makes the macro of all cells of a pair; a cell that does not differ is null.

    Numbers differ beyond the tolerance (strictly), dates beyond the window, texts at once in their form.
    """
    cells = [_amount_cell(plan)] if plan.ours.amount or plan.theirs.amount else []
    cells += [_cell_of(position, item) for position, item in enumerate(compared_pairs(plan), start=1)]
    amounts = ("expected_micros", "reported_micros", "is_other_currency")
    parameters = ", ".join((*amounts, "expected", "reported", *_TOLERANCE, "window_days"))
    body = sql_of(cast(exp.Array(expressions=cells), f"{_CELL}[]"), is_spent=True)
    return f"create or replace macro differing_cells({parameters}) as {body}"


def differs_macro(plan: Plan, shape: EntryShape) -> str:
    """Return the statement that makes the macro which says whether two entries differ in anything compared.

    Field by field: to compare the structs of a million pairs takes a tenth longer.
    """
    fields = [(_field("expected", name), _field("reported", name)) for name in _compared_fields(plan, shape)]
    return f"create or replace macro entry_differs(expected, reported) as {sql_of(_any_differs(fields), is_spent=True)}"


def join_step(plan: Plan, shape: EntryShape, rows: tuple[int, int]) -> Step:
    """Return the step that joins both sides, of so many `rows`, by reference and stops at more pairs than all rows.

    What is compared is taken out of its struct before the join: structs in the table of a join cost a twentieth of it,
    and so does a limit that a relation holds instead of a number.
    """
    fields = _compared_fields(plan, shape)
    sides = {}
    for relation in ("expected", "reported"):
        values = [named(_field("compared", name), name) for name in fields]
        query = exp.Select().select(column("entry_no"), column("ref"), *values, copy=False)
        sides[relation] = query.from_(exp.to_table(relation), copy=False)
    differs = _any_differs([(column(name, "o"), column(name, "t")) for name in fields])
    numbers = [named(column("entry_no", alias), name) for alias, name in (("o", "ours_row"), ("t", "theirs_row"))]
    same = exp.EQ(this=column("ref", "o"), expression=column("ref", "t"))
    query = exp.Select().select(*numbers, named(differs, "differs"), copy=False)
    query.from_(sides["expected"].subquery("o", copy=False), copy=False)
    query.join(sides["reported"].subquery("t", copy=False), on=same, join_type="full", copy=False)
    return Step(
        name="join_by_reference",
        reads=("expected", "reported"),
        out="reference_join",
        columns=("ours_row", "theirs_row", "differs"),
        grain=(),
        form="table",
        why="one pass over both sides finds the pairs that share a reference, the rows without a partner, and whether"
        " anything compared differs. It hopes that references are unique. The limit keeps a repeated reference from"
        " multiplying: past it reference_is_repeated is certain and the careful steps follow",
        sql=sql_of(query.limit(sum(rows) + 1, copy=False), is_spent=True),
        is_parallel=min(rows) in BUILT_BY_ONE_CORE,
    )


def _compared_fields(plan: Plan, shape: EntryShape) -> list[str]:
    """Return the fields of an entry that say whether it differs from another."""
    fields = [f"c{position}" for position in range(1, len(compared_pairs(plan)) + 1)]
    return fields + ["amount"] * shape.has_amount + ["currency"] * shape.has_currency


def _any_differs(pairs: Sequence[tuple[exp.Expr, exp.Expr]]) -> exp.Expr:
    differing = [exp.NullSafeNEQ(this=ours, expression=theirs) for ours, theirs in pairs]
    return exp.or_(*differing, copy=False) if differing else exp.false()


def _row_number(offset: str, number: exp.Expr, name: str) -> exp.Expr:
    return named(exp.Add(this=number, expression=column(offset)), name)


def _field(struct: str, name: str, table: str | None = None) -> exp.Expr:
    return exp.Dot(this=column(struct, table), expression=exp.to_identifier(name, quoted=True))


def _amount_cell(plan: Plan) -> exp.Expr:
    """Return the cell of the amount, under the name of its column where one side has a single one."""
    alone = [side.amount[0].column for side in (plan.ours, plan.theirs) if len(side.amount) == 1]
    given = ("expected_micros", "reported_micros", "is_other_currency", *_TOLERANCE)
    return call("amount_cell", integer(0), string(alone[0] if alone else "amount"), *map(column, given))


def _cell_of(position: int, item: Compared) -> exp.Expr:
    head = (integer(position), string(item.name), *(_field(side, f"c{position}") for side in ("expected", "reported")))
    if item.kind == "number":
        return call("number_cell", *head, *map(column, _TOLERANCE))
    if item.kind == "text":
        return call("folded_cell" if item.text_form == "folded" else "text_cell", *head)
    return call("date_cell", *head, column("window_days"))


def _told_reference(columns: Sequence[str], key: Sequence[str]) -> exp.Expr:
    places = [list(columns).index(name) + 1 for name in key]
    parts = [cast(_field("source", f"f{place}", "e"), "VARCHAR") for place in places]
    return call("nullif", joined(parts, REF_SEPARATOR), string(""))


def unmatched_step(side: str, other: str, canonical: str, columns: Sequence[str], key: Sequence[str] = ()) -> Step:
    """Return the step that writes a side's unmatched rows with the file's own columns beside them.

    With `key` the reference is told as these columns have it, not by what the form leaves of it in which it is met.
    """
    lone, opened, search = f"lone_{canonical}", f"open_{canonical}", f"search_{canonical}"
    names = [f"{side}_row", "reason_code", "searched", "amount_micros", "currency", "day", "ref", "text"]
    values = [
        _row_number(f"{side}_offset", column("entry_no", "l"), names[0]),
        column("reason_code", "l"),
        column("searched", "s"),
        *[column(name, "e") for name in ("amount_micros", "currency", "day")],
        named(_told_reference(columns, key) if key else cast(column("ref", "e"), "VARCHAR"), "ref"),
        column("text", "e"),
    ]
    taken = set(names)
    for i, name in enumerate(columns, start=1):
        label = f"{side}_{name}"
        while label.lower() in taken:
            label += "_"
        taken.add(label.lower())
        values.append(named(_field("source", f"f{i}", "e"), label))
    query = exp.Select().select(*values, copy=False).from_(exp.to_table(lone, alias="l"), copy=False)
    for relation, alias in ((opened, "e"), (search, "s")):
        same_row = exp.EQ(this=column("entry_no", alias), expression=column("entry_no", "l"))
        query.join(exp.to_table(relation, alias=alias), on=same_row, copy=False)
    query.join(exp.to_table("run"), join_type="cross", copy=False).order_by(column(names[0]), copy=False)
    return Step(
        name=f"unmatched_{side}",
        reads=(lone, opened, search, "run"),
        out=f"unmatched_{side}",
        columns=(*names, "…"),
        grain=(f"{side}_row",),
        form="fact",
        why=f"rows of {side} that no pass paired with a row of {other}, why, and where was searched",
        sql=sql_of(query, is_spent=True),
    )
