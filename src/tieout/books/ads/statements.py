"""The statements that are current: for each load of each network the lines of the run that it points to."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from tieout.books.ads.identity import BOOK
from tieout.books.ads.ingest import LEG
from tieout.books.compare.actions import Workspace
from tieout.store.runs import Run
from tieout.store.trees import cast, named, sql_of

STATEMENT_COLUMNS = {
    "event_date": "DATE",
    "app_id": "VARCHAR",
    "ad_unit_id": "VARCHAR",
    "country": "VARCHAR",
    "format": "VARCHAR",
    "currency": "VARCHAR",
    "impressions": "BIGINT",
    "clicks": "BIGINT",
    "paid_micros": "BIGINT",
    "ivt_micros": "BIGINT",
    "viewable_ppm": "BIGINT",
    "request_id": "VARCHAR",
    "report_id": "VARCHAR",
    "network": "VARCHAR",
    "schema_ver": "INTEGER",
    "load_id": "VARCHAR",
    "statement_id": "VARCHAR",
    "artifact_id": "VARCHAR",
    "row_no": "BIGINT",
}
"""The columns of `statement_line`, with DuckDB's types."""


def list_statements(workspace: Workspace, networks: Sequence[str] | None = None) -> tuple[Run, ...]:
    """Return the current run of each load, of all networks or of those named (in any case), by window."""
    runs = workspace.store.runs
    wanted = None if networks is None else {network.lower() for network in networks}
    windows = [window for window in runs.list_windows() if (window.book, window.leg) == (BOOK, LEG)]
    found = [
        runs.current_run(window)
        for window in windows
        if wanted is None or window.window.split("/")[0].lower() in wanted
    ]
    return tuple(run for run in found if run is not None)


def view_statements(
    workspace: Workspace, con: duckdb.DuckDBPyConnection, networks: Sequence[str] | None = None
) -> tuple[Run, ...]:
    """Make the view `statement_line` over the lines of all current loads, or of these networks; return their runs."""
    found = list_statements(workspace, networks)
    paths = [str(workspace.store.runs.file_path(run, "statement_line")) for run in found]
    if paths:
        query = exp.select(*STATEMENT_COLUMNS).from_(
            exp.Anonymous(this="read_parquet", expressions=[exp.convert(paths)])
        )
    else:
        nothing = [named(cast(exp.null(), kind), name) for name, kind in STATEMENT_COLUMNS.items()]
        query = exp.select(*nothing).where(exp.false())
    con.execute(f"create or replace view statement_line as {sql_of(query)}")
    return found
