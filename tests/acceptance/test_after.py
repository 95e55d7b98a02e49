"""`tieout compare --after` as a user types it, and killed at its steps: the result before stays or the new is there."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.forks import Forks
from tieout.compose import open_workspace
from tieout.core.settings import Settings

FIRST = ("Alba", "Brook", "Corvin", "Delta", "Ember", "Fjord", "Garnet", "Harbor")
LAST = ("Foods", "Metals", "Optics", "Freight", "Studio")
CHILD = """
import os, signal, sys
from pathlib import Path
from tieout.books.compare.increment import IncrementRequest, compare_after
from tieout.compose import open_workspace

wanted, ours, theirs, after = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]

def die(step):
    print(step, flush=True)
    if step == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

done = compare_after(open_workspace(), IncrementRequest(ours, theirs, after), die)
print("RESULT", done.run.run_id, done.summary["matched"]["matches"], flush=True)
"""


_forks: list[Forks] = []


@pytest.fixture(autouse=True, scope="module")
def _through_forks(forks):
    _forks[:] = [forks]


def _call(data: Path, *arguments: object, is_child: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIEOUT_DATA_DIR": str(data), "TIEOUT_CHECKPOINT_AFTER_S": "0", "NO_COLOR": "1"}
    done = _forks[0].run(arguments, env=environment, code=CHILD if is_child else None)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _files(folder: Path, days: range, number: int) -> tuple[Path, Path]:
    """Write payments of these days as booked and as received, in other words and without a reference."""
    ours, theirs = ["amount,day,memo"], ["amount,day,memo"]
    for day in days:
        for nth, first in enumerate(FIRST):
            name = f"{first} {LAST[(day + nth) % len(LAST)]} {day * 17 + nth * 101}"
            ours.append(f"{100 + day * 8 + nth}.25,2026-01-{day:02d},{name}")
            theirs.append(f"{100 + day * 8 + nth}.25,2026-01-{day + 1:02d},{name.upper() if nth % 2 else name[:-1]}")
    paths = folder / f"ours-{number}.csv", folder / f"theirs-{number}.csv"
    for path, lines in zip(paths, (ours, theirs), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def _compared(data: Path, *arguments: object) -> dict:
    done = _call(data, "compare", *arguments, "--json")
    assert done.returncode in (0, 10), (done.stdout, done.stderr)
    return json.loads(done.stdout)


def _current(data: Path) -> str:
    workspace = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(data)}))
    try:
        (window,) = workspace.store.runs.list_windows()
        found = workspace.store.runs.current_run(window)
    finally:
        workspace.close()
    assert found is not None
    return found.run_id


def test_days_are_added_replayed_and_explained_by_command(tmp_path):
    data = tmp_path / "data"
    first, second, third = (
        _files(tmp_path, days, n) for n, days in enumerate((range(1, 9), range(9, 11), range(11, 12)))
    )
    run = _compared(data, *first, "--window-days", 3)["run_id"]
    run = _compared(data, *second, "--after", run[:12])["run_id"]
    summary = _compared(data, "-", third[1], "--after", run)
    assert summary["ours"]["rows"] == 80
    assert summary["theirs"]["rows"] == 88
    assert summary["matched"]["matches"] == 80
    run = summary["run_id"]
    assert _call(data, "replay", run).returncode == 0
    told = json.loads(_call(data, "explain", run, "--ours", 70, "--json").stdout)
    assert (told["sources"]["ours"][0]["file"], told["sources"]["ours"][0]["line"]) == ("ours-1.csv", 7)
    page = tmp_path / "page.html"
    assert _call(data, "show", run, "--report", page).returncode == 0
    assert page.stat().st_size > 1000


@pytest.fixture(scope="module")
def two_days(_through_forks, tmp_path_factory):
    """A run of two days, its folder, and files that cannot be added to it."""
    folder = tmp_path_factory.mktemp("two-days")
    run = _compared(folder / "data", *_files(folder, range(1, 3), 0), "--window-days", 3)["run_id"]
    (folder / "lacking.csv").write_text("amount,day\n1.00,2026-01-05\n", encoding="utf-8")
    return folder, run


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-", "-", "--after", "{run}"), "nothing_new"),
        (("-", "{news}", "--after", "0000"), "run_unknown"),
        (("-", "{news}", "--after", "{run}", "--on", "memo"), "plan_carried"),
        (("-", "{lacking}", "--after", "{run}"), "column_gone"),
        (("-", "{lacking}", "--after", "{run}", "--overlap"), "column_gone"),
        (("{news}", "{news}", "--overlap"), "overlap_alone"),
    ],
)
def test_what_cannot_be_added_is_refused_in_words(two_days, arguments, code):
    folder, run = two_days
    data = folder / "data"
    given = {"run": run, "news": folder / "theirs-0.csv", "lacking": folder / "lacking.csv"}
    done = _call(data, "compare", *(argument.format(**given) for argument in arguments), "--json")
    assert done.returncode == 20
    assert json.loads(done.stdout)["error"] == code
    assert _current(data) == run


def test_a_kill_leaves_the_run_before_and_a_repeat_gives_the_whole(tmp_path):
    first, second = _files(tmp_path, range(1, 6), 0), _files(tmp_path, range(6, 8), 1)
    before = _compared(tmp_path / "before", *first, "--window-days", 3)["run_id"]
    results = set()
    for step in ("never", "load_ours", "left_expected", "add_settled_choice", "publish"):
        data = tmp_path / step
        shutil.copytree(tmp_path / "before", data)
        done = _call(data, step, *second, before, is_child=True)
        if step != "never":
            assert done.returncode == -signal.SIGKILL, (step, done.stdout, done.stderr)
            assert _current(data) == before
            done = _call(data, "never", *second, before, is_child=True)
        assert done.returncode == 0, (step, done.stderr)
        results.add(done.stdout.split("\n")[-2])
        assert _current(data) in done.stdout
    assert len(results) == 1


def test_the_rows_of_all_files_are_there_for_sql(tmp_path):
    data = tmp_path / "data"
    first, second = _files(tmp_path, range(1, 3), 0), _files(tmp_path, range(3, 4), 1)
    run = _compared(data, *first, "--window-days", 3)["run_id"]
    run = _compared(data, *second, "--after", run)["run_id"]
    for table, file in (("recon_statements_raw", "file"), ("recon_statements_norm", "source")):
        query = f"select {file} as name, min(row_no) as low, max(row_no) as high from {table} group by all order by all"
        found = json.loads(_call(data, "sql", "--json", "--run", run, query).stdout)
        assert found == [
            {"name": "theirs-0.csv", "low": 1, "high": 16},
            {"name": "theirs-1.csv", "low": 17, "high": 24},
        ]
    query = "select entry_id, artifact_id from recon_expected where row_no = 18"
    (row,) = json.loads(_call(data, "sql", "--json", "--run", run, query).stdout)
    assert row["entry_id"] == f"{row['artifact_id'][:16]}-2"
