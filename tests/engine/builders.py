"""Small worlds for the engine: text tables an accountant can read, a plan, one run, and its facts as plain lists."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core.money import to_micros
from tieout.engine.loading import Input
from tieout.engine.plan import (
    ColumnType,
    Compared,
    Kind,
    LearnedWeights,
    Plan,
    Rules,
    Settlement,
    SidePlan,
    SignedColumn,
)
from tieout.engine.reviewed import FACT as REVIEW_FACT
from tieout.engine.reviewed import Decisions
from tieout.engine.run import FACTS, Outcome, execute, load_sides
from tieout.engine.why_not import Subject
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Records
from tieout.store.review import PairKey, RowKey, Ruling

RUN_ID = "0123abcd4567ef89"
COMPARED: dict[str, Kind] = {"tax": "number", "due": "date", "note": "text"}
KINDS: dict[str, Kind] = {
    "id": "text",
    "group": "text",
    "day": "date",
    "currency": "text",
    "amount": "number",
    "quantity": "number",
    "fee": "number",
    "fx": "number",
    "text": "text",
    "unit": "text",
    "size": "text",
    **COMPARED,
}
"""The columns that a world may have, in file order; `fx` and what is text are written as text, the rest typed."""

ROW_GROUP = 2_048
"""Small, so that a file of moderate size is read by several threads."""

_WRITTEN = {"number": pa.decimal128(18, 6), "date": pa.date32(), "text": pa.string()}
_NOT_A_NUMBER = "ten"


@dataclass(frozen=True)
class Row:
    """One row of a file. Money and quantities are in micros; `fx` is text; a `refused` row has no readable amount."""

    id: str | None = None
    group: str | None = None
    day: date | None = None
    currency: str | None = None
    amount: int | None = None
    quantity: int | None = None
    fee: int | None = None
    fx: str | None = None
    text: str | None = None
    unit: str | None = None
    size: str | None = None
    tax: int | None = None
    due: date | None = None
    note: str | None = None
    refused: bool = False


NAMES = tuple(item.name for item in fields(Row) if item.name != "refused")


@dataclass(frozen=True)
class Side:
    """The rows of one file and which columns it has."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What a run left behind: each fact file as a list of rows, and its bytes."""

    facts: dict[str, list[dict[str, Any]]]
    contents: dict[str, bytes]
    outcome: Outcome

    def lines(self, fact: str, *names: str) -> list[tuple[Any, ...]]:
        """Return the named columns of a fact, sorted, amounts in units."""
        return sorted((tuple(_in_units(row, name) for name in names) for row in self.facts[fact]), key=repr)

    @property
    def summary(self) -> dict[str, Any]:
        return self.outcome.summary


