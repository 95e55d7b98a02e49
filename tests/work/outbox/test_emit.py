from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.work.outbox.builders import NOW, an_endpoint, deliveries, events, tell
from tieout.store.guards import EVERY_TENANT
from tieout.store.tables import event_delivery
from tieout.work.outbox.actions import Event, emit, purge
from tieout.work.outbox.rules import is_wanted


def test_an_event_is_a_cloud_event_with_the_payload_of_the_contract(state):
    event_id = tell(state, total="12.50")
    (event,) = events(state)
    assert event.payload == {
        "specversion": "1.0",
        "id": event_id,
        "source": "/tieout",
        "type": "pos.ticket.settled",
        "subject": "7",
        "time": "2026-03-01T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "tenant": "a",
        "data": {
            "event_id": event_id,
            "tenant_id": "a",
            "entity_id": "7",
            "version": 1,
            "occurred_at": "2026-03-01T12:00:00.000000Z",
            "data": {"total": "12.50"},
        },
    }


def test_versions_count_from_one_for_each_entity_of_each_tenant(state):
    for tenant, entity_id in (("a", "7"), ("a", "8"), ("a", "7"), ("b", "7")):
        tell(state, tenant=tenant, entity_id=entity_id)
    assert [(event.entity_id, event.version) for event in events(state)] == [("7", 1), ("8", 1), ("7", 2)]
    assert [(event.entity_id, event.version) for event in events(state, "b")] == [("7", 1)]


def test_transactions_at_once_give_an_entity_each_version_once_and_in_order_of_their_numbers(state):
    start, faults = threading.Barrier(6), []

    def write():
        start.wait()
        try:
            for _ in range(8):
                tell(state)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the test names it
            faults.append(fault)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert [event.version for event in events(state)] == list(range(1, 49))


def test_an_event_stands_or_falls_with_its_transaction(state):
    an_endpoint(state)

    def fail(connection):
        emit(connection, "a", Event("pos.ticket.settled", "7"), now=NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        state.of("a").write(fail)
    assert events(state) == []
    assert deliveries(state) == []


def test_each_enabled_endpoint_of_the_tenant_that_wants_the_type_gets_it(state):
    an_endpoint(state, "all")
    an_endpoint(state, "pos", event_types=["billing.invoice.paid", "pos.*"])
    an_endpoint(state, "billing", event_types=["billing.*"])
    an_endpoint(state, "off", is_enabled=False)
    an_endpoint(state, "all", tenant="b")
    tell(state)
    assert [(one.endpoint_id, one.status, one.retries) for one in deliveries(state)] == [
        ("all", "pending", 0),
        ("pos", "pending", 0),
    ]
    assert deliveries(state, "b") == []


@pytest.mark.parametrize(
    ("pattern", "event_type", "is_so"),
    [
        ("*", "pos.ticket.settled", True),
        ("pos.*", "pos.ticket.settled", True),
        ("pos.ticket.*", "pos.ticket.settled", True),
        ("pos.ticket.settled", "pos.ticket.settled", True),
        ("pos.*", "position.closed", False),
        ("pos", "pos.ticket.settled", False),
        ("*.settled", "pos.ticket.settled", False),
    ],
)
def test_a_pattern_names_a_type_or_all_that_begin_alike(pattern, event_type, is_so):
    assert is_wanted([pattern], event_type) is is_so


def test_events_that_everybody_had_are_deleted_but_the_last_of_each_thing(state):
    an_endpoint(state)
    for entity_id in ("7", "8", "7", "7"):
        tell(state, entity_id=entity_id)
    first, second, *_ = deliveries(state)
    on_all(state, lambda connection: purge(connection, NOW + timedelta(days=1), 100), gives=0)  # all are waited for
    settle(state, [first, second], "dispatched")
    settle(state, deliveries(state)[2:], "failed")
    on_all(state, lambda connection: purge(connection, NOW, 100), gives=0)  # none is older
    on_all(state, lambda connection: purge(connection, NOW + timedelta(days=1), 100), gives=1)
    assert [(event.entity_id, event.version) for event in events(state)] == [("8", 1), ("7", 2), ("7", 3)]
    assert first.delivery_id not in {one.delivery_id for one in deliveries(state)}
    settle(state, deliveries(state), "canceled")
    on_all(state, lambda connection: purge(connection, NOW + timedelta(days=1), 100), gives=1)
    tell(state, entity_id="7")
    assert [(event.entity_id, event.version) for event in events(state)] == [("8", 1), ("7", 3), ("7", 4)]


def on_all(state, action, *, gives):
    assert state.of(EVERY_TENANT).write(action) == gives


def settle(state, those, status):
    ids = [one.delivery_id for one in those]
    change = update(event_delivery).where(event_delivery.c.delivery_id.in_(ids)).values(status=status)
    state.of(EVERY_TENANT).write(lambda connection: connection.execute(change))
