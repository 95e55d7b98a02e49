"""What an endpoint and a delivery are, as a tenant sees them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from tieout.core.errors import TieoutError
from tieout.work.outbox.signing import Signing

MAX_ENDPOINTS = 50
MAX_PATTERNS = 50
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)

Status = Literal["pending", "dispatched", "failed", "canceled"]

_PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\.\*)?", re.ASCII)


class EndpointUnknown(TieoutError):
    """The tenant has no endpoint with that id."""

    code = "endpoint_unknown"
    http_status = 404


class TooManyEndpoints(TieoutError):
    """The tenant has as many endpoints as one may have."""

    code = "too_many_endpoints"
    http_status = 409


class BadEventPattern(TieoutError):
    """A pattern of event types cannot match any; `subject` is the pattern."""

    code = "bad_event_pattern"


class BadOverlap(TieoutError):
    """The time for which a replaced secret is to sign on is negative or too long."""

    code = "bad_overlap"


class DeliveryUnknown(TieoutError):
    """There is no event and no delivery with that id."""

    code = "delivery_unknown"
    http_status = 404


class NothingToRetry(TieoutError):
    """All deliveries of the event arrived, or their endpoints were deleted."""

    code = "nothing_to_retry"
    http_status = 409


class NothingToSkip(TieoutError):
    """The delivery arrived already or was skipped."""

    code = "nothing_to_skip"
    http_status = 409


@dataclass(frozen=True)
class Secret:
    """A sealed secret of an endpoint; `ends` is from when on it signs no more, None for the current one."""

    secret_id: str
    sealed: str
    ends: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the state keeps it."""
        return {"id": self.secret_id, "sealed": self.sealed, "ends": self.ends and self.ends.isoformat()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Secret:
        """Return what `as_json` made."""
        return cls(value["id"], value["sealed"], datetime.fromisoformat(value["ends"]) if value["ends"] else None)

    def signs(self, now: datetime) -> bool:
        """Whether messages are signed with it."""
        return self.ends is None or now < self.ends


@dataclass(frozen=True)
class Endpoint:
    """Where a tenant wants events delivered."""

    tenant: str
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    signing: Signing
    secrets: tuple[Secret, ...]
    is_enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created: datetime
    created_by: str

    @property
    def told(self) -> dict[str, Any]:
        """What the audit trail says of it: the URL without its query, which may hold a secret."""
        return {
            "url": self.url.partition("?")[0],
            "event_types": list(self.event_types),
            "signing": self.signing,
            "is_enabled": self.is_enabled,
        }


@dataclass(frozen=True)
class Delivery:
    """An event on its way to an endpoint."""

    tenant: str
    delivery_id: str
    event_seq: int
    event_id: str
    event_type: str
    entity_id: str
    version: int
    endpoint_id: str
    status: Status
    failures: int
    next_attempt: datetime
    last_attempt: datetime | None
    delivered: datetime | None
    last_status_code: int | None
    last_error: str | None


def check_event_types(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of event types sorted and each once; raise BadEventPattern."""
    chosen = tuple(sorted(set(patterns)))
    for pattern in chosen:
        if len(pattern) > 128 or not _PATTERN.fullmatch(pattern):
            raise BadEventPattern(
                f"{pattern[:128]!r} names no events.",
                subject=pattern[:128],
                remedy="Use a type such as pos.ticket.settled, all that begin alike such as pos.*, or *.",
            )
    if not 1 <= len(chosen) <= MAX_PATTERNS:
        raise BadEventPattern(f"An endpoint has 1 to {MAX_PATTERNS} patterns of event types, not {len(chosen)}.")
    return chosen


def with_new_secret(secrets: Sequence[Secret], new: Secret, *, now: datetime, overlap: timedelta) -> tuple[Secret, ...]:
    """Return `new` and those of `secrets` that sign on beside it until the overlap ends; raise BadOverlap."""
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise BadOverlap(f"An old secret signs on for 0 to {MAX_OVERLAP.days * 24} hours.")
    ends = now + overlap
    kept = (Secret(one.secret_id, one.sealed, min(one.ends or ends, ends)) for one in secrets)
    return (new, *(one for one in kept if one.signs(now)))
