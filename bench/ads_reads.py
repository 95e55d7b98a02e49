"""Overview and deltas of the ads book at many stored deltas: p95 over the API, and as a ratio to a bare DuckDB query.

Makes a million deltas as runs of an installation of its own, in one of two shapes, then asks the routes as a client
does, in process and signed in. `processor_ms` is of client, server and engine together, and tells on a busy machine
what a quiet one would. The bare query reads the same facts from one Parquet file. Run it as
`python -m bench.ads_reads` from the repository root.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, insert

from tieout.api.app import create_app
from tieout.books.ads.period import instant_text
from tieout.books.ads.reads import Reads
from tieout.books.ads.reconcile import KINDS
from tieout.compose import open_platform
from tieout.control.access.actions.keys import create_key
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.settings import Settings
from tieout.store.folders import Folders
from tieout.store.opening import Store
from tieout.store.tables import publication, run, run_file

TENANT = "bench"
FIRST = datetime(2022, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NETWORKS, FORMATS, COUNTRIES = 15, 6, 20
APPS = 10
HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results-ads-reads.json"
MARKS = ("<!-- ads reads -->", "<!-- end of ads reads -->")


@dataclass(frozen=True)
class Shape:
    """How the deltas lie: so many windows, each so long, with so many deltas."""

    name: str
    length: timedelta
    windows: int
    per_window: int

    @property
    def end(self) -> datetime:
        return FIRST + self.windows * self.length

    def start_of(self, number: int) -> datetime:
        """Return when a window begins."""
        return FIRST + number * self.length

    def window(self, number: int) -> str:
        """Return the name of a window."""
        start = self.start_of(number)
        return f"{instant_text(start)}..{instant_text(start + self.length)}"


SHAPES = (Shape("hourly", timedelta(hours=1), 33_333, 30), Shape("daily", DAY, 365, 2_740))


def make(platform: Platform, shape: Shape, whole: Path) -> None:
    """Write the facts of a shape as published runs, and the deltas once more as one file."""
    rows: dict[str, list[dict[str, object]]] = {"run": [], "run_file": [], "publication": []}
    now, deltas = datetime.now(UTC), []
    for number in range(shape.windows):
        facts = _facts(shape, number)
        _write(platform, shape, number, facts, rows, now)
        deltas.append(facts["delta"])
    pq.write_table(pa.concat_tables(deltas), whole)
    _publish(platform, rows)


def publish_one(platform: Platform, shape: Shape, number: int) -> None:
    """Publish one window more."""
    rows: dict[str, list[dict[str, object]]] = {"run": [], "run_file": [], "publication": []}
    _write(platform, shape, number, _facts(shape, number), rows, datetime.now(UTC))
    _publish(platform, rows)


def _write(
    platform: Platform,
    shape: Shape,
    number: int,
    facts: dict[str, pa.Table],
    rows: dict[str, list[dict[str, object]]],
    now: datetime,
) -> None:
    run_id, window = f"{number:064x}", shape.window(number)
    folder = Folders(platform.settings.data_dir).run(run_id)
    folder.mkdir(parents=True)
    for name, table in facts.items():
        pq.write_table(table, folder / f"{name}.parquet")
        rows["run_file"].append(_file(run_id, name))
    rows["run"].append(_run(run_id, window, now))
    key = {"tenant": TENANT, "book": "ads", "leg": "reconcile", "window": window}
    rows["publication"].append(key | {"run_id": run_id, "published_us": now})


def _publish(platform: Platform, rows: dict[str, list[dict[str, object]]]) -> None:
    def fill(connection: Connection) -> None:
        for table in (run, run_file, publication):
            connection.execute(insert(table), rows[table.name])

    platform.of(TENANT).write(fill)


def _facts(shape: Shape, number: int) -> dict[str, pa.Table]:
    cells = _cells(shape, number)
    return {
        "delta": _deltas(shape, number),
        "delta_app": _apps(shape, number),
        "overview_cell": cells,
        "overview_app": cells.append_column("app_id", pa.array([f"app-{at % APPS}" for at in range(cells.num_rows)])),
    }


def _evidence(shape: Shape, number: int, at: int) -> str:
    return f"win:{shape.window(number)}:{KINDS[at % len(KINDS)]}:{at // len(KINDS)}"


def _micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _deltas(shape: Shape, number: int) -> pa.Table:
    many, count, start = range(shape.per_window), shape.per_window, shape.start_of(number)
    confidence = pa.array([0.6 + at % 4 / 10 for at in many], pa.float64()).cast(pa.decimal128(3, 2), safe=False)
    return pa.table(
        {
            "kind": [KINDS[at % len(KINDS)] for at in many],
            "amount_micros": pa.array([(number * 7919 + at * 104_729) % 10**9 for at in many], pa.int64()),
            "currency": ["USD"] * count,
            "reason_code": [f"agg_{KINDS[at % len(KINDS)]}" for at in many],
            "window_start_us": pa.array([_micros(start)] * count, pa.int64()),
            "window_end_us": pa.array([_micros(start + shape.length)] * count, pa.int64()),
            "evidence_id": [_evidence(shape, number, at) for at in many],
            "confidence": confidence,
        }
    )


def _apps(shape: Shape, number: int) -> pa.Table:
    return pa.table(
        {
            "evidence_id": [_evidence(shape, number, at) for at in range(shape.per_window)],
            "app_id": [f"app-{at % APPS}" for at in range(shape.per_window)],
            "amount_micros": pa.array(range(shape.per_window), pa.int64()),
        }
    )


def _cells(shape: Shape, number: int) -> pa.Table:
    """Return the cells of a window: all of a day, or the share of its day that an hour has."""
    every = [(n, f, c) for n in range(NETWORKS) for f in range(FORMATS) for c in range(COUNTRIES)]
    parts = round(DAY / shape.length)
    many = every[number % parts :: parts]
    count = len(many)
    names = ("impressions", "expected_micros", "paid_micros", "expected_rows", "covered_rows", "explained_micros")
    return pa.table(
        {
            "event_date": pa.array([shape.start_of(number).date()] * count, pa.date32()),
            "network": [f"network-{n}" for n, _, _ in many],
            "format": [f"format-{f}" for _, f, _ in many],
            "country": [f"c{c}" for _, _, c in many],
            "currency": ["USD"] * count,
            **{name: pa.array(range(1000, 1000 + count), pa.int64()) for name in names},
        }
    )


def _file(run_id: str, name: str) -> dict[str, object]:
    path = f"{name}.parquet"
    return {"tenant": TENANT, "run_id": run_id, "name": name, "path": path, "byte_count": 1, "sha256": "0" * 64}


def _run(run_id: str, window: str, now: datetime) -> dict[str, object]:
    return {
        "tenant": TENANT,
        "run_id": run_id,
        "book": "ads",
        "leg": "reconcile",
        "window": window,
        "status": "published",
        "started_us": now,
        "code_version": "0",
        "code_digest": "0" * 64,
        "config_digest": "0" * 64,
        "config": "{}",
        "engine_versions": {},
        "steps": [],
    }


def timed(ask: Callable[[], object], times: int) -> list[float]:
    """Return how many milliseconds each of so many calls took."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1000)
    return found


