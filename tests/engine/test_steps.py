"""A step keeps its contract, or the run stops and says which step broke which promise."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest.mock import ANY

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from tests.engine.builders import (
    Result,
    Side,
    decided,
    plan_for,
    reconcile,
    run,
    settling_plan,
    table,
    where_beginnings_tell_nothing,
)
from tests.engine.days import by_date, run_chain
from tests.engine.scoring.test_learned_pass import learned_plan, world
from tieout.engine import run as engine_run
from tieout.engine import steps
from tieout.engine.plan_steps import join_step, unmatched_step
from tieout.engine.projection import EntryShape, entry_shape
from tieout.engine.steps import (
    AmountsTooLarge,
    Runner,
    Step,
    StepContractBroken,
    StepFailed,
    load_step,
    parse_step,
    step_files,
)

GIVEN = {"expected", "reported", "advice", "run", "given_decision", "told_row"}
"""Relations that no step makes: both sides and the advice as entries, rules and decisions, what is told of rows."""
OF_PLAN = {"join_by_reference", "unmatched_ours", "unmatched_theirs"}
MADE = OF_PLAN | {
    "open_invoice",
    "open_payment",
    "payment_reference",
    "application_row",
    "change_of_row",
    "rule_change",
}
"""Steps that are no file, for only a plan knows their columns, or their rows are no query."""

SQL_FILES = step_files() | {"macros": files(steps.__package__) / "sql" / "macros.sql"}
STEP_NAMES = sorted(SQL_FILES.keys() - {"macros"})

TWICE = """
-- step:  twice
-- in:    number
-- out:   doubled(n, twice)
-- grain: one row per (n)
-- form:  view
-- why:   shows a header
--        that goes on
select n, n * 2 as twice from number;
"""


def _step(sql: str, **changes: object) -> Step:
    step = Step("a_step", ("number",), "a_table", ("n",), ("n",), "table", "for the test", sql)
    return replace(step, **changes)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    con = duckdb.connect()
    con.execute("create table number as select unnest([1, 2, 3]) as n")
    return Runner(con, tmp_path)


# Headers


def test_a_header_says_what_a_step_reads_yields_and_why() -> None:
    step = parse_step(TWICE)
    assert step == Step(
        name="twice",
        reads=("number",),
        out="doubled",
        columns=("n", "twice"),
        grain=("n",),
        form="view",
        why="shows a header that goes on",
        sql="select n, n * 2 as twice from number",
    )


@pytest.mark.parametrize("line", ["step:", "out:", "why:"])
def test_a_header_that_lacks_a_line_is_refused(line: str) -> None:
    text = "\n".join(kept for kept in TWICE.splitlines() if line not in kept)
    with pytest.raises(StepContractBroken, match="header"):
        parse_step(text)


def test_a_header_with_an_unknown_form_is_refused() -> None:
    with pytest.raises(StepContractBroken, match="twice"):
        parse_step(TWICE.replace("view", "index"))


def test_a_step_is_a_table_with_no_grain_unless_it_says_so() -> None:
    kept = [line for line in TWICE.splitlines() if "form:" not in line and "grain:" not in line]
    step = parse_step("\n".join(kept))
    assert (step.form, step.grain) == ("table", ())


def test_a_scan_is_a_view_that_nothing_is_counted_of_and_leaves_no_record(runner: Runner) -> None:
    runner.run_all([_step("select n from number", form="scan"), _step("select sum(n) as n from a_table", out="total")])
    assert runner.con.sql("from a_table").fetchall() == [(1,), (2,), (3,)]
    assert [(record.name, record.rows) for record in runner.records] == [("a_step", 1)]
    assert runner.con.sql("from total").fetchall() == [(6,)]


def test_a_scan_that_lacks_a_promised_column_breaks_its_contract(runner: Runner) -> None:
    with pytest.raises(StepContractBroken, match="promised"):
        runner.run(_step("select n, n as m from number", form="scan"))


def test_a_file_whose_step_has_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "thrice.sql"
    file.write_text(TWICE, encoding="utf-8")
    monkeypatch.setattr(steps, "step_files", lambda: {"thrice": file})
    with pytest.raises(StepContractBroken, match=r"thrice\.sql calls itself twice"):
        load_step("thrice")


# Steps that read few rows


@pytest.mark.parametrize(("rows", "seen_so"), [(steps.FEW_ROWS, [False]), (steps.FEW_ROWS + 1, [True]), (None, [True])])
def test_a_step_that_reads_few_rows_is_planned_as_it_is_written(
    runner: Runner, rows: int | None, seen_so: list[bool]
) -> None:
    if rows is not None:
        runner.note_rows("number", rows)
    seen = []

    def compute(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
        seen.append(_improves_plans(con))
        return con.sql(query).to_arrow_table()

    runner.run_computed(_step("select n from number", form="computed"), compute)
    assert seen == seen_so
    assert _improves_plans(runner.con)


def test_what_a_step_made_counts_for_the_next_one(runner: Runner) -> None:
    seen = []

    def compute(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
        seen.append(_improves_plans(con))
        return con.sql(query).to_arrow_table()

    runner.run(_step("select n from number", out="few"))
    runner.run(_step("select n from few", out="looked_at", form="scan", reads=("few",)))
    runner.run_computed(_step("select n from looked_at", form="computed", reads=("looked_at",)), compute)
    assert seen == [False]


def test_plans_are_improved_again_after_a_step_that_failed(runner: Runner) -> None:
    runner.note_rows("number", 3)
    with pytest.raises(StepFailed):
        runner.run(_step("select error('no') as n from number"))
    assert _improves_plans(runner.con)


def test_what_a_run_finds_does_not_depend_on_how_it_is_planned(
    runs: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "FEW_ROWS", -1)
    for planned, improved in zip(runs, every_kind_of_run(), strict=True):
        assert [(one.name, one.rows) for one in planned.outcome.steps] == [
            (one.name, one.rows) for one in improved.outcome.steps
        ]
        assert planned.facts == improved.facts
        assert planned.outcome.summary == improved.outcome.summary


def _improves_plans(con: duckdb.DuckDBPyConnection) -> bool:
    """Say whether DuckDB folds a constant, as it does where it improves a plan."""
    return "1 + 1" not in con.execute("explain select 1 + 1").fetchall()[0][1]


# Steps that are divided among the cores


@pytest.mark.parametrize(("is_parallel", "has_cores"), [(True, True), (True, False), (False, True)])
def test_a_step_is_divided_among_the_cores_where_it_says_so_and_there_are_some(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, *, is_parallel: bool, has_cores: bool
) -> None:
    asked = watch_statements(monkeypatch)
    runner.is_side_by_side = has_cores
    for query in ("select n from number", "select error('no') as n from number"):
        with suppress(StepFailed):
            runner.run(replace(_step(query), is_parallel=is_parallel))
    told = [statement for statement in asked if "parallelism" in statement]
    assert told == ["pragma verify_parallelism", "pragma disable_verify_parallelism"] * 2 * (is_parallel and has_cores)


def test_what_a_join_finds_does_not_depend_on_how_it_is_divided_among_the_cores(runner: Runner) -> None:
    columns = "r as entry_no, (r * 7) % 300000 as ref, {'amount': r // 100} as compared from range(200000) t(r)"
    runner.con.execute(f"create table expected as select {columns}; create table reported as from expected")
    runner.con.execute("update reported set compared = {'amount': 3} where entry_no % 1000 = 0")
    runner.con.execute("delete from reported where entry_no % 777 = 0; delete from expected where entry_no % 888 = 0")
    shape = EntryShape(is_ref_integer=True, has_amount=True, is_amount_plain=True, has_currency=False)
    side = table("id | amount\nA | 1")
    step = join_step(replace(plan_for(side, side), compared=()), shape, (200_000, 200_000))
    assert step.is_parallel
    found = [runner.run(step)]
    runner.is_side_by_side = True
    found.append(runner.run(step))
    assert found[0] == replace(found[1], seconds=ANY)


def watch_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that steps ask from now on, as they are asked."""
    asked: list[str] = []
    ask = steps.execute

    def watched(con: duckdb.DuckDBPyConnection, statement: str, values: Mapping[str, object] | None = None) -> Any:
        asked.append(statement)
        return ask(con, statement, values)

    monkeypatch.setattr(steps, "execute", watched)
    return asked


