"""Trails for tests, and the means to tamper with them that only a superuser has."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import psycopg

from tests.postgres import PASSWORD
from tieout.control.audit.actions import Entry, record
from tieout.core.actor import Actor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = Actor("user:ann", user_id="ann", ip_address="203.0.113.9", user_agent="browser", request_id="r-1")


def note(state, tenant="a", delta=None, *, now=NOW, actor=ANN, **changed):
    said = {"module": "m", "action": "m.done", "entity_type": "thing", "entity_id": "7", **changed}
    entry = Entry(**said, delta=delta or {})
    return state.of(tenant).write(lambda connection: record(connection, tenant, actor, entry, now=now))


def a_trail(state, count=5, tenant="a"):
    """Write events 1 to `count`, a minute apart."""

    def write(connection):
        for number in range(1, count + 1):
            entry = Entry("m", "m.done", "thing", str(number), {"number": number})
            record(connection, tenant, ANN, entry, now=NOW + timedelta(minutes=number))

    state.of(tenant).write(write)


def tamper(state_url, *statements):
    """Run statements past the guards of the database: the triggers gone, as the superuser where there is one."""
    if state_url.startswith("sqlite"):
        with sqlite3.connect(state_url.removeprefix("sqlite:///")) as raw:
            for verb in ("update", "delete"):
                raw.execute(f"drop trigger if exists audit_events_no_{verb}")
            for statement in statements:
                raw.execute(statement)
        raw.close()
        return
    address = state_url.replace("tieout:", "postgres:", 1).replace("only-for-tests", PASSWORD)
    with psycopg.connect(address) as raw:
        raw.execute("alter table audit_events disable trigger only_grows")
        for statement in statements:
            raw.execute(statement)
