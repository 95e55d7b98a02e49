"""The loop that delivers events: for the process that works."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from tieout.control.audit.actions import Entry, record
from tieout.control.platform import Platform
from tieout.control.webhooks.actions import keys_of, reach_of
from tieout.core.actor import system
from tieout.work.outbox.delivery import Courier, Limits, run_delivery
from tieout.work.outbox.sending import Sender
from tieout.work.outbox.signing import SigningKey
from tieout.work.outbox.store import Claim


def deliver_events(platform: Platform, stop: threading.Event, *, poll_s: float = 1.0) -> None:
    """Deliver the events of all tenants until `stop` is set; returns when what was begun is done, 15 s at most.

    Runs in a thread of its own, in any number of processes. It raises nothing but what makes it impossible to begin.
    """
    run_delivery(courier_of(platform), stop, poll_s=poll_s)


def courier_of(platform: Platform, limits: Limits | None = None) -> Courier:
    """Return all that delivering needs."""

    def keys(claim: Claim, now: datetime) -> Sequence[SigningKey]:
        return keys_of(platform, (claim.tenant, claim.endpoint_id), claim.signing, claim.secrets, now)

    def on_disabled(connection: Connection, claim: Claim, reason: str, now: datetime) -> None:
        delta = {"is_enabled": {"from": True, "to": False}, "reason": reason}
        entry = Entry("webhooks", "webhooks.endpoint.disabled", "webhook_endpoint", claim.endpoint_id, delta)
        record(connection, claim.tenant, system("delivery"), entry, now=now, random_bytes=platform.random_bytes)

    return Courier(
        platform.state,
        Sender(reach_of(platform)).post,
        keys,
        platform.now,
        on_disabled,
        platform.random_bytes,
        limits or Limits(),
    )
