"""Verify the chain of a tenant's audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from tieout.control.audit.rules import START, Anchor, AuditEvent, Broken, Verified, judge
from tieout.control.audit.store import chain_after, find_head, list_tenants, next_seq
from tieout.core import metrics
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State

PAGE = 1000


def verify(state: State, tenant: str, anchor: Anchor | None = None) -> Verified | Broken:
    """Walk the chain of `tenant` and return where it breaks first, if it does.

    Finds an event that was changed, removed, inserted or moved, and a tail that was cut off. Who can write to the
    database could write the whole trail anew, heads and hashes included: that is found with an `anchor`, the end of
    the chain as an earlier verification told it and as it was kept elsewhere. Memory is that of one page.
    """
    with state.of(tenant).reading() as connection:
        answer = _verify(connection, tenant, anchor)
    if isinstance(answer, Broken):
        metrics.AUDIT_BREAKS.inc()
    return answer


def verify_all(state: State) -> Iterator[tuple[str, Verified | Broken]]:
    """Verify the trail of each tenant, in order of their names."""
    with state.of(EVERY_TENANT).reading() as connection:
        tenants = list_tenants(connection)
    for tenant in tenants:
        yield tenant, verify(state, tenant)


def _verify(connection: Connection, tenant: str, anchor: Anchor | None) -> Verified | Broken:
    head = find_head(connection, tenant) or (0, START)
    seq, last, hash_at_head = 0, START, START if head[0] == 0 else None
    while page := _page(connection, tenant, seq):
        if isinstance(page, Broken):
            return page
        for event in page:
            if broken := judge(event, seq=seq + 1, prev_hash=last):
                return broken
            seq, last = event.seq, event.hash
            if seq == head[0]:
                hash_at_head = last
            if anchor and anchor.seq == seq and anchor.hash != last:
                return Broken(seq, "not_as_seen", f"Event {seq} is another than the one seen before.")
    return _compare_with_head(connection, tenant, Anchor(seq, last), (Anchor(*head), hash_at_head), anchor)


def _compare_with_head(
    connection: Connection, tenant: str, end: Anchor, head: tuple[Anchor, str | None], seen: Anchor | None
) -> Verified | Broken:
    known, hash_at_head = head
    expected = max(known.seq, seen.seq if seen else 0)
    if end.seq < expected:
        return Broken(end.seq + 1, "cut_off", f"The trail ends with event {end.seq}; there was an event {expected}.")
    # Writers go on while this reads: what they add moves the head.
    latest = find_head(connection, tenant) or (0, START)
    if end.seq > latest[0]:
        why = f"Event {latest[0] + 1} stands after the end of the trail, which is event {latest[0]}."
        return Broken(latest[0] + 1, "beyond_head", why)
    if hash_at_head != known.hash:
        return Broken(known.seq, "head_changed", f"The end of the trail is not event {known.seq} as it stands there.")
    return Verified(end.seq, end.hash)


def _page(connection: Connection, tenant: str, seq: int) -> Sequence[AuditEvent] | Broken:
    try:
        return chain_after(connection, tenant, seq, limit=PAGE)
    except ValueError:  # a delta that is no JSON: only who went past the database's guards writes that
        return _page_before_fault(connection, tenant, seq)


def _page_before_fault(connection: Connection, tenant: str, seq: int) -> Sequence[AuditEvent] | Broken:
    events: list[AuditEvent] = []
    while (following := next_seq(connection, tenant, seq)) is not None and len(events) < PAGE:
        try:
            events += chain_after(connection, tenant, seq, limit=1)
        except ValueError:
            return events or Broken(following, "changed", f"Event {following} cannot be read: it was changed.")
        seq = following
    return events
