"""What a source says, now or at any instant before: its current rows, those superseded, its quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.intake.records import LINE, ROW_NO
from tieout.intake.sources.projection import BY, CONTENT, DAY, KEY, LOAD, OCCURRENCE, REASON, parquet, struct
from tieout.intake.sources.steps import Steps, failures_told, write_parquet
from tieout.store.duck import connect
from tieout.store.opening import Store
from tieout.store.sources import SourceHistory, SourceLoad, Sources, check_source_name
from tieout.store.trees import cast, column, named, sql_of

SIGN = "@"
SINCE = "~"


class NotAnInstant(TieoutError):
    """A text that should say an instant in the past does not."""

    code = "not_an_instant"


class SourceEmpty(TieoutError):
    """Nothing was loaded into the source by the instant that was asked for."""

    code = "source_empty"
    http_status = 404


@dataclass(frozen=True)
class StoredFiles:
    """The Parquet files of loads, in order: the rows that they added, and those that they superseded."""

    rows: tuple[Path, ...] = ()
    superseded: tuple[Path, ...] = ()

    def plus(self, folder: Path) -> StoredFiles:
        """Return the files with those of one more load, which lie in `folder`."""
        rows, superseded = folder / "rows.parquet", folder / "superseded.parquet"
        return StoredFiles(
            (*self.rows, rows) if rows.exists() else self.rows,
            (*self.superseded, superseded) if superseded.exists() else self.superseded,
        )


@dataclass(frozen=True)
class ResolvedSource:
    """The current rows of a source as a file: where it lies, how it is called, how many rows it has."""

    path: Path
    name: str
    rows: int


@dataclass(frozen=True)
class SomeRows:
    """The first rows of many, and how many there are."""

    rows: tuple[Mapping[str, Any], ...]
    total: int


def stored_files(sources: Sources, loads: Sequence[SourceLoad]) -> StoredFiles:
    """Return where the rows of loads lie. Raises LoadFilesGone."""
    found: dict[str, list[Path]] = {"rows": [], "superseded": []}
    for load in loads:
        for name, paths in found.items():
            path = sources.file_path(load, name)
            if path is not None:
                paths.append(path)
    return StoredFiles(tuple(found["rows"]), tuple(found["superseded"]))


def source_columns(loads: Sequence[SourceLoad]) -> tuple[str, ...]:
    """Return the columns of a source: those of its first load, then those that later ones added."""
    return tuple(dict.fromkeys(name for load in loads for name in load.draft.columns))


def covered_days(loads: Sequence[SourceLoad]) -> tuple[tuple[date, date], ...]:
    """Return the stretches of days, first and last, that loads cover, in order; what is between them is a gap."""
    stretches: list[tuple[date, date]] = []
    days = [(load.draft.first_day, load.draft.last_day) for load in loads]
    for first, last in sorted((first, last) for first, last in days if first is not None and last is not None):
        if stretches and first <= stretches[-1][1] + timedelta(days=1):
            stretches[-1] = (stretches[-1][0], max(last, stretches[-1][1]))
        else:
            stretches.append((first, last))
    return tuple(stretches)


def view_stored(steps: Steps, stored: StoredFiles) -> None:
    """Make `stored_row` and `retired_row` over the files of the loads that count."""
    if stored.rows:
        names = {LOAD: "load", CONTENT: "content", OCCURRENCE: "occurrence", KEY: "key", DAY: "day"}
        _view(steps.con, "stored_row", _renamed(names).from_(parquet(stored.rows)))
    else:
        steps.run("no_stored_row")
    if stored.superseded:
        names = {LOAD: "load", CONTENT: "content", OCCURRENCE: "occurrence"}
        _view(steps.con, "retired_row", _renamed(names).from_(parquet(stored.superseded)))
    else:
        steps.run("no_retired_row")


def _renamed(names: Mapping[str, str]) -> exp.Select:
    return exp.select(*[named(column(own), name) for own, name in names.items()])


def _view(con: duckdb.DuckDBPyConnection, name: str, query: exp.Select) -> None:
    con.execute(f"create or replace view {name} as {sql_of(query)}")


def write_current(
    settings: Settings, sources: Sources, history: SourceHistory, path: Path, as_of: datetime | None = None
) -> int:
    """Write the rows that are current (at `as_of`) to `path` as Parquet and return their number.

    The columns are the source's own, as text; the order is by day, then by identity, whatever the order of loading.
    Raises SourceEmpty and LoadFilesGone.
    """
    loads = history.standing(as_of)
    if not loads:
        when = "" if as_of is None else f" at {as_of.isoformat()}"
        raise SourceEmpty(
            f"Source {history.name} has no loads{when}.",
            subject=history.name,
            remedy=f"tieout sources show {history.name} lists them.",
        )
    con = connect(settings, path.parent / "duckdb")
    try:
        steps = Steps(con, path.parent)
        stored = stored_files(sources, loads)
        with failures_told("current rows"):
            view_stored(steps, stored)
            write_parquet(con, sql_of(_current_cells(con, stored, source_columns(loads))), path)
            return int(con.sql(sql_of(exp.select(exp.Count(this=exp.Star())).from_(parquet([path])))).fetchall()[0][0])
    finally:
        con.close()


def _current_cells(con: duckdb.DuckDBPyConnection, stored: StoredFiles, columns: Sequence[str]) -> exp.Select:
    """Return the query of the current rows; a column that no stored row fills is empty."""
    there = _names(con, parquet(stored.rows)) if stored.rows else []
    cells = [column(name, "s") if name in there else named(cast(exp.null(), "VARCHAR"), name) for name in columns]
    if not stored.rows:
        return exp.select(*cells).where(exp.false())
    query = exp.select(*cells).from_(_files(stored.rows, "s"))
    query = query.join(_side("retired_row", "r"), on=_same_version("s", "r"), join_type="anti")
    return query.order_by(
        exp.Ordered(this=column(DAY, "s"), nulls_first=True), column(CONTENT, "s"), column(OCCURRENCE, "s")
    )


def _names(con: duckdb.DuckDBPyConnection, relation: exp.Expr) -> list[str]:
    return list(con.sql(sql_of(exp.select("*").from_(relation).limit(0))).columns)


def _files(paths: Sequence[Path], alias: str) -> exp.Expr:
    return exp.select("*").from_(parquet(paths)).subquery(alias)


def _side(name: str, alias: str) -> exp.Expr:
    return exp.alias_(exp.to_table(name), alias, table=True)


def _same_version(stored: str, retired: str) -> exp.Expr:
    pairs = {LOAD: "load", CONTENT: "content", OCCURRENCE: "occurrence"}
    return exp.and_(
        *[exp.EQ(this=column(own, stored), expression=column(name, retired)) for own, name in pairs.items()]
    )


def resolve_source(store: Store, settings: Settings, text: str, scratch: Path, now: datetime) -> ResolvedSource | None:
    """Write the rows that `@name` or `@name~INSTANT` stands for to a Parquet file in `scratch`.

    Returns None where `text` does not begin with @ (a file of such a name is written ./@name). The same loads give
    the same bytes. Raises SourceUnknown, SourceEmpty, BadSourceName and NotAnInstant.
    """
    if not text.startswith(SIGN):
        return None
    name, has_instant, instant = text.removeprefix(SIGN).partition(SINCE)
    history = store.sources.get_source(check_source_name(name))
    as_of = past_instant(instant, now) if has_instant else None
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"{name}.parquet"
    rows = write_current(settings, store.sources, history, path, as_of)
    return ResolvedSource(path, text, rows)


def past_instant(text: str, now: datetime) -> datetime:
    """Return the instant that an ISO 8601 text says, in UTC where it names no zone. Raises NotAnInstant."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise NotAnInstant(
            f"{text!r} is no instant.",
            subject=text,
            remedy="Write ISO 8601, such as 2026-01-31 or 2026-01-31T18:00:00Z.",
        ) from None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if instant > now:
        raise NotAnInstant(
            f"{text} lies in the future.", subject=text, remedy="What a source will say then, nobody knows yet."
        )
    return instant


