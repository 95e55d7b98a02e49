from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.work.outbox.builders import (
    KEY,
    NOW,
    Clock,
    a_courier,
    an_endpoint,
    deliveries,
    endpoint,
    events,
    tell,
)
from tests.work.outbox.receiver import BOUND_S, receiving
from tieout.store.state import open_state
from tieout.work.outbox.delivery import Delivered, Limits, deliver_due, run_delivery
from tieout.work.outbox.rules import RETRY_AFTER
from tieout.work.outbox.sending import Answer

DAY = timedelta(days=1)


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def courier(state, clock):
    return a_courier(state, clock)


def statuses(state, tenant="a"):
    return [one.status for one in deliveries(state, tenant)]


def test_an_event_arrives_signed_and_is_dispatched(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/in"))
    clock.at = datetime.now(UTC)  # who verifies looks at the clock
    event_id = tell(state, now=clock.at, total="12.50")
    assert deliver_due(courier) == Delivered(dispatched=1)
    (got,) = receiver.received
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert Webhook(KEY.for_receiver).verify(got.body, got.headers) == events(state)[0].payload
    assert got.id == event_id
    (delivery,) = deliveries(state)
    assert (delivery.status, delivery.last_status_code, delivery.last_error) == ("dispatched", 204, None)
    assert delivery.delivered_us == delivery.last_attempt_us == clock.at
    assert deliver_due(courier) == Delivered()


def test_what_fails_is_tried_again_later_with_the_same_id_and_body_until_it_is_a_dead_letter(
    state, receiver, clock, courier
):
    an_endpoint(state, url=receiver.url("/in"))
    receiver.statuses["/in"] = 500
    tell(state)
    assert deliver_due(courier) == Delivered(retrying=1)
    for wait in RETRY_AFTER:
        clock.at += wait * 0.99
        assert deliver_due(courier) == Delivered()
        clock.at += wait * 0.12
        done = deliver_due(courier)
        assert done.attempts == 1
    assert done == Delivered(failed=1)
    (delivery,) = deliveries(state)
    assert (delivery.status, delivery.retries, delivery.last_error) == ("failed", 10, "It answered 500.")
    assert len({one.id for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    clock.at += 2 * DAY
    assert deliver_due(courier) == Delivered()


def test_a_later_event_of_an_entity_waits_for_the_earlier_one_and_others_do_not(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/in"))
    broken = tell(state, entity_id="7")
    receiver.statuses["/in"] = lambda received: 500 if received.id == broken else 204
    for entity_id in ("7", "8", "7"):
        tell(state, entity_id=entity_id)
    assert deliver_due(courier) == Delivered(dispatched=1, retrying=1)
    clock.pass_time(seconds=6)
    assert deliver_due(courier) == Delivered(retrying=1)
    receiver.statuses["/in"] = 204
    clock.pass_time(minutes=6)
    assert deliver_due(courier) == Delivered(dispatched=3)
    order = [one.version for one in receiver.received if one.event["subject"] == "7"]
    assert order == [1, 1, 1, 2, 3]


def test_what_follows_a_dead_letter_waits_and_the_endpoint_is_left_alone_meanwhile(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/in"))
    broken = tell(state)
    receiver.statuses["/in"] = lambda received: 500 if received.id == broken else 204
    for wait in (timedelta(0), *RETRY_AFTER):
        clock.at += wait * 1.1
        deliver_due(courier)
    tell(state, now=clock.at)
    tell(state, now=clock.at, entity_id="8")
    assert deliver_due(courier) == Delivered(dispatched=1)
    assert statuses(state) == ["failed", "pending", "dispatched"]
    assert deliver_due(courier) == Delivered()
    assert endpoint(state).rest_until_us > clock.at
    assert endpoint(state).claimed_by is None


def test_an_endpoint_that_hangs_does_not_hold_back_the_others(state, receiver, clock):
    courier = a_courier(state, clock, limits=Limits(endpoints=2))
    an_endpoint(state, "hangs", url=receiver.url("/hang"))
    an_endpoint(state, "works", url=receiver.url("/in"))
    for entity_id in range(20):
        tell(state, entity_id=str(entity_id))
    stop = threading.Event()
    loop = threading.Thread(target=run_delivery, args=(courier, stop), kwargs={"poll_s": 0.01})
    loop.start()
    try:
        with receiver.arrived:
            assert receiver.arrived.wait_for(lambda: len(receiver.at("/in")) == 20, BOUND_S)
        # Its lanes hang, and no more than those.
        assert len(receiver.at("/hang")) <= Limits().lanes
    finally:
        stop.set()
        receiver.is_over.set()
        loop.join()


def test_no_more_requests_at_once_than_lanes(state, receiver, clock):
    courier = a_courier(state, clock, limits=Limits(lanes=3))
    an_endpoint(state, url=receiver.url("/in"))
    for entity_id in range(40):
        tell(state, entity_id=str(entity_id))
    assert deliver_due(courier) == Delivered(dispatched=40)
    assert receiver.most_busy <= 3


def test_an_endpoint_that_does_not_answer_is_left_alone_for_a_while(state, receiver, clock):
    courier = a_courier(state, clock, whole_s=0.2)
    an_endpoint(state, url=receiver.url("/hang"))
    for entity_id in range(20):
        tell(state, entity_id=str(entity_id))
    done = deliver_due(courier)
    assert 1 <= done.retrying <= Limits().lanes
    assert deliver_due(courier) == Delivered()
    clock.pass_time(minutes=1)
    assert deliver_due(courier).retrying >= 1
    assert len(receiver.received) <= 2 * Limits().lanes


def test_an_endpoint_may_ask_for_time(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/busy"))
    tell(state)
    deliver_due(courier)
    clock.pass_time(minutes=119)
    assert deliver_due(courier) == Delivered()
    clock.pass_time(minutes=2)
    assert deliver_due(courier) == Delivered(retrying=1)


def test_an_endpoint_that_is_gone_is_disabled_at_once_and_that_is_told(state, receiver, clock):
    told = []
    courier = a_courier(state, clock, on_disabled=lambda *arguments: told.append(arguments[1:]))
    an_endpoint(state, "gone", url=receiver.url("/in"))
    an_endpoint(state, "other", url=receiver.url("/other"), event_types=["webhook.*"])
    receiver.statuses["/in"] = 410
    tell(state)
    tell(state, entity_id="8")
    deliver_due(courier)
    assert not endpoint(state, "gone").is_enabled
    assert endpoint(state, "gone").disabled_reason == "It answered 410 Gone."
    assert [(claim.endpoint_id, reason) for claim, reason, _ in told] == [("gone", "It answered 410 Gone.")]
    deliver_due(courier)
    (got,) = receiver.at("/other")
    assert got.event["type"] == "webhook.endpoint.disabled"
    assert got.event["subject"] == "gone"
    clock.pass_time(hours=1)
    assert deliver_due(courier) == Delivered()


def test_an_endpoint_that_fails_for_five_days_is_disabled(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/in"))
    receiver.statuses["/in"] = 500
    tell(state)
    deliver_due(courier)
    clock.at += 5 * DAY - timedelta(minutes=1)
    deliver_due(courier)
    assert endpoint(state).is_enabled
    tell(state, entity_id="8", now=clock.at)
    clock.pass_time(minutes=2)
    deliver_due(courier)
    assert not endpoint(state).is_enabled
    assert endpoint(state).disabled_reason == "Nothing was delivered for 5 days. Last: It answered 500."


def test_one_success_is_enough_for_an_endpoint_to_count_as_well(state, receiver, clock, courier):
    an_endpoint(state, url=receiver.url("/in"))
    receiver.statuses["/in"] = 500
    tell(state)
    deliver_due(courier)
    receiver.statuses["/in"] = 204
    clock.at += 4 * DAY
    deliver_due(courier)
    assert (endpoint(state).failing_since_us, endpoint(state).failures) == (None, 0)


def test_no_redirect_is_followed_and_no_forbidden_address_reached(state, receiver, clock, courier):
    an_endpoint(state, "redirect", url=receiver.url("/redirect"))
    an_endpoint(state, "metadata", url="http://169.254.169.254/latest/meta-data")
    an_endpoint(state, "private", url="http://10.0.0.1/")
    tell(state)
    assert deliver_due(courier) == Delivered(retrying=3)
    assert receiver.at("/inside") == []
    by_endpoint = {one.endpoint_id: one for one in deliveries(state)}
    assert by_endpoint["redirect"].last_error == "It answered 302, a redirect, which is not followed."
    assert "not public" in by_endpoint["metadata"].last_error
    assert "not public" in by_endpoint["private"].last_error


def test_each_tenants_events_go_to_its_own_endpoints(state, receiver, courier):
    for tenant in ("a", "b"):
        an_endpoint(state, tenant=tenant, url=receiver.url(f"/{tenant}"))
        tell(state, tenant=tenant)
    assert deliver_due(courier) == Delivered(dispatched=2)
    for tenant in ("a", "b"):
        (got,) = receiver.at(f"/{tenant}")
        assert (got.event["tenant"], got.event["data"]["tenant_id"]) == (tenant, tenant)


def test_a_fault_of_the_program_is_a_failure_of_the_delivery(state, clock):
    def broken(*_):
        raise RuntimeError("secret details")

    an_endpoint(state)
    tell(state)
    assert deliver_due(a_courier(state, clock, post=broken)) == Delivered(retrying=1)
    assert deliveries(state)[0].last_error == "A fault of the program: RuntimeError."


def test_nothing_begins_when_too_little_of_the_claim_is_left(state, clock):
    sent = []

    def slow(_url, _body, headers):
        sent.append(headers["webhook-id"])
        clock.pass_time(seconds=41)
        return Answer("delivered", 204)

    courier = a_courier(state, clock, post=slow, limits=Limits(lanes=1))
    an_endpoint(state)
    first = tell(state)
    tell(state)
    done = deliver_due(courier)
    assert (done.dispatched, sent[0]) == (len(sent), first)
    deliver_due(courier)
    assert statuses(state) == ["dispatched", "dispatched"]
    assert len(sent) == 2


def test_while_a_batch_holds_an_endpoint_nobody_else_delivers_to_it(state, receiver, clock, courier):
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold(_received):
        is_asked.set()
        assert may_answer.wait(BOUND_S)
        return 204

    receiver.statuses["/in"] = hold
    an_endpoint(state, url=receiver.url("/in"))
    tell(state)
    first = threading.Thread(target=deliver_due, args=(courier,))
    first.start()
    assert is_asked.wait(BOUND_S)
    tell(state, entity_id="8")  # who emits does not wait for who delivers
    assert deliver_due(a_courier(state, clock)) == Delivered()
    may_answer.set()
    first.join()
    assert deliver_due(courier) == Delivered(dispatched=1)


def test_who_lost_its_claim_writes_down_what_arrived_and_no_failure(state, receiver, clock, courier):
    def overtaken(_url, _body, _headers):
        clock.pass_time(seconds=61)
        deliver_due(a_courier(state, clock, post=lambda *_: Answer("failed", 500)))
        return Answer("delivered", 204)

    an_endpoint(state)
    tell(state)
    deliver_due(a_courier(state, clock, post=overtaken))
    assert statuses(state) == ["dispatched"]
    assert endpoint(state).claimed_by is None


def test_two_who_deliver_at_once_keep_the_order_and_send_nothing_twice(state, state_url, receiver, clock):
    refused_once: set[tuple[str, str]] = set()
    taken = defaultdict(list)
    lock = threading.Lock()

    def answer(received):
        with lock:
            key = (received.path, received.id)
            if received.version % 5 == 3 and key not in refused_once:
                refused_once.add(key)
                return 500
            taken[received.path, received.event["subject"]].append(received.version)
            return 204

    for name in ("x", "y"):
        receiver.statuses[f"/{name}"] = answer
        an_endpoint(state, name, url=receiver.url(f"/{name}"))
    for _ in range(12):
        for entity_id in ("7", "8", "9"):
            tell(state, entity_id=entity_id)
    other = open_state(state_url)
    couriers = [a_courier(one, clock, limits=Limits(batch=7)) for one in (state, other)]
    for _ in range(40):
        threads = [threading.Thread(target=deliver_due, args=(courier,)) for courier in couriers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.pass_time(seconds=6)
        if set(statuses(state)) == {"dispatched"}:
            break
    other.close()
    assert set(statuses(state)) == {"dispatched"}
    assert taken == {(f"/{name}", entity): list(range(1, 13)) for name in ("x", "y") for entity in ("7", "8", "9")}
    assert len(refused_once) == 2 * 3 * 2


def test_what_a_killed_process_was_sending_is_sent_again_with_the_same_id_when_its_claim_ends(
    state, state_url, receiver
):
    began, never = threading.Event(), threading.Event()

    def answer(_received):
        if not began.is_set():
            began.set()
            never.wait(BOUND_S)
        return 204

    receiver.statuses["/in"] = answer
    an_endpoint(state, url=receiver.url("/in"))
    now = datetime.now(UTC)
    event_id = tell(state, now=now)
    second = tell(state, now=now)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.work.outbox.deliver_process", state_url],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", *sys.path])},
    )
    try:
        assert began.wait(BOUND_S)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    never.set()
    clock = Clock(datetime.now(UTC))
    assert deliver_due(a_courier(state, clock)) == Delivered()  # it might still live
    clock.pass_time(seconds=61)
    assert deliver_due(a_courier(state, clock)) == Delivered(dispatched=2)
    assert [one.id for one in receiver.received] == [event_id, event_id, second]
    assert receiver.received[0].body == receiver.received[1].body


def test_the_loop_ends_what_it_began_when_it_is_stopped(state, receiver, clock, courier):
    is_asked, stop = threading.Event(), threading.Event()

    def answer(_received):
        is_asked.set()
        assert stop.wait(BOUND_S)
        return 204

    receiver.statuses["/in"] = answer
    an_endpoint(state, url=receiver.url("/in"))
    for _ in range(3):
        tell(state)
    loop = threading.Thread(target=run_delivery, args=(courier, stop), kwargs={"poll_s": 0.01})
    loop.start()
    assert is_asked.wait(BOUND_S)
    stop.set()
    loop.join(BOUND_S)
    assert not loop.is_alive()
    assert statuses(state) == ["dispatched", "pending", "pending"]
    assert endpoint(state).claimed_by is None


def test_the_loop_outlives_a_state_database_that_is_away(state, receiver, clock, courier, monkeypatch):
    an_endpoint(state, url=receiver.url("/in"))
    tell(state)
    is_away, came_back = [True], threading.Event()

    def now():
        if is_away:
            is_away.clear()
            raise OSError("gone for a minute")
        came_back.set()
        return NOW

    stop = threading.Event()
    loop = threading.Thread(target=run_delivery, args=(a_courier(state, now), stop), kwargs={"poll_s": 0.01})
    loop.start()
    receiver.wait_for(1)
    stop.set()
    loop.join(BOUND_S)
    assert came_back.is_set()