# Steps that have nothing to find

LACKING = """
-- step:  lacking
-- in:    number, wanted
-- out:   lacking(n, told)
-- grain: one row per (n)
-- empty: when refused and wanted
-- types: bigint, varchar
-- why:   shows when a step is made without its query
select n::bigint as n, 'none' as told from number anti join wanted using (n)
"""


def test_a_step_is_made_without_its_query_where_all_of_one_set_have_no_rows(runner: Runner) -> None:
    step = parse_step(LACKING)
    assert step.empty == (frozenset({"refused", "wanted"}),)
    assert step.asks == {"number", "wanted", "refused"}
    runner.con.execute("create table wanted (n integer)")
    runner.note_rows("wanted", 0)
    assert runner.run(step).rows == 3
    runner.note_rows("refused", 0)
    record = runner.run(step)
    assert (record.rows, record.digest) == (0, steps.NO_ROWS)
    assert runner.con.table("lacking").dtypes == ["BIGINT", "VARCHAR"]


def test_one_relation_without_rows_is_enough_where_the_header_says_so(runner: Runner) -> None:
    step = parse_step(LACKING.replace("refused and wanted", "refused or wanted"))
    assert step.empty == (frozenset({"refused"}), frozenset({"wanted"}))
    runner.note_rows("wanted", 0)
    assert runner.run(step).rows == 0


