"""Move an installation: every row of one state database into another, verified, whichever kind either is.

Source is read in one snapshot, target written in one transaction that commits only after every table was read back
and compared. So a copy that is killed changes nothing: a target that had content keeps it, and one that had none says
that it is incomplete, so that nobody takes it for a new installation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Insert,
    Select,
    String,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.exc import DatabaseError

from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT, stop_only_adding
from tieout.store.state import (
    INCOMPLETE,
    MIGRATION_LOCK,
    SCHEMA,
    State,
    StateIsNewer,
    StateUnavailable,
    connect_state,
    read_revision,
    write_revision,
)
from tieout.store.tables import Instant, audit_events, job, worker

CHUNK_ROWS = 500
HEARTBEAT_COUNTS = timedelta(minutes=1)
LOCK_TIMEOUT_S = 30
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_SQLITE = "sqlite:///"
_COPY_LOCK = 0x636F7079  # any number, the same in every process

Standing = Literal["new", "incomplete", "empty", "filled"]
Progress = Callable[[str, int, int], None]
"""Called with the table, the rows of it that were copied, and how many it has."""


class TargetNotEmpty(TieoutError):
    """The database to copy into holds rows already."""

    code = "target_not_empty"
    http_status = 409


class StateInUse(TieoutError):
    """A process of the installation works on the state database."""

    code = "state_in_use"
    http_status = 409


class NothingToCopyFrom(TieoutError):
    """The database to copy from does not exist, or has not the tables of this version."""

    code = "nothing_to_copy_from"


class SameState(TieoutError):
    """The database to copy from is the one to copy into."""

    code = "same_state"


class RowNotCopied(TieoutError):
    """The database refused a row; nothing was copied."""

    code = "row_not_copied"


class CopyDiffers(TieoutError):
    """What was read back is not what was written; nothing was copied."""

    code = "copy_differs"


@dataclass(frozen=True)
class CopyPlan:
    """What a copy would do."""

    source: str
    target: str
    rows: Mapping[str, int]
    """Rows of each table, in the order of the copy."""
    standing: Standing
    target_rows: int
    """Rows that the target has now."""
    active_jobs: int
    """Jobs under way, which wait again in the copy: their workflows are not copied."""


@dataclass(frozen=True)
class CopiedTable:
    """A table that is the same on both sides; `sha256` is of its rows in canonical JSON, in the order of its key."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Copied:
    """A copy that was verified and committed."""

    plan: CopyPlan
    tables: tuple[CopiedTable, ...]


def plan_copy(source_url: str, target_url: str) -> CopyPlan:
    """Return what a copy would do, and change nothing.

    Raises NothingToCopyFrom, SameState, StateIsNewer and StateUnavailable.
    """
    _must_differ(source_url, target_url)
    with _source(source_url) as source, source.snapshot() as reading:
        address, standing, rows = _look(target_url)
        return _plan(source, reading, address, standing, rows)


def copy_state(
    source_url: str,
    target_url: str,
    *,
    is_replacing: bool = False,
    now: datetime,
    on_progress: Progress = lambda _table, _done, _total: None,
) -> Copied:
    """Copy every row of the state database at `source_url` into the one at `target_url`.

    A target that holds rows is refused unless `is_replacing`. Raises what `plan_copy` does, and TargetNotEmpty,
    StateInUse, RowNotCopied and CopyDiffers.
    """
    _must_differ(source_url, target_url)
    with _source(source_url) as source, source.snapshot() as reading:
        _must_rest(reading, source.address, now)
        if source.is_postgresql:
            reading.execute(select(func.pg_advisory_xact_lock_shared(_COPY_LOCK)))
        connected = connect_state(target_url)
        try:
            target = connected.of(EVERY_TENANT)
            standing, rows = target.write(partial(_prepare, target, is_replacing=is_replacing, now=now))
            plan = _plan(source, reading, target.address, standing, rows)
            fill = partial(_fill, reading, plan=plan, is_replacing=is_replacing, on_progress=on_progress)
            return Copied(plan, target.write(fill))
        finally:
            connected.close()


def refuse_filled(plan: CopyPlan) -> NoReturn:
    """Raise TargetNotEmpty."""
    raise _not_empty(plan.target, plan.target_rows)


@contextmanager
def _source(url: str) -> Iterator[State]:
    path = _sqlite_file(url)
    if path is not None and not path.is_file():
        raise NothingToCopyFrom(f"There is no state database {path}.", subject=str(path))
    state = connect_state(url)
    try:
        with state.reading() as connection:
            revision = read_revision(connection)
        if revision != SCHEMA.head:
            raise NothingToCopyFrom(
                f"The state database {state.address} has revision {revision or 'none'}; copied is revision "
                f"{SCHEMA.head} alone.",
                subject=state.address,
                remedy="Run `tieout migrate` on it first." if revision in SCHEMA.revisions else "",
            )
        yield state.of(EVERY_TENANT)
    except DatabaseError as error:
        raise StateUnavailable(
            f"The state database {state.address} cannot be used: {error.orig}.", subject=state.address
        ) from error
    finally:
        state.close()


