"""What a job is, what may be asked for, and when a failed attempt is tried again; no clock, no database."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from tieout.core.errors import TieoutError

Priority = Literal["high", "normal", "low"]
Status = Literal["waiting", "active", "done", "failed", "canceled"]
PRIORITIES: dict[Priority, int] = {"high": 0, "normal": 5, "low": 10}
STATUSES: tuple[Status, ...] = ("waiting", "active", "done", "failed", "canceled")
CAPACITY = 5000
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_ATTEMPTS = 100
MAX_LOSSES = 3
"""So often may a worker be lost with a job in its hands, before the job itself is held to be the cause."""
MAX_ERROR_CHARACTERS = 2000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


class BadJob(TieoutError):
    """A job was asked for that cannot be kept: a name, a payload or a number out of bounds."""

    code = "bad_job"


class QueueFull(TieoutError):
    """So many jobs of the tenant wait in the queue that no more are taken; nothing was stored."""

    code = "queue_full"
    http_status = 503
    headers: ClassVar[dict[str, str]] = {"Retry-After": "30"}


class OtherJobHasKey(TieoutError):
    """The idempotency key stands for a job that was asked for with another payload."""

    code = "idempotency_conflict"
    http_status = 409


class JobUnknown(TieoutError):
    """No job has this id, for this tenant."""

    code = "job_unknown"
    http_status = 404


class JobNotInStatus(TieoutError):
    """What is asked of the job cannot be done in its status."""

    code = "job_not_in_status"
    http_status = 409


@dataclass(frozen=True)
class JobRequest:
    """A job to accept; `due_at` is now unless given, `idempotency_key` is of its tenant and kind.

    `payload` is anything that JSON can hold; objects come back with their keys in any order.
    """

    kind: str
    payload: Any
    queue: str = "default"
    priority: Priority = "normal"
    idempotency_key: str | None = None
    due_at: datetime | None = None
    max_attempts: int = 5
    created_by: str | None = None
    request_id: str | None = None
    trace_parent: str | None = None

    def __post_init__(self) -> None:
        _check_name("kind", self.kind, 128)
        _check_name("queue", self.queue, 64)
        if self.priority not in PRIORITIES:
            raise BadJob(f"The priority {self.priority!r} is none of {', '.join(PRIORITIES)}.", subject=self.kind)
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise BadJob(f"max_attempts is {self.max_attempts}, not 1 to {MAX_ATTEMPTS}.", subject=self.kind)
        if self.idempotency_key is not None:
            _check_key(self.kind, self.idempotency_key)
        canonical(self.kind, self.payload)


@dataclass(frozen=True)
class Job:
    """A job as it stands."""

    job_id: str
    tenant: str
    queue: str
    kind: str
    payload: Any
    priority: int
    status: Status
    idempotency_key: str | None
    due_us: datetime
    attempts: int
    max_attempts: int
    losses: int
    claimed_by: str | None
    batch_id: str | None
    claimed_until_us: datetime | None
    is_cancel_asked: bool
    created_us: datetime
    created_by: str | None
    request_id: str | None
    trace_parent: str | None
    started_us: datetime | None
    finished_us: datetime | None
    result: Any
    last_error: str | None

    @property
    def is_last_attempt(self) -> bool:
        return self.attempts >= self.max_attempts


@dataclass(frozen=True)
class BackOff:
    """How long after a failed attempt the next begins: `first_s`, doubled each time, at most `cap_s`, ± `jitter`."""

    first_s: float = 5.0
    cap_s: float = 3600.0
    jitter: float = 0.1

    def delay_s(self, attempt: int, random: float) -> float:
        """Return the seconds after attempt number `attempt` (from 1); `random` is from 0 to 1."""
        plain_s = min(self.first_s * 2.0 ** min(attempt - 1, 64), self.cap_s)
        return plain_s * (1 + self.jitter * (2 * random - 1))


@dataclass(frozen=True)
class Depth:
    """How many jobs of a queue have a status."""

    queue: str
    status: Status
    jobs: int


@dataclass(frozen=True)
class Rate:
    """At most `jobs` begun in any `seconds`."""

    jobs: int
    seconds: float


@dataclass(frozen=True)
class Queue:
    """How the jobs of a queue are taken: how many at once, and the limits of the queue and of each tenant in it."""

    batch_size: int = 500
    concurrency: int | None = None
    concurrency_per_tenant: int | None = None
    rate: Rate | None = None
    rate_per_tenant: Rate | None = None

    @property
    def is_limited(self) -> bool:
        limits = (self.concurrency, self.concurrency_per_tenant, self.rate, self.rate_per_tenant)
        return any(limit is not None for limit in limits)


def canonical(kind: str, payload: Any) -> str:
    """Return `payload` as JSON with sorted keys; two are the same if their texts are. Raises BadJob."""
    try:
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise BadJob(f"The payload of {kind} is no JSON: {error}.", subject=kind) from error
    if size > MAX_PAYLOAD_BYTES:
        raise BadJob(
            f"The payload of {kind} has {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} are kept.",
            subject=kind,
            remedy="Store the data elsewhere and name it in the payload.",
        )
    return text


def error_text(error: BaseException) -> str:
    """Return what a dead letter says of its error."""
    text = f"{type(error).__name__}: {error}".replace("\0", "")
    return text.encode(errors="replace").decode()[:MAX_ERROR_CHARACTERS]


def unit_interval(random: bytes) -> float:
    """Return `random` as a number from 0 to below 1."""
    return float(int.from_bytes(random, "big") / 256 ** len(random))


def _check_name(what: str, name: str, at_most: int) -> None:
    if len(name) > at_most or not _NAME.fullmatch(name):
        raise BadJob(
            f"{name[:50]!r} is no name of a {what}.",
            subject=what,
            remedy=f"Use 1 to {at_most} letters, digits, '.', '_', ':' or '-', the first a letter or a digit.",
        )


def _check_key(kind: str, key: str) -> None:
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise BadJob(
            f"An idempotency key of {kind} is not 1 to 255 printable characters.",
            subject=kind,
            remedy="Name what the job is about, such as the id of the event.",
        )
