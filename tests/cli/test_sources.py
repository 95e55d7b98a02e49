import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from tests.intake.source_builders import statement
from tieout.cli.app import build
from tieout.cli.sources import ContraryOptions
from tieout.cli.sources_app import LOAD_EPILOG, load, sources
from tieout.compose import open_workspace
from tieout.core.errors import TieoutError

COFFEE = "2024-01-01,coffee,3"
TEA = "2024-01-02,tea,2"
JUICE = "2024-01-03,juice,4"


@pytest.fixture
def tieout(tmp_path, monkeypatch):
    """Run a command line in a folder of its own; return its exit code and what it printed."""
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TIEOUT_ACTOR", "ann")
    monkeypatch.delenv("TIEOUT_TENANT", raising=False)
    monkeypatch.chdir(tmp_path)
    build(open_workspace)
    app = typer.Typer()
    app.command(epilog=LOAD_EPILOG)(load)
    app.add_typer(sources)

    def invoke(*words):
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.stdout

    return invoke


@pytest.fixture
def a_file(tmp_path):
    def write(name, *rows):
        (tmp_path / name).write_text(statement(*rows))
        return name

    return write


def test_files_are_loaded_in_order_and_each_is_told(tieout, a_file):
    code, said = tieout("load", "bank", a_file("march.csv", COFFEE, TEA), a_file("april.csv", TEA, JUICE))
    assert code == 0
    assert "march.csv: load 1, 2 added; 0 kept as they are" in said
    assert "april.csv: load 2, 1 added; 1 kept as they are" in said
    assert "Days: 2024-01-02 to 2024-01-03 (column Date" in said


def test_loading_the_same_file_again_says_so_and_exits_with_10(tieout, a_file):
    march = a_file("march.csv", COFFEE)
    tieout("load", "bank", march)
    assert tieout("load", "bank", march) == (10, "march.csv: was loaded before, as load 1; nothing to do.\n")
    code, said = tieout("load", "bank", march, a_file("more.csv", JUICE), "--json")
    assert (code, [one["outcome"] for one in said["files"]]) == (0, ["already_loaded", "loaded"])


def test_a_refused_restatement_names_both_ways_out_and_exits_with_20(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE, TEA))
    again = a_file("again.csv", COFFEE, "2024-01-02,tea,1")
    with pytest.raises(TieoutError) as refused:
        tieout("load", "bank", again)
    assert (refused.value.code, refused.value.exit_code) == ("restatement_unsettled", 20)
    code, said = tieout("load", "bank", a_file("new.csv", JUICE), again, "--json")
    assert (code, said["error"], len(said["files"])) == (20, "restatement_unsettled", 1)
    assert "--restate" in said["remedy"]


def test_a_dry_run_shows_both_ways_out_of_a_refusal_and_stores_nothing(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE, TEA))
    again = a_file("again.csv", COFFEE, "2024-01-02,tea,1")
    code, said = tieout("load", "bank", again, "--dry-run")
    assert code == 20
    assert "1 would be added; 1 kept as they are" in said
    assert "It lacks 1 row (1 on 2024-01-02) that the source has. It would be refused" in said
    code, said = tieout("load", "bank", again, "--dry-run", "--restate", "--json")
    assert code == 10
    assert (said["dry_run"], said["files"][0]["superseded"], said["files"][0]["kept"]) == (True, 1, 1)
    assert tieout("sources", "--json")[1][0]["loads"] == 1


def test_restate_and_add_exclude_each_other(tieout, a_file):
    with pytest.raises(ContraryOptions):
        tieout("load", "bank", a_file("march.csv", COFFEE), "--restate", "--add")


def test_options_settle_key_column_of_days_and_how_they_are_written(tieout, tmp_path):
    (tmp_path / "a.csv").write_text("Nr,Posted,Due\n1,01/02/2024,02/03/2024\n2,03/04/2024,04/05/2024\n")
    words = ("load", "bank", "a.csv", "--key", "Nr", "--date", "Due", "--date-format", "MDY", "--json")
    [done] = tieout(*words)[1]["files"]
    assert (done["date_column"], done["date_format"], done["first_day"]) == ("Due", "MDY", "2024-02-03")
    assert tieout("sources", "show", "bank", "--json")[1]["key"] == ["Nr"]


