"""Every metric of the platform, declared once, under the names that the runbooks use.

Values of labels are bounded: routes are templates, and what others choose (tenants, queues, platforms) goes through
`bounded`. Processes of one machine that share a data folder add up what they count when PROMETHEUS_MULTIPROC_DIR names
a folder before this module is imported (`core/metrics_folder.py` does that); a command hands over what it counted at
its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_VALUES = 200
OTHER = "other"

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
_QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_STAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_OF_A_NETWORK = ("network", "success")
_WORK_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

MOST_RECENT: Final = "mostrecent"
"""Of a gauge that says how something is, whoever said it last; what processes hold at once adds up instead."""
_ADDED_UP: Final = "livesum"


@dataclass(frozen=True)
class Declared:
    """One metric for the reference page."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


disable_created_metrics()  # type: ignore[no-untyped-call]
_own = CollectorRegistry()
_declared: list[Declared] = []
_modes: dict[str, str] = {}
_seen: dict[str, set[str]] = {}
_lock = Lock()


def bounded(label: str, value: str, *, at_most: int = MAX_VALUES) -> str:
    """Return `value`, or `other` when this process has seen `at_most` other values of the label already."""
    known = _seen.setdefault(label, set())
    if value in known:
        return value
    with _lock:
        if len(known) >= at_most:
            return OTHER
        known.add(value)
    return value


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    _declared.append(Declared(name, "counter", labels, meaning))
    return Counter(name, meaning, labels, registry=_own)


def _gauge(name: str, meaning: str, *labels: str, mode: Literal["livesum", "mostrecent"] = _ADDED_UP) -> Gauge:
    _declared.append(Declared(name, "gauge", labels, meaning))
    _modes[name] = mode
    return Gauge(name, meaning, labels, registry=_own, multiprocess_mode=mode)


