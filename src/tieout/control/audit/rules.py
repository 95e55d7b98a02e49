"""What an event of the audit trail says, and the hash that chains it to the one before. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import rfc8785

START = "0" * 64
"""Stands where the first event of a tenant names the hash before it."""

REDACTED = "[REDACTED]"
MAX_TEXT = 4096
MAX_DEPTH = 16

_FORM = "tieout-audit-1"
_EXACT = 2**53  # from here on JSON's numbers are not exact everywhere, and RFC 8785 has no form for them
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NEVER_TOLD = frozenset({"password", "passwords", "passphrase", "passwd", "authorization", "cvv", "cvc"})
_TOLD_BY_ID_ONLY = frozenset({"secret", "secrets", "token", "tokens", "cookie", "cookies", "credential", "credentials"})
_KEYS = (("api", "key"), ("private", "key"), ("secret", "key"), ("signing", "key"), ("card", "number"))
_IN_TEXT = re.compile(
    r"(?i:bearer)\s+[\w.~+/=-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|\b(?:sk|rk)_(?:test|live)_\w+|\bwhs(?:ec|k)_[\w+/=-]+",
    re.ASCII,
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL keeps no NUL, and UTF-8 has no lone surrogates


@dataclass(frozen=True)
class Entry:
    """What was done: the part of the product, the verb, the thing, and what changed of it.

    `action` is such as `registration.module_toggled`. `delta` holds plain values, also nested; datetimes, Decimals,
    UUIDs and whole numbers of 2**53 and more are kept as text. Secrets in it are masked.
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


def plain_text(text: str) -> str:
    """Return `text` as every database keeps it: without NUL and lone surrogates, of at most MAX_TEXT characters."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:MAX_TEXT])


def plain_delta(delta: Mapping[str, Any]) -> dict[str, Any]:
    """Return `delta` in values that JSON and its canonical form have, secrets masked.

    Raises TypeError for a value that is none of those that Entry names: that is a fault of the caller.
    """
    return {plain_text(str(name)): _plain(value, is_secret=names_secret(str(name))) for name, value in delta.items()}


def names_secret(name: str) -> bool:
    """Whether what stands under `name` is to be masked: `refresh_token` and `apiKey` are, `token_id` is not."""
    words = tuple(word.lower() for word in _WORDS.findall(name))
    return bool(
        _NEVER_TOLD.intersection(words)
        or (words and words[-1] in _TOLD_BY_ID_ONLY)
        or words[-2:] in _KEYS
        or words in {("auth",), ("apikey",)}
    )


def _plain(value: Any, *, is_secret: bool, depth: int = 1) -> Any:
    if depth > MAX_DEPTH:
        raise TypeError(f"The delta of an audit event is nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            plain_text(str(name)): _plain(one, is_secret=is_secret or names_secret(str(name)), depth=depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(one, is_secret=is_secret, depth=depth + 1) for one in value]
    if is_secret:
        return REDACTED
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _IN_TEXT.sub(REDACTED, plain_text(value))
    if isinstance(value, int):
        return int(value) if abs(value) < _EXACT else str(value)
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"The delta of an audit event holds a {type(value).__name__}; give it as text.")
