"""The group `tieout pilot`: whether what a book found on trial is good enough to go on."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

pilot = typer.Typer(
    name="pilot",
    help="Judge the gates of a pilot.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@pilot.callback()
def group() -> None:
    """Judge the gates of a pilot."""


@pilot.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout pilot ads

    tieout pilot ads --from 2025-11-01 --to 2025-11-08 --json

    Exit codes: 0 every gate is passed, 10 one is not or cannot be computed, 20 error.
    """,
)
def ads(
    *,
    start: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="First day; the last seven whole days by default.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="ISO", help="Instant at which the window ends.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Judge coverage (at least 90%), unexplained variance (at most 0.5%) and proofs; what nobody knows is not passed.

    The figures are those of the overview, over days that were reconciled. Each day must be sealed and verify.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.piloting import show_pilot  # noqa: PLC0415 - help answers without the engine

    with workspace() as opened:
        code = show_pilot(opened, start, end, as_json=as_json)
    raise typer.Exit(code)
