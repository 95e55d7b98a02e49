"""What an event is on the wire, which endpoints want it, and when a delivery is tried again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tieout.core.ids import RandomBytes
from tieout.core.plain import plain_values

SOURCE = "/tieout"


@dataclass(frozen=True)
class Event:
    """Something that happened to an entity; `event_type` is such as `pos.ticket.settled`."""

    event_type: str
    entity_id: str
    data: Mapping[str, Any] = field(default_factory=dict)


def cloud_event(tenant: str, event: Event, *, event_id: str, version: int, occurred_at: datetime) -> dict[str, Any]:
    """Return the event as CloudEvents 1.0 has it in structured JSON; its data is the payload of the contract."""
    at = occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event.event_type,
        "subject": event.entity_id,
        "time": at,
        "datacontenttype": "application/json",
        "tenant": tenant,
        "data": {
            "event_id": event_id,
            "tenant_id": tenant,
            "entity_id": event.entity_id,
            "version": version,
            "occurred_at": at,
            "data": plain_values(event.data),
        },
    }


def is_wanted(patterns: Iterable[str], event_type: str) -> bool:
    """Whether a pattern names the type: itself, `pos.*` for all that begins with `pos.`, or `*` for everything."""
    return any(
        pattern in {"*", event_type} or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
        for pattern in patterns
    )


RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""How long after each failure a delivery is tried again; then it is a dead letter. Source: Standard Webhooks."""
JITTER = 0.1
MAX_RETRY_AFTER = timedelta(days=1)
DISABLE_AFTER = timedelta(days=5)
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=5)


def next_attempt(
    failures: int, *, now: datetime, random_bytes: RandomBytes, asked_s: float | None = None
) -> datetime | None:
    """Return when a delivery is tried again after its `failures`-th failure in a row, or None when it is given up.

    Up to a tenth is added by chance, so that what failed together does not come back together. What the endpoint
    asked for (Retry-After) counts where it is later, up to a day.
    """
    if failures > len(RETRY_AFTER):
        return None
    share = int.from_bytes(random_bytes(4), "big") / 2**32
    wait = RETRY_AFTER[failures - 1] * (1 + JITTER * share)
    asked = min(timedelta(seconds=asked_s or 0), MAX_RETRY_AFTER)
    return now + max(wait, asked)


def rest(failures: int) -> timedelta:
    """Return how long an endpoint that did not answer is left alone after its `failures`-th failure in a row."""
    return min(FIRST_REST * (1 << min(failures - 1, 10)), LONGEST_REST)
