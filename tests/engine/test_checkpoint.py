"""Checkpoints: what they keep, that each table is written once, and that a later one holds what an earlier wrote."""

from pathlib import Path

import duckdb
import pytest

from tieout.engine.checkpoint import Checkpoint
from tieout.engine.steps import StepRecord

ONE, TWO = (StepRecord(name, 1, 0.1, name) for name in ("one", "two"))


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create table first as select 1 as x")
    con.execute("create table second as select 2 as x")
    return con


def restored(folder: Path) -> tuple[list[StepRecord], dict[str, list[tuple[int]]]]:
    """Return the steps and tables that a new process finds."""
    con = duckdb.connect()
    steps = Checkpoint(folder, 0).restore(con)
    names = [name for (name,) in con.sql("select table_name from duckdb_tables() order by all").fetchall()]
    return steps, {name: con.sql(f"from {name} order by all").fetchall() for name in names}


def test_a_later_checkpoint_writes_what_is_new_and_holds_everything(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    checkpoint = Checkpoint(tmp_path, 0)
    checkpoint.save(con, [ONE])
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("tables-*/*.parquet")}
    con.execute("create or replace table second as select 3 as x")
    con.execute("create table third as select 4 as x")
    checkpoint.save(con, [ONE, TWO])
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("tables-*/*.parquet")}
    assert sorted(after) == ["first.parquet", "second.parquet", "third.parquet"]
    assert after["first.parquet"] == before["first.parquet"]
    assert after["second.parquet"] != before["second.parquet"]
    assert restored(tmp_path) == ([ONE, TWO], {"first": [(1,)], "second": [(3,)], "third": [(4,)]})


def test_a_table_that_is_gone_is_no_longer_kept(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, 0)
    checkpoint.save(con, [ONE])
    con.execute("drop table first")
    checkpoint.save(con, [ONE, TWO])
    assert [path.name for path in tmp_path.glob("tables-*/*.parquet")] == ["second.parquet"]
    assert restored(tmp_path) == ([ONE, TWO], {"second": [(2,)]})


def test_who_goes_on_from_a_checkpoint_writes_its_own(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    Checkpoint(tmp_path, 0).save(con, [ONE])
    again = duckdb.connect()
    checkpoint = Checkpoint(tmp_path, 0)
    assert checkpoint.restore(again) == [ONE]
    checkpoint.save(again, [ONE, TWO])
    assert restored(tmp_path) == ([ONE, TWO], {"first": [(1,)], "second": [(2,)]})


@pytest.mark.parametrize(
    ("after_s", "seconds", "kept"), [(0, 0, 1), (60, 59, 0), (60, 61, 0), (60, 590, 0), (60, 601, 1)]
)
def test_what_takes_long_to_write_is_written_the_more_rarely(
    after_s: float, seconds: float, kept: int, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    con.execute("create table large as select range as x from range(1_000_000)")
    now = [0.0]
    checkpoint = Checkpoint(tmp_path, after_s, clock=lambda: now[0])
    checkpoint._cells_a_second = 10_000  # a hundred seconds for a million
    now[0] = seconds
    checkpoint.consider(con, [ONE])
    assert len(list(tmp_path.glob("checkpoint.json"))) == kept


def test_what_is_soon_written_is_written_as_soon_as_asked_for(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    now = [0.0]
    checkpoint = Checkpoint(tmp_path, 60, clock=lambda: now[0])
    con.execute("create table large as select range as x from range(1_000_000)")
    checkpoint.save(con, [ONE])
    checkpoint._cells_a_second = 10_000  # what is written already is not written again
    now[0] = 60
    checkpoint.consider(con, [ONE, TWO])
    assert restored(tmp_path)[0] == [ONE, TWO]


def test_how_long_writing_takes_is_learned_from_the_last_checkpoint(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 30  # so long each checkpoint seems to take
        return now[0]

    checkpoint = Checkpoint(tmp_path, 60, clock=clock)
    checkpoint.save(con, [ONE])
    con.execute("create table third as select 4 as x")
    checkpoint._last = now[0] - 100  # a value takes 15 s now, and so much work is not yet ten times that
    checkpoint.consider(con, [ONE, TWO])
    assert restored(tmp_path)[0] == [ONE]
    checkpoint._last = now[0] - 200
    checkpoint.consider(con, [ONE, TWO])
    assert restored(tmp_path)[0] == [ONE, TWO]
    checkpoint.save(con, [ONE, TWO])  # of which there is nothing to learn, for nothing is new
    checkpoint._last = now[0] - 100
    checkpoint.consider(con, [TWO])
    assert restored(tmp_path)[0] == [TWO]
