"""A comparison from files to a published run: repeated, changed, replayed, and refused without a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, update

from tests.store.builders import NOW, a_file, a_store, settings_for
from tieout.books.compare.actions import Compared, compare
from tieout.books.compare.again import replay
from tieout.books.compare.infer import InferOptions, PlanUndecided
from tieout.books.compare.request import CompareRequest
from tieout.books.workspace import Workspace
from tieout.engine.loading import ColumnGone
from tieout.engine.plan import ColumnType
from tieout.engine.run import FACTS, PlanMisfit
from tieout.intake.tables import NotATable
from tieout.store.artifacts import ArtifactDamaged
from tieout.store.runs import RunUnknown, Window
from tieout.store.tables import run as run_table
from tieout.store.tables import run_file

OURS = """\
id,amount,day
A-1,5.00,2026-01-05
A-2,6.00,2026-01-06
A-3,7.00,2026-01-07
"""
THEIRS = """\
id,amount,day
A-1,5.00,2026-01-05
A-2,6.50,2026-01-06
A-4,8.00,2026-01-08
"""
HEADER = "id,amount,day\n"
WINDOW = Window("compare", "ours.csv ~ theirs.csv", "all")


def _opened(data_dir: Path) -> Iterator[Workspace]:
    workspace = Workspace(replace(settings_for(data_dir), threads=1), a_store(data_dir), lambda: NOW)
    yield workspace
    assert list(workspace.store.folders.incoming.iterdir()) == []  # whatever happened, no scratch file stays
    workspace.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    yield from _opened(tmp_path / "data")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace for tests that leave the run of WINDOW as it is."""
    yield from _opened(tmp_path_factory.mktemp("shared") / "data")


