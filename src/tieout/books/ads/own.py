"""Our own side: revenue events and auction receipts, registered by name and read in place by the engine."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import orjson
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w
from psycopg import sql as pg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tieout.books.ads.identity import run_request
from tieout.books.ads.own_relation import (
    RELATIONS,
    OwnFile,
    OwnKind,
    column_types,
    first_refused_query,
    is_typed,
    own_query,
    refusals_query,
)
from tieout.books.ads.pieces import BOOK, Piece
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.engine.macros import add_macros
from tieout.intake.csv_dialect import duckdb_arguments
from tieout.intake.formats import detect
from tieout.intake.reading import Direct, read
from tieout.intake.records import Records
from tieout.store.digest import digest_file
from tieout.store.duck import connect
from tieout.store.folders import storing
from tieout.store.publish import begin_run, publish
from tieout.store.runs import Run, RunFile, Window, measure_file
from tieout.store.trees import sql_of

LEG = "own"
SUMMARY = "summary.json"
_BATCH_ROWS = 50_000

Outcome = Literal["registered", "replaced", "already_registered", "dry_run"]


class OwnSourceBad(TieoutError):
    """A name, a file or a query cannot be a source of our own records."""

    code = "own_source_bad"


class OwnRecordsBad(TieoutError):
    """A file of our own records has records that are none; nothing was registered."""

    code = "own_records_bad"
    http_status = 422


class OwnFileChanged(TieoutError):
    """A registered file is gone, or is no longer what it was when it was registered."""

    code = "own_file_changed"
    http_status = 409


class OwnSourceUnknown(TieoutError):
    """No source of our own records has this name."""

    code = "own_source_unknown"
    http_status = 404


@dataclass(frozen=True)
class OwnRequest:
    """A source of our own records: files, or a query of a database (`sqlite:///path`, `postgresql://…`)."""

    kind: OwnKind
    name: str
    files: tuple[Path, ...] = ()
    sql: str = ""
    database: str = ""
    is_dry_run: bool = False


@dataclass(frozen=True)
class OwnSource:
    """A registered source: its run, its records, and the instants (micros UTC) of the first and the last."""

    kind: OwnKind
    name: str
    run_id: str
    files: tuple[OwnFile, ...]
    records: int
    first_us: int | None
    last_us: int | None


@dataclass(frozen=True)
class Registered:
    """What became of a registration."""

    outcome: Outcome
    source: OwnSource

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"outcome": self.outcome, **asdict(self.source)}


def register_own(
    workspace: Workspace, request: OwnRequest, on_step: Callable[[str], None] = lambda _: None
) -> Registered:
    """Register a source: files stay where they lie and are held by their digests, a query's rows are kept.

    Every record is looked at once. Raises OwnSourceBad, OwnColumnsMissing and OwnRecordsBad; then nothing changed.
    """
    _check(request)
    window = window_of(request.name)
    with workspace.store.folders.scratch("own") as scratch:
        on_step("read")
        taken = _look(workspace, request, _take(request, scratch), scratch, on_step)
        told = [_told(one) for one in taken]
        asked = {"sql": request.sql, "database": _shown(request)} if request.sql else {}
        if request.is_dry_run:
            return Registered("dry_run", _source(request.kind, request.name, "", [one.file for one in taken]))
        runs = workspace.store.runs
        before = runs.current_run(window)
        config = tomli_w.dumps({"kind": request.kind, "files": told, **asked})
        with begin_run(runs, run_request(LEG, window.window, (), config), now=workspace.now()) as active:
            summary = {"kind": request.kind, "name": request.name, "files": told}
            outputs = _write(active.out_dir, summary, taken)
            on_step("publish")
            done = publish(runs, active, outputs, steps=[], summary=summary, now=workspace.now())
    outcome: Outcome = "registered" if before is None else "replaced"
    if before is not None and before.run_id == done.run.run_id:
        outcome = "already_registered"
    return Registered(outcome, _source_of(workspace, done.run))


def window_of(name: str) -> Window:
    """Return the window of a source."""
    return Window(BOOK, LEG, name)


def list_own(workspace: Workspace, kind: OwnKind) -> tuple[OwnSource, ...]:
    """Return the registered sources of one kind, by name."""
    found = [run for run in workspace.store.runs.list_current(BOOK, LEG) if run.summary and "files" in run.summary]
    return tuple(source for source in (_source_of(workspace, run) for run in found) if source.kind == kind)


def own_files(workspace: Workspace, kind: OwnKind) -> tuple[Piece, ...]:
    """Return the files of all registered sources of one kind as pieces that are read in place.

    Each is held against its digest first. Raises OwnFileChanged.
    """
    return tuple(piece for source in list_own(workspace, kind) for piece in _pieces_of(source))


def source_pieces(workspace: Workspace, run: Run) -> tuple[Piece, ...]:
    """Return the files of the source that a run registered, as pieces. Raises OwnFileChanged."""
    return _pieces_of(_source_of(workspace, run))


def source_files(workspace: Workspace, run: Run) -> tuple[OwnFile, ...]:
    """Return the files of the source that a run registered, with where they lie, as they were then."""
    return _source_of(workspace, run).files


def _pieces_of(source: OwnSource) -> tuple[Piece, ...]:
    relation = RELATIONS[source.kind]
    pieces = []
    con = duckdb.connect()
    try:
        for file in source.files:
            _assert_same(file, is_verified=True)
            query = "" if file.is_typed else sql_of(own_query(con, source.kind, [file]))
            span = None if file.first_us is None or file.last_us is None else (file.first_us, file.last_us)
            path = Path(file.path)
            pieces.append(Piece(LEG, source.name, source.run_id, relation, file.sha256, path, query, span))
    finally:
        con.close()
    return tuple(pieces)


def view_own(
    workspace: Workspace,
    con: duckdb.DuckDBPyConnection,
    kind: OwnKind,
    names: Sequence[str] | None = None,
    *,
    is_verified: bool = True,
) -> tuple[OwnSource, ...]:
    """Make the view `revenue_event` or `receipt` over the registered sources, all or those named; return them.

    Files are read in place; with `is_verified` each is held against its digest first. The macros of the engine must be
    there (`define_macros`). Raises OwnFileChanged and OwnSourceUnknown.
    """
    sources = list_own(workspace, kind)
    if names is not None:
        unknown = sorted(set(names) - {source.name for source in sources})
        if unknown:
            raise OwnSourceUnknown(
                f"No {kind} are registered as {', '.join(unknown)}.",
                subject=unknown[0],
                remedy=f"tieout ingest ads --own {kind} NAME FILE registers them.",
            )
        sources = tuple(source for source in sources if source.name in names)
    every = [file for source in sources for file in source.files]
    for file in every:
        _assert_same(file, is_verified=is_verified)
    con.execute(f"create or replace view {RELATIONS[kind]} as {sql_of(own_query(con, kind, every))}")
    return sources


def define_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros that the relations are read with."""
    add_macros(con, "to_micros")


