"""Every statement on breakers."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tieout.store.tables import breaker
from tieout.work.breaker.rules import Breaker


def find(connection: Connection, integration: str) -> Breaker:
    """Return the breaker of an integration: closed, where nothing is known."""
    row = connection.execute(select(breaker).where(breaker.c.integration == integration)).first()
    return Breaker(integration) if row is None else Breaker(**row._asdict())


def lock(connection: Connection, values: Breaker) -> Breaker:
    """Return the breaker that `values` names, locked until the transaction ends; `values` itself where it is new."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(make(breaker).values(asdict(values)).on_conflict_do_nothing())
    row = connection.execute(select(breaker).where(breaker.c.integration == values.integration).with_for_update()).one()
    return Breaker(**row._asdict())


def save(connection: Connection, changed: Breaker) -> None:
    """Write a breaker that is locked."""
    connection.execute(update(breaker).where(breaker.c.integration == changed.integration).values(asdict(changed)))


def list_all(connection: Connection) -> list[Breaker]:
    """List the breakers."""
    return [Breaker(**row._asdict()) for row in connection.execute(select(breaker).order_by(breaker.c.integration))]
