"""`tieout backfill ads` as the runbook prints it: the lines, the checkpoints, the exit codes, and kills in between."""

from __future__ import annotations

import json
import os
import signal

import pytest
from typer.testing import CliRunner

from tests.books.ads.builders import World
from tieout.books.ads.backfill import STAGES, list_pieces
from tieout.books.ads.checkpoints import Checkpoints
from tieout.books.ads.period import parse_period
from tieout.books.ads.proving import keys_of
from tieout.cli.app import build
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError

WINDOW = ("--from", "2025-11-01T00:00:00Z", "--to", "2025-11-03T23:59:59Z")
LONG = ("--from", "2025-11-02", "--to", "2025-11-06")
REAL = ("--dry-run", "false")
FORCED = ("--force", "--yes")
OURS = "request | at | usd\na | 11-03 10:00 | 100\nb | 11-05 10:00 | 10"
RECEIPTS = "request | at | cpm | winner\na | 11-03 10:00 | 1 | admob\nb | 11-05 10:00 | 1 | admob"
THEIRS = "day | paid\n11-03 | 90\n11-05 | 10"
SAMPLE = """\
[VRA Backfill] Window: 2025-11-01T00:00:00Z → 2025-11-03T23:59:59Z (dry-run)
[VRA Backfill] Stages: ingestion → expected → matching → reconcile → proofs
[VRA Backfill] (ingestion) — operator-driven; ensure statements are ingested via vraIngestCsv.js (dry-run first).
[VRA Backfill] (expected) running vraBuildExpected.js for window
[VRA Backfill] (matching) running vraMatch.js with thresholds
[VRA Backfill] (reconcile) running vraReconcile.js for window
[VRA Backfill] (proofs) running monthly digest issuance for the month of --from
"""
"""What the runbook prints of a dry run."""
KEY = "2025-11-01T00:00:00Z..2025-11-03T23:59:59Z|pub=any|net=any|dryRun={}|tenant=default"
NO_PROOFS = '[VRA Backfill] Stage "proofs" not done: No digest of 2025-11 was issued'


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.own(RECEIPTS, OURS)
    made.statement(THEIRS)
    yield made
    made.close()