def _in_units(row: dict[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    micros = row[f"{name}_micros"]
    return None if micros is None else str(Decimal(micros).scaleb(-6).normalize() + 0)


def table(text: str) -> Side:
    """Read a table with | between cells; its first line names the columns. An empty cell or a dash is no value."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    names = tuple(lines[0])
    unknown = set(names) - set(NAMES)
    if unknown:
        raise ValueError(f"no such columns: {sorted(unknown)}")
    rows = [Row(**{name: _value(name, cell) for name, cell in zip(names, line, strict=True)}) for line in lines[1:]]
    return Side(tuple(rows), tuple(name for name in NAMES if name in names))


def _value(name: str, cell: str) -> Any:
    if cell in ("", "-"):
        return None
    if name == "fx" or KINDS[name] == "text":
        return cell
    return date.fromisoformat(cell) if KINDS[name] == "date" else to_micros(cell)


def show(side: Side, keep: Iterable[int] | None = None) -> str:
    """Return the side as a table for people, each row with its number; `keep` limits it to these row numbers."""
    chosen = set(keep) if keep is not None else None
    lines = [" | ".join(("row", *side.columns))]
    for number, row in enumerate(side.rows, start=1):
        if chosen is None or number in chosen:
            lines.append(" | ".join((str(number), *(_cell(row, name) for name in side.columns))))
    return "\n".join(lines)


def _cell(row: Row, name: str) -> str:
    value = getattr(row, name)
    if name == "amount" and row.refused:
        return _NOT_A_NUMBER
    if value is None:
        return "-"
    if KINDS[name] == "number" and name != "fx":
        return f"{Decimal(value).scaleb(-6):f}"
    return str(value)


def plan_for(
    ours: Side,
    theirs: Side,
    *,
    compared: Sequence[str] = tuple(COMPARED),
    converts: Sequence[str] = (),
    constant: str = "",
    tolerance: str = "0",
    learned: LearnedWeights | None = None,
    **rules: Any,
) -> Plan:
    """Return the plan that gives each column the role of its name; `converts` names the sides that are converted."""
    shared = [name for name in compared if name in ours.columns and name in theirs.columns]
    return Plan(
        ours=_side_plan(ours, converts="ours" in converts, constant=constant),
        theirs=_side_plan(theirs, converts="theirs" in converts, constant=constant),
        compared=tuple(Compared(name, name, name, COMPARED[name]) for name in shared),
        rules=Rules(tolerance_micros=to_micros(tolerance), **rules),
        learned=learned,
    )


def _side_plan(side: Side, *, converts: bool, constant: str) -> SidePlan:
    def one(name: str) -> str | None:
        return name if name in side.columns else None

    def many(*names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name in side.columns)

    return SidePlan(
        columns={name: ColumnType(KINDS[name]) for name in side.columns},
        key=many("id"),
        group=many("group"),
        amount=tuple(SignedColumn(name) for name in many("amount")),
        currency=one("currency"),
        currency_constant=constant,
        date=one("day"),
        text=many("text"),
        quantity=one("quantity"),
        fee=one("fee"),
        fx_rate=one("fx"),
        converts=converts,
        units=many("unit", "size"),
    )


@cache
def connection(_rows_are: str = "typed") -> duckdb.DuckDBPyConnection:
    """Return the connection that all worlds of one kind share: a run replaces what the last one left."""
    con = duckdb.connect()
    con.execute("set threads = 1; set TimeZone = 'UTC'")
    return con


def settling_plan(ours: Side, theirs: Side, advice: Side | None, **rules: Any) -> Plan:
    """Return a plan that applies payments: parties are in `text`, references in `unit`, in advice `id` and `group`."""
    plan = plan_for(ours, theirs, **rules)
    read = None if advice is None else replace(_side_plan(advice, converts=False, constant=""), currency=None)
    return replace(plan, settlement=Settlement("text", "text", "unit", "unit", 180, read))


def run(
    ours: Side,
    theirs: Side,
    plan: Plan,
    *,
    advice: Side | None = None,
    decisions: Decisions | None = None,
    as_text: bool = False,
    subject: Subject | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
) -> Result:
    """Run the leg on both sides. With `as_text` every value is handed over as text and typed by the engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = folder / "facts"
        facts.mkdir()
        inputs = [
            Input(f"{which}.parquet", which, 1, written(side, folder / f"{which}.parquet", as_text=as_text))
            for which, side in (("ours", ours), ("theirs", theirs), ("advice", advice))
            if side is not None
        ]
        outcome = execute(
            con or connection("text" if as_text else "typed"),
            inputs[0],
            inputs[1],
            plan,
            run_id=RUN_ID,
            fact_dir=facts,
            advice=inputs[2] if advice is not None else None,
            decisions=decisions,
            subject=subject,
        )
        made = (*FACTS, REVIEW_FACT) if decisions and decisions.rulings else FACTS
        contents = {fact: (facts / f"{fact}.parquet").read_bytes() for fact in made}
    found = {fact: pq.read_table(pa.BufferReader(data)).to_pylist() for fact, data in contents.items()}
    return Result(found, contents, outcome)


def keys_of(ours: Side, theirs: Side, plan: Plan) -> tuple[list[RowKey], list[RowKey]]:
    """Return what names each row of both sides in decisions of reviewers, in order of the row number."""
    with tempfile.TemporaryDirectory() as name:
        con = duckdb.connect()
        inputs = [
            Input(f"{which}.parquet", which, 1, written(side, Path(name) / f"{which}.parquet", as_text=False))
            for which, side in (("ours", ours), ("theirs", theirs))
        ]
        load_sides(con, inputs[0], inputs[1], plan)
        found = [
            con.execute(
                f"select content, copy_number(content, source, entry_no) from rows_said('{view}') order by entry_no"
            ).fetchall()
            for view in ("expected", "reported")
        ]
        con.close()
    return [RowKey(*row) for row in found[0]], [RowKey(*row) for row in found[1]]


def decided(
    ours: Side,
    theirs: Side,
    plan: Plan,
    *,
    accepted: Iterable[tuple[int, int]] = (),
    rejected: Iterable[tuple[int, int]] = (),
) -> Decisions:
    """Return the decisions about pairs of these sides, by row number."""
    mine, other = keys_of(ours, theirs, plan)
    rulings: dict[PairKey, Ruling] = {PairKey(mine[o - 1], other[t - 1]): "accepted" for o, t in accepted}
    rulings.update({PairKey(mine[o - 1], other[t - 1]): "rejected" for o, t in rejected})
    return Decisions(rulings)


def reconcile(ours: str, theirs: str, **choices: Any) -> Result:
    """Run two text tables with the plan that `choices` (see `plan_for`) make."""
    left, right = table(ours), table(theirs)
    return run(left, right, plan_for(left, right, **choices))


def written(side: Side, path: Path, *, as_text: bool) -> Direct | Records:
    """Write a side as Parquet, typed, or as a reader hands over text."""
    if as_text:
        numbers = list(range(1, len(side.rows) + 1))
        arrays = {ROW_NO: pa.array(numbers, pa.int64()), LINE: pa.array([n + 1 for n in numbers], pa.int64())}
        for name in side.columns:
            cells = [_cell(row, name) for row in side.rows]
            arrays[name] = pa.array([None if cell == "-" else cell for cell in cells], pa.string())
        pq.write_table(pa.table(arrays), path, row_group_size=ROW_GROUP)
        return Records("csv", path, side.columns, len(side.rows))
    arrays = {name: _typed(side, name) for name in side.columns}
    pq.write_table(pa.table(arrays), path, row_group_size=ROW_GROUP)
    return Direct(format="parquet", path=path, columns=side.columns)


def _typed(side: Side, name: str) -> pa.Array:
    values = [getattr(row, name) for row in side.rows]
    if name == "fx" or KINDS[name] != "number":
        return pa.array(values, _WRITTEN["text" if name == "fx" else KINDS[name]])
    return pa.array([None if value is None else Decimal(value).scaleb(-6) for value in values], _WRITTEN["number"])


def permuted(side: Side, order: Sequence[int]) -> Side:
    """Return the side with its rows in another order: `order` holds positions from 0."""
    return replace(side, rows=tuple(side.rows[position] for position in order))


def where_beginnings_tell_nothing(learned: LearnedWeights) -> LearnedWeights:
    """Return the weights, such that texts which merely begin alike speak against a pair."""
    is_weak = [item.evidence == "text" and 110 <= item.level <= 123 for item in learned.levels]
    levels = [
        replace(item, matched=1e-6, chance=0.01) if weak else item
        for item, weak in zip(learned.levels, is_weak, strict=True)
    ]
    return replace(learned, levels=tuple(levels))