def _sqlite_file(url: str) -> Path | None:
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def _must_differ(source_url: str, target_url: str) -> None:
    here, there = _sqlite_file(source_url), _sqlite_file(target_url)
    is_same_file = here is not None and there is not None and here.exists() and there.exists() and here.samefile(there)
    if source_url == target_url or is_same_file:
        raise _same()


def _same() -> SameState:
    return SameState(
        "The state database to copy from is the one to copy into, or is being copied already.",
        remedy="Name two databases: tieout state copy FROM TO.",
    )


def _must_rest(connection: Connection, address: str, now: datetime) -> None:
    is_beating = worker.c.heartbeat_us > now - HEARTBEAT_COUNTS
    if process := connection.scalar(select(worker.c.process).where(worker.c.stopped_us.is_(None), is_beating).limit(1)):
        raise StateInUse(
            f"The process {process} works on the state database {address}.",
            subject=address,
            remedy="Stop `tieout serve` everywhere first: what it writes meanwhile would be missing in the copy.",
        )


def _look(target_url: str) -> tuple[str, Standing, int]:
    """Return address, standing and rows of a target, without making it where it does not exist."""
    path = _sqlite_file(target_url)
    if path is not None and not path.exists():
        return str(path), "new", 0
    connected = connect_state(target_url)
    try:
        with connected.of(EVERY_TENANT).reading() as connection:
            return connected.address, *_standing(connection, connected.address)
    except DatabaseError as error:
        raise StateUnavailable(
            f"The state database {connected.address} cannot be used: {error.orig}.", subject=connected.address
        ) from error
    finally:
        connected.close()


def _standing(connection: Connection, address: str) -> tuple[Standing, int]:
    revision = read_revision(connection)
    if revision is None:
        return "new", 0
    if revision == INCOMPLETE:
        return "incomplete", 0
    if revision not in SCHEMA.revisions:
        raise StateIsNewer(
            f"The state database {address} has revision {revision}; this program knows {SCHEMA.head} and older.",
            subject=address,
            remedy="Use the version of tieout that wrote it, or a later one.",
        )
    present = set(inspect(connection).get_table_names())
    rows = sum(_count(connection, table) for table in SCHEMA.tables.sorted_tables if table.name in present)
    return ("filled" if rows else "empty"), rows


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _plan(source: State, reading: Connection, address: str, standing: Standing, target_rows: int) -> CopyPlan:
    counts = {str(table.name): _count(reading, table) for table in SCHEMA.tables.sorted_tables}
    active = select(func.count()).select_from(job).where(job.c.status == "active")
    return CopyPlan(source.address, address, counts, standing, target_rows, reading.scalar(active) or 0)


def _prepare(target: State, connection: Connection, *, is_replacing: bool, now: datetime) -> tuple[Standing, int]:
    """Take the target, or refuse it; one without rows says from now on that it is incomplete."""
    _take(connection)
    standing, rows = _standing(connection, target.address)
    if standing != "filled":
        _clear(connection)
        write_revision(connection, INCOMPLETE)
        return standing, rows
    if not is_replacing:
        raise _not_empty(target.address, rows)
    if read_revision(connection) == SCHEMA.head:
        _must_rest(connection, target.address, now)
    return standing, rows


def _take(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT_S}s'"))
    # The source holds it shared: locks are of one database, so this fails where both addresses name the same.
    if not connection.scalar(select(func.pg_try_advisory_xact_lock(_COPY_LOCK))):
        raise _same()
    connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))


def _not_empty(address: str, rows: int) -> TargetNotEmpty:
    return TargetNotEmpty(
        f"The state database {address} holds {rows:,} rows.",
        subject=address,
        remedy="Name an empty one, or drop what it holds with --replace.",
    )


def _clear(connection: Connection) -> None:
    present = set(inspect(connection).get_table_names())
    for table in reversed(SCHEMA.tables.sorted_tables):
        if table.name in present:
            table.drop(connection)
    stop_only_adding(connection, audit_events.name)


def _fill(
    reading: Connection, writing: Connection, *, plan: CopyPlan, is_replacing: bool, on_progress: Progress
) -> tuple[CopiedTable, ...]:
    _take(writing)
    standing, rows = _standing(writing, plan.target)
    if standing == "filled" and not is_replacing:  # another process was quicker
        raise _not_empty(plan.target, rows)
    _clear(writing)
    SCHEMA.create(writing)
    done = tuple(
        _copy_table(reading, writing, table, plan.rows[table.name], on_progress)
        for table in SCHEMA.tables.sorted_tables
    )
    write_revision(writing, SCHEMA.head)
    return done


