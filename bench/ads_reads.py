"""Overview and deltas of the ads book at many stored deltas: p95 over the API, and as a ratio to a bare DuckDB query.

Makes hourly windows with thirty deltas each as runs of an installation of its own, then asks the routes as a client
does, in process and signed in. `processor_ms` is of client, server and engine together, and tells on a busy machine
what a quiet one would. The bare query reads the same facts from one Parquet file. Run it as
`python -m bench.ads_reads` from the repository root.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.testclient import TestClient
from sqlalchemy import insert

from tieout.api.app import create_app
from tieout.books.ads.period import instant_text
from tieout.books.ads.reconcile import KINDS
from tieout.compose import open_platform
from tieout.control.access.actions.keys import create_key
from tieout.control.access.caller import Caller
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.settings import Settings
from tieout.store.folders import Folders
from tieout.store.tables import publication, run, run_file

TENANT = "bench"
PER_WINDOW = 30
FIRST = datetime(2022, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NETWORKS, FORMATS, COUNTRIES = 15, 6, 20
HERE = Path(__file__).parent
RESULTS = HERE / "results-ads-reads.json"


def make(platform: Platform, deltas: int, whole: Path) -> int:
    """Write the facts of so many deltas as published runs, all of them once more as one file; return the windows."""
    folders, windows = Folders(platform.settings.data_dir), deltas // PER_WINDOW
    rows: dict[str, list[dict[str, object]]] = {"run": [], "run_file": [], "publication": []}
    now, tables = datetime.now(UTC), []
    for number in range(windows):
        start = FIRST + number * HOUR
        run_id = f"{number:064x}"
        window = f"{instant_text(start)}..{instant_text(start + HOUR)}"
        folder = folders.run(run_id)
        folder.mkdir(parents=True)
        facts = {"delta": _deltas(start, number), "delta_app": _apps(start), "overview_cell": _cells(start.date())}
        for name, table in facts.items():
            pq.write_table(table, folder / f"{name}.parquet")
            rows["run_file"].append(_file(run_id, name))
        tables.append(facts["delta"])
        rows["run"].append(_run(run_id, window, now))
        rows["publication"].append(
            {
                "tenant": TENANT,
                "book": "ads",
                "leg": "reconcile",
                "window": window,
                "run_id": run_id,
                "published_us": now,
            }
        )
    pq.write_table(pa.concat_tables(tables), whole)

    def fill(connection: object) -> None:
        for table in (run, run_file, publication):
            connection.execute(insert(table), rows[table.name])  # type: ignore[attr-defined]

    platform.of(TENANT).write(fill)
    return windows


def _evidence(start: datetime, at: int) -> str:
    return f"win:{instant_text(start)}..{instant_text(start + HOUR)}:{KINDS[at % len(KINDS)]}:{at // len(KINDS)}"


def _micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


def _deltas(start: datetime, number: int) -> pa.Table:
    many = range(PER_WINDOW)
    confidence = pa.array([0.6 + at % 4 / 10 for at in many], pa.float64()).cast(pa.decimal128(3, 2), safe=False)
    return pa.table(
        {
            "kind": [KINDS[at % len(KINDS)] for at in many],
            "amount_micros": pa.array([(number * 7919 + at * 104_729) % 10**9 for at in many], pa.int64()),
            "currency": ["USD"] * PER_WINDOW,
            "reason_code": [f"agg_{KINDS[at % len(KINDS)]}" for at in many],
            "window_start_us": pa.array([_micros(start)] * PER_WINDOW, pa.int64()),
            "window_end_us": pa.array([_micros(start + HOUR)] * PER_WINDOW, pa.int64()),
            "evidence_id": [_evidence(start, at) for at in many],
            "confidence": confidence,
        }
    )


def _apps(start: datetime) -> pa.Table:
    return pa.table(
        {
            "evidence_id": [_evidence(start, at) for at in range(PER_WINDOW)],
            "app_id": [f"app-{at % 10}" for at in range(PER_WINDOW)],
            "amount_micros": pa.array(range(PER_WINDOW), pa.int64()),
        }
    )


def _cells(day: date) -> pa.Table:
    # An hour of a day: what an hourly window has of the cells of its day.
    many = [(n, f, c) for n in range(NETWORKS) for f in range(FORMATS) for c in range(COUNTRIES)][:75]
    count = len(many)
    figures = {
        name: pa.array([1000 + at for at in range(count)], pa.int64())
        for name in (
            "impressions",
            "expected_micros",
            "paid_micros",
            "expected_rows",
            "covered_rows",
            "explained_micros",
        )
    }
    return pa.table(
        {
            "event_date": pa.array([day] * count, pa.date32()),
            "network": [f"network-{n}" for n, _, _ in many],
            "format": [f"format-{f}" for _, f, _ in many],
            "country": [f"c{c}" for _, _, c in many],
            "currency": ["USD"] * count,
            **figures,
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


def measure(deltas: int, times: int) -> dict[str, object]:
    """Make an installation, ask it, and return the figures."""
    with tempfile.TemporaryDirectory(prefix="ads-reads-") as name:
        folder = Path(name)
        settings = Settings.from_environment({"TIEOUT_DATA_DIR": str(folder / "data"), "VRA_ENABLED": "true"})
        million = {"rate_limit_ads_rpm": 10**6, "rate_limit_tenant_rpm": 10**6}
        platform = open_platform(replace(settings, **million))
        try:
            return _measure(platform, deltas, times, folder / "whole.parquet")
        finally:
            platform.close()


def _measure(platform: Platform, deltas: int, times: int, whole: Path) -> dict[str, object]:
    windows = make(platform, deltas, whole)
    key = create_key(platform, Caller(TENANT, Actor("bench"), ("*",)), "bench", ["recon.ads.read"]).text
    last = FIRST + windows * HOUR
    week = {"from": instant_text(last - timedelta(days=7)), "to": instant_text(last + HOUR)}
    asked = {
        "deltas, all": ("deltas", {}),
        "deltas, page 100 of all": ("deltas", {"page": "100", "page_size": "100"}),
        "deltas, 7 days": ("deltas", week),
        "deltas, a kind, sure": ("deltas", {"kind": "underpay", "min_conf": "0.8"}),
        "deltas, an app": ("deltas", {"app_id": "app-3"}),
        "deltas.csv, 500 rows": ("deltas.csv", {"page_size": "500"}),
        "overview, 7 days": ("overview", week),
        "overview, a day": ("overview", {"from": instant_text(last - timedelta(days=1)), "to": week["to"]}),
    }
    figures: dict[str, object] = {"deltas": windows * PER_WINDOW, "windows": windows, "times": times}
    bare = duckdb.connect()
    bare.execute(f"set threads = {platform.settings.threads}")
    queries = (
        "select count(*) from '{0}'",
        "select * from '{0}' order by window_start_us desc, evidence_id limit 100",
    )
    ours_by_duck = timed(lambda: [bare.execute(one.format(whole)).fetchall() for one in queries], max(5, times // 5))
    figures["bare DuckDB over one Parquet file, deltas, all"] = {"p95_ms": round(p95(ours_by_duck), 2)}
    with TestClient(create_app(platform)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        [first] = timed(lambda: client.get("/api/v1/recon/deltas").json(), 1)
        figures["first question after a start"] = {"s": round(first / 1000, 2)}
        for words, (path, given) in asked.items():
            url = f"/api/v1/recon/{path}"
            answer = client.get(url, params=given)
            assert answer.status_code == 200, answer.text
            assert path == "deltas.csv" or answer.json().get("total", 1), words
            processor = time.process_time()
            found = timed(lambda url=url, given=given: client.get(url, params=given), times)
            each = (time.process_time() - processor) * 1000 / times
            figures[words] = {
                "median_ms": round(statistics.median(found), 2),
                "p95_ms": round(p95(found), 2),
                "processor_ms": round(each, 2),
            }
    ours = figures["deltas, all"]
    assert isinstance(ours, dict)
    figures["ratio of p95: deltas, all to bare DuckDB"] = round(ours["p95_ms"] / p95(ours_by_duck), 2)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deltas", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--publish", action="store_true", help="keep the figures in results-ads-reads.json")
    chosen = parser.parse_args()
    text = json.dumps(measure(chosen.deltas, chosen.times), indent=1)
    print(text)
    if chosen.publish:
        RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
