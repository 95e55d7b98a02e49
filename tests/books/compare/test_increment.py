"""New rows after a run, from files to the published run: chains, replays, places of rows, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.store.builders import NOW, a_store, settings_for
from tieout.books.compare.actions import Compared, compare
from tieout.books.compare.again import replay
from tieout.books.compare.increment import (
    AdviceNotCarried,
    IncrementRequest,
    NothingNew,
    PlanCarried,
    RunNotFinished,
    added_rows,
    compare_after,
)
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.reviewing import decide, propose
from tieout.books.compare.sources import locate_source_rows
from tieout.books.workspace import Workspace
from tieout.engine.loading import ColumnGone
from tieout.engine.run import FACTS
from tieout.store.publish import begin_run, fail_run
from tieout.store.runs import RunFilesGone, RunUnknown
from tieout.store.sweep import apply_retention

HEAD = "id,amount,day\n"
FIRST = ("A-1,5.00,2026-01-05\nA-2,6.00,2026-01-06\n", "A-1,5.00,2026-01-05\n")
SECOND = ("A-3,7.00,2026-01-07\n", "A-2,6.50,2026-01-06\nA-4,8.00,2026-01-08\n")
THIRD = ("A-4,8.00,2026-01-08\n", "A-3,7.00,2026-01-08\n")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(replace(settings_for(tmp_path / "data"), threads=1), a_store(tmp_path / "data"), lambda: NOW)
    yield workspace
    assert list(workspace.store.folders.incoming.iterdir()) == []
    workspace.close()


def a_file(folder: Path, name: str, rows: str, head: str = HEAD) -> Path:
    path = folder / name
    path.write_text(head + rows, encoding="utf-8")
    return path


def first_run(workspace: Workspace, folder: Path, day: tuple[str, str] = FIRST, **options: Any) -> Compared:
    files = [a_file(folder, name, rows) for name, rows in zip(("ours.csv", "theirs.csv"), day, strict=True)]
    return compare(workspace, CompareRequest(*files, InferOptions(on=("id",), window_days=2, **options)))


def next_run(workspace: Workspace, folder: Path, day: tuple[str, str], after: Compared, number: int = 2) -> Compared:
    files = [a_file(folder, f"{side}-{number}.csv", rows) for side, rows in zip(("ours", "theirs"), day, strict=True)]
    return compare_after(workspace, IncrementRequest(*files, after.run.run_id))


def facts_of(done: Compared) -> dict[str, list[dict[str, Any]]]:
    """Return the facts without what names the run or the file."""
    found = {fact: pq.read_table(done.run_dir / f"{fact}.parquet").to_pylist() for fact in FACTS}
    for rows in found.values():
        for row in rows:
            row.pop("delta_id", None)
            row.pop("file", None)
    return found


def test_a_chain_of_days_says_what_all_files_say_at_once(workspace: Workspace, tmp_path: Path) -> None:
    done = first_run(workspace, tmp_path)
    window = done.run.window
    for number, day in enumerate((SECOND, THIRD), start=2):
        done = next_run(workspace, tmp_path, day, done, number)
    assert done.run.window == window
    current = workspace.store.runs.current_run(window)
    assert current is not None
    assert current.run_id == done.run.run_id
    rows = ["".join(parts) for parts in zip(FIRST, SECOND, THIRD, strict=True)]
    files = [a_file(tmp_path, name, side) for name, side in zip(("all-ours.csv", "all-theirs.csv"), rows, strict=True)]
    whole = compare(workspace, CompareRequest(*files, plan=done.plan))
    assert facts_of(done) == facts_of(whole)
    assert [part["name"] for part in done.summary["ours"]["parts"]] == ["ours.csv", "ours-2.csv", "ours-3.csv"]


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_only_one_side_may_have_news(workspace: Workspace, tmp_path: Path, side: str) -> None:
    before = first_run(workspace, tmp_path)
    news = a_file(tmp_path, "new.csv", "A-2,6.00,2026-01-06\n")
    given = {"ours": None, "theirs": None, side: news}
    done = compare_after(workspace, IncrementRequest(**given, after=before.run.run_id[:12]))
    assert done.summary["matched"]["matches"] == (2 if side == "theirs" else 1)
    assert [one.name for one in done.run.inputs] == (
        ["ours.csv", "new.csv", "theirs.csv"] if side == "ours" else ["ours.csv", "theirs.csv", "new.csv"]
    )


def test_it_replays_and_a_repeat_is_the_run_on_record(workspace: Workspace, tmp_path: Path) -> None:
    before = first_run(workspace, tmp_path)
    done = next_run(workspace, tmp_path, SECOND, before)
    assert replay(workspace, done.run.run_id).differences == ()
    again = next_run(workspace, tmp_path, SECOND, before)
    assert again.is_reused
    assert again.run.run_id == done.run.run_id


def test_each_row_is_found_in_its_own_file(workspace: Workspace, tmp_path: Path) -> None:
    done = next_run(workspace, tmp_path, SECOND, first_run(workspace, tmp_path))
    found = locate_source_rows(workspace, done.run, {"ours": [1, 3], "theirs": [3]})
    places = [(row["file"], row["row"], row["file_row"], row["line"]) for side in found.values() for row in side]
    assert places == [("ours.csv", 1, 1, 2), ("ours-2.csv", 3, 1, 2), ("theirs-2.csv", 3, 2, 3)]


def test_a_refused_row_keeps_its_file_and_line(workspace: Workspace, tmp_path: Path) -> None:
    many = "".join(f"B-{number},{number}.00,2026-01-05\n" for number in range(60))
    before = first_run(workspace, tmp_path, (many, many))
    done = next_run(workspace, tmp_path, ("C-1,ten,2026-01-06\n", ""), before)
    quarantine = pq.read_table(done.run_dir / "quarantine.parquet").to_pylist()
    assert [(row["file"], row["row_no"], row["line"]) for row in quarantine] == [("ours-2.csv", 61, 2)]


def test_a_file_that_is_not_plain_is_read_with_care_and_the_others_quickly(
    workspace: Workspace, tmp_path: Path
) -> None:
    before = first_run(workspace, tmp_path)
    ragged = a_file(tmp_path, "ragged.csv", "A-3,7.00,2026-01-07\nA-9,1.00\nA-5,9.00,2026-01-08\n")
    done = compare_after(workspace, IncrementRequest(ragged, None, before.run.run_id))
    assert done.summary["ours"]["rows"] == 5
    assert done.summary["ours"]["quarantined"] == 1
    assert replay(workspace, done.run.run_id).differences == ()


def test_files_of_other_formats_join_where_their_values_do(workspace: Workspace, tmp_path: Path) -> None:
    before = first_run(workspace, tmp_path)
    news = tmp_path / "theirs-2.ndjson"
    news.write_text('{"id": "A-2", "amount": "6.00", "day": "2026-01-06"}\n', encoding="utf-8")
    # The plan tells how a side is read; where it leaves that open each file says itself what it is.
    done = compare_after(workspace, IncrementRequest(None, news, before.run.run_id))
    assert done.summary["matched"]["matches"] == 2


def test_a_table_in_python_is_taken(workspace: Workspace, tmp_path: Path) -> None:
    table = pa.table({"id": ["A", "B"], "amount": ["1.00", "2.00"], "day": ["2026-01-05", "2026-01-06"]})
    options = InferOptions(on=("id",))
    before = compare(workspace, CompareRequest(table, table.slice(0, 1), options))
    done = compare_after(workspace, IncrementRequest(None, table.slice(1), before.run.run_id))
    assert done.summary["matched"]["matches"] == 2


def test_of_an_overlapping_file_only_the_rows_that_are_lacking_are_added(workspace: Workspace, tmp_path: Path) -> None:
    coffee = "C-1,2.50,2026-01-05\n"
    before = first_run(workspace, tmp_path, (FIRST[0] + coffee, FIRST[1]))
    again = a_file(tmp_path, "again.csv", FIRST[0] + coffee + coffee + SECOND[0])
    done = compare_after(workspace, IncrementRequest(again, None, before.run.run_id, is_overlapping=True))
    alone = compare_after(
        workspace, IncrementRequest(a_file(tmp_path, "alone.csv", coffee + SECOND[0]), None, before.run.run_id)
    )
    assert done.summary["ours"]["rows"] == 5
    assert facts_of(done) == facts_of(alone)
    assert [part["name"] for part in done.summary["ours"]["parts"]] == ["ours.csv", "again.csv, new rows"]
    assert replay(workspace, done.run.run_id).differences == ()
    whole = compare_after(workspace, IncrementRequest(again, None, before.run.run_id))
    assert whole.summary["ours"]["rows"] == 8


def test_an_overlapping_file_may_have_nothing_new(workspace: Workspace, tmp_path: Path) -> None:
    before = first_run(workspace, tmp_path)
    again = a_file(tmp_path, "again.csv", FIRST[0])
    done = compare_after(workspace, IncrementRequest(again, None, before.run.run_id, is_overlapping=True))
    assert facts_of(done) == facts_of(before)


# Refused, with a word on what is wrong


def test_a_new_file_without_a_column_of_the_plan_names_it(workspace: Workspace, tmp_path: Path) -> None:
    before = first_run(workspace, tmp_path)
    lacking = a_file(tmp_path, "lacking.csv", "A-2,6.00\n", "id,amount\n")
    with pytest.raises(ColumnGone) as raised:
        compare_after(workspace, IncrementRequest(None, lacking, before.run.run_id))
    assert raised.value.subject == "day"
    assert "file 2 of theirs" in raised.value.what
    current = workspace.store.runs.current_run(before.run.window)
    assert current is not None
    assert current.run_id == before.run.run_id


def test_no_news_is_refused(workspace: Workspace) -> None:
    with pytest.raises(NothingNew):
        compare_after(workspace, IncrementRequest(None, None, "abc"))


def test_an_unknown_run_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(RunUnknown):
        compare_after(workspace, IncrementRequest(a_file(tmp_path, "x.csv", ""), None, "abc"))


def test_a_run_that_failed_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    runs = workspace.store.runs
    asked = replace(first_run(workspace, tmp_path).run.request, code_version="other")
    with begin_run(runs, asked, now=NOW) as active:
        fail_run(runs, active, reason="for the test", now=NOW)
        active.discard()
    with pytest.raises(RunNotFinished):
        compare_after(workspace, IncrementRequest(a_file(tmp_path, "x.csv", ""), None, active.run_id))


def test_a_run_whose_files_were_dropped_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    before = first_run(workspace, tmp_path)
    next_run(workspace, tmp_path, SECOND, before)
    apply_retention(workspace.store.runs, now=NOW + timedelta(days=2), keep_days=1, dry_run=False)
    with pytest.raises(RunFilesGone):
        next_run(workspace, tmp_path, THIRD, before, 3)


def test_a_run_with_advice_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    open_items = "I-1,100.00,2026-01-05,Acme\nI-2,50.00,2026-01-06,Acme\n"
    invoices = a_file(tmp_path, "i.csv", open_items, "no,amount,day,name\n")
    payments = a_file(tmp_path, "p.csv", "P-1,150.00,2026-01-09,Acme\n", "pid,amount,day,name\n")
    advice = a_file(tmp_path, "a.csv", "P-1,I-1,100.00\nP-1,I-2,50.00\n", "pid,no,amount\n")
    before = compare(workspace, CompareRequest(invoices, payments, advice=advice))
    with pytest.raises(AdviceNotCarried):
        compare_after(workspace, IncrementRequest(None, payments, before.run.run_id))


@pytest.mark.parametrize("told", [{"options": InferOptions(window_days=3)}, {"advice": "advice.csv"}])
def test_what_the_plan_settles_cannot_be_given_again(told: dict[str, Any]) -> None:
    with pytest.raises(PlanCarried):
        added_rows(CompareRequest("a.csv", "b.csv", **told), "abc")


def test_a_dash_stands_for_no_news() -> None:
    asked = added_rows(CompareRequest(Path("-"), Path("b.csv")), "abc")
    assert (asked.ours, asked.theirs) == (None, Path("b.csv"))


# By likeness

FIRSTS = ("Alba", "Brook", "Corvin", "Delta", "Ember", "Fjord", "Garnet", "Harbor")
LASTS = ("Foods", "Metals", "Optics", "Freight", "Studio")


def payments(days: range) -> tuple[str, str]:
    """Return payments of these days as booked and as received, in other words."""
    ours, theirs = "", ""
    for day in days:
        for number, first in enumerate(FIRSTS):
            name = f"{first} {LASTS[(day + number) % len(LASTS)]} {day * 17 + number * 101}"
            ours += f"{100 + day * 8 + number}.25,2026-01-{day:02d},{name}\n"
            theirs += f"{100 + day * 8 + number}.25,2026-01-{day + 1:02d},{name.upper() if number % 2 else name[:-1]}\n"
    return ours, theirs


def test_by_likeness_a_chain_finds_the_pairs_of_all_files_and_keeps_what_is_settled(
    workspace: Workspace, tmp_path: Path
) -> None:
    head = "amount,day,memo\n"
    cuts = [payments(days) for days in (range(1, 15), range(15, 18), range(18, 20))]
    files = [
        [a_file(tmp_path, f"{side}-{number}.csv", day[place], head) for place, side in enumerate(("ours", "theirs"))]
        for number, day in enumerate(cuts)
    ]
    done = compare(workspace, CompareRequest(*files[0], InferOptions(window_days=3)))
    for ours, theirs in files[1:]:
        done = compare_after(workspace, IncrementRequest(ours, theirs, done.run.run_id))
    rows = ["".join(day[place] for day in cuts) for place in (0, 1)]
    alone = [a_file(tmp_path, f"all-{place}.csv", side, head) for place, side in enumerate(rows)]
    whole = compare(workspace, CompareRequest(*alone, plan=done.plan))
    named = ("ours_row", "theirs_row", "outcome")
    pairs = [[tuple(row[name] for name in named) for row in facts_of(one)["match"]] for one in (done, whole)]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) > 140
    assert facts_of(done)["delta"] == facts_of(whole)["delta"]
    steps = {step["name"]: step["rows"] for step in done.run.steps}
    assert steps["left_expected"] < steps["block_expected"] or steps["still_settled"] > 0
    assert done.run.inputs[-1].side == "settled"
    assert replay(workspace, done.run.run_id).differences == ()


def test_where_a_reviewer_decided_all_rows_are_scored_anew(workspace: Workspace, tmp_path: Path) -> None:
    head = "amount,day,memo\n"
    first, second = payments(range(1, 15)), payments(range(15, 17))
    files = [a_file(tmp_path, f"{side}.csv", first[place], head) for place, side in enumerate(("ours", "theirs"))]
    before = compare(workspace, CompareRequest(*files, InferOptions(window_days=3)))
    decide(workspace, propose(workspace, before.run, "rejected", [(1, 1)]), is_rerun=False)
    news = a_file(tmp_path, "theirs-2.csv", second[1], head)
    done = compare_after(workspace, IncrementRequest(None, news, before.run.run_id))
    assert (1, 1) not in {(row["ours_row"], row["theirs_row"]) for row in facts_of(done)["match"]}
    assert [given.side for given in done.run.inputs] == ["ours", "theirs", "theirs", "decisions"]
    assert replay(workspace, done.run.run_id).differences == ()
