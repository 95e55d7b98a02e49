"""The rows of a run for a reviewer: which pairs wait, what the rows say, and what names them in decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tieout.books.compare import BOOK
from tieout.books.compare.receiving import open_sides, read_carefully
from tieout.books.compare.statements import rows_of_file
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.core.money import from_micros
from tieout.engine.loading import FastReadFailed
from tieout.engine.plan_file import plan_from_toml
from tieout.engine.run import load_sides
from tieout.store.duck import connect
from tieout.store.review import RowKey
from tieout.store.runs import Run

MAX_TOLD = 60


class NothingToReview(TieoutError):
    """There is no run on record whose pairs could be reviewed."""

    code = "nothing_to_review"
    http_status = 404


@dataclass(frozen=True)
class RowFacts:
    """What a row says; its amount in units of its currency."""

    row: int
    day: date | None
    amount: Decimal | None
    currency: str
    ref: str | None
    text: str | None

    @property
    def told(self) -> str:
        """Return the row in a few words."""
        amount = None if self.amount is None else f"{self.amount:,.2f} {self.currency}".strip()
        said = (self.day, amount, self.ref, (self.text or "")[:MAX_TOLD])
        return " ".join(str(one) for one in said if one) or "no value"


@dataclass(frozen=True)
class NamedRow:
    """A row with what names it in decisions."""

    facts: RowFacts
    key: RowKey


@dataclass(frozen=True)
class WaitingPair:
    """A match that waits for a person; `others` are the likeliest candidates of either row beside it."""

    ours: RowFacts
    theirs: RowFacts
    confidence: float
    alternatives: int
    money: Decimal | None
    currency: str
    others: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Waiting:
    """The pairs of a run that wait: the largest, and how many there are.

    Matches of payments with invoices wait apart from them, for a reviewer decides about pairs.
    """

    run: Run
    pairs: tuple[WaitingPair, ...]
    total: int
    settlements: int


def run_to_review(workspace: Workspace, prefix: str | None) -> Run:
    """Return the run of that id, by default the current run that started last. Raises RunUnknown, NothingToReview."""
    runs = workspace.store.runs
    if prefix is not None:
        return runs.find_run(prefix, book=BOOK)
    newest = runs.list_runs(status="published", limit=1).runs
    if not newest:
        raise NothingToReview("There is no run to review yet.", remedy="`tieout compare OURS THEIRS` makes one.")
    return newest[0]


def list_waiting(workspace: Workspace, run: Run, *, limit: int) -> Waiting:
    """Return the pairs of a run that wait for a person, the largest money of each currency first."""
    with open_rows(workspace, run) as con:
        show_fact(con, "matched", workspace.store.runs.file_path(run, "match"))
        show_fact(con, "considered", workspace.store.runs.file_path(run, "candidate"))
        found = rows_of_file(con, "review_pair", {"limit": limit})
        settlements = con.execute(
            "select count(distinct match_id) from matched where outcome = 'review' and pass <> 'scored'"
        ).fetchall()[0][0]
    return Waiting(run, tuple(map(_waiting, found)), found[0]["total"] if found else 0, settlements)


@contextmanager
def open_rows(workspace: Workspace, run: Run) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the rows of a run as the views `expected` and `reported`; `numbering` leads to the numbers in the files."""
    plan = plan_from_toml(run.config)
    with workspace.store.folders.scratch("review") as scratch:
        sides = open_sides(workspace, run, scratch)
        con = connect(workspace.settings, scratch / "work")
        try:
            while True:
                try:
                    loaded = load_sides(con, sides["ours"].as_input(), sides["theirs"].as_input(), plan)
                    break
                except FastReadFailed as failed:
                    sides[failed.side] = read_carefully(sides[failed.side], scratch / failed.side)
            con.execute(
                "create table numbering as select ?::bigint as ours_offset, ?::bigint as theirs_offset",
                [one.offset for one in loaded],
            )
            yield con
        finally:
            con.close()


def show_fact(con: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Make a fact file a view."""
    quoted = str(path).replace("'", "''")
    con.execute(f"create or replace view {name} as from read_parquet('{quoted}')")


def name_rows(con: duckdb.DuckDBPyConnection, wanted: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], NamedRow]:
    """Return the rows asked for, by side and row number; those that are not there are left out."""
    asked = [(side, row) for side, rows in wanted.items() for row in sorted(set(rows))]
    sides, rows = ([one[at] for one in asked] for at in (0, 1))
    table = pa.table({"side": pa.array(sides, pa.string()), "row_no": pa.array(rows, pa.int64())})
    con.register("wanted", table)
    found = rows_of_file(con, "review_row", {})
    con.unregister("wanted")
    return {
        (row["side"], row["row_no"]): NamedRow(
            RowFacts(row["row_no"], *_said(row, "")), RowKey(row["content"], row["copy_no"])
        )
        for row in found
    }


def _waiting(row: Mapping[str, Any]) -> WaitingPair:
    return WaitingPair(
        ours=RowFacts(row["ours_row"], *_said(row, "ours_")),
        theirs=RowFacts(row["theirs_row"], *_said(row, "theirs_")),
        confidence=row["confidence"],
        alternatives=row["alternatives"],
        money=None if row["money_micros"] is None else from_micros(row["money_micros"]),
        currency=row["currency"],
        others=tuple(row["others"]),
    )


def _said(row: Mapping[str, Any], side: str) -> tuple[date | None, Decimal | None, str, str | None, str | None]:
    micros = row[f"{side}amount_micros"]
    amount = None if micros is None else from_micros(micros)
    return row[f"{side}day"], amount, row[f"{side}currency"], row[f"{side}ref"], row[f"{side}text"]
