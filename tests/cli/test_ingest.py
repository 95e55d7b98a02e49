"""`tieout ingest ads` and `tieout generate ads` as an operator types them: what is said, and the exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from tieout.books.ads.ingest import BadLoad, LoadDiffers, NetworkNotAllowed, window_of
from tieout.books.ads.staging import SchemaDrift
from tieout.cli.app import build
from tieout.cli.ingesting import ingest_request
from tieout.compose import open_workspace
from tieout.core.errors import TieoutError

HEADER = "Date,App,Ad Unit,Country,Ad Format,Currency,Impressions,Clicks,Estimated earnings,IVT\n"
GOOD = '2026-01-31,"My, app",u1,US,Interstitial,USD,"1,000",3,1.234567,0.01\n'
BAD = '2026-13-01,[a],u2,ZZ,foo,usd,5,-3,"1,234",\n'
LOAD = ("ingest", "ads", "--network", "admob", "--load-id", "L", "--report-id", "R")


@pytest.fixture
def tieout(tmp_path, monkeypatch):
    """Run a command line in a folder of its own; return its exit code and what it printed."""
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("VRA_ALLOWED_NETWORKS", raising=False)
    monkeypatch.chdir(tmp_path)
    app = build(open_workspace)

    def invoke(*words):
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.stdout

    return invoke


def test_a_load_is_told_with_its_totals_and_its_refused_rows(tieout, tmp_path):
    (tmp_path / "s.csv").write_text(HEADER + GOOD + BAD)
    code, text = tieout(*LOAD, "s.csv")
    assert code == 10
    assert "1.234567" in text
    assert "1 rows in quarantine: bad_date 1" in text
    assert "country: 'ZZ' is no ISO 3166 country" in text
    code, told = tieout(*LOAD, "s.csv", "--json")
    assert (code, told["outcome"], told["lines"], told["quarantined"]) == (0, "already_loaded", 1, 1)
    assert told["refused"][0]["line"] == 3


def test_the_exit_codes_are_those_of_the_contract(tieout, tmp_path, monkeypatch):
    (tmp_path / "s.csv").write_text(HEADER + GOOD)
    (tmp_path / "bad.csv").write_text(HEADER + BAD)
    (tmp_path / "drift.csv").write_text(HEADER.replace("earnings", "winnings") + GOOD)
    assert tieout(*LOAD, "s.csv", "--dry-run")[0] == 0
    assert tieout(*LOAD, "bad.csv", "--dry-run")[0] == 10
    assert tieout(*LOAD, "bad.csv")[0] == 20
    with pytest.raises(SchemaDrift) as drift:
        tieout(*LOAD, "drift.csv")
    assert drift.value.exit_code == 30
    code, told = tieout(*LOAD, "drift.csv", "--json")
    assert (code, list(told["missing"]), told["unknown"]) == (30, ["paid"], ["Estimated winnings"])
    assert tieout(*LOAD, "s.csv")[0] == 0
    (tmp_path / "s.csv").write_text(HEADER + GOOD * 2)
    with pytest.raises(LoadDiffers) as differs:
        tieout(*LOAD, "s.csv")
    assert differs.value.exit_code == 20
    assert tieout(*LOAD, "s.csv", "--restate", "--json")[1]["outcome"] == "restated"
    monkeypatch.setenv("VRA_ALLOWED_NETWORKS", "unity, meta")
    with pytest.raises(NetworkNotAllowed) as blocked:
        tieout(*LOAD, "s.csv")
    assert blocked.value.exit_code == 40


@pytest.mark.parametrize(
    "words", [("--sep", "pipe", "s.csv"), ("--set", "app_id", "s.csv"), ("--own", "winners", "name", "s.csv")]
)
def test_an_option_that_cannot_be_is_refused(tieout, words):
    with pytest.raises(BadLoad):
        tieout(*LOAD, *words)


def test_a_world_is_made_and_taken_in_by_its_own_script(tieout, tmp_path, monkeypatch):
    options = ("--days", "3", "--events-per-day", "200", "--networks", "admob", "--faults", "underpay")
    code, told = tieout("generate", "ads", *options, "--out", "world", "--json")
    assert (code, told["events"], [one["fault"] for one in told["faults"]]) == (0, 600, ["underpay"])
    monkeypatch.chdir(tmp_path / "world")
    for command in (tmp_path / "world" / "ingest.sh").read_text().splitlines()[3:]:
        words = [word for part in command.split()[1:] for word in _expanded(tmp_path / "world", part)]
        assert tieout(*words)[0] == 0
    own = _expanded(tmp_path / "world", "own/events/*.parquet")
    assert "600 records" in tieout("ingest", "ads", "--own", "events", "world", *own)[1]


def _expanded(folder, word):
    return [str(path) for path in sorted(folder.glob(word))] if "*" in word else [word]


def test_a_load_that_is_killed_at_any_time_is_loaded_once_by_the_next(tmp_path, monkeypatch):
    (tmp_path / "s.csv").write_text(HEADER + GOOD * 20_000)
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    words = [sys.executable, "-m", "tieout", *LOAD, str(tmp_path / "s.csv"), "--json"]
    for delay_s in (0.3, 0.6, 0.9, 1.3):
        one = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        one.send_signal(signal.SIGKILL)
        one.wait()
    for _ in range(2):
        done = subprocess.run(words, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["lines"] == 20_000
    assert json.loads(done.stdout)["outcome"] == "already_loaded"
    request = ingest_request(
        [],
        network="admob",
        load_id="L",
        report_id="R",
        schema_ver=1,
        sep="auto",
        given=(),
        strict_mime=False,
        max_bytes=None,
        max_rows=None,
        restate=False,
        dry_run=False,
    )
    opened = open_workspace()
    assert len(opened.store.runs.publications(window_of(request))) == 1
    opened.close()
