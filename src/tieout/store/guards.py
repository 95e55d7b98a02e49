"""What the database itself enforces beside the code: each tenant's rows are its own, and the audit trail only grows.

The tenant of a transaction is the setting `tieout.tenant` (see State). Row-level security exists in PostgreSQL alone;
a superuser is above it, so `tieout doctor` warns of one. The triggers of the audit trail exist in both databases.
"""

from __future__ import annotations

from sqlalchemy import Connection

EVERY_TENANT = "*"
"""Stands for a transaction of the platform itself, such as the sweep, the scheduler or a sign-in."""

_OWN_ROWS = "tenant = current_setting('tieout.tenant', true) or current_setting('tieout.tenant', true) = '*'"
_ONLY_GROWS = "audit events are only added, never changed or deleted"


def keep_tenants_apart(connection: Connection, table: str) -> None:
    """Let a transaction see and write the rows of `table` that belong to its tenant, and no others."""
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",  # the owner of a table is above the policies otherwise
        f"create policy own_rows on {table} using ({_OWN_ROWS}) with check ({_OWN_ROWS})",
    ):
        connection.exec_driver_sql(statement)


def only_add(connection: Connection, table: str) -> None:
    """Refuse to change or delete a row of `table`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"create function {table}_only_grows() returns trigger language plpgsql as "
            f"$$ begin raise exception '{_ONLY_GROWS}'; end $$"
        )
        connection.exec_driver_sql(
            f"create trigger only_grows before update or delete or truncate on {table} "
            f"for each statement execute function {table}_only_grows()"
        )
        return
    for verb in ("update", "delete"):
        connection.exec_driver_sql(
            f"create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{_ONLY_GROWS}'); end"
        )


def stop_only_adding(connection: Connection, table: str) -> None:
    """Drop what `only_add` leaves behind when `table` is dropped."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"drop function if exists {table}_only_grows()")
