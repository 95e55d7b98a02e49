"""The runbook of the ads book, executed as it is written."""

from __future__ import annotations

import re
import shutil

import httpx
import psycopg
import pytest

from tests.ops.prometheus import alerts, anchors_of, metrics_of
from tests.ops.test_dashboards import EXPRESSIONS
from tests.postgres import _free_port as free_port
from tests.runbooks.page import REPOSITORY, blocks_of, is_told, shell_with_tieout

PAGE = REPOSITORY / "docs/runbooks/ads.md"
BLOCKS = blocks_of(PAGE)
ANCHORS = {
    "operator-quick-start",
    "ingestion",
    "matching",
    "reconcile",
    "deltas",
    "coverage",
    "proofs",
    "read-model-troubleshooting",
    "backfill-and-clis",
    "canary-and-pilot",
    "rollback",
    "dashboards--alerts--link-verification",
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory, forks):
    """Run every block in turn; give what each did, and the metrics that the server shows at the end."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here: install the package curl")
    folder, port = tmp_path_factory.mktemp("runbook"), free_port()
    results = {}
    with shell_with_tieout(folder, forks, PORT=str(port)) as shell:
        for block in BLOCKS:
            if block.language == "sh":
                results[block.line] = shell.run(block)
                if results[block.line].code != block.exit_code:
                    break
        scrape = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return results, scrape


def test_every_command_does_what_the_page_says(executed):
    results, _ = executed
    before = None
    for block in BLOCKS:
        if block.language == "sh":
            done = before = results[block.line]
            assert done.code == block.exit_code, f"line {block.line}: {block.text}{done.output}"
        elif block.language == "text":
            assert is_told(block.text, before.output), f"line {block.line}: {before.output}"


def test_every_metric_of_dashboards_alerts_and_page_is_in_the_scrape(executed):
    _, scrape = executed
    shown = set(re.findall(r"^# TYPE (\S+)", scrape, re.MULTILINE))
    asked = {name for expression in EXPRESSIONS for name in metrics_of(expression)}
    asked |= {name for one in alerts() for name in metrics_of(one["expr"])}
    asked |= set(re.findall(r"`((?:vra|db|analytics)_[a-z_]+)[`{]", PAGE.read_text(encoding="utf-8")))
    assert asked <= shown, asked - shown


def test_what_the_commands_counted_is_in_the_scrape_of_the_server(executed):
    _, scrape = executed
    told = {name: float(value) for name, value in re.findall(r"^(vra_\S+) (\S+)$", scrape, re.MULTILINE)}
    assert told['vra_ingest_parse_total{network="admob",success="true"}'] > 0
    assert told['vra_statements_load_failures_total{network="admob",reason="schema_drift"}'] > 0
    assert told['vra_expected_build_duration_seconds_count{outcome="success"}'] > 0
    assert told["vra_match_auto_total"] > 0
    assert told['vra_reconcile_runs_total{success="true"}'] > 0
    assert told['vra_reconcile_rows_total{kind="underpay"}'] > 0


def test_the_page_has_the_anchors_that_its_readers_know():
    assert anchors_of(PAGE) >= ANCHORS
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors_of(PAGE)
    assert {block.language for block in BLOCKS} == {"sh", "sql", "text"}


def test_the_queries_run_on_postgresql(postgres, postgres_template):
    with psycopg.connect(postgres.new_database(postgres_template)) as connection:
        for block in BLOCKS:
            if block.language == "sql":
                connection.execute(block.text)


@pytest.mark.parametrize(
    ("transcript", "is_there"),
    [("one\nthree", True), ("three\none", False), ("t…e", True), ("thre", False), ("o.e", False)],
)
def test_a_transcript_stands_in_an_output(transcript, is_there):
    assert is_told(transcript, "zero\none\ntwo\nthree\n") == is_there
