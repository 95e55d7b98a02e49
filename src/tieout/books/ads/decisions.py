"""What people decided about pairs of the review queue: stored, never changed, the latest final one counts.

A pair is a statement line (of a sum its first) and a request or sum of ours. A line is named by its load, the digest of
its file and its row, so a decision holds for as long as the network does not restate it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select

from tieout.books.ads.pieces import BOOK
from tieout.control.audit.actions import Entry, record
from tieout.core.actor import Actor
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.store.opening import Store
from tieout.store.tables import publication, recon_review_decision

Ruling = Literal["accepted", "rejected", "undone"]
MODULE = "recon"
ID_LENGTH = 16


class PairTaken(TieoutError):
    """The line or our side of the pair was accepted with another partner."""

    code = "pair_taken"
    http_status = 409


class SecondPersonNeeded(TieoutError):
    """Two people have to decide the same, and this is the first one again."""

    code = "second_person_needed"
    http_status = 409


class NothingDecided(TieoutError):
    """There is no decision about the pair that could be undone."""

    code = "nothing_decided"
    http_status = 409


@dataclass(frozen=True, order=True)
class Pair:
    """A line of a statement and the unit of ours that it may be about."""

    network: str
    load_id: str
    artifact_id: str
    row_no: int
    unit_id: str

    @property
    def line(self) -> tuple[str, str, str, int]:
        return self.network, self.load_id, self.artifact_id, self.row_no

    @property
    def pair_id(self) -> str:
        """Return the short name of the pair: the same in every run."""
        text = json.dumps([*self.line, self.unit_id], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


@dataclass(frozen=True)
class Decision:
    """A decision as recorded; one that is not final waits for a second person."""

    seq: int
    pair: Pair
    ruling: Ruling
    is_final: bool
    decided_at: datetime
    decided_by: str
    run_id: str


@dataclass(frozen=True)
class Draft:
    """A decision to store: about which pair, and in which run it was seen."""

    pair: Pair
    ruling: Ruling
    run_id: str


@dataclass(frozen=True)
class Tools:
    """Who decides, whether a second person has to, and the clock and randomness of the record."""

    actor: Actor
    needs_two: bool
    now: Callable[[], datetime]
    random_bytes: RandomBytes


def rulings_about(store: Store, loads: Collection[str]) -> list[list[Any]]:
    """Return what counts about lines of these loads (`network/load` in lower case), in order: an input of matching."""
    return [
        [*pair.line, pair.unit_id, found.ruling]
        for pair, found in sorted(standing(list_decisions(store)).items())
        if f"{pair.network}/{pair.load_id}".lower() in loads
    ]


def list_decisions(store: Store, *, limit: int | None = None) -> list[Decision]:
    """Return every decision ever made, the latest first."""
    table = recon_review_decision.c
    asked = select(recon_review_decision).where(table.tenant == store.tenant).order_by(table.seq.desc())
    with store.state.reading() as connection:
        return [_decision(row) for row in connection.execute(asked.limit(limit))]


def standing(latest_first: Iterable[Decision]) -> dict[Pair, Decision]:
    """Return what counts about each pair: the latest final decision, unless that undid the one before."""
    found: dict[Pair, Decision] = {}
    for one in latest_first:
        if one.is_final:
            found.setdefault(one.pair, one)
    return {pair: one for pair, one in found.items() if one.ruling != "undone"}


def proposed(latest_first: Iterable[Decision]) -> dict[Pair, Decision]:
    """Return the decisions that wait for a second person."""
    found: dict[Pair, Decision] = {}
    for one in latest_first:
        found.setdefault(one.pair, one)
    return {pair: one for pair, one in found.items() if not one.is_final}


def decide(store: Store, drafts: Sequence[Draft], tools: Tools) -> list[Decision]:
    """Store those of the decisions that change something, all or none, each audited; return them.

    Raises PairTaken, SecondPersonNeeded and NothingDecided.
    """

    def insert_changes(connection: Connection) -> list[Decision]:
        _take_turn(connection, store.tenant)
        table = recon_review_decision.c
        asked = select(recon_review_decision).where(table.tenant == store.tenant).order_by(table.seq.desc())
        known = [_decision(row) for row in connection.execute(asked)]
        changes = _changes(known, drafts, tools)
        made = [_insert(connection, store.tenant, draft, tools, is_final=final) for draft, final in changes]
        for one in made:
            _audit(connection, store.tenant, one, tools)
        return made

    return store.state.write(insert_changes)


def _changes(known: Sequence[Decision], drafts: Sequence[Draft], tools: Tools) -> list[tuple[Draft, bool]]:
    counts, waiting = standing(known), proposed(known)
    changes: list[tuple[Draft, bool]] = []
    for draft in drafts:
        counted, before = counts.get(draft.pair), waiting.get(draft.pair)
        if draft.ruling == "undone" and counted is None and before is None:
            raise NothingDecided(f"Nothing is decided about {draft.pair.pair_id}.", subject=draft.pair.pair_id)
        if counted is not None and counted.ruling == draft.ruling and before is None:
            continue
        changes.append((draft, _is_final(draft, counted, before, tools)))
    _assert_one_partner(counts, [draft for draft, _ in changes])
    return changes


def _is_final(draft: Draft, counted: Decision | None, before: Decision | None, tools: Tools) -> bool:
    """Whether a decision counts at once: alone where one person suffices, else as the second of two."""
    if not tools.needs_two or (draft.ruling == "undone" and counted is None):  # what does not count is taken back alone
        return True
    if before is None or before.ruling != draft.ruling:
        return False
    if before.decided_by == tools.actor.name:
        raise SecondPersonNeeded(
            f"{tools.actor.name} has {draft.ruling} {draft.pair.pair_id} already; another person has to agree.",
            subject=draft.pair.pair_id,
            remedy="Let someone else decide the same, or undo it.",
        )
    return True


def _assert_one_partner(counts: Mapping[Pair, Decision], drafts: Sequence[Draft]) -> None:
    replaced = {draft.pair for draft in drafts}
    accepted = [pair for pair, one in counts.items() if one.ruling == "accepted" and pair not in replaced]
    accepted += [draft.pair for draft in drafts if draft.ruling == "accepted"]
    taken: dict[object, Pair] = {}
    for pair in accepted:
        for side in (pair.line, pair.unit_id):
            other = taken.setdefault(side, pair)
            if other != pair:
                raise PairTaken(
                    f"{pair.pair_id} shares a side with {other.pair_id}, which is accepted.",
                    subject=pair.pair_id,
                    remedy=f"Undo {other.pair_id} first.",
                )


def _take_turn(connection: Connection, tenant: str) -> None:
    """Wait for whoever decides at the same time; a book that is reviewed was published, and that row never goes."""
    table = publication.c
    first = select(table.seq).where(table.tenant == tenant, table.book == BOOK, table.leg == "match")
    connection.execute(first.order_by(table.seq).limit(1).with_for_update())


def _insert(connection: Connection, tenant: str, draft: Draft, tools: Tools, *, is_final: bool) -> Decision:
    pair = draft.pair
    values = {
        "network": pair.network,
        "load_id": pair.load_id,
        "artifact_id": pair.artifact_id,
        "row_no": pair.row_no,
        "unit_id": pair.unit_id,
        "ruling": draft.ruling,
        "is_final": is_final,
        "decided_us": tools.now(),
        "decided_by": tools.actor.name,
        "run_id": draft.run_id,
    }
    connection.execute(insert(recon_review_decision).values(tenant=tenant, **values))
    table = recon_review_decision.c
    latest = select(func.max(table.seq)).where(table.tenant == tenant).scalar_subquery()
    asked = select(recon_review_decision).where(table.tenant == tenant, table.seq == latest)
    return _decision(connection.execute(asked).one())


def _audit(connection: Connection, tenant: str, one: Decision, tools: Tools) -> None:
    after = {
        "ruling": one.ruling,
        "is_final": one.is_final,
        "unit": one.pair.unit_id,
        "network": one.pair.network,
        "load_id": one.pair.load_id,
        "file": one.pair.artifact_id,
        "row": one.pair.row_no,
        "run_id": one.run_id,
    }
    entry = Entry(MODULE, f"recon.pair_{one.ruling}", "pair", one.pair.pair_id, {"after": after})
    record(connection, tenant, tools.actor, entry, now=tools.now(), random_bytes=tools.random_bytes)


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        seq=row.seq,
        pair=Pair(row.network, row.load_id, row.artifact_id, row.row_no, row.unit_id),
        ruling=row.ruling,
        is_final=row.is_final,
        decided_at=row.decided_us,
        decided_by=row.decided_by,
        run_id=row.run_id,
    )
