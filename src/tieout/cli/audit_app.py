"""The commands on the audit trail: the group `tieout audit`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Whose trail, by id. By default that of TIEOUT_TENANT.")]
Every = Annotated[bool, typer.Option("--all-tenants", help="The trails of all tenants.")]
INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
From = Annotated[datetime | None, typer.Option("--from", formats=INSTANTS, help="From that instant on, in UTC.")]
To = Annotated[datetime | None, typer.Option("--to", formats=INSTANTS, help="Up to that instant, not including it.")]
Module = Annotated[str | None, typer.Option(help="Only what was done in this part of the product, such as billing.")]
Action = Annotated[str | None, typer.Option(help="Only this action, such as registration.module_toggled.")]


audit = typer.Typer(
    name="audit",
    help="Read, verify and export the audit trail: who did what, before and after, from where.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@audit.command(
    "list",
    epilog="""
    [bold]Examples[/bold]

    tieout audit list --module billing

    tieout audit list --from 2026-03-01 --to 2026-04-01 --all-tenants --json
    """,
)
def list_all(
    *,
    since: From = None,
    until: To = None,
    module: Module = None,
    action: Action = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 50,
    tenant: Tenant = None,
    every: Every = False,
    as_json: JsonFlag = False,
) -> None:
    """List events, the latest first."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.auditing import Asked, show_events  # noqa: PLC0415 - help answers without it

    asked = Asked(tenant, is_every=every, since=since, until=until, module=module, action=action)
    with installation() as platform:
        show_events(platform, asked, limit=limit, as_json=as_json)


@audit.command(epilog="[bold]Example[/bold]\n\ntieout audit show 0195f3c2-8a44-7d02-9a52-6d4a2c1b9e11")
def show(
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="Id of the event, as `audit list` has it.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one event whole: what was before, what is after, and its place in the chain."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.auditing import show_event  # noqa: PLC0415

    with installation() as platform:
        show_event(platform, event_id, as_json=as_json)


@audit.command(
    epilog="""
    [bold]Examples[/bold]

    tieout audit verify

    tieout audit verify --all-tenants --json

    tieout audit verify --tenant acme --seen 1042:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

    Exit codes: 0 the chain holds, 10 it is broken, 20 error.
    """
)
def verify(
    *,
    seen: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:HASH",
            help="The end of the chain as an earlier verification told it: finds a trail that was written anew.",
        ),
    ] = None,
    tenant: Tenant = None,
    every: Every = False,
    as_json: JsonFlag = False,
) -> None:
    """Verify the chain: whether an event was changed, removed, inserted or moved, and which is the first.

    The trails of all tenants, unless one is named.
    """
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.auditing import verify_trails  # noqa: PLC0415

    with installation() as platform:
        code = verify_trails(platform, tenant, is_every=every, seen=seen, as_json=as_json)
    raise typer.Exit(code)


@audit.command(
    epilog="""
    [bold]Examples[/bold]

    tieout audit export --from 2026-03-01 --to 2026-04-01 --out march.csv

    tieout audit export --format ndjson --all-tenants --as-recorded > trail.ndjson
    """
)
def export(
    *,
    since: From = None,
    until: To = None,
    module: Module = None,
    action: Action = None,
    file_format: Annotated[
        Literal["csv", "ndjson", "parquet"], typer.Option("--format", help="How the file is written.")
    ] = "csv",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; by default it is printed.")] = None,
    as_recorded: Annotated[
        bool,
        typer.Option("--as-recorded", help="Keep mail addresses, tokens and card numbers, as the hashes have them."),
    ] = False,
    tenant: Tenant = None,
    every: Every = False,
) -> None:
    """Export events in order, as CSV, NDJSON or Parquet. The export is itself noted in the trail."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.auditing import Asked, write_export  # noqa: PLC0415

    asked = Asked(tenant, is_every=every, since=since, until=until, module=module, action=action)
    with installation() as platform:
        write_export(platform, asked, file_format, out, is_redacted=not as_recorded)
