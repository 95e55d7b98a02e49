"""`tieout runs`, `show`, `explain`, `replay` and `sweep`: what is on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.pieces import BOOK as ADS
from tieout.books.compare.actions import SUMMARY
from tieout.books.compare.again import Replayed, ask_row, replay
from tieout.books.compare.request import BOOK
from tieout.books.compare.sources import locate_source_rows
from tieout.books.workspace import Workspace
from tieout.cli.ads_records import result_of, show_ads_run, steps_table
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK, TieoutError
from tieout.engine.explain import explain, explain_row
from tieout.engine.loading import SideName
from tieout.engine.why_not import Subject
from tieout.report.console import render
from tieout.report.exports import write_out
from tieout.report.html import write_report
from tieout.report.words import explain_change, plain
from tieout.store.review import PairKey, RowKey, Scope
from tieout.store.runs import Run
from tieout.store.sweep import Dropped, apply_retention, sweep

MAX_APPLICATIONS = 10
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
        print_json([_run_row(run) for run in found])
        return
    console = Console()
    if not found:
        console.print("No runs. `tieout compare OURS THEIRS` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "started", "status", "what", "result"):
        table.add_column(name, no_wrap=name in {"run", "started", "status"}, overflow="fold")
    for run in found:
        row = _run_row(run)
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


def _run_row(run: Run) -> dict[str, Any]:
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
        **_run_row(run),
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


def explain_delta(workspace: Workspace, delta_id: str, *, as_json: bool) -> None:
    """Explain one delta, with the file and line of both sides."""
    runs = workspace.store.runs
    run = runs.find_run(delta_id.partition("-")[0], book=BOOK)
    found = explain(runs.file_path(run, "delta").parent, delta_id)
    rows = {
        "ours": [found["delta"]["ours_row"], *(row["ours_row"] for row in found["members"])],
        "theirs": [found["delta"]["theirs_row"], *(row["theirs_row"] for row in found["members"])],
    }
    wanted = {side: sorted({row for row in numbers if row is not None})[:20] for side, numbers in rows.items()}
    places = locate_source_rows(workspace, run, wanted)
    told = _decisions_of_row(workspace, run, found["decisions"])
    if as_json:
        print_json({**found, "decisions": told, "run_id": run.run_id, "sources": places})
        return
    _show_explanation(Console(), {**found, "decisions": told}, places)


def explain_row_of(workspace: Workspace, prefix: str, side: SideName, row_no: int, *, as_json: bool) -> None:
    """Explain what became of one row: its match, or why it has none, with the file and line of every row concerned."""
    runs = workspace.store.runs
    run = runs.find_run(prefix, book=BOOK)
    found = explain_row(runs.file_path(run, "match").parent, side, row_no)
    if found["match"] is None and found["change"] is None:
        found["change"] = ask_row(workspace, run, Subject(side, row_no))
    rows: dict[str, set[int]] = {"ours": set(), "theirs": set()}
    rows[side].add(row_no)
    for one in (*found["members"], *([found["why_not"]] if found["why_not"] else [])):
        rows["ours"].add(one["ours_row"])
        rows["theirs"].add(one["theirs_row"])
    places = locate_source_rows(workspace, run, {name: sorted(numbers)[:20] for name, numbers in rows.items()})
    told = _decisions_of_row(workspace, run, found["decisions"])
    if as_json:
        print_json({**found, "decisions": told, "run_id": run.run_id, "sources": places})
        return
    console = Console()
    console.print(Text(f"row {row_no} of {side}", style="bold"))
    console.print(Text(f"  rule: {found['rule']}"))
    _show_match(console, found["match"])
    _show_applications(console, found["applications"])
    _show_decisions(console, told)
    if found["searched"]:
        console.print(Text(f"  searched: {found['searched']}"))
    if found["change"]:
        console.print(Text(f"  smallest change: {explain_change(found['change'])}"))
    if why := found["why_not"]:
        against = f"; what speaks most against it is the {why['against']}" if why["against"] else ""
        pair = f"our row {why['ours_row']} and their row {why['theirs_row']}"
        console.print(Text(f"  likeliest: {pair}, {why['chance']:.3f}{against}"))
    for delta in found["deltas"]:
        console.print(Text(f"  delta {delta['delta_id']}: {delta['kind']}"))
    _show_places(console, places)
    if found["candidates"]:
        console.print(_candidates_table(found["candidates"][:10]))


def _decisions_of_row(workspace: Workspace, run: Run, decided: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the decisions that count in the run, each with who made it and when."""
    scope, told = Scope(run.window.book, run.window.leg), []
    for one in decided:
        ours, theirs = (RowKey(one[f"{side}_content"], one[f"{side}_copy"]) for side in ("ours", "theirs"))
        made = workspace.store.reviews.about(scope, PairKey(ours, theirs))
        made_so = next((found for found in made if found.ruling == one["ruling"]), None)
        told.append(
            {
                "ours_row": one["ours_row"],
                "theirs_row": one["theirs_row"],
                "ruling": one["ruling"],
                "decided_by": made_so.decided_by if made_so else None,
                "decided_at": made_so.decided_at if made_so else None,
            }
        )
    return told


