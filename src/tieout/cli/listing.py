"""Runs on record, listed: now, or as they were at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.compare import BOOK
from tieout.books.workspace import Workspace
from tieout.cli.ads_records import result_of
from tieout.cli.app import print_json
from tieout.core.errors import TieoutError
from tieout.store.runs import Run

SHORT_ID = 12


class BadInstant(TieoutError):
    """A text that should be an instant is not one."""

    code = "bad_instant"


def list_runs(workspace: Workspace, *, limit: int, as_of: str | None, as_json: bool) -> None:
    """List the runs, or with `as_of` the run that each window pointed to at that instant."""
    runs = workspace.store.runs
    found: list[Run]
    if as_of is None:
        found = list(runs.list_runs(limit=limit).runs)
    else:
        instant = _instant(as_of)
        pointed = (runs.run_as_of(window, instant) for window in runs.list_windows())
        found = [run for run in pointed if run is not None][:limit]
    if as_json:
        print_json([run_row(run) for run in found])
        return
    console = Console()
    if not found:
        console.print("No runs. `tieout compare OURS THEIRS` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "started", "status", "what", "result"):
        table.add_column(name, no_wrap=name in {"run", "started", "status"}, overflow="fold")
    for run in found:
        row = run_row(run)
        table.add_row(
            row["run_id"][:SHORT_ID],
            row["started_at"][:19].replace("T", " "),
            row["status"],
            Text(row["leg"] if row["book"] == BOOK else f"{row['book']} {row['leg']} {row['window']}"),
            Text(str(row["result"] or "")),
        )
    console.print(table)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadInstant(
            f"{text!r} is no instant.",
            subject=text,
            remedy="Write ISO 8601, such as 2026-01-31 or 2026-01-31T18:00:00Z.",
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def run_row(run: Run) -> dict[str, Any]:
    """Return what a list says of a run, as JSON can hold it."""
    return {
        "run_id": run.run_id,
        "book": run.window.book,
        "leg": run.window.leg,
        "window": run.window.window,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "result": (run.summary or {}).get("result") if run.window.book == BOOK else result_of(run),
        "failure": run.failure,
    }
