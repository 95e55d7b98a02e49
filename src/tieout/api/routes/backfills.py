"""Backfills of the ads book over the network: a durable job does the window anew."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Header
from pydantic import Field

from tieout.api.access import Installation
from tieout.api.bodies import Body, Line, told
from tieout.api.gates import flag_on
from tieout.api.recon_access import reads_or_does
from tieout.api.section import Section
from tieout.books.ads.jobs import ask_to_backfill
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED

routes = Section(prefix="/api/v1/recon", tags=["recon"], dependencies=[Depends(flag_on(VRA_ENABLED))])

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class BackfillBody(Body):
    """What `tieout backfill ads` is asked for; a dry run unless it says otherwise."""

    start: Annotated[Line, Field(alias="from")]
    end: Annotated[Line, Field(alias="to")]
    step: Literal["all", "ingestion", "expected", "matching", "reconcile", "proofs"] = "all"
    dry_run: bool = True
    limit: Annotated[int, Field(ge=1, le=10**12)] | None = None
    publisher: Line | None = None
    network: Line | None = None
    force: bool = False
    yes: bool = False


@routes.post("/backfills", status_code=202)
def backfill(
    body: BackfillBody,
    caller: Annotated[Caller, Depends(reads_or_does("recon.backfills.create"))],
    platform: Installation,
    key: Key = None,
) -> dict[str, Any]:
    """Have a window of the ads book done anew by a worker; GET /v1/ops/jobs/{id} tells when it is done, and how."""
    asked = body.model_dump(by_alias=True, exclude_none=True)
    job = ask_to_backfill(platform, caller, asked, idempotency_key=key)
    return {
        "success": True,
        "data": {"jobId": job.job_id, "status": job.status, "createdAt": told(job.created_us)},
    }
