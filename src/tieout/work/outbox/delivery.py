"""Deliver what is due: at least once, in order for each entity at each endpoint, no endpoint holding back another.

An endpoint is served by one batch at a time, whichever process runs it: the batch claims the endpoint for a while, and
a process that dies loses the claim when that while is over. Within the batch, entities go side by side in a few lanes
and each entity's events one after the other.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from tieout.core import metrics
from tieout.core.ids import RandomBytes, new_id
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State
from tieout.work.outbox import store
from tieout.work.outbox.actions import Event, emit
from tieout.work.outbox.rules import DISABLE_AFTER, next_attempt, rest
from tieout.work.outbox.sending import Answer
from tieout.work.outbox.signing import SigningKey, signature_headers
from tieout.work.outbox.store import Claim, Due, Health

ENDPOINT_DISABLED = "webhook.endpoint.disabled"
BLOCKED_REST = timedelta(seconds=5)

_log = structlog.get_logger("tieout.outbox")


class Post(Protocol):
    """Sends a message; `sending.Sender.post` is the one that does."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer: ...


OpenKeys = Callable[[Claim, datetime], Sequence[SigningKey]]
"""Returns what signs for an endpoint now, newest first."""
OnDisabled = Callable[[Connection, Claim, str, datetime], None]
"""Writes down, in the transaction that does it, that an endpoint was disabled and why."""


def _tell_nobody(connection: Connection, claim: Claim, reason: str, now: datetime) -> None:
    """Stand in where there is no audit trail."""


@dataclass(frozen=True)
class Limits:
    """How much is done at once, and for how long a batch may hold an endpoint without a sign of life."""

    endpoints: int = 16
    lanes: int = 4
    """Requests at once to one endpoint."""
    batch: int = 100
    lease: timedelta = timedelta(seconds=60)
    attempt: timedelta = timedelta(seconds=20)
    """No attempt begins when less of the lease is left: whatever it takes, it ends before another batch may begin."""


@dataclass(frozen=True)
class Courier:
    """All that delivering needs."""

    state: State
    post: Post
    keys: OpenKeys
    now: Callable[[], datetime]
    on_disabled: OnDisabled = _tell_nobody
    random_bytes: RandomBytes = os.urandom
    limits: Limits = field(default_factory=Limits)

    @property
    def everywhere(self) -> State:
        """The state as the platform sees it."""
        return self.state.of(EVERY_TENANT)


@dataclass(frozen=True)
class Delivered:
    """What a round did: attempts that were delivered, that will be tried again, that were given up."""

    dispatched: int = 0
    retrying: int = 0
    failed: int = 0

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(self.dispatched + other.dispatched, self.retrying + other.retrying, self.failed + other.failed)

    @property
    def attempts(self) -> int:
        """All of them."""
        return self.dispatched + self.retrying + self.failed


def deliver_due(courier: Courier, *, stop: threading.Event | None = None) -> Delivered:
    """Claim endpoints that have something due, deliver a batch to each at once, and return what was done."""
    claims = _claim(courier, courier.limits.endpoints)
    if not claims:
        return Delivered()
    stop = stop or threading.Event()
    with ThreadPoolExecutor(len(claims), "tieout-deliver") as pool:
        return sum(pool.map(lambda claim: _serve(courier, claim, stop), claims), Delivered())


def run_delivery(courier: Courier, stop: threading.Event, *, poll_s: float = 1.0) -> None:
    """Deliver until `stop` is set, then end what was begun (at most as long as one attempt) and return.

    A loop for a thread of its own, in any number of processes. It raises nothing: when the state database is away, it
    says so in the log and looks again.
    """
    serving: set[Future[Delivered]] = set()
    with ThreadPoolExecutor(courier.limits.endpoints, "tieout-deliver") as pool:
        while not stop.is_set():
            try:
                free = courier.limits.endpoints - len(serving)
                claims = _claim(courier, free) if free else []
                serving |= {pool.submit(_serve, courier, claim, stop) for claim in claims}
            except Exception as fault:  # noqa: BLE001 - a loop outlives what goes wrong in one turn
                _log.error("Events cannot be claimed", error=str(fault))
            serving = _wait(serving, stop, poll_s)


