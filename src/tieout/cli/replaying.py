"""A run, run again, with every digest compared."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from tieout.books.ads.pieces import BOOK as ADS
from tieout.books.compare import BOOK
from tieout.books.compare.again import Replayed, replay
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.listing import SHORT_ID
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.store.runs import Run


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
