"""The stages of the ads book on one day of a made-up world: statements, expected, match and reconcile, each a run.

The statements of the day are taken in two at a time, as by two threads of a worker. Our own files are registered before
the clock starts, as they are once when they arrive; `own_s` says what that took.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import report
from tieout.books.ads.expected import build_expected
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.matching import match_ads
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.ads.period import parse_period
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Workspace
from tieout.compose import open_workspace
from tieout.core.settings import Settings

LOADS_AT_ONCE = 2
"""As many as the threads of a worker that take loads in."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("world", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    told = json.loads((chosen.world / "truth.json").read_text())["world"]
    first = date.fromisoformat(told["first_day"])
    period = parse_period(str(first), str(first + timedelta(days=1)))
    with closing(open_workspace(Settings.from_environment(os.environ))) as workspace:
        started = time.perf_counter()
        for kind in ("events", "receipts"):
            files = tuple(sorted((chosen.world / "own" / kind).glob("*.parquet")))
            register_own(workspace, OwnRequest(kind, kind, files))
        own_s = time.perf_counter() - started
        stages: dict[str, tuple[float, float]] = {}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            begun, used = time.perf_counter(), time.process_time()
            done = work()
            stages[name] = (time.perf_counter() - begun, time.process_time() - used)
            return done

        timed("ingest", lambda: _ingest(workspace, chosen.world, told["first_day"]))
        expected = timed("expected", lambda: build_expected(workspace, period))
        matched = timed("match", lambda: match_ads(workspace, period))
        judged = timed("reconcile", lambda: reconcile_ads(workspace, period, Tunables(), as_of=first))
        seconds = sum(took for took, _ in stages.values())
        steps = {
            leg: [(step["name"], step["rows"], round(step["seconds"], 3)) for step in done.done.run.steps]
            for leg, done in (("expected", expected), ("match", matched), ("reconcile", judged))
        }
        (chosen.out / "steps.json").write_text(json.dumps(steps, indent=1))
        [balance] = [one for one in judged.done.summary["balance"] if one["currency"] == "USD"]
        report(
            seconds,
            expected_rows=expected.written,
            expected_micros=int(balance["expected_micros"]),
            reported_micros=int(balance["reported_micros"]),
            lines=matched.auto + matched.review + matched.unmatched,
            own_ms=round(own_s * 1000),
            cpu_ms=round(sum(used for _, used in stages.values()) * 1000),
            **{f"{name}_ms": round(took * 1000) for name, (took, _) in stages.items()},
            **{f"{name}_cpu_ms": round(used * 1000) for name, (_, used) in stages.items()},
        )


def _ingest(workspace: Workspace, world: Path, day: str) -> None:
    loads = [load for load in json.loads((world / "loads.json").read_text())["loads"] if load["load_id"] == day]
    requests = [
        IngestRequest(load["network"], day, load["report_id"], (world / load["file"],), restates=load["restates"])
        for load in loads
    ]
    with ThreadPoolExecutor(LOADS_AT_ONCE) as pool:
        list(pool.map(partial(ingest, workspace), requests))


if __name__ == "__main__":
    main()
