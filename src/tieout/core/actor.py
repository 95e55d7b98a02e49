"""Who does something, for the audit trail and the logs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where.

    `name` is `user:ID`, `key:ID`, `system:PART` or `account:NAME` (the command line); `user_id` is set for users alone.
    """

    name: str
    user_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


def system(part: str) -> Actor:
    """Return the actor for what the platform does by itself, such as `scheduler`."""
    return Actor(f"system:{part}")