def test_what_got_rows_since_is_asked_again(runner: Runner) -> None:
    runner.con.execute("create table wanted (n integer)")
    runner.note_rows("wanted", 0)
    runner.note_rows("refused", 0)
    runner.run(_step("select n from number", out="refused"))
    assert runner.run(parse_step(LACKING)).rows == 3


def test_a_step_without_rows_by_its_query_has_the_digest_of_one_made_without(runner: Runner) -> None:
    runner.con.execute("create table wanted as from number")
    assert runner.run(parse_step(LACKING)).digest == steps.NO_ROWS


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("-- empty: when refused and wanted", "-- empty: refused"),
        ("-- types: bigint, varchar\n", ""),
        ("-- types: bigint, varchar", "-- types: bigint"),
        ("-- grain:", "-- form:  fact\n-- grain:"),
    ],
)
def test_a_header_that_tells_half_of_when_it_is_empty_is_refused(line: str, instead: str) -> None:
    with pytest.raises(StepContractBroken, match="lacking"):
        parse_step(LACKING.replace(line, instead))


def test_a_step_that_says_when_it_is_empty_finds_nothing_then_by_its_query_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The runs of this module once more, each such step also by its query, which must yield no row and its types."""
    looked_at: set[str] = set()
    is_empty = Runner._is_empty

    def checked(self: Runner, step: Step) -> bool:
        found = is_empty(self, step)
        if step.empty:
            by_query = self.con.cursor().sql(step.sql)
            assert tuple(kind.lower() for kind in map(str, by_query.types)) == step.types, step.name
            if found:
                assert by_query.fetchall() == [], step.name
                looked_at.add(step.name)
        return found

    monkeypatch.setattr(Runner, "_is_empty", checked)
    every_kind_of_run()
    reconcile("id | amount\nA | 1\nB | 2", "id | amount\nB | 2\nA | 1")
    reconcile("id | amount\nA | 1\nQWERTY | 2", "id | amount\nA | 1\n0815-4711 | 700")
    assert looked_at == {name for name in STEP_NAMES if load_step(name).empty}


# Contracts


def test_a_step_makes_what_it_promises_and_its_record_counts_the_rows(runner: Runner) -> None:
    record = runner.run(parse_step(TWICE))
    assert runner.con.sql("from doubled order by n").fetchall() == [(1, 2), (2, 4), (3, 6)]
    assert (record.name, record.rows) == ("twice", 3)
    assert runner.records == [record]


@pytest.mark.parametrize(
    ("sql", "promised"),
    [
        ("select n as m from number", ("n",)),
        ("select n, 1 as more from number", ("n",)),
        ("select n from number", ("n", "m")),
        ("select 1 as m, n from number", ("n", "m")),
    ],
    ids=["renamed", "one too many", "one too few", "in another order"],
)
def test_other_columns_than_promised_break_the_contract(runner: Runner, sql: str, promised: tuple[str, ...]) -> None:
    with pytest.raises(StepContractBroken, match="a_step promised"):
        runner.run(_step(sql, columns=promised))


def test_columns_of_a_file_may_follow_the_promised_ones(runner: Runner) -> None:
    assert runner.run(_step("select n, 'x' as own from number", columns=("n", "…"))).rows == 3


def test_a_repeated_key_breaks_the_grain(runner: Runner) -> None:
    with pytest.raises(StepContractBroken, match=r"one row per \(n\).*\(2,\)"):
        runner.run(_step("select 2 as n from number"))


def test_a_key_that_is_absent_twice_breaks_the_grain(runner: Runner) -> None:
    with pytest.raises(StepContractBroken, match="one row per"):
        runner.run(_step("select null::integer as n from number"))


def test_a_check_that_finds_rows_stops_the_run_and_shows_them(runner: Runner) -> None:
    with pytest.raises(StepContractBroken, match=r"Check a_step found 1 rows.*\(3,\)"):
        runner.run(_step("select n from number where n > 2", form="check"))


def test_a_check_that_finds_nothing_passes(runner: Runner) -> None:
    assert runner.run(_step("select n from number where n > 3", form="check")).rows == 0


def test_sql_that_names_what_is_not_there_is_our_fault_and_shows_the_sql(runner: Runner) -> None:
    with pytest.raises(StepContractBroken, match="select n from nowhere"):
        runner.run(_step("select n from nowhere", reads=("nowhere",)))


def test_a_step_that_cannot_write_says_that_nothing_was_published(runner: Runner, tmp_path: Path) -> None:
    away = Runner(runner.con, tmp_path / "not" / "there")
    with pytest.raises(StepFailed, match="Nothing was published"):
        away.run(_step("select n from number", form="fact"))


def test_a_sum_that_no_amount_can_hold_is_told_from_a_lack_of_memory(runner: Runner) -> None:
    for sql in (
        "select 9223372036854775807 + n as n from number",
        "select (n * 1e25::hugeint)::bigint as n from number",
    ):
        with pytest.raises(AmountsTooLarge, match="Step a_step needs.*amount_exponent"):
            runner.run(_step(sql))


class _Cramped:
    """A connection whose memory cannot hold more than `most` row numbers of a split step at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection, most: int) -> None:
        self.con, self.most, self.ranges = con, most, []

    def execute(self, sql: str, values: object = None) -> object:
        if isinstance(values, dict):
            if values["last"] - values["first"] >= self.most:
                raise duckdb.OutOfMemoryException("Out of Memory Error")
            self.ranges.append((values["first"], values["last"]))
        return self.con.execute(sql, values)

    def __getattr__(self, name: str) -> object:
        return getattr(self.con, name)