def list_superseded(
    settings: Settings, sources: Sources, loads: Sequence[SourceLoad], scratch: Path, *, limit: int
) -> SomeRows:
    """Return rows that loads superseded: by which load and why, of which load, row, line and day, and their cells."""
    stored = stored_files(sources, loads)
    if not stored.superseded:
        return SomeRows((), 0)
    con = connect(settings, scratch)
    try:
        own = [name for name in source_columns(loads) if name in _names(con, parquet(stored.rows))]
        query = (
            exp.select(
                named(column(BY, "r"), "superseded_by"),
                named(column(REASON, "r"), "reason"),
                named(column(LOAD, "s"), "load"),
                named(column(ROW_NO, "s"), "row"),
                named(column(LINE, "s"), "line"),
                named(column(DAY, "s"), "day"),
                named(struct({name: column(name, "s") for name in own}), "cells"),
            )
            .from_(_files(stored.rows, "s"))
            .join(
                _files(stored.superseded, "r"),
                on=exp.and_(
                    *[
                        exp.EQ(this=column(name, "s"), expression=column(name, "r"))
                        for name in (LOAD, CONTENT, OCCURRENCE)
                    ]
                ),
            )
            .order_by(column(BY, "r"), column(LOAD, "s"), column(ROW_NO, "s"))
        )
        total = sum(load.counts.superseded for load in loads)
        return SomeRows(_rows(con, query.limit(limit)), total)
    finally:
        con.close()


def list_quarantined(
    settings: Settings, sources: Sources, loads: Sequence[SourceLoad], scratch: Path, *, limit: int
) -> SomeRows:
    """Return refused rows: load, file, row, line, column, reason and what was received."""
    found: list[Mapping[str, Any]] = []
    con = connect(settings, scratch)
    try:
        for load in loads:
            path = sources.file_path(load, "rejected")
            if path is None or len(found) >= limit:
                continue
            query = exp.select("*").from_(parquet([path])).limit(limit - len(found))
            found += [{"load": load.seq, "file": load.name, **row} for row in _rows(con, query)]
    finally:
        con.close()
    return SomeRows(tuple(found), sum(load.counts.quarantined for load in loads))


def _rows(con: duckdb.DuckDBPyConnection, query: exp.Select) -> tuple[Mapping[str, Any], ...]:
    relation = con.sql(sql_of(query))
    names = relation.columns
    return tuple(dict(zip(names, row, strict=True)) for row in relation.fetchall())
