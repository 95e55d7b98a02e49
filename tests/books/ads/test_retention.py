from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner

from tests.books.ads.builders import World, days, rows
from tests.books.ads.proofs_world import FOURTH, THIRD, UNDERPAY, SealedWorld
from tieout.books.ads.evidence import bundle_delta
from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.proving import issue_day, verify_day, verify_month
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.retention import (
    DISPUTED,
    KIT_ELSEWHERE,
    NOT_DECIDED,
    RESTED_ON,
    apply_periods,
    list_kept,
    months_before,
)
from tieout.books.ads.tunables import Tunables
from tieout.cli.app import build
from tieout.cli.retention import RetentionUnconfirmed
from tieout.cli.retention_app import retention
from tieout.core.settings import BadSetting, Settings
from tieout.proofs import retention as letting_go
from tieout.proofs.desk import SealedRecordsGone
from tieout.store.kits import open_kit_storage
from tieout.store.runs import RunInput
from tieout.store.tables import audit_events, recon_disputes

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


def dispute(world, number, status="accepted", *, created_at, uri=None, delta=UNDERPAY):
    """Record a dispute with a kit of five bytes."""
    workspace, kit_id = world.workspace, f"kit_{number}"
    address = open_kit_storage(workspace.settings).put(workspace.store.tenant, kit_id, b"a kit")
    row = {
        "tenant": workspace.store.tenant,
        "dispute_id": f"disp_{number}",
        "network": "admob",
        "contact": "",
        "delta_ids": [delta],
        "amount_micros": 100,
        "network_micros": 100,
        "currency": "USD",
        "status": status,
        "evidence_uri": uri or address,
        "kit_id": kit_id,
        "kit_sha256": "0" * 64,
        "created_us": created_at,
        "created_by": "ann",
        "updated_us": created_at,
        "updated_by": "ann",
    }
    workspace.store.state.write(lambda connection: connection.execute(insert(recon_disputes).values(row)))


def told(world, *columns):
    with world.workspace.store.state.reading() as connection:
        return connection.execute(select(*columns).order_by(columns[0])).all()


def told_of(found, table):
    return next(one for one in found if one.kept.table == table)


def test_a_dispute_goes_with_its_kit_once_it_is_decided_and_over(world):
    """Of 36 months; a draft waits for nobody, one that was submitted does."""
    before, after = datetime(2022, 11, 19, 23, tzinfo=UTC), datetime(2022, 11, 20, tzinfo=UTC)
    for number, status in enumerate(("draft", "submitted", "accepted", "rejected")):
        dispute(world, number, status, created_at=before)
    dispute(world, 4, created_at=after)
    dispute(world, 5, created_at=before, uri="s3://elsewhere/kit_5.json")
    kits = open_kit_storage(world.workspace.settings)
    kits.remove("default", "kit_5")
    kits.remove("default", "kit_3")  # as one leaves it that died in between
    would = told_of(apply_periods(world.workspace, is_dry_run=True), "recon_disputes")
    assert (would.held, would.over, would.byte_count) == (6, 3, 10)
    assert would.needed == {NOT_DECIDED: 1, KIT_ELSEWHERE: 1}
    assert len(told(world, recon_disputes.c.dispute_id)) == 6
    assert told_of(apply_periods(world.workspace, is_dry_run=False), "recon_disputes") == would
    assert told(world, recon_disputes.c.dispute_id) == [("disp_1",), ("disp_4",), ("disp_5",)]
    assert [kits.find_size("default", f"kit_{number}") for number in range(5)] == [None, 5, None, None, 5]
    events = told(world, audit_events.c.entity_id, audit_events.c.delta)
    assert [(dispute_id, delta["before"]["status"]) for dispute_id, delta in events] == [
        ("disp_0", "draft"),
        ("disp_2", "accepted"),
        ("disp_3", "rejected"),
    ]
    assert over(apply_periods(world.workspace, is_dry_run=False)) == {}


