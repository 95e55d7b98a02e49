"""Tables and views of a DuckDB connection, made in the place of what had their name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import duckdb

from tieout.store.statements import execute

RelationForm = Literal["table", "view"]


def replace_relation(
    con: duckdb.DuckDBPyConnection,
    form: RelationForm,
    name: str,
    query: str,
    values: Mapping[str, object] | None = None,
) -> int:
    """Create a table or a view in the place of whatever had its name, and return the rows of a table.

    DuckDB itself replaces a relation only by its like.
    """
    create = creation_of(form, name, query)
    try:
        made = execute(con, create, values).fetchall()
    except duckdb.CatalogException:  # Rare, and to ask beforehand takes longer than to make a view.
        other = "view" if form == "table" else "table"
        asked = f"select 1 from duckdb_{other}s() where {other}_name = ? and not temporary"
        if not con.execute(asked, [name]).fetchone():
            raise
        con.execute(f'drop {other} "{name}"')
        made = execute(con, create, values).fetchall()
    return int(made[0][0]) if made else 0


def creation_of(form: RelationForm, name: str, query: str) -> str:
    """Return the statement that makes a relation in the place of its like."""
    return f'create or replace {form} "{name}" as {query}'
