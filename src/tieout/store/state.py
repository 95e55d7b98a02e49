"""The state database: small, transactional, by tenant. SQLite by default, PostgreSQL by the same code."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, InternalError, OperationalError

from tieout.core.errors import TieoutError
from tieout.store.guards import EVERY_TENANT, keep_tenants_apart, only_add
from tieout.store.tables import audit_events, is_of_a_tenant, metadata

BUSY_TIMEOUT_S = 60
IDLE_TIMEOUT_S = 60
"""PostgreSQL ends a transaction that writes when nothing has come from it for so long."""
_DEADLOCK = "40P01"
_STOOD_IDLE = "25P03"
CONNECT_TIMEOUT_S = 10
WRITE_TRIES = 5
INCOMPLETE = "incomplete copy"
"""Stands for the revision in a database that `tieout state copy` began to fill and did not finish."""
_SQLITE = "sqlite:///"
_BEGIN = "begin"
MIGRATION_LOCK = 0x7469656F7574  # any number, the same in every process

# As Alembic makes it; known here so that a new database is made without importing Alembic.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Schema:
    """The tables as they are now, and the migrations that lead to them.

    `revisions` lists them oldest first: known here, so that a database in step opens without Alembic (0.1 s).
    """

    tables: MetaData
    migrations: Path
    revisions: tuple[str, ...]

    @property
    def head(self) -> str:
        return self.revisions[-1]

    def create(self, connection: Connection) -> None:
        """Make every table as it is now, with what the database enforces."""
        self.tables.create_all(connection)
        for table in self.tables.sorted_tables:
            if is_of_a_tenant(table):
                keep_tenants_apart(connection, table.name)
        only_add(connection, audit_events.name)

    def upgrade(self, connection: Connection) -> None:
        """Run the migrations that are missing, inside the transaction of `connection`."""
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(self.migrations).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


SCHEMA = Schema(
    metadata, Path(__file__).parent / "migrations", ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
)


class StateUnavailable(TieoutError):
    """The state database cannot be opened, read or written."""

    code = "state_unavailable"
    http_status = 503


class StateIsNewer(TieoutError):
    """The state database was written by a newer version of the program."""

    code = "state_is_newer"
    http_status = 503


class StateDeadlocked(StateUnavailable):
    """PostgreSQL ended a transaction because it and another waited for each other."""

    code = "state_deadlocked"


class StateIncomplete(TieoutError):
    """A copy into this state database was begun and never finished."""

    code = "state_incomplete"
    http_status = 503


@dataclass(frozen=True)
class State:
    """An open state database; `address` names it for people, without a password.

    `tenant` is whose rows its transactions see where the database enforces that (PostgreSQL): none, unless `of` says.
    """

    engine: Engine
    address: str
    tenant: str = ""
    writer: Lock = field(default_factory=Lock, compare=False, repr=False)

    @property
    def is_postgresql(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def of(self, tenant: str) -> State:
        """Return the same database as `tenant` sees it; EVERY_TENANT is for the platform itself."""
        return replace(self, tenant=tenant)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection inside a transaction that only reads."""
        with self._transaction(is_writing=False) as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection inside a transaction that only reads, and sees one moment throughout."""
        with self._transaction(is_writing=False, isolation="repeatable read") as connection:
            yield connection

    def write(self, action: Callable[[Connection], Answer]) -> Answer:
        """Run `action` in one transaction and return its answer; it is durable when this returns.

        Where two processes insert the same key at once, or wait for each other, the loser's transaction is rolled back
        and `action` runs again, so it must read what it decides upon through the connection it is given.
        """
        for _ in range(WRITE_TRIES - 1):
            try:
                with self._transaction(is_writing=True) as connection:
                    return action(connection)
            except (IntegrityError, StateDeadlocked):
                continue
        with self._transaction(is_writing=True) as connection:
            return action(connection)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, is_writing: bool, isolation: str = "") -> Iterator[Connection]:
        try:
            with (
                self._turn(is_writing=is_writing),
                self._begun(is_writing=is_writing, isolation=isolation) as connection,
            ):
                yield connection
        except (OperationalError, InternalError) as error:
            if isinstance(error, InternalError) and getattr(error.orig, "sqlstate", None) != _STOOD_IDLE:
                raise  # a fault of ours, such as going on in a transaction that has failed
            raise _unavailable(self.address, error) from error

    @contextmanager
    def _begun(self, *, is_writing: bool, isolation: str) -> Iterator[Connection]:
        options = {"is_writing": is_writing, "tenant": self.tenant, "isolation": isolation}
        connection = self.engine.connect().execution_options(**options)
        with connection:
            try:
                transaction = connection.begin()
            except OperationalError as error:
                if not error.connection_invalidated:
                    raise
                # It was lost while it waited in the pool, which throws every such connection away now. To find
                # this out by beginning costs nothing; to ask each connection first cost a round trip a transaction.
                transaction = connection.begin()
            with transaction:
                yield connection

    @contextmanager
    def _turn(self, *, is_writing: bool) -> Iterator[None]:
        """Let the writers of this process take turns on SQLite, which lets others sleep longer than they need to."""
        if self.is_postgresql or not is_writing:
            yield
            return
        if not self.writer.acquire(timeout=BUSY_TIMEOUT_S):
            raise _unavailable(self.address, TimeoutError("another transaction of this process is still writing"))
        try:
            yield
        finally:
            self.writer.release()


def act_as(connection: Connection, tenant: str) -> None:
    """Let the rest of the transaction see and write the rows of `tenant` where the database enforces that."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config("tieout.tenant", tenant, True)))