def _wait(serving: set[Future[Delivered]], stop: threading.Event, poll_s: float) -> set[Future[Delivered]]:
    """Return what still runs once a batch has ended, or the time to look again has come."""
    if not serving:
        stop.wait(poll_s)
        return serving
    done, running = wait(serving, poll_s, FIRST_COMPLETED)
    for one in done:
        if fault := one.exception():
            _log.error("A batch of events broke off", error=str(fault))
    if not any(one.exception() is None and one.result().attempts for one in done):
        stop.wait(min(poll_s, 0.2) if running else poll_s)
    return running


def _claim(courier: Courier, at_most: int) -> list[Claim]:
    now = courier.now()
    with courier.everywhere.reading() as connection:
        if not store.is_any_due(connection, now):
            return []
    claim_id, until = new_id(now, courier.random_bytes), now + courier.limits.lease
    return courier.everywhere.write(
        lambda connection: store.claim_endpoints(connection, claim_id, at_most=at_most, now=now, until=until)
    )


@dataclass(frozen=True)
class _Attempt:
    """A delivery, and what came of it when."""

    due: Due
    answer: Answer
    at: datetime


def _serve(courier: Courier, claim: Claim, stop: threading.Event) -> Delivered:
    """Deliver a batch to the claimed endpoint and give it back."""
    now = courier.now()
    with courier.everywhere.reading() as connection:
        due = store.due_deliveries(connection, claim, at_most=courier.limits.batch, now=now)
    batch = _Batch(courier, claim, due, stop)
    try:
        done = batch.run() if due else Delivered()
    finally:
        # What is due waits behind something that is not: to look again at once would find the same.
        rest_until = None if due else now + BLOCKED_REST
        courier.everywhere.write(lambda connection: store.give_back(connection, claim, rest_until=rest_until))
    return done


