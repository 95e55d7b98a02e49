"""A PostgreSQL server of the tests' own: on loopback, on a free port, as a user that is not root, gone with them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROLE = "tieout"
PASSWORD = "only-for-tests"  # noqa: S105 - of a server that lives as long as the tests and hears loopback alone
_TRIES = 3


_SHAPE = """
    select string_agg(said, '; ' order by said) from (
        select format('%s.%s %s %s', n.nspname, c.relname, c.relkind, c.relforcerowsecurity) as said
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_|^information_schema$'
        union all select format('%s %s %s', tgrelid::regclass, tgname, tgenabled) from pg_trigger
        union all select format('%s %s', polrelid::regclass, pg_get_expr(polqual, polrelid)) from pg_policy
        union all select nspname from pg_namespace where nspname !~ '^pg_'
        union all select format('%s %s %s', attrelid::regclass, attname, atttypid::regtype) from pg_attribute
        where attrelid::regclass::text !~ '^pg_|^information_schema' and attnum > 0
    ) as told
"""
_END_OTHERS = """
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""
_EMPTY = """
    do $$
    declare name text;
    begin
        set local session_replication_role = replica;
        for name in select tablename from pg_tables where schemaname = 'public' and tablename <> 'alembic_version' loop
            execute format('delete from %I', name);
        end loop;
        for name in select sequencename from pg_sequences where schemaname = 'public' loop
            execute format('alter sequence %I restart', name);
        end loop;
    end $$
"""


@dataclass(frozen=True)
class Postgres:
    """A running server; `url` names databases as the program does, for a role that is no superuser."""

    port: int
    folder: Path
    _numbers: Iterator[int]
    _free: list[str] = field(default_factory=list)
    _shapes: dict[str, str] = field(default_factory=dict)

    def url(self, database: str) -> str:
        return f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """Make an empty database, or a copy of `template`, and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.run(f"create database {name} owner {ROLE} template {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self.run(f"drop database if exists {url.rsplit('/', 1)[1]} with (force)")

    def lend(self, template: str) -> str:
        """Return the URL of an empty copy of `template`: one that was given back, if there is one."""
        return self._free.pop() if self._free else self.new_database(template)

    def take_back(self, url: str, template: str) -> None:
        """Empty a database that was lent, for the next test; drop it where its schema is not what it was.

        Emptying takes a tenth of the time of making one.
        """
        name = url.rsplit("/", 1)[1]
        with self._connection(name) as connection:
            connection.execute(_END_OTHERS)
            [(shape,)] = connection.execute(_SHAPE).fetchall()
            is_as_it_was = shape == self._shape_of(template)
            if is_as_it_was:
                connection.execute(_EMPTY)
        if is_as_it_was:
            self._free.append(url)
        else:
            self.drop_database(url)

    def _shape_of(self, template: str) -> str:
        if template not in self._shapes:
            [(self._shapes[template],)] = self.run(_SHAPE, template)
        return self._shapes[template]

    @contextmanager
    def _connection(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        address = f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD} dbname={database}"
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser; return its rows."""
        with self._connection(database) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def stop(self, *, how: str = "fast") -> None:
        self._control("stop", "-m", how)

    def start(self) -> None:
        self._control("start", "-l", str(self.folder / "log"))

    def _control(self, verb: str, *options: str) -> None:
        command = [_program("pg_ctl"), verb, "-w", "-t", "60", "-D", str(self.folder / "data"), *options]
        done = _as_owner(command, self.folder)
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"pg_ctl {verb}: {done.stdout}{done.stderr}\n{log.read_text() if log.exists() else ''}")


def is_installed() -> bool:
    try:
        _program("initdb")
    except FileNotFoundError:
        return False
    return True


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tieout-pg-"))
    try:
        _own(folder)
        password = folder / "password"
        password.write_text(PASSWORD)
        _own(password)
        made = _as_owner(
            [
                _program("initdb"),
                "-D",
                str(folder / "data"),
                "-U",
                "postgres",
                "-A",
                "scram-sha-256",
                "--pwfile",
                str(password),
                "-E",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
            ],
            folder,
        )
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stdout}{made.stderr}")
        server = _start(folder)
        try:
            server.run(f"create role {ROLE} login password '{PASSWORD}'")
            yield server
        finally:
            server.stop(how="immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> Postgres:
    for attempt in range(_TRIES):
        server = Postgres(_free_port(), folder, count(1))
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": server.port,
            "unix_socket_directories": f"'{folder}'",
            "max_connections": 200,
            "fsync": "off",  # what a power cut would do to a database of a test is nobody's concern
            "max_wal_size": "'256MB'",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (folder / "data" / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")
        try:
            server.start()
        except RuntimeError:  # another process may have taken the port in between
            if attempt == _TRIES - 1:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program(name: str) -> str:
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *os.get_exec_path()]:
        path = Path(folder) / name
        if os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(name)


def _owner() -> pwd.struct_passwd | None:
    """Return whose server it is: the account itself, unless that is root, as which PostgreSQL does not run."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is no account postgres or nobody.")


def _own(path: Path) -> None:
    if owner := _owner():
        os.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(0o700 if path.is_dir() else 0o600)


def _as_owner(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    owner = _owner()
    whom = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder), "TZ": "UTC"}
    out, err = folder / "out", folder / "err"  # files, for the server keeps a pipe open that pg_ctl was given
    with out.open("w") as to_out, err.open("w") as to_err:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=to_out, stderr=to_err, check=False, **whom)
    return subprocess.CompletedProcess(command, done.returncode, out.read_text(), err.read_text())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of a process."""
    if not is_installed():
        pytest.skip("PostgreSQL is not installed; on Debian or Ubuntu: apt install postgresql")
    with running_postgres() as server:
        yield server