def open_state(url: str, schema: Schema = SCHEMA) -> State:
    """Open the state database at `url`; make it when it is new, upgrade it when it is older than the code.

    `url` is `sqlite:///` followed by a path, taken literally, or a PostgreSQL URL. Raises StateUnavailable and
    StateIsNewer.
    """
    state = connect_state(url)
    try:
        with state.reading() as connection:
            revision = read_revision(connection)
        if revision != schema.head:
            _bring_to_head(state, schema)
    except BaseException as error:
        state.close()
        if isinstance(error, DatabaseError):
            raise _unavailable(state.address, error) from error
        raise
    return state


def connect_state(url: str) -> State:
    """Return the state database at `url` as it is, whatever its schema; nothing is read yet."""
    address = _parse(url)
    return State(_engine(address), address.render_as_string(hide_password=True))


def _bring_to_head(state: State, schema: Schema) -> None:
    # A migration may move rows of every tenant.
    with state.of(EVERY_TENANT)._transaction(is_writing=True) as connection:  # noqa: SLF001 (a retry would hide a broken migration)
        if connection.dialect.name == "postgresql":  # SQLite's writers take their turn anyway
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        revision = read_revision(connection)
        if revision is None:
            schema.create(connection)
            write_revision(connection, schema.head)
        elif revision == INCOMPLETE:
            raise StateIncomplete(
                f"A copy into the state database {state.address} was begun and not finished.",
                subject=state.address,
                remedy="Repeat `tieout state copy`; it starts over.",
            )
        elif revision not in schema.revisions:
            raise StateIsNewer(
                f"The state database {state.address} has revision {revision}; this program knows {schema.head} and "
                "older.",
                subject=state.address,
                remedy="Use the version of tieout that wrote it, or a later one.",
            )
        elif revision != schema.head:
            schema.upgrade(connection)


def read_revision(connection: Connection) -> str | None:
    """Return the revision that the database says it has; None for one that is new."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))


def write_revision(connection: Connection, revision: str) -> None:
    """Let the database say that it has `revision`."""
    _version.create(connection, checkfirst=True)
    connection.execute(delete(_version))
    connection.execute(insert(_version).values(version_num=revision))


def _parse(url: str) -> URL:
    if url.startswith(_SQLITE):
        return URL.create("sqlite", database=url.removeprefix(_SQLITE))
    try:
        address = make_url(url)
    except ArgumentError:
        address = None
    if address is None or address.get_backend_name() != "postgresql":
        # The text itself stays out of the message: it may hold a password.
        raise StateUnavailable(
            "The address of the state database is neither SQLite nor PostgreSQL.",
            remedy="Use sqlite:////absolute/path/state.db or postgresql://user:password@host/database.",
        )
    return address.set(drivername="postgresql+psycopg")


def _engine(address: URL) -> Engine:
    to_text = partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if address.get_backend_name() == "sqlite":
        return _sqlite_engine(address, to_text)
    return _postgresql_engine(address, to_text)


def _postgresql_engine(address: URL, to_text: Callable[[Any], str]) -> Engine:
    waits = {} if "connect_timeout" in address.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        # Not that nothing is in a transaction: the driver leaves the beginning of each to _begin_postgresql.
        engine = create_engine(address, json_serializer=to_text, isolation_level="AUTOCOMMIT", connect_args=waits)
    except ModuleNotFoundError as error:
        raise StateUnavailable(
            "The state database is PostgreSQL, and its driver is not installed.",
            subject=address.render_as_string(hide_password=True),
            remedy="Install it with: pip install 'psycopg[binary]'.",
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    event.listen(engine, "do_execute", _send_beginning)
    return engine


def _sqlite_engine(address: URL, to_text: Callable[[Any], str]) -> Engine:
    folder = Path(address.database or "").parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unavailable(address.render_as_string(), error) from error
    engine = create_engine(address, json_serializer=to_text, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver starts no transaction of its own; _begin_sqlite does
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: what was reported as published must survive a power cut, not only a crash of the process.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts as a reader and then writes fails at once when another wrote in between, whatever
    # the timeout; one that says so at the start waits for its turn.
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    # One message, so that a transaction costs a round trip less. A setting takes no bound parameter: the driver quotes.
    from psycopg.sql import quote  # noqa: PLC0415 (only where the state is PostgreSQL)

    options = connection.get_execution_options()
    isolation = options.get("isolation")
    level = f" isolation level {isolation}" if isolation else ""
    # A writer that was stopped in the midst would hold its locks, and all who wait for them, for as long as it stands.
    bound = f"; set local idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'"
    tenant = quote(options.get("tenant", ""))
    connection.exec_driver_sql(
        f"{_BEGIN}{level}; set local tieout.tenant = {tenant}{bound if options.get('is_writing') else ''}"
    )


def _send_beginning(cursor: Any, statement: str, _values: Any, _context: Any) -> bool:
    """Keep the driver from preparing the message that begins a transaction: it holds several statements."""
    if not statement.startswith(_BEGIN):
        return False
    cursor.execute(statement, prepare=False)
    return True


def _unavailable(address: str, error: Exception) -> StateUnavailable:
    cause = error.orig if isinstance(error, DatabaseError) else error
    kind = StateDeadlocked if getattr(cause, "sqlstate", None) == _DEADLOCK else StateUnavailable
    return kind(
        f"The state database {address} cannot be used: {cause}.",
        subject=address,
        remedy="Check TIEOUT_STATE, the permissions of its folder and the free space on its disk.",
    )
