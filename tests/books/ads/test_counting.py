"""What a stage counts is what it says; a dry run counts what it found, a run on record nothing anew."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.books.ads.builders import World, days
from tests.store.builders import a_file
from tieout.books.ads.counting import begin_counting
from tieout.books.ads.expected import build_expected
from tieout.books.ads.ingest import BadLoad, IngestRequest, NetworkNotAllowed, ingest
from tieout.books.ads.matching import MatchRules, match_ads
from tieout.books.ads.reconcile import NotMatchedYet, reconcile_ads
from tieout.books.ads.staging import SchemaDrift
from tieout.books.ads.tunables import Tunables
from tieout.core import metrics

DAY = days("11-03", "11-04")
HEADER = "event_date,app_id,ad_unit_id,country,format,currency,impressions,paid\n"
ROW = "2025-11-03,app,unit,US,banner,USD,1000,1.25\n"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


def shown():
    """Return what /metrics shows of the book, without buckets and seconds."""
    found = re.findall(r"^(vra_\S+?(?:_total|_count)(?:\{[^}]*\})?) (\S+)$", metrics.render().decode(), re.MULTILINE)
    return {name.replace('"', ""): float(value) for name, value in found}


@contextmanager
def counting(*, want):
    """Expect these counts and no others."""
    before = shown()
    yield
    grown = {name: value - before.get(name, 0) for name, value in shown().items()}
    assert {name: value for name, value in grown.items() if value} == want


def test_known_series_are_there_before_anything_happens():
    begin_counting(["admob", "quiet"], ["underpay"])
    told = shown()
    assert told["vra_ingest_load_total{network=quiet,success=false}"] == 0
    assert told["vra_statements_load_failures_total{network=quiet,reason=schema_drift}"] == 0
    assert told["vra_match_duration_seconds_count{outcome=dry_run}"] >= 0
    assert told["vra_reconcile_rows_total{kind=underpay}"] >= 0


def a_load(tmp_path, content, load_id="l1", network="Admob", **told):
    path = a_file(tmp_path / load_id, content, "statement.csv")
    return IngestRequest(network, load_id, "daily", (path,), **told)


def test_rows_of_statements_are_counted_by_network(world, tmp_path):
    two_of_three = HEADER + ROW + ROW.replace("unit", "other") + ROW.replace("2025-11-03", "soon")
    parsed = {
        "vra_ingest_parse_total{network=admob,success=true}": 2,
        "vra_ingest_parse_total{network=admob,success=false}": 1,
    }
    with counting(want=parsed):
        ingest(world.workspace, a_load(tmp_path, two_of_three, is_dry_run=True))
    loaded = {name.replace("parse", "load"): value for name, value in parsed.items()}
    with counting(want=parsed | loaded):
        ingest(world.workspace, a_load(tmp_path, two_of_three))
    with counting(want={}):
        ingest(world.workspace, a_load(tmp_path, two_of_three))


def test_loads_that_are_refused_whole_are_counted_by_reason(world, tmp_path, monkeypatch):
    def refused(reason, rows):
        return {
            "vra_ingest_load_total{network=admob,success=false}": rows,
            f"vra_statements_load_failures_total{{network=admob,reason={reason}}}": rows,
        }

    with counting(want=refused("schema_drift", 60)), pytest.raises(SchemaDrift):
        ingest(world.workspace, a_load(tmp_path, HEADER.replace("paid", "payed") + ROW * 60))
    with counting(want=refused("parse_no_rows", 1) | {"vra_ingest_parse_total{network=admob,success=false}": 1}):
        ingest(world.workspace, a_load(tmp_path, HEADER + ROW.replace("2025-11-03", "soon")))
    with counting(want={}), pytest.raises(BadLoad):
        ingest(world.workspace, a_load(tmp_path, HEADER + ROW, given={"no such cell": "1"}))
    closed = replace(world.workspace, settings=replace(world.workspace.settings, ads_networks=("unity",)))
    with counting(want=refused("network_not_allowed", 1)), pytest.raises(NetworkNotAllowed):
        ingest(closed, a_load(tmp_path, HEADER + ROW))

    def no_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tieout.books.ads.ingest._outputs", no_disk)
    parsed = {"vra_ingest_parse_total{network=admob,success=true}": 1}
    with counting(want=refused("insert_failed", 1) | parsed), pytest.raises(OSError, match="No space"):
        ingest(world.workspace, a_load(tmp_path, HEADER + ROW))


def test_each_stage_counts_what_it_found(world):
    world.own("request | at | cpm | winner\na | 11-03 10:00 | 1 | admob", "request | at | usd\na | 11-03 10:00 | 100")
    world.statement("day | request | paid\n11-03 | a | 80\n11-03 | b | 1")
    workspace = world.workspace

    def built(outcome, **counts):
        told = {f"vra_expected_{name}_total": value for name, value in counts.items()}
        return told | {f"vra_expected_build_duration_seconds_count{{outcome={outcome}}}": 1}

    with counting(want=built("dry_run", seen=1, written=1)):
        build_expected(workspace, DAY, is_dry_run=True)
    with counting(want=built("success", seen=1, written=1)):
        build_expected(workspace, DAY)
    with counting(want=built("empty", seen=1, skipped=1)):
        build_expected(workspace, DAY)
    with counting(want=judged("false")), pytest.raises(NotMatchedYet):
        reconcile_ads(workspace, DAY, Tunables())
    found = {"vra_match_exact_total": 1, "vra_match_auto_total": 1, "vra_match_unmatched_total": 1}
    with counting(want=found | matched("dry_run")):
        match_ads(workspace, DAY, is_dry_run=True)
    with counting(want=found | matched("success")):
        match_ads(workspace, DAY)
    with counting(want=matched("empty")):
        match_ads(workspace, DAY)
    ran = judged("true")
    kinds = {"vra_reconcile_rows_total{kind=underpay}": 1, "vra_reconcile_rows_total{kind=unexpected}": 1}
    with counting(want=ran | kinds):
        assert reconcile_ads(workspace, DAY, Tunables(), is_dry_run=True).by_kind == {"underpay": 1, "unexpected": 1}
    with counting(want=ran | kinds):
        reconcile_ads(workspace, DAY, Tunables())
    with counting(want=ran):
        reconcile_ads(workspace, DAY, Tunables())


def matched(outcome):
    return {f"vra_match_duration_seconds_count{{outcome={outcome}}}": 1}


def judged(success):
    names = ("vra_reconcile_runs_total", "vra_reconcile_duration_seconds_count")
    return {f"{name}{{success={success}}}": 1 for name in names}


def test_pairs_for_a_person_are_counted_and_those_that_are_kept(world):
    world.own("request | at | cpm | winner\na | 11-03 12:00 | 1 | admob", "request | at | usd\na | 11-03 12:00 | 100")
    world.statement("day | paid | unit\n11-03 | 60 | other")
    build_expected(world.workspace, DAY)
    found = {"vra_match_candidates_total": 1, "vra_match_review_total": 1} | matched("success")
    with counting(want=found):
        match_ads(world.workspace, DAY)
    with counting(want=found | {"vra_match_review_persisted_total": 1}):
        match_ads(world.workspace, DAY, MatchRules(keeps_review=True))


def test_a_fault_of_a_stage_is_an_error_of_its_duration(world, monkeypatch):
    def fault(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    for module in ("expected", "matching"):
        monkeypatch.setattr(f"tieout.books.ads.{module}.run_stage", fault)
    with (
        counting(want={"vra_expected_build_duration_seconds_count{outcome=error}": 1}),
        pytest.raises(OSError, match="No"),
    ):
        build_expected(world.workspace, DAY)
    with counting(want=matched("error")), pytest.raises(OSError, match="No"):
        match_ads(world.workspace, DAY)
