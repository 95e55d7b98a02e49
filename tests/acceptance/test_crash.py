"""Kill the process at each step of a run: the window shows the old result or the new one, and a repeat finishes."""

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from tests.forks import Forks
from tieout.books.compare.actions import compare
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.reviewing import decide, propose
from tieout.compose import open_workspace
from tieout.core.settings import Settings
from tieout.store.runs import Window

FIRST = ("Alba", "Brook", "Corvin", "Delta", "Ember", "Fjord", "Garnet", "Harbor")
LAST = ("Foods", "Metals", "Optics", "Freight", "Studio", "Dental", "Print", "Timber")
CHILD = """
import os, signal, sys
from pathlib import Path
from tieout.books.compare.actions import compare
from tieout.books.compare.request import CompareRequest
from tieout.compose import open_workspace
from tieout.engine import checkpoint

wanted, ours, theirs = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
seen = 0

def die(step):
    global seen
    print(step, flush=True)
    if f"{step}" == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

workspace = open_workspace()
done = compare(workspace, CompareRequest(ours, theirs), die)
print("RESULT", done.run.run_id, done.summary["matched"]["matches"], flush=True)
"""


def _write(path: Path, rows: list[str]) -> Path:
    path.write_text("id,day,amount,memo\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


_forks: list[Forks] = []


@pytest.fixture(autouse=True, scope="module")
def _through_forks(forks):
    _forks[:] = [forks]


def _run(data: Path, wanted: str, ours: Path, theirs: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "TIEOUT_DATA_DIR": str(data), "TIEOUT_CHECKPOINT_AFTER_S": "0"}
    return _forks[0].run([wanted, ours, theirs], env=environ, code=CHILD)


def _current(data: Path) -> str | None:
    workspace = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(data)}))
    try:
        found = workspace.store.runs.current_run(Window("compare", "ours.csv ~ theirs.csv", "all"))
    finally:
        workspace.close()
    return found.run_id if found else None


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crash")
    ours = _write(folder / "ours.csv", [f"T{i},2026-01-{i % 28 + 1:02d},{i * 1.25:.2f},payment {i}" for i in range(60)])
    theirs = _write(
        folder / "theirs.csv",
        [f"T{i},2026-01-{i % 28 + 1:02d},{i * 1.25 + (i % 7 == 0):.2f},payment {i}" for i in range(3, 63)],
    )
    return ours, theirs


@pytest.fixture(scope="module")
def steps(files, tmp_path_factory):
    done = _run(tmp_path_factory.mktemp("whole"), "never", *files)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    result = next(line for line in lines if line.startswith("RESULT"))
    return [line for line in dict.fromkeys(lines) if line and not line.startswith("RESULT")], result


def test_a_kill_at_each_step_publishes_nothing_and_the_next_start_goes_on(files, steps, tmp_path):
    names, whole = steps
    assert {"receive", "load_ours", "join_by_reference", "delta", "publish"} <= set(names)
    for step in names:  # each start goes on from the kill before it
        killed = _run(tmp_path, step, *files)
        assert killed.returncode == -signal.SIGKILL, (step, killed.stderr)
        assert _current(tmp_path) is None, f"killed at {step}, yet a run is published"
    last = _run(tmp_path, "never", *files)
    assert last.returncode == 0, last.stderr
    assert last.stdout.strip().endswith(whole)
    assert _current(tmp_path) == whole.split()[1]


EVERY = 8
"""One step in so many is killed in a folder of its own."""


def test_a_kill_at_a_step_and_one_repeat_give_the_same_run(files, steps, tmp_path):
    names, whole = steps

    def kill_and_repeat(step):
        data = tmp_path / step.replace(" ", "_")
        killed = _run(data, step, *files)
        assert killed.returncode == -signal.SIGKILL, (step, killed.stderr)
        repeated = _run(data, "never", *files)
        assert repeated.returncode == 0, (step, repeated.stderr)
        assert repeated.stdout.strip().endswith(whole), step
        assert _current(data) == whole.split()[1]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(kill_and_repeat, sorted({*names[::EVERY], "load_ours", "publish"})))


