import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.store.filled import fill
from tieout.cli.app import build
from tieout.compose import open_platform, open_workspace
from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import open_state
from tieout.store.tables import metadata

ROWS = 2 * len(metadata.tables)


@pytest.fixture
def tieout():
    app = build(open_workspace, open_platform)

    def invoke(*words):
        result = CliRunner().invoke(app, ["state", "copy", *words], env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


@pytest.fixture
def source(tmp_path):
    url = f"sqlite:///{tmp_path}/source.db"
    state = open_state(url)
    state.of(EVERY_TENANT).write(lambda connection: fill(connection, 2))
    state.close()
    return url


def test_an_installation_is_moved_to_a_server_and_back(tieout, source, postgres, tmp_path):
    server, back = postgres.new_database(), f"sqlite:///{tmp_path}/back.db"
    code, dry = tieout(source, server, "--dry-run", "--json")
    assert (code, dry["copied"], dry["rows"], dry["target"]) == (10, False, ROWS, "new")
    code, there = tieout(source, server, "--json")
    assert (code, there["copied"], there["rows"]) == (0, True, ROWS)
    assert "only-for-tests" not in json.dumps(there)
    code, again = tieout(server, back, "--json")
    assert code == 0
    assert [one["sha256"] for one in again["tables"]] == [one["sha256"] for one in there["tables"]]
    postgres.drop_database(server)


def test_a_copy_is_told_in_words(tieout, source, tmp_path):
    code, said = tieout(source, f"sqlite:///{tmp_path}/there.db")
    assert code == 0
    assert f"{ROWS} rows copied" in said
    assert "jobs are under way; in the copy they wait" in said
    assert "audit_events" in said


def test_rows_are_dropped_only_after_a_yes(tieout, source, tmp_path):
    target = f"sqlite:///{tmp_path}/there.db"
    tieout(source, target)
    for words, expected in (((), "--replace"), (("--yes",), "--replace"), (("--replace",), "--yes")):
        with pytest.raises(TieoutError, match=expected):
            tieout(source, target, *words)
    code, dry = tieout(source, target, "--replace", "--dry-run", "--json")
    assert (code, dry["target"], dry["target_rows"]) == (10, "filled", ROWS)
    assert tieout(source, target, "--replace", "--yes", "--json")[1]["copied"] is True


def test_a_real_process_says_in_one_line_what_is_wrong_and_exits_with_20(source, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    for words in (
        [f"sqlite:///{tmp_path}/none.db", source],
        [source, source],
        [source, "mysql://ann:secret@db/x"],
        [source, "postgresql://ann:secret@127.0.0.1:1/x"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tieout", "state", "copy", *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=60,
        )
        assert done.returncode == 20, done.stderr
        assert "error:" in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stderr
