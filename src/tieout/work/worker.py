"""The loop of a worker: take jobs, do them, show that it lives, stop in good order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic

import structlog
from sqlalchemy import Connection

from tieout import __version__
from tieout.core import metrics
from tieout.core.ids import RandomBytes, new_id
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State, StateUnavailable
from tieout.work import slots
from tieout.work.clock import SharedClock
from tieout.work.jobs import claims
from tieout.work.jobs.batches import Bench, do_at_once, do_batch
from tieout.work.jobs.claims import Claim
from tieout.work.jobs.kinds import InSteps, Items, Kinds
from tieout.work.jobs.rules import Job
from tieout.work.jobs.steps import Durable, do_in_steps

_log = structlog.get_logger("tieout.work")

SWEEP_EVERY_S = 3600.0
LOOK_AFTER = 4
"""After so many rounds through the queues that had jobs, the others are looked at."""

CAREFUL_S = 60.0
"""For so long after the loss of its predecessor a worker claims what it does."""

Lane = tuple[str, tuple[str, ...]]
Do = Callable[[Lane, str], bool]


@dataclass(frozen=True)
class Pace:
    """How a worker goes about it; all in seconds, but for the numbers of threads."""

    batch_threads: int = 2
    step_threads: int = 4
    lease_s: float = 60.0
    beat_s: float = 5.0
    poll_s: float = 0.2
    stop_within_s: float = 30.0
    after_fault_s: float = 1.0


@dataclass(frozen=True)
class Beat:
    """What a worker says of itself at each heartbeat; `idle_ratio` is of its threads since the last, from 0 to 1."""

    slot: str
    at: datetime
    idle_ratio: float
    batches: int


@dataclass(frozen=True)
class Orders:
    """What a worker is to do, and whom it tells of its heartbeats."""

    kinds: Kinds
    pace: Pace = field(default_factory=Pace)
    roles: tuple[str, ...] = ("worker",)
    on_beat: Callable[[Beat], None] = lambda _: None


def run_worker(
    state: State,
    orders: Orders,
    *,
    now: Callable[[], datetime],
    random_bytes: RandomBytes,
    stop: Event,
) -> None:
    """Do jobs until `stop` is set, then end what is begun, or hand it back where that takes too long.

    The times of claims are those of the database. Returns when nothing is held any more; a database that cannot be
    reached is waited for.
    """
    clock = SharedClock(state.of(EVERY_TENANT), now)
    while not stop.is_set():
        worker = _Worker(Bench(state, clock, random_bytes), clock, orders, stop)
        try:
            worker.run()
        except StateUnavailable as error:
            _log.warning("Worker waits for the state database", error=str(error))
            stop.wait(orders.pace.after_fault_s)
        except slots.SlotTaken as error:
            _log.warning("Worker lost its slot and takes another", error=str(error))


class _Worker:
    """A worker in its slot."""

    def __init__(self, bench: Bench, clock: SharedClock, orders: Orders, stop: Event) -> None:
        self._bench = bench
        self._state = bench.state.of(EVERY_TENANT)
        self._clock = clock
        self._orders = orders
        self._pace = orders.pace
        self._stop = stop
        self._leaving = Event()  # set when it stops, and when the slot is gone
        self._process = slots.this_process()
        self._held: dict[str, float] = {}  # batches, and since when they count as busy
        self._dropped: set[str] = set()
        self._lock = Lock()
        self._busy_s = 0.0
        self._careful_until: datetime | None = None

    def run(self) -> None:
        self._clock.set()
        self._slot, was_lost = self._state.write(
            lambda connection: slots.take_slot(
                connection,
                "worker",
                self._process,
                roles=self._orders.roles,
                version=__version__,
                now=self._clock(),
            )
        )
        self._state.write(lambda connection: claims.take_back_from(connection, self._slot, self._clock()))
        if was_lost:  # perhaps by a job: only a claim tells which
            self._careful_until = self._clock() + timedelta(seconds=CAREFUL_S)
        log = _log.bind(slot=self._slot)
        log.info("Worker began", after_a_loss=was_lost)
        durable = Durable(self._bench.state, self._slot, new_id(self._clock(), self._bench.random_bytes))
        threads = self._start(durable)
        try:
            self._keep(len(threads), durable)
        finally:
            self._leaving.set()
            self._end(threads, durable)
        log.info("Worker stopped")

    def _start(self, durable: Durable) -> list[Thread]:
        kinds = self._orders.kinds
        items = {name: kind for name, kind in kinds.kinds.items() if isinstance(kind, Items)}
        in_steps = {name: kind for name, kind in kinds.kinds.items() if isinstance(kind, InSteps)}

        def batch(lane: Lane, batch_id: str) -> bool:
            return self._batch(lane, batch_id, items)

        def long_job(lane: Lane, batch_id: str) -> bool:
            jobs = self._claim(lane, batch_id, 1)
            for job in jobs:
                do_in_steps(self._bench, durable, in_steps[job.kind], batch_id, job, self._leaving)
            return bool(jobs)

        threads = [
            Thread(target=self._work, args=(kinds.lanes(sort), do), name=f"{name}-{number}", daemon=True)
            for sort, many, do, name in (
                (Items, self._pace.batch_threads, batch, "batch"),
                (InSteps, self._pace.step_threads, long_job, "steps"),
            )
            for number in range(many if kinds.lanes(sort) else 0)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, lanes: list[Lane], do: Do) -> None:
        """Go through the lanes, again and again; wait where none had anything."""
        lively: list[Lane] = []
        rounds = 0
        while not self._leaving.is_set():
            try:
                wanted = lively or self._due(lanes)
                lively = [lane for lane in wanted if not self._leaving.is_set() and self._once(lane, do)]
                pause_s = 0.0 if lively else self._pace.poll_s
                rounds += 1
                if rounds % LOOK_AFTER == 0:  # so that a lane that never runs dry does not starve the others
                    lively = []
            except StateUnavailable as error:
                _log.warning("State database cannot be reached", slot=self._slot, error=str(error))
                lively, pause_s = [], self._pace.after_fault_s
            except Exception as error:  # noqa: BLE001 - a fault of the loop itself must not end the worker
                _log.error("Unexpected fault in a worker", slot=self._slot, exc_info=error)
                lively, pause_s = [], self._pace.after_fault_s
            if pause_s:
                self._leaving.wait(pause_s)

    def _due(self, lanes: Sequence[Lane]) -> list[Lane]:
        with self._state.reading() as connection:
            due = claims.queues_with_due(connection, [queue for queue, _ in lanes], self._clock())
        return [lane for lane in lanes if lane[0] in due]

    def _once(self, lane: Lane, do: Do) -> bool:
        """Do a batch of a lane; say whether there was any."""
        batch_id = new_id(self._clock(), self._bench.random_bytes)
        with self._lock:
            self._held[batch_id] = monotonic()
        try:
            with structlog.contextvars.bound_contextvars(slot=self._slot, batch_id=batch_id):
                return do(lane, batch_id)
        except BaseException:
            # Whatever it still has goes back at the next heartbeat that reaches the database.
            with self._lock:
                self._dropped.add(batch_id)
            raise
        finally:
            with self._lock:
                self._busy_s += monotonic() - self._held.pop(batch_id)

    def _batch(self, lane: Lane, batch_id: str, items: Mapping[str, Items]) -> bool:
        queue, _ = lane
        limits = self._orders.kinds.limits(queue)
        is_careful = self._careful_until is not None and self._clock() < self._careful_until
        if not limits.is_limited and not is_careful:
            wanted = self._wanted(lane, batch_id, limits.batch_size)
            done = do_at_once(self._bench, items, queue, limits.batch_size, wanted)
            if done:
                self._tell(queue, done, wanted.now)
            if done is not None:
                return bool(done)
        jobs = self._claim(lane, batch_id, limits.batch_size)
        do_batch(self._bench, items, batch_id, jobs)
        return bool(jobs)

    def _claim(self, lane: Lane, batch_id: str, at_most: int) -> list[Job]:
        queue, _ = lane
        wanted = self._wanted(lane, batch_id, at_most)
        limits = self._orders.kinds.limits(queue)
        jobs = self._state.write(lambda connection: claims.claim(connection, queue, limits, wanted))
        if jobs:
            self._tell(queue, jobs, wanted.now)
        return jobs

    def _wanted(self, lane: Lane, batch_id: str, at_most: int) -> Claim:
        return Claim(self._slot, batch_id, self._clock(), self._pace.lease_s, lane[1], at_most)

    def _tell(self, queue: str, jobs: Sequence[Job], began: datetime) -> None:
        name = metrics.bounded("queue", queue)
        metrics.JOB_BATCH_SIZE.labels(name).observe(len(jobs))
        metrics.JOB_WAIT.labels(name).observe(max(0.0, (began - jobs[0].due_us).total_seconds()))

    def _keep(self, threads: int, durable: Durable) -> None:
        """Show that the worker lives and keep what it holds, until it is to stop."""
        since = swept = monotonic()
        while not self._stop.is_set():
            try:
                told = self._measure(since, threads)
                since = monotonic()
                self._beat(told)
                self._orders.on_beat(told)
                if since - swept > SWEEP_EVERY_S:
                    swept = since
                    durable.sweep(self._clock() - timedelta(seconds=SWEEP_EVERY_S))
            except StateUnavailable as error:
                _log.warning("State database cannot be reached", slot=self._slot, error=str(error))
            self._stop.wait(self._pace.beat_s)

    def _beat(self, told: Beat) -> None:
        self._clock.set()
        now = self._clock()
        with self._lock:
            held, dropped = sorted(self._held), sorted(self._dropped)

        def change(connection: Connection) -> int:
            slots.beat(connection, self._slot, self._process, now, told.idle_ratio)
            claims.renew(connection, self._slot, held, now + timedelta(seconds=self._pace.lease_s))
            for batch_id in dropped:
                claims.hand_back(connection, batch_id, now, is_loss=True)
            return claims.take_back_lost(connection, now)

        if lost := self._state.write(change):
            _log.warning("Jobs of a lost worker wait again", jobs=lost)
        with self._lock:
            self._dropped.difference_update(dropped)

    def _measure(self, since: float, threads: int) -> Beat:
        with self._lock:
            at = monotonic()
            busy_s = self._busy_s + sum(at - began for began in self._held.values())
            self._busy_s = 0.0
            self._held = dict.fromkeys(self._held, at)
        passed_s = max(at - since, 1e-9) * max(threads, 1)
        return Beat(self._slot, self._clock(), max(0.0, min(1.0, 1 - busy_s / passed_s)), len(self._held))

    def _end(self, threads: list[Thread], durable: Durable) -> None:
        """Wait for what is begun; hand back what does not end in time, which its thread then cannot mark any more."""
        until = monotonic() + self._pace.stop_within_s
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        with self._lock:
            left = sorted({*self._held, *self._dropped})

        def change(connection: Connection) -> None:
            now = self._clock()
            for batch_id in left:
                claims.hand_back(connection, batch_id, now)
            slots.leave_slot(connection, self._slot, self._process, now)

        try:
            self._state.write(change)
        except StateUnavailable as error:
            _log.warning("Worker stopped without a word; its claims run out", slot=self._slot, error=str(error))
        durable.close()