def _copy_table(
    reading: Connection, writing: Connection, table: Table, total: int, on_progress: Progress
) -> CopiedTable:
    written, count = hashlib.sha256(), 0
    statement = _insert(writing, table)
    for chunk in _chunks(reading, table):
        rows = [_as_copied(table, row) for row in chunk]
        _add(writing, table, statement, rows)
        count += len(rows)
        _digest(written, rows)
        on_progress(table.name, count, total)
    _go_on_counting(reading, writing, table)
    found, found_count = hashlib.sha256(), 0
    for chunk in _chunks(writing, table):
        found_count += len(chunk)
        _digest(found, chunk)
    if (found_count, found.hexdigest()) != (count, written.hexdigest()):
        raise CopyDiffers(
            f"{count:,} rows of {table.name} were written and {found_count:,} read back, or they say something else; "
            "nothing was copied.",
            subject=table.name,
        )
    return CopiedTable(str(table.name), count, written.hexdigest())


def _as_copied(table: Table, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row as the copy has it: a job under way waits again, for the workflow that does it stays behind."""
    if table is not job or row["status"] != "active":
        return row
    return {**row, "status": "waiting", "claimed_by": None, "batch_id": None, "claimed_until_us": None}


def _chunks(connection: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    found = connection.execute(_select(connection, table), execution_options={"yield_per": CHUNK_ROWS})
    documents = [column.name for column in table.c if isinstance(column.type, JSON)]
    for chunk in found.partitions():
        rows = [row._asdict() for row in chunk]
        for row in rows:
            row.update((name, _spelt_once(row[name])) for name in documents)
        yield rows


def _spelt_once(document: Any) -> Any:
    """Return the text of a JSON document, where SQLite may have made a number of one that is a number alone."""
    if document is None or (isinstance(document, str) and not _NUMBER.fullmatch(document)):
        return document
    number = json.loads(document) if isinstance(document, str) else document
    is_whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
    return json.dumps(int(number) if is_whole else number)


def _select(connection: Connection, table: Table) -> Select[Any]:
    """Return the query for all rows in the order of their key, each value as plainly as the database keeps it."""
    is_postgresql = connection.dialect.name == "postgresql"

    def plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
        if isinstance(column.type, Instant):
            return type_coerce(column, BigInteger)
        if isinstance(column.type, JSON):  # its text, or null and the JSON null could not be told apart
            return cast(column, Text) if is_postgresql else type_coerce(column, Text)
        return column

    # By bytes, as SQLite sorts; a server may sort by a language.
    order = [
        column.collate("C") if is_postgresql and isinstance(column.type, String) else column
        for column in table.primary_key
    ]
    return select(*(plain(column).label(column.name) for column in table.c)).order_by(*order)


def _insert(connection: Connection, table: Table) -> Insert:
    def given(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
        if isinstance(column.type, Instant):
            return bindparam(name, type_=BigInteger)
        if isinstance(column.type, JSON):
            value: ColumnElement[Any] = bindparam(name, type_=Text)
            return cast(value, JSON) if connection.dialect.name == "postgresql" else value
        return bindparam(name, type_=column.type)

    return insert(table).values({column.name: given(column, f"given_{column.name}") for column in table.c})


def _add(connection: Connection, table: Table, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    given = [{f"given_{name}": value for name, value in row.items()} for row in rows]
    try:
        with connection.begin_nested():
            connection.execute(statement, given)
    except DatabaseError:
        for one in given:  # to name the row that is refused
            _add_one(connection, table, statement, one)


def _add_one(connection: Connection, table: Table, statement: Insert, given: Mapping[str, Any]) -> None:
    try:
        with connection.begin_nested():
            connection.execute(statement, given)
    except DatabaseError as error:
        key = ", ".join(f"{column.name} {given[f'given_{column.name}']!r}" for column in table.primary_key)
        reason = str(error.orig).splitlines()[0]
        raise RowNotCopied(
            f"The target refused the row of {table.name} with {key}: {reason}; nothing was copied.", subject=table.name
        ) from error


def _digest(digest: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        digest.update(orjson.dumps(list(row.values()), option=orjson.OPT_APPEND_NEWLINE))


def _go_on_counting(reading: Connection, writing: Connection, table: Table) -> None:
    """Let the next row that the target numbers come after all that were ever numbered."""
    column = table.autoincrement_column
    if column is None or not column.autoincrement or writing.dialect.name != "postgresql":
        return  # SQLite goes on after the highest by itself
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    last = reading.scalar(select(func.max(column))) or 0
    if reading.dialect.name == "postgresql":
        last = max(last, reading.scalar(select(func.pg_sequence_last_value(cast(sequence, REGCLASS)))) or 0)
    if last:
        writing.execute(select(func.setval(sequence, last)))