def test_a_split_step_that_does_not_fit_at_once_is_made_in_ranges_to_the_same_rows(runner: Runner) -> None:
    runner.con.execute("create or replace table number as select range as n from range(1000)")
    step = _step("select n from number where n % 3 = 0 and n between $first and $last", split=("n", "number"))
    whole = runner._run(step)
    runner.con = cramped = _Cramped(runner.con, most=63)
    again = runner._run(step)
    assert (again.rows, again.digest) == (whole.rows, whole.digest)
    assert whole.rows == 334
    assert len(cramped.ranges) == steps.SPLIT_RANGES
    assert [last + 1 for _, last in cramped.ranges[:-1]] == [first for first, _ in cramped.ranges[1:]]


def test_a_split_step_that_does_not_fit_in_ranges_either_says_so(runner: Runner) -> None:
    runner.con.execute("create or replace table number as select range as n from range(1000)")
    step = _step("select n from number where n between $first and $last", split=("n", "number"))
    runner.con = _Cramped(runner.con, most=5)
    with pytest.raises(StepFailed, match="Nothing was published; free disk or memory"):
        runner._run(step)


def test_a_fault_of_ours_is_not_blamed_on_memory(runner: Runner) -> None:
    with pytest.raises(StepFailed, match="fault of ours"):
        runner.run(_step("select error('broken') as n from number"))


def test_a_fact_is_a_file_of_the_run_and_can_be_read_by_later_steps(runner: Runner, tmp_path: Path) -> None:
    runner.run(_step("select n from number order by n", form="fact", out="kept"))
    assert pq.read_table(tmp_path / "kept.parquet").column("n").to_pylist() == [1, 2, 3]
    assert runner.con.sql("select sum(n) from kept").fetchall() == [(6,)]


def test_a_step_run_again_replaces_what_it_made(runner: Runner) -> None:
    runner.run(_step("select n from number"))
    assert runner.run(_step("select n from number where n = 1")).rows == 1


def test_the_digest_of_a_step_sees_the_rows_and_not_their_order(runner: Runner) -> None:
    one, other, changed = (
        runner.run(_step(sql)).digest
        for sql in ("select n from number order by n", "from number order by n desc", "select n + 1 as n from number")
    )
    assert one == other
    assert one != changed