def _check(request: OwnRequest) -> None:
    name = request.name
    if not name.strip() or not name.isprintable() or len(name) > 200 or name != name.strip():
        raise OwnSourceBad(f"{name[:50]!r} is no name of a source.", subject=name[:50])
    if bool(request.files) == bool(request.sql):
        raise OwnSourceBad(
            f"Source {name} needs files, or a query and its database.",
            subject=name,
            remedy="Name files, or give --sql and --database.",
        )
    if bool(request.sql) != bool(request.database):
        raise OwnSourceBad("A query needs --sql and --database.", subject=name)


@dataclass(frozen=True)
class _Taken:
    """A file that was given, or what had to be made of it: then `kept_as` is its name among the files of the run."""

    file: OwnFile
    kept_as: str = ""


def _take(request: OwnRequest, scratch: Path) -> list[_Taken]:
    if request.sql:
        return [_Taken(_held(_query_rows(request, scratch), "read_parquet", {}), "rows-1.parquet")]
    return [_take_file(path, scratch / str(at), at) for at, path in enumerate(request.files, start=1)]


def _take_file(given: Path, folder: Path, number: int) -> _Taken:
    """Return how a file is read in place; one that the engine cannot read as it is, is kept as a copy that it can.

    Raises OwnRecordsBad and what the readers raise.
    """
    path = given.absolute()
    found = detect(path, given.name)
    if found == "ndjson":
        return _Taken(_held(path, "read_json", _json_arguments(path)))
    if found == "parquet":
        return _Taken(_held(path, "read_parquet", {}))
    source = read(path, given.name, folder)
    if isinstance(source, Direct) and source.dialect is not None:
        kept_as = "" if source.path == path else f"rows-{number}.csv"
        return _Taken(_held(source.path, "read_csv", duckdb_arguments(source.dialect)), kept_as)
    if isinstance(source, Records) and source.rejected_count:
        raise OwnRecordsBad(
            f"{given.name} has {source.rejected_count:,} records that cannot be read. Nothing was registered.",
            subject=given.name,
            remedy=f"tieout inspect {given.name} shows them.",
        )
    rows = source.rows if isinstance(source, Records) else source.path
    return _Taken(_held(rows, "read_parquet", {}), f"rows-{number}.parquet")


