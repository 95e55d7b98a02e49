"""Comparisons over the network: send files, have them compared, look at runs and their results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Header, Query, Request, Response
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import Field, StringConstraints

from tieout.api.access import Installation, needs
from tieout.api.bodies import Body, Line, told
from tieout.api.section import Section
from tieout.books.compare import BOOK, accepting
from tieout.control.access.caller import Caller
from tieout.report.comparison import Report
from tieout.store.runs import Run

routes = Section(prefix="/v1", tags=["runs"])

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")
]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
RunId = Annotated[str, InPath(pattern=r"^[0-9a-f]{4,64}$", description="Of the run, or its beginning.")]
FactName = Annotated[str, InPath(pattern=r"^[a-z_]{1,64}$")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Reader = Annotated[Caller, Depends(needs("recon.runs.read"))]
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-inline'; sandbox allow-scripts"
)
"""The report is a page of its own: it has its style, pictures and script in it, and reaches nothing else."""


class SentFile(Body):
    """A file that was sent, by its digest; `name` is what it is called here, by default what its sender called it."""

    file: Digest
    name: FileName | None = None


class CompareOptions(Body):
    """What the caller settles, as on the command line; what is left out is inferred."""

    on: Annotated[list[ColumnName], Field(max_length=20)] | None = None
    amount: ColumnName | None = None
    date: ColumnName | None = None
    currency: ColumnName | None = None
    scale: ColumnName | None = None
    fee: ColumnName | None = None
    text: ColumnName | None = None
    group_by: ColumnName | None = None
    tolerance: Annotated[list[Line], Field(max_length=2)] | None = None
    window_days: Annotated[int, Field(ge=0, le=100_000)] | None = None
    number_format: Line | None = None
    date_format: Line | None = None
    ignore: Annotated[list[ColumnName], Field(max_length=500)] | None = None


class CompareBody(Body):
    """Two files to compare, and perhaps advice on which row of theirs goes with which of ours."""

    ours: SentFile
    theirs: SentFile
    advice: SentFile | None = None
    options: CompareOptions = Field(default_factory=CompareOptions)


@routes.post("/files", status_code=201)
async def send_file(
    request: Request,
    name: Annotated[FileName, Query(description="What the file is called; its ending may tell the format.")],
    caller: Annotated[Caller, Depends(needs("recon.files.create"))],
    platform: Installation,
) -> dict[str, Any]:
    """Keep a file: the body as it is, whatever its type. The same content is kept once."""
    # In the data folder, for the content is linked from there to its place, and a small /tmp takes no large file.
    with TemporaryDirectory(prefix="sent-", dir=await run_in_threadpool(_incoming, platform, caller)) as folder:
        path = Path(folder) / "body"
        await _write(request.stream(), path)
        kept = await run_in_threadpool(accepting.keep_file, platform, caller, path, name)
    return {"data": {"file": kept.artifact_id, "name": kept.name, "bytes": kept.byte_count}}


@routes.post("/comparisons", status_code=202)
def compare(
    body: CompareBody,
    caller: Annotated[Caller, Depends(needs("recon.runs.create"))],
    platform: Installation,
    key: Key = None,
) -> dict[str, Any]:
    """Have two files compared by a worker; GET /v1/ops/jobs/{id} tells when it is done, and its run."""
    asked = body.model_dump(exclude_none=True)
    job = accepting.ask_to_compare(platform, caller, asked, idempotency_key=key)
    return {"data": {"jobId": job.job_id, "status": job.status, "createdAt": told(job.created_us)}}


@routes.get("/runs")
def list_runs(
    caller: Reader,
    platform: Installation,
    status: Literal["running", "published", "failed", "superseded"] | None = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=120, pattern=r"^[0-9A-Za-z_:.+-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> dict[str, Any]:
    """List runs, the latest first."""
    page = accepting.store_of(platform, caller).runs.list_runs(status=status, cursor=cursor, limit=limit)
    return {"data": [_run(run) for run in page.runs], "meta": {"limit": limit, "next": page.next}}


@routes.get("/runs/{run_id}")
def show_run(run_id: RunId, caller: Reader, platform: Installation) -> dict[str, Any]:
    """Show a run: what went in, what came out, and its summary."""
    run = accepting.store_of(platform, caller).runs.find_run(run_id)
    return {
        "data": _run(run)
        | {
            "failure": run.failure,
            "inputs": [{"side": one.side, "name": one.name, "file": one.artifact_id} for one in run.inputs],
            "files": [
                {"name": one.name, "rows": one.row_count, "bytes": one.byte_count, "sha256": one.sha256}
                for one in run.files
            ],
            "summary": run.summary,
        }
    }


@routes.get("/runs/{run_id}/deltas")
def list_deltas(
    run_id: RunId,
    caller: Reader,
    platform: Installation,
    kind: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """List the differences of a run, the largest first; amounts are texts, for they are exact."""
    store = accepting.store_of(platform, caller)
    found = accepting.list_deltas(store, store.runs.find_run(run_id, book=BOOK), kind=kind, limit=limit, offset=offset)
    body = {"data": found, "meta": {"limit": limit, "offset": offset}}
    return Response(orjson.dumps(body, default=str), media_type="application/json")


@routes.get("/runs/{run_id}/report")
def show_report(run_id: RunId, caller: Reader, platform: Installation) -> HTMLResponse:
    """Return the report of a run as one page that opens offline."""
    store = accepting.store_of(platform, caller)
    run = store.runs.find_run(run_id, book=BOOK)
    run_dir = accepting.fact_path(store, run, "delta").parent
    page = Report(run_dir, run.summary or {}, run.config).html()
    return HTMLResponse(page, headers={"content-security-policy": PAGE_POLICY})


@routes.get("/runs/{run_id}/files/{name}")
def get_file(run_id: RunId, name: FactName, caller: Reader, platform: Installation) -> FileResponse:
    """Return a file that a run published, as it was published."""
    store = accepting.store_of(platform, caller)
    run = store.runs.find_run(run_id)
    path = accepting.fact_path(store, run, name)
    return FileResponse(path, filename=f"{run.run_id[:12]}-{path.name}", media_type="application/octet-stream")


def _incoming(platform: Installation, caller: Caller) -> Path:
    folder = accepting.store_of(platform, caller).folders.incoming
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _write(chunks: AsyncIterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in chunks:
            file.write(chunk)


def _run(run: Run) -> dict[str, Any]:
    summary = run.summary or {}
    return {
        "id": run.run_id,
        "book": run.window.book,
        "leg": run.window.leg,
        "window": run.window.window,
        "status": run.status,
        "startedAt": told(run.started_at),
        "finishedAt": told(run.finished_at),
        "result": summary.get("result"),
    }
