"""What judging publishes for readers, made without judging; and what they are asked, in short."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.books.ads.pieces import BOOK
from tieout.books.ads.reads import DeltaQuery
from tieout.store.publish import begin_run, publish
from tieout.store.runs import RunRequest, Window, measure_file

FIRST, END = date(2025, 11, 1), date(2025, 11, 8)


def told(world, period, deltas=1, expected_micros=500_000):
    """Publish what judging a period would: a dollar's half expected each day, 0.4 paid, and so many deltas."""
    every = [period.first_day + timedelta(days=at) for at in range((period.end_day - period.first_day).days)]
    side = {
        "event_date": pa.array(every, pa.date32()),
        **{name: [text] * len(every) for name, text in (("network", "admob"), ("format", "banner"), ("country", "US"))},
        "currency": ["USD"] * len(every),
        **{
            name: pa.array([micros] * len(every), pa.int64())
            for name, micros in (
                ("impressions", 1),
                ("expected_micros", expected_micros),
                ("paid_micros", 400_000),
                ("expected_rows", 1),
                ("covered_rows", 1),
                ("explained_micros", expected_micros - 400_000),
            )
        },
    }
    ids = [f"win:{period.text}:underpay:{at}" for at in range(deltas)]
    facts = {
        "overview_cell": side,
        "overview_app": side | {"app_id": ["app"] * len(every)},
        "delta": {
            "kind": pa.array(["underpay"] * deltas, pa.string()),
            "amount_micros": pa.array([100_000] * deltas, pa.int64()),
            "currency": pa.array(["USD"] * deltas, pa.string()),
            "reason_code": pa.array(["agg_underpay"] * deltas, pa.string()),
            "window_start_us": pa.array([period.start_us] * deltas, pa.int64()),
            "window_end_us": pa.array([period.end_us] * deltas, pa.int64()),
            "evidence_id": pa.array(ids, pa.string()),
            "confidence": pa.array([Decimal("0.70")] * deltas, pa.decimal128(3, 2)),
        },
        "delta_app": {
            "evidence_id": pa.array(ids, pa.string()),
            "app_id": pa.array(["app"] * deltas, pa.string()),
            "amount_micros": pa.array([100_000] * deltas, pa.int64()),
        },
    }
    store, config = world.workspace.store, f"{deltas} {expected_micros}"
    asked = RunRequest(Window(BOOK, "reconcile", period.window), (), config, "0", "0" * 64, {})
    with begin_run(store.runs, asked, now=world.now) as active:
        for name, columns in facts.items():
            pq.write_table(pa.table(columns), active.out_dir / f"{name}.parquet")
        files = [measure_file(active.out_dir, f"{name}.parquet") for name in facts]
        return publish(store.runs, active, files, steps=[], summary={}, now=world.now).run


def overview(known, first=FIRST, end=END, app_id=None):
    with known.look() as look:
        found = look.overview(first, end, app_id)
    told = found.totals
    return (
        told.impressions,
        told.paid_micros,
        told.expected_micros,
        found.coverage_percent,
        found.variance_percent,
    )


def ids(known, **asked):
    with known.look() as look:
        return [one.evidence_id.split("T")[0].removeprefix("win:") for one in look.list_deltas(DeltaQuery(**asked))]