def test_a_step_is_announced_before_it_runs(runner: Runner, tmp_path: Path) -> None:
    said: list[str] = []
    loud = Runner(runner.con, tmp_path, said.append)
    with pytest.raises(StepContractBroken):
        loud.run(_step("select n from nowhere", reads=("nowhere",)))
    assert said == ["a_step"]


# Side by side

FOUR = (
    ("first", "first_table", ("number",), "select n + 1 as n from number"),
    ("second", "second_table", ("number",), "select n + 2 as n from number"),
    (
        "pair",
        "pair_table",
        ("first_table", "second_table"),
        "select f.n from first_table f join second_table using (n)",
    ),
    ("again", "number", ("pair_table",), "select n * 100 as n from pair_table"),
)
"""The third reads what the first two make, and the fourth replaces what those read."""


def _four() -> list[Step]:
    return [_step(sql, name=name, out=out, reads=reads) for name, out, reads, sql in FOUR]


def test_steps_that_do_not_depend_on_each_other_run_at_once(runner: Runner, tmp_path: Path) -> None:
    together = Barrier(2, timeout=60)

    def meet(name: str) -> None:
        if name in ("first", "second"):
            together.wait()

    wide = Runner(runner.con, tmp_path, meet, is_side_by_side=True)
    assert wide.run_all(_four()).name == "again"
    assert runner.con.sql("from number order by n").fetchall() == [(300,), (400,)]


def test_steps_side_by_side_are_recorded_as_if_one_after_another(runner: Runner, tmp_path: Path) -> None:
    runner.con.execute("create table numbers_before as from number")
    runner.run_all(_four())
    runner.con.execute("create or replace table number as from numbers_before")
    kept: list[int] = []
    wide = Runner(runner.con, tmp_path, after_step=lambda records: kept.append(len(records)), is_side_by_side=True)
    wide.run_all(_four())
    assert [replace(record, seconds=0) for record in wide.records] == [
        replace(record, seconds=0) for record in runner.records
    ]
    assert kept == [4], "a checkpoint is taken when all are done"


def test_side_by_side_goes_on_after_the_steps_that_are_done(runner: Runner, tmp_path: Path) -> None:
    runner.run_all(_four()[:2])
    said: list[str] = []
    wide = Runner(runner.con, tmp_path, said.append, runner.records, is_side_by_side=True)
    wide.run_all(_four())
    assert said == ["pair", "again"]
    assert [record.name for record in wide.records] == ["first", "second", "pair", "again"]


def test_a_step_that_fails_side_by_side_stops_those_that_wait_for_it(runner: Runner, tmp_path: Path) -> None:
    said: list[str] = []
    wide = Runner(runner.con, tmp_path, said.append, is_side_by_side=True)
    broken = _step("select error('broken') as n from number", name="broken", out="first_table")
    with pytest.raises(StepFailed, match="broken"):
        wide.run_all([broken, *_four()[1:]])
    assert {"pair", "again"}.isdisjoint(said)
    assert wide.records == []


def test_a_whole_run_comes_to_the_same_bytes_however_its_steps_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = (
        "id | amount | tax\nA | 1 | 1\nB | 2 | 1\n- | 3 | 1\n- | 100 | 1",
        "id | amount | tax\nA | 1 | 2\nC | 2 | 1\n- | 3 | 1",
    )
    wide = reconcile(*sides)
    monkeypatch.setattr(engine_run, "SMALL_ROWS", 0)
    narrow = reconcile(*sides)
    assert narrow.contents == wide.contents
    assert [(step.name, step.rows, step.digest) for step in narrow.outcome.steps] == [
        (step.name, step.rows, step.digest) for step in wide.outcome.steps
    ]


# The steps of the engine


