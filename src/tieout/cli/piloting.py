"""What `tieout pilot ads` prints, and its exit codes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.period import instant_text
from tieout.books.ads.pilot import Gate, judge_pilot, pilot_period
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.core.errors import EXIT_OK

EXIT_NOT_ALL = 10
STYLES = {"passed": "green", "failed": "bold red", "not_computable": "yellow"}


def show_pilot(workspace: Workspace, start: str | None, end: str | None, *, as_json: bool) -> int:
    """Show every gate; return the exit code."""
    period = pilot_period(start, end, workspace.now())
    gates = judge_pilot(workspace, period)
    is_passed = all(gate.outcome == "passed" for gate in gates)
    window = instant_text(period.start), instant_text(period.end)
    if as_json:
        told = {"from": window[0], "to": window[1]}
        print_json({"window": told, "passed": is_passed, "gates": [_row(gate) for gate in gates]})
    else:
        console = Console()
        console.print(f"[VRA Pilot] Window: {window[0]} → {window[1]}", markup=False, highlight=False)
        table = Table(box=None, pad_edge=False)
        for name in ("gate", "wanted", "found", "", "why"):
            table.add_column(name, overflow="fold", no_wrap=name in {"gate", "wanted", "found", ""})
        for gate in gates:
            found = "" if gate.percent is None else f"{gate.percent.normalize():f}%"
            outcome = Text(gate.outcome.replace("_", " "), style=STYLES[gate.outcome])
            table.add_row(gate.name.replace("_", " "), gate.wanted, found, outcome, Text(gate.reason))
        console.print(table)
    return EXIT_OK if is_passed else EXIT_NOT_ALL


def _row(gate: Gate) -> dict[str, object]:
    percent = None if gate.percent is None else str(gate.percent)
    return {
        "gate": gate.name,
        "wanted": gate.wanted,
        "percent": percent,
        "outcome": gate.outcome,
        "reason": gate.reason,
    }
