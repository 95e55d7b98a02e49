"""What an event is on the wire, which endpoints want it, and when a delivery is tried again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

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
