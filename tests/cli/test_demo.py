import json
from io import StringIO

import pytest
from rich.console import Console

from tieout.cli import demo
from tieout.cli.demo_ads import FAULTS, run_ads, show_ads
from tieout.compose import open_workspace
from tieout.core.settings import Settings


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    opened = open_workspace(Settings.from_environment({"TIEOUT_DATA_DIR": str(folder), "TIEOUT_THREADS": "1"}))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shown(workspace):
    return run_ads(workspace, lambda _: None)


def test_every_planted_fault_is_found_to_the_cent_and_nothing_else(shown):
    assert sorted(row["fault"] for row in shown.planted) == sorted(FAULTS)
    rows = shown.rows()
    assert len(rows) == len(FAULTS)
    for row in rows:
        assert row["kind"], row
        assert row["planted"], row
        assert abs(abs(float(row["usd"])) - float(row["planted_usd"])) < 0.01


def test_what_is_shown_says_what_was_found(shown):
    told = StringIO()
    show_ads(shown, Console(file=told, width=120))
    for row in shown.rows():
        [line] = [line for line in told.getvalue().splitlines() if str(row["reason"]) in line]
        assert row["usd"] in line
        assert row["planted"] in line


def test_the_demo_of_ads_leaves_nothing_among_the_records_of_a_tenant(workspace, shown):
    assert workspace.store.runs.list_runs(limit=10).runs == ()
    assert list(workspace.store.folders.work.iterdir()) == []


def test_the_demo_tells_of_every_case_in_json(workspace, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "reconcile_cases", lambda *_: {"bank": {"rows": 1}})
    monkeypatch.setattr(demo, "run_ads", lambda *_: shown)
    demo.run_demo(workspace, tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"bank", "ads"}
    assert len(told["ads"]["deltas"]) == len(FAULTS)
