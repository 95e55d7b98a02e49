"""What the current runs of a tenant say, for readers who wait: deltas in memory, overviews from small facts.

Each question first takes over what was published since the last one, in one transaction of the memory, so that nobody
sees half a run. Publications of a leg become visible in the order of their numbers (store/publish.py), so whoever
follows the numbers misses none.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import and_, or_, select

from tieout.books.ads.period import DAY_US, Period, period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.core.settings import Settings
from tieout.store.opening import Store
from tieout.store.tables import publication, run, run_file

RECONCILE, STATEMENTS = "reconcile", "statements"
FACTS = {RECONCILE: ("delta", "delta_app", "overview_app", "overview_cell"), STATEMENTS: ("statement_line",)}
MAX_TENANTS = 16
MAX_CELL_RUNS = 2000
"""Of so many runs the cells are kept, which overviews ask for again and again; then the others are forgotten."""
LOOK_FOR_DROPPED_S = 60.0
"""How often it is asked whether retention let go of files of current runs, which no publication tells."""

_EPOCH = date(1970, 1, 1)
_HUNDRED = Decimal(100)
_PLACES = Decimal("0.000001")


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


@dataclass
class _Followed:
    """A window of a leg, and the run that it points to, with the places of its files; `number` is the publication's."""

    number: int
    leg: str
    window: str
    run_id: str
    places: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def period(self) -> Period | None:
        return period_of_window(self.window) if self.leg == RECONCILE else None


