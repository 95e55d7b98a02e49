"""What reviewers decided about pairs of rows: who, when, which pair. Nothing is changed or deleted, the latest counts.

A row is named by what it says (`RowKey`), so that a decision holds for any file that has the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select

from tieout.core.errors import TieoutError
from tieout.store.state import State
from tieout.store.tables import publication, review_decision

Ruling = Literal["accepted", "rejected", "undone"]


class RowAlreadyAccepted(TieoutError):
    """A row of the pair was accepted with another partner, and a row has at most one."""

    code = "row_already_accepted"
    http_status = 409


class PairNotDecided(TieoutError):
    """There is no decision about the pair that could be undone."""

    code = "pair_not_decided"
    http_status = 404


@dataclass(frozen=True, order=True)
class RowKey:
    """A row by what it says: the digest of its content, and which of several rows that say the same it is, from 1."""

    content: str
    copy_no: int


@dataclass(frozen=True, order=True)
class PairKey:
    """A row of ours and a row of theirs."""

    ours: RowKey
    theirs: RowKey


@dataclass(frozen=True)
class Scope:
    """For what a decision counts: a leg of a book, that is, two inputs by their names."""

    book: str
    leg: str


@dataclass(frozen=True)
class Seen:
    """A pair as the reviewer saw it: the run, the row numbers in it, and what the rows say, for people."""

    run_id: str
    ours_row: int
    theirs_row: int
    ours_told: str
    theirs_told: str


@dataclass(frozen=True)
class Draft:
    """A decision that is not stored yet."""

    pair: PairKey
    ruling: Ruling
    seen: Seen


@dataclass(frozen=True)
class ReviewDecision:
    """A decision as recorded; `seq` grows with each."""

    seq: int
    scope: Scope
    pair: PairKey
    ruling: Ruling
    seen: Seen
    decided_at: datetime
    decided_by: str


@dataclass(frozen=True)
class Reviews:
    """The decisions of one tenant's reviewers."""

    state: State
    tenant: str

    def standing(self, scope: Scope) -> tuple[ReviewDecision, ...]:
        """Return the decisions that count, one a pair, in order of the pair; what was undone is left out."""
        with self.state.reading() as connection:
            return _standing(connection, self.tenant, scope)

    def history(self, scope: Scope | None = None, *, limit: int = 500) -> tuple[ReviewDecision, ...]:
        """Return every decision ever made, those superseded and undone included, latest first."""
        query = select(review_decision).where(_is_of(self.tenant, scope)).order_by(review_decision.c.seq.desc())
        with self.state.reading() as connection:
            return tuple(map(_decision, connection.execute(query.limit(limit))))

    def about(self, scope: Scope, pair: PairKey) -> tuple[ReviewDecision, ...]:
        """Return every decision about one pair, latest first."""
        query = select(review_decision).where(_is_of(self.tenant, scope), _is_about(pair))
        with self.state.reading() as connection:
            return tuple(map(_decision, connection.execute(query.order_by(review_decision.c.seq.desc()))))

    def changes(self, scope: Scope, drafts: Sequence[Draft]) -> tuple[Draft, ...]:
        """Return those of the drafts that would change something.

        Raises RowAlreadyAccepted, and PairNotDecided for one that would undo what is not there.
        """
        with self.state.reading() as connection:
            return _changes(_standing(connection, self.tenant, scope), drafts)

    def record(self, scope: Scope, drafts: Sequence[Draft], *, now: datetime, actor: str) -> tuple[Draft, ...]:
        """Store those of the drafts that change something, all or none, and return them. Raises as `changes` does."""

        def insert_changes(connection: Connection) -> tuple[Draft, ...]:
            _take_turn(connection, self.tenant, scope)
            changes = _changes(_standing(connection, self.tenant, scope), drafts)
            for draft in changes:
                connection.execute(insert(review_decision).values(_values(self.tenant, scope, draft, now, actor)))
            return changes

        return self.state.write(insert_changes)


def standing_after(standing: Iterable[ReviewDecision], drafts: Iterable[Draft]) -> dict[PairKey, Ruling]:
    """Return which pairs would be decided, and how, once the drafts are stored."""
    rulings: dict[PairKey, Ruling] = {one.pair: one.ruling for one in standing}
    rulings.update({draft.pair: draft.ruling for draft in drafts})
    return {pair: rulings[pair] for pair in sorted(rulings) if rulings[pair] != "undone"}


def _take_turn(connection: Connection, tenant: str, scope: Scope) -> None:
    """Wait for whoever decides about the same leg; a leg that is reviewed was published, and that row never goes."""
    is_of_leg = and_(publication.c.tenant == tenant, publication.c.book == scope.book, publication.c.leg == scope.leg)
    first = select(publication.c.seq).where(is_of_leg).order_by(publication.c.seq).limit(1)
    connection.execute(first.with_for_update())


