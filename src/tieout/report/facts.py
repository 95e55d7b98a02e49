"""The facts of one run, opened for reading: one DuckDB view a Parquet file, and the report's queries over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from tieout.core.errors import TieoutError

FACT_NAMES = (
    "match",
    "application",
    "delta",
    "difference",
    "unmatched_ours",
    "unmatched_theirs",
    "candidate",
    "why_not",
    "quarantine",
    "check",
    "balance",
    "daily",
)

Row = dict[str, Any]


class RunFolderIncomplete(TieoutError):
    """A run folder lacks one of the files that every run writes."""

    code = "run_folder_incomplete"


class FactUnreadable(TieoutError):
    """A file of a run cannot be read, or does not hold what a run writes."""

    code = "fact_unreadable"


@dataclass(frozen=True)
class Facts:
    """A connection whose views are the facts of one run, named as in FACT_NAMES."""

    con: duckdb.DuckDBPyConnection
    run_dir: Path

    def ask(self, query: str, **values: Any) -> list[Row]:
        """Run a query of `report/sql` with bound values and return its rows, each a dict by column.

        Raises FactUnreadable when a file of the run is damaged or lacks a column.
        """
        with explain_damage(self.run_dir):
            cursor = self.con.execute(load_query(query), values or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def select(self, query: str, **values: Any) -> duckdb.DuckDBPyRelation:
        """Return a query of `report/sql` with bound values as a relation, not yet run."""
        with explain_damage(self.run_dir):
            return self.con.sql(load_query(query), params=values or None)


@contextmanager
def explain_damage(run_dir: Path) -> Iterator[None]:
    """Turn what DuckDB says of a damaged or foreign file into FactUnreadable."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise FactUnreadable(
            f"The files of the run in {run_dir} cannot be read: {str(error).splitlines()[0]}.",
            subject=str(run_dir),
            remedy="Run the comparison again; `tieout replay` says which file changed.",
        ) from error


@contextmanager
def open_facts(
    run_dir: Path, *, threads: int = 2, memory_limit: str = "2GB", spill_dir: Path | None = None
) -> Iterator[Facts]:
    """Open the facts in `run_dir`; without `spill_dir` nothing is ever written to disk.

    Raises RunFolderIncomplete when a file is absent.
    """
    for name in FACT_NAMES:
        if not (run_dir / f"{name}.parquet").is_file():
            raise RunFolderIncomplete(
                f"The run folder {run_dir} has no {name}.parquet.",
                subject=str(run_dir),
                remedy="Run the comparison again.",
            )
    settings: Mapping[str, str | bool | int] = {
        "threads": threads,
        "memory_limit": memory_limit,
        "temp_directory": str(spill_dir or ""),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    con = duckdb.connect(config=dict(settings))
    try:
        con.execute(load_query("units"))
        with explain_damage(run_dir):
            for name in FACT_NAMES:
                con.read_parquet(_literal_glob(run_dir / f"{name}.parquet")).create_view(name)
        yield Facts(con, run_dir)
    finally:
        con.close()


@cache
def load_query(name: str) -> str:
    """Return the text of one query of `report/sql`."""
    return (files("tieout.report") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _literal_glob(path: Path) -> str:
    """Spell a path so that DuckDB, which expands patterns, means this file alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