@pytest.fixture(scope="module")
def on_record(shared: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """The run of OURS and THEIRS in the shared workspace."""
    return compare(shared, _request(tmp_path_factory.mktemp("first")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "given"


def _request(folder: Path, ours: str = OURS, theirs: str = THEIRS, **choices: Any) -> CompareRequest:
    return CompareRequest(a_file(folder, ours, "ours.csv"), a_file(folder, theirs, "theirs.csv"), **choices)


def _deltas(done: Compared) -> list[tuple[str, str]]:
    return sorted((row["kind"], row["amount"]) for row in done.summary["deltas"])


def _digests(done: Compared) -> dict[str, str]:
    return {file.path: file.sha256 for file in done.run.files}


# From files to a run


def test_two_files_become_a_published_run_with_its_facts(shared: Workspace, on_record: Compared) -> None:
    done = on_record
    assert _deltas(done) == [("missing", "7.000000"), ("overpay", "-0.500000"), ("unexpected", "-8.000000")]
    assert {path.name for path in done.run_dir.iterdir()} == {
        *(f"{fact}.parquet" for fact in FACTS),
        "plan.toml",
        "summary.json",
    }
    matches = pq.read_table(done.run_dir / "match.parquet").to_pylist()
    assert [(row["ours_row"], row["theirs_row"]) for row in matches] == [(1, 1), (2, 2)]
    assert shared.store.runs.current_run(WINDOW) == done.run
    assert shared.store.runs.damaged_files(done.run) == ()


def test_a_fresh_run_tells_its_stages_and_comes_to_the_same_bytes(
    shared: Workspace, folder: Path, on_record: Compared
) -> None:
    stages: list[str] = []
    done = compare(shared, _request(folder, is_fresh=True), stages.append)
    assert not done.is_reused
    assert done.run.run_id == on_record.run.run_id
    assert _digests(done) == _digests(on_record)
    assert [name for name in stages if name in ("receive", "infer", "match_of_references", "publish")] == [
        "receive",
        "infer",
        "match_of_references",
        "publish",
    ]
    assert set(done.timings) == {"receive_s", "infer_s", "engine_s"}


def test_the_folder_of_a_run_keeps_the_plan_that_made_it(on_record: Compared) -> None:
    assert (on_record.run_dir / "plan.toml").read_text() == on_record.run.config


# Again


def test_the_same_files_again_give_the_run_on_record(shared: Workspace, folder: Path, on_record: Compared) -> None:
    stages: list[str] = []
    again = compare(shared, _request(folder), stages.append)
    assert (on_record.is_reused, again.is_reused) == (False, True)
    assert (again.run, again.summary, again.run_dir) == (on_record.run, on_record.summary, on_record.run_dir)
    assert "match" not in stages


def test_a_plan_that_was_inferred_gives_the_same_run_when_it_is_given(
    shared: Workspace, folder: Path, on_record: Compared
) -> None:
    stages: list[str] = []
    again = compare(shared, _request(folder, plan=on_record.plan), stages.append)
    assert again.is_reused
    assert "infer" not in stages


def test_a_file_of_another_name_makes_another_run(shared: Workspace, folder: Path, on_record: Compared) -> None:
    renamed = compare(shared, replace(_request(folder), ours=a_file(folder, OURS, "march.csv")))
    assert renamed.run.run_id != on_record.run.run_id
    assert _deltas(renamed) == _deltas(on_record)


def test_another_plan_makes_another_run_and_the_former_becomes_current_again_when_it_is_asked_for(
    workspace: Workspace, folder: Path
) -> None:
    first = compare(workspace, _request(folder))
    tolerant = compare(workspace, _request(folder, options=InferOptions(tolerance_micros=500_000)))
    assert set(_deltas(first)) - set(_deltas(tolerant)) == {("overpay", "-0.500000")}
    assert workspace.store.runs.current_run(WINDOW).run_id == tolerant.run.run_id != first.run.run_id
    again = compare(workspace, _request(folder))
    assert again.is_reused
    assert workspace.store.runs.current_run(WINDOW).run_id == first.run.run_id
    assert workspace.store.runs.damaged_files(again.run) == ()


# Replay


def test_a_replay_comes_to_the_same_digests_and_publishes_nothing(shared: Workspace, on_record: Compared) -> None:
    before = shared.store.runs.publications(WINDOW)
    replayed = replay(shared, on_record.run.run_id[:8])
    assert replayed.differences == ()
    assert replayed.is_same_code
    assert replayed.run == on_record.run
    assert shared.store.runs.publications(WINDOW) == before


def test_a_replay_names_the_step_and_the_file_whose_recorded_digests_are_others(
    workspace: Workspace, folder: Path
) -> None:
    done = compare(workspace, _request(folder))
    assert "pair_delta" in {step["name"] for step in done.run.steps}
    steps = [{**step, "digest": "forged"} if step["name"] == "pair_delta" else step for step in done.run.steps]
    is_forged = run_file.c.path == "match.parquet"

    def forge(connection: Connection) -> None:
        connection.execute(update(run_file).where(is_forged).values(sha256="f" * 64))
        connection.execute(update(run_table).values(steps=steps))

    workspace.store.state.write(forge)
    step, file = replay(workspace, done.run.run_id).differences
    assert (step.name, step.recorded) == ("pair_delta", "forged")
    assert (file.name, file.recorded, file.replayed) == ("match.parquet", "f" * 64, _digests(done)["match.parquet"])


def test_a_replay_tells_that_the_code_has_changed(workspace: Workspace, folder: Path) -> None:
    done = compare(workspace, _request(folder))
    workspace.store.state.write(lambda connection: connection.execute(update(run_table).values(code_digest="0" * 64)))
    replayed = replay(workspace, done.run.run_id)
    assert not replayed.is_same_code
    assert replayed.differences == ()


def test_a_replay_of_a_file_that_was_changed_in_the_store_is_refused(workspace: Workspace, folder: Path) -> None:
    done = compare(workspace, _request(folder))
    place = workspace.store.artifacts.artifact_path(done.run.inputs[0].artifact_id)
    place.chmod(0o644)
    place.write_text(OURS.replace("5.00", "9.00"))
    with pytest.raises(ArtifactDamaged):
        replay(workspace, done.run.run_id)


def test_a_replay_of_an_unknown_run_is_refused(shared: Workspace) -> None:
    with pytest.raises(RunUnknown):
        replay(shared, "abcdef")


# Tables of the caller's own

COLUMNS = {
    "id": (["A-1", "A-2", "A-3"], ["A-1", "A-2", "A-4"]),
    "amount": (["5.00", "6.00", "7.00"], ["5.00", "6.50", "8.00"]),
}


@pytest.mark.parametrize("make", [pa.table, pl.DataFrame, pd.DataFrame], ids=["Arrow", "Polars", "pandas"])
def test_tables_are_compared_as_files_are(workspace: Workspace, make: Any) -> None:
    ours, theirs = (
        make({"id": COLUMNS["id"][side], "amount": [Decimal(value) for value in COLUMNS["amount"][side]]})
        for side in (0, 1)
    )
    done = compare(workspace, CompareRequest(ours, theirs))
    assert _deltas(done) == [("missing", "7.000000"), ("overpay", "-0.500000"), ("unexpected", "-8.000000")]
    assert done.summary["ours"]["name"] == "ours.parquet"
    assert compare(workspace, CompareRequest(ours, theirs)).is_reused


def test_a_table_of_floats_is_exact_to_the_cent(workspace: Workspace) -> None:
    ours = pd.DataFrame({"id": COLUMNS["id"][0], "amount": [0.1, 0.2, 0.3]})
    theirs = pl.DataFrame({"id": COLUMNS["id"][0], "amount": [0.1, 0.2, 0.1 + 0.2]})
    assert _deltas(compare(workspace, CompareRequest(ours, theirs))) == []


def test_a_table_against_a_file(workspace: Workspace, folder: Path) -> None:
    table = pl.DataFrame({"id": COLUMNS["id"][0], "amount": COLUMNS["amount"][0]})
    done = compare(workspace, replace(_request(folder), ours=table))
    assert len(_deltas(done)) == 3


def test_what_is_neither_a_path_nor_a_table_is_refused(workspace: Workspace) -> None:
    with pytest.raises(NotATable, match="list is no table"):
        compare(workspace, CompareRequest([1], [2]))


# Plans that do not fit


def test_a_plan_that_a_later_part_of_the_file_refuses_is_inferred_again_from_all_of_it(
    workspace: Workspace, folder: Path
) -> None:
    sampled, late = 100_000, 15_000
    lines = [f"K{row:06},{row % 997 + 1}.50,{row % 50}" for row in range(sampled)]
    lines += [f"K{row:06},{row % 997 + 1}.50,XL" for row in range(sampled, sampled + late)]
    text = "id,amount,size\n" + "\n".join(lines) + "\n"
    stages: list[str] = []
    done = compare(workspace, _request(folder, text, text), stages.append)
    (again,) = [stage for stage in stages if stage.startswith("infer again: ")]
    assert re.search(r"15,?000 of 115,?000 rows of ours have no number.* in column 'size'", again)
    assert done.plan.ours.columns["size"] == ColumnType("text")
    assert done.summary["quarantine"]["ours"] == 0
    assert _deltas(done) == []
    (kept,) = workspace.store.runs.list_runs(status="published").runs
    assert kept.run_id == done.run.run_id


def test_a_given_plan_that_does_not_fit_is_refused_and_not_inferred(
    shared: Workspace, folder: Path, on_record: Compared
) -> None:
    plan = on_record.plan
    unfit = replace(plan, ours=replace(plan.ours, columns={**plan.ours.columns, "amount": ColumnType("number", ",")}))
    stages: list[str] = []
    with pytest.raises(PlanMisfit, match="3 of 3 rows of ours have no number.* in column 'amount'"):
        compare(shared, _request(folder, plan=unfit), stages.append)
    assert "infer" not in stages
    failures = [run.failure or "" for run in shared.store.runs.list_runs(status="failed", window=WINDOW).runs]
    assert any("whole file: 3 of 3 rows of ours have no number" in failure for failure in failures)
    assert any("in column 'amount'" in failure for failure in failures)


def test_the_plan_of_a_small_file_with_a_bad_row_can_be_given_again(workspace: Workspace, folder: Path) -> None:
    text = "id,amount\n" + "".join(f"A{row},{row}.50\n" for row in range(1, 7)) + "A7,abc\n"
    first = compare(workspace, _request(folder, text, text))
    again = compare(workspace, replace(_request(folder, text, text, plan=first.plan), is_fresh=True))
    for done in (first, again):
        assert (done.summary["quarantine"]["ours"], done.summary["matched"]["matches"]) == (1, 6)


def test_a_plan_of_another_file_is_refused_with_the_column_that_is_gone_and_the_run_on_record_stays(
    shared: Workspace, folder: Path, on_record: Compared
) -> None:
    with pytest.raises(ColumnGone) as raised:
        compare(shared, _request(folder, OURS.replace("amount", "net"), plan=on_record.plan))
    assert raised.value.subject == "amount"
    assert "It has: id, net, day" in raised.value.remedy
    assert shared.store.runs.current_run(WINDOW) == on_record.run
    failures = [run.failure or "" for run in shared.store.runs.list_runs(status="failed", window=WINDOW).runs]
    assert any("The plan names column 'amount'" in failure for failure in failures)


# Empty inputs


@pytest.mark.parametrize(("ours", "theirs", "empty"), [(HEADER, THEIRS, "ours.csv"), (OURS, HEADER, "theirs.csv")])
def test_a_side_without_rows_is_named_and_a_plan_asked_for(
    workspace: Workspace, folder: Path, ours: str, theirs: str, empty: str
) -> None:
    with pytest.raises(PlanUndecided, match=f"{empty} has no rows") as raised:
        compare(workspace, _request(folder, ours, theirs))
    assert "--plan" in raised.value.remedy
    assert workspace.store.runs.list_runs().runs == ()


def test_with_a_plan_a_side_without_rows_has_everything_missing_or_unexpected(
    workspace: Workspace, folder: Path, on_record: Compared
) -> None:
    plan = on_record.plan
    missing = compare(workspace, _request(folder, theirs=HEADER, plan=plan))
    assert _deltas(missing) == [("missing", "18.000000")]
    unexpected = compare(workspace, _request(folder, ours=HEADER, plan=plan))
    assert _deltas(unexpected) == [("unexpected", "-19.500000")]
    nothing = compare(workspace, _request(folder, HEADER, HEADER, plan=plan))
    assert _deltas(nothing) == []
    assert nothing.summary["result"] == "ties_out"


# Headers


def test_a_line_of_delimiters_far_down_a_plain_file_is_no_row(workspace: Workspace, folder: Path) -> None:
    rows = [f"A-{n},{n}.00,2026-01-05\n" for n in range(20_000)]
    clean, torn = "".join([HEADER, *rows]), "".join([HEADER, *rows[:15_000], ",,\n", *rows[15_000:]])
    done = compare(workspace, _request(folder, torn, clean))
    assert (done.summary["result"], done.summary["ours"]["rows"]) == ("ties_out", 20_000)
    planned = compare(workspace, _request(folder, torn, clean, plan=done.plan, is_fresh=True))
    assert _digests(planned) == _digests(done)
    assert replay(workspace, done.run.run_id).differences == ()


def test_a_row_without_any_value_that_the_plan_reads_is_a_row(workspace: Workspace, folder: Path) -> None:
    ours = "id,amount,day\nA-1,5.00,2026-01-05\n,,2026-01-06\nA-3,7.00,2026-01-07\n"
    done = compare(workspace, _request(folder, ours, options=InferOptions(on=("id",), ignore=("day",))))
    assert done.summary["ours"]["rows"] == 3


@pytest.mark.parametrize(
    "name",
    [
        "ID",
        "Amount",
        "rowid",
        "ROWID",
        "file_row_number",
        "__row_no",
        "__line",
        "__rejected",
        "entry_no",
        "run",
        "ours",
        "theirs",
        "ours_row",
        "select",
        "from",
        'say "when"',
        "it's",
        "a.b",
        "{x}",
        "?",
        "$1",
        "two\nlines",
        "\U0001f600",
        "x" * 200,
    ],
)
def test_headers_that_repeat_or_mean_something_in_sql_do_not_matter(
    workspace: Workspace, folder: Path, name: str
) -> None:
    header = 'id,amount,"' + name.replace('"', '""') + '"'
    ours, theirs = (text.replace("id,amount,day", header) for text in (OURS, THEIRS))
    done = compare(workspace, _request(folder, ours, theirs))
    assert _deltas(done) == [("missing", "7.000000"), ("overpay", "-0.500000"), ("unexpected", "-8.000000")]
    assert len(done.plan.ours.columns) == 3
    lone = pq.read_table(done.run_dir / "unmatched_ours.parquet")
    assert [str(value) for value in lone.column(lone.num_columns - 1).to_pylist()] == ["2026-01-07"]


@pytest.mark.parametrize("name", ["rowid", "file_row_number", "__rejected", "__row_no"])
def test_rows_are_set_apart_by_their_number_whatever_a_column_is_called(
    workspace: Workspace, folder: Path, name: str
) -> None:
    rows = [f"A-{row},{'much' if row == 25 else row}.50,{1000 - row}" for row in range(1, 41)]
    ours, theirs = ("\n".join((f"id,amount,{name}", *lines)) for lines in (rows, rows[::-1]))
    done = compare(workspace, _request(folder, ours, theirs))
    (mine, other) = pq.read_table(done.run_dir / "quarantine.parquet").to_pylist()
    assert [(row["row_no"], row["line"]) for row in (mine, other)] == [(25, 26), (16, 17)]
    assert mine["raw"] == "A-25,much.50,975"
    assert _deltas(done) == []


def test_references_that_each_side_writes_in_its_way_pair_rows_and_the_plan_keeps_how(
    workspace: Workspace, folder: Path
) -> None:
    rest = [f"{row * 7 % 90}.50;2026-01-{1 + row % 28:02}\n" for row in range(62)]
    ours = "".join(f"INV-{row:05};{rest[row]}" for row in range(1, 60))
    theirs = "".join(f"{row};{rest[row]}" for row in range(2, 61)).replace("\n9;63.50", "\n9;63.75")
    done = compare(workspace, _request(folder, f"invoice;amount;date\n{ours}", f"number;amount;date\n{theirs}"))
    matched = pq.read_table(done.run_dir / "match.parquet").to_pylist()
    assert [(row["ours_row"], row["theirs_row"], row["pass"]) for row in matched] == [
        (row, row - 1, "reference") for row in range(2, 60)
    ]
    assert [kind for kind, _ in _deltas(done)] == ["missing", "overpay", "unexpected"]
    assert 'reference_form = "digits"' in (done.run_dir / "plan.toml").read_text()
    assert replay(workspace, done.run.run_id).differences == ()


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_refused_row_is_told_as_its_file_says_it_in_any_encoding(
    workspace: Workspace, folder: Path, encoding: str
) -> None:
    lines = [f"Z-{i};{i}.00;2026-01-05;Müller" for i in range(1, 40)]
    text = "\n".join(["id;amount;day;name", *lines[:20], "Z-0;abc;2026-01-05;Häberli", *lines[20:], ""])
    ours = a_file(folder, text.encode(encoding), "ours.csv")
    done = compare(workspace, CompareRequest(ours, a_file(folder, text.replace("abc", "1.00"), "theirs.csv")))
    (refused,) = pq.read_table(done.run_dir / "quarantine.parquet").to_pylist()
    assert (refused["row_no"], refused["line"], refused["raw"]) == (21, 22, "Z-0;abc;2026-01-05;Häberli")


@pytest.mark.parametrize("name", ["rowid", "file_row_number", "__rejected", "select", "a.b", 'say "when"'])
def test_parquet_columns_may_be_called_anything_too(workspace: Workspace, name: str) -> None:
    ours, theirs = (
        pa.table({"id": COLUMNS["id"][side], name: [7, 8, 9], "amount": COLUMNS["amount"][side]}) for side in (0, 1)
    )
    done = compare(workspace, CompareRequest(ours, theirs, InferOptions(on=("id",))))
    assert len(done.plan.ours.columns) == 3
    assert ("missing", "7.000000") in _deltas(done)


def test_parquet_columns_whose_names_differ_in_case_only_are_told_apart(workspace: Workspace) -> None:
    ours, theirs = (
        pa.table({"id": COLUMNS["id"][side], "ID": ["x", "y", "z"], "amount": COLUMNS["amount"][side]})
        for side in (0, 1)
    )
    done = compare(workspace, CompareRequest(ours, theirs, InferOptions(on=("id",))))
    assert len(done.plan.ours.columns) == 3
    assert len(_deltas(done)) == 3


# Groups


def _parts_and_totals(groups: list[str]) -> tuple[str, str]:
    """Return four parts for each group, and the totals of the groups."""
    parts = [
        (group, Decimal(7 * place + part) + Decimal("3.50")) for place, group in enumerate(groups) for part in range(4)
    ]
    totals = [(group, sum(amount for of, amount in parts if of == group)) for group in groups]
    ours, theirs = ("".join(f"{group},{amount}\n" for group, amount in rows) for rows in (parts, totals))
    return f"group,amount\n{ours}", f"group,total\n{theirs}"


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param([str(number) for number in range(1, 9)], id="numbers"),
        pytest.param([f"2026-01-{day}" for day in range(10, 18)], id="days"),
        pytest.param([f"2026-01-{day}T09:30:00Z" for day in range(10, 18)], id="instants"),
    ],
)
def test_parts_tie_out_with_their_totals_whatever_names_a_group(
    workspace: Workspace, folder: Path, groups: list[str]
) -> None:
    ours, theirs = _parts_and_totals(groups)
    done = compare(workspace, _request(folder, ours, theirs, options=InferOptions(group_by="group")))
    assert done.summary["matched"]["matches"] == 8
    assert done.summary["result"] == "ties_out"


def test_days_that_name_groups_meet_however_they_are_written(workspace: Workspace, folder: Path) -> None:
    ours, theirs = _parts_and_totals([f"2026-01-{day}" for day in range(10, 18)])
    theirs = re.sub(r"(2026)-(01)-(\d\d)", r"\3.\2.\1", theirs)
    done = compare(workspace, _request(folder, ours, theirs, options=InferOptions(group_by="group")))
    assert done.summary["matched"]["matches"] == 8
    assert done.summary["result"] == "ties_out"


@pytest.mark.parametrize("rows", [2, 3, 7])
@pytest.mark.parametrize("column", ["amount", "day", "qty", "note", "flag"])
@pytest.mark.parametrize("stray", ["abc", "99999999999999999999", "2026-02-30", "-0.001", "007"])
def test_a_cell_that_differs_never_ties_out_whatever_it_holds(
    workspace: Workspace, folder: Path, rows: int, column: str, stray: str
) -> None:
    whole = [
        {"id": f"A-{i}", "amount": f"{i}.50", "day": f"2026-01-0{i}", "qty": str(i), "note": f"row {i}", "flag": "yes"}
        for i in range(1, rows + 1)
    ]
    changed = [*whole[:-1], {**whole[-1], column: stray}]
    ours, theirs = (
        "\n".join(",".join(row.values()) for row in [dict(zip(whole[0], whole[0], strict=True)), *given])
        for given in (whole, changed)
    )
    done = compare(workspace, _request(folder, ours, theirs))
    assert done.summary["result"] == "differences"
