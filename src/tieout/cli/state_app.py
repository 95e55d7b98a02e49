"""The commands on the state database: the group `tieout state`."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

state = typer.Typer(
    name="state",
    help="Copy the state database from SQLite to PostgreSQL, or back.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@state.callback()
def group() -> None:
    """Copy the state database from SQLite to PostgreSQL, or back."""


@state.command(
    epilog="""
    [bold]Examples[/bold]

    tieout state copy sqlite:////home/ann/.tieout/state.db postgresql://tieout:secret@db/tieout --dry-run

    tieout state copy postgresql://tieout:secret@db/tieout sqlite:////srv/tieout/state.db

    tieout state copy sqlite:////srv/tieout/state.db postgresql://tieout:secret@db/tieout --replace --yes

    Stop `tieout serve` everywhere first. A copy is one transaction: where it is killed, a target that had rows keeps
    them, and one that had none says that it is incomplete until the copy is repeated. Jobs under way wait again in the
    copy, and are done from the start of their last batch: what the library of durable work notes of them is not
    copied. Files stay in the data folder; only TIEOUT_STATE changes.

    Exit codes: 0 copied and verified, 10 a dry run or a no, 20 error.
    """
)
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Address of the database to copy, as in TIEOUT_STATE.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Address of the database to copy into.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop the rows that the target holds; needs a yes.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be copied; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Copy every row of one state database into another, read it back and compare: the same digest of each table."""
    from tieout.cli.state import copy_all  # noqa: PLC0415 - help answers without it

    code = copy_all(source, target, is_replacing=replace, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)