def test_a_killed_run_goes_on_after_its_last_checkpoint(files, steps, tmp_path):
    names, _ = steps
    killed = _run(tmp_path, "pair_delta", *files)
    assert killed.returncode == -signal.SIGKILL
    again = _run(tmp_path, "never", *files)
    assert again.returncode == 0, again.stderr
    resumed = again.stdout.split("\n")
    assert "join_by_reference" in names
    assert "join_by_reference" not in resumed
    assert "pair_delta" in resumed


def test_a_kill_of_a_second_run_leaves_the_first_published(files, tmp_path):
    ours, theirs = files
    first = _run(tmp_path, "never", ours, theirs)
    assert first.returncode == 0, first.stderr
    before = _current(tmp_path)
    changed = _write(tmp_path / "theirs.csv", ["T1,2026-01-02,1.25,payment 1"])
    for step in ("load_theirs", "delta", "publish"):
        killed = _run(tmp_path, step, ours, changed)
        assert killed.returncode == -signal.SIGKILL
        assert _current(tmp_path) == before
    second = _run(tmp_path, "never", ours, changed)
    assert second.returncode == 0, second.stderr
    assert _current(tmp_path) != before


LEARNING = ("learned_level", "pair_confidence", "confident_choice", "candidate")
"""Steps of rows without a reference, before and after those whose tables Python makes."""


@pytest.fixture(scope="module")
def memos(tmp_path_factory):
    """Rows that only likeness pairs: memos in other words, days later, some less a fee."""
    folder = tmp_path_factory.mktemp("memos")
    names = [f"{first} {last} {n * 7 % 97}" for n, (first, last) in enumerate(product(FIRST, LAST))]
    ours = [f",2026-01-{1 + n % 20:02d},{100 + n * 3.25:.2f},{name}" for n, name in enumerate(names)]
    theirs = [
        f",2026-01-{2 + n % 20:02d},{100 + n * 3.25 - (n % 4 == 0):.2f},{name.upper() if n % 3 else name[:-2]}"
        for n, name in enumerate(names)
    ]
    return _write(folder / "ours.csv", ours), _write(folder / "theirs.csv", theirs)


@pytest.fixture(scope="module")
def learned(memos, tmp_path_factory):
    done = _run(tmp_path_factory.mktemp("learned"), "never", *memos)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[-2]


@pytest.mark.parametrize("step", LEARNING)
def test_a_run_that_learns_is_killed_and_its_repeat_gives_the_same(memos, learned, tmp_path, step):
    killed = _run(tmp_path / "data", step, *memos)
    assert killed.returncode == -signal.SIGKILL
    assert _current(tmp_path / "data") is None
    again = _run(tmp_path / "data", "never", *memos)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split("\n")[-2] == learned
    assert "match_equal" not in again.stdout.split("\n")


DECIDED = ("review_decision", "undecided_reported", "unrejected_candidate", "label_level", "add_accepted")
"""Steps that only a run with decisions of reviewers has."""


def _decide(data: Path, ours: Path, theirs: Path) -> None:
    workspace = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(data)}))
    try:
        first = compare(workspace, CompareRequest(ours, theirs))
        for ruling, pair in (("accepted", (1, 1)), ("rejected", (2, 2))):
            decide(workspace, propose(workspace, first.run, ruling, [pair]), is_rerun=False)
    finally:
        workspace.close()


def test_a_run_with_decisions_of_a_reviewer_is_killed_and_its_repeat_gives_the_same(memos, tmp_path):
    _decide(tmp_path / "data", *memos)
    shutil.copytree(tmp_path / "data", tmp_path / "whole")
    whole = _run(tmp_path / "whole", "never", *memos)
    assert whole.returncode == 0, whole.stderr
    assert set(DECIDED) <= set(whole.stdout.split("\n"))
    before = _current(tmp_path / "data")
    for step in DECIDED:  # each kill goes on from the last one
        killed = _run(tmp_path / "data", step, *memos)
        assert killed.returncode == -signal.SIGKILL, step
        assert _current(tmp_path / "data") == before
    again = _run(tmp_path / "data", "never", *memos)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split("\n")[-2] == whole.stdout.split("\n")[-2]
    assert "decided_pair" not in again.stdout.split("\n")
