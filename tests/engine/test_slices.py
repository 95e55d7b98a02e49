"""A fact in several files: its ranges, its names, and that it is one fact still."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine import hashes, slices, steps
from tieout.engine.slices import EVERYTHING, fact_of, slice_path, slice_paths, slice_ranges
from tieout.engine.steps import Runner, Step, StepContractBroken, StepFailed
from tieout.store.digest import digest_file, digest_text

CON = duckdb.connect()
SPLIT = "select n, n * 2 as twice from number where n between $first and $last order by n"


def step(sql: str = SPLIT, **told: object) -> Step:
    given: dict[str, object] = {
        "name": "kept",
        "reads": ("number",),
        "out": "kept",
        "columns": ("n", "twice"),
        "grain": ("n",),
        "form": "fact",
        "why": "for the test",
        "sql": sql,
        "split": ("n", "number"),
    }
    return Step(**{**given, **told})  # type: ignore[arg-type]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    con = duckdb.connect()
    con.execute("create table number as select range as n from range(100)")
    return Runner(con, tmp_path)


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), max_size=200), st.integers(1, 64))
def test_ranges_hold_every_number_once_and_not_many_rows_each(numbers: list[int], most: int) -> None:
    CON.execute("create or replace table told as select unnest(?::bigint[]) as n", [numbers])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE_ROWS", most)
        ranges = slice_ranges(CON, "told", "n")
        margin = slices._margin()
    assert ranges[0][0] == 0
    assert ranges[-1][1] == EVERYTHING[1]
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(ranges))
    held = [[n for n in numbers if first <= n <= last] for first, last in ranges]
    for rows in held:
        assert len(rows) <= most or len({n // margin for n in rows}) == 1
    if len(held) > 1:
        assert all(held), "no slice is empty"
        assert all(len(one) + len(other) > most for one, other in pairwise(held))


def test_nothing_is_one_slice() -> None:
    CON.execute("create or replace table told (n bigint)")
    assert slice_ranges(CON, "told", "n") == (EVERYTHING,)


@pytest.mark.parametrize("fact", ["expected", "delta_part"])
def test_a_slice_is_called_as_the_fact_with_its_number(tmp_path: Path, fact: str) -> None:
    names = [slice_path(tmp_path, fact, number).stem for number in (1, 2, 11)]
    assert names == [fact, f"{fact}-2", f"{fact}-11"]
    assert [fact_of(name) for name in names] == [fact] * 3
    assert fact_of("rows-1.parquet") == "rows-1.parquet"


def test_a_fact_in_slices_is_read_as_one(runner: Runner, tmp_path: Path) -> None:
    whole = runner.run(step())
    (tmp_path / "kept-2.parquet").write_text("left by a run that was killed")
    record = runner.run_in_slices(step(), [(0, 39), (40, 79), (80, EVERYTHING[1])])
    files = slice_paths(tmp_path, "kept")
    assert [path.name for path in files] == ["kept.parquet", "kept-2.parquet", "kept-3.parquet"]
    assert [pq.read_metadata(path).num_rows for path in files] == [40, 40, 20]
    assert record.rows == whole.rows == 100
    assert record.digest == digest_text("".join(f"{digest_file(path)}\n" for path in files))
    assert runner.con.sql("select count(*), sum(twice) from kept").fetchall() == [(100, 9900)]
    assert [(file.path, file.rows, file.sha256) for file in runner.fact_files[1:]] == [
        (path, pq.read_metadata(path).num_rows, digest_file(path)) for path in files
    ]


def test_slices_see_the_variables_of_the_run(runner: Runner) -> None:
    runner.con.execute("set variable factor = 3")
    runner.con.execute("set variable nothing = null")
    runner.run_in_slices(
        step("select n, n * getvariable('factor') as twice from number where n between $first and $last"),
        [(0, 49), (50, 99)],
    )
    assert runner.con.sql("select sum(twice) from kept").fetchall() == [(14850,)]


@pytest.mark.parametrize(("many", "most"), [(10, steps.MOST_SORTED), (10, 20), (steps.MANY_ROWS, steps.MOST_SORTED)])
def test_a_key_in_two_slices_breaks_the_contract(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, many: int, most: int
) -> None:
    """By hashes that are sorted, by more than are, and by fewer."""
    monkeypatch.setattr(steps, "MANY_ROWS", many)
    monkeypatch.setattr(steps, "MOST_SORTED", most)
    with pytest.raises(StepContractBroken, match="promised one row per \\(n\\) and has several for \\(50,\\)"):
        runner.run_in_slices(step(), [(0, 50), (50, 99)])


def test_a_slice_that_fails_stops_the_step(runner: Runner) -> None:
    broken = "select n, if(n = 70, error('no row'), n) as twice from number where n between $first and $last"
    with pytest.raises(StepFailed, match="no row"):
        runner.run_in_slices(step(broken), [(0, 49), (50, 99)])


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_hashes_are_counted_as_the_engine_counts_them(numbers: list[int]) -> None:
    CON.execute("create or replace table told as select unnest(?::bigint[]) as n", [numbers])
    assert hashes.count_distinct(CON, "n", "told") == len(set(numbers))
    repeated = hashes.repeated_hashes(CON, "select hash(n) as hash from told").column("hash").to_pylist()
    wanted = CON.sql("select hash(n) from told group by n having count(*) > 1").fetchall()
    assert sorted(repeated) == sorted(value for (value,) in wanted)
