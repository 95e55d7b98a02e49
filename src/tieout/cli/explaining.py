"""Why a difference is there, and what became of a row."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.compare import BOOK
from tieout.books.compare.again import ask_row
from tieout.books.compare.sources import locate_source_rows
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.engine.explain import explain, explain_row
from tieout.engine.loading import SideName
from tieout.engine.why_not import Subject
from tieout.report.words import explain_change, plain
from tieout.store.review import PairKey, RowKey, Scope
from tieout.store.runs import Run

MAX_APPLICATIONS = 10


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
