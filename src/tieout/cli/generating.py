"""`tieout generate ads`: parse, call the action, show."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.generate import World, WorldRequest, generate, parse_faults
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.money import format_micros


def generate_world(
    workspace: Workspace,
    *,
    out: Path,
    seed: int,
    days: int,
    events_per_day: int,
    networks: str,
    faults: str,
    first_day: date,
    ad_units: int,
    countries: int,
    as_json: bool,
) -> None:
    """Make the world that the options ask for and show what was planted."""
    request = WorldRequest(
        out=out,
        seed=seed,
        days=days,
        events_per_day=events_per_day,
        networks=tuple(network.strip() for network in networks.split(",") if network.strip()),
        faults=parse_faults(faults),
        first_day=first_day,
        ad_units=ad_units,
        countries=countries,
    )
    with stepping() as on_step, workspace.store.folders.scratch("world") as scratch:
        made = generate(workspace.settings, request, scratch, on_step)
    if as_json:
        shown = {"out": str(made.out), "events": made.events, "lines": made.lines}
        print_json({**shown, "left_out": made.left_out, "faults": made.truth})
    else:
        _show(Console(), made)


def _show(console: Console, made: World) -> None:
    console.print(Text(f"{made.events:,} events, {made.lines:,} lines of statements in {made.out}"))
    if made.left_out:
        left_out = ", ".join(made.left_out)
        console.print(Text(f"Left out, for they have no place in so few days and networks: {left_out}"))
    if not made.truth:
        return
    table = Table("fault", "becomes", "network", "day", "amount", "USD")
    for row in made.truth:
        amount = f"{format_micros(row['amount_micros'])} {row['currency']}"
        usd = format_micros(row["amount_usd_micros"])
        cells = (row["fault"], row["kind"] or "nothing", row["network"], str(row["window_from"]), amount, usd)
        table.add_row(*map(Text, cells))
    console.print(table)
