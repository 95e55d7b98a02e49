"""`tieout runs`, `show` and `replay` on runs of the ads book: what they came to, and the same bytes again."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.books.ads.builders import NOW, World, rows, write
from tieout.books.ads.expected import build_expected
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.matching import match_ads
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.ads.period import parse_period
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.cli.app import build
from tieout.core.errors import TieoutError

RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-03 11:00 | 1 | admob"
EVENTS = "request | at | usd | original\na | 11-03 10:00 | 100 | 100\nb | 11-03 11:00 | 20 | 20"
STATEMENT = (
    "Date,App,Ad Unit,Country,Ad Format,Currency,Impressions,Estimated earnings\n"
    "2025-11-03,app,unit,US,Banner,USD,2,97\n"
    "2025-13-03,app,unit,US,Banner,USD,2,1\n"
)
DAY = parse_period("2025-11-03", "2025-11-04")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A day from registration to deltas; the sources lie beside the data folder."""
    made = World(tmp_path_factory.mktemp("records"))
    events = write("revenue_event", rows("revenue_event", EVENTS), made.folder / "events.parquet")
    receipts = write("receipt", rows("receipt", RECEIPTS), made.folder / "receipts.parquet")
    (made.folder / "s.csv").write_text(STATEMENT)
    register_own(made.workspace, OwnRequest("events", "events", (events,)))
    register_own(made.workspace, OwnRequest("receipts", "receipts", (receipts,)))
    ingest(made.workspace, IngestRequest("admob", "l1", "r1", (made.folder / "s.csv",)))
    build_expected(made.workspace, DAY)
    match_ads(made.workspace, DAY)
    reconcile_ads(made.workspace, DAY, Tunables())
    yield made
    made.close()


@pytest.fixture
def tieout(world):
    app = build(lambda: world.workspace)

    def invoke(*words):
        result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


def run_id(world, leg):
    return world.workspace.store.runs.list_current("ads", leg)[0].run_id


def test_the_list_says_what_each_run_came_to(tieout):
    _, listed = tieout("runs", "--json")
    assert {one["leg"]: one["result"] for one in listed} | {"own": ""} == {
        "own": "",
        "statements": "1 lines, 1 refused",
        "expected": "2 written of 2 seen",
        "match": "1 auto, 0 review, 0 unmatched",
        "reconcile": "1 deltas",
    }
    assert {one["result"] for one in listed if one["leg"] == "own"} == {"2 events", "2 receipts"}
    assert "ads reconcile 2025-11-03..2025-11-04" in tieout("runs")[1]


def test_a_run_is_shown_with_its_figures_deltas_steps_and_files(tieout, world, tmp_path):
    code, said = tieout("show", run_id(world, "reconcile")[:12], "--out", tmp_path / "out")
    assert code == 0
    assert "ads/reconcile/2025-11-03..2025-11-04" in said
    assert "underpay" in said
    assert "23.00" in said
    assert "USD: expected 120.00, reported 97.00, delta 23.00" in said
    assert "fx_mismatch: no event of the window names a rate" in said
    assert "window_is_conserved" in said
    assert [row["kind"] for row in pq.read_table(tmp_path / "out" / "delta.parquet").to_pylist()] == ["underpay"]
    _, told = tieout("show", run_id(world, "match"), "--json")
    assert told["summary"]["auto"] == 1
    assert told["steps"]
    with pytest.raises(TieoutError, match="there is no page of it"):
        tieout("show", run_id(world, "match"), "--report", tmp_path / "page.html")


@pytest.mark.parametrize("leg", ["own", "statements", "expected", "match", "reconcile"])
def test_every_kind_of_run_replays_to_the_same_bytes(tieout, world, leg):
    before = world.workspace.store.runs.list_runs(limit=100).runs
    code, told = tieout("replay", run_id(world, leg), "--json")
    assert (code, told["same"], told["same_code"], told["differences"]) == (0, True, True, [])
    assert world.workspace.store.runs.list_runs(limit=100).runs == before, "nothing was published"


def test_a_replay_reads_what_the_run_read_and_not_what_is_current(tieout, world):
    judged = run_id(world, "reconcile")
    (world.folder / "t.csv").write_text(STATEMENT.replace("97", "120"))
    ingest(world.workspace, IngestRequest("admob", "l1", "r1", (world.folder / "t.csv",), restates=True))
    match_ads(world.workspace, DAY)
    assert tieout("replay", judged, "--json")[1]["same"] is True
    assert tieout("runs", "--as-of", datetime.max.replace(tzinfo=UTC).isoformat(), "--json")[0] == 0


def test_a_replay_names_the_step_that_differs(tieout, world, monkeypatch):
    monkeypatch.setattr("tieout.books.ads.reconcile.GRACE_DAYS", 30)
    code, told = tieout("replay", run_id(world, "reconcile"), "--json")
    assert code == 10
    names = [one["name"] for one in told["differences"]]
    assert names[0] == "window_unit", "the first step to which days of grace matter"
    assert "stated_line" not in names
    assert "replays differently, first in window_unit" in tieout("replay", run_id(world, "reconcile"))[1]


def test_a_source_that_changed_is_told(tieout, world):
    events, kept = world.folder / "events.parquet", (world.folder / "events.parquet").read_bytes()
    source = next(run for run in world.workspace.store.runs.list_current("ads", "own") if run.window.window == "events")
    write("revenue_event", rows("revenue_event", EVENTS.replace("| 20 |", "| 21 |")), events)
    try:
        code, told = tieout("replay", source.run_id, "--json")
        assert (code, [one["name"] for one in told["differences"]]) == (10, [str(events)])
        with pytest.raises(TieoutError, match="no longer what it was"):
            tieout("replay", run_id(world, "expected"))
    finally:
        events.write_bytes(kept)


def test_a_run_that_published_nothing_cannot_be_replayed(tieout, world):
    (world.folder / "bad.csv").write_text(STATEMENT.replace("2025-11", "2025-13"))
    ingest(world.workspace, IngestRequest("admob", "l2", "r1", (world.folder / "bad.csv",)))
    failed = next(run for run in world.workspace.store.runs.list_runs(limit=100).runs if run.status == "failed")
    with pytest.raises(TieoutError, match="published nothing"):
        tieout("replay", failed.run_id)
    assert "No row could be taken" in tieout("show", failed.run_id)[1]
    assert failed.started_at == NOW
