"""The commands of sources: `tieout load` and the group `tieout sources`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="Name of the source, such as bank-main.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="INSTANT", help="As it was then (ISO 8601).")]

sources = typer.Typer(
    name="sources",
    help="List the sources: named streams of statements that `tieout load` fills and `tieout compare` reads as @NAME.",
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

LOAD_EPILOG = """
[bold]Examples[/bold]

tieout load bank-main march.mt940 april.mt940

tieout load bank-main march-corrected.csv --restate --dry-run

tieout load ledger journal.xlsx --key "Document No" --date Posted

tieout compare ledger.csv @bank-main

Exit codes: 0 rows were added or superseded, 10 nothing to do or a dry run, 20 error or refused.
"""


def load(
    source: SourceName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files to load, in this order.")],
    *,
    restate: Annotated[
        bool,
        typer.Option(
            "--restate", help="The file is the new version of the days it covers: earlier rows it lacks are superseded."
        ),
    ] = False,
    add: Annotated[
        bool,
        typer.Option("--add", help="The file is a part of the days it covers: earlier rows it lacks stay current."),
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="COL",
            help="Column that identifies a row, so that a changed row supersedes the one before. Repeat for several. "
            "By default a row is its whole content.",
        ),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="COL", help="Column of the day of a row; - for none.")
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option("--date-format", help="How days are written: ISO, DMY, MDY, YMD or a pattern such as %d.%m.%Y."),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    records: Annotated[str | None, typer.Option(help="Dotted path of the array of records in a JSON file.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be added, kept and superseded; store nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Load statements into a source: only new rows are added, and a restated statement supersedes the old version.

    Loading the same file twice adds nothing. Where a file covers days of which the source has rows that the file
    lacks, it is refused until --restate or --add says what that means.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.sources import load_files, load_request  # noqa: PLC0415 - help answers without the engine

    request = load_request(
        source,
        files,
        restate=restate,
        add=add,
        key=key,
        date=date,
        date_format=date_format,
        sheet=sheet,
        records=records,
        dry_run=dry_run,
    )
    with workspace() as opened:
        code = load_files(opened, request, as_json=as_json)
    raise typer.Exit(code)


@sources.callback(invoke_without_command=True, epilog="[bold]Example[/bold]\n\ntieout sources")
def list_all(context: typer.Context, *, as_json: JsonFlag = False) -> None:
    """List the sources: rows that are current, superseded and in quarantine, days covered, loads."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.sources import list_sources  # noqa: PLC0415

    if context.invoked_subcommand is not None:
        return
    with workspace() as opened:
        list_sources(opened, as_json=as_json)


@sources.command(
    epilog="""
    [bold]Examples[/bold]

    tieout sources show bank-main --all

    tieout sources show bank-main --as-of 2026-01-31
    """
)
def show(
    source: SourceName,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show superseded rows and those in quarantine, each with its place.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rows of each to show with --all.")] = 50,
    as_of: AsOf = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the loads of a source, the history of its versions."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.sources import show_source  # noqa: PLC0415

    with workspace() as opened:
        show_source(opened, source, everything=everything, limit=limit, as_of=as_of, as_json=as_json)


@sources.command(epilog="[bold]Example[/bold]\n\ntieout sources undo bank-main")
def undo(source: SourceName, *, as_json: JsonFlag = False) -> None:
    """Take back the latest load: its rows are no longer current, those it superseded are again. Nothing is deleted.

    Exit codes: 0 taken back, 10 there is nothing to take back, 20 error.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.sources import undo_load  # noqa: PLC0415

    with workspace() as opened:
        code = undo_load(opened, source, as_json=as_json)
    raise typer.Exit(code)