def _show_decisions(console: Console, decisions: list[dict[str, Any]]) -> None:
    for one in decisions:
        who = (
            f" by {plain(one['decided_by'], 40)} on {one['decided_at']:%Y-%m-%d %H:%M} UTC" if one["decided_by"] else ""
        )
        console.print(Text(f"  {one['ruling']}{who}: our row {one['ours_row']} and their row {one['theirs_row']}"))


def _show_match(console: Console, match: dict[str, Any] | None) -> None:
    if match is not None:
        console.print(
            Text(
                f"  match {match['match_id']}: pass {match['pass']}, {match['outcome']}, confidence"
                f" {match['confidence']:.2f}, {match['alternatives']} alternatives"
            )
        )


def _show_applications(console: Console, applied: list[dict[str, Any]]) -> None:
    for one in applied[:MAX_APPLICATIONS]:
        amount = f"{one['applied']:,f} {one['currency']}".strip()
        console.print(
            Text(f"  applied {amount}: our row {one['ours_row']}, their row {one['theirs_row']}, {one['kind']}")
        )
    if len(applied) > MAX_APPLICATIONS:
        console.print(Text(f"  and {len(applied) - MAX_APPLICATIONS:,} more"))
    for why in dict.fromkeys(f"{one['verdict']}: {one['reason']}" for one in applied[:MAX_APPLICATIONS]):
        console.print(Text(f"  {why}"))


def _show_places(console: Console, places: dict[str, list[dict[str, Any]]]) -> None:
    for side, sources in places.items():
        for source in sources:
            where = f"{source['file']} row {source['file_row']}" + (
                f", line {source['line']}" if source["line"] else ""
            )
            console.print(Text(f"  {side}: {where}", style="cyan"))
            if source["raw"]:
                console.print(Text(f"      {source['raw']}", style="dim"))


def _show_explanation(console: Console, found: dict[str, Any], places: dict[str, list[dict[str, Any]]]) -> None:
    delta = found["delta"]
    amount = "not computable" if delta["amount"] is None else f"{delta['amount']:,f} {delta['currency']}"
    console.print(Text(f"{delta['delta_id']}  {delta['kind']}  {amount}", style="bold"))
    console.print(Text(f"  {found['meaning']} ({delta['reason_code']})"))
    console.print(Text(f"  rule: {found['rule']}"))
    _show_match(console, found["match"])
    _show_applications(console, found["applications"])
    _show_decisions(console, found["decisions"])
    if found["searched"]:
        console.print(Text(f"  searched: {found['searched']}"))
    for part, value in found["parts"].items():
        console.print(Text(f"  part {part}: {value:,f} {delta['currency']}"))
    for row in found["differences"]:
        console.print(Text(f"  {row['column']}: ours {row['ours_value']} | theirs {row['theirs_value']}"))
    _show_places(console, places)
    if found["candidates"]:
        console.print(_candidates_table(found["candidates"][:10]))


