import json

import pytest

from bench import data, subset_sum
from tieout.engine.settlement.subset_sum import Search, find_subsets


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    return tmp_path


def test_a_question_is_the_same_wherever_it_is_made():
    made = subset_sum.Question(20, "0.01", 5).make()
    assert made == subset_sum.Question(20, "0.01", 5).make()
    assert sum(made["amounts"][place] for place in made["planted"]) == made["target"]
    assert all(amount % 10_000 == 0 and 10**7 <= amount <= 5 * 10**10 for amount in made["amounts"])
    assert len(set(made["amounts"])) == 20


def test_the_plain_count_is_that_of_the_search():
    made = subset_sum.Question(20, "10.00", 5).make()
    answer = find_subsets(made["amounts"], made["target"], Search(max_size=made["max_size"]))
    assert answer.is_complete
    assert subset_sum.count_all(made) == answer.count > 1


def test_the_search_lists_every_set_in_the_bench(folder, capsys):
    assert subset_sum.main(["--numbers", "20", "--rounds", "1", "--only", "tieout, all"]) == 0
    results = json.loads((folder / "results-subset-sum.json").read_text())["results"]
    assert [(one["count"], one["note"]) for one in results] == [(one["right"], "") for one in results]
    assert (folder / "results-subset-sum.md").read_text() in capsys.readouterr().out


def test_a_wrong_count_fails_the_bench(folder, monkeypatch, capsys):
    monkeypatch.setattr(subset_sum, "count_all", lambda _made: 99)
    assert subset_sum.main(["--numbers", "20", "--rounds", "1", "--only", "tieout, all"]) == 1
    assert "of 99 sets" in capsys.readouterr().out