def _histogram(name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    _declared.append(Declared(name, "histogram", labels, meaning))
    return Histogram(name, meaning, labels, registry=_own, buckets=buckets)


# Requests
HTTP_REQUEST_DURATION = _histogram(
    "http_request_duration_seconds",
    "Seconds from a request to the end of its answer.",
    *("service", "method", "route", "status_code"),
    buckets=_REQUEST_BUCKETS,
)
HTTP_REQUESTS_ACTIVE = _gauge("http_requests_active", "Requests that are being answered.")
RATE_LIMIT_REFUSALS = _counter("rate_limit_refusals_total", "Requests refused by a rate limit.", "category")
MAINTENANCE_REFUSALS = _counter("maintenance_refusals_total", "Writes refused because of maintenance.")

# Sign-in
AUTH_LOGINS = _counter("auth_logins_total", "Sign-ins by outcome: success, wrong, locked, disabled.", "outcome")
AUTH_REFRESHES = _counter("auth_refreshes_total", "Refresh tokens exchanged: success, expired, replayed.", "outcome")
AUTH_REFUSALS = _counter("auth_refusals_total", "Requests whose token or key was refused.", "reason")

# Durable work
JOBS_SUBMITTED = _counter("jobs_submitted_total", "Jobs accepted.", "queue", "kind")
JOBS_REFUSED = _counter("jobs_refused_total", "Jobs refused because their queue was full.", "queue")
JOBS_FINISHED = _counter(
    "jobs_finished_total", "Attempts that ended: done, retried, failed, canceled, lost.", "queue", "kind", "outcome"
)
JOB_DURATION = _histogram("job_duration_seconds", "Seconds of one attempt.", "queue", "kind", buckets=_WORK_BUCKETS)
JOB_WAIT = _histogram("job_wait_seconds", "Seconds from due to begun.", "queue", buckets=_WORK_BUCKETS)
JOB_BATCH_SIZE = _histogram(
    "job_batch_size", "Jobs taken at once.", "queue", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
SCHEDULE_TICKS = _counter("schedule_ticks_total", "Times that a schedule was due: fired, skipped.", "outcome")
SCHEDULE_LAG = _histogram("schedule_lag_seconds", "Seconds from due to fired.", buckets=_WORK_BUCKETS)
BREAKER_TRANSITIONS = _counter(
    "breaker_transitions_total", "Times that a circuit breaker changed to a state.", "platform", "state"
)
INTEGRATION_RETRIES = _counter("integration_retries_total", "Calls of integrations tried again.", "platform")
LOOP_RESTARTS = _counter("loop_restarts_total", "Loops of a process that ended by a fault and began anew.", "loop")

# Events and audit
OUTBOX_EVENTS = _counter("outbox_events_total", "Events written to the outbox.", "event_type")
WEBHOOK_DELIVERIES = _counter(
    "webhook_deliveries_total", "Attempts to deliver: dispatched, retrying, failed, refused.", "outcome"
)
WEBHOOK_DURATION = _histogram(
    "webhook_delivery_duration_seconds", "Seconds of one attempt to deliver.", buckets=_REQUEST_BUCKETS
)
AUDIT_EVENTS = _counter("audit_events_total", "Events written to the audit trail.", "module")
AUDIT_BREAKS = _counter("audit_chain_breaks_total", "Broken links that a verification of the audit trail found.")

# The ads book. Rows and deltas are counted where they are found, in a dry run too; a run on record counts none anew.
ADS_INGEST_PARSE = _counter("vra_ingest_parse_total", "Rows of statements read, and those refused.", *_OF_A_NETWORK)
ADS_INGEST_LOAD = _counter(
    "vra_ingest_load_total", "Rows of statements loaded, and those refused with their load or alone.", *_OF_A_NETWORK
)
ADS_LOAD_FAILURES = _counter(
    "vra_statements_load_failures_total",
    "Rows of loads of which nothing was taken, at least 1 each, by reason: insert_failed, or the code of the error.",
    *("network", "reason"),
)
ADS_EXPECTED_SEEN = _counter("vra_expected_seen_total", "Receipts of the windows built.")
ADS_EXPECTED_WRITTEN = _counter("vra_expected_written_total", "Expected rows written; in a dry run those to write.")
ADS_EXPECTED_SKIPPED = _counter("vra_expected_skipped_total", "Receipts that brought no row, or were built before.")
ADS_EXPECTED_DURATION = _histogram(
    "vra_expected_build_duration_seconds",
    "Seconds of one build: success, empty, dry_run, error.",
    "outcome",
    buckets=_STAGE_BUCKETS,
)
ADS_MATCH_CANDIDATES = _counter("vra_match_candidates_total", "Pairs of a line and a request that were compared.")
ADS_MATCH_EXACT = _counter("vra_match_exact_total", "Lines matched by request id; they are among the automatic ones.")
ADS_MATCH_AUTO = _counter("vra_match_auto_total", "Lines matched for sure.")
ADS_MATCH_REVIEW = _counter("vra_match_review_total", "Lines matched so that a person should look.")
ADS_MATCH_REVIEW_KEPT = _counter("vra_match_review_persisted_total", "Pairs kept for a person to look at.")
ADS_MATCH_UNMATCHED = _counter("vra_match_unmatched_total", "Lines that answer to nothing, repetitions among them.")
ADS_MATCH_DURATION = _histogram(
    "vra_match_duration_seconds",
    "Seconds of one matching: success, empty, dry_run, error.",
    "outcome",
    buckets=_STAGE_BUCKETS,
)
ADS_RECONCILE_RUNS = _counter("vra_reconcile_runs_total", "Windows judged, and those that could not be.", "success")
ADS_RECONCILE_ROWS = _counter("vra_reconcile_rows_total", "Deltas found.", "kind")
ADS_RECONCILE_DURATION = _histogram(
    "vra_reconcile_duration_seconds", "Seconds of judging one window.", "success", buckets=_STAGE_BUCKETS
)

# The ads book: reads
ADS_QUERY_FAILURES = _counter(
    "vra_query_fail_total", "Reads that failed and were answered as empty: overview, deltas_count, deltas_list.", "op"
)
ADS_EMPTY_RESULTS = _counter("vra_empty_results_total", "Reads that found nothing.", "op")
ADS_QUERY_DURATION = _histogram(
    "vra_query_duration_seconds", "Seconds of one read of the ads book.", "op", "success", buckets=_REQUEST_BUCKETS
)
ADS_COVERAGE = _gauge(
    "vra_coverage_percent",
    "Share of what is expected that statements cover, 0 to 100, as the last overview with data told it.",
    "scope",
    mode=MOST_RECENT,
)
ADS_VARIANCE = _gauge(
    "vra_variance_percent",
    "Share of the expected money whose difference no delta explains, as the last overview with data told it.",
    "scope",
    mode=MOST_RECENT,
)
ADS_DISPUTES_SHADOWED = _counter("vra_dispute_shadow_acks_total", "Disputes answered in shadow mode.", "network")
ADS_DISPUTES_CREATED = _counter("vra_disputes_created_total", "Disputes opened.", "network")
ADS_KITS_BUILT = _counter("vra_dispute_kits_built_total", "Kits of evidence stored.", "network")
ADS_KIT_FAILURES = _counter("vra_dispute_kit_failures_total", "Kits of evidence that could not be stored.", "reason")

# Proofs
PROOFS_VERIFY = _counter("vra_proofs_verify_total", "Days, months and rows held against the log, and how.", "success")
PROOFS_LEAVES = _counter("vra_proofs_leaves_total", "Leaves appended to logs: rows, totals.", "kind")
PROOFS_ISSUANCE = _histogram(
    "vra_proofs_issuance_duration_seconds", "Seconds to seal a day or a month.", "kind", buckets=_WORK_BUCKETS
)
PROOFS_COVERAGE = _gauge(
    "vra_proofs_coverage_pct",
    "Share of a month's days that are sealed, 0 to 100, as the last seal told it.",
    "month",
    mode=MOST_RECENT,
)

# Tenants
MODULE_TOGGLES = _counter(
    "nova_api_superadmin_module_toggle_total", "Modules of tenants switched by an administrator.", "module", "enabled"
)

# The state database
DB_QUERY_DURATION = _histogram(
    "db_query_duration_seconds", "Seconds of one statement.", "operation", "replica", buckets=_QUERY_BUCKETS
)
DB_CONNECTIONS_ACTIVE = _gauge("db_connections_active", "Connections in a transaction; tenant * is all.", "tenant")


READ_AT_SCRAPE = (
    Declared("queue_depth", "gauge", (), "Jobs that wait, in all queues."),
    Declared("bull_queue_jobs_waiting", "gauge", ("queue",), "Jobs that wait."),
    Declared("bull_queue_jobs_active", "gauge", ("queue",), "Jobs that are being done."),
    Declared("bull_queue_jobs_failed", "gauge", ("queue",), "Dead letters: jobs whose last attempt failed."),
    Declared("worker_processes", "gauge", (), "Workers whose heartbeat is fresh."),
    Declared("worker_idle_ratio", "gauge", (), "Idle share of the live workers' time, 0 to 1; 0 where none lives."),
    Declared("breaker_state_total", "gauge", ("platform", "state"), "1 for the state a circuit breaker is in, else 0."),
    Declared("analytics_ingest_buffer_size", "gauge", (), "Staging backlog: jobs that wait in the queue `ingest`."),
    Declared("outbox_deliveries_pending", "gauge", (), "Deliveries of events that wait."),
    Declared("outbox_deliveries_failed", "gauge", (), "Deliveries of events that were given up: dead letters."),
    Declared("state_up", "gauge", (), "1 if the state database answered this scrape, else 0."),
    Declared("db_replicas", "gauge", (), "Replicas that follow; of PostgreSQL only."),
    Declared("db_replica_lag_seconds", "gauge", (), "How far the last replica is behind; of PostgreSQL only."),
    Declared("db_cache_hit_ratio", "gauge", (), "Blocks found in the cache, 0 to 1; of PostgreSQL only."),
)
"""Gauges that one cheap query of the state answers when the metrics are read; `work/gauges.py` and
`control/readiness.py` read them."""
ALIASES = (
    Declared(
        "nova_api_http_request_duration_seconds",
        "histogram",
        ("method", "route", "status_code"),
        "The same requests as http_request_duration_seconds, under the name of the older dashboards.",
    ),
)


def list_declared() -> list[Declared]:
    """Return every metric, by name, for the reference page."""
    return sorted([*_declared, *READ_AT_SCRAPE, *ALIASES], key=lambda one: one.name)


def gauge(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    """Return one of READ_AT_SCRAPE with its values by labels."""
    [declared] = [one for one in READ_AT_SCRAPE if one.name == name]
    family = GaugeMetricFamily(name, declared.meaning, labels=declared.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def list_samples() -> Iterator[tuple[str, Metric, Sample]]:
    """Return what this process alone counted, as the files of a shared folder keep it: kind of file, metric, sample.

    Buckets there are not cumulated; a gauge is among them only if it says how something is, under a label.
    """
    for family in _own.collect():
        below = 0.0
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                yield family.type, family, sample._replace(value=sample.value - below)
                below = sample.value
            elif family.type == "histogram" and sample.name.endswith("_count"):
                below = 0.0
            elif family.type != "gauge":
                yield family.type, family, sample
            elif sample.labels and _modes[family.name] == MOST_RECENT:
                yield f"gauge_{MOST_RECENT}", family, sample


def render(*more: Collector) -> bytes:
    """Return the metrics of this process (of all that share its folder, where they do) and what `more` collects."""
    registry = CollectorRegistry()
    registry.register(_Counted())
    registry.register(ProcessCollector(registry=None))
    for one in more:
        registry.register(one)
    return generate_latest(registry)


class _Counted(Collector):
    """What was counted, and the requests once more under their second name."""

    def collect(self) -> Iterator[Metric]:
        for family in _all_processes() if "PROMETHEUS_MULTIPROC_DIR" in os.environ else _own.collect():
            yield family
            if family.name == "http_request_duration_seconds":
                yield _alias(family)

    def describe(self) -> Iterable[Metric]:
        return ()


def _all_processes() -> Iterable[Metric]:
    found: Iterable[Metric] = MultiProcessCollector(CollectorRegistry()).collect()  # type: ignore[no-untyped-call]
    return found


def _alias(family: Metric) -> Metric:
    [declared] = ALIASES
    alias = HistogramMetricFamily(declared.name, declared.meaning, labels=declared.labels)
    for sample in family.samples:
        if sample.name.endswith("_created"):
            continue
        labels: dict[str, Any] = {key: value for key, value in sample.labels.items() if key != "service"}
        alias.add_sample(sample.name.replace(family.name, declared.name, 1), labels, sample.value)
    return alias