def _held(path: Path, function: Literal["read_parquet", "read_csv", "read_json"], arguments: dict[str, Any]) -> OwnFile:
    return OwnFile(str(path), _digest(path), path.stat().st_size, function, arguments)


def _json_arguments(path: Path) -> dict[str, Any]:
    """Return the arguments that read every value of a file of JSON lines as the text that it has there."""
    con = duckdb.connect()
    try:
        found = con.execute("from read_json(?, format = 'newline_delimited') limit 0", [str(path)])
        names = [described[0] for described in found.description or ()]
    except duckdb.Error as error:
        raise OwnSourceBad(f"{path.name} is no NDJSON: {str(error).splitlines()[0]}", subject=path.name) from error
    finally:
        con.close()
    return {"format": "newline_delimited", "columns": dict.fromkeys(names, "VARCHAR")}


def _look(
    workspace: Workspace,
    request: OwnRequest,
    every: Sequence[_Taken],
    scratch: Path,
    on_step: Callable[[str], None],
) -> list[_Taken]:
    """Look at every record; return the files with how many there are and when. Raises OwnRecordsBad."""
    on_step("look at every record")
    con = connect(workspace.settings, scratch / "duckdb")
    try:
        define_macros(con)
        return [replace(taken, file=_looked(con, request.kind, taken.file)) for taken in every]
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise OwnSourceBad(
            f"Source {request.name} cannot be read in place: {str(error).splitlines()[0]}",
            subject=request.name,
            remedy="Write it as Parquet.",
        ) from error
    finally:
        con.close()


def _looked(con: duckdb.DuckDBPyConnection, kind: OwnKind, file: OwnFile) -> OwnFile:
    _refuse_bad(con, kind, file)
    at = "event_us" if kind == "events" else "ts_us"
    asked = con.sql(f"select count(*), min({at}), max({at}) from ({sql_of(own_query(con, kind, [file]))})")
    records, first_us, last_us = asked.fetchall()[0]
    typed = is_typed(kind, file, column_types(con, file))
    return replace(file, records=records, first_us=first_us, last_us=last_us, is_typed=typed)


def _refuse_bad(con: duckdb.DuckDBPyConnection, kind: OwnKind, file: OwnFile) -> None:
    types = column_types(con, file)
    asked = con.sql(sql_of(refusals_query(kind, file, types)))
    counts = dict(zip([name.removeprefix("refused_") for name in asked.columns], asked.fetchall()[0], strict=True))
    refused = {name: count for name, count in counts.items() if name != "records" and count}
    if not refused:
        return
    name = next(iter(refused))
    number, said = con.sql(sql_of(first_refused_query(kind, file, types, name))).fetchall()[0]
    told = ", ".join(f"{column} in {count:,}" for column, count in refused.items())
    raise OwnRecordsBad(
        f"{Path(file.path).name} has records that cannot be read: {told}. The first, record {number:,}, says "
        f"{said!r} as {name}. Nothing was registered.",
        subject=file.path,
        remedy="Correct them where they come from, or leave them out with a query.",
    )


def _query_rows(request: OwnRequest, scratch: Path) -> Path:
    """Write what a query yields to a Parquet file of text columns, a batch at a time. Raises OwnSourceBad."""
    try:
        url = make_url(request.database)
    except ArgumentError:
        url = None
    kind = url.get_backend_name() if url is not None else ""
    try:
        if url is not None and kind == "sqlite" and url.database:
            return _rows_of_sqlite(url.database, request.sql, scratch / "rows.parquet")
        if url is not None and kind == "postgresql":
            return _rows_of_postgresql(url, request.sql, scratch)
    except (sqlite3.Error, psycopg.Error) as error:
        raise OwnSourceBad(f"The query of {request.name} failed: {error}", subject=request.name) from error
    raise OwnSourceBad(
        "--database is no address of a database.",
        subject="--database",
        remedy="Use sqlite:////absolute/path.db or postgresql://user:password@host/database.",
    )