def _standing(connection: Connection, tenant: str, scope: Scope) -> tuple[ReviewDecision, ...]:
    query = select(review_decision).where(_is_of(tenant, scope)).order_by(review_decision.c.seq)
    latest = {found.pair: found for found in map(_decision, connection.execute(query))}
    return tuple(latest[pair] for pair in sorted(latest) if latest[pair].ruling != "undone")


def _changes(standing: Sequence[ReviewDecision], drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    rulings = {one.pair: one for one in standing}
    changes = []
    for draft in drafts:
        found = rulings.get(draft.pair)
        if draft.ruling == "undone" and found is None:
            raise _not_decided(draft)
        if found is None or found.ruling != draft.ruling:
            changes.append(draft)
    _assert_one_partner(standing, changes)
    return tuple(changes)


def _assert_one_partner(standing: Sequence[ReviewDecision], drafts: Sequence[Draft]) -> None:
    """Refuse to accept a row with a second partner, whether the first was accepted before or in the same breath."""
    replaced = {draft.pair for draft in drafts}
    taken: dict[tuple[str, RowKey], ReviewDecision | Draft] = {}
    kept = [one for one in standing if one.ruling == "accepted" and one.pair not in replaced]
    accepted: list[ReviewDecision | Draft] = [*kept, *(draft for draft in drafts if draft.ruling == "accepted")]
    for one in accepted:
        for side, row in (("ours", one.pair.ours), ("theirs", one.pair.theirs)):
            other = taken.setdefault((side, row), one)
            if other is not one:
                raise _already_accepted(side, one.seen, other)


def _already_accepted(side: str, seen: Seen, other: ReviewDecision | Draft) -> RowAlreadyAccepted:
    row, told = (seen.ours_row, seen.ours_told) if side == "ours" else (seen.theirs_row, seen.theirs_told)
    partner = other.seen.theirs_told if side == "ours" else other.seen.ours_told
    named = f"{other.seen.ours_row}:{other.seen.theirs_row}"
    when = ""
    if isinstance(other, ReviewDecision):
        when = f" by {other.decided_by} on {other.decided_at:%Y-%m-%d} in run {other.seen.run_id[:12]}"
    return RowAlreadyAccepted(
        f"Row {row} of {side} ({told}) is accepted with another partner already: {named} ({partner}){when}.",
        subject=f"{seen.ours_row}:{seen.theirs_row}",
        remedy=f"`tieout review undo {other.seen.run_id[:12]} {named}` takes that back; a row has one partner at most.",
    )


def _not_decided(draft: Draft) -> PairNotDecided:
    named = f"{draft.seen.ours_row}:{draft.seen.theirs_row}"
    return PairNotDecided(
        f"No decision about {named} ({draft.seen.ours_told} and {draft.seen.theirs_told}) counts, so there is none to"
        " undo.",
        subject=named,
        remedy="`tieout review decisions` lists what was decided.",
    )


def _is_of(tenant: str, scope: Scope | None) -> ColumnElement[bool]:
    is_tenants = review_decision.c.tenant == tenant
    if scope is None:
        return is_tenants
    return and_(is_tenants, review_decision.c.book == scope.book, review_decision.c.leg == scope.leg)


def _is_about(pair: PairKey) -> ColumnElement[bool]:
    return and_(
        review_decision.c.ours_content == pair.ours.content,
        review_decision.c.ours_copy == pair.ours.copy_no,
        review_decision.c.theirs_content == pair.theirs.content,
        review_decision.c.theirs_copy == pair.theirs.copy_no,
    )


def _values(tenant: str, scope: Scope, draft: Draft, now: datetime, actor: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "book": scope.book,
        "leg": scope.leg,
        "ours_content": draft.pair.ours.content,
        "ours_copy": draft.pair.ours.copy_no,
        "theirs_content": draft.pair.theirs.content,
        "theirs_copy": draft.pair.theirs.copy_no,
        "ruling": draft.ruling,
        "decided_us": now,
        "decided_by": actor,
        "run_id": draft.seen.run_id,
        "ours_row": draft.seen.ours_row,
        "theirs_row": draft.seen.theirs_row,
        "ours_told": draft.seen.ours_told,
        "theirs_told": draft.seen.theirs_told,
    }


def _decision(row: Row[Any]) -> ReviewDecision:
    return ReviewDecision(
        seq=row.seq,
        scope=Scope(row.book, row.leg),
        pair=PairKey(RowKey(row.ours_content, row.ours_copy), RowKey(row.theirs_content, row.theirs_copy)),
        ruling=row.ruling,
        seen=Seen(row.run_id, row.ours_row, row.theirs_row, row.ours_told, row.theirs_told),
        decided_at=row.decided_us,
        decided_by=row.decided_by,
    )