@pytest.mark.parametrize(
    ("check", "table", "whole"),
    [
        ("parts_sum_to_delta", "delta", ("amount",)),
        ("window_is_conserved", "balance", ("expected", "delta")),
    ],
)
def test_a_sum_that_does_not_hold_by_a_micro_stops_the_run(
    runner: Runner, check: str, table: str, whole: tuple[str, ...]
) -> None:
    parts = [
        "rate",
        "volume",
        "fx",
        "timing",
        "fee",
        "duplicate",
        "missing",
        "unexpected",
        "unexplained",
        "reported",
        "tolerated",
    ]
    columns = ", ".join([*(f"5 as {name}_micros" for name in whole), *(f"0 as {name}_micros" for name in parts)])
    for unexplained, is_held in ((5, True), (6, False)):
        made = columns.replace("0 as unexplained", f"{unexplained} as unexplained")
        runner.con.execute(f"create or replace table {table} as select 'EUR' as currency, '1' as delta_id, {made}")
        if is_held:
            assert runner.run(check).rows == 0
        else:
            with pytest.raises(StepContractBroken, match=f"Check {check} found 1 rows"):
                runner.run(check)


def test_every_run_asserts_that_money_and_rows_are_conserved(runs: list[Result]) -> None:
    for result in runs:
        ran = [record.name for record in result.outcome.steps]
        last = ran.index("every_row_ends_once")
        assert ran[last - 2 : last] == ["parts_sum_to_delta", "window_is_conserved"]
        # What follows makes none of the facts that were checked.
        made = {_step_of_any_run(name).out for name in ran[last + 1 :] if name not in MADE}
        assert not made & {"match", "delta", "application", "unmatched_ours", "unmatched_theirs", "balance"}


@pytest.fixture(scope="module")
def runs() -> list[Result]:
    return every_kind_of_run()


def every_kind_of_run() -> list[Result]:
    """Runs in which references are unique, repeat, leave nothing to the other passes; weights are learned, or given."""
    unique = reconcile("id | amount\nA | 1\nB | 2\n- | 3\n- | 100", "id | amount\nA | 1\nC | 2\n- | 3\n- | 99")
    repeated = reconcile("id | amount\nA | 1\nA | 2", "id | amount\nA | 1\nA | 1\nA | 1")
    quoted = reconcile("id | amount\nA-1 | 1\nA-2 | 2", "id | amount\nA-1 in part | 1")
    alone = reconcile("id | amount\nA | 1\nB | 2", "id | amount\nA | 1\nB | 3")
    few = ("day | amount | text\n2026-01-01 | 1 | rent", "day | amount | text\n2026-01-01 | 2 | rent")
    learned = reconcile(*few, scoring="learned")
    more = (few[0] + "\n2026-01-01 | 7 | fuel", few[1])
    learned_of_more = reconcile(*more, scoring="learned")
    given = reconcile(*few, scoring="learned", learned=learned.outcome.learned)
    by_word = reconcile(*few, scoring="learned", learned=where_beginnings_tell_nothing(learned.outcome.learned))
    sides = [table("amount | text | unit\n5 | Elm | I-1"), table("amount | text | unit\n5 | Elm | P-1")]
    advice = table("id | group | amount\nI-1 | P-1 | 5")
    settled = run(*sides, settling_plan(*sides, advice), advice=advice)
    sides = [table("day | amount | text\n2026-01-01 | 1 | rent\n2026-01-01 | 2 | lease")] * 2
    plan = plan_for(*sides, scoring="learned")
    reviewed = run(*sides, plan, decisions=decided(*sides, plan, accepted=[(1, 2)], rejected=[(2, 2)]))
    left = run(*sides, plan, decisions=decided(*sides, plan, rejected=[(2, 2)]))
    one_sided = reconcile("id | amount\nA | 1\nB | 2", "id | amount\nA | 1")
    copied = reconcile("id | amount\nA | 1\nA | 1", "id | amount\nA | 1")
    sides = world(60, 2)
    plan = learned_plan(*sides)
    after = run_chain(by_date(*sides, 2), replace(plan, learned=run(*sides, plan).outcome.learned))
    known = [unique, repeated, quoted, alone, learned, learned_of_more, given, by_word, settled]
    return [*known, reviewed, left, one_sided, copied, after]


@pytest.mark.parametrize("name", STEP_NAMES)
def test_every_step_file_has_a_complete_header(name: str) -> None:
    lines = SQL_FILES[name].read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"-- step:  {name}"
    step = load_step(name)
    assert step.reads
    assert step.columns


@pytest.mark.parametrize("name", STEP_NAMES)
def test_a_step_reads_what_its_header_names_and_nothing_else(name: str) -> None:
    step = load_step(name)
    read = _relations(step.sql)
    assert read == set(step.reads) or (step.form == "computed" and read < set(step.reads))