def _candidates_table(candidates: list[dict[str, Any]]) -> Table:
    """Return what was considered and how much each evidence counted: in bits where that was learned, else 0 to 1."""
    is_learned = any(row["weight_pair"] is not None for row in candidates)
    names = ("pair", "amount", "time", "text", "unit") if is_learned else ("time", "amount", "unit", "text")
    form, kind = ("{:+.1f}", "weight") if is_learned else ("{:.2f}", "score")
    head = ("before evidence" if name == "pair" else name for name in names)
    table = Table("our row", "their row", "chance" if is_learned else "score", *head, "", box=None, pad_edge=False)
    table.title = "candidates considered" + (", evidence in bits" if is_learned else "")
    table.title_justify = "left"
    for row in candidates:
        values = [row[f"{kind}_{name}"] for name in names]
        table.add_row(
            str(row["ours_row"]),
            str(row["theirs_row"]),
            f"{row['score']:.3f}",
            *["-" if value is None else form.format(value) for value in values],
            "chosen" if row["chosen"] else "",
        )
    return table


def replay_run(workspace: Workspace, prefix: str, *, as_json: bool) -> int:
    """Run a run again and tell whether every digest is the same; return the exit code."""
    with stepping() as on_step:
        run = workspace.store.runs.find_run(prefix)
        done = replay(workspace, prefix, on_step) if run.window.book == BOOK else _replay_ads(workspace, run, on_step)
    if as_json:
        print_json(
            {
                "run_id": done.run.run_id,
                "same": not done.differences,
                "same_code": done.is_same_code,
                "differences": [
                    {"name": one.name, "recorded": one.recorded, "replayed": one.replayed} for one in done.differences
                ],
            }
        )
    else:
        console = Console()
        short = done.run.run_id[:SHORT_ID]
        if done.differences:
            first = done.differences[0]
            console.print(Text(f"Run {short} replays differently, first in {first.name}:", style="bold red"))
            for one in done.differences:
                console.print(Text(f"  {one.name}: recorded {one.recorded[:20]}, now {one.replayed[:20]}"))
        else:
            count = len(done.run.steps)
            console.print(Text(f"Run {short} replays to the same bytes: {count} steps, {len(done.run.files)} files."))
        if not done.is_same_code:
            console.print(Text("The code is not the one that made the run.", style="yellow"))
    return EXIT_DIFFERENCES if done.differences else EXIT_OK


def _replay_ads(workspace: Workspace, run: Run, on_step: Callable[[str], None]) -> Replayed:
    from tieout.books.ads.replaying import replay_ads  # noqa: PLC0415 - only here

    return replay_ads(workspace, workspace.store.runs.find_run(run.run_id, book=ADS), on_step)


def sweep_files(workspace: Workspace, *, keep_days: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove what nothing refers to, and with `keep_days` the files of runs superseded for longer."""
    now = workspace.now()
    dropped: tuple[Dropped, ...] = ()
    if keep_days is not None:
        dropped = apply_retention(workspace.store.runs, now=now, keep_days=keep_days, dry_run=dry_run)
    removed = tuple(sweep(workspace.store.state, workspace.store.folders, now=now, dry_run=dry_run))
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "dropped": [str(one.run_id) for one in dropped],
                "removed": [{"kind": one.kind, "path": str(one.path), "bytes": one.byte_count} for one in removed],
            }
        )
        return
    console = Console()
    verb = "would be" if dry_run else "were"
    for one in dropped:
        console.print(Text(f"files of run {one.run_id[:SHORT_ID]} {verb} dropped"))
    total = sum(one.byte_count for one in removed)
    for leftover in removed:
        console.print(Text(f"{leftover.kind} {leftover.path.name[:40]} ({leftover.byte_count:,} bytes)"))
    console.print(Text(f"{len(removed)} leftovers, {total:,} bytes, {verb} removed."))
