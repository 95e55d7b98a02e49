"""Small worlds for the ads book: text tables that an accountant can read, as files of runs or straight into a stage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tieout.books.ads.period import Period, parse_period
from tieout.books.ads.pieces import BOOK, EXPECTED, RECEIPT, REVENUE_EVENT, STATEMENT_LINE, Piece
from tieout.books.ads.reconcile import UNIT
from tieout.compose import open_workspace
from tieout.core.money import to_micros
from tieout.core.settings import Settings
from tieout.engine.slices import slice_paths
from tieout.engine.steps import Runner
from tieout.store.publish import begin_run, publish
from tieout.store.runs import RunInput, RunRequest, Window, measure_file

NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
SHORT = {
    "at": ("event_us", "ts_us"),
    "usd": ("revenue_usd_micros", "expected_usd_micros"),
    "cpm": ("winner_cpm_micros",),
    "winner": ("winner_network",),
    "paid": ("paid_micros",),
    "ivt": ("ivt_micros",),
    "original": ("original_micros",),
    "rate": ("fx_rate_nanos",),
    "view": ("viewable_ppm", "om_viewable_ppm"),
    "request": ("request_id",),
    "id": ("receipt_id",),
    "day": ("event_date",),
    "app": ("app_id",),
    "unit": ("ad_unit_id",),
    "load": ("load_id",),
    "we": ("expected_micros",),
    "they": ("reported_micros",),
    "unpaid": ("unpaid_micros",),
    "rows": ("expected_rows",),
    "lines": ("reported_rows",),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "revenue_event": {
        "network": "admob",
        "app_id": "app",
        "ad_unit_id": "unit",
        "format": "banner",
        "country": "US",
        "revenue_type": "impression",
        "currency": "USD",
    },
    "receipt": {"placement_id": "p1", "floor_cpm_micros": 100_000, "currency": "USD", "receipt_hash": "ab" * 32},
    "statement_line": {
        "app_id": "app",
        "ad_unit_id": "unit",
        "country": "US",
        "format": "banner",
        "currency": "USD",
        "impressions": 1,
        "report_id": "r1",
        "network": "admob",
        "schema_ver": 1,
        "load_id": "l1",
    },
    "unit": {
        "currency": "USD",
        "outcome": "auto",
        "pass": "sum",
        "reason_code": "",
        "event_date": date(2025, 11, 3),
        "network": "admob",
        "app_id": "app",
        "ad_unit_id": "unit",
        "country": "US",
        "format": "banner",
        "expected_rows": 0,
        "expected_micros": 0,
        "unpaid_rows": 0,
        "unpaid_micros": 0,
        "reported_rows": 0,
        "impressions": 0,
        "reported_micros": 0,
    },
    "expected": {
        "network": "admob",
        "placement_id": "p1",
        "app_id": "app",
        "ad_unit_id": "unit",
        "format": "banner",
        "country": "US",
        "currency": "USD",
        "is_paid": True,
        "floor_cpm_micros": 100_000,
        "floor_currency": "USD",
        "receipt_hash": "ab" * 32,
    },
}
SCHEMAS: dict[str, Mapping[str, str]] = {
    "revenue_event": REVENUE_EVENT,
    "receipt": RECEIPT,
    "statement_line": STATEMENT_LINE,
    "expected": EXPECTED,
    "unit": UNIT,
}
Rows = list[dict[str, Any]]


def instant(text: str) -> int:
    """Read `11-02 10:30` or `11-02T10:30:05.25` of the year 2025 as micros since 1970."""
    return (datetime.fromisoformat(f"2025-{text.replace(' ', 'T')}").replace(tzinfo=UTC) - EPOCH) // timedelta(
        microseconds=1
    )


def days(start: str, end: str) -> Period:
    """Return the period from one day of 2025 to another: `days("11-01", "11-02")` is the first of November."""
    return parse_period(f"2025-{start}", f"2025-{end}", is_forced=True)


def rows(kind: str, text: str) -> Rows:
    """Read a table with | between cells; its first line names the columns (or their short names), a dash is no value.

    Amounts are in units, rates in units, shares in percent, instants and days are of 2025.
    """
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    names = [_column(kind, name) for name in head]
    return [
        complete(kind, {name: _value(name, cell) for name, cell in zip(names, line, strict=True)}, place)
        for place, line in enumerate(lines, start=1)
    ]


def complete(kind: str, given: Mapping[str, Any], place: int = 1) -> Rows | dict[str, Any]:
    """Return a row with what it leaves open filled in."""
    row = dict.fromkeys(SCHEMAS[kind]) | DEFAULTS[kind] | dict(given)
    if kind == "receipt" and row["receipt_id"] is None:
        row["receipt_id"] = f"receipt-{place}"
    if kind == "expected" and row["event_date"] is None:
        row["event_date"] = (EPOCH + timedelta(microseconds=row["ts_us"])).date()
    if kind == "statement_line":
        row["artifact_id"] = row["artifact_id"] or hashlib.sha256(str(row["load_id"]).encode()).hexdigest()
        row["row_no"] = row["row_no"] or place
        row["statement_id"] = statement_id(row)
    return row


def statement_id(row: Mapping[str, Any]) -> str:
    names = ("event_date", "app_id", "ad_unit_id", "country", "format", "currency", "report_id", "network")
    return hashlib.sha256("|".join(str(row[name]) for name in names).encode()).hexdigest()


def _column(kind: str, name: str) -> str:
    found = [column for column in SHORT.get(name, (name,)) if column in SCHEMAS[kind]]
    if not found:
        raise ValueError(f"{kind} has no column {name}")
    return found[0]


def _value(name: str, cell: str) -> Any:
    if cell in ("", "-"):
        return None
    if name.endswith("_us"):
        return instant(cell)
    if name.endswith("_micros"):
        return to_micros(cell)
    if name.endswith("_nanos"):
        return int(to_micros(cell)) * 1000
    if name.endswith("_ppm"):
        return int(to_micros(cell)) // 100
    if name == "event_date":
        return date.fromisoformat(f"2025-{cell}")
    if name in ("impressions", "clicks", "row_no") or name.endswith("_rows"):
        return int(cell)
    return cell == "yes" if name == "is_paid" else cell


def write(kind: str, found: Rows, path: Path) -> Path:
    """Write rows as Parquet."""
    schema = pa.schema([(name, TYPES[type_]) for name, type_ in SCHEMAS[kind].items()])
    pq.write_table(pa.Table.from_pylist(found, schema=schema), path)
    return path


def piece(kind: str, found: Rows, folder: Path, leg: str = "own", window: str = "sdk") -> Piece:
    """Return rows as a file that a stage reads."""
    path = write(kind, found, folder / f"{leg}-{window.replace('/', '-')}-{kind}.parquet")
    return Piece(leg, window, "0" * 64, kind, hashlib.sha256(path.read_bytes()).hexdigest(), path)


def stage_of(
    folder: Path, work: Callable[[Runner], dict[str, Any]], facts: Sequence[str], con: duckdb.DuckDBPyConnection
) -> tuple[dict[str, Any], dict[str, Rows], dict[str, bytes]]:
    """Run the work of a stage in a folder; return its summary, and its facts as rows and as bytes, slices in order."""
    target = folder / "facts"
    target.mkdir(exist_ok=True)
    summary = work(Runner(con, target))
    files = {fact: slice_paths(target, fact) for fact in facts}
    made = {fact: b"".join(path.read_bytes() for path in paths) for fact, paths in files.items()}
    found = {fact: [row for path in paths for row in pq.read_table(path).to_pylist()] for fact, paths in files.items()}
    return summary, found, made


def connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set threads = 1; set TimeZone = 'UTC'")
    return con


@dataclass
class World:
    """A store with what was received: publish rows as runs, then run stages on the workspace."""

    folder: Path
    tenant: str = "default"
    now: datetime = NOW

    def __post_init__(self) -> None:
        settings = Settings.from_environment(
            {
                "TIEOUT_DATA_DIR": str(self.folder / "data"),
                "TIEOUT_ACTOR": "ann",
                "TIEOUT_TENANT": self.tenant,
                "TIEOUT_THREADS": "1",
            }
        )
        opened = open_workspace(settings)
        self.workspace = type(opened)(opened.settings, opened.store, lambda: self.now)

    def publish(self, leg: str, window: str, inputs: tuple[RunInput, ...] = (), **found: Rows) -> None:
        """Publish rows as the run that a window points to."""
        store = self.workspace.store
        asked = RunRequest(Window(BOOK, leg, window), inputs, repr(sorted(found.items())), "0", "0" * 64, {})
        with begin_run(store.runs, asked, now=self.now) as active:
            files = []
            for kind, these in found.items():
                write(kind, these, active.out_dir / f"{kind}.parquet")
                files.append(measure_file(active.out_dir, f"{kind}.parquet", row_count=len(these)))
            publish(store.runs, active, files, steps=[], summary={}, now=self.now)

    def own(self, receipts: str | Rows = (), events: str | Rows = (), source: str = "sdk") -> None:
        self._register("receipts", "receipt", receipts, f"{source}-receipts")
        self._register("events", "revenue_event", events, source)

    def _register(self, kind: str, relation: str, given: str | Rows, name: str) -> None:
        """Publish our own records as a registered source is, without a look at each of them."""
        found = rows(relation, given) if isinstance(given, str) else list(given)
        instants = [row["ts_us" if kind == "receipts" else "event_us"] for row in found]
        store = self.workspace.store
        asked = RunRequest(Window(BOOK, "own", name), (), repr((kind, found)), "0", "0" * 64, {})
        with begin_run(store.runs, asked, now=self.now) as active:
            name_kept = write(relation, found, active.out_dir / "rows-1.parquet").name
            file = measure_file(active.out_dir, name_kept, name=name_kept)
            told = {
                "path": name_kept,
                "sha256": file.sha256,
                "byte_count": file.byte_count,
                "function": "read_parquet",
                "arguments": {},
                "records": len(found),
                "first_us": min(instants, default=None),
                "last_us": max(instants, default=None),
                "is_typed": True,
            }
            summary = {"kind": kind, "name": name, "files": [told]}
            publish(store.runs, active, [file], steps=[], summary=summary, now=self.now)

    def statement(self, text: str | Rows, window: str = "admob/l1") -> None:
        found = rows("statement_line", text) if isinstance(text, str) else text
        self.publish("statements", window, statement_line=found)

    def facts(self, done: Any, name: str) -> Rows:
        """Return a fact of the run of a stage."""
        return pq.read_table(self.workspace.store.runs.file_path(done.run, name)).to_pylist()

    def close(self) -> None:
        self.workspace.close()
