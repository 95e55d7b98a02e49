"""A reviewer at the command line: real processes from the first comparison to the undo, bad input among it."""

import json
import os
import pty
import subprocess
import sys

import pytest

NAMES = ["Alba Foods", "Brook Metals", "Corvin Optics", "Delta Freight"]
OURS = [f"2026-01-{1 + n % 27:02},{100 + 7 * n}.{n:02},{NAMES[n % 4]} {n}" for n in range(32)]
THEIRS = [row.replace("A", "PAY A", 1) for row in OURS]
TWINS = ["2026-02-03,555.55,Ember Studio", "2026-02-05,555.55,Ember Transport Co"]
OTHERS = ["2026-02-04,555.55,EMBER", "2026-02-04,333.33,Fjord"]


@pytest.fixture
def environment(tmp_path):
    set_up = {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "140", "NO_COLOR": "1", "TIEOUT_ACTOR": "ann"}
    return {**os.environ, **set_up}


@pytest.fixture
def run(environment, forks):
    def call(*arguments, code=0):
        done = forks.run(arguments, env=environment)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    return call


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "ledger.csv", tmp_path / "bank.csv"
    for path, rows in zip(paths, ([*OURS, *TWINS], [*THEIRS, *OTHERS]), strict=True):
        path.write_text("\n".join(["date,amount,memo", *rows]) + "\n", encoding="utf-8")
    return (*paths, "--window-days", "5")


def current(run):
    return next(row for row in json.loads(run("runs", "--json").stdout) if row["status"] == "published")["run_id"]


def test_from_the_list_to_the_undo(run, files):
    run("compare", *files, code=10)
    first = current(run)
    listed = json.loads(run("review", "list", "--json").stdout)
    [pair] = listed["pairs"]
    assert (listed["total"], pair["money"], pair["theirs"]["text"]) == (1, "555.550000", "EMBER")
    assert pair["pair"] in run("review", "list", first[:12]).stdout

    tried = json.loads(run("review", "accept", first, "34:33", "--dry-run", "--json", code=10).stdout)
    assert tried["stored"] is False
    assert tried["effect"]["review"] == {"before": 1, "after": 0}
    assert current(run) == first

    told = run("review", "accept", first, "34:33", "--yes").stdout
    assert "Stored: 1 pair accepted." in told
    assert "Ember Transport Co" in told
    assert current(run) != first
    assert "No pair" in run("review", "list").stdout
    assert "Accepted by a reviewer" in run("show", current(run)).stdout
    assert "accepted by ann" in run("explain", current(run), "--ours", "34").stdout
    explained = json.loads(run("explain", current(run), "--theirs", "33", "--json").stdout)
    assert (explained["pass"], explained["decisions"][0]["decided_by"]) == ("reviewed", "ann")

    again = json.loads(run("compare", *files, "--json", code=10).stdout)
    assert again["run_id"] == current(run)
    assert again["review"]["accepted"] == 1

    run("review", "undo", first, "34:33", "--yes")
    assert current(run) == first
    decisions = json.loads(run("review", "decisions", "--json").stdout)
    assert [(one["ruling"], one["decided_by"], one["counts"]) for one in decisions] == [
        ("undone", "ann", False),
        ("accepted", "ann", False),
    ]
    for one in json.loads(run("runs", "--json").stdout):
        assert "same bytes" in run("replay", one["run_id"]).stdout


def test_a_rejected_pair_goes_and_the_report_says_so(run, files, tmp_path):
    run("compare", *files, code=10)
    [pair] = json.loads(run("review", "list", "--json").stdout)["pairs"]
    run("review", "reject", current(run), pair["pair"], "--yes", "--no-rerun")
    run("compare", *files, "--out", tmp_path / "out", code=10)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Pairs decided by a reviewer: 1 rejected." in page
    matches = (tmp_path / "out" / "matches.csv").read_text(encoding="utf-8")
    assert f"\n{pair['ours']['row']},{pair['ours']['row']},{pair['theirs']['row']}," not in matches


def test_without_a_terminal_a_decision_needs_its_yes(run, files):
    run("compare", *files, code=10)
    refused = run("review", "accept", current(run), "34:33", code=20)
    assert "--yes" in refused.stderr
    assert run("review", "decisions").stdout.startswith("Nothing was decided yet")


@pytest.mark.parametrize(("answer", "code", "said"), [("n", 10, "Nothing was stored."), ("y", 0, "Stored: 1 pair")])
def test_on_a_terminal_it_asks_after_the_effect(run, files, environment, answer, code, said):
    run("compare", *files, code=10)
    master, terminal = pty.openpty()
    os.write(master, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "tieout", "review", "accept", current(run), "34:33"],
        env=environment,
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    os.close(terminal)
    os.close(master)
    assert done.returncode == code, done.stderr
    assert said in done.stdout
    assert done.stdout.index("what that does") < done.stdout.index(said)
    assert "Accept it and run again?" in done.stderr


def test_bad_input_is_named(run, files):
    assert "no run to review" in run("review", "list", code=20).stderr
    run("compare", *files, code=10)
    known = current(run)
    for arguments, said in (
        (("feed", "34:33"), "no run 'feed'"),
        ((known, "34"), "'34' names no pair"),
        ((known, "340:33"), "no row 340 of ours"),
        ((known, "34:330"), "no row 330 of theirs"),
        ((known, "1:33"), "row 1 with their row 33"),
    ):
        refused = run("review", "accept", *arguments, "--yes", "--json", code=20)
        assert said in json.loads(refused.stdout)["message"]
    run("review", "accept", known, "34:33", "--yes")
    assert "Row 33 of theirs" in run("review", "accept", known, "33:33", "--yes", code=20).stderr
    assert "Nothing to do" in run("review", "accept", known, "34:33", "--yes", code=10).stdout
    assert "none to undo" in run("review", "undo", known, "33:33", "--yes", code=20).stderr


def test_a_stranger_sees_nothing_of_it(run, files, environment):
    run("compare", *files, code=10)
    known = current(run)
    run("review", "accept", known, "34:33", "--yes")
    environment["TIEOUT_TENANT"] = "stranger"
    assert "no run to review" in run("review", "list", code=20).stderr
    assert "no run" in run("review", "undo", known, "34:33", "--yes", code=20).stderr
    assert run("review", "decisions").stdout.startswith("Nothing was decided yet")
    assert json.loads(run("compare", *files, "--json", code=10).stdout)["review"]["accepted"] == 0
