"""Statements that were sent over the network, loaded by a worker: what a command says by its exit code, a job tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tieout.books.ads.ingest import Ingested, IngestRequest, NetworkNotAllowed, ingest
from tieout.books.ads.staging import SchemaDrift
from tieout.books.workspace import Workspace
from tieout.control.accepting import accept_job
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_ERROR, EXIT_OK, TieoutError
from tieout.core.settings import Settings
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.work.jobs.kinds import Hopeless, InSteps, Kind
from tieout.work.jobs.rules import Job
from tieout.work.jobs.steps import Steps

KIND = "ads.ingest"
QUEUE = "ingest"
_SHOWN = 5


def kinds(settings: Settings) -> dict[str, Kind]:
    """Return the kind of job that loads a statement; it waits in the queue whose backlog `/ready` looks at."""
    return {KIND: InSteps(lambda steps: steps.step("ingest", lambda: _ingested(settings, steps)), queue=QUEUE)}


def ask_to_load(
    platform: Platform, caller: Caller, asked: Mapping[str, Any], *, idempotency_key: str | None = None
) -> Job:
    """Accept a statement that was sent, to be loaded by a worker.

    `asked` is the payload: network, load_id, report_id, file (its digest), and perhaps name, schema_ver, separator,
    set, restate and dry_run. The same idempotency key gives the same job. Raises ArtifactUnknown and ArtifactRemoved.
    """
    Store(platform.of(caller.tenant), Folders(platform.settings.data_dir), caller.tenant).artifacts.get(asked["file"])
    return accept_job(
        platform, caller, KIND, asked, queue=QUEUE, action="recon.statement_sent", idempotency_key=idempotency_key
    )


def _ingested(settings: Settings, steps: Steps) -> dict[str, Any]:
    """Load the statement; a header that changed and a network that is not allowed are answers, not failures."""
    job = steps.job
    own = replace(settings, tenant=job.tenant, actor=job.created_by or "system:worker")
    store = Store(steps.state, Folders(settings.data_dir), job.tenant)
    try:
        with store.folders.scratch("sent") as scratch:
            return _told(ingest(Workspace(own, store, steps.now), _request(store, job.payload, scratch)))
    except (SchemaDrift, NetworkNotAllowed) as refused:
        return {"exit_code": refused.exit_code, "outcome": refused.code, "says": str(refused)}
    except TieoutError as error:
        if error.http_status < 500:  # what the sender has to mend is not mended by another attempt
            raise Hopeless(f"{error} ({error.code})", subject=error.subject) from error
        raise


def _request(store: Store, payload: Mapping[str, Any], scratch: Path) -> IngestRequest:
    kept = store.artifacts.get(payload["file"])
    place = scratch / Path(payload.get("name") or kept.name).name  # the load's inputs bear this name
    place.hardlink_to(kept.path)
    return IngestRequest(
        network=payload["network"],
        load_id=payload["load_id"],
        report_id=payload["report_id"],
        files=(place,),
        schema_ver=payload.get("schema_ver", 1),
        separator=payload.get("separator", "auto"),
        given=payload.get("set", {}),
        is_dry_run=payload.get("dry_run", False),
        restates=payload.get("restate", False),
    )


def exit_code_of(done: Ingested) -> int:
    """Return the exit code of the command that took these statements in."""
    if done.outcome == "already_loaded":
        return EXIT_OK
    if done.outcome == "parse_no_rows" and done.quarantined:
        return EXIT_ERROR
    return EXIT_DIFFERENCES if done.quarantined or not done.lines else EXIT_OK


def _told(done: Ingested) -> dict[str, Any]:
    return {
        "exit_code": exit_code_of(done),
        "outcome": done.outcome,
        "run_id": done.run_id,
        "lines": done.lines,
        "quarantined": done.quarantined,
        "reasons": dict(done.reasons),
        "refused": [{name: _plain(value) for name, value in one.items()} for one in done.refused[:_SHOWN]],
        "figures": [dict(one) for one in done.figures],
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
