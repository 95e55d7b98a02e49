"""Runs of the ads book as `tieout runs` and `tieout show` tell of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.core.errors import TieoutError
from tieout.core.money import format_micros
from tieout.store.folders import storing
from tieout.store.runs import Run

SHORT_ID = 12
MOST_DELTAS = 20

_RESULTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "statements": lambda told: f"{told['lines']:,} lines, {told['quarantined']:,} refused",
    "own": lambda told: f"{sum(file['records'] for file in told['files']):,} {told['kind']}",
    "expected": lambda told: f"{told['written']:,} written of {told['seen']:,} seen",
    "match": lambda told: f"{told['auto']:,} auto, {told['review']:,} review, {told['unmatched']:,} unmatched",
    "reconcile": lambda told: f"{told['deltas']:,} deltas",
}


class NoReport(TieoutError):
    """A page was asked for of a run whose book makes none."""

    code = "no_report"


def result_of(run: Run) -> str | None:
    """Return what a run came to in a few words; None where it came to nothing."""
    tell, told = _RESULTS.get(run.window.leg), run.summary
    try:
        return tell(told) if tell and told else None
    except KeyError:  # a run of an earlier version told of other things
        return None


def show_ads_run(
    workspace: Workspace, run: Run, record: Mapping[str, Any], *, out: Path | None, report: Path | None, as_json: bool
) -> None:
    """Show a run's result, steps and digests; with `out` put its files there."""
    if report is not None:
        raise NoReport(
            f"Run {run.run_id[:SHORT_ID]} is of {run.window}: there is no page of it.",
            subject=run.run_id,
            remedy="--out FOLDER writes its files, --json prints its record.",
        )
    if out is not None:
        _write_files(workspace, run, out)
    if as_json:
        print_json(record)
        return
    console = Console()
    short = run.run_id[:SHORT_ID]
    console.print(Text(f"{run.window}", style="bold"))
    console.print(Text(f"run {short}, {run.status}: {result_of(run) or run.failure or 'no result'}"))
    if run.summary:
        _show_figures(console, run.summary)
    if run.window.leg == "reconcile" and run.is_published and run.files_dropped_at is None:
        _show_deltas(console, workspace.store.runs.file_path(run, "delta"))
    if run.steps:
        console.print(steps_table(run))
    if run.files:
        table = _table("file", "rows", "bytes", "sha256")
        for file in run.files:
            table.add_row(file.path, _count(file.row_count), f"{file.byte_count:,}", file.sha256[:SHORT_ID])
        console.print(table)
    if out is not None:
        console.print(f"Files: {out}", markup=False, highlight=False)


def steps_table(run: Run) -> Table:
    """Return the steps of a run as a table."""
    table = Table("step", "rows", "seconds", title="steps", title_justify="left", box=None, pad_edge=False)
    for step in run.steps:
        table.add_row(str(step["name"]), f"{step['rows']:,}", f"{step['seconds']:.2f}")
    return table


def _show_figures(console: Console, summary: Mapping[str, Any]) -> None:
    for name, value in summary.items():
        if isinstance(value, Mapping) and value:
            listed = (f"{key} {one:,}" if isinstance(one, int) else f"{key}: {one}" for key, one in value.items())
            console.print(Text(f"  {name.replace('_', ' ')}: {', '.join(listed)}"))
    for row in summary.get("balance", ()):
        told = ", ".join(
            f"{name.removesuffix('_micros')} {format_micros(int(micros))}"
            for name, micros in row.items()
            if name != "currency" and micros is not None
        )
        console.print(Text(f"  {row['currency']}: {told}"))


def _show_deltas(console: Console, path: Path) -> None:
    import duckdb  # noqa: PLC0415 - only here

    rows = duckdb.execute(
        "select kind, amount_micros, currency, reason_code, evidence_id from read_parquet(?)"
        " order by abs(amount_micros) desc, evidence_id limit ?",
        [str(path), MOST_DELTAS],
    ).fetchall()
    if not rows:
        return
    table = _table("delta", "amount", "", "reason", "evidence")
    for kind, micros, currency, reason, evidence in rows:
        table.add_row(kind, format_micros(micros), Text(currency), Text(reason), Text(evidence))
    console.print(table)


def _write_files(workspace: Workspace, run: Run, out: Path) -> None:
    with storing(str(out)):
        out.mkdir(parents=True, exist_ok=True)
        for file in run.files:
            place = workspace.store.runs.file_path(run, file.name)
            (out / Path(file.path).name).unlink(missing_ok=True)
            shutil.copyfile(place, out / Path(file.path).name)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in {"rows", "bytes", "amount"} else "left")
    return table


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"