def test_the_steps_made_for_a_plan_read_what_they_name() -> None:
    side = table("id | amount | tax | due | note\nA | 1 | 2 | 2026-01-01 | x")
    for made in (unmatched_step("ours", "theirs", "expected", list(side.columns)), join_of(side)):
        assert _relations(made.sql) == set(made.reads)


def join_of(side: Side) -> Step:
    """Return the step that joins two files like this one."""
    plan = plan_for(side, side)
    types = dict.fromkeys(side.columns, "VARCHAR")
    return join_step(plan, entry_shape(plan, types, types), (1, 1))


def _relations(sql: str) -> set[str]:
    """Return the tables that a query reads, its own expressions apart; a macro reads what it is given."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = {call.expressions[0].name for call in tree.find_all(exp.Anonymous) if call.name == "rows_said"}
    return {found.name for found in tree.find_all(exp.Table) if found.name} - own | named


def test_the_usual_steps_are_files_and_those_of_a_run_by_reference() -> None:
    by_reference = reconcile("id | day | amount\nA | 2026-01-01 | 1\nB | 2026-01-02 | 2", "id | amount\nA | 3\nC | 2")
    ran = {record.name for record in by_reference.outcome.steps}
    assert len(set(engine_run.USUAL_STEPS)) == len(engine_run.USUAL_STEPS)
    assert ran & set(STEP_NAMES) <= set(engine_run.USUAL_STEPS) | {"day_total"}
    assert set(engine_run.USUAL_STEPS) <= set(STEP_NAMES)


def test_every_step_file_is_run(runs: list[Result]) -> None:
    ran = {record.name for result in runs for record in result.outcome.steps}
    assert ran == set(STEP_NAMES) - SCANS | MADE


def test_every_step_reads_only_what_an_earlier_step_made(runs: list[Result]) -> None:
    for result in runs:
        there = set(GIVEN)
        for record in result.outcome.steps:
            if record.name in MADE - OF_PLAN:
                there.add(record.name)
                continue
            step = _step_of_any_run(record.name)
            # A scan leaves no record: it is there once what it reads is.
            there |= {load_step(scan).out for scan in SCANS if set(load_step(scan).reads) <= there}
            assert set(step.reads) <= there, step.name
            there.add(step.out)


def test_whatever_a_step_makes_is_read_by_another_or_is_a_fact_or_a_check() -> None:
    every = [_step_of_any_run(name) for name in (*STEP_NAMES, *OF_PLAN)]
    read = {name for step in every for name in step.asks}
    unread = {step.out for step in every if step.form not in ("fact", "check") and step.out not in read}
    # Those that decide which steps follow, what the rules of application and the learning of weights read, and what a
    # made step puts together.
    together = {"near_same_reference", "near_taken", "near_likeness"}
    together |= {"tolerance_change", "surer_change", "form_change", "likeness_change"}
    deciding = {"reference_repeat", "dressed_reference", "quoted_reference", "scoring", "second_look", "leftover"}
    assert unread == deciding | {"advice_line", "label_level"} | together


SCANS = {name for name in STEP_NAMES if load_step(name).form == "scan"}


def _step_of_any_run(name: str) -> Step:
    side = table("id | amount\nA | 1")
    if name.startswith("unmatched_"):
        which = name.removeprefix("unmatched_")
        canonical = {"ours": "expected", "theirs": "reported"}[which]
        return unmatched_step(which, "other", canonical, list(side.columns))
    return join_of(side) if name == "join_by_reference" else load_step(name)


def test_a_relation_has_the_same_columns_whichever_step_makes_it() -> None:
    made: dict[str, set[tuple[str, ...]]] = {}
    for name in STEP_NAMES:
        step = load_step(name)
        made.setdefault(step.out, set()).add(step.columns)
    assert {out: columns for out, columns in made.items() if len(columns) > 1} == {}


def test_every_decisive_order_of_a_fact_is_total(runs: list[Result]) -> None:
    """A fact is written in an order that its own columns decide, so that a rerun writes the same bytes."""
    keys = {
        "match": ("ours_row", "theirs_row"),
        "candidate": ("ours_row", "theirs_row"),
        "balance": ("currency",),
        "unmatched_ours": ("ours_row",),
        "unmatched_theirs": ("theirs_row",),
    }
    for result in runs:
        for fact, names in keys.items():
            found = [tuple(row[name] for name in names) for row in result.facts[fact]]
            assert found == sorted(set(found)), fact
