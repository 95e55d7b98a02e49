"""Disputes with ad networks: opened on deltas with a kit of evidence, submitted, and accepted or rejected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tieout.books.ads.kits import KitRequest, build_kit
from tieout.books.ads.reads import Delta, Reads
from tieout.control.access.caller import Caller
from tieout.control.audit.actions import Entry, record
from tieout.control.flags.registry import VRA_SHADOW_ONLY
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.store.folders import Folders
from tieout.store.kits import KitStorage, open_kit_storage
from tieout.store.opening import Store
from tieout.store.state import State
from tieout.store.tables import recon_disputes
from tieout.store.tables.columns import micros
from tieout.work.outbox.actions import Event, emit

MODULE = "recon"
Status = Literal["draft", "submitted", "accepted", "rejected"]
NEXT: dict[Status, tuple[Status, ...]] = {
    "draft": ("submitted",),
    "submitted": ("accepted", "rejected"),
    "accepted": (),
    "rejected": (),
}
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class DisputedDeltaUnknown(TieoutError):
    """No delta of a current run has this evidence id."""

    code = "disputed_delta_unknown"
    http_status = 404


class CurrenciesMixed(TieoutError):
    """The deltas of a dispute are in several currencies, and their sum would be no amount."""

    code = "currencies_mixed"


class DisputeUnknown(TieoutError):
    """There is no dispute of this id."""

    code = "dispute_unknown"
    http_status = 404


class StatusNotNext(TieoutError):
    """A dispute cannot go from its status to the one asked for."""

    code = "status_not_next"
    http_status = 409


class ShadowOnly(TieoutError):
    """The book only watches (VRA_SHADOW_ONLY), so no dispute is changed."""

    code = "shadow_only"
    api_code: ClassVar[str] = "SHADOW_ONLY"
    http_status = 409


@dataclass(frozen=True)
class DisputeRequest:
    """Deltas by their evidence ids, the network they are held against, and whom to write to."""

    delta_ids: tuple[str, ...]
    network: str
    contact: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Dispute:
    """A dispute as recorded; in shadow mode one that was not."""

    dispute_id: str
    network: str
    contact: str
    delta_ids: tuple[str, ...]
    amount_micros: int
    network_micros: int
    currency: str
    status: Status
    note: str | None
    evidence_uri: str
    kit_id: str
    kit_sha256: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    is_shadow: bool = False


def open_dispute(platform: Platform, caller: Caller, reads: Reads, asked: DisputeRequest) -> Dispute:
    """Store the kit of evidence, then record the dispute as a draft; in shadow mode do neither.

    The same idempotency key gives the same dispute. Raises DisputedDeltaUnknown, CurrenciesMixed and
    KitStorageUnusable; after each of them nothing was recorded.
    """
    now = platform.now()
    network = metrics.bounded("network", asked.network.lower())
    if platform.flags.is_on(VRA_SHADOW_ONLY, caller.tenant):
        metrics.ADS_DISPUTES_SHADOWED.labels(network).inc()
        return _shadow(asked, caller, now)
    state = platform.of(caller.tenant)
    if asked.idempotency_key is not None:
        with state.reading() as connection:
            if found := _find_by_key(connection, caller.tenant, asked.idempotency_key):
                return found
    with reads.look() as look:
        deltas = look.find_deltas(asked.delta_ids)
    _check(asked, deltas)
    dispute_id = f"disp_{_milliseconds(now)}_{_random(platform.random_bytes)}"
    request = KitRequest(
        f"kit_{_milliseconds(now)}_{_random(platform.random_bytes)}", dispute_id, asked.network, tuple(deltas), now
    )
    kit, address = _store_kit(platform, caller.tenant, request, network)
    row = {
        "tenant": caller.tenant,
        "dispute_id": dispute_id,
        "network": asked.network,
        "contact": asked.contact,
        "delta_ids": [one.evidence_id for one in deltas],
        "amount_micros": sum(one.amount_micros for one in deltas),
        "network_micros": kit.network_micros,
        "currency": deltas[0].currency,
        "status": "draft",
        "evidence_uri": address,
        "kit_id": request.kit_id,
        "kit_sha256": kit.sha256,
        "idempotency_key": asked.idempotency_key,
        "created_us": now,
        "created_by": caller.actor.name,
        "updated_us": now,
        "updated_by": caller.actor.name,
    }

    def insert_once(connection: Connection) -> tuple[Dispute, bool]:
        if asked.idempotency_key is not None and (
            found := _find_by_key(connection, caller.tenant, asked.idempotency_key)
        ):
            return found, False
        connection.execute(insert(recon_disputes).values(row))
        opened = _get(connection, caller.tenant, dispute_id)
        _tell(connection, platform, caller, opened, "created", None)
        return opened, True

    opened, is_new = state.write(insert_once)
    if is_new:
        metrics.ADS_DISPUTES_CREATED.labels(network).inc()
    return opened


def change_status(
    platform: Platform, caller: Caller, dispute_id: str, status: Status, note: str | None = None
) -> Dispute:
    """Submit a draft, or record how a dispute that was submitted ended.

    Raises ShadowOnly, DisputeUnknown and StatusNotNext.
    """
    if platform.flags.is_on(VRA_SHADOW_ONLY, caller.tenant):
        raise ShadowOnly("Disputes are shadow-only here: none is changed.", subject=dispute_id)

    def change(connection: Connection) -> Dispute:
        before = _get(connection, caller.tenant, dispute_id)
        possible = NEXT[before.status]
        is_it = _is(caller.tenant, dispute_id) & (recon_disputes.c.status == before.status)
        values = {
            "status": status,
            "note": note,
            "updated_us": max(platform.now(), before.updated_at),
            "updated_by": caller.actor.name,
        }
        changed = update(recon_disputes).where(is_it).values(values)
        if status not in possible or not connection.execute(changed).rowcount:
            ways = " or ".join(possible) or "nothing further"
            raise StatusNotNext(
                f"A dispute that is {before.status} cannot become {status}.",
                subject=dispute_id,
                remedy=f"It may become {ways}.",
            )
        after = _get(connection, caller.tenant, dispute_id)
        _tell(connection, platform, caller, after, status, before.status)
        return after

    return platform.of(caller.tenant).write(change)


def get_dispute(platform: Platform, caller: Caller, dispute_id: str) -> Dispute:
    """Return a dispute. Raises DisputeUnknown."""
    with platform.of(caller.tenant).reading() as connection:
        return _get(connection, caller.tenant, dispute_id)


def get_kit(platform: Platform, caller: Caller, dispute_id: str) -> bytes:
    """Return the kit of a dispute as it was stored. Raises DisputeUnknown, KitGone and KitStorageUnusable."""
    found = get_dispute(platform, caller, dispute_id)
    return open_kit_storage(platform.settings).get(caller.tenant, found.kit_id)


def list_kept_disputes(state: State, tenant: str) -> list[Dispute]:
    """Return every dispute of a tenant, the oldest first."""
    oldest = select(recon_disputes).where(recon_disputes.c.tenant == tenant)
    with state.reading() as connection:
        rows = connection.execute(oldest.order_by(recon_disputes.c.created_us, recon_disputes.c.dispute_id)).all()
    return [_dispute(row) for row in rows]


def delete_dispute(state: State, tenant: str, actor: Actor, dispute: Dispute, kits: KitStorage, now: datetime) -> None:
    """Delete a dispute whose time is over: first its kit, so that a process that dies leaves no kit without one."""
    kits.remove(tenant, dispute.kit_id)

    def remove(connection: Connection) -> None:
        if connection.execute(delete(recon_disputes).where(_is(tenant, dispute.dispute_id))).rowcount:
            before = {
                "network": dispute.network,
                "status": dispute.status,
                "amount_micros": dispute.amount_micros,
                "currency": dispute.currency,
                "kit_sha256": dispute.kit_sha256,
                "created_at": dispute.created_at.isoformat(),
            }
            entry = Entry(MODULE, "recon.dispute_deleted", "dispute", dispute.dispute_id, {"before": before})
            record(connection, tenant, actor, entry, now=now)

    state.write(remove)


def list_disputes(
    platform: Platform, caller: Caller, *, status: Status | None, page: int, page_size: int
) -> tuple[list[Dispute], int]:
    """Return a page of disputes, the newest first, and how many there are."""
    table = recon_disputes.c
    is_asked = (table.tenant == caller.tenant) & ((table.status == status) if status else (table.tenant != ""))
    newest = select(recon_disputes).where(is_asked).order_by(table.created_us.desc(), table.dispute_id.desc())
    with platform.of(caller.tenant).reading() as connection:
        rows = connection.execute(newest.limit(page_size).offset((page - 1) * page_size)).all()
        total = connection.scalar(select(func.count()).select_from(recon_disputes).where(is_asked))
    return [_dispute(row) for row in rows], total or 0


def _store_kit(platform: Platform, tenant: str, request: KitRequest, network: str) -> tuple[Any, str]:
    try:
        storage = open_kit_storage(platform.settings)
        store = Store(platform.of(tenant), Folders(platform.settings.data_dir), tenant)
        kit = build_kit(store, request)
        address = storage.put(tenant, request.kit_id, kit.content)
    except Exception as error:
        reason = error.code if isinstance(error, TieoutError) else "fault"
        metrics.ADS_KIT_FAILURES.labels(metrics.bounded("reason", reason)).inc()
        raise
    metrics.ADS_KITS_BUILT.labels(network).inc()
    return kit, address


def _check(asked: DisputeRequest, deltas: Sequence[Delta]) -> None:
    missing = sorted(set(asked.delta_ids) - {one.evidence_id for one in deltas})
    if missing:
        raise DisputedDeltaUnknown(
            f"There is no delta {missing[0][:200]!r}.",
            subject=missing[0][:200],
            remedy="GET /api/v1/recon/deltas lists those there are, by evidenceId.",
        )
    currencies = sorted({one.currency for one in deltas})
    if len(currencies) > 1:
        raise CurrenciesMixed(
            f"The deltas are in {' and '.join(currencies)}.", subject="delta_ids", remedy="Open one dispute for each."
        )


def _shadow(asked: DisputeRequest, caller: Caller, now: datetime) -> Dispute:
    return Dispute(
        dispute_id=f"dry-{_milliseconds(now)}",
        network=asked.network,
        contact=asked.contact,
        delta_ids=asked.delta_ids,
        amount_micros=0,
        network_micros=0,
        currency="USD",
        status="draft",
        note=None,
        evidence_uri="shadow://not-written",
        kit_id="",
        kit_sha256="",
        created_at=now,
        created_by=caller.actor.name,
        updated_at=now,
        updated_by=caller.actor.name,
        is_shadow=True,
    )


def _tell(
    connection: Connection, platform: Platform, caller: Caller, dispute: Dispute, what: str, before: Status | None
) -> None:
    """Tell of a change: first the event, then the audit trail, which is locked to the end of the transaction."""
    tools: dict[str, Any] = {"now": platform.now(), "random_bytes": platform.random_bytes}
    data = {
        "dispute_id": dispute.dispute_id,
        "network": dispute.network,
        "status": dispute.status,
        "amount_micros": dispute.amount_micros,
        "currency": dispute.currency,
        "evidence_uri": dispute.evidence_uri,
        "kit_sha256": dispute.kit_sha256,
    }
    emit(connection, caller.tenant, Event(f"recon.dispute.{what}", f"dispute:{dispute.dispute_id}", data), **tools)
    told = {"after": data | ({"note": dispute.note} if dispute.note else {})}
    if before is not None:
        told["before"] = {"status": before}
    entry = Entry(MODULE, f"recon.dispute_{what}", "dispute", dispute.dispute_id, told)
    record(connection, caller.tenant, caller.actor, entry, **tools)


def _get(connection: Connection, tenant: str, dispute_id: str) -> Dispute:
    row = connection.execute(select(recon_disputes).where(_is(tenant, dispute_id))).one_or_none()
    if row is None:
        raise DisputeUnknown(
            f"There is no dispute {dispute_id!r}.",
            subject=dispute_id,
            remedy="GET /api/v1/recon/disputes lists those there are.",
        )
    return _dispute(row)


def _find_by_key(connection: Connection, tenant: str, key: str) -> Dispute | None:
    table = recon_disputes.c
    asked = select(recon_disputes).where(table.tenant == tenant, table.idempotency_key == key)
    row = connection.execute(asked).one_or_none()
    return None if row is None else _dispute(row)


def _is(tenant: str, dispute_id: str) -> Any:
    return (recon_disputes.c.tenant == tenant) & (recon_disputes.c.dispute_id == dispute_id)


def _dispute(row: Row[Any]) -> Dispute:
    return Dispute(
        dispute_id=row.dispute_id,
        network=row.network,
        contact=row.contact,
        delta_ids=tuple(row.delta_ids) if isinstance(row.delta_ids, list) else (json.dumps(row.delta_ids),),
        amount_micros=row.amount_micros,
        network_micros=row.network_micros,
        currency=row.currency,
        status=row.status,
        note=row.note,
        evidence_uri=row.evidence_uri,
        kit_id=row.kit_id,
        kit_sha256=row.kit_sha256,
        created_at=row.created_us,
        created_by=row.created_by,
        updated_at=row.updated_us,
        updated_by=row.updated_by,
    )


def _milliseconds(now: datetime) -> int:
    return micros(now) // (timedelta(milliseconds=1) // timedelta(microseconds=1))


def _random(random_bytes: RandomBytes) -> str:
    """Return six letters and digits."""
    number = int.from_bytes(random_bytes(8), "big")
    letters = []
    for _ in range(6):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)
