"""The facts of a tenant's current runs in a database in memory: from a gathered file, and what came since.

What was published since is taken over in one transaction of the memory, so that nobody sees half a run. Publications
of a leg become visible in the order of their numbers (store/publish.py), so whoever follows the numbers misses none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
import pyarrow.parquet as pq
import structlog
from sqlalchemy import BigInteger, Connection, and_, func, or_, select, type_coerce
from sqlalchemy.sql import ColumnElement

from tieout.books.ads.gathered import SHAPE_DIGITS, GatheredFile, list_gathered, put_gathered
from tieout.books.ads.period import DAY_US, Period, period_of_window
from tieout.books.ads.pieces import BOOK
from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.store.digest import digest_text
from tieout.store.duck import SPILL_FOLDER
from tieout.store.locks import lock, try_lock
from tieout.store.opening import Store
from tieout.store.tables import publication, run, run_file

RECONCILE, STATEMENTS = "reconcile", "statements"
LEGS = (RECONCILE, STATEMENTS)
FACTS = {"delta": "delta", "delta_app": "delta_app", "cell": "overview_cell", "cell_app": "overview_app"}
"""Tables, and the facts of judging that fill them. Those of statements are read when somebody asks for their days."""
ORDERS = {
    "delta": "window_start_us desc, evidence_id",
    "delta_app": "app_id, window_start_us desc, evidence_id",
    "cell": "event_date, network, format, country, currency, number",
    "cell_app": "app_id, event_date, network, format, country, currency, number",
}
"""How a gathered file keeps each: so that what one asks for lies together, and the rest is not read."""
LINES = "statement_line"
MAX_BESIDE = 256
"""Of so many windows the memory may differ from its file; then the file is made anew. Opening each costs 1 to 2 ms."""
MOST_BESIDE = 4 * MAX_BESIDE
AT_ONCE = 2000
"""So many windows are taken over in one transaction."""
LOOK_FOR_DROPPED_S = 60.0
"""How often it is asked whether retention let go of files of current runs, which no publication tells."""

_EPOCH = date(1970, 1, 1)
_VERSION = "1"
_PRIME = 1_000_003
_log = structlog.get_logger("tieout.ads")


@dataclass(frozen=True)
class Followed:
    """A window of a leg, and the run that it points to, with its files by name; `number` is the publication's."""

    number: int
    leg: str
    window: str
    run_id: str
    has_files: bool
    paths: dict[str, str] = field(default_factory=dict)


