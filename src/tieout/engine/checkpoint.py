"""Keep the finished steps of a long run on disk, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from tieout.engine.steps import StepRecord

MANIFEST = "checkpoint.json"
LEAST_WORK = 10
"""A checkpoint is due when the work at risk has taken ten times as long as to keep it: then a tenth of the time at most
goes to checkpoints. Were there a kill a day, the least would be lost at some seventy times (Young 1974)."""
LONGEST_WAIT = 10
"""For that it waits at most ten times as long as it was asked to."""
CELLS_A_SECOND = 25e6
"""Measured with two threads, and only believed until a checkpoint was written."""


@dataclass
class Checkpoint:
    """The finished steps of one run in `folder`, with every scratch table they left.

    Tables are written as Parquet in row order, so that row numbers survive, each once: a step that makes a table anew
    makes another table, so what the former checkpoint holds of one that is still there stays true. The manifest is
    replaced last and at once, so a kill at any point leaves the former checkpoint whole. `after_s` is how much work is
    put at risk, in seconds; more of it where there is so much to write that it would take a good part of the time.
    """

    folder: Path
    after_s: float
    clock: Callable[[], float] = time.monotonic
    _last: float = field(init=False)
    _written: dict[str, tuple[int, str]] = field(init=False, default_factory=dict)
    """The tables of the last checkpoint that this process wrote: which table of that name, and its file."""
    _cells_a_second: float = field(init=False, default=CELLS_A_SECOND)

    def __post_init__(self) -> None:
        self._last = self.clock()

    def restore(self, con: duckdb.DuckDBPyConnection) -> list[StepRecord]:
        """Load the tables of the last checkpoint and return the records of the steps that are done."""
        try:
            manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        for table, file in manifest["tables"].items():
            source = _quoted(self.folder / file)
            con.execute(f"""create or replace table "{table}" as from read_parquet('{source}')""")
        return [StepRecord(**record) for record in manifest["steps"]]

    def consider(self, con: duckdb.DuckDBPyConnection, steps: list[StepRecord]) -> None:
        """Keep what is done when the last checkpoint is old enough for what it takes to write another."""
        at_risk_s = self.clock() - self._last
        if at_risk_s < self.after_s:
            return
        cells = sum(held for name, table, held in _tables(con) if self._written.get(name, (None, ""))[0] != table)
        takes_s = cells / self._cells_a_second
        if at_risk_s >= min(LEAST_WORK * takes_s, LONGEST_WAIT * self.after_s):
            self.save(con, steps)
            self._last = self.clock()

    def save(self, con: duckdb.DuckDBPyConnection, steps: list[StepRecord]) -> None:
        """Write a checkpoint: tables that are new into a new folder, then the manifest in one rename."""
        generation = f"tables-{len(steps)}"
        (self.folder / generation).mkdir(parents=True, exist_ok=True)
        started, cells = self.clock(), 0
        written: dict[str, tuple[int, str]] = {}
        con.execute("set preserve_insertion_order = true")
        for name, table, held in _tables(con):
            former, path = self._written.get(name, (None, ""))
            if former != table:
                cells += held
                path = f"{generation}/{name}.parquet"
                con.execute(f"""copy "{name}" to '{_quoted(self.folder / path)}' (format parquet)""")
            written[name] = (table, path)
        con.execute("set preserve_insertion_order = false")
        self._written = written
        took = self.clock() - started
        if cells and took > 1:
            self._cells_a_second = cells / took
        tables = {name: path for name, (_, path) in written.items()}
        manifest = {"tables": tables, "steps": [asdict(step) for step in steps]}
        fresh = self.folder / f"{MANIFEST}.new"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / MANIFEST)
        used = {self.folder / path for path in tables.values()}
        for old in self.folder.glob("tables-*/*.parquet"):
            if old not in used:
                old.unlink(missing_ok=True)


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Return the scratch tables: name, which table of that name, and about how many values it holds."""
    found = con.sql(
        "select table_name, table_oid, estimated_size * column_count from duckdb_tables()"
        " where not temporary order by table_name"
    )
    return found.fetchall()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
