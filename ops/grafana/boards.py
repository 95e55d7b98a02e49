"""The dashboards as data: which questions each answers, by which expressions, and where the runbook says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Look = Literal["lines", "bars", "number"]
Unit = Literal["short", "cps", "s", "percent", "percentunit"]


@dataclass(frozen=True)
class Query:
    """An expression, and what its lines are called: words and labels as {{label}}."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Shown:
    """One panel. `anchor` is the runbook's; `bounds` are where its colour changes, from good to bad or the reverse."""

    title: str
    words: str
    anchor: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    look: Look = "lines"
    good_from: float | None = None
    good_until: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Board:
    """One dashboard; `anchors` are the sections of the runbook that its links open."""

    uid: str
    title: str
    anchors: tuple[tuple[str, str], ...]
    panels: tuple[Shown, ...]


def p95(metric: str, *by: str, where: str = "") -> str:
    """Return the expression of the time within which 95 of 100 were done, over the last five minutes."""
    return f"histogram_quantile(0.95, sum by ({', '.join(('le', *by))}) (rate({metric}_bucket{where}[5m])))"


MATCHING = Board(
    "vra-matching",
    "VRA: matching",
    (("Matching", "matching"), ("Ingestion", "ingestion")),
    (
        Shown(
            "Match run rate",
            "Matchings a second by outcome. Empty: nothing was matched, or the same run was on record.",
            "matching",
            (Query("sum by (outcome) (rate(vra_match_duration_seconds_count[5m]))", "{{outcome}}"),),
            unit="cps",
        ),
        Shown(
            "Match duration p95 (seconds)",
            "How long a matching takes, by outcome.",
            "matching",
            (Query(p95("vra_match_duration_seconds", "outcome"), "{{outcome}}"),),
            unit="s",
        ),
        Shown(
            "Match candidates rate",
            "Pairs compared a second. It falls when the windows asked for hold fewer rows that are alike.",
            "matching",
            (Query("sum(rate(vra_match_candidates_total[5m]))", "candidates"),),
            unit="cps",
        ),
        Shown(
            "Matching funnel",
            "Statement lines an hour: matched for sure, for a person to look at, and without an answer.",
            "matching",
            (
                Query("sum(increase(vra_match_auto_total[1h]))", "auto"),
                Query("sum(increase(vra_match_review_total[1h]))", "review"),
                Query("sum(increase(vra_match_unmatched_total[1h]))", "unmatched"),
            ),
            look="bars",
        ),
        Shown(
            "Exact matches, 24 h",
            "Lines matched by request id.",
            "matching",
            (Query("sum(increase(vra_match_exact_total[24h]))", "exact"),),
            look="number",
        ),
        Shown(
            "Kept for review, 24 h",
            "Pairs that wait for a person: tieout review ads list.",
            "matching",
            (Query("sum(increase(vra_match_review_persisted_total[24h]))", "kept"),),
            look="number",
        ),
    ),
)

RECONCILE = Board(
    "vra-reconcile",
    "VRA: reconcile and deltas",
    (
        ("Reconcile", "reconcile"),
        ("Deltas", "deltas"),
        ("Read-model troubleshooting", "read-model-troubleshooting"),
    ),
    (
        Shown(
            "Reconcile run rate",
            "Windows judged a second, and those that could not be.",
            "reconcile",
            (Query("sum by (success) (rate(vra_reconcile_runs_total[5m]))", "success {{success}}"),),
            unit="cps",
        ),
        Shown(
            "Reconcile duration p95",
            "How long it takes to judge a window.",
            "reconcile",
            (Query(p95("vra_reconcile_duration_seconds", "success"), "success {{success}}"),),
            unit="s",
        ),
        Shown(
            "Deltas by kind",
            "Deltas found an hour. A dry run counts them too.",
            "deltas",
            (Query("sum by (kind) (increase(vra_reconcile_rows_total[1h]))", "{{kind}}"),),
            look="bars",
        ),
        Shown(
            "Deltas, 24 h",
            "All kinds together.",
            "deltas",
            (Query("sum(increase(vra_reconcile_rows_total[24h]))", "deltas"),),
            look="number",
        ),
        Shown(
            "Empty results and query failovers",
            "Reads may find nothing before a window is reconciled; a failover answers empty after a fault.",
            "read-model-troubleshooting",
            (
                Query("sum by (op) (rate(vra_empty_results_total[5m]))", "empty {{op}}"),
                Query("sum by (op) (rate(vra_query_fail_total[5m]))", "failed {{op}}"),
            ),
            unit="cps",
        ),
    ),
)

