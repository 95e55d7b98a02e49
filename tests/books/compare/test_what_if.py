"""What another rule would change, against the run on record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tieout.books.compare.actions import compare
from tieout.books.compare.again import ask_row, replay
from tieout.books.compare.options import infer_options
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.what_if import BadWhatIf, Figures, WhatIf, try_changes
from tieout.books.workspace import Workspace
from tieout.compose import open_workspace
from tieout.core.settings import Settings
from tieout.engine import run as engine_run
from tieout.engine.explain import explain_row
from tieout.engine.plan import LearnedWeights, Level
from tieout.engine.why_not import Subject

OURS = "id,date,amount\n" + "".join(f"INV-{n:04},2026-01-{1 + n % 28:02},{100 + n}.00\n" for n in range(30))
THEIRS = OURS.replace("INV-0003,2026-01-04,103.00", "INV-0003,2026-01-04,102.50").replace(
    "INV-0007,2026-01-08,107.00", "INV-0007,2026-01-08,87.00"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path / "data")}))
    yield opened
    opened.close()


@pytest.fixture
def done(workspace: Workspace, tmp_path: Path):
    for name, text in (("ours", OURS), ("theirs", THEIRS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    options = infer_options(on=["id"])
    return compare(workspace, CompareRequest(tmp_path / "ours.csv", tmp_path / "theirs.csv", options))


def test_a_tolerance_shows_the_money_and_the_differences_that_would_go(workspace: Workspace, done) -> None:
    [found] = try_changes(workspace, done.run, ["tolerance=1.00"])
    assert found.change == "tolerance=1.00"
    assert found.before.differing == {"": Decimal("20.5")}
    assert found.after.differing == {"": Decimal(20)}
    assert sum(found.before.counts.values()) - sum(found.after.counts.values()) == 1


def test_nothing_is_published_and_the_run_on_record_stays(workspace: Workspace, done) -> None:
    try_changes(workspace, done.run, ["tolerance=1.00", "window=3"])
    current = workspace.store.runs.current_run(done.run.window)
    assert current is not None
    assert current.run_id == done.run.run_id


def test_what_explains_most_comes_first(workspace: Workspace, done) -> None:
    found = try_changes(workspace, done.run, ["tolerance=0.01", "tolerance=50%", "tolerance=1.00"])
    assert [item.change for item in found] == ["tolerance=50%", "tolerance=1.00", "tolerance=0.01"]


def test_the_usual_changes_are_tried_each_once(workspace: Workspace, done) -> None:
    changes = [item.change for item in try_changes(workspace, done.run, ["usual", "auto=0.5"])]
    assert len(changes) == len(set(changes))
    assert {"tolerance=0.01", "auto=0.5"} <= set(changes)
    assert any(change.startswith("window=") for change in changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("window", "changes no rule"),
        ("colour=3", "changes no rule"),
        ("window=soon", "no value for window"),
        ("window=99999999", "no value for window"),
        ("auto=2", "no value for auto"),
        ("review=low", "no value for review"),
        ("form=bare", "no value for form"),
    ],
)
def test_what_is_no_change_is_refused_before_anything_runs(workspace: Workspace, done, change: str, said: str) -> None:
    steps: list[str] = []
    with pytest.raises(BadWhatIf, match=said) as refused:
        try_changes(workspace, done.run, ["tolerance=1.00", change], steps.append)
    assert refused.value.remedy
    assert steps == []


def test_currencies_are_never_added_up_to_rank() -> None:
    def figures(eur: int, jpy: int) -> Figures:
        return Figures(0, 0, 0, {}, {("missing", "EUR"): Decimal(eur), ("missing", "JPY"): Decimal(jpy)})

    less_yen = WhatIf("a", figures(100, 10_000), figures(100, 9_000))
    less_euro = WhatIf("b", figures(100, 10_000), figures(50, 10_000))
    assert less_euro.explains > less_yen.explains


def test_a_run_with_nothing_to_score_keeps_the_weights_of_its_plan(workspace: Workspace, done, tmp_path: Path) -> None:
    given = LearnedWeights(0.9, (Level("amount", 0, 0.5, 0.25),))
    plan = replace(done.plan, learned=given)
    again = compare(workspace, CompareRequest(tmp_path / "ours.csv", tmp_path / "theirs.csv", plan=plan))
    assert again.plan.learned == given


def test_the_best_are_those_that_the_run_itself_names(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(OURS, encoding="utf-8")
    (tmp_path / "theirs.csv").write_text(THEIRS.replace("INV-0009", "inv 9"), encoding="utf-8")
    done = compare(workspace, CompareRequest(tmp_path / "ours.csv", tmp_path / "theirs.csv", infer_options(on=["id"])))
    named = [change["what_if"] for change in done.summary["why_not"]["rules"]]
    assert "form=plain" in named
    (plainer,) = try_changes(workspace, done.run, ["form=plain"])
    assert (plainer.after.matched, plainer.after.unmatched) == (plainer.before.matched + 1, 0)
    assert {item.change for item in try_changes(workspace, done.run, ["best"])} == set(named[:3])


def test_where_nothing_is_unmatched_there_is_no_best(workspace: Workspace, done) -> None:
    assert try_changes(workspace, done.run, ["best"]) == []


def test_a_row_without_weight_is_asked_by_running_again_and_a_matched_one_has_no_answer(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours.csv").write_text(OURS, encoding="utf-8")
    (tmp_path / "theirs.csv").write_text(THEIRS.replace("INV-0009", "inv 9"), encoding="utf-8")
    monkeypatch.setattr(engine_run, "WHY_NOT_ROWS", 0)
    options = infer_options(on=["id"])
    done = compare(workspace, CompareRequest(tmp_path / "ours.csv", tmp_path / "theirs.csv", options))
    assert explain_row(done.run_dir, "ours", 10)["change"] is None
    found = ask_row(workspace, done.run, Subject("ours", 10))
    assert found is not None
    assert (found["kind"], found["to_value"], found["partner_row"]) == ("reference_form", "inv 9", 10)
    assert ask_row(workspace, done.run, Subject("ours", 1)) is None
    assert not replay(workspace, done.run.run_id).differences
