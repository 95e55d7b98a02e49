"""Comparisons as durable jobs: files that were sent are compared by a worker, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tieout.books.compare.actions import compare
from tieout.books.compare.options import infer_options
from tieout.books.compare.request import CompareRequest
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.work.jobs.kinds import Hopeless, InSteps, Kind
from tieout.work.jobs.steps import Steps

KIND = "recon.compare"
QUEUE = "recon"


def kinds(settings: Settings) -> dict[str, Kind]:
    """Return the kinds of jobs of this book."""
    return {KIND: InSteps(lambda steps: _compare(settings, steps), queue=QUEUE)}


def _compare(settings: Settings, steps: Steps) -> Any:
    """Compare the files that the payload names and return what `tieout compare --json` says of the run in short.

    The step may run twice; the second finds the run of the first on record.
    """
    return steps.step("compare", lambda: _told(settings, steps))


def _told(settings: Settings, steps: Steps) -> dict[str, Any]:
    job = steps.job
    own = replace(settings, tenant=job.tenant, actor=job.created_by or "system:worker")
    store = Store(steps.state, Folders(settings.data_dir), job.tenant)
    workspace = Workspace(own, store, steps.now)
    with store.folders.scratch("sent") as scratch:
        try:
            done = compare(workspace, _request(store, job.payload, scratch))
        except TieoutError as error:
            if error.http_status < 500:  # what the sender has to mend is not mended by another attempt
                raise Hopeless(f"{error} ({error.code})", subject=error.subject) from error
            raise
    return {"run_id": done.run.run_id, "result": done.summary["result"], "is_reused": done.is_reused}


def _request(store: Store, payload: Mapping[str, Any], scratch: Path) -> CompareRequest:
    sides = {side: _placed(store, payload.get(side), scratch / side) for side in ("ours", "theirs", "advice")}
    return CompareRequest(
        sides["ours"], sides["theirs"], infer_options(**payload.get("options", {})), advice=sides["advice"]
    )


def _placed(store: Store, sent: Mapping[str, str] | None, folder: Path) -> Path | None:
    """Return the file that was sent under its own name, for the name tells its format and the window of the run."""
    if sent is None:
        return None
    kept = store.artifacts.get(sent["file"])
    place = folder / Path(sent.get("name") or kept.name).name
    folder.mkdir(parents=True)
    place.hardlink_to(kept.path)
    return place