class Reads:
    """The deltas and overviews of one tenant. Threads may share it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._lock = Lock()
        self._con = duckdb.connect(
            config={
                "threads": settings.threads,
                "memory_limit": settings.memory_limit,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            }
        )
        self._con.execute("set TimeZone = 'UTC'")
        for statement in query_text("tables").split(";"):
            if statement.strip():
                self._con.execute(statement)
        self._last = dict.fromkeys(FACTS, 0)
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._by_number: dict[int, _Followed] = {}
        self._by_day: dict[date, set[str]] = {}
        self._judged: set[date] = set()
        self._spans: dict[int, tuple[date, date] | None] = {}
        self._has_lines: set[int] = set()
        self._has_cells: set[int] = set()
        self._looked_at = time.monotonic()

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Give the state of this moment: every question asked of it is answered from the same runs."""
        with self._lock:
            self._follow()
            cursor = self._con.cursor()
            cursor.execute("begin transaction")
            cursor.execute("select count(*) from day").fetchall()  # the snapshot is taken by the first question
        try:
            yield Look(self, cursor)
        finally:
            cursor.close()

    def place(self, number: int, name: str) -> Path | None:
        """Return where a fact of the run of a publication lies."""
        followed = self._by_number.get(number)
        return followed.places.get(name) if followed else None

    def keep_cells(self, numbers: Sequence[int]) -> None:
        """Take over what runs say of their days, by network, format and country."""
        with self._lock:
            missing = [self._by_number[one] for one in numbers if one not in self._has_cells and one in self._by_number]
            if not missing:
                return
            is_full = len(self._has_cells) + len(missing) > MAX_CELL_RUNS
            with self._changing():
                if is_full:
                    self._con.execute("delete from cell where not list_contains($1::bigint[], number)", [list(numbers)])
                self._load("cell", "overview_cell", missing)
            kept = self._has_cells.intersection(numbers) if is_full else self._has_cells
            self._has_cells = kept | {one.number for one in missing}

    def keep_lines(self, first: date, end: date) -> list[int]:
        """Take over the sums of the statements that tell of days nobody has judged; return all loads that do."""
        with self._lock:
            telling = [
                one
                for one in self._followed.values()
                if one.leg == STATEMENTS and any(day not in self._judged for day in self._days_of(one, first, end))
            ]
            missing = [one for one in telling if one.number not in self._has_lines]
            if missing:
                with self._changing():
                    self._load("line_cell", "statement_line", missing)
                self._has_lines |= {one.number for one in missing}
            return [one.number for one in telling]

    def _days_of(self, one: _Followed, first: date, end: date) -> Iterator[date]:
        if one.number not in self._spans:
            place = one.places.get("statement_line")
            self._spans[one.number] = _span(place) if place else None
        span = self._spans[one.number]
        if span is not None:
            at, last = max(span[0], first), min(span[1], end - timedelta(days=1))
            for number in range((last - at).days + 1):
                yield at + timedelta(days=number)

    def _follow(self) -> None:
        found = self._published()
        dropped = self._dropped()
        if not found and not dropped:
            return
        gone = [self._followed[key] for key in dropped if key in self._followed]
        gone += [self._followed[one.leg, one.window] for one in found if (one.leg, one.window) in self._followed]
        with self._changing():
            self._forget(gone)
            judged = [one for one in found if one.leg == RECONCILE]
            self._load("delta", "delta", judged)
            self._load("delta_app", "delta_app", judged)
            changed, chosen = self._choose_days(judged, [one for one in gone if one.leg == RECONCILE])
        self._judged = (self._judged - changed) | chosen
        for one in gone:
            self._followed.pop((one.leg, one.window), None)
            self._by_number.pop(one.number, None)
            self._has_lines.discard(one.number)
            self._has_cells.discard(one.number)
            self._spans.pop(one.number, None)
        for one in found:
            self._last[one.leg] = max(self._last[one.leg], one.number)
            if one.places:
                self._followed[one.leg, one.window] = one
                self._by_number[one.number] = one

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._con.execute("begin transaction")
        try:
            yield
        except BaseException:
            self._con.execute("rollback")
            raise
        self._con.execute("commit")

    def _published(self) -> list[_Followed]:
        """Return the current publications that are newer than what is known, with the files of their runs."""
        tenant = self._store.tenant
        is_new = and_(
            publication.c.tenant == tenant,
            publication.c.book == BOOK,
            publication.c.superseded_us.is_(None),
            or_(*(and_(publication.c.leg == leg, publication.c.seq > last) for leg, last in self._last.items())),
        )
        asked = select(publication.c.seq, publication.c.leg, publication.c.window, publication.c.run_id)
        kept = and_(run.c.tenant == tenant, run.c.run_id == publication.c.run_id, run.c.files_dropped_us.is_(None))
        listed = and_(run_file.c.tenant == tenant, run_file.c.run_id == publication.c.run_id)
        names = [name for leg in FACTS.values() for name in leg]
        placed = (
            select(publication.c.seq, run_file.c.name, run_file.c.path)
            .join(run, kept)
            .join(run_file, listed)
            .where(is_new, run_file.c.name.in_(names))
        )
        with self._store.state.reading() as connection:
            found = {row.seq: _Followed(*row) for row in connection.execute(asked.where(is_new))}
            if found:
                for seq, name, path in connection.execute(placed):
                    if seq in found:
                        found[seq].places[name] = self._store.folders.run(found[seq].run_id) / path
        return [found[seq] for seq in sorted(found)]

    def _dropped(self) -> list[tuple[str, str]]:
        """Return the windows whose files retention let go of; asked now and then."""
        if not self._followed or time.monotonic() - self._looked_at < LOOK_FOR_DROPPED_S:
            return []
        self._looked_at = time.monotonic()
        asked = select(run.c.run_id).where(
            run.c.tenant == self._store.tenant, run.c.book == BOOK, run.c.files_dropped_us.is_not(None)
        )
        with self._store.state.reading() as connection:
            dropped = set(connection.scalars(asked))
        return [key for key, one in self._followed.items() if one.run_id in dropped]

    def _forget(self, gone: Iterable[_Followed]) -> None:
        numbers = [one.number for one in gone]
        if numbers:
            for table in ("delta", "delta_app", "cell", "line_cell", "day"):
                self._con.execute(f"delete from {table} where number in (select unnest(?))", [numbers])

    def _load(self, table: str, fact: str, found: Iterable[_Followed]) -> None:
        """Add a fact of runs to a table of the memory, each row with the number of its publication."""
        placed = [(one.number, str(one.places[fact])) for one in found if fact in one.places]
        if placed:
            asked = {"paths": [path for _, path in placed], "numbers": [number for number, _ in placed]}
            self._con.execute(query_text(table), asked)

    def _choose_days(self, found: Sequence[_Followed], gone: Sequence[_Followed]) -> tuple[set[date], set[date]]:
        """Settle which runs tell of each day of changed windows: periods may overlap, and no day counts twice."""
        current = {key: one for key, one in self._followed.items() if key[0] == RECONCILE}
        for one in gone:
            current.pop((one.leg, one.window), None)
        current |= {(one.leg, one.window): one for one in found if one.places}
        changed: set[date] = set()
        for one in (*gone, *found):
            for day in _days(one.period):
                changed.add(day)
                self._by_day.setdefault(day, set()).add(one.window)
        rows: list[tuple[date, int]] = []
        for day in changed:
            known = [current[RECONCILE, window] for window in self._by_day[day] if (RECONCILE, window) in current]
            rows += [(day, one.number) for one in _telling(day, known)]
        self._con.execute("delete from day where event_date in (select unnest(?::date[]))", [sorted(changed)])
        if rows:
            given = {"days": [day for day, _ in rows], "numbers": [number for _, number in rows]}
            self._con.execute("insert into day select unnest($days::date[]), unnest($numbers)", given)
        return changed, {day for day, _ in rows}