class _Batch:
    """The deliveries of one claim: lanes that send, and one thread that writes down what came of it."""

    def __init__(self, courier: Courier, claim: Claim, due: Iterable[Due], stop: threading.Event) -> None:
        self._courier = courier
        self._claim = claim
        self._stop = stop
        self._is_over = threading.Event()
        self._until = claim.until
        self._attempts: queue.SimpleQueue[_Attempt | None] = queue.SimpleQueue()
        by_entity: dict[str, deque[Due]] = {}
        for one in due:
            by_entity.setdefault(one.entity_id, deque()).append(one)
        self._entities = deque(by_entity.values())
        self._keys = courier.keys(claim, courier.now())

    def run(self) -> Delivered:
        lanes = [
            threading.Thread(target=self._lane, name="tieout-lane", daemon=True)
            for _ in range(min(self._courier.limits.lanes, len(self._entities)))
        ]
        for lane in lanes:
            lane.start()
        open_lanes, done = len(lanes), Delivered()
        try:
            while open_lanes:
                ended = [self._attempts.get()]
                # What ended in the meantime is written in the same transaction.
                while not self._attempts.empty():
                    ended.append(self._attempts.get())
                open_lanes -= ended.count(None)
                if attempts := [one for one in ended if one is not None]:
                    done += self._save(attempts)
        finally:
            self._is_over.set()
        return done

    def _lane(self) -> None:
        try:
            while not self._is_ending() and (entity := self._next_entity()) is not None:
                for due in entity:
                    if self._is_ending() or not self._attempt(due):
                        break
        finally:
            self._attempts.put(None)

    def _next_entity(self) -> deque[Due] | None:
        try:
            return self._entities.popleft()
        except IndexError:
            return None

    def _is_ending(self) -> bool:
        is_late = self._courier.now() + self._courier.limits.attempt > self._until
        return self._is_over.is_set() or self._stop.is_set() or is_late

    def _attempt(self, due: Due) -> bool:
        """Send one delivery; return whether the entity's next may follow."""
        body = json.dumps(due.payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            **signature_headers(due.event_id, body, self._keys, now=self._courier.now()),
        }
        began = time.monotonic()
        try:
            answer = self._courier.post(self._claim.url, body, headers)
        except Exception as fault:  # noqa: BLE001 - a fault of ours is a failure of this delivery, not of the loop
            _log.error("A delivery failed by a fault of the program", error=str(fault), event_id=due.event_id)
            answer = Answer("failed", error=f"A fault of the program: {type(fault).__name__}.")
        took_s = time.monotonic() - began
        metrics.WEBHOOK_DURATION.observe(took_s)
        _log.info(
            "Event sent",
            tenant=self._claim.tenant,
            event_id=due.event_id,
            endpoint_id=self._claim.endpoint_id,
            outcome=answer.ending,
            status_code=answer.status_code,
            duration_ms=round(took_s * 1000),
        )
        if answer.ending in {"unwell", "gone"}:
            self._is_over.set()  # the rest would fare no better
        self._attempts.put(_Attempt(due, answer, self._courier.now()))
        return answer.ending == "delivered"

    def _save(self, attempts: Sequence[_Attempt]) -> Delivered:
        now = self._courier.now()
        until = now + self._courier.limits.lease

        def save(connection: Connection) -> tuple[bool, Delivered]:
            is_held, health = store.lock_endpoint(connection, self._claim)
            done = Delivered()
            for one in attempts:
                # Whose claim it is now decides about failures; that something arrived is so in any case.
                if is_held or one.answer.ending == "delivered":
                    health, counted = self._save_one(connection, one, health)
                    done += counted
            if is_held:
                store.change_endpoint(connection, self._claim, {"claimed_until_us": until})
            return is_held, done

        is_held, done = self._courier.everywhere.write(save)
        for outcome, count in vars(done).items():
            metrics.WEBHOOK_DELIVERIES.labels(outcome).inc(count)
        refused = sum(one.answer.ending == "refused" for one in attempts)
        metrics.WEBHOOK_DELIVERIES.labels("refused").inc(refused)
        if is_held:
            self._until = until
        else:
            self._is_over.set()
        return done

    def _save_one(self, connection: Connection, attempt: _Attempt, health: Health) -> tuple[Health, Delivered]:
        answer, at = attempt.answer, attempt.at
        values: dict[str, Any] = {
            "last_attempt_us": at,
            "last_status_code": answer.status_code,
            "last_error": answer.error,
        }
        if answer.ending == "delivered":
            values |= {"status": "dispatched", "delivered_us": at}
            store.save_attempt(connection, self._claim.tenant, attempt.due.delivery_id, values)
            if health.failures:
                health = replace(health, failing_since=None, failures=0)
                self._save_health(connection, health, rest_until=None)
            return health, Delivered(dispatched=1)
        again = next_attempt(
            attempt.due.failures + 1, now=at, random_bytes=self._courier.random_bytes, asked_s=answer.retry_after_s
        )
        values |= {"retries": attempt.due.failures + 1}
        values |= {"status": "failed"} if again is None else {"next_attempt_us": again}
        store.save_attempt(connection, self._claim.tenant, attempt.due.delivery_id, values)
        health = replace(health, failing_since=health.failing_since or at, failures=health.failures + 1)
        self._save_health(
            connection, health, rest_until=at + rest(health.failures) if answer.ending == "unwell" else None
        )
        health = self._disable_if_hopeless(connection, answer, health, at)
        return health, Delivered(failed=1) if again is None else Delivered(retrying=1)

    def _save_health(self, connection: Connection, health: Health, *, rest_until: datetime | None) -> None:
        values = {"failing_since_us": health.failing_since, "failures": health.failures, "rest_until_us": rest_until}
        store.change_endpoint(connection, self._claim, values)

    def _disable_if_hopeless(self, connection: Connection, answer: Answer, health: Health, at: datetime) -> Health:
        if answer.ending == "gone":
            reason = "It answered 410 Gone."
        elif health.failing_since is not None and at - health.failing_since >= DISABLE_AFTER:
            reason = f"Nothing was delivered for {DISABLE_AFTER.days} days. Last: {answer.error}"
        else:
            return health
        if not health.is_enabled:
            return health
        self._is_over.set()
        store.change_endpoint(connection, self._claim, {"is_enabled": False, "disabled_reason": reason})
        told = Event(ENDPOINT_DISABLED, self._claim.endpoint_id, {"url": self._claim.url, "reason": reason})
        emit(connection, self._claim.tenant, told, now=at, random_bytes=self._courier.random_bytes)
        self._courier.on_disabled(connection, self._claim, reason, at)
        _log.warning("Endpoint disabled", tenant=self._claim.tenant, endpoint_id=self._claim.endpoint_id, reason=reason)
        return replace(health, is_enabled=False)
