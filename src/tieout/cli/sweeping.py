"""What nothing refers to any more, removed."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.listing import SHORT_ID
from tieout.store.sweep import Dropped, apply_retention, sweep


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
