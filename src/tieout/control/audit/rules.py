"""What an event of the audit trail says, and the hash that chains it to the one before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785

START = "0" * 64
"""Stands where the first event of a tenant names the hash before it."""

Problem = Literal["missing", "changed", "unlinked", "cut_off", "beyond_head", "head_changed", "not_as_seen"]

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


@dataclass(frozen=True)
class Anchor:
    """An event that was seen before, by its number and hash: proof that the trail up to it was not written anew."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Verified:
    """The chain holds from the first event to the last."""

    events: int
    head: str
    """Hash of the last event; kept elsewhere it is an Anchor for the next time."""


@dataclass(frozen=True)
class Broken:
    """The chain does not hold; `seq` is the first event that is wrong, `problem` what is wrong with it."""

    seq: int
    problem: Problem
    why: str


def judge(event: AuditEvent, *, seq: int, prev_hash: str) -> Broken | None:
    """Return what is wrong with the event that follows number `seq` - 1 with hash `prev_hash`, or None."""
    if event.seq != seq:
        missing = f"event {seq}" if event.seq == seq + 1 else f"events {seq} to {event.seq - 1}"
        return Broken(seq, "missing", f"There is no {missing}; the next is {event.seq}.")
    if not _is_hash_right(event):
        return Broken(seq, "changed", f"Event {seq} ({event.id}) does not have its hash: it was changed.")
    if event.prev_hash != prev_hash:
        why = f"Event {seq} ({event.id}) does not follow from the one before it: one was replaced, inserted or moved."
        return Broken(seq, "unlinked", why)
    return None


def _is_hash_right(event: AuditEvent) -> bool:
    try:
        return event.hash == hash_of(event)
    except (TypeError, ValueError, rfc8785.CanonicalizationError):  # such values were never written
        return False