def test_sources_lists_what_is_current_superseded_and_refused_with_days_and_loads(tieout, a_file):
    assert tieout("sources") == (0, "No sources. `tieout load SOURCE FILE` makes one.\n")
    tieout("load", "bank", a_file("a.csv", COFFEE, TEA, "2024-02-31,x,1"))
    tieout("load", "bank", a_file("b.csv", COFFEE), "--restate")
    tieout("load", "bank", a_file("c.csv", TEA), "--restate")
    tieout("load", "bank", a_file("d.csv", "2024-01-09,late,1"))
    tieout("load", "ledger", a_file("e.csv", JUICE))
    code, [bank, ledger] = tieout("sources", "--json")
    assert code == 0
    assert bank == {
        "name": "bank",
        "rows": 3,
        "superseded": 0,
        "quarantined": 1,
        "first_day": "2024-01-01",
        "last_day": "2024-01-09",
        "days_covered": 3,
        "gaps": 1,
        "loads": 4,
    }
    assert (ledger["name"], ledger["rows"]) == ("ledger", 1)
    said = tieout("sources")[1]
    assert "2024-01-01 to 2024-01-09 (3 days, 1 gap)" in said


def test_show_tells_the_history_and_with_all_the_superseded_and_the_refused_rows(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE, TEA, "2024-02-31,x,1"))
    tieout("load", "bank", a_file("again.csv", COFFEE, "2024-01-02,tea,1"), "--restate")
    code, said = tieout("sources", "show", "bank", "--all")
    assert code == 0
    assert "bank: 2 rows, 2024-01-01 to 2024-01-02 (2 days)" in said
    assert "load 1: march.csv, loaded" in said
    assert "--restate; supersedes 1 row of load 1" in said
    assert "1 row superseded" in said
    assert "Memo: tea, Amount: 2" in said
    assert "bad_date" in said
    shown = tieout("sources", "show", "bank", "--all", "--json")[1]
    assert [one["load"] for one in shown["history"]] == [1, 2]
    assert shown["superseded_rows"]["total"] == 1
    assert shown["superseded_rows"]["rows"][0]["cells"]["Amount"] == "2"
    assert (shown["quarantine"]["rows"][0]["file"], shown["quarantine"]["rows"][0]["line"]) == ("march.csv", 4)
    assert "superseded_rows" not in tieout("sources", "show", "bank", "--json")[1]


def test_rows_beyond_the_limit_are_counted(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE, TEA, JUICE))
    tieout("load", "bank", a_file("again.csv", COFFEE, "2024-01-03,cake,1"), "--restate")
    assert "… and 1 more; --limit shows them." in tieout("sources", "show", "bank", "--all", "--limit", "1")[1]


def test_show_goes_back_to_an_instant(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE))
    then = datetime.now(UTC).isoformat()
    tieout("load", "bank", a_file("april.csv", TEA))
    tieout("sources", "undo", "bank")
    shown = tieout("sources", "show", "bank", "--as-of", then, "--json")[1]
    assert (shown["rows"], [one["load"] for one in shown["history"]]) == (1, [1])
    now = tieout("sources", "show", "bank", "--json")[1]
    assert [one["undone_by"] for one in now["history"]] == [None, "ann"]
    assert "taken back" in tieout("sources", "show", "bank")[1]


def test_undo_takes_back_the_latest_load_and_says_when_there_is_none(tieout, a_file):
    tieout("load", "bank", a_file("march.csv", COFFEE, TEA))
    tieout("load", "bank", a_file("again.csv", COFFEE, "2024-01-02,tea,1"), "--restate")
    code, said = tieout("sources", "undo", "bank")
    assert (code, said) == (
        0,
        "Load 2 (again.csv) is taken back: 1 row no longer current, 1 current again. It stays on record.\n",
    )
    assert tieout("sources", "undo", "bank", "--json")[1]["undone"]["load"] == 1
    assert tieout("sources", "undo", "bank") == (10, "Source bank has no load to take back.\n")
    with pytest.raises(TieoutError) as unknown:
        tieout("sources", "undo", "bonk")
    assert unknown.value.code == "source_unknown"
