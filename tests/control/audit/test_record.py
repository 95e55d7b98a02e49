from __future__ import annotations

import threading
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.control.audit.trails import ANN, NOW, note
from tieout.control.audit.actions import Entry, record
from tieout.control.audit.rules import START, AuditEvent, hash_of
from tieout.store.tables import audit_events, audit_heads


def trail(state, tenant="a"):
    with state.of(tenant).reading() as connection:
        found = connection.execute(select(audit_events).where(audit_events.c.tenant == tenant).order_by("seq"))
        return [AuditEvent(**row) for row in found.mappings()]


def test_an_event_says_who_did_what_to_what_from_where(state):
    event_id = note(state, delta={"name": {"from": "x", "to": "y"}})
    (event,) = trail(state)
    assert (event.id, event.seq, event.prev_hash) == (event_id, 1, START)
    assert (event.user_id, event.actor, event.ip_address) == ("ann", "user:ann", "203.0.113.9")
    assert (event.user_agent, event.request_id, event.created_at) == ("browser", "r-1", NOW)
    assert event.delta == {"name": {"from": "x", "to": "y"}}


def test_events_of_a_tenant_form_a_chain_of_their_own(state):
    for tenant in ("a", "b", "a", "a"):
        note(state, tenant)
    first, second, third = trail(state)
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert [second.prev_hash, third.prev_hash] == [first.hash, second.hash]
    assert [event.seq for event in trail(state, "b")] == [1]
    with state.of("a").reading() as connection:
        head = connection.execute(select(audit_heads).where(audit_heads.c.tenant == "a")).one()
    assert (head.seq, head.hash) == (3, third.hash)


def test_what_is_read_back_has_the_hash_that_was_written(state):
    note(
        state,
        entity_id="a\0b\ud800",
        delta={
            "big": 2**60,
            "amount": Decimal("1.10"),
            "at": NOW,
            "many": [1.5, -0.0, None, True],
            "u": UUID(int=1),
            "z": "é\0😀",
        },
    )
    (event,) = trail(state)
    assert event.hash == hash_of(event)
    assert event.entity_id == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert event.delta["big"] == str(2**60)
    assert event.delta["amount"] == "1.10"
    assert event.delta["at"] == "2026-03-01T12:00:00+00:00"


def test_an_event_stands_or_falls_with_its_transaction(state):
    def fail(connection):
        record(connection, "a", ANN, Entry("m", "m.done", "thing", "7"), now=NOW)
        raise RuntimeError

    note(state)
    with pytest.raises(RuntimeError):
        state.of("a").write(fail)
    note(state)
    assert [event.seq for event in trail(state)] == [1, 2]


def test_writers_at_once_leave_no_gap_and_no_fork(state):
    start, faults = threading.Barrier(4), []

    def write():
        start.wait()
        try:
            for _ in range(10):
                note(state)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the test names it
            faults.append(fault)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = trail(state)
    assert not faults
    assert [event.seq for event in events] == list(range(1, 41))
    assert [event.prev_hash for event in events] == [START, *(event.hash for event in events[:-1])]


def test_the_hash_has_not_changed_since_the_first_release():
    event = AuditEvent(
        "a", "id", 1, None, "system:x", "m", "m.done", "thing", "7", {"b": 1, "a": "é"}, None, None, None, NOW, START
    )
    assert hash_of(event) == "fc326429dc50e066964ff194852a8c00e72ee9c789284b19a6c5a747c65b3a37"
