import csv
import json

import pytest

from bench import data, exact_key

ROWS = 5_000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FOLDER", tmp_path / "data")
    data.make(ROWS)
    return tmp_path / "data"


def read(path):
    with path.open() as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_the_made_files_differ_as_the_truth_says(folder):
    ours, theirs = (read(path) for path in data.paths_of(ROWS, "csv"))
    both = ours.keys() & theirs.keys()
    cells = {(key, name) for key in both for name in data.VALUES if ours[key][name] != theirs[key][name]}
    truth = data.truth_of(ROWS)
    assert (len(both), len(cells)) == (truth.matches, truth.cells)
    assert (len(ours.keys() - both), len(theirs.keys() - both)) == (truth.unmatched_ours, truth.unmatched_theirs)
    assert {name for _, name in cells} == set(data.VALUES)
    assert list(ours) != list(theirs)


def test_the_hand_written_join_finds_the_truth_from_both_formats(folder, capsys):
    assert exact_key.main(["--rows", str(ROWS), "--rounds", "1", "--only", "hand-written"]) == 0
    results = json.loads((folder / "results.json").read_text())["results"]
    assert {(one["form"], one["contender"], one["note"]) for one in results} == {
        (form, name, "") for form in data.FORMATS for name in ("hand-written", "hand-written, light")
    }
    assert all(one["median_s"] > 0 for one in results)
    assert (folder / "results.md").read_text() in capsys.readouterr().out


def test_a_contender_that_finds_something_else_fails_the_bench(folder, monkeypatch, capsys):
    wrong = data.Truth(matches=1, cells=1, unmatched_ours=1, unmatched_theirs=1)
    monkeypatch.setattr(data, "truth_of", lambda _rows: wrong)
    arguments = ["--rows", str(ROWS), "--rounds", "1", "--format", "csv", "--only", "hand-written"]
    assert exact_key.main(arguments) == 1
    assert "wrong: found" in capsys.readouterr().out


def test_ratios_are_of_medians_to_the_hand_written_join():
    def result(name, *seconds):
        return exact_key.Result(1, "csv", name, "", seconds, 1.0, 1)

    results = exact_key.with_ratios([result("x", 3.0, 9.0, 4.0), result("hand-written", 2.0, 1.0, 9.0), result("y")])
    assert [one.ratio for one in results] == [2.0, 1.0, None]


def test_only_a_whole_run_replaces_the_published_table(tmp_path):
    (tmp_path / "README.md").write_text(f"before\n{exact_key.MARKS[0]}\nold\n{exact_key.MARKS[1]}\nafter\n")
    exact_key.publish("new\n", {}, tmp_path)
    assert "old" in (tmp_path / "README.md").read_text()
