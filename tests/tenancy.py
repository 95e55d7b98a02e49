"""A watch on every statement of the product: one that reads or changes rows of a tenant says which tenant.

PostgreSQL enforces that by itself; SQLite does not, so the code has to. Statements of a transaction of every tenant
(`Platform.all_tenants`) are for the platform itself and are let through, as is what a test asks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sqlalchemy import Column, Delete, Engine, Select, Table, TextClause, Update, event
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter
from sqlalchemy.sql.selectable import Alias

from tieout.store.guards import EVERY_TENANT
from tieout.store.tables import is_of_a_tenant, metadata

SOURCE = str(Path(__file__).parents[1] / "src" / "tieout")
OF_TENANTS = {table.name for table in metadata.sorted_tables if is_of_a_tenant(table)}
_NAMES = re.compile(r"\b(?:from|join|update|into)\s+(\w+)", re.IGNORECASE)


class TenantForgotten(AssertionError):
    """A statement goes over rows of tenants and names none."""


def watch(engine: Engine, seen: list[str] | None = None) -> None:
    """Raise TenantForgotten from now on; count in `seen` the tables of tenants that were asked."""

    @event.listens_for(engine, "before_execute")
    def check(connection, statement, _multiparams, _params, options):
        chosen = {**connection.get_execution_options(), **options}
        if chosen.get("tenant") == EVERY_TENANT or not _is_of_the_product():
            return
        tables, forgotten = judge(statement)
        if seen is not None:
            seen.extend(tables)
        if forgotten:
            whose = chosen.get("tenant")
            raise TenantForgotten(f"{sorted(forgotten)} without a tenant, in a transaction of {whose!r}:\n{statement}")


def judge(statement) -> tuple[set[str], set[str]]:
    """Return the tables of tenants that a statement goes over, and those of them without a condition on the tenant."""
    if isinstance(statement, TextClause):
        tables = OF_TENANTS.intersection(_NAMES.findall(statement.text))
        return tables, tables if not re.search(r"\btenant\s*=", statement.text) else set()
    if not isinstance(statement, (Select, Update, Delete)):
        return set(), set()
    parts = list(visitors.iterate(statement))
    froms = dict(found for part in parts if (found := _table_in(part)))
    if isinstance(statement, (Update, Delete)):
        froms[_key(statement.table)] = statement.table.name
    tables = {key: name for key, name in froms.items() if name in OF_TENANTS}
    named = _tables_with_tenant(parts)
    return set(tables.values()), {name for key, name in tables.items() if key not in named}


def _table_in(part):
    if isinstance(part, Column):
        part = part.table
    return (_key(part), _name_of(part)) if isinstance(part, (Table, Alias)) else None


def _tables_with_tenant(parts):
    """Return the tables whose tenant is compared with a value, or with the tenant of a table whose tenant is."""
    links, named = [], set()
    for part in parts:
        if isinstance(part, BinaryExpression) and part.operator in {operators.eq, operators.in_op}:
            left, right = _tenant_of(part.left), _tenant_of(part.right)
            if left and right:
                links.append({left, right})
            elif left or (right and isinstance(part.left, BindParameter)):
                named.add(left or right)
    for _ in links:
        for link in links:
            if link & named:
                named |= link
    return named


def _key(selectable):
    return id(selectable)


def _name_of(selectable):
    return getattr(getattr(selectable, "element", selectable), "name", None)


def _tenant_of(side):
    is_tenant = isinstance(side, Column) and side.name == "tenant" and side.table is not None
    return _key(side.table) if is_tenant and _name_of(side.table) in OF_TENANTS else None


def _is_of_the_product() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if "sqlalchemy" not in path and path != __file__ and not path.startswith("<"):
            return path.startswith(SOURCE)
        frame = frame.f_back
    return False
