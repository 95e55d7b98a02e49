"""What an event of the audit trail says, and the hash that chains it to the one before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import rfc8785

START = "0" * 64
"""Stands where the first event of a tenant names the hash before it."""

_FORM = "tieout-audit-1"


@dataclass(frozen=True)
class Entry:
    """What was done: the part of the product, the verb, the thing, and what changed of it.

    `action` is such as `registration.module_toggled`. `delta` is kept as `plain_values` gives it: exact, secrets
    masked.
    """

    module: str
    action: str
    entity_type: str
    entity_id: str
    delta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditEvent:
    """An event as it stands in the trail."""

    tenant: str
    id: str
    seq: int
    user_id: str | None
    actor: str
    module: str
    action: str
    entity_type: str
    entity_id: str
    delta: Mapping[str, Any]
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    created_at: datetime
    prev_hash: str
    hash: str = ""


def hash_of(event: AuditEvent) -> str:
    """Return the SHA-256 of the event, its `prev_hash` included, as canonical JSON (RFC 8785)."""
    said = {
        "form": _FORM,
        "tenant": event.tenant,
        "id": event.id,
        "seq": str(event.seq),
        "user_id": event.user_id,
        "actor": event.actor,
        "module": event.module,
        "action": event.action,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "delta": dict(event.delta),
        "ip_address": event.ip_address,
        "user_agent": event.user_agent,
        "request_id": event.request_id,
        "created_at": event.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "prev_hash": event.prev_hash,
    }
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()
