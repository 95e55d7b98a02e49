"""The group `tieout ingest`: a command for each book whose counterparties send statements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

ingest = typer.Typer(
    name="ingest",
    help="Take in what counterparties report, and say where our own records are.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@ingest.callback()
def group() -> None:
    """Take in what counterparties report, and say where our own records are."""


@ingest.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout ingest ads --network admob --load-id 2026-01-31 --report-id daily admob.csv --dry-run

    tieout ingest ads --network applovin --load-id u-0131 --report-id user --set app_id=com.example.app revenue.csv

    tieout ingest ads --own events january events-2026-01-*.parquet

    Exit codes: 0 loaded (or loaded before), 10 rows were refused or there is nothing to load, 20 error,
    30 the header is not the layout's, 40 the network is not allowed.
    """,
)
def ads(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...", help="Files of one load, in this order; with --own the name of the source before them."
        ),
    ] = None,
    *,
    file: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="A file of the load, before those without it.")
    ] = None,
    network: Annotated[str, typer.Option(help="Network whose statement it is, such as admob.")] = "",
    load_id: Annotated[
        str, typer.Option("--load-id", "--loadId", help="Name of the load; the same one is never loaded twice.")
    ] = "",
    report_id: Annotated[
        str, typer.Option("--report-id", "--reportId", help="Report of the network that the files are.")
    ] = "",
    own: Annotated[
        str,
        typer.Option(metavar="events|receipts", help="Register our own records instead; files stay where they lie."),
    ] = "",
    query: Annotated[str, typer.Option("--sql", help="With --own: a query in place of files.")] = "",
    database: Annotated[
        str, typer.Option(help="With --sql: sqlite:////path.db or postgresql://user:password@host/database.")
    ] = "",
    schema_ver: Annotated[
        int, typer.Option("--schema-ver", "--schemaVer", min=1, help="Version of the statement's schema.")
    ] = 1,
    sep: Annotated[str, typer.Option(help="Separator: auto, comma, semicolon or tab.")] = "auto",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="CELL=TEXT", help="A cell that the files lack, for all rows. Repeat for several."
        ),
    ] = None,
    strict_mime: Annotated[
        bool, typer.Option("--strict-mime", "--strictMime", help="Take files called .csv only.")
    ] = False,
    max_bytes: Annotated[
        int | None,
        typer.Option("--max-bytes", "--maxBytes", min=1, help="Largest file; VRA_INGEST_MAX_BYTES by default."),
    ] = None,
    max_rows: Annotated[
        int | None,
        typer.Option("--max-rows", "--maxRows", min=1, help="Most rows of a file; VRA_INGEST_MAX_ROWS by default."),
    ] = None,
    restate: Annotated[
        bool, typer.Option("--restate", help="The files are the new version of this load and take its place.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be loaded and refused.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Take in statements of an ad network: typed lines, and bad rows in quarantine with file, line and reason."""
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.ingesting import (  # noqa: PLC0415 - help answers without the engine
        ingest_request,
        ingest_statements,
        named_files,
        own_request,
        register_source,
    )

    every = named_files(file, files)
    if own or query or database:
        source = own_request(own, every, query=query, database=database, dry_run=dry_run)
        with workspace() as opened:
            code = register_source(opened, source, as_json=as_json)
        raise typer.Exit(code)
    request = ingest_request(
        every,
        network=network,
        load_id=load_id,
        report_id=report_id,
        schema_ver=schema_ver,
        sep=sep,
        given=given or (),
        strict_mime=strict_mime,
        max_bytes=max_bytes,
        max_rows=max_rows,
        restate=restate,
        dry_run=dry_run,
    )
    with workspace() as opened:
        code = ingest_statements(opened, request, as_json=as_json)
    raise typer.Exit(code)