class CurrentFacts:
    """The facts of the runs that the windows of a tenant point to. Threads may share it."""

    def __init__(self, store: Store, settings: Settings, spill: Path | None = None) -> None:
        self._store = store
        self._lock = RLock()
        self._con = _connect(settings, spill)
        for statement in query_text("tables").split(";"):
            self._con.execute(statement)
        self._last = dict.fromkeys(LEGS, 0)
        self._gathered: GatheredFile | None = None
        self._in_file: frozenset[int] = frozenset()
        self._masked: set[int] = set()
        self._changed: list[int] = []
        self._looked_at = time.monotonic()
        self._say_what_is_current()

    @property
    def position(self) -> int:
        """The highest number of a publication that is known."""
        return max(self._last.values())

    @property
    def gathered(self) -> GatheredFile | None:
        """The file that it was opened from."""
        return self._gathered

    @property
    def beside(self) -> int:
        """Of how many windows it differs from its file."""
        with self._lock:
            [(every,)] = self._con.execute("select count(*) from followed").fetchall()
            return int(every) - len(self._in_file) + len(self._masked)

    def close(self) -> None:
        """Forget it all."""
        self._con.close()

    def read_file(self, file: GatheredFile) -> bool:
        """Begin with a gathered file; tell whether it stands for what this state has published."""
        path = str(file.path).replace("'", "''")
        try:
            self._con.execute(f"attach '{path}' as gathered (read_only)")
            stand = {leg: told for leg, *told in self._con.execute("from gathered.stand").fetchall()}
            last = {leg: stand[leg][0] for leg in LEGS}
            with self._store.state.reading() as connection:
                is_of_state = stand == _stand(connection, self._store.tenant, last)
            if is_of_state:
                with self._changing():
                    for table in ("followed", "day"):
                        self._con.execute(f"insert into {table} from gathered.{table}")
                    numbers = self._con.execute("select number from followed").fetchall()
                    self._gathered = file
                    self._say_what_is_current()
        except (duckdb.Error, KeyError):
            return False
        if is_of_state:
            self._last, self._in_file = last, frozenset(number for (number,) in numbers)
            self._looked_at = float("-inf")
        return is_of_state

    def begin(self) -> duckdb.DuckDBPyConnection:
        """Return a connection in a transaction that sees this moment throughout."""
        with self._lock:
            cursor = self._con.cursor()
        cursor.execute("begin transaction")
        cursor.execute("select count(*) from day").fetchall()  # the snapshot is taken by the first question
        return cursor

    def list_news(self) -> list[Followed]:
        """Return the current publications that are newer than what is known, and those whose files came or went."""
        self.look_for_changed_files()
        news = _published(self._store, _is_after(self._last))
        if self._changed:
            news += _published(self._store, publication.c.seq.in_(self._changed))
            self._changed = []
        return news

    def look_for_changed_files(self) -> None:
        """Find the windows whose files retention let go of, or that came back, for `list_news`; done now and then."""
        if time.monotonic() - self._looked_at < LOOK_FOR_DROPPED_S:
            return
        self._looked_at = time.monotonic()
        is_dropped = and_(
            publication.c.tenant == self._store.tenant,
            publication.c.book == BOOK,
            publication.c.leg.in_(LEGS),
            publication.c.superseded_us.is_(None),
            run.c.files_dropped_us.is_not(None),
        )
        asked = select(publication.c.seq).join(run, _is_run_of_publication()).where(is_dropped)
        with self._store.state.reading() as connection:
            dropped = list(connection.scalars(asked))
        differs = "select number from followed where has_files = (number in (select unnest($dropped::bigint[])))"
        with self._lock:
            self._changed = [number for (number,) in self._con.execute(differs, {"dropped": dropped}).fetchall()]

    def take_over(self, news: Sequence[Followed]) -> None:
        """Let publications take the place of what is known of their windows."""
        with self._lock:
            for at in range(0, len(news), AT_ONCE):
                self._take_over(news[at : at + AT_ONCE])

    def keep_lines(self, loads: Mapping[int, Path]) -> None:
        """Take over the sums of statements, by the numbers of their publications."""
        with self._lock, self._changing():
            known = {number for (number,) in self._con.execute("select number from line_load").fetchall()}
            missing = {number: place for number, place in loads.items() if number not in known}
            self._load("line_cell", missing)
            self._con.execute("insert into line_load select unnest($numbers)", {"numbers": list(missing)})

    def write_file(self, draft: Path) -> None:
        """Write what is known as a gathered file."""
        path = str(draft).replace("'", "''")
        with self._store.state.reading() as connection:
            stand = _stand(connection, self._store.tenant, self._last)
        with self._lock:
            self._con.execute(f"attach '{path}' as made")
            for table, order in ORDERS.items():
                self._con.execute(f"create table made.{table} as from current_{table} order by {order}")
            self._con.execute("create table made.followed as from followed order by number")
            self._con.execute("create table made.day as from day order by event_date, number")
            self._con.execute(
                "create table made.stand (leg varchar, last bigint, count bigint, numbers hugeint, instants hugeint)"
            )
            self._con.executemany(
                "insert into made.stand values (?, ?, ?, ?, ?)", [[leg, *told] for leg, told in stand.items()]
            )
            self._con.execute("checkpoint made")
            self._con.execute("detach made")

    def _take_over(self, news: Sequence[Followed]) -> None:
        with self._changing():
            asked = {"legs": [one.leg for one in news], "names": [one.window for one in news]}
            former = self._con.execute(query_text("former"), asked).fetchall()
            changed = {day for _, leg, first, end in former if leg == RECONCILE for day in _days(first, end)}
            self._forget([number for number, *_ in former])
            changed |= self._follow(news)
            for table, fact in FACTS.items():
                self._load(table, self._places(news, fact))
            self._choose_days(sorted(changed))
            masked = self._masked.union(self._in_file.intersection(number for number, *_ in former))
            if masked != self._masked:
                self._say_what_is_current(masked)
        self._masked = masked
        for one in news:
            self._last[one.leg] = max(self._last[one.leg], one.number)

    def _follow(self, news: Sequence[Followed]) -> set[date]:
        """Add the windows; return the days that their runs judge."""
        changed: set[date] = set()
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for one in news:
            period = period_of_window(one.window) if one.leg == RECONCILE else None
            first, end = self._span_of_lines(one) if period is None else _span_of_period(period)
            if period is not None:
                changed |= set(_days(first, end))
            row = (
                one.number,
                one.leg,
                one.window,
                one.run_id,
                one.has_files,
                one.paths.get(LINES),
                first,
                end,
                period.start_us if period else None,
                period.end_us if period else None,
            )
            for name, value in zip(_COLUMNS, row, strict=True):
                columns[name].append(value)
        self._con.execute(query_text("followed"), columns)
        return changed

    def _span_of_lines(self, one: Followed) -> tuple[date | None, date | None]:
        span = _span(self._store.folders.run(one.run_id) / one.paths[LINES]) if LINES in one.paths else None
        return (span[0], span[1] + timedelta(days=1)) if span else (None, None)

    def _places(self, news: Iterable[Followed], fact: str) -> dict[int, Path]:
        folders = self._store.folders
        return {one.number: folders.run(one.run_id) / one.paths[fact] for one in news if fact in one.paths}

    def _forget(self, numbers: Sequence[int]) -> None:
        if numbers:
            for table in (*FACTS, "line_cell", "line_load", "followed"):
                self._con.execute(f"delete from {table} where number in (select unnest(?))", [numbers])

    def _load(self, table: str, places: Mapping[int, Path]) -> None:
        """Add a fact of runs to a table of the memory, each row with the number of its publication."""
        if places:
            asked = {"paths": [str(path) for path in places.values()], "numbers": list(places)}
            self._con.execute(query_text(table), asked)

    def _choose_days(self, days: Sequence[date]) -> None:
        """Settle which runs tell of each of these days: periods may overlap, and no day counts twice."""
        if not days:
            return
        asked = {"days": days, "leg": RECONCILE}
        known = self._con.execute(query_text("telling_runs"), asked).fetchall()
        rows = [
            (day, number)
            for day, found in groupby(known, key=lambda row: row[0])
            for number in _telling(day, [(number, Period(start, end)) for _, number, start, end in found])
        ]
        self._con.execute("delete from day where event_date in (select unnest(?::date[]))", [days])
        if rows:
            given = {"days": [day for day, _ in rows], "numbers": [number for _, number in rows]}
            self._con.execute("insert into day select unnest($days::date[]), unnest($numbers)", given)

    def _say_what_is_current(self, masked: Iterable[int] = ()) -> None:
        """Let a view of each table show the file without what was replaced since, and what is in memory."""
        hidden = f" where number not in ({', '.join(map(str, sorted(masked)))})" if masked else ""
        for table in FACTS:
            both = f"from gathered.{table}{hidden} union all " if self._gathered else ""
            self._con.execute(f"create or replace view current_{table} as {both}from {table}")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._con.execute("begin transaction")
        try:
            yield
        except BaseException:
            self._con.execute("rollback")
            raise
        self._con.execute("commit")