def p95(figures: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(figures, n=20)[-1]


def measure(shape: Shape, times: int, folder: Path | None = None) -> dict[str, object]:
    """Make an installation, ask it, and return the figures; one that is in `folder` is asked as it is."""
    with tempfile.TemporaryDirectory(prefix="ads-reads-") as name:
        place = folder or Path(name)
        is_made = (place / "whole.parquet").exists()
        settings = Settings.from_environment({"TIEOUT_DATA_DIR": str(place / "data"), "VRA_ENABLED": "true"})
        wide = {"rate_limit_ads_rpm": 10**6, "rate_limit_tenant_rpm": 10**6, "request_timeout_s": 600.0}
        platform = open_platform(replace(settings, **wide))
        try:
            if not is_made:
                make(platform, shape, place / "whole.parquet")
            return _measure(platform, shape, times, place / "whole.parquet")
        finally:
            platform.close()


def _questions(shape: Shape) -> dict[str, tuple[str, dict[str, str]]]:
    def since(days: int) -> dict[str, str]:
        return {"from": instant_text(shape.end - days * DAY), "to": instant_text(shape.end + DAY)}

    last_page = str(shape.windows * shape.per_window // 500)
    return {
        "deltas, all": ("deltas", {}),
        "deltas, page 100 of all": ("deltas", {"page": "100", "page_size": "100"}),
        "deltas, last page of all, 500 rows": ("deltas", {"page": last_page, "page_size": "500"}),
        "deltas, 7 days": ("deltas", since(7)),
        "deltas, a kind, sure": ("deltas", {"kind": "underpay", "min_conf": "0.8"}),
        "deltas, an app": ("deltas", {"app_id": "app-3"}),
        "deltas.csv, 500 rows": ("deltas.csv", {"page_size": "500"}),
        "deltas.csv, 500 rows of 7 days": ("deltas.csv", since(7) | {"page_size": "500"}),
        "overview, a day": ("overview", since(1)),
        "overview, 7 days": ("overview", since(7)),
        "overview, 7 days, an app": ("overview", since(7) | {"app_id": "app-3"}),
        "overview, 90 days": ("overview", since(90)),
        "overview, 365 days": ("overview", since(365)),
    }


def _bare(platform: Platform, times: int, whole: Path) -> list[float]:
    bare = duckdb.connect()
    bare.execute(f"set threads = {platform.settings.threads}")
    queries = (
        f"select count(*) from '{whole}'",
        f"select * from '{whole}' order by window_start_us desc, evidence_id limit 100",
    )
    return timed(lambda: [bare.execute(one).fetchall() for one in queries], max(5, times // 5))


def _measure(platform: Platform, shape: Shape, times: int, whole: Path) -> dict[str, object]:
    caller, name = Caller(TENANT, Actor("bench"), ("*",)), f"bench {time.time()}"
    key = create_key(platform, caller, name, ["recon.ads.read"]).text
    bare = p95(_bare(platform, times, whole))
    asked: dict[str, dict[str, float]] = {"bare DuckDB over one Parquet file: deltas, all": {"p95_ms": round(bare, 2)}}
    figures: dict[str, object] = {
        "deltas": shape.windows * shape.per_window,
        "windows": shape.windows,
        "times": times,
        "load": [round(one, 1) for one in os.getloadavg()],
        "asked": asked,
    }
    # Every run is read once in the life of an installation: what is published later is added to the file.
    folders = Folders(platform.settings.data_dir)
    shutil.rmtree(folders.gathered(TENANT, "ads"), ignore_errors=True)
    reads = Reads(Store(platform.of(TENANT), folders, TENANT), platform.settings)
    asked["nothing is gathered yet"] = _once(reads.warm)
    for words, is_warm in (("first after a start, at once", False), ("first after a start, ready", True)):
        app = create_app(platform)
        if is_warm:
            asked["making ready at a start"] = _once(app.state.ads_reads.of(TENANT).warm)
        with _client(app, key) as client:
            for question in ("deltas, all", "overview, 7 days"):
                asked[f"{words}: {question}"] = _once(partial(_get, client, *_questions(shape)[question]))
    with _client(create_app(platform), key) as client:
        for words, (path, given) in _questions(shape).items():
            asked[words] = _many(partial(_get, client, path, given), times)
        published = [_after_publishing(platform, shape, client, number) for number in _free(platform, shape, 20)]
        asked["deltas, all, a window was published since"] = _told(*zip(*published, strict=True))
    figures["ratio of p95: deltas, all to bare DuckDB"] = round(asked["deltas, all"]["p95_ms"] / bare, 2)
    return figures


def _free(platform: Platform, shape: Shape, count: int) -> list[int]:
    """Return the numbers of windows that were not published yet."""
    folders = Folders(platform.settings.data_dir)
    later = (number for number in itertools.count(shape.windows) if not folders.run(f"{number:064x}").exists())
    return list(itertools.islice(later, count))


def _client(app: FastAPI, key: str) -> TestClient:
    client = TestClient(app)
    client.headers["Authorization"] = f"Bearer {key}"
    return client


def _get(client: TestClient, path: str, given: dict[str, str]) -> None:
    answer = client.get(f"/api/v1/recon/{path}", params=given)
    assert answer.status_code == 200, answer.text
    assert path != "deltas" or answer.json()["total"], answer.text


def _after_publishing(platform: Platform, shape: Shape, client: TestClient, number: int) -> tuple[float, float]:
    publish_one(platform, shape, number)
    found = _once(partial(_get, client, "deltas", {}))
    return found["ms"], found["processor_ms"]


def _once(ask: Callable[[], object]) -> dict[str, float]:
    processor, began = time.process_time(), time.perf_counter()
    ask()
    passed, spent = time.perf_counter() - began, time.process_time() - processor
    return {"ms": round(passed * 1000, 2), "processor_ms": round(spent * 1000, 2)}


def _many(ask: Callable[[], object], times: int) -> dict[str, float]:
    ask()
    processor = time.process_time()
    found = timed(ask, times)
    return _told(found, [(time.process_time() - processor) * 1000 / times])


def _told(found: Sequence[float], processor_ms: Sequence[float]) -> dict[str, float]:
    return {
        "median_ms": round(statistics.median(found), 2),
        "p95_ms": round(p95(found), 2),
        "processor_ms": round(statistics.mean(processor_ms), 2),
    }


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Return the figures of the shapes as a table of Markdown."""
    heads = [f"{name}: {head}" for name in figures for head in ("median ms", "p95 ms", "processor ms")]
    lines = [f"| question | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for words in next(iter(figures.values()))["asked"]:
        cells = []
        for found in figures.values():
            told = found["asked"][words]
            cells += [
                f"{told[name]:,.1f}" if name in told else ""
                for name in ("median_ms" if "median_ms" in told else "ms", "p95_ms", "processor_ms")
            ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _keep(figures: dict[str, dict[str, Any]]) -> None:
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    README.write_text(f"{before}{MARKS[0]}\n{table(figures)}\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deltas", type=int, default=1_000_000, help="about so many, in windows of the same size")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--shape", choices=[one.name for one in SHAPES], help="only this one")
    parser.add_argument("--folder", type=Path, help="where the installations stay, to be asked again")
    parser.add_argument("--publish", action="store_true", help="keep the figures in results-ads-reads.json and README")
    chosen = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    for one in SHAPES:
        if chosen.shape in (None, one.name):
            shape = replace(one, windows=min(one.windows, chosen.deltas // one.per_window))
            folder = chosen.folder / one.name if chosen.folder else None
            figures[one.name] = measure(shape, chosen.times, folder)
    print(json.dumps(figures, indent=1))
    print(table(figures))
    if chosen.publish:
        _keep(figures)


if __name__ == "__main__":
    main()
