"""The stages of the ads book on the command line: `tieout expected ads` and those after it."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
From = Annotated[str | None, typer.Option("--from", metavar="ISO", help="First instant of the window.")]
To = Annotated[str | None, typer.Option("--to", metavar="ISO", help="Instant at which the window ends.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written; exit code 10.")]
Force = Annotated[bool, typer.Option("--force", help="With --yes: take a window or a limit beyond the guardrails.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --force: mean it.")]

CODES = "Exit codes: 0 done, 10 a dry run or nothing to do, 20 error or refused."


def _group(name: str, words: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=words,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


expected = _group("expected", "Build what should have been earned.")


@expected.callback()
def _expected() -> None:
    """Build what should have been earned."""


@expected.command(
    epilog=f"""
    [bold]Examples[/bold]

    tieout expected ads --from 2025-11-01T00:00:00Z --to 2025-11-02T00:00:00Z --dry-run

    tieout expected ads --from 2025-11-01 --to 2025-12-01 --force --yes

    {CODES}
    """
)
def ads(
    *,
    start: From = None,
    end: To = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Most receipts taken, the earliest; 10,000 by default, with --force --yes all of them."),
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Build the expected value of each request from receipts and paid events; at most 3 days and 10,000 receipts.

    A request that was paid is worth what its first paid event says, one that was only won the winning bid.
    """
    from tieout.cli.ads_stages import show_expected  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        code = show_expected(
            opened, start, end, limit=limit, is_dry_run=dry_run, is_forced=force and yes, as_json=as_json
        )
    raise typer.Exit(code)
