"""What callers ask for over the network: keep a file, compare files, look at runs. Each sees its tenant's alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from tieout.books.compare.jobs import KIND, QUEUE
from tieout.books.compare.options import infer_options
from tieout.control.accepting import accept_job
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.errors import TieoutError
from tieout.engine.explain import in_units
from tieout.store.artifacts import Artifact
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.store.runs import Run
from tieout.work.jobs.rules import Job


class FactUnknown(TieoutError):
    """A run has no file of that name."""

    code = "fact_unknown"
    http_status = 404


def store_of(platform: Platform, caller: Caller) -> Store:
    """Return the store as the caller's tenant sees it."""
    return Store(platform.of(caller.tenant), Folders(platform.settings.data_dir), caller.tenant)


def keep_file(platform: Platform, caller: Caller, path: Path, name: str) -> Artifact:
    """Keep a file that was sent, under the name that its sender gave it."""
    return store_of(platform, caller).artifacts.receive(
        path,
        name=name,
        received_by=caller.actor.name,
        received_at=platform.now(),
        max_bytes=platform.settings.max_upload_bytes,
    )


def ask_to_compare(
    platform: Platform, caller: Caller, asked: Mapping[str, Any], *, idempotency_key: str | None = None
) -> Job:
    """Accept a comparison of files that were sent, to be done by a worker.

    `asked` has ours, theirs and perhaps advice, each with `file` (its digest) and perhaps `name`, and `options`. The
    same idempotency key gives the same job. Raises ArtifactUnknown, ArtifactRemoved and what is wrong with an option.
    """
    store = store_of(platform, caller)
    for side in ("ours", "theirs", "advice"):
        if asked.get(side) is not None:
            store.artifacts.get(asked[side]["file"])
    infer_options(**asked.get("options", {}))
    return accept_job(
        platform, caller, KIND, asked, queue=QUEUE, action="recon.compare_asked", idempotency_key=idempotency_key
    )


def list_deltas(store: Store, run: Run, *, kind: str | None, limit: int, offset: int) -> list[dict[str, Any]]:
    """Return deltas of a run, the largest amount first, with amounts as Decimals."""
    query = """
        select * from read_parquet($path)
        where $kind is null or kind = $kind
        order by abs(amount_micros) desc nulls last, delta_id
        limit $limit offset $offset
    """
    given = {"path": str(fact_path(store, run, "delta")), "kind": kind, "limit": limit, "offset": offset}
    con = duckdb.connect()
    try:
        found = con.execute(query, given)
        names = [column[0] for column in found.description or ()]
        return [in_units(dict(zip(names, row, strict=True))) for row in found.fetchall()]
    finally:
        con.close()


def fact_path(store: Store, run: Run, name: str) -> Path:
    """Return where a published file of a run lies. Raises FactUnknown and RunFilesGone."""
    try:
        return store.runs.file_path(run, name)
    except KeyError:
        raise FactUnknown(
            f"Run {run.run_id} has no file {name!r}.",
            subject=name,
            remedy=f"It has: {', '.join(sorted(file.name for file in run.files))}.",
        ) from None
