"""The ads book over the network: overview and deltas. A read that fails answers as empty, and says so elsewhere."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import orjson
import structlog
from fastapi import Depends, Query, Request, Response

from tieout.api.access import Installation
from tieout.api.gates import flag_on
from tieout.api.recon_access import READ, reads_or_does
from tieout.api.recon_query import MAX_APP_ID, PageOf, read_deltas, read_overview_window, read_page
from tieout.api.section import Section
from tieout.books.ads.delta_csv import amount_text, confidence_text, csv_of, file_name
from tieout.books.ads.period import Period, instant_text
from tieout.books.ads.reads import NOTHING, Cell, Delta, DeltaQuery, Look, Overview, Reads, TenantReads
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED
from tieout.core import metrics
from tieout.store.tables.columns import micros

routes = Section(prefix="/api/v1/recon", tags=["ads"], dependencies=[Depends(flag_on(VRA_ENABLED))])

SCOPE = "pilot"
Reader = Annotated[Caller, Depends(reads_or_does(READ))]
Text = Annotated[str | None, Query(max_length=100)]
AppId = Annotated[str | None, Query(max_length=MAX_APP_ID, description="Only what is of this app.")]
From = Annotated[str | None, Query(alias="from", max_length=100, description="ISO timestamp; belongs to the window.")]
To = Annotated[str | None, Query(alias="to", max_length=100, description="ISO timestamp at which the window ends.")]
Found = TypeVar("Found")
_log = structlog.get_logger("tieout.ads")


@dataclass(frozen=True)
class Read(Generic[Found]):
    """Something to ask of a look, under the name by which the metrics know it; `empty` where it cannot be read."""

    op: str
    ask: Callable[[Look], Found]
    empty: Found
    is_empty: Callable[[Found], bool] = operator.not_


@dataclass(frozen=True)
class Asked:
    """Which deltas, and which page of them."""

    deltas: DeltaQuery
    page: PageOf


def asked_deltas(
    *,
    app_id: AppId = None,
    start: From = None,
    end: To = None,
    kind: Text = None,
    min_conf: Text = None,
    page: Text = None,
    page_size: Text = None,
) -> Asked:
    """Return which deltas a request asks for."""
    return Asked(
        read_deltas(start, end, app_id=app_id, kind=kind, min_conf=min_conf),
        read_page(page, page_size),
    )


@routes.get("/overview")
def overview(
    request: Request,
    caller: Reader,
    platform: Installation,
    app_id: AppId = None,
    start: From = None,
    end: To = None,
) -> Response:
    """Say what was paid and expected, by network, format and country, and how well both fit; by default of 7 days.

    Days that no run has judged count as expected what was paid.
    """
    first, last = read_overview_window(start, end, platform.now())
    period = Period(micros(first), micros(last))

    def ask(look: Look) -> Overview:
        return look.overview(period.first_day, period.end_day, app_id or None)

    [found] = _safe(request, caller, Read("overview", ask, NOTHING, is_empty=lambda one: not one.cells))
    if found.cells and not app_id:  # a window without data, a failed read and one app say nothing about the pilot
        metrics.ADS_COVERAGE.labels(SCOPE).set(float(found.coverage_percent))
        metrics.ADS_VARIANCE.labels(SCOPE).set(float(found.variance_percent))
    return _answer(
        {
            "success": True,
            "data": {
                "coveragePercent": _number(found.coverage_percent),
                "variancePercent": _number(found.variance_percent),
                "totals": _sums(found.totals),
                "byBreakdown": [
                    {"network": one.network, "format": one.format, "country": one.country, **_sums(one)}
                    for one in found.cells
                ],
                "byNetwork": [{"network": one.network, **_sums(one)} for one in found.networks],
            },
        }
    )


@routes.get("/deltas")
def list_deltas(request: Request, caller: Reader, asked: Annotated[Asked, Depends(asked_deltas)]) -> Response:
    """List deltas, the latest window first; amounts are exact. With an app, its part of each."""
    count: Read[Any] = Read("deltas_count", lambda look: look.count_deltas(asked.deltas), 0)
    total, found = _safe(request, caller, count, _listing(asked))
    return _answer(
        {
            "success": True,
            "items": [_delta(one) for one in found],
            "page": asked.page.page,
            "pageSize": asked.page.page_size,
            "total": total,
        }
    )


@routes.get("/deltas.csv")
def export_deltas(
    request: Request, caller: Reader, asked: Annotated[Asked, Depends(asked_deltas)], platform: Installation
) -> Response:
    """Return a page of deltas as CSV, the header also where there is none."""
    name = file_name(asked.deltas.start, asked.deltas.end, platform.now())
    [found] = _safe(request, caller, _listing(asked))
    return Response(
        csv_of(found),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _listing(asked: Asked) -> Read[list[Delta]]:
    def ask(look: Look) -> list[Delta]:
        return look.list_deltas(asked.deltas, page=asked.page.page, page_size=asked.page.page_size)

    return Read("deltas_list", ask, [])


def reads_of(request: Request, caller: Caller) -> Reads:
    """Return what is kept in memory of the caller's tenant."""
    reads: TenantReads = request.app.state.ads_reads
    return reads.of(caller.tenant)


def _safe(request: Request, caller: Caller, *reads: Read[Any]) -> list[Any]:
    """Answer reads from one moment, each as empty where it fails: insights may be missing, never in the way."""
    found: list[Any] = []
    began = time.perf_counter()
    try:
        with reads_of(request, caller).look() as look:
            for one in reads:
                found.append(one.ask(look))
                metrics.ADS_QUERY_DURATION.labels(one.op, "true").observe(time.perf_counter() - began)
                if one.is_empty(found[-1]):
                    metrics.ADS_EMPTY_RESULTS.labels(one.op).inc()
                began = time.perf_counter()
    except Exception as error:  # noqa: BLE001 - the contract: whatever fails, the answer is empty and safe
        for one in reads[len(found) :]:
            metrics.ADS_QUERY_FAILURES.labels(one.op).inc()
            metrics.ADS_QUERY_DURATION.labels(one.op, "false").observe(time.perf_counter() - began)
            _log.warning("VRA safeQuery fallback", op=one.op, cause=type(error).__name__, exc_info=error)
            found.append(one.empty)
    return found


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _number(value: Decimal) -> orjson.Fragment:
    """Return a number of JSON with the decimals that it has, which no float would keep."""
    return orjson.Fragment(f"{value.normalize() + 0:f}")


def _money(amount_micros: int) -> orjson.Fragment:
    return orjson.Fragment(amount_text(amount_micros))


def _sums(one: Cell) -> dict[str, Any]:
    return {
        "impressions": one.impressions,
        "paid": _money(one.paid_micros),
        "expected": _money(one.expected_micros),
    }


def _delta(one: Delta) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "amount": _money(one.amount_micros),
        "currency": one.currency,
        "reasonCode": one.reason_code,
        "windowStart": instant_text(one.window_start),
        "windowEnd": instant_text(one.window_end),
        "evidenceId": one.evidence_id,
        "confidence": orjson.Fragment(confidence_text(one.confidence)),
    }
