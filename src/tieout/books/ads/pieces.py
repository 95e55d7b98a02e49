"""What a stage reads: files that earlier runs published, listed with their digests, and seen as relations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from tieout.books.ads.identity import BOOK
from tieout.books.ads.own_relation import OwnFile
from tieout.store.opening import Store
from tieout.store.runs import Run

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


@dataclass(frozen=True)
class Piece:
    """A file that a run published or registered: which run of which leg and window, and its digest.

    `own` is how a registered file of our own is read.
    """

    leg: str
    window: str
    run_id: str
    name: str
    sha256: str
    path: Path
    own: OwnFile | None = None


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
            run.window.leg, run.window.window, run.run_id, file.name, file.sha256, store.runs.file_path(run, file.name)
        )
        for file in run.files
        if file.name in names
    )


def touching(pieces: Iterable[Piece], column: str, first: object, end: object) -> tuple[Piece, ...]:
    """Return the pieces that may hold rows whose `column` is at least `first` and before `end`.

    A file says in its footer between which values each column lies, so a load of another month changes nothing.
    """
    return tuple(piece for piece in pieces if _may_hold(piece.path, column, first, end))


def _may_hold(path: Path, column: str, first: object, end: object) -> bool:
    metadata = pq.read_metadata(path)
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


def view(con: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], pieces: Iterable[Piece]) -> None:
    """Make the relation `name` of the files, in their order; an empty one where there are none."""
    paths = ["'" + str(piece.path).replace("'", "''") + "'" for piece in pieces]
    if paths:
        shown = ", ".join(f"{column}::{kind} as {column}" for column, kind in columns.items())
        con.execute(f"create or replace view {name} as select {shown} from read_parquet([{', '.join(paths)}])")
    else:
        shown = ", ".join(f"null::{kind} as {column}" for column, kind in columns.items())
        con.execute(f"create or replace view {name} as select {shown} where false")
