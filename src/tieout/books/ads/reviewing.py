"""The review queue: pairs of the current matchings that wait for a person, and deciding about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from tieout.books.ads.decisions import Decision, Draft, Pair, Ruling, Tools, decide, list_decisions, proposed, standing
from tieout.books.ads.pieces import pieces_of
from tieout.books.ads.reads import query_text
from tieout.core.errors import TieoutError
from tieout.core.money import from_micros
from tieout.store.opening import Store


class PairUnknown(TieoutError):
    """No pair of this id waits or was decided about."""

    code = "pair_unknown"
    http_status = 404


@dataclass(frozen=True)
class Waiting:
    """A pair that waits: how sure the scores are, its money as reported, and who proposes what, if somebody does.

    `lines` is how many statement lines the reported side has.
    """

    pair: Pair
    run_id: str
    window: str
    event_date: date
    lines: int
    paid_micros: int
    currency: str
    confidence: Decimal
    reasons: str
    proposal: Decision | None = None
    decision: Decision | None = None


def list_waiting(store: Store) -> list[Waiting]:
    """Return the pairs of the current matchings that wait, the largest money first.

    A pair with a `decision` was decided about; the next matching follows it.
    """
    known = list_decisions(store)
    counts, waits = standing(known), proposed(known)
    return [replace(one, proposal=waits.get(one.pair), decision=counts.get(one.pair)) for one in _listed(store)]


def decide_pairs(store: Store, pair_ids: Sequence[str], ruling: Ruling, tools: Tools) -> list[Decision]:
    """Store decisions about pairs that wait, or were decided about before; return those that changed something.

    Raises PairUnknown and what `decide` raises.
    """
    drafts = {one.pair.pair_id: Draft(one.pair, ruling, one.run_id) for one in reversed(list_decisions(store))}
    if ruling != "undone":
        drafts |= {one.pair.pair_id: Draft(one.pair, ruling, one.run_id) for one in _listed(store)}
    wanted = list(dict.fromkeys(pair_ids))
    for pair_id in wanted:
        if pair_id not in drafts:
            raise PairUnknown(
                f"No pair {pair_id[:100]!r} waits for a person.",
                subject=pair_id[:100],
                remedy="`tieout review ads list` shows those that do; match with --persist-review to keep them.",
            )
    return decide(store, [drafts[pair_id] for pair_id in wanted], tools)


def _listed(store: Store) -> list[Waiting]:
    pieces = pieces_of(store, "match", "match_review")
    if not pieces:
        return []
    con = duckdb.connect()
    try:
        asked: dict[str, Any] = {
            "paths": [str(piece.path) for piece in pieces],
            "numbers": list(range(len(pieces))),
        }
        rows = con.execute(query_text("review"), asked).fetchall()
    finally:
        con.close()
    return [
        Waiting(
            pair=Pair(network, load_id, artifact_id, row_no, unit_id),
            run_id=pieces[number].run_id,
            window=pieces[number].window,
            event_date=event_date,
            lines=lines,
            paid_micros=paid_micros,
            currency=currency,
            confidence=Decimal(score_e9).scaleb(-9),
            reasons=reasons,
        )
        for (
            number,
            unit_id,
            network,
            load_id,
            artifact_id,
            row_no,
            lines,
            event_date,
            paid_micros,
            currency,
            score_e9,
            reasons,
        ) in rows
    ]


def waiting_as_json(one: Waiting) -> dict[str, Any]:
    """Return a pair that waits as JSON has it."""
    pair = one.pair
    return {
        "pair": pair.pair_id,
        "window": one.window,
        "run_id": one.run_id,
        "unit": pair.unit_id,
        "network": pair.network,
        "load_id": pair.load_id,
        "file": pair.artifact_id,
        "row": pair.row_no,
        "lines": one.lines,
        "event_date": one.event_date.isoformat(),
        "paid": str(from_micros(one.paid_micros)),
        "currency": one.currency,
        "confidence": str(one.confidence),
        "reasons": one.reasons,
        "proposal": decision_as_json(one.proposal) if one.proposal else None,
        "decision": decision_as_json(one.decision) if one.decision else None,
    }


def decision_as_json(one: Decision) -> dict[str, Any]:
    """Return a decision as JSON has it."""
    return {
        "pair": one.pair.pair_id,
        "ruling": one.ruling,
        "is_final": one.is_final,
        "decided_at": one.decided_at.isoformat(),
        "decided_by": one.decided_by,
        "run_id": one.run_id,
    }