_COLUMNS = (
    "numbers",
    "legs",
    "names",
    "run_ids",
    "have_files",
    "paths",
    "first_days",
    "end_days",
    "starts",
    "ends",
)


def open_current(store: Store, settings: Settings, spill: Path | None = None) -> CurrentFacts:
    """Return the facts of the newest gathered file that is whole and of this state; of none where there is none."""
    for file in list_gathered(store.folders.gathered(store.tenant, BOOK), shape()):
        facts = CurrentFacts(store, settings, spill)
        if file.is_whole and facts.read_file(file):
            return facts
        facts.close()
    return CurrentFacts(store, settings, spill)


def gather(store: Store, settings: Settings, *, is_waiting: bool = False, least: int | None = None) -> bool:
    """Make the gathered file anew where what is published differs from it by more than `least` windows.

    By default those are MAX_BESIDE. One process at a time makes it, for the others there is nothing to do; `is_waiting`
    waits for the one that does. Tells whether a file was made.
    """
    path = store.folders.locks / f"gathered-{BOOK}-{store.tenant}"
    held = lock(path) if is_waiting else try_lock(path)
    if held is None:
        return False
    with held, store.folders.scratch("gathered") as scratch, closing(open_current(store, settings, scratch)) as facts:
        facts.take_over(facts.list_news())
        if facts.beside <= (MAX_BESIDE if least is None else least):
            return False
        draft = scratch / "facts"
        facts.write_file(draft)
        put_gathered(store.folders.gathered(store.tenant, BOOK), shape(), facts.position, draft)
        return True


