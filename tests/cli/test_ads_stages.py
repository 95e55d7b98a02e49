import json

import pytest
import typer
from typer.testing import CliRunner

from tests.books.ads.builders import World
from tieout.cli.ads_stages_app import expected, match, reconcile, tune
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
    for group in (expected, match, reconcile, tune):
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


@pytest.mark.parametrize("stage", ["expected", "match", "reconcile"])
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


def test_match_says_how_many_lines_found_their_requests(tieout, world):
    assert tieout("match", "ads", *DAY)[0] == 10, "nothing to match"
    world.own(RECEIPT)
    world.statement("day | request | paid\n11-03 | a | 1\n11-03 | b | 1")
    tieout("expected", "ads", *DAY)
    assert tieout("match", "ads", *DAY, "--dry-run")[0] == 10
    code, said = tieout("match", "ads", *DAY)
    assert code == 0
    assert "[VRA Match] Auto: 1 Review: 0 Unmatched: 1\n" in said
    assert tieout("match", "ads", *DAY, "--json")[1]["exact"] == 1


def test_match_takes_its_thresholds_as_the_runbook_writes_them(tieout):
    for name in ("--auto-threshold", "--autoThreshold"):
        assert refusal(tieout, "match", "ads", *DAY, name, "1.5") == "--auto-threshold must be between 0 and 1"
    for name in ("--min-conf", "--minConf"):
        assert refusal(tieout, "match", "ads", *DAY, name, "-1") == "--min-conf must be between 0 and 1"
    assert tieout("match", "ads", *DAY, "--persistReview")[0] == 10


def test_reconcile_asks_for_a_match_first(tieout):
    assert "is not matched" in refusal(tieout, "reconcile", "ads", *DAY)


def test_reconcile_says_how_many_deltas_it_stored(tieout, world, monkeypatch):
    world.own(RECEIPT, "request | at | usd\na | 11-03 10:00 | 100")
    world.statement("day | paid\n11-03 | 97")
    tieout("expected", "ads", *DAY)
    tieout("match", "ads", *DAY)
    code, said = tieout("reconcile", "ads", *DAY, "--dry-run")
    assert code == 10
    assert "[VRA Reconcile] Deltas: 1 Inserted: 0\n" in said
    code, said = tieout("reconcile", "ads", *DAY)
    assert code == 0
    assert "[VRA Reconcile] Deltas: 1 Inserted: 1\n" in said
    assert "fx_mismatch: not computable: no event of the window names a rate" in said
    code, told = tieout("reconcile", "ads", *DAY, "--json")
    assert code == 10
    assert (told["deltas"], told["inserted"], told["by_kind"]) == (1, 0, {"underpay": 1})
    monkeypatch.setenv("VRA_UNDERPAY_TOL", "0.03")
    assert "Deltas: 0 Inserted: 0" in tieout("reconcile", "ads", *DAY)[1]
    assert "Invalid --as-of" in refusal(tieout, "reconcile", "ads", *DAY, "--as-of", "soon")


def test_tune_shows_what_would_appear_and_go(tieout, world):
    world.own(RECEIPT, "request | at | usd\na | 11-03 10:00 | 100")
    world.statement("day | paid\n11-03 | 97")
    for stage in ("expected", "match", "reconcile"):
        tieout(stage, "ads", *DAY)
    code, said = tieout("tune", "ads", "--kind", "underpay", "--tolerance", "0.03", *DAY)
    assert code == 0
    assert "[VRA Tune] Would go: 1 (3.00 USD)\n" in said
    assert "- underpay 3.00 USD win:2025-11-03T00:00:00Z..2025-11-04T00:00:00Z:underpay" in said
    code, told = tieout("tune", "ads", "--kind", "underpay", "--tolerance", "0.01", *DAY, "--json")
    assert code == 10
    assert told["go"] == []
    assert "no threshold" in refusal(tieout, "tune", "ads", "--kind", "missing", "--tolerance", "1", *DAY)
    assert ">= 0" in refusal(tieout, "tune", "ads", "--kind", "underpay", "--tolerance", "-1", *DAY)