def test_no_tenant_lets_go_of_what_is_of_another(world):
    dispute(world, 0, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    other = World(world.folder, "other")
    assert over(apply_periods(other.workspace, is_dry_run=False)) == {}
    assert len(told(world, recon_disputes.c.dispute_id)) == 1
    other.close()


@pytest.fixture(scope="module")
def template(judged_folder, tmp_path_factory):
    """Two judged days, each sealed, to be copied."""
    folder = tmp_path_factory.mktemp("days") / "world"
    shutil.copytree(judged_folder, folder)
    made = SealedWorld(folder)
    made.rotate()
    made.issue()
    made.issue(FOURTH)
    made.close()
    return folder


@pytest.fixture(scope="module")
def month_template(template, tmp_path_factory):
    """The same, the third sealed twice, and both in the digest of their month."""
    folder = tmp_path_factory.mktemp("month") / "world"
    shutil.copytree(template, folder)
    made = SealedWorld(folder)
    made.restate()
    made.issue_month()
    made.close()
    return folder


@pytest.fixture
def without_digest(template, tmp_path):
    shutil.copytree(template, tmp_path / "world")
    made = SealedWorld(tmp_path / "world")
    yield made
    made.close()


@pytest.fixture
def sealed(month_template, tmp_path):
    shutil.copytree(month_template, tmp_path / "world")
    made = SealedWorld(tmp_path / "world")
    yield made
    made.close()


def seals(world):
    return [(one.day, one.version, one.records_dropped_at is not None) for one in world.desk.list_seals()]


def kept_files(world):
    return [world.desk.leaf_file(one.first_leaf).exists() for one in world.desk.list_seals()]


def test_of_old_days_the_records_go_and_what_leads_to_the_digest_of_the_month_stays(sealed):
    assert seals(sealed) == [(THIRD, 1, False), (FOURTH, 1, False), (THIRD, 2, False)]
    sealed.now = datetime(2028, 11, 4, tzinfo=UTC)
    would = told_of(apply_periods(sealed.workspace, is_dry_run=True), "proofs_daily_roots")
    assert (would.held, would.over, would.needed) == (3, 2, {RESTED_ON: 1})
    assert kept_files(sealed) == [True] * 3
    assert told_of(apply_periods(sealed.workspace, is_dry_run=False), "proofs_daily_roots") == would
    assert seals(sealed) == [(FOURTH, 1, False), (THIRD, 2, True)]
    assert kept_files(sealed) == [True, False]
    [*_, (_, action, entity, delta)] = told(
        sealed, audit_events.c.seq, audit_events.c.action, audit_events.c.entity_id, audit_events.c.delta
    )
    assert (action, entity) == ("recon.retention_applied", "proofs_daily_roots")
    assert (delta["records"], delta["rows"]) == (["2025-11-03"], ["2025-11-03"])
    assert verify_day(sealed.workspace, THIRD).is_ok
    assert verify_month(sealed.workspace, "2025-11").is_ok
    with pytest.raises(SealedRecordsGone, match="2028-11-04"):
        bundle_delta(sealed.workspace, UNDERPAY)
    sealed.now += timedelta(days=1)
    apply_periods(sealed.workspace, is_dry_run=False)
    assert seals(sealed) == [(FOURTH, 1, True), (THIRD, 2, True)]
    assert verify_month(sealed.workspace, "2025-11").is_ok
    assert over(apply_periods(sealed.workspace, is_dry_run=False)) == {}


def test_a_day_whose_records_went_is_still_held_against_the_log(sealed):
    sealed.now = datetime(2029, 1, 1, tzinfo=UTC)
    apply_periods(sealed.workspace, is_dry_run=False)
    for tile in (sealed.desk.folder / "tile" / "0").rglob("*.p/*"):
        content = bytearray(tile.read_bytes())
        content[len(content) // 2] ^= 1
        tile.chmod(0o600)
        tile.write_bytes(content)
    assert verify_day(sealed.workspace, THIRD).status == "digest_mismatch"


def test_a_kept_dispute_keeps_the_records_that_prove_its_deltas(sealed):
    dispute(sealed, 0, created_at=datetime(2026, 6, 1, tzinfo=UTC))
    sealed.now = datetime(2029, 1, 1, tzinfo=UTC)
    found = told_of(apply_periods(sealed.workspace, is_dry_run=False), "proofs_daily_roots")
    assert (found.over, found.needed) == (2, {DISPUTED: 1, RESTED_ON: 1})
    assert bundle_delta(sealed.workspace, UNDERPAY)
    sealed.now = datetime(2029, 6, 2, tzinfo=UTC)  # then the dispute goes, and with it what needed the records
    assert over(apply_periods(sealed.workspace, is_dry_run=False)) == {"recon_disputes": 1, "proofs_daily_roots": 1}
    assert kept_files(sealed) == [False, False]


def test_a_day_of_no_digest_goes_with_its_root_unless_the_log_ends_there(without_digest):
    world = without_digest
    world.now = datetime(2029, 1, 1, tzinfo=UTC)
    found = told_of(apply_periods(world.workspace, is_dry_run=False), "proofs_daily_roots")
    assert (found.held, found.over, found.needed) == (2, 2, {RESTED_ON: 1})
    assert seals(world) == [(FOURTH, 1, True)]
    assert verify_day(world.workspace, THIRD).status == "not_found"
    assert verify_day(world.workspace, FOURTH).is_ok


@pytest.mark.parametrize("name", ["fsync", "delete"])
def test_what_a_process_left_that_died_goes_the_next_time(without_digest, monkeypatch, name):
    world = without_digest
    world.now = datetime(2029, 1, 1, tzinfo=UTC)

    def die(*_given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(letting_go, name, die)
        with pytest.raises(KeyboardInterrupt):
            apply_periods(world.workspace, is_dry_run=False)
    assert [is_gone for _, _, is_gone in seals(world)] == [True, True]
    assert over(apply_periods(world.workspace, is_dry_run=False)) == {"proofs_daily_roots": 1}
    assert seals(world) == [(FOURTH, 1, True)]
    assert issue_day(world.workspace, FOURTH).outcome == "nothing"  # its facts went long ago
