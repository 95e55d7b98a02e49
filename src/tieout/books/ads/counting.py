"""What the stages count for the metrics: each by one function around it, so that a job counts like a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from prometheus_client import Counter

from tieout.core import metrics
from tieout.core.errors import TieoutError

if TYPE_CHECKING:
    from tieout.books.ads.expected import ExpectedBuilt
    from tieout.books.ads.matching import Matched
    from tieout.books.ads.reconcile import Reconciled

INSERT_FAILED = "insert_failed"
"""The reason of a load that failed by a fault, not by what was in it."""
NO_ROWS = "parse_no_rows"
READS = ("overview", "deltas_count", "deltas_list")
OUTCOMES = ("success", "empty", "dry_run", "error")
REASONS = ("schema_drift", INSERT_FAILED, NO_ROWS, "network_not_allowed", "report_incomplete")
"""Reasons that have a series before a load fails for them."""

P = ParamSpec("P")
R = TypeVar("R")
Tell = Callable[[R | None, float], None]


def begin_counting(networks: Iterable[str], kinds: Iterable[str]) -> None:
    """Let a server show every known series from its start, at zero.

    A rate sees nothing in the first sample of a series, so an alert would miss the first failure of a network.
    """
    for outcome in OUTCOMES:
        metrics.ADS_EXPECTED_DURATION.labels(outcome)
        metrics.ADS_MATCH_DURATION.labels(outcome)
    for success in ("true", "false"):
        metrics.ADS_RECONCILE_RUNS.labels(success)
        metrics.ADS_RECONCILE_DURATION.labels(success)
        metrics.PROOFS_VERIFY.labels(success)
    for kind in kinds:
        metrics.ADS_RECONCILE_ROWS.labels(kind)
    for op in READS:
        metrics.ADS_QUERY_FAILURES.labels(op)
        metrics.ADS_EMPTY_RESULTS.labels(op)
    metrics.ADS_KIT_FAILURES.labels("fault")
    for gauge in (metrics.ADS_COVERAGE, metrics.ADS_VARIANCE):
        gauge.labels("pilot")  # shown without a value until an overview has one
    _begin_networks(networks)


def count_parsed(network: str, *, taken: int, refused: int) -> None:
    """Count the rows of files that were read."""
    _add(metrics.ADS_INGEST_PARSE, network, taken, refused)


def count_loaded(network: str, *, taken: int, refused: int) -> None:
    """Count the rows of a load that succeeded."""
    _add(metrics.ADS_INGEST_LOAD, network, taken, refused)


def count_refused_load(network: str, reason: str, rows: int) -> None:
    """Count a load of which nothing was taken, of so many rows as far as they are known."""
    _begin_networks([network])
    metrics.ADS_INGEST_LOAD.labels(_network(network), "false").inc(max(1, rows))
    metrics.ADS_LOAD_FAILURES.labels(_network(network), metrics.bounded("reason", reason)).inc(max(1, rows))


def reason_of(error: Exception) -> str:
    """Return the reason under which a load that raised is counted."""
    return error.code if isinstance(error, TieoutError) else INSERT_FAILED


def counts_expected(build: Callable[P, ExpectedBuilt]) -> Callable[P, ExpectedBuilt]:
    """Count what building the expected rows brings, and how long it takes."""
    return _counting(build, _tell_expected)


def counts_match(match: Callable[P, Matched]) -> Callable[P, Matched]:
    """Count what matching brings, and how long it takes."""
    return _counting(match, _tell_match)


def counts_reconcile(reconcile: Callable[P, Reconciled]) -> Callable[P, Reconciled]:
    """Count what judging a window brings, and how long it takes."""
    return _counting(reconcile, _tell_reconcile)


def _counting(work: Callable[P, R], tell: Tell[R]) -> Callable[P, R]:
    @wraps(work)
    def counted(*args: P.args, **kwargs: P.kwargs) -> R:
        began = perf_counter()
        try:
            done = work(*args, **kwargs)
        except Exception:
            tell(None, perf_counter() - began)
            raise
        tell(done, perf_counter() - began)
        return done

    return counted


def _tell_expected(built: ExpectedBuilt | None, seconds: float) -> None:
    outcome = "error" if built is None else _outcome(built.done.run is None, built.written)
    metrics.ADS_EXPECTED_DURATION.labels(outcome).observe(seconds)
    if built is not None:
        metrics.ADS_EXPECTED_SEEN.inc(built.seen)
        metrics.ADS_EXPECTED_WRITTEN.inc(built.written)
        metrics.ADS_EXPECTED_SKIPPED.inc(built.skipped)


def _tell_match(matched: Matched | None, seconds: float) -> None:
    if matched is None:
        metrics.ADS_MATCH_DURATION.labels("error").observe(seconds)
        return
    run, is_new = matched.done.run, not matched.done.is_reused
    outcome = _outcome(run is None, is_new and matched.auto + matched.review)
    metrics.ADS_MATCH_DURATION.labels(outcome).observe(seconds)
    if is_new:
        metrics.ADS_MATCH_CANDIDATES.inc(matched.candidates)
        metrics.ADS_MATCH_EXACT.inc(matched.exact)
        metrics.ADS_MATCH_AUTO.inc(matched.auto)
        metrics.ADS_MATCH_REVIEW.inc(matched.review)
        metrics.ADS_MATCH_UNMATCHED.inc(matched.unmatched)
        kept = [file.row_count or 0 for file in run.files if file.name == "match_review"] if run else []
        metrics.ADS_MATCH_REVIEW_KEPT.inc(sum(kept))


def _tell_reconcile(reconciled: Reconciled | None, seconds: float) -> None:
    success = "false" if reconciled is None else "true"
    metrics.ADS_RECONCILE_RUNS.labels(success).inc()
    metrics.ADS_RECONCILE_DURATION.labels(success).observe(seconds)
    if reconciled is not None and not reconciled.done.is_reused:
        for kind, deltas in reconciled.by_kind.items():
            metrics.ADS_RECONCILE_ROWS.labels(kind).inc(deltas)


def _outcome(is_dry_run: bool, found: int) -> str:  # noqa: FBT001 - private, said in place
    if is_dry_run:
        return "dry_run"
    return "success" if found else "empty"


def _begin_networks(networks: Iterable[str]) -> None:
    for network in networks:
        name = _network(network)
        for success in ("true", "false"):
            metrics.ADS_INGEST_PARSE.labels(name, success)
            metrics.ADS_INGEST_LOAD.labels(name, success)
        metrics.ADS_DISPUTES_SHADOWED.labels(name)
        metrics.ADS_DISPUTES_CREATED.labels(name)
        metrics.ADS_KITS_BUILT.labels(name)
        for reason in REASONS:
            metrics.ADS_LOAD_FAILURES.labels(name, reason)


def _add(counter: Counter, network: str, taken: int, refused: int) -> None:
    _begin_networks([network])
    counter.labels(_network(network), "true").inc(taken)
    counter.labels(_network(network), "false").inc(refused)


def _network(network: str) -> str:
    return metrics.bounded("network", network.lower())
