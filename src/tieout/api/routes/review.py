"""The review queue of the ads book over the network."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import Field, StringConstraints

from tieout.api.access import Installation
from tieout.api.bodies import Body
from tieout.api.gates import flag_on
from tieout.api.recon_access import READ, reads_or_does
from tieout.api.section import Section
from tieout.books.ads.decisions import Tools, list_decisions, proposed, standing
from tieout.books.ads.reviewing import decide_pairs, decision_as_json, list_waiting, waiting_as_json
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED
from tieout.control.platform import Platform
from tieout.store.folders import Folders
from tieout.store.opening import Store

routes = Section(prefix="/api/v1/recon/review", tags=["ads"], dependencies=[Depends(flag_on(VRA_ENABLED))])

Reader = Annotated[Caller, Depends(reads_or_does(READ))]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many to return.")]
PairName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class NewDecisions(Body):
    """What a person decides about pairs; `undone` takes back what was decided."""

    pairs: Annotated[list[PairName], Field(min_length=1, max_length=500)]
    ruling: Literal["accepted", "rejected", "undone"]


@routes.get("")
def list_pairs(caller: Reader, platform: Installation, limit: Limit = 100) -> dict[str, Any]:
    """List the pairs of the current matchings that wait for a person, the largest money first."""
    found = list_waiting(_store(platform, caller))
    return {"success": True, "items": [waiting_as_json(one) for one in found[:limit]], "total": len(found)}


@routes.get("/decisions")
def show_decisions(caller: Reader, platform: Installation, limit: Limit = 100) -> dict[str, Any]:
    """List what was decided, the latest first, and whether it counts or waits for a second person."""
    known = list_decisions(_store(platform, caller))
    counting = {one.seq for one in standing(known).values()}
    waiting = {one.seq for one in proposed(known).values()}
    return {
        "success": True,
        "items": [
            {**decision_as_json(one), "counts": one.seq in counting, "waits": one.seq in waiting}
            for one in known[:limit]
        ],
        "total": len(known),
    }


@routes.post("/decisions", status_code=201)
def decide(
    body: NewDecisions,
    caller: Annotated[Caller, Depends(reads_or_does("recon.review.decide"))],
    platform: Installation,
) -> dict[str, Any]:
    """Decide about pairs: the next matching of their window follows what is final.

    Where two people have to decide the same (`TIEOUT_ADS_FOUR_EYES`), the first decision is a proposal.
    """
    tools = Tools(caller.actor, platform.settings.ads_four_eyes, platform.now, platform.random_bytes)
    done = decide_pairs(_store(platform, caller), body.pairs, body.ruling, tools)
    return {"success": True, "items": [decision_as_json(one) for one in done]}


def _store(platform: Platform, caller: Caller) -> Store:
    return Store(platform.of(caller.tenant), Folders(platform.settings.data_dir), caller.tenant)
