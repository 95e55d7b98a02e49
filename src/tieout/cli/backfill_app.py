"""The group `tieout backfill`: a command for each book whose windows can be done anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

backfill = typer.Typer(
    name="backfill",
    help="Do a window anew, all stages or one, and go on after an interruption.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@backfill.callback()
def group() -> None:
    """Do a window anew, all stages or one, and go on after an interruption."""


@backfill.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout backfill ads --from 2025-11-01T00:00:00Z --to 2025-11-03T23:59:59Z --step all --dry-run true

    tieout backfill ads --from 2025-11-01 --to 2025-12-01 --dry-run false --force --yes

    Exit codes: 0 done, 10 a dry run, nothing to do, or a stage that is not available, 20 error or refused.
    """,
)
def ads(
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="ISO", help="First instant of the window.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="ISO", help="Instant at which the window ends.")] = None,
    step: Annotated[str, typer.Option(help="all, or one of ingestion, expected, matching, reconcile, proofs.")] = "all",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run/--no-dry-run",
            help="true or false. In a dry run each stage sees what those before it would store, and nothing is stored.",
        ),
    ] = True,
    limit: Annotated[
        int | None,
        typer.Option(help="Most receipts of a piece, the earliest; 10,000 by default, with --force --yes all of them."),
    ] = None,
    publisher: Annotated[str, typer.Option(help="Named in the checkpoint; TIEOUT_TENANT says whose data it is.")] = "",
    network: Annotated[
        str, typer.Option(help="Named in the checkpoint; a window is always done with all its networks.")
    ] = "",
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where done stages are noted, so that a repeat skips them; logs/vra-backfill-checkpoints.json of the"
            " data folder by default. A dry run never counts for a real one.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --yes: more than 3 days, done day by day, or more than 10,000.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --force: mean it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; the log lines go to standard error.")] = False,
) -> None:
    """Build, match and reconcile a window stage by stage; killed at any instant, the same command goes on.

    Proofs need a key that signs (tieout proofs keys rotate): without one their stage says so and is not noted as done.
    """
    from tieout.books.ads.backfill import backfill_request  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.backfilling import show_backfill  # noqa: PLC0415

    request = backfill_request(
        start,
        end,
        step=step,
        is_dry_run=dry_run,
        limit=limit,
        publisher=publisher,
        network=network,
        force=force,
        yes=yes,
    )
    with workspace() as opened:
        code = show_backfill(opened, request, checkpoint, as_json=as_json)
    raise typer.Exit(code)