class Look:
    """The state of a moment."""

    def __init__(self, reads: Reads, cursor: duckdb.DuckDBPyConnection) -> None:
        self._reads = reads
        self._cursor = cursor

    def count_deltas(self, query: DeltaQuery) -> int:
        """Return how many deltas there are."""
        [(count,)] = self._cursor.execute(_deltas(query, "select count(*) from ({})"), _asked(query)).fetchall()
        return int(count)

    def list_deltas(self, query: DeltaQuery, *, page: int = 1, page_size: int = 100) -> list[Delta]:
        """Return a page of deltas: the latest window first, then by evidence id."""
        paged = "{} order by window_start_us desc, evidence_id limit $size offset $skip"
        asked = _asked(query) | {"size": page_size, "skip": (page - 1) * page_size}
        return [self._delta(row) for row in self._cursor.execute(_deltas(query, paged), asked).fetchall()]

    def find_deltas(self, evidence_ids: Sequence[str]) -> list[Delta]:
        """Return the deltas of these ids that there are, by window and id."""
        query = _deltas(DeltaQuery(), "from ({}) where evidence_id in (select unnest($ids)) order by all")
        found = [self._delta(row) for row in self._cursor.execute(query, {"ids": list(evidence_ids)}).fetchall()]
        return sorted(found, key=lambda one: (one.window_start, one.evidence_id))

    def overview(self, first: date, end: date, app_id: str | None = None) -> Overview:
        """Return both sides of the days from `first` to before `end`."""
        judged = self._cursor.execute(
            "select distinct number from day where event_date >= ? and event_date < ?", [first, end]
        ).fetchall()
        numbers = [number for (number,) in judged]
        self._cursor.execute("commit")  # to see what is taken over now
        lines = self._reads.keep_lines(first, end) if first < end else []
        if app_id is None:
            self._reads.keep_cells(numbers)
        self._cursor.execute("begin transaction")
        asked: dict[str, Any] = {"first": first, "end": end}
        parts = []
        if numbers and app_id is None:
            parts.append(query_text("overview_judged"))
        elif placed := [(number, place) for number in numbers if (place := self._reads.place(number, "overview_app"))]:
            parts.append(query_text("overview_judged_app"))
            asked |= {"paths": [str(path) for _, path in placed], "numbers": [number for number, _ in placed]}
        if lines:
            parts.append(
                query_text("overview_lines").replace("/* app */", "" if app_id is None else "and app_id = $app")
            )
            asked |= {"loads": lines}
        if not parts:
            return NOTHING
        if app_id is not None:
            asked["app"] = app_id
        text = " union all ".join(parts)
        return _overview(self._cursor.execute(query_text("overview").replace("/* parts */", text), asked).fetchall())

    def _delta(self, row: Sequence[Any]) -> Delta:
        kind, micros, currency, reason, start_us, end_us, evidence_id, confidence, number = row
        followed = self._reads._by_number.get(number)  # noqa: SLF001 - two halves of one thing
        return Delta(
            kind,
            micros,
            currency,
            reason,
            _instant(start_us),
            _instant(end_us),
            evidence_id,
            confidence,
            followed.run_id if followed else "",
        )


