"""Statements of ad networks over the network: a file that was sent is loaded by a worker."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Header
from pydantic import Field, StringConstraints

from tieout.api.access import Installation
from tieout.api.bodies import Body, told
from tieout.api.gates import flag_on
from tieout.api.recon_access import reads_or_does
from tieout.api.routes.runs import Digest, FileName
from tieout.api.section import Section
from tieout.books.ads.uploading import ask_to_load
from tieout.control.access.caller import Caller
from tieout.control.flags.registry import VRA_ENABLED

routes = Section(prefix="/api/v1/recon", tags=["ads"], dependencies=[Depends(flag_on(VRA_ENABLED))])

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Cell = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class SentStatement(Body):
    """A statement that was sent with POST /v1/files, by its digest, and what `tieout ingest ads` is told of it."""

    network: Annotated[Name, Field(pattern=r"^[^/]+$")]
    load_id: Name
    report_id: Name
    file: Digest
    name: FileName | None = None
    schema_ver: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    separator: Literal["auto", "comma", "semicolon", "tab"] = "auto"
    set: Annotated[dict[Name, Cell], Field(max_length=20, default_factory=dict)]
    restate: bool = False
    dry_run: bool = False


@routes.post("/statements", status_code=202)
def load(
    body: SentStatement,
    caller: Annotated[Caller, Depends(reads_or_does("recon.statements.create"))],
    platform: Installation,
    key: Key = None,
) -> dict[str, Any]:
    """Have a statement loaded by a worker; GET /v1/ops/jobs/{id} tells when it is done.

    Its result has the exit code of the command: 0 loaded, 10 rows were refused or a dry run, 30 another header than the
    layout's, 40 the network is not allowed.
    """
    job = ask_to_load(platform, caller, body.model_dump(exclude_none=True), idempotency_key=key)
    return {
        "success": True,
        "data": {"jobId": job.job_id, "status": job.status, "createdAt": told(job.created_us)},
    }
