"""`tieout compare` and `tieout inspect`: parse, call the action, show."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tieout.books.compare.increment import compare_or_add
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.options import infer_options, reading_of
from tieout.books.compare.planning import chosen_plan, save_plan
from tieout.books.compare.request import CompareRequest
from tieout.books.compare.what_if import Figures, WhatIf, try_changes
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.engine.loading import FastReadFailed, SideName, count_rows, sample_relation
from tieout.engine.plan_file import plan_to_toml
from tieout.intake.csv_careful import read_csv_carefully
from tieout.intake.reading import Direct, ReadOptions, read
from tieout.intake.records import Records
from tieout.report.console import render

__all__ = ["compare_files", "infer_options", "inspect_file", "reading_of"]

PREVIEW_ROWS = 5
_NOTHING = Decimal(0)


def compare_files(
    workspace: Workspace,
    ours: Path,
    theirs: Path,
    options: InferOptions,
    *,
    advice: Path | None,
    plan_file: Path | None,
    out: Path | None,
    report: Path | None,
    reading: Mapping[SideName, ReadOptions],
    what_if: Sequence[str] = (),
    after: str | None = None,
    overlap: bool = False,
    fresh: bool,
    as_json: bool,
) -> int:
    """Compare two files and show the result; return the exit code."""
    plan = chosen_plan(plan_file, options) if plan_file is not None and plan_file.exists() else None
    request = CompareRequest(ours, theirs, options, plan, reading=reading, is_fresh=fresh, advice=advice)
    with stepping() as on_step:
        done = compare_or_add(workspace, request, after, is_overlapping=overlap, on_step=on_step)
        if plan_file is not None and plan is None:
            save_plan(done.plan, plan_file)
        if report is not None:
            on_step("report")
            from tieout.report.html import write_report  # noqa: PLC0415 - 0.1 s that few comparisons need

            write_report(done.run_dir, dict(done.summary), report)
        if out is not None:
            on_step("result")
            from tieout.report.exports import write_out  # noqa: PLC0415 - as above

            write_out(done.run_dir, dict(done.summary), plan_to_toml(done.plan), out)
        tried = try_changes(workspace, done.run, what_if, on_step) if what_if else []
    if as_json:
        print_json({**done.summary, "what_if": [_what_if_as_json(item) for item in tried]} if what_if else done.summary)
    else:
        console = Console()
        render(dict(done.summary), console)
        for page in (report, out and out / "report.html"):
            if page is not None:
                console.print(f"Report: {page}", markup=False, highlight=False)
        if done.is_reused:
            console.print("The same run was on record; --fresh computes it again.", style="dim")
        if tried:
            console.print(_what_if_table(tried))
    return int(done.summary["exit_code"])


def _what_if_table(tried: Sequence[WhatIf]) -> Table:
    """Return what each change would do, against the result as it is."""
    table = Table("what if", title="what another rule would change", title_justify="left", box=None, pad_edge=False)
    for name in ("matches", "to review", "unmatched rows", "differences", "money that differs"):
        table.add_column(name, justify="right")
    before = tried[0].before
    table.add_row("as it is", *_figures(before))
    for item in tried:
        table.add_row(item.change, *_figures(item.after, before))
    return table


def _figures(figures: Figures, before: Figures | None = None) -> list[str]:
    """Return the figures as they are, or how they moved."""
    counts = [_counts(one) for one in (figures, before) if one is not None]
    told = [f"{now:,}" for now in counts[0]]
    money = {currency: f"{amount:,.2f} {currency}".strip() for currency, amount in figures.differing.items()}
    if before is not None:
        told = [f"{now - then:+,}" if now != then else "same" for now, then in zip(*counts, strict=True)]
        moved = {name: Decimal(0) for name in (*before.differing, *figures.differing)}
        moved = {name: figures.differing.get(name, _NOTHING) - before.differing.get(name, _NOTHING) for name in moved}
        money = {name: f"{amount:+,.2f} {name}".strip() for name, amount in moved.items() if amount} or {"": "same"}
    return [*told, "\n".join(money.values())]


def _counts(figures: Figures) -> tuple[int, int, int, int]:
    return figures.matched, figures.review, figures.unmatched, sum(figures.counts.values())


def _what_if_as_json(item: WhatIf) -> dict[str, object]:
    def figures(one: Figures) -> dict[str, object]:
        rows = [
            {"kind": kind, "currency": currency, "count": one.counts[kind, currency], "amount": str(amount)}
            for (kind, currency), amount in one.amounts.items()
        ]
        return {"matches": one.matched, "review": one.review, "unmatched": one.unmatched, "deltas": rows}

    return {"change": item.change, "before": figures(item.before), "after": figures(item.after)}


def inspect_file(workspace: Workspace, file: Path, reading: ReadOptions, *, as_json: bool) -> int:
    """Show how a file is read; return the exit code."""
    with TemporaryDirectory(prefix="tieout-inspect-") as folder, stepping() as on_step:
        on_step("read")
        artifact = workspace.store.artifacts.receive(
            file, received_by=workspace.settings.actor, received_at=workspace.now()
        )
        source = read(artifact.path, file.name, Path(folder), options=reading)
        con = duckdb.connect()
        try:
            sample_relation(con, "preview", source, PREVIEW_ROWS)
            row_count = count_rows(con, source)
        except FastReadFailed:
            if not isinstance(source, Direct) or source.dialect is None:
                raise
            source = read_csv_carefully(artifact.path, source.dialect, Path(folder))
            sample_relation(con, "preview", source, PREVIEW_ROWS)
            row_count = source.row_count
        relation = con.sql("from preview")
        names, rows = relation.columns, relation.fetchall()
        refused: list[tuple[object, ...]] = []
        if isinstance(source, Records) and source.rejected is not None:
            con.execute("select row_no, line, reason_code, reason, raw from read_parquet(?)", [str(source.rejected)])
            refused = con.fetchall()
        con.close()
    checks = source.checks if isinstance(source, Records) else ()
    failed = [check for check in checks if not check.is_ok]
    if as_json:
        print_json(
            {
                "file": file.name,
                "format": source.format,
                "columns": names,
                "rows": row_count,
                "preview": [dict(zip(names, row, strict=True)) for row in rows],
                "refused": [
                    dict(zip(("row_no", "line", "reason_code", "reason", "raw"), row, strict=True)) for row in refused
                ],
                "checks": [
                    {
                        "name": check.name,
                        "subject": check.subject,
                        "currency": check.currency,
                        "stated": str(check.stated),
                        "computed": str(check.computed),
                        "ok": check.is_ok,
                        "message": check.message,
                    }
                    for check in checks
                ],
                "notes": list(source.notes),
            }
        )
    else:
        _show_inspection(file, source, row_count, names, rows, refused)
    return EXIT_DIFFERENCES if refused or failed else EXIT_OK


def _show_inspection(
    file: Path,
    source: Direct | Records,
    row_count: int,
    names: list[str],
    rows: list[tuple[object, ...]],
    refused: list[tuple[object, ...]],
) -> None:
    console = Console()
    console.print(Text(f"{file.name}: {source.format}, {len(names)} columns, {row_count:,} rows", style="bold"))
    table = Table(*[escape(name) for name in names], title="first rows", title_justify="left")
    for row in rows:
        table.add_row(*[Text("" if cell is None else str(cell)) for cell in row])
    console.print(table)
    if isinstance(source, Records):
        for check in source.checks:
            mark = Text("✓ ", style="green") if check.is_ok else Text("✗ ", style="bold red")
            console.print(mark + Text(f"{check.name} {check.subject}: {check.message}"))
    for row_no, line, code, reason, raw in refused[:20]:
        console.print(Text(f"refused line {line} (row {row_no}), {code}: {reason}  {str(raw)[:80]!r}", style="yellow"))
    if len(refused) > 20:
        console.print(Text(f"… and {len(refused) - 20:,} more refused"))
    for note in source.notes:
        console.print(Text(f"note: {note}", style="dim"))
    sys.stdout.flush()
