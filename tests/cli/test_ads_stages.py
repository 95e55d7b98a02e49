import json

import pytest
import typer
from typer.testing import CliRunner

from tests.books.ads.builders import World
from tieout.cli.ads_stages_app import expected
from tieout.cli.app import build
from tieout.core.errors import TieoutError

DAY = ("--from", "2025-11-03T00:00:00Z", "--to", "2025-11-04T00:00:00Z")
TOO_LONG = ("--from", "2025-11-01T00:00:00Z", "--to", "2025-11-04T00:00:01Z")
RECEIPT = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tieout(world):
    """Run a command line on the world; return its exit code and what it printed."""
    build(lambda: world.workspace)
    app = typer.Typer()
    for group in (expected,):
        app.add_typer(group)

    def invoke(*words):
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


def refusal(tieout, *words):
    with pytest.raises(TieoutError) as refused:
        tieout(*words)
    assert refused.value.exit_code == 20
    return refused.value.what


@pytest.mark.parametrize("stage", ["expected"])
def test_the_guardrails_of_every_stage(tieout, stage):
    assert refusal(tieout, stage, "ads") == "Missing required args: --from ISO, --to ISO"
    assert refusal(tieout, stage, "ads", "--from", "2025-11-01") == "Missing required args: --from ISO, --to ISO"
    assert refusal(tieout, stage, "ads", "--from", "2025-11-02", "--to", "2025-11-01") == "from must be <= to"
    assert "--to" in refusal(tieout, stage, "ads", "--from", "2025-11-02", "--to", "yesterday")
    too_long = "Refusing to run: window exceeds 3 days. Use --force --yes to bypass."
    assert refusal(tieout, stage, "ads", *TOO_LONG) == too_long
    assert refusal(tieout, stage, "ads", *TOO_LONG, "--force") == too_long
    assert refusal(tieout, stage, "ads", *TOO_LONG, "--yes") == too_long


def test_expected_says_what_it_saw_and_wrote(tieout, world):
    world.own(RECEIPT)
    code, said = tieout("expected", "ads", *DAY)
    assert code == 0
    assert "[VRA Expected] Window: 2025-11-03T00:00:00Z → 2025-11-04T00:00:00Z\n" in said
    assert "[VRA Expected] Seen: 1 Written: 1 Skipped: 0\n" in said


def test_expected_exits_with_10_when_it_writes_nothing(tieout, world):
    assert tieout("expected", "ads", *DAY)[0] == 10
    world.own(RECEIPT)
    code, said = tieout("expected", "ads", *DAY, "--dry-run")
    assert code == 10
    assert "(dry-run)" in said
    assert "Seen: 1 Written: 1 Skipped: 0" in said
    assert tieout("expected", "ads", *DAY)[0] == 0
    code, told = tieout("expected", "ads", *DAY, "--json")
    assert code == 10
    assert (told["seen"], told["written"], told["skipped"]) == (1, 0, 1)


def test_expected_limits_the_receipts(tieout, world):
    world.own(RECEIPT + "\nb | 11-03 11:00 | 1 | admob")
    assert refusal(tieout, "expected", "ads", *DAY, "--limit", "0") == "--limit must be > 0"
    assert "exceeds 10000" in refusal(tieout, "expected", "ads", *DAY, "--limit", "10001")
    code, said = tieout("expected", "ads", *DAY, "--limit", "1")
    assert code == 10
    assert "1 receipts of the window are beyond the limit" in said
    assert tieout("expected", "ads", *DAY, "--limit", "10001", "--force", "--yes")[0] == 0
    assert tieout("expected", "ads", *TOO_LONG, "--force", "--yes")[0] == 0