def gather_where_many(store: Store, settings: Settings) -> None:
    """Make the gathered file anew where many windows were published since; asked after each, it costs a count.

    Who publishes does not wait for more than MOST_BESIDE: an installation that has never gathered its runs leaves it to
    the server. What fails here is only slower to read.
    """
    known = list_gathered(store.folders.gathered(store.tenant, BOOK), shape())
    asked = select(func.count()).where(
        publication.c.tenant == store.tenant,
        publication.c.book == BOOK,
        publication.c.leg == RECONCILE,
        publication.c.seq > (known[0].position if known else 0),
    )
    with store.state.reading() as connection:
        count = connection.scalar(asked) or 0
    if MAX_BESIDE < count <= MOST_BESIDE:
        try:
            gather(store, settings)
        except (TieoutError, duckdb.Error) as error:
            _log.warning("Facts were not gathered", tenant_id=store.tenant, exc_info=error)


@cache
def shape() -> str:
    """Return what the shape of a gathered file depends on: the tables, what fills them, and the engine."""
    made_of = (_VERSION, duckdb.__version__, *(query_text(name) for name in ("tables", *FACTS)), *ORDERS.values())
    return digest_text("\0".join(made_of))[:SHAPE_DIGITS]


def query_text(name: str) -> str:
    """Return a query of `sql/reads`."""
    return _queries()[name]


@cache
def _queries() -> Mapping[str, str]:
    folder = files("tieout.books.ads") / "sql" / "reads"
    return {one.name.removesuffix(".sql"): one.read_text(encoding="utf-8") for one in folder.iterdir()}


def _connect(settings: Settings, spill: Path | None) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads,
        "memory_limit": settings.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        # As in store/duck.py: without it each commit would go over all that is in memory.
        "checkpoint_threshold": "1TB",
    }
    if spill is not None:
        config["temp_directory"] = str(spill / SPILL_FOLDER)
    con = duckdb.connect(config=config)
    con.execute("set TimeZone = 'UTC'")
    return con


def _is_after(last: Mapping[str, int]) -> ColumnElement[bool]:
    return or_(*(and_(publication.c.leg == leg, publication.c.seq > number) for leg, number in last.items()))


