"""Tenants, users and keys for a test, with valid defaults."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import insert, select

from tieout.control.access.actions.keys import create_key
from tieout.control.access.actions.roles import assign_role, create_default_roles
from tieout.control.access.actions.users import NewUser, create_user
from tieout.control.access.caller import Caller
from tieout.control.access.passwords import hash_password
from tieout.core.actor import Actor
from tieout.store.tables import audit_events, metadata
from tieout.store.tables import tenant as tenants

PASSWORD = "correct horse battery"  # noqa: S105 - of people who exist in tests alone
HERE = Actor("anonymous", ip_address="203.0.113.9", user_agent="browser", request_id="r-1")
OPERATOR = Actor("account:ann")


@cache
def hash_of_password():
    return hash_password(PASSWORD)


def add_tenant(platform, tenant="t1", *, alias=None, status="active"):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    row = {
        "tenant": tenant,
        "name": tenant,
        "alias": alias or tenant,
        "status": status,
        "time_zone": "UTC",
        "created_us": now,
        "updated_us": now,
    }

    def add(connection):
        connection.execute(insert(tenants).values(row))
        return create_default_roles(connection, tenant, now)

    return platform.of(tenant).write(add)


def set_tenant_status(platform, tenant, status):
    platform.of(tenant).write(
        lambda connection: connection.execute(tenants.update().where(tenants.c.tenant == tenant).values(status=status))
    )


def add_person(platform, tenant="t1", email="ann@example.com", role="business_owner", *, roles=None):
    """Make a user with the password PASSWORD; `roles` are the ids by name that `add_tenant` returned."""

    def add(connection):
        now = platform.now()
        ids = roles or create_default_roles(connection, tenant, now)
        user = create_user(connection, tenant, NewUser(email, "Ann", "Lee", password_hash=hash_of_password()), now)
        if role:
            assign_role(connection, tenant, user.user_id, ids[role], now)
        return user

    return platform.of(tenant).write(add)


def caller(tenant="t1", *permissions):
    return Caller(tenant, OPERATOR, permissions or ("*",))


def key_header(platform, tenant="t1", *permissions, **options):
    made = create_key(platform, caller(tenant), "a key", permissions or ("*",), **options)
    return {"Authorization": f"Bearer {made.text}"}


def log_in(client, email="ann@example.com", word=PASSWORD, **more):
    return client.post("/v1/auth/login", json={"email": email, "password": word, **more})


def token_header(client, email="ann@example.com", **more):
    answer = log_in(client, email, **more)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['data']['tokens']['accessToken']}"}


def trail(platform, tenant="t1"):
    """Return (action, delta) of each audit event of a tenant, in order."""
    with platform.of(tenant).reading() as connection:
        asked = select(audit_events).where(audit_events.c.tenant == tenant).order_by(audit_events.c.seq)
        return [(row.action, row.delta) for row in connection.execute(asked)]


def everything(platform):
    """Return all that the state database holds, as text."""
    with platform.all_tenants.reading() as connection:
        tables = metadata.sorted_tables
        return "\n".join(str(row) for table in tables for row in connection.execute(select(table)))


def run_all(calls):
    """Run calls at the same time, each in a thread, to their end; a fault in one is raised."""
    gate, faults = threading.Barrier(len(calls)), []

    def run(call):
        gate.wait(10)
        try:
            call()
        except BaseException as fault:  # noqa: BLE001 - raised below
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
        assert not one.is_alive(), "it waits for ever"
    if faults:
        raise faults[0]
