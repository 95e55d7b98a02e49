"""The scripts that the runbook prints: each is a command of tieout, with its options and its exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from tests.ops.prometheus import REPOSITORY
from tieout.cli.app import app
from tieout.cli.backfilling import LINES, SCRIPTS

SCRIPTS_FOLDER = REPOSITORY / "ops" / "scripts"
NAMED = sorted(path.name for path in SCRIPTS_FOLDER.glob("vra*"))
PROGRAMS = {".sh": "bash", ".js": "node"}
STAND_IN = '#!/bin/sh\necho "$*"\nexit 10\n'


def command_of(name):
    text = (SCRIPTS_FOLDER / name).read_text(encoding="utf-8")
    found = re.search(r'run\((.*)\)|" (smoke) "', text)
    return re.findall(r"\w+", found[1] or found[2])


@pytest.mark.parametrize("name", NAMED)
def test_each_script_is_a_command(name):
    command = get_command(app)
    for word in command_of(name):
        command = command.commands[word]
    assert f"`tieout {' '.join(command_of(name))}`" in (SCRIPTS_FOLDER / name).read_text(encoding="utf-8")
    assert f"{name}` | `tieout {' '.join(command_of(name))}` |" in (SCRIPTS_FOLDER / "README.md").read_text()


def test_the_scripts_that_log_lines_name_are_there():
    named = {name for line in LINES.values() for name in re.findall(r"vra\w+\.js", line)}
    assert named <= set(NAMED)
    assert {SCRIPTS[stage] for stage in ("ingestion", "expected", "matching", "reconcile")} <= set(NAMED)


def test_they_run_from_where_the_runbook_has_them(tmp_path):
    stand_in = tmp_path / "tieout"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    ran = []
    for name in NAMED:
        program = shutil.which(PROGRAMS[Path(name).suffix])
        if program is None:  # Node.js is needed for nothing else here
            continue
        ended = subprocess.run(
            [program, f"backend/scripts/{name}", "--dry-run", "true", "a b"],
            cwd=REPOSITORY,
            env={**os.environ, "TIEOUT": str(stand_in)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (10, f"{' '.join(command_of(name))} --dry-run true a b\n")
        ran.append(name)
    assert "vraCanarySmoke.sh" in ran