@pytest.fixture
def tieout(world):
    """Run the command on the world; return its exit code, what it printed, and what it printed beside that."""
    app = build(lambda: world.workspace)

    def invoke(*words):
        result = CliRunner().invoke(app, ["backfill", "ads", *words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return invoke


@pytest.fixture
def checkpoints(world):
    return world.folder / "data" / "logs" / "vra-backfill-checkpoints.json"


def legs(world):
    return [run.window.leg for run in world.workspace.store.runs.list_runs(limit=100).runs if run.steps]


def test_a_dry_run_prints_the_lines_of_the_runbook_and_stores_nothing(tieout, world):
    code, said, _ = tieout(*WINDOW, "--step", "all", "--dry-run", "true")
    assert code == 10
    assert "".join(line for line in said.splitlines(keepends=True) if line in SAMPLE) == SAMPLE
    others = [line for line in said.splitlines() if f"{line}\n" not in SAMPLE]
    assert others[:3] == [
        "[VRA Expected] Seen: 1 Written: 1 Skipped: 0",
        "[VRA Match] Auto: 1 Review: 0 Unmatched: 0",
        "[VRA Reconcile] Deltas: 1 Inserted: 0",
    ], "each stage sees what the one before would store"
    assert others[3:] == [line for line in others if line.startswith(NO_PROOFS)], "nobody could sign"
    assert legs(world) == []
    assert list((world.folder / "data" / "incoming").iterdir()) == []


def test_a_real_run_stores_each_stage_and_tells_it_as_json(tieout, world, checkpoints):
    code, said, beside = tieout(*WINDOW, *REAL, "--json")
    told = json.loads(said)
    assert code == told["exit_code"] == 10, "proofs are not available"
    assert [(one["stage"], one["outcome"]) for one in told["stages"]] == [
        ("ingestion", "done"),
        ("expected", "done"),
        ("matching", "done"),
        ("reconcile", "done"),
        ("proofs", "not_available"),
    ]
    assert told["stages"][3]["inserted"] == 1
    assert "(dry-run)" not in beside
    assert "[VRA Backfill] (matching) running vraMatch.js with thresholds" in beside
    assert sorted(legs(world)) == ["expected", "match", "reconcile"]
    [(name, noted)] = json.loads(checkpoints.read_text())["runs"].items()
    assert name == KEY.format("false")
    assert list(noted["stages"]) == list(STAGES[:-1]), "no proofs were made"
    assert noted["stages"]["expected"] == {"done": True, "at": "2025-11-20T12:00:00Z", "dryRun": False}


def test_a_repeat_skips_what_is_done(tieout, world, checkpoints):
    for stage in STAGES[:-1]:
        Checkpoints(checkpoints).mark(KEY.format("false"), stage, is_dry_run=False, at=world.now)
    code, said, _ = tieout(*WINDOW, *REAL)
    assert code == 10
    for stage in STAGES[:-1]:
        assert f'[VRA Backfill] Skipping stage "{stage}" — checkpoint exists.\n' in said
    assert "[VRA Proofs] Days: 0 Sealed: 0 Leaves: 0" in said, "nothing is published that could be sealed"
    assert legs(world) == []
    code, said, _ = tieout(*WINDOW, *REAL, "--step", "expected")
    assert code == 10
    assert "Nothing is left to do; delete " in said
    for words in (
        ("--publisher", "p1"),
        ("--network", "admob"),
        ("--checkpoint", str(world.folder / "other.json")),
        ("--dry-run", "true"),
    ):
        assert "Skipping" not in tieout(*WINDOW, *REAL, "--step", "ingestion", *words)[1]


def test_a_dry_run_never_counts_for_a_real_one(tieout, world, checkpoints):
    Checkpoints(checkpoints).mark(KEY.format("true"), "ingestion", is_dry_run=True, at=world.now)
    assert "Skipping" in tieout(*WINDOW, "--step", "ingestion")[1], "a dry run is the default"
    assert "Skipping" not in tieout(*WINDOW, *REAL, "--step", "ingestion")[1]


def test_a_dry_run_that_goes_on_still_sees_what_its_first_stages_would_store(tieout, world, checkpoints):
    for stage in ("ingestion", "expected", "matching"):
        Checkpoints(checkpoints).mark(KEY.format("true"), stage, is_dry_run=True, at=world.now)
    code, said, _ = tieout(*WINDOW)
    assert code == 10
    assert 'Skipping stage "matching"' in said
    assert "[VRA Expected]" not in said
    assert "[VRA Reconcile] Deltas: 1 Inserted: 0" in said


def test_a_stage_that_fails_ends_it(tieout):
    code, said, beside = tieout(*WINDOW, "--step", "reconcile", "--dry-run", "true")
    assert code == 10
    assert "is not matched" in beside
    assert said.endswith('[VRA Backfill] Stage "reconcile" failed: vraReconcile.js exited with code 20\n')
    assert tieout(*WINDOW, "--step", "reconcile", *REAL)[0] == 20
    assert "Skipping" not in tieout(*WINDOW, "--step", "reconcile", *REAL)[1]


def test_exit_code_0_only_where_everything_asked_for_was_done(tieout):
    assert tieout(*WINDOW, *REAL, "--step", "expected")[0] == 0
    assert tieout(*WINDOW, *REAL, "--step", "matching")[0] == 0
    assert tieout(*WINDOW, *REAL, "--step", "reconcile")[0] == 0
    assert tieout(*WINDOW, *REAL, "--step", "ingestion")[0] == 10
    code, said, _ = tieout(*WINDOW, *REAL, "--step", "proofs")
    assert code == 20
    assert NO_PROOFS in said
    assert "Skipping" not in tieout(*WINDOW, *REAL, "--step", "proofs")[1]
    assert tieout("--from", "2025-10-01", "--to", "2025-10-02", *REAL, "--step", "expected")[0] == 10


def test_with_a_key_that_signs_the_month_is_sealed_and_a_dry_run_says_what_would_be(tieout, world):
    keys_of(world.workspace).rotate(Actor("account:ann"))
    day = ("--from", "2025-11-03", "--to", "2025-11-04")
    assert "[VRA Proofs] Days: 1 Sealed: 1 " in tieout(*day)[1], "it sees what the stages before it would store"
    code, said, _ = tieout(*day, *REAL)
    assert code == 0
    assert "[VRA Proofs] Days: 1 Sealed: 1 " in said
    sealed = tieout(*day, "--step", "proofs", "--checkpoint", str(world.folder / "other.json"))[1]
    assert "[VRA Proofs] Days: 1 Sealed: 0 Leaves: 0" in sealed, "what is sealed already is not sealed again"


def test_the_guards(tieout):
    def refusal(*words):
        with pytest.raises(TieoutError) as refused:
            tieout(*words)
        assert refused.value.exit_code == 20
        return refused.value.what

    assert refusal() == "Missing required args: --from ISO, --to ISO"
    assert refusal("--from", "2025-11-02", "--to", "2025-11-01") == "from must be <= to"
    assert refusal(*LONG) == "Refusing to run: window exceeds 3 days. Use --force --yes to bypass."
    assert refusal(*LONG, "--yes") == "Refusing to run: window exceeds 3 days. Use --force --yes to bypass."
    assert refusal(*LONG, "--force") == "--force requires --yes"
    assert refusal(*WINDOW, "--step", "everything") == "Unknown --step: everything"
    assert refusal(*WINDOW, "--limit", "0") == "--limit must be > 0"
    assert "exceeds 10000" in refusal(*WINDOW, "--limit", "10001")
    assert tieout(*WINDOW, "--limit", "many")[0] == 20
    assert tieout(*WINDOW, "--dry-run", "perhaps")[0] == 20
    assert tieout(*WINDOW, "--step", "ingestion", "--force", "true", "--yes", "1", "--dry-run=off")[0] == 10


def test_a_long_window_is_done_day_by_day(tieout, world):
    code, said, _ = tieout(*LONG, *REAL, *FORCED, "--step", "expected")
    assert code == 0
    assert "[VRA Expected] Seen: 2 Written: 2 Skipped: 0" in said
    found = {run.window.window for run in world.workspace.store.runs.list_current("ads", "expected")}
    assert found == {f"2025-11-0{day}..2025-11-0{day + 1}" for day in range(2, 6)}


def test_pieces_are_cut_at_midnight():
    def pieces(start, end):
        return [piece.text for piece in list_pieces(parse_period(start, end, is_forced=True))]

    assert pieces("2025-11-01T12:00", "2025-11-04T12:00") == ["2025-11-01T12:00:00Z..2025-11-04T12:00:00Z"]
    assert pieces("2025-11-01", "2025-11-01") == ["2025-11-01T00:00:00Z..2025-11-01T00:00:00Z"]
    assert pieces("2025-11-01T12:00", "2025-11-04T12:00:01") == [
        "2025-11-01T12:00:00Z..2025-11-02T00:00:00Z",
        "2025-11-02T00:00:00Z..2025-11-03T00:00:00Z",
        "2025-11-03T00:00:00Z..2025-11-04T00:00:00Z",
        "2025-11-04T00:00:00Z..2025-11-04T12:00:01Z",
    ]
    assert len(pieces("2025-11-01", "2025-11-05")) == 4


def test_receipts_that_are_left_out_stop_a_real_run_and_are_not_noted_as_done(tieout, world, checkpoints):
    world.own(RECEIPTS + "\nc | 11-03 11:00 | 1 | admob", OURS)
    code, said, beside = tieout(*WINDOW, *REAL, "--limit", "1")
    assert code == 20
    assert "1 receipts of the window are beyond the limit" in beside
    assert "[VRA Backfill] Stopped" in said
    assert legs(world) == ["expected"]
    assert "[VRA Reconcile]" in tieout(*WINDOW, "--limit", "1")[1], "a dry run goes on, for it stores nothing"
    assert "expected" not in checkpoints.read_text()


def test_a_checkpoint_that_cannot_be_written_is_a_warning(tieout, world):
    (world.folder / "file").touch()
    path = world.folder / "file" / "checkpoints.json"
    code, said, beside = tieout(*WINDOW, *REAL, "--step", "expected", "--checkpoint", str(path))
    assert code == 0
    assert f"Warning: failed to write checkpoint file: {path} - " in beside
    assert "[VRA Expected] Seen: 1" in said


@pytest.mark.parametrize("held", ["", "{", "[]", '{"runs": 3}', '{"runs": {"x": 1}}', "\x00\xff", "[" * 99_999])
def test_a_checkpoint_file_that_cannot_be_read_is_a_fresh_start_and_is_kept(tmp_path, world, held):
    path = tmp_path / "checkpoints.json"
    path.write_text(held, encoding="utf-8")
    found = Checkpoints(path)
    assert not found.is_done("x", "expected", is_dry_run=False)
    found.mark("x", "expected", is_dry_run=False, at=world.now)
    assert found.is_done("x", "expected", is_dry_run=False)
    assert not found.is_done("x", "expected", is_dry_run=True)
    assert not found.is_done("x", "matching", is_dry_run=False)
    aside = path.with_name("checkpoints.json.unreadable")
    assert aside.exists() == (held not in ("", '{"runs": {"x": 1}}'))
    if aside.exists():
        assert aside.read_text(encoding="utf-8") == held
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith("check")) == sorted(
        [path.name, *([aside.name] if aside.exists() else [])]
    )


KILLED = """
import os, signal, sys
import tieout.books.ads.stage as stage
import tieout.books.ads.checkpoints as checkpoints
from tieout.compose import main

wanted = int(sys.argv.pop(1))
seen = 0

def die(_step=None):
    global seen
    seen += 1
    if seen == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

was, written = stage._work, checkpoints._write

def work(workspace, stage, folder, on_step, read=None):
    return was(workspace, stage, folder, lambda step: (die(), on_step(step)), read)

def write(path, text):
    die()
    written(path, text)
    die()

stage._work, checkpoints._write = work, write
main()
"""


def test_killed_at_any_instant_the_same_command_goes_on_to_the_same_end(forks, tieout, world, tmp_path):
    killed = World(tmp_path / "killed")
    killed.own(RECEIPTS, OURS)
    killed.statement(THEIRS)
    env = {
        **os.environ,
        "TIEOUT_THREADS": "1",
        "TIEOUT_ACTOR": "ann",
        "TIEOUT_DATA_DIR": str(killed.folder / "data"),
    }

    def run(die_at):
        return forks.run([die_at, "backfill", "ads", *WINDOW, *REAL], env=env, code=KILLED)

    # Before and after a checkpoint is written, in the midst of a stage, and a stage later.
    assert [run(die_at).returncode for die_at in (1, 2, 16, 40)] == [-signal.SIGKILL] * 4
    last = run(0)
    assert last.returncode == 10, last.stderr
    assert NO_PROOFS in last.stdout
    tieout(*WINDOW, *REAL)
    assert facts(killed) == facts(world)
    killed.close()


def facts(world):
    runs = world.workspace.store.runs
    return {
        (str(run.window), file.name): file.sha256
        for leg in ("expected", "match", "reconcile")
        for run in runs.list_current("ads", leg)
        for file in run.files
    }
