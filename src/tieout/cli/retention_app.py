"""How long things are kept: the group `tieout retention`."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

retention = typer.Typer(
    name="retention",
    help="See how long the ads book keeps each table, and let go what is over.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@retention.command(epilog="[bold]Example[/bold]\n\ntieout retention show --json")
def show(*, as_json: JsonFlag = False) -> None:
    """Show each table with its period, how much of it is over by now, and what stays because it is still needed."""
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.retention import show_periods  # noqa: PLC0415 - help answers without the engine

    with workspace() as opened:
        show_periods(opened, is_dry_run=True, as_json=as_json)


@retention.command(
    epilog="""
    [bold]Examples[/bold]

    tieout retention apply --dry-run

    tieout retention apply --yes

    Exit codes: 0 something was let go, 10 a dry run or nothing is over, 20 refused.
    """
)
def apply(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be let go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Let it go; without it nothing is.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let go what is over, and say it in the audit trail.

    Runs stay on record without their files. Disputes go with their kits, but for those submitted and not decided. Of
    proofs the records of a day go; its hashes stay in the log, its root where a monthly digest rests on it.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.retention import RetentionUnconfirmed, show_periods  # noqa: PLC0415

    if not dry_run and not yes:
        raise RetentionUnconfirmed(
            "Files that are let go do not come back.",
            remedy="tieout retention apply --dry-run shows them; add --yes to let them go.",
        )
    with workspace() as opened:
        code = show_periods(opened, is_dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)
