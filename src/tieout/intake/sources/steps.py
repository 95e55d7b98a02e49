"""The SQL steps of loading: each file's header says what it yields, and that is asserted after it ran."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError

_FIELD = re.compile(r"^--\s*(step|in|out|grain|form|why):\s*(.*)$")
_MORE = re.compile(r"^--\s{3,}(\S.*)$")
_OUT = re.compile(r"(\w+)\(([^)]*)\)")
_REST = "…"


class SourceStepBroken(TieoutError):
    """A step of loading did not yield what its header promises: a fault of ours, never of the input."""

    code = "source_step_broken"
    http_status = 500


class SourceStepFailed(TieoutError):
    """A step of loading could not run (out of memory, disk full); nothing was stored."""

    code = "source_step_failed"
    http_status = 500


@dataclass(frozen=True)
class Step:
    """One SQL file: the relation it yields, its columns and grain.

    `form` is `table`, `fact` (a Parquet file) or `check` (must yield no row). A last column `…` stands for those of the
    user's file.
    """

    name: str
    out: str
    columns: tuple[str, ...]
    grain: tuple[str, ...]
    form: str
    sql: str


@cache
def load_step(name: str) -> Step:
    """Read the step of that name. Raises SourceStepBroken when its header is not complete."""
    text = _sql_text(name)
    fields, last = {"form": "table", "grain": ""}, ""
    for line in text.splitlines():
        if found := _FIELD.match(line):
            last = found[1]
            fields[last] = found[2].strip()
        elif last and (more := _MORE.match(line)):
            fields[last] += " " + more[1]
    out = _OUT.fullmatch(fields.get("out", ""))
    if fields.get("step") != name or not fields.get("why") or out is None:
        raise SourceStepBroken(f"The header of {name}.sql lacks step, out or why.", subject=name)
    grain = re.sub(r"one row per|[()]", "", fields["grain"])
    return Step(name, out[1], _names(out[2]), _names(grain), fields["form"], text.rstrip().removesuffix(";"))


def _sql_text(name: str) -> str:
    return (files("tieout.intake.sources") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@dataclass(frozen=True)
class Steps:
    """Runs steps on one connection; facts are written to `fact_dir`."""

    con: duckdb.DuckDBPyConnection
    fact_dir: Path
    on_step: Callable[[str], None] = lambda _name: None

    def define_macros(self) -> None:
        """Define what several steps share."""
        self.con.execute(_sql_text("macros"))

    def run(self, name: str) -> int:
        """Run the step of that name, assert its contract and return its number of rows."""
        step = load_step(name)
        self.on_step(name)
        path = self.fact_dir / f"{step.out}.parquet"
        with failures_told(name):
            if step.form == "fact":
                write_parquet(self.con, step.sql, path)
                rows = int(pq.read_metadata(path).num_rows)
                columns = tuple(pq.read_schema(path).names)
            else:
                self.con.execute(f"create or replace table {step.out} as {step.sql}")
                rows = int(self.con.sql(f"select count(*) from {step.out}").fetchall()[0][0])
                columns = tuple(self.con.sql(f"from {step.out} limit 0").columns)
            self._assert_contract(step, columns, rows)
        return rows

    def _assert_contract(self, step: Step, columns: tuple[str, ...], rows: int) -> None:
        promised = step.columns[:-1] if step.columns[-1:] == (_REST,) else step.columns
        if columns[: len(promised)] != promised or (promised == step.columns and len(columns) != len(promised)):
            raise SourceStepBroken(
                f"Step {step.name} promised {', '.join(promised)} and gave {', '.join(columns)}.", subject=step.name
            )
        if step.form == "check" and rows:
            first = self.con.sql(f"from {step.out} limit 3").fetchall()
            raise SourceStepBroken(f"Check {step.name} found {rows} rows that break it: {first}.", subject=step.name)
        if step.grain and step.form == "table":
            keys = ", ".join(step.grain)
            repeated = self.con.sql(f"select {keys} from {step.out} group by {keys} having count(*) > 1 limit 1")
            if repeated.fetchall():
                raise SourceStepBroken(f"Step {step.name} has several rows for one ({keys}).", subject=step.name)


def write_parquet(con: duckdb.DuckDBPyConnection, query: str, path: Path, *, is_scratch: bool = False) -> None:
    """Write what `query` yields to `path`, in its order: smaller where it is kept, faster where it is scratch."""
    target = str(path).replace("'", "''")
    compression = "lz4_raw" if is_scratch else "zstd"
    con.execute(f"copy ({query}) to '{target}' (format parquet, compression {compression}, parquet_version v2)")


@contextmanager
def failures_told(name: str) -> Iterator[None]:
    """Turn what DuckDB says about a failed step into one of our errors."""
    try:
        yield
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise SourceStepBroken(f"Step {name} cannot run: {error}", subject=name) from error
    except (duckdb.OutOfMemoryException, duckdb.IOException, OSError) as error:
        raise SourceStepFailed(
            f"Step {name} stopped: {error}.",
            subject=name,
            remedy="Nothing was stored; free disk or memory (TIEOUT_MEMORY_LIMIT) and try again.",
        ) from error
