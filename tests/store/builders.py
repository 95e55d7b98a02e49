"""Valid stores, files, requests and runs; a test names only what matters to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tieout.core.settings import Settings
from tieout.store.opening import Store, open_store
from tieout.store.publish import ActiveRun, Published, begin_run, publish
from tieout.store.runs import RunFile, RunInput, RunRequest, Window, measure_file

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)  # after the time of every file that a test writes
DAY = timedelta(days=1)
MARCH = Window("compare", "files", "2026-03")
DIGEST = "0" * 64


def settings_for(data_dir: Path, tenant: str = "default") -> Settings:
    """Return settings for a data folder; its state is SQLite, unless the environment of the test says PostgreSQL."""
    return Settings.from_environment(
        {
            "TIEOUT_DATA_DIR": str(data_dir),
            "TIEOUT_STATE": os.environ.get("TIEOUT_STATE", ""),
            "TIEOUT_TENANT": tenant,
            "TIEOUT_ACTOR": "ann",
        }
    )


def a_store(data_dir: Path, tenant: str = "default") -> Store:
    return open_store(settings_for(data_dir, tenant), now=NOW)


def a_file(folder: Path, content: bytes | str = "id,amount\n1,2.50\n", name: str = "ours.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def received(store: Store, content: str, name: str = "ours.csv", at: datetime = NOW) -> str:
    with TemporaryDirectory() as outbox:  # one a call: processes that race must not write each other's files
        path = a_file(Path(outbox), content, name)
        return store.artifacts.receive(path, received_by="ann", received_at=at).artifact_id


def a_request(
    store: Store, *, ours: str = "1", theirs: str = "2", window: Window = MARCH, config: str = "a = 1"
) -> RunRequest:
    return RunRequest(
        window=window,
        inputs=(
            RunInput("ours", "ours.csv", received(store, ours)),
            RunInput("theirs", "theirs.csv", received(store, theirs, "theirs.csv")),
        ),
        config=config,
        code_version="0.1.0",
        code_digest=DIGEST,
        engine_versions={"duckdb": "2.0.0"},
    )


def written(active: ActiveRun, contents: Mapping[str, str]) -> tuple[RunFile, ...]:
    files = []
    for path, content in contents.items():
        place = active.out_dir / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        files.append(measure_file(active.out_dir, path, row_count=len(content)))
    return tuple(files)


def contents_of(request: RunRequest) -> dict[str, str]:
    """Return what a run of this request writes: something that depends on it alone."""
    about = f"{request.window} {request.config} {[given.artifact_id for given in request.inputs]}"
    return {"match.parquet": f"match {about}", "delta.parquet": f"delta {about}"}


def a_published_run(
    store: Store, request: RunRequest, *, now: datetime = NOW, contents: Mapping[str, str] | None = None
) -> Published:
    with begin_run(store.runs, request, now=now) as active:
        files = written(active, contents or contents_of(request))
        return publish(store.runs, active, files, steps=[{"step": "match", "rows": 1}], summary={"n": 1}, now=now)
