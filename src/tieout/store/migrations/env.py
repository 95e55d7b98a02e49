# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""How Alembic runs the migrations: inside the transaction of the connection that it is handed."""

from __future__ import annotations

from alembic import context

from tieout.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
