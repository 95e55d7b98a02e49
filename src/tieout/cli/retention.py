"""What `tieout retention` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tieout.books.ads.retention import Retained, apply_periods
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.core.errors import EXIT_OK, TieoutError

EXIT_WARNINGS = 10


class RetentionUnconfirmed(TieoutError):
    """Letting go was asked for without a word that it is meant."""

    code = "retention_unconfirmed"


def show_periods(workspace: Workspace, *, is_dry_run: bool, as_json: bool) -> int:
    """Print each table with its period and what is over, letting it go unless it is a dry run; return the exit code."""
    found = apply_periods(workspace, is_dry_run=is_dry_run)
    if as_json:
        print_json({"dry_run": is_dry_run, "tables": [_told(one) for one in found]})
    else:
        _print(found, is_dry_run=is_dry_run)
    return EXIT_OK if any(one.over for one in found) and not is_dry_run else EXIT_WARNINGS


def _told(one: Retained) -> dict[str, object]:
    return {
        "table": one.kept.table,
        "counted_from": one.kept.counted_from,
        "months": one.kept.months,
        "cutoff": one.cutoff,
        "held": one.held,
        "over": one.over,
        "bytes": one.byte_count,
        "needed": [{"count": count, "why": why} for why, count in one.needed.items()],
    }


def _print(found: tuple[Retained, ...], *, is_dry_run: bool) -> None:
    over = "over" if is_dry_run else "let go"
    table = Table("table", "counted from", "months", "before", "held", over, "bytes", "stay", box=None, pad_edge=False)
    for one in found:
        months = "for ever" if one.kept.months is None else str(one.kept.months)
        cutoff = "" if one.cutoff is None else one.cutoff.isoformat()
        stay = str(sum(one.needed.values())) if one.needed else ""
        counts = (str(one.held), str(one.over), f"{one.byte_count:,}", stay)
        table.add_row(one.kept.table, one.kept.counted_from, months, cutoff, *counts)
    console = Console()
    console.print(table)
    for one in found:
        for why, count in one.needed.items():
            console.print(f"{count} of {one.kept.table} stay: {why}.", soft_wrap=True)
