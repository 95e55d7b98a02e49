"""Options as the runbook and its scripts write them: `--dry-run true`, `--loadId L`, and 20 for what cannot be read."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tieout.cli.app import build
from tieout.cli.as_printed import AsPrinted
from tieout.compose import open_workspace

HEADER = "event_date,app_id,ad_unit_id,country,format,currency,impressions,paid\n"


@pytest.fixture(scope="module")
def command():
    app = typer.Typer()

    @app.command(cls=AsPrinted)
    def told(
        words: Annotated[list[str] | None, typer.Argument()] = None,
        *,
        force: Annotated[bool, typer.Option("--force", "-f")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run/--real")] = True,
        name: str = "",
    ) -> None:
        typer.echo(f"{force} {dry_run} {name} {words or []}")

    return app


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "False True  []"),
        ("--force", "True True  []"),
        ("--force true", "True True  []"),
        ("--force YES --dry-run off", "True False  []"),
        ("-f 1 x", "True True  ['x']"),
        ("--force=on --dry-run=0", "True False  []"),
        ("--force no x", "False True  ['x']"),
        ("--dry-run false true", "False False  ['true']"),
        ("--real", "False False  []"),
        ("--name true --force x", "True True true ['x']"),
        ("-- --force true", "False True  ['--force', 'true']"),
    ],
)
def test_a_flag_may_be_followed_by_true_or_false(command, line, said):
    assert CliRunner().invoke(command, line.split()).stdout.strip() == said


@pytest.mark.parametrize("line", ["--nope", "--force=maybe", "--name"])
def test_what_cannot_be_read_ends_with_20(command, line):
    assert CliRunner().invoke(command, line.split()).exit_code == 20


def test_a_statement_is_taken_in_with_the_options_of_its_script(tmp_path, monkeypatch):
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("VRA_ALLOWED_NETWORKS", raising=False)
    statement = tmp_path / "s.csv"
    statement.write_text(HEADER + "2025-11-03,app,unit,US,banner,USD,1,0.5\n")
    load = ["--network", "admob", "--schemaVer", "1", "--loadId", "L", "--reportId", "R", "--file"]
    more = ["--strictMime", "true", "--maxBytes", "1000", "--maxRows", "5", "--sep", "auto"]
    app = build(open_workspace)

    def ingest(*words):
        return CliRunner().invoke(app, ["ingest", "ads", *load, str(statement), *more, *words])

    assert "nothing was loaded" in ingest("--dry-run", "true").stdout
    assert ingest("--dry-run", "false").exit_code == 0
    assert "already loaded" in ingest().stdout
    missing = CliRunner().invoke(app, ["ingest", "ads", *load[:-1]])
    assert missing.exception.exit_code == 20
