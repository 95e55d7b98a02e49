"""What the current runs of a tenant say, for readers who wait: deltas and overviews of one moment.

The facts lie in a database in memory over a gathered file (current.py); each question first takes over what was
published since the last one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from threading import Event, Lock
from typing import Any

import duckdb
import structlog
from sqlalchemy import func, select

from tieout.books.ads.current import (
    LEGS,
    LOOK_FOR_DROPPED_S,
    MAX_BESIDE,
    STATEMENTS,
    CurrentFacts,
    gather,
    open_current,
    query_text,
)
from tieout.books.ads.pieces import BOOK
from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.store.opening import Store
from tieout.store.state import State
from tieout.store.tables import publication

MAX_TENANTS = 16
TIDY_S = LOOK_FOR_DROPPED_S / 2
"""How often what is kept is brought up to date without a question."""
WARM_DAYS = 8
"""Of so many days the overview is asked for before anybody does."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HUNDRED = Decimal(100)
_PLACES = Decimal("0.000001")
_log = structlog.get_logger("tieout.ads")


@dataclass(frozen=True)
class DeltaQuery:
    """Which deltas: whose window begins at `start` or later and ends before `end`, of an app, a kind, and sure enough.

    With an app the amounts are that app's part of each delta.
    """

    start: datetime | None = None
    end: datetime | None = None
    app_id: str | None = None
    kind: str | None = None
    min_confidence: Decimal | None = None


@dataclass(frozen=True)
class Delta:
    """A delta of a current run. Micros are positive where less was reported than we expect."""

    kind: str
    amount_micros: int
    currency: str
    reason_code: str
    window_start: datetime
    window_end: datetime
    evidence_id: str
    confidence: Decimal
    run_id: str = ""


@dataclass(frozen=True)
class Cell:
    """A part of an overview: what a network paid for a format in a country, and what we expected, in USD."""

    network: str
    impressions: int
    paid_micros: int
    expected_micros: int
    format: str = ""
    country: str = ""


@dataclass(frozen=True)
class Overview:
    """Both sides of a period. `coverage_percent`: of the requests that we expect, how many a statement covers.

    `variance_percent`: of the money that we expect, how much of the difference no delta explains. Days that nobody has
    judged yet count as expected what was paid.
    """

    coverage_percent: Decimal
    variance_percent: Decimal
    cells: tuple[Cell, ...]
    networks: tuple[Cell, ...]

    @property
    def totals(self) -> Cell:
        return _sum("", self.cells)


NOTHING = Overview(Decimal(0), Decimal(0), (), ())
"""The overview of a period without data, and of one that could not be read."""


