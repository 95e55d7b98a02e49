"""The steps whose columns only the plan and the files know, so that they cannot be SQL files."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tieout.engine.plan import Compared, Plan
from tieout.engine.projection import column, compared_pairs, sql_of
from tieout.engine.steps import Step
from tieout.engine.trees import call, cast, integer, is_present, string


def difference_step(plan: Plan) -> Step:
    """Return the step that lists each differing cell of the differing pairs, one row a compared column.

    Numbers differ beyond the tolerance (strictly), dates beyond the window, text at once.
    """
    cells = [_amount_cell(plan)] if plan.ours.amount or plan.theirs.amount else []
    cells += [_cell_of(position, item) for position, item in enumerate(compared_pairs(plan), start=1)]
    each = exp.alias_(call("unnest", exp.Array(expressions=cells or [_amount_cell(plan)])), "cell")
    every = exp.select(*map(column, ("match_id", "ours_row", "theirs_row")), each).from_(exp.to_table("differing"))
    every = every.join(exp.to_table("run"), join_type="cross")
    body = exp.select(
        *(_row_number(f"{side}_offset", column(name, "d"), name) for name, side in _NUMBERED.items()),
        *(_field("cell", name, "d") for name in ("column", "ours_value", "theirs_value", "difference_micros")),
    )
    body = body.from_(every.subquery("d")).join(exp.to_table("run"), join_type="cross")
    body = body.where(is_present(column("cell", "d")) if cells else exp.false())
    return Step(
        name="difference",
        reads=("differing", "run"),
        out="difference",
        columns=("match_id", "ours_row", "theirs_row", "column", "ours_value", "theirs_value", "difference_micros"),
        grain=("ours_row", '"column"'),
        form="fact",
        why="one row for each compared column in which a pair differs",
        sql=sql_of(body.order_by(column("ours_row"), _field("cell", "position", "d"))),
    )


_NUMBERED = {"match_id": "ours", "ours_row": "ours", "theirs_row": "theirs"}


def _row_number(offset: str, number: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(exp.Add(this=number, expression=column(offset)), name)


def _field(struct: str, name: str, table: str | None = None) -> exp.Expr:
    return exp.Dot(this=column(struct, table), expression=exp.to_identifier(name, quoted=True))


def _amount_cell(plan: Plan) -> exp.Expr:
    """Return the cell of the amount, under the name of its column where one side has a single one."""
    alone = [side.amount[0].column for side in (plan.ours, plan.theirs) if len(side.amount) == 1]
    taken = ("expected_micros", "reported_micros", "expected_currency", "reported_currency", *_TOLERANCE)
    return call("amount_cell", integer(0), string(alone[0] if alone else "amount"), *map(column, taken))


_TOLERANCE = ("tolerance_micros", "tolerance_ppm")


def _cell_of(position: int, item: Compared) -> exp.Expr:
    values = [_field(f"{side}_compared", f"c{position}") for side in ("expected", "reported")]
    head = (integer(position), string(item.name), *values)
    if item.kind == "number":
        return call("number_cell", *head, *map(column, _TOLERANCE))
    if item.kind == "text":
        return call("text_cell", *head)
    return call("date_cell", *head, column("window_days"))


def unmatched_step(side: str, other: str, canonical: str, columns: Sequence[str]) -> Step:
    """Return the step that writes a side's unmatched rows with the file's own columns beside them."""
    lone, opened, search = f"lone_{canonical}", f"open_{canonical}", f"search_{canonical}"
    names = [f"{side}_row", "reason_code", "searched", "amount_micros", "currency", "day", "ref", "text"]
    query = (
        exp.select(_row_number(f"{side}_offset", column("entry_no", "l"), f"{side}_row"))
        .select(column("reason_code", "l"), column("searched", "s"))
        .select(*[column(name, "e") for name in ("amount_micros", "currency", "day")])
        .select(exp.alias_(cast(column("ref", "e"), "VARCHAR"), "ref"), column("text", "e"))
        .from_(exp.alias_(exp.to_table(lone), "l", table=True))
    )
    for relation, alias in ((opened, "e"), (search, "s")):
        same_row = exp.EQ(this=column("entry_no", alias), expression=column("entry_no", "l"))
        query = query.join(exp.alias_(exp.to_table(relation), alias, table=True), on=same_row)
    query = query.join(exp.to_table("run"), join_type="cross")
    taken = set(names)
    for i, name in enumerate(columns, start=1):
        label = f"{side}_{name}"
        while label.lower() in taken:
            label += "_"
        taken.add(label.lower())
        query = query.select(exp.alias_(_field("source", f"f{i}", "e"), label, quoted=True))
    return Step(
        name=f"unmatched_{side}",
        reads=(lone, opened, search, "run"),
        out=f"unmatched_{side}",
        columns=(*names, "…"),
        grain=(f"{side}_row",),
        form="fact",
        why=f"rows of {side} that no pass paired with a row of {other}, why, and where was searched",
        sql=sql_of(query.order_by(column(f"{side}_row"))),
    )
