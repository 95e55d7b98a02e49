"""`tieout init`, `doctor`, `migrate` as they are typed."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests.postgres import PASSWORD
from tieout.cli.app import build
from tieout.compose import open_platform, open_workspace, serve
from tieout.control.examination import examine_installation
from tieout.control.platform import Platform
from tieout.core.settings import Settings
from tieout.store.state import SCHEMA, connect_state, open_state
from tieout.work import slots


@pytest.fixture
def run(tmp_path, state_url, monkeypatch):
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TIEOUT_STATE", state_url)
    app = build(open_workspace, open_platform, serve)

    def runner(*arguments):
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)

    return runner


@pytest.fixture
def settings(tmp_path, state_url):
    return Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_STATE": state_url})


def findings(settings, now=lambda: datetime.now(UTC)):
    return {one.check: one for one in examine_installation(settings, now)}


def test_init_makes_what_is_missing_and_shows_the_key_once(run, tmp_path):
    first = run("init")
    assert first.exit_code == 0
    assert "shown this once: tk_" in first.stdout
    key = (tmp_path / "data/secret.key").read_bytes()
    again = run("init", "--json")
    assert json.loads(again.stdout)["admin_key"] is None
    assert (tmp_path / "data/secret.key").read_bytes() == key
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_doctor_finds_nothing_wrong_but_the_missing_worker(run, settings):
    run("init")
    done = run("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"]) == (10, "warn")
    assert [one["check"] for one in told["findings"] if one["verdict"] != "ok"] == ["workers"]
    state = open_state(settings.state_url)
    Platform(settings, state, lambda: datetime.now(UTC)).all_tenants.write(
        lambda connection: slots.take_slot(
            connection, "worker", slots.this_process(), roles=["worker"], version="0", now=datetime.now(UTC)
        )
    )
    state.close()
    assert run("doctor").exit_code == 0


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_doctor_changes_nothing_where_nothing_is(run, tmp_path):
    done = run("doctor")
    assert done.exit_code == 20
    assert "Run: tieout init." in done.stdout
    assert not (tmp_path / "data").exists()
    run("init")
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    run("doctor")
    after = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert set(after) - {"state.db-shm", "state.db-wal"} == set(before) - {"state.db-shm", "state.db-wal"}


@pytest.mark.parametrize("state_url", ["sqlite"], indirect=True)
def test_doctor_sees_open_folders_and_keys(run, settings):
    run("init")
    settings.data_dir.chmod(0o755)
    (settings.data_dir / "secret.key").chmod(0o644)
    told = findings(settings)
    assert told["data folder"].verdict == told["key"].verdict == "warn"
    assert "chmod 600" in told["key"].remedy


def test_doctor_sees_secrets_that_cannot_be_opened(run, settings):
    run("init")
    platform = open_platform(settings)
    from tieout.control.access.actions.signing import signing_secret

    signing_secret(platform)
    platform.close()
    assert findings(settings)["sealed secrets"].says == "1 can be opened"
    (settings.data_dir / "secret.key").unlink()
    run("init")
    told = findings(settings)["sealed secrets"]
    assert told.verdict == "fail"
    assert "TIEOUT_SECRET_KEY" in told.remedy


def set_revision(settings, revision):
    state = connect_state(settings.state_url)
    change = text("update alembic_version set version_num = :revision")
    state.write(lambda connection: connection.execute(change, {"revision": revision}))
    state.close()


def test_doctor_names_the_migration_that_is_missing(run, settings):
    run("init")
    set_revision(settings, "9999")
    try:
        told = findings(settings)["migrations"]
        assert (told.verdict, "does not know" in told.says) == ("fail", True)
        assert run("doctor").exit_code == 20
        set_revision(settings, "0003")
        assert findings(settings)["migrations"].remedy == "Run: tieout migrate."
    finally:
        set_revision(settings, SCHEMA.head)


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_doctor_sees_a_clock_that_is_wrong(run, settings):
    run("init")
    for seconds, verdict in ((0, "ok"), (10, "warn"), (-60, "fail")):
        wrong = timedelta(seconds=seconds)
        assert findings(settings, lambda: datetime.now(UTC) + wrong)["clock"].verdict == verdict  # noqa: B023


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_doctor_warns_of_a_role_above_row_level_security(run, settings, postgres):
    run("init")
    assert findings(settings)["role"].verdict == "ok"
    above = settings.state_url.replace("//tieout:", "//postgres:")
    assert PASSWORD in above
    told = findings(Settings.from_environment({"TIEOUT_DATA_DIR": str(settings.data_dir), "TIEOUT_STATE": above}))
    assert told["role"].verdict == "warn"
    assert "row-level security" in told["role"].says


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_doctor_sees_a_role_that_cannot_keep_the_steps_of_jobs(run, settings, postgres):
    run("init")
    assert findings(settings)["steps"].says == "schema tieout_steps can be made"
    database = settings.state_url.rsplit("/", 1)[1]
    postgres.run(f"alter database {database} owner to postgres")
    try:
        told = findings(settings)["steps"]
        assert (told.verdict, "grant create on database" in told.remedy) == ("fail", True)
        postgres.run("create schema tieout_steps", database)
        told = findings(settings)["steps"]
        assert (told.verdict, "grant all on schema tieout_steps to tieout" in told.remedy) == ("fail", True)
        postgres.run("grant all on schema tieout_steps to tieout", database)
        assert findings(settings)["steps"].says == "schema tieout_steps"
    finally:
        postgres.run(f"alter database {database} owner to tieout")
        postgres.run("drop schema tieout_steps", database)


def test_doctor_says_when_the_database_does_not_answer(tmp_path):
    url = "postgresql://tieout:secret@127.0.0.1:1/none"
    told = findings(Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path), "TIEOUT_STATE": url}))
    assert told["state"].verdict == "fail"
    assert "secret" not in str(told["state"])


def test_migrate_shows_first_and_then_does(run, tmp_path, state_url):
    if state_url.startswith("sqlite"):
        shown = run("migrate", "--dry-run", "--json")
        assert shown.exit_code == 10
        assert json.loads(shown.stdout)["missing"] == list(SCHEMA.revisions)
        assert not (tmp_path / "data/state.db").exists()
    assert run("migrate").exit_code == 0
    again = run("migrate", "--dry-run")
    assert (again.exit_code, "as this program needs it" in again.stdout) == (0, True)


def test_doctor_says_where_kits_of_evidence_cannot_be_kept(run, settings, monkeypatch):
    kits = {one["check"]: one for one in json.loads(run("doctor", "--json").stdout)["findings"]}.get("dispute kits")
    assert kits
    assert kits["verdict"] == "ok"
    for storage, verdict in (("s3", "fail"), ("memory", "warn")):
        monkeypatch.setenv("VRA_DISPUTE_STORAGE", storage)
        found = json.loads(run("doctor", "--json").stdout)["findings"]
        assert {one["check"]: one["verdict"] for one in found}["dispute kits"] == verdict
