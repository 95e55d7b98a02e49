from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.books.ads.builders import World, days, rows
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.retention import apply_periods, list_kept, months_before
from tieout.books.ads.tunables import Tunables
from tieout.cli.app import build
from tieout.cli.retention import RetentionUnconfirmed
from tieout.cli.retention_app import retention
from tieout.core.settings import BadSetting, Settings
from tieout.store.runs import RunInput

DAY = days("11-03", "11-04")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.own("request | at | cpm | winner\na | 11-03 10:00 | 1 | admob")
    made.statement("day | request | paid\n11-03 | a | 1")
    build_expected(made.workspace, DAY)
    match_ads(made.workspace, DAY)
    reconcile_ads(made.workspace, DAY, Tunables())
    yield made
    made.close()


def over(found):
    return {one.kept.table: one.over for one in found if one.over}


def test_the_periods_are_those_of_the_contract_and_settings_change_them(tmp_path):
    told = {one.table: one.months for one in list_kept(Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path)}))}
    assert told == {
        "recon_statements_raw": 12,
        "recon_statements_norm": 18,
        "recon_expected": 18,
        "recon_match": 18,
        "recon_deltas": 18,
        "recon_disputes": 36,
        "proofs_daily_roots": 36,
        "proofs_monthly_digest": None,
    }
    shorter = {
        "TIEOUT_DATA_DIR": str(tmp_path),
        "TIEOUT_ADS_RAW_MONTHS": "1",
        "TIEOUT_ADS_FACTS_MONTHS": "2",
        "TIEOUT_ADS_DISPUTES_MONTHS": "3",
        "TIEOUT_ADS_PROOFS_MONTHS": "4",
    }
    assert {one.months for one in list_kept(Settings.from_environment(shorter))} == {1, 2, 3, 4, None}
    with pytest.raises(BadSetting):
        Settings.from_environment(shorter | {"TIEOUT_ADS_RAW_MONTHS": "0"})


def test_months_are_counted_on_the_calendar():
    assert months_before(date(2027, 5, 4), 18) == date(2025, 11, 4)
    assert months_before(date(2026, 3, 31), 1) == date(2026, 2, 28)
    assert months_before(date(2026, 1, 15), 12) == date(2025, 1, 15)


def test_nothing_goes_before_its_time_and_then_it_goes_by_table(world):
    """Lines are counted from their day, deltas from the beginning of their window, the rest from its end."""
    world.now = datetime(2027, 5, 3, tzinfo=UTC)
    assert over(apply_periods(world.workspace, is_dry_run=True)) == {}
    world.now += timedelta(days=1)
    assert over(apply_periods(world.workspace, is_dry_run=True)) == {"recon_deltas": 1, "recon_statements_norm": 1}
    world.now += timedelta(days=1)
    would = apply_periods(world.workspace, is_dry_run=True)
    assert over(would) == {"recon_deltas": 1, "recon_expected": 1, "recon_match": 1, "recon_statements_norm": 1}
    assert over(apply_periods(world.workspace, is_dry_run=False)) == over(would)
    assert over(apply_periods(world.workspace, is_dry_run=False)) == {}
    [run] = world.workspace.store.runs.list_current("ads", "match")
    assert run.files_dropped_at == world.now
    assert not world.workspace.store.folders.run(run.run_id).exists()


def test_stages_go_on_after_files_were_let_go(world):
    world.now = datetime(2027, 6, 1, tzinfo=UTC)
    apply_periods(world.workspace, is_dry_run=False)
    assert build_expected(world.workspace, DAY).seen == 1
    assert match_ads(world.workspace, DAY).auto == 0


def test_the_command_shows_and_applies(world):
    build(lambda: world.workspace)

    def tieout(*words):
        return CliRunner().invoke(retention, list(words), env={"COLUMNS": "200"})

    assert "recon_statements_raw" in tieout("show").stdout
    assert isinstance(tieout("apply").exception, RetentionUnconfirmed)
    assert tieout("apply", "--dry-run").exit_code == 10
    world.now = datetime(2027, 6, 1, tzinfo=UTC)
    assert tieout("apply", "--dry-run", "--json").exit_code == 10
    assert tieout("apply", "--yes").exit_code == 0
    assert tieout("apply", "--yes").exit_code == 10


def receive(world, text):
    path = world.folder / "received.csv"
    path.write_text(text)
    kept = world.workspace.store.artifacts.receive(path, received_by="ann", received_at=world.now)
    return RunInput("statement", "received.csv", kept.artifact_id)


def test_files_as_received_go_after_a_year_unless_another_run_reads_them(world):
    ours, shared = receive(world, "ours"), receive(world, "shared")
    lines = rows("statement_line", "day | paid\n11-03 | 1")
    world.publish("statements", "admob/l2", inputs=(ours, shared), statement_line=lines)
    world.publish("reconcile", "elsewhere", inputs=(shared,), statement_line=lines)
    path = world.workspace.store.folders.artifact
    world.now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert over(apply_periods(world.workspace, is_dry_run=False)) == {}
    world.now += timedelta(days=1)
    assert over(apply_periods(world.workspace, is_dry_run=True)) == {"recon_statements_raw": 1}
    assert path(ours.artifact_id).exists()
    assert over(apply_periods(world.workspace, is_dry_run=False)) == {"recon_statements_raw": 1}
    assert not path(ours.artifact_id).exists()
    assert path(shared.artifact_id).exists()