class TenantReads:
    """The reads of each tenant that asked lately; who has not asked for longest is forgotten first."""

    def __init__(self, store_of: Callable[[str], Store], settings: Settings) -> None:
        self._store_of = store_of
        self._settings = settings
        self._reads: OrderedDict[str, Reads] = OrderedDict()
        self._lock = Lock()

    def of(self, tenant: str) -> Reads:
        """Return what is kept of one tenant."""
        with self._lock:
            found = self._reads.pop(tenant, None) or Reads(self._store_of(tenant), self._settings)
            self._reads[tenant] = found
            while len(self._reads) > MAX_TENANTS:
                self._reads.popitem(last=False)
            return found

    def keep_ready(self, stop: Event, tenants: Sequence[str] = ()) -> None:
        """Read what these tenants will ask for before they do, then keep all up to date, until `stop` is set."""
        for tenant in tenants:
            if not stop.is_set():
                self._try(tenant, partial(self._warm, tenant))
        while not stop.wait(TIDY_S):
            with self._lock:
                every = list(self._reads.items())
            for tenant, reads in every:
                if not stop.is_set():
                    self._try(tenant, reads.tidy)

    def _warm(self, tenant: str) -> None:
        self.of(tenant).warm()

    def _try(self, tenant: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - nobody waits for it, and the next question says what is wrong
            _log.warning("Reads are not ready", tenant_id=tenant, cause=type(error).__name__, exc_info=error)


def list_tenants(state: State) -> list[str]:
    """Return the tenants that published in this book, the latest first; `state` must see every tenant."""
    asked = (
        select(publication.c.tenant)
        .where(publication.c.book == BOOK, publication.c.leg.in_(LEGS))
        .group_by(publication.c.tenant)
        .order_by(func.max(publication.c.seq).desc())
        .limit(MAX_TENANTS)
    )
    with state.reading() as connection:
        return list(connection.scalars(asked))


class Reads:
    """The deltas and overviews of one tenant. Threads may share it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._lock = Lock()
        self._facts: CurrentFacts | None = None

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Give the state of this moment: every question asked of it is answered from the same runs."""
        try:
            with self._lock:
                facts = self._follow()
                cursor = facts.begin()
            try:
                yield Look(self._store, facts, cursor)
            finally:
                cursor.close()
        except duckdb.Error:
            # Whatever it was: what is opened next is held against its digest, and read from the runs where it differs.
            self._facts = None
            raise

    def warm(self) -> None:
        """Read what is asked for first, so that nobody has to wait for it."""
        with self.look() as look:
            look.count_deltas(DeltaQuery())
            latest = look.list_deltas(DeltaQuery())
            if latest:
                day = latest[0].window_start.date()
                look.overview(day - timedelta(days=WARM_DAYS), day + timedelta(days=1))
        self.tidy()

    def tidy(self) -> None:
        """Take over what was published, and make the gathered file anew where it is far behind."""
        if (known := self._facts) is not None:
            known.look_for_changed_files()  # which takes a while, so that no question waits for it
        with self._lock:
            facts = self._follow()
        if facts.beside > MAX_BESIDE:
            self._renew(facts)

    def _follow(self) -> CurrentFacts:
        facts = self._facts = self._facts or open_current(self._store, self._settings)
        news = facts.list_news()
        if len(news) > MAX_BESIDE:  # opening so many files takes long: better once for all than in each process
            facts = self._facts = self._gathered()
            news = facts.list_news()
        facts.take_over(news)
        return facts

    def _renew(self, behind: CurrentFacts) -> None:
        gather(self._store, self._settings)
        opened = open_current(self._store, self._settings)
        if opened.gathered != behind.gathered:  # made by us, or by another process
            opened.take_over(opened.list_news())
            with self._lock:
                self._facts = opened

    def _gathered(self) -> CurrentFacts:
        try:
            gather(self._store, self._settings, is_waiting=True)
        except (TieoutError, duckdb.Error) as error:  # without a file it is slower, and as right
            _log.warning("Facts were not gathered", tenant_id=self._store.tenant, exc_info=error)
        return open_current(self._store, self._settings)


class Look:
    """The state of a moment."""

    def __init__(self, store: Store, facts: CurrentFacts, cursor: duckdb.DuckDBPyConnection) -> None:
        self._store = store
        self._facts = facts
        self._cursor = cursor

    def count_deltas(self, query: DeltaQuery) -> int:
        """Return how many deltas there are."""
        [(count,)] = self._ask(_deltas(query, "select count(*)"), _asked(query))
        return int(count)

    def list_deltas(self, query: DeltaQuery, *, page: int = 1, page_size: int = 100) -> list[Delta]:
        """Return a page of deltas: the latest window first, then by evidence id."""
        asked = _asked(query)
        place = {"size": page_size, "skip": (page - 1) * page_size}
        # Where the page begins and ends is settled by numbers alone, so that only its own rows are read and sorted. For
        # the first one those at the top suffice; for a later one it is cheaper to count each window than to sort.
        if place["skip"]:
            counted = _deltas(query, "select window_start_us, count(*) as count") + " group by window_start_us"
            ends = query_text("page_ends").replace("/* counted */", counted)
        else:
            ordered = _deltas(query, "select window_start_us") + " order by all desc limit $size offset $skip"
            ends = f"select min(window_start_us), max(window_start_us), 0 from ({ordered})"
        [(lowest, highest, before)] = self._ask(ends, asked | place)
        if highest is None:
            return []
        place["skip"] -= int(before)
        rows = _deltas(query, f"select {_DELTA}", "window_start_us between $lowest and $highest")
        order = "order by window_start_us desc, evidence_id"
        paged = _with_run(f"{rows} {order} limit $size offset $skip") + order
        return [_delta(row) for row in self._ask(paged, asked | place | {"lowest": lowest, "highest": highest})]

    def find_deltas(self, evidence_ids: Sequence[str]) -> list[Delta]:
        """Return the deltas of these ids that there are, by window and id."""
        rows = _deltas(DeltaQuery(), f"select {_DELTA}", "evidence_id in (select unnest($ids))")
        order = " order by window_start_us, evidence_id, number"
        return [_delta(row) for row in self._ask(_with_run(rows) + order, {"ids": list(evidence_ids)})]

    def overview(self, first: date, end: date, app_id: str | None = None) -> Overview:
        """Return both sides of the days from `first` to before `end`."""
        if first >= end:
            return NOTHING
        asked: dict[str, Any] = {"first": first, "end": end}
        if app_id is not None:
            asked["app"] = app_id
        parts = [query_text("overview_judged" if app_id is None else "overview_judged_app")]
        if loads := self._loads(first, end):
            of_app = "" if app_id is None else "and app_id = $app"
            parts.append(query_text("overview_lines").replace("/* app */", of_app))
            asked["loads"] = loads
        return _overview(self._ask(query_text("overview").replace("/* parts */", " union all ".join(parts)), asked))

    def _loads(self, first: date, end: date) -> list[int]:
        """Return the loads that tell of days nobody has judged, once their lines are taken over."""
        asked = {"leg": STATEMENTS, "first": first, "end": end}
        while True:
            found = self._ask(query_text("telling_loads"), asked)
            missing = {
                number: self._store.folders.run(run_id) / path
                for number, run_id, path, is_known in found
                if path and not is_known
            }
            if not missing:
                return [number for number, *_ in found]
            self._cursor.execute("commit")
            self._facts.keep_lines(missing)
            self._cursor.execute("begin transaction")  # to see what was taken over; by then others may tell

    def _ask(self, query: str, asked: dict[str, Any]) -> list[Any]:
        return self._cursor.execute(query, asked).fetchall()


_DELTA = "kind, amount_micros, currency, reason_code, window_start_us, window_end_us, evidence_id, confidence, number"


def _with_run(deltas: str) -> str:
    """Return the query for deltas with the run of each."""
    return f"select p.* exclude (number), f.run_id from ({deltas}) p join followed f using (number) "


def _deltas(query: DeltaQuery, selected: str, *more: str) -> str:
    """Return the query for the deltas asked for, under `more` conditions; its parameters are `_asked`."""
    conditions = [
        condition
        for condition, value in (
            ("window_start_us >= $start_us", query.start),
            ("window_end_us < $end_us", query.end),
            ("kind = $kind", query.kind),
            ("confidence >= $confidence::decimal(9, 6)", query.min_confidence),
            ("app_id = $app", query.app_id),
        )
        if value is not None
    ]
    source = "current_delta" if query.app_id is None else "current_delta_app"
    return f"{selected} from {source} where {' and '.join((*conditions, *more)) or 'true'}"


def _delta(row: Sequence[Any]) -> Delta:
    kind, micros, currency, reason, start_us, end_us, evidence_id, confidence, run_id = row
    return Delta(kind, micros, currency, reason, _instant(start_us), _instant(end_us), evidence_id, confidence, run_id)


def _asked(query: DeltaQuery) -> dict[str, Any]:
    given = {
        "start_us": None if query.start is None else _micros(query.start),
        "end_us": None if query.end is None else _micros(query.end),
        "app": query.app_id,
        "kind": query.kind,
        "confidence": None if query.min_confidence is None else str(query.min_confidence),
    }
    return {name: value for name, value in given.items() if value is not None}


def _overview(rows: Sequence[Sequence[Any]]) -> Overview:
    if not rows:
        return NOTHING
    cells = tuple(
        Cell(network, int(impressions), int(paid), int(expected), format_, country)
        for network, format_, country, impressions, paid, expected, *_ in rows
    )
    expected_rows, covered_rows, unexplained = (sum(int(row[at]) for row in rows) for at in (6, 7, 8))
    expected = sum(one.expected_micros for one in cells)
    of_network: dict[str, list[Cell]] = {}
    for one in cells:
        of_network.setdefault(one.network, []).append(one)
    networks = [_sum(name, found) for name, found in of_network.items()]
    return Overview(
        _share(covered_rows, expected_rows) if expected_rows else _HUNDRED,
        _share(unexplained, expected) if expected > 0 else _HUNDRED if unexplained else Decimal(0),
        cells,
        tuple(sorted(networks, key=lambda one: (-one.paid_micros, one.network))),
    )


def _sum(network: str, cells: Sequence[Cell]) -> Cell:
    return Cell(
        network,
        sum(one.impressions for one in cells),
        sum(one.paid_micros for one in cells),
        sum(one.expected_micros for one in cells),
    )


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part) * _HUNDRED / Decimal(whole)).quantize(_PLACES, ROUND_HALF_UP)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


__all__ = [
    "NOTHING",
    "Cell",
    "Delta",
    "DeltaQuery",
    "Look",
    "Overview",
    "Reads",
    "TenantReads",
    "list_tenants",
    "query_text",
]
