"""The statements that are current: for each load of each network the lines of the run that it points to."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from tieout.books.ads.ingest import LEG
from tieout.books.ads.pieces import BOOK, STATEMENT_LINE, pieces_of_run, view
from tieout.books.workspace import Workspace
from tieout.store.runs import Run


def list_statements(workspace: Workspace, networks: Sequence[str] | None = None) -> tuple[Run, ...]:
    """Return the current run of each load, of all networks or of those named (in any case), by window."""
    runs = workspace.store.runs
    wanted = None if networks is None else {network.lower() for network in networks}
    return tuple(
        run
        for run in runs.list_current(BOOK, LEG)
        if run.files_dropped_at is None and (wanted is None or run.window.window.split("/")[0].lower() in wanted)
    )


def view_statements(
    workspace: Workspace, con: duckdb.DuckDBPyConnection, networks: Sequence[str] | None = None
) -> tuple[Run, ...]:
    """Make the view `statement_line` over the lines of all current loads, or of these networks; return their runs."""
    found = list_statements(workspace, networks)
    pieces = [piece for run in found for piece in pieces_of_run(workspace.store, run, "statement_line")]
    view(con, "statement_line", STATEMENT_LINE, pieces)
    return found