def _rows_of_sqlite(database: str, query: str, path: Path) -> Path:
    con = sqlite3.connect(f"file:{Path(database).absolute()}?mode=ro", uri=True)
    try:
        names = [described[0] for described in con.execute(f"select * from ({query}) limit 0").description]
        schema = pa.schema([(name, pa.string()) for name in names])
        quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names]
        found = con.execute(f"select {', '.join(f'cast({name} as text)' for name in quoted)} from ({query})")
        with storing(path.name), pq.ParquetWriter(path, schema) as writer:
            while batch := found.fetchmany(_BATCH_ROWS):
                columns = [pa.array(cells, pa.string()) for cells in zip(*batch, strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    finally:
        con.close()
    return path


def _rows_of_postgresql(url: URL, query: str, scratch: Path) -> Path:
    text, path = scratch / "rows.csv", scratch / "rows.parquet"
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as con, con.cursor() as cursor, text.open("wb") as file, storing(text.name):
        con.read_only = True
        statement = pg.SQL("copy ({}) to stdout (format csv, header)").format(pg.SQL(query))
        with cursor.copy(statement) as copy:
            for chunk in copy:
                file.write(chunk)
    duck = duckdb.connect()
    try:
        read_as = "read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"
        target = str(path).replace("'", "''")
        duck.execute(f"copy (from {read_as}) to '{target}' (format parquet)", [str(text)])
    finally:
        duck.close()
    return path


def _shown(request: OwnRequest) -> str:
    """Return the address of the database without its password."""
    return make_url(request.database).render_as_string(hide_password=True)


def _told(taken: _Taken) -> dict[str, Any]:
    told = {name: value for name, value in asdict(taken.file).items() if value is not None}
    return told | ({"path": taken.kept_as} if taken.kept_as else {})


def _write(out_dir: Path, summary: dict[str, Any], every: Sequence[_Taken]) -> list[RunFile]:
    outputs = []
    with storing(str(out_dir)):
        for taken in every:
            if taken.kept_as:
                shutil.move(taken.file.path, out_dir / taken.kept_as)
                outputs.append(measure_file(out_dir, taken.kept_as, name=taken.kept_as))
        (out_dir / SUMMARY).write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")
    return [*outputs, measure_file(out_dir, SUMMARY, name=SUMMARY)]


def _source_of(workspace: Workspace, run: Run) -> OwnSource:
    told = run.summary or {}
    kept = {file.name: workspace.store.runs.file_path(run, file.name) for file in run.files}
    own = [OwnFile(**{**file, "path": str(kept.get(file["path"], file["path"]))}) for file in told["files"]]
    return _source(told["kind"], run.window.window, run.run_id, own)


def _source(kind: OwnKind, name: str, run_id: str, every: Sequence[OwnFile]) -> OwnSource:
    first = min((file.first_us for file in every if file.first_us is not None), default=None)
    last = max((file.last_us for file in every if file.last_us is not None), default=None)
    return OwnSource(kind, name, run_id, tuple(every), sum(file.records for file in every), first, last)


def _digest(path: Path) -> str:
    """Return the digest of a file, read again where anything says that it changed.

    A backfill asks for each of its pieces, and to read 1 GB of events takes seconds.
    """
    told = path.stat()
    return _digest_as_it_is(path, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)


@lru_cache(maxsize=10_000)
def _digest_as_it_is(path: Path, *_told: int) -> str:
    return digest_file(path)


def _assert_same(file: OwnFile, *, is_verified: bool) -> None:
    path = Path(file.path)
    is_same = path.is_file() and path.stat().st_size == file.byte_count
    if not is_same or (is_verified and _digest(path) != file.sha256):
        raise OwnFileChanged(
            f"{file.path} is {'no longer what it was' if path.is_file() else 'gone'} since it was registered.",
            subject=file.path,
            remedy="Bring it back, or register it again with tieout ingest ads --own.",
        )
