"""What is wrong with an installation, and what to do: the checks of `tieout doctor`. They change nothing."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from tieout.control.access.actions.signing import read_secrets
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.core.sealing import KEY_FILE
from tieout.core.settings import Settings
from tieout.store.guards import EVERY_TENANT
from tieout.store.kits import open_kit_storage
from tieout.store.state import SCHEMA, State, connect_state, read_revision
from tieout.work.gauges import count_jobs
from tieout.work.jobs.steps import SCHEMA as STEPS_SCHEMA
from tieout.work.slots import list_workers

Verdict = Literal["ok", "warn", "fail"]

PYTHON = (3, 11)
SQLITE = (3, 35)
POSTGRESQL = 13
LOW_DISK_BYTES = 1024**3
NO_DISK_BYTES = 100 * 1024**2
SKEW_S = 2.0
MAX_SKEW_S = 30.0
_MIB = 1024**2


@dataclass(frozen=True)
class Finding:
    """What one check found; `remedy` says what to do where that is not nothing."""

    check: str
    verdict: Verdict
    says: str
    remedy: str = ""


def examine_installation(settings: Settings, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Give a finding for each thing that can be looked at; what cannot be is left out, and why was said before."""
    yield from _versions()
    folder = _folder(settings.data_dir)
    yield folder
    if folder.verdict != "fail":
        yield _disk(settings.data_dir)
    yield _key_file(settings)
    yield _kits(settings)
    is_there = (
        not settings.state_url.startswith("sqlite") or Path(settings.state_url.removeprefix("sqlite:///")).exists()
    )
    if not is_there:
        yield Finding("state", "fail", "there is no state database yet", "Run: tieout init.")
        return
    state = connect_state(settings.state_url)
    try:
        yield from _state(settings, state, now)
    finally:
        state.close()


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield _version("python", python, is_ok=sys.version_info >= PYTHON, least=PYTHON)
    yield _version("sqlite", sqlite3.sqlite_version, is_ok=sqlite3.sqlite_version_info >= SQLITE, least=SQLITE)
    yield _version("duckdb", duckdb.__version__, is_ok=duckdb.__version__.startswith("2."), least=(2, 0))


def _version(name: str, found: str, *, is_ok: bool, least: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, least))
    return Finding(name, "ok" if is_ok else "fail", found, "" if is_ok else f"Install {wanted} or later.")


def _folder(path: Path) -> Finding:
    try:
        found = path.stat()
    except FileNotFoundError:
        return Finding("data folder", "fail", f"{path} does not exist", "Run: tieout init.")
    except OSError as error:
        return Finding("data folder", "fail", f"{path}: {error.strerror}", "Let this account use the folder.")
    probe = path / ".doctor"
    try:
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        return Finding("data folder", "fail", f"{path} cannot be written: {error.strerror}", f"chown it: chown {path}.")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("data folder", "warn", f"{path} is open to other accounts", f"Run: chmod 700 {path}.")
    return Finding("data folder", "ok", str(path))


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    verdict: Verdict = "fail" if free < NO_DISK_BYTES else "warn" if free < LOW_DISK_BYTES else "ok"
    remedy = "" if verdict == "ok" else "Free some space: a full disk refuses files, jobs and sign-ins."
    return Finding("disk", verdict, f"{free // _MIB} MiB free", remedy)


