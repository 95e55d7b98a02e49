"""A run on record: its result, steps, digests and largest differences."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.pieces import BOOK as ADS
from tieout.books.compare import BOOK
from tieout.books.compare.actions import SUMMARY
from tieout.books.workspace import Workspace
from tieout.cli.ads_records import show_ads_run, steps_table
from tieout.cli.app import print_json
from tieout.cli.listing import SHORT_ID, run_row
from tieout.report.console import render
from tieout.report.exports import write_out
from tieout.report.html import write_report
from tieout.store.runs import Run


def show_run(workspace: Workspace, prefix: str, *, out: Path | None, report: Path | None, as_json: bool) -> None:
    """Show a run's result, steps and digests; with `out` write the report and full result, with `report` that page."""
    runs = workspace.store.runs
    run = runs.find_run(prefix)
    if run.window.book != BOOK:
        show_ads_run(workspace, runs.find_run(prefix, book=ADS), _record(run), out=out, report=report, as_json=as_json)
        return
    summary = dict(run.summary or {})
    if report is not None:
        write_report(runs.file_path(run, SUMMARY).parent, summary, report)
    if out is not None:
        write_out(runs.file_path(run, SUMMARY).parent, summary, run.config, out)
    if as_json:
        print_json(_record(run))
        return
    console = Console()
    if not summary:
        console.print(Text(f"Run {run.run_id[:SHORT_ID]} is {run.status}. {run.failure or ''}"))
        return
    render(summary, console)
    console.print(steps_table(run))
    _show_largest(console, runs.file_path(run, "delta"))
    if out is not None:
        console.print(f"Report: {out / 'report.html'}", markup=False, highlight=False)


def _record(run: Run) -> dict[str, Any]:
    return {
        **run_row(run),
        "code_version": run.code_version,
        "code_digest": run.code_digest,
        "config_digest": run.config_digest,
        "engine_versions": dict(run.engine_versions),
        "inputs": [{"side": one.side, "name": one.name, "artifact": one.artifact_id} for one in run.inputs],
        "steps": list(run.steps),
        "files": [
            {"name": file.name, "rows": file.row_count, "bytes": file.byte_count, "sha256": file.sha256}
            for file in run.files
        ],
        "summary": dict(run.summary or {}),
    }


def _show_largest(console: Console, deltas: Path) -> None:
    import duckdb  # noqa: PLC0415 - only here

    rows = duckdb.execute(
        "select delta_id, kind, amount_micros, currency, ours_row, theirs_row, reason_code from read_parquet(?)"
        " order by abs(amount_micros) desc nulls last, delta_id limit 10",
        [str(deltas)],
    ).fetchall()
    if not rows:
        return
    table = Table("delta", "kind", title="largest differences", title_justify="left", box=None, pad_edge=False)
    table.add_column("amount", justify="right")
    for name in ("", "our row", "their row", "reason"):
        table.add_column(name)
    for delta_id, kind, micros, currency, ours, theirs, reason in rows:
        amount = "" if micros is None else f"{Decimal(micros).scaleb(-6):,.2f}"
        table.add_row(delta_id, kind, amount, Text(currency), str(ours or ""), str(theirs or ""), Text(reason))
    console.print(table)