OVERVIEW = Board(
    "vra-overview",
    "VRA: overview",
    (
        ("Quick start", "operator-quick-start"),
        ("Coverage", "coverage"),
        ("Proofs", "proofs"),
        ("Canary and pilot", "canary-and-pilot"),
        ("Read-model troubleshooting", "read-model-troubleshooting"),
        ("Rollback", "rollback"),
    ),
    (
        Shown(
            "Coverage (pilot)",
            "As the last overview told it. The pilot's gate is 90 %.",
            "coverage",
            (Query('min by (scope) (vra_coverage_percent{scope="pilot"})', "{{scope}}"),),
            unit="percent",
            good_from=90,
            at_most=100,
        ),
        Shown(
            "Unexplained variance (pilot)",
            "As the last overview told it. The pilot's gate is 0.5 %.",
            "reconcile",
            (Query('max by (scope) (vra_variance_percent{scope="pilot"})', "{{scope}}"),),
            unit="percent",
            good_until=0.5,
        ),
        Shown(
            "Ingestion reliability",
            "Rows refused with their loads an hour, by reason.",
            "ingestion",
            (Query("sum by (reason) (increase(vra_statements_load_failures_total[1h]))", "{{reason}}"),),
            look="bars",
        ),
        Shown(
            "Expected rows",
            "Receipts an hour: seen, written as expected rows, and skipped.",
            "coverage",
            (
                Query("sum(increase(vra_expected_seen_total[1h]))", "seen"),
                Query("sum(increase(vra_expected_written_total[1h]))", "written"),
                Query("sum(increase(vra_expected_skipped_total[1h]))", "skipped"),
            ),
            look="bars",
        ),
        Shown(
            "Expected build duration p95",
            "How long it takes to build the expected rows of a window.",
            "backfill-and-clis",
            (Query(p95("vra_expected_build_duration_seconds", "outcome"), "{{outcome}}"),),
            unit="s",
        ),
        Shown(
            "Query failovers",
            "Reads that failed and were answered as empty. It should be flat at zero.",
            "read-model-troubleshooting",
            (Query("sum by (op) (rate(vra_query_fail_total[5m]))", "{{op}}"),),
            unit="cps",
        ),
        Shown(
            "Read duration p95",
            "How long the reads of the book take.",
            "read-model-troubleshooting",
            (Query(p95("vra_query_duration_seconds", "op"), "{{op}}"),),
            unit="s",
        ),
        Shown(
            "Replica read duration p95",
            "How long statements take on read replicas; no data where there is none.",
            "read-model-troubleshooting",
            (Query(p95("db_query_duration_seconds", "operation", where='{replica="true"}'), "{{operation}}"),),
            unit="s",
        ),
        Shown(
            "Guardrail: replica lag",
            "Beyond 15 s /ready refuses. No data where the state is SQLite.",
            "read-model-troubleshooting",
            (Query("max(db_replica_lag_seconds)", "lag"),),
            unit="s",
            good_until=15,
        ),
        Shown(
            "Guardrail: staging backlog",
            "Jobs that wait in the queue ingest.",
            "read-model-troubleshooting",
            (Query("max(analytics_ingest_buffer_size)", "jobs"),),
        ),
        Shown(
            "Guardrail: cache hit ratio",
            "Blocks that PostgreSQL found in its cache. No data where the state is SQLite.",
            "read-model-troubleshooting",
            (Query("min(db_cache_hit_ratio)", "hits"),),
            unit="percentunit",
            at_most=1,
        ),
        Shown(
            "Proofs held against the log",
            "Days, months and deltas verified an hour. One that fails deserves a look at once.",
            "proofs",
            (Query("sum by (success) (increase(vra_proofs_verify_total[1h]))", "success {{success}}"),),
            look="bars",
        ),
        Shown(
            "Days of a month that are sealed",
            "In percent, as the last issuance of the month told it.",
            "proofs",
            (Query("max by (month) (vra_proofs_coverage_pct)", "{{month}}"),),
            unit="percent",
            at_most=100,
        ),
        Shown(
            "Disputes, 24 h",
            "Disputes opened, and those answered in shadow mode, of which nothing is kept.",
            "canary-and-pilot",
            (
                Query("sum(increase(vra_disputes_created_total[24h]))", "opened"),
                Query("sum(increase(vra_dispute_shadow_acks_total[24h]))", "shadow"),
                Query("sum(increase(vra_dispute_kit_failures_total[24h]))", "kits that could not be kept"),
            ),
            look="number",
        ),
    ),
)

INGEST = Board(
    "vra-ingest-by-network",
    "VRA: ingest by network",
    (("Ingestion", "ingestion"), ("Coverage", "coverage")),
    (
        Shown(
            "Rows read",
            "Rows of statements read an hour. A network that is silent on a day on which it reports deserves a look.",
            "ingestion",
            (Query('sum by (network) (increase(vra_ingest_parse_total{success="true"}[1h])) > 0', "{{network}}"),),
            look="bars",
        ),
        Shown(
            "Rows loaded",
            "Rows of statements loaded an hour.",
            "ingestion",
            (Query('sum by (network) (increase(vra_ingest_load_total{success="true"}[1h])) > 0', "{{network}}"),),
            look="bars",
        ),
        Shown(
            "Rows refused alone",
            "Rows set apart as quarantine an hour: each with its file, line and reason.",
            "ingestion",
            (Query('sum by (network) (increase(vra_ingest_parse_total{success="false"}[1h])) > 0', "{{network}}"),),
            look="bars",
        ),
        Shown(
            "Share of rows refused",
            "Of the rows read in the last hour.",
            "ingestion",
            (
                Query(
                    'sum by (network) (increase(vra_ingest_parse_total{success="false"}[1h]))'
                    " / (sum by (network) (increase(vra_ingest_parse_total[1h])) > 0)",
                    "{{network}}",
                ),
            ),
            unit="percentunit",
            at_most=1,
        ),
        Shown(
            "Load failures by reason",
            "Rows refused with their whole load an hour. schema_drift: the header is not the layout's.",
            "ingestion",
            (
                Query(
                    "sum by (network, reason) (increase(vra_statements_load_failures_total[1h])) > 0",
                    "{{network}} {{reason}}",
                ),
            ),
            look="bars",
        ),
        Shown(
            "Rows loaded, 24 h",
            "By network.",
            "ingestion",
            (Query('sum by (network) (increase(vra_ingest_load_total{success="true"}[24h])) > 0', "{{network}}"),),
            look="number",
        ),
    ),
)

BOARDS = (OVERVIEW, INGEST, MATCHING, RECONCILE)