def _key_file(settings: Settings) -> Finding:
    if settings.secret_key:
        return Finding("key", "ok", "set by TIEOUT_SECRET_KEY")
    path = settings.data_dir / KEY_FILE
    try:
        mode = path.stat().st_mode
        path.read_bytes()
    except FileNotFoundError:
        return Finding("key", "fail", f"{path} does not exist", "Run: tieout init, or put the key back.")
    except OSError as error:
        return Finding("key", "fail", f"{path} cannot be read: {error.strerror}", "Let this account alone read it.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("key", "warn", f"{path} is open to other accounts", f"Run: chmod 600 {path}.")
    return Finding("key", "ok", str(path))


def _kits(settings: Settings) -> Finding:
    try:
        says = open_kit_storage(settings).check()
    except TieoutError as error:
        return Finding("dispute kits", "fail", error.what, error.remedy)
    if settings.dispute_storage == "memory":
        return Finding("dispute kits", "warn", says, "Set VRA_DISPUTE_STORAGE=fs or s3, so that evidence stays.")
    return Finding("dispute kits", "ok", says)


def _state(settings: Settings, state: State, now: Callable[[], datetime]) -> Iterator[Finding]:
    everywhere = state.of(EVERY_TENANT)
    try:
        with everywhere.reading() as connection:
            revision = read_revision(connection)
    except (TieoutError, DBAPIError) as error:
        remedy = "Start the database, or check TIEOUT_STATE."
        yield Finding("state", "fail", f"{state.address} does not answer ({type(error).__name__})", remedy)
        return
    yield Finding("state", "ok", state.address)
    yield _migrations(revision)
    with everywhere.reading() as connection:
        if state.is_postgresql:
            yield from _postgresql(connection, now)
        else:
            mode = str(connection.scalar(text("pragma journal_mode")))
            is_wal = mode == "wal"
            remedy = "" if is_wal else "Put the data folder on a local disk: a network share has no WAL."
            yield Finding("journal", "ok" if is_wal else "warn", mode, remedy)
    if revision == SCHEMA.head:
        yield _secrets(Platform(settings, state, now))
        with everywhere.reading() as connection:
            yield _workers(connection, now())
            yield _dead_letters(connection)


def _migrations(revision: str | None) -> Finding:
    if revision == SCHEMA.head:
        return Finding("migrations", "ok", f"at {revision}")
    if revision is None or revision in SCHEMA.revisions:
        return Finding("migrations", "warn", f"at {revision or 'none'} of {SCHEMA.head}", "Run: tieout migrate.")
    remedy = "Use the version of tieout that wrote it, or a later one."
    return Finding("migrations", "fail", f"at {revision}, which this program does not know", remedy)


def _postgresql(connection: Connection, now: Callable[[], datetime]) -> Iterator[Finding]:
    version = str(connection.scalar(text("show server_version")))
    is_new = int(version.split(".", maxsplit=1)[0].split(maxsplit=1)[0]) >= POSTGRESQL
    yield Finding("postgresql", "ok" if is_new else "fail", version, "" if is_new else f"Use {POSTGRESQL} or later.")
    role, is_above = connection.execute(
        text("select rolname, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
    ).one()
    remedy = "Let tieout use a role of its own that is no superuser and has no BYPASSRLS." if is_above else ""
    says = f"{role} is above row-level security: only the code keeps tenants apart" if is_above else role
    yield Finding("role", "warn" if is_above else "ok", says, remedy)
    yield _schema_of_steps(connection)
    before, there, after = now(), connection.scalar(text("select clock_timestamp()")), now()
    skew_s = (
        0.0
        if there is None or before <= there <= after
        else min(abs(there - before), abs(there - after)).total_seconds()
    )
    verdict: Verdict = "fail" if skew_s > MAX_SKEW_S else "warn" if skew_s > SKEW_S else "ok"
    remedy = "" if verdict == "ok" else "Let both machines keep their clocks by NTP."
    yield Finding("clock", verdict, f"{skew_s:.1f} s from the database's", remedy)


def _schema_of_steps(connection: Connection) -> Finding:
    """Look whether a worker can keep the steps of long jobs, for which it makes a schema when it first starts."""
    may_use, may_make = connection.execute(
        text(
            "select (select has_schema_privilege(oid, 'CREATE') from pg_namespace where nspname = :schema), "
            "has_database_privilege(current_database(), 'CREATE')"
        ),
        {"schema": STEPS_SCHEMA},
    ).one()
    if may_use or (may_use is None and may_make):
        return Finding("steps", "ok", f"schema {STEPS_SCHEMA}" if may_use else f"schema {STEPS_SCHEMA} can be made")
    says = f"schema {STEPS_SCHEMA} is another role's" if may_use is False else f"schema {STEPS_SCHEMA} cannot be made"
    database = str(connection.scalar(text("select current_database()")))
    role = str(connection.scalar(text("select current_user")))
    remedy = (
        f"As its owner: grant all on schema {STEPS_SCHEMA} to {role}."
        if may_use is False
        else f"As the owner of the database: grant create on database {database} to {role}."
    )
    return Finding("steps", "fail", f"{says}: no worker can start", remedy)


def _secrets(platform: Platform) -> Finding:
    try:
        number = len(read_secrets(platform))
    except TieoutError as error:
        return Finding("sealed secrets", "fail", error.what, error.remedy)
    return Finding("sealed secrets", "ok", f"{number} can be opened" if number else "none yet")


def _workers(connection: Connection, now: datetime) -> Finding:
    alive = [one.slot for one in list_workers(connection) if one.is_alive(now)]
    if alive:
        return Finding("workers", "ok", f"{len(alive)} alive: {', '.join(alive)}")
    return Finding("workers", "warn", "none has a fresh heartbeat", "Run: tieout serve, or tieout serve --role worker.")


def _dead_letters(connection: Connection) -> Finding:
    number = sum(many for (_, status), many in count_jobs(connection).items() if status == "failed")
    if not number:
        return Finding("dead letters", "ok", "none")
    return Finding(
        "dead letters", "warn", f"{number} jobs failed for good", "See them: tieout jobs list --status failed."
    )