def _deltas(query: DeltaQuery, around: str) -> str:
    """Return the query for the deltas asked for, set into `around`; its parameters are `_asked`."""
    conditions = [
        condition
        for condition, value in (
            ("window_start_us >= $start_us", query.start),
            ("window_end_us < $end_us", query.end),
            ("kind = $kind", query.kind),
            ("confidence >= $confidence::decimal(9, 6)", query.min_confidence),
        )
        if value is not None
    ]
    where = " and ".join(conditions) or "true"
    source = "delta"
    if query.app_id is not None:
        source, where = "delta_app", f"{where} and app_id = $app"
    return around.format(
        "select kind, amount_micros, currency, reason_code, window_start_us, window_end_us, evidence_id, confidence,"
        f" number from {source} where {where}"
    )


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
    cells = tuple(
        Cell(network, int(impressions), int(paid), int(expected), format_, country)
        for network, format_, country, impressions, paid, expected, *_ in rows
    )
    expected_rows, covered_rows, unexplained = (sum(int(row[at]) for row in rows) for at in (6, 7, 8))
    expected = sum(one.expected_micros for one in cells)
    names = {one.network for one in cells}
    networks = [_sum(name, [one for one in cells if one.network == name]) for name in names]
    return Overview(
        _share(covered_rows, expected_rows) if expected_rows else _HUNDRED if cells else Decimal(0),
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


def _telling(day: date, known: Sequence[_Followed]) -> list[_Followed]:
    """Return the runs that tell of a day: the latest that is about the whole day, else parts that do not overlap."""
    start_us = (day - _EPOCH).days * DAY_US
    whole = Period(start_us, start_us + DAY_US)
    latest_first = sorted(known, key=lambda one: -one.number)
    chosen: list[_Followed] = []
    for one in latest_first:
        if one.period is not None and one.period.holds(whole):
            return [one]
    for one in latest_first:
        if one.period is not None and not any(other.period and other.period.overlaps(one.period) for other in chosen):
            chosen.append(one)
    return chosen


def _days(period: Period | None) -> Iterator[date]:
    if period is None:
        return
    first = period.start_us // DAY_US
    for number in range(first, max(-(-period.end_us // DAY_US), first)):
        yield _EPOCH + timedelta(days=number)


def _span(place: Path) -> tuple[date, date] | None:
    metadata = pq.read_metadata(place)
    position = metadata.schema.names.index("event_date")
    stats = [metadata.row_group(group).column(position).statistics for group in range(metadata.num_row_groups)]
    known = [one for one in stats if one is not None and one.has_min_max]
    if len(known) < len(stats):
        return date.min, date.max
    return (min(one.min for one in known), max(one.max for one in known)) if known else None


def query_text(name: str) -> str:
    """Return a query of `sql/reads`."""
    return _QUERIES[name]


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _read_queries() -> Mapping[str, str]:
    """Return the queries of this module and of those beside it, each a file of `sql/reads`."""
    folder = files("tieout.books.ads") / "sql" / "reads"
    return {one.name.removesuffix(".sql"): one.read_text(encoding="utf-8") for one in folder.iterdir()}


_QUERIES = _read_queries()

__all__ = ["NOTHING", "Cell", "Delta", "DeltaQuery", "Look", "Overview", "Reads", "TenantReads"]
