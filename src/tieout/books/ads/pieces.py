"""What a stage reads: files that earlier runs published, listed with their digests, and seen as relations."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from tieout.engine.slices import fact_of
from tieout.store.opening import Store
from tieout.store.runs import Run

BOOK = "ads"

REVENUE_EVENT: Mapping[str, str] = {
    "request_id": "varchar",
    "event_us": "bigint",
    "network": "varchar",
    "app_id": "varchar",
    "ad_unit_id": "varchar",
    "format": "varchar",
    "country": "varchar",
    "revenue_type": "varchar",
    "revenue_usd_micros": "bigint",
    "currency": "varchar",
    "original_micros": "bigint",
    "fx_rate_nanos": "bigint",
    "viewable_ppm": "bigint",
}
RECEIPT: Mapping[str, str] = {
    "receipt_id": "varchar",
    "request_id": "varchar",
    "ts_us": "bigint",
    "placement_id": "varchar",
    "floor_cpm_micros": "bigint",
    "currency": "varchar",
    "winner_cpm_micros": "bigint",
    "winner_network": "varchar",
    "receipt_hash": "varchar",
}
STATEMENT_LINE: Mapping[str, str] = {
    "event_date": "date",
    "app_id": "varchar",
    "ad_unit_id": "varchar",
    "country": "varchar",
    "format": "varchar",
    "currency": "varchar",
    "impressions": "bigint",
    "clicks": "bigint",
    "paid_micros": "bigint",
    "ivt_micros": "bigint",
    "viewable_ppm": "bigint",
    "request_id": "varchar",
    "report_id": "varchar",
    "network": "varchar",
    "schema_ver": "integer",
    "load_id": "varchar",
    "statement_id": "varchar",
    "artifact_id": "varchar",
    "row_no": "bigint",
}
EXPECTED: Mapping[str, str] = {
    "event_date": "date",
    "request_id": "varchar",
    "placement_id": "varchar",
    "network": "varchar",
    "app_id": "varchar",
    "ad_unit_id": "varchar",
    "format": "varchar",
    "country": "varchar",
    "expected_usd_micros": "bigint",
    "currency": "varchar",
    "is_paid": "boolean",
    "floor_cpm_micros": "bigint",
    "floor_currency": "varchar",
    "receipt_hash": "varchar",
    "om_viewable_ppm": "bigint",
    "ts_us": "bigint",
}

MOST_LOOKED_AT = 64
"""Of more files than that looking at each while a query is planned takes longer than it saves."""


@dataclass(frozen=True)
class Piece:
    """A file that a run published or registered: which run of which leg and window, and its digest.

    `name` is that of the relation it holds, or holds a slice of.
    A file that is not Parquet in the columns of its relation is read by `query`; `span` is the first and last value of
    the column by which pieces are told apart, where the file itself does not say it.
    """

    leg: str
    window: str
    run_id: str
    name: str
    sha256: str
    path: Path
    query: str = ""
    span: tuple[int, int] | None = None


def pieces_of(store: Store, leg: str, *names: str) -> tuple[Piece, ...]:
    """Return the files of these names of every run that a window of the leg points to, by window and name."""
    found: list[Piece] = []
    for run in store.runs.list_current(BOOK, leg):
        if run.files_dropped_at is None:
            found += pieces_of_run(store, run, *names)
    return tuple(found)


def pieces_of_run(store: Store, run: Run, *names: str) -> tuple[Piece, ...]:
    """Return the files of these names of one run."""
    return tuple(
        Piece(
            run.window.leg,
            run.window.window,
            run.run_id,
            fact_of(file.name),
            file.sha256,
            store.runs.file_path(run, file.name),
        )
        for file in run.files
        if fact_of(file.name) in names
    )


def touching(pieces: Iterable[Piece], column: str, first: object, end: object) -> tuple[Piece, ...]:
    """Return the pieces that may hold rows whose `column` is at least `first` and before `end`.

    A file says in its footer between which values each column lies, so a load of another month changes nothing.
    """
    return tuple(piece for piece in pieces if _may_hold(piece, column, first, end))


def _may_hold(piece: Piece, column: str, first: Any, end: Any) -> bool:
    if piece.span is not None:
        return bool(piece.span[0] < end and piece.span[1] >= first)
    if piece.query:
        return False  # a file without a record
    metadata = pq.read_metadata(piece.path)
    position = metadata.schema.names.index(column)
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        if not rows.num_rows:
            continue
        stats = rows.column(position).statistics
        if stats is None or not stats.has_min_max or (stats.min < end and stats.max >= first):
            return True
    return False


def listing(pieces: Sequence[Piece]) -> str:
    """Return the pieces as text, one a line: what a run names as its input."""
    lines = [
        json.dumps(
            {"leg": one.leg, "window": one.window, "run": one.run_id, "name": one.name, "sha256": one.sha256},
            sort_keys=True,
        )
        for one in pieces
    ]
    return "".join(f"{line}\n" for line in lines)


def are_in_place(pieces: Collection[Piece]) -> bool:
    """Tell whether each row has a place by which it is found again: Parquet files, few enough to name one by one."""
    return len(pieces) <= MOST_LOOKED_AT and all(not piece.query for piece in pieces)


def view_in_place(
    con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], pieces: Iterable[Piece]
) -> None:
    """Make the relation `name` of the files, with `place`: the number of the row in all of them, from 0.

    Of a range of places only that part of the files is read.
    """
    shown = ", ".join(f"{column}::{kind} as {column}" for column, kind in columns.items())
    queries, before = [], 0
    for piece in pieces:
        path = str(piece.path).replace("'", "''")
        place = f"file_row_number + {before}" if before else "file_row_number"
        queries.append(f"select {place} as place, {shown} from read_parquet('{path}', file_row_number = true)")
        before += pq.read_metadata(piece.path).num_rows
    if not queries:
        nothing = ", ".join(f"null::{kind} as {column}" for column, kind in columns.items())
        queries = [f"select null::bigint as place, {nothing} where false"]
    con.execute(f"create or replace view {name} as {' union all '.join(queries)}")


def view(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], pieces: Iterable[Piece]) -> None:
    """Make the relation `name` of the files, in their order; an empty one where there are none."""
    every = list(pieces)
    paths = ["'" + str(piece.path).replace("'", "''") + "'" for piece in every if not piece.query]
    shown = ", ".join(f"{column}::{kind} as {column}" for column, kind in columns.items())
    queries = [f"select {shown} from ({piece.query})" for piece in every if piece.query]
    if paths:
        # So the footers of all files are looked at, and a filter that they show to keep every row costs nothing.
        by_name = ", union_by_name = true" if 1 < len(paths) <= MOST_LOOKED_AT else ""
        queries.insert(0, f"select {shown} from read_parquet([{', '.join(paths)}]{by_name})")
    if not queries:
        queries = [
            "select " + ", ".join(f"null::{kind} as {column}" for column, kind in columns.items()) + " where false"
        ]
    con.execute(f"create or replace view {name} as {' union all '.join(queries)}")