def _published(store: Store, is_meant: ColumnElement[bool]) -> list[Followed]:
    """Return current publications with the files of their runs, by number; of runs without files too."""
    is_new = and_(
        publication.c.tenant == store.tenant,
        publication.c.book == BOOK,
        publication.c.leg.in_(LEGS),
        publication.c.superseded_us.is_(None),
        is_meant,
    )
    asked = (
        select(
            publication.c.seq,
            publication.c.leg,
            publication.c.window,
            publication.c.run_id,
            run.c.files_dropped_us.is_(None),
        )
        .join(run, _is_run_of_publication())
        .where(is_new)
    )
    listed = and_(run_file.c.tenant == store.tenant, run_file.c.run_id == publication.c.run_id)
    placed = (
        select(publication.c.seq, run_file.c.name, run_file.c.path)
        .join(run, and_(_is_run_of_publication(), run.c.files_dropped_us.is_(None)))
        .join(run_file, listed)
        .where(is_new, run_file.c.name.in_((*FACTS.values(), LINES)))
    )
    with store.state.snapshot() as connection:  # one moment: no run shall seem to be without its files
        found = {row.seq: Followed(*row) for row in connection.execute(asked)}
        if found:
            for seq, name, path in connection.execute(placed):
                if seq in found:
                    found[seq].paths[name] = path
    return [found[seq] for seq in sorted(found)]


def _is_run_of_publication() -> ColumnElement[bool]:
    return and_(run.c.tenant == publication.c.tenant, run.c.run_id == publication.c.run_id)


def _stand(connection: Connection, tenant: str, last: Mapping[str, int]) -> dict[str, list[int]]:
    """Return for each leg up to which publication, how many there are by then, and what they add up to.

    Publications are only added, so a state that says something else is another one, or was put back from a backup.
    """
    published = type_coerce(publication.c.published_us, BigInteger) % _PRIME
    is_known = or_(*(and_(publication.c.leg == leg, publication.c.seq <= number) for leg, number in last.items()))
    asked = (
        select(publication.c.leg, func.count(), func.sum(publication.c.seq), func.sum(published))
        .where(publication.c.tenant == tenant, publication.c.book == BOOK, is_known)
        .group_by(publication.c.leg)
    )
    told = {leg: [int(one) for one in sums] for leg, *sums in connection.execute(asked)}
    return {leg: [number, *told.get(leg, [0, 0, 0])] for leg, number in last.items()}


def _telling(day: date, latest_first: Sequence[tuple[int, Period]]) -> list[int]:
    """Return the runs that tell of a day: the latest that is about the whole day, else parts that do not overlap."""
    start_us = (day - _EPOCH).days * DAY_US
    whole = Period(start_us, start_us + DAY_US)
    for number, period in latest_first:
        if period.holds(whole):
            return [number]
    chosen: list[tuple[int, Period]] = []
    for number, period in latest_first:
        if not any(other.overlaps(period) for _, other in chosen):
            chosen.append((number, period))
    return [number for number, _ in chosen]


def _span_of_period(period: Period) -> tuple[date, date]:
    first = period.start_us // DAY_US
    return _EPOCH + timedelta(days=first), _EPOCH + timedelta(days=max(-(-period.end_us // DAY_US), first))


def _days(first: date | None, end: date | None) -> Iterator[date]:
    if first is not None and end is not None:
        for number in range((end - first).days):
            yield first + timedelta(days=number)


def _span(place: Path) -> tuple[date, date] | None:
    """Return the first and the last day of the lines of a file; None where there is none."""
    metadata = pq.read_metadata(place)
    position = metadata.schema.names.index("event_date")
    stats = [metadata.row_group(group).column(position).statistics for group in range(metadata.num_row_groups)]
    known = [(one.min, one.max) for one in stats if one is not None and one.has_min_max]
    if len(known) < len(stats):  # not told, or a group of lines without a day
        found = pq.read_table(place, columns=["event_date"]).column(0).to_pylist()
        known = [(day, day) for day in found if day is not None]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None


__all__ = ["BOOK", "CurrentFacts", "Followed", "gather", "gather_where_many", "open_current", "query_text", "shape"]
