"""The commands on flags: the group `tieout flags`."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Key = Annotated[str, typer.Argument(metavar="FLAG", help="Key of the flag, such as support.maintenance_mode.")]
Tenant = Annotated[str | None, typer.Option(help="Only for this tenant, by id; by default for all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]

CODES = "Exit codes: 0 changed, 10 nothing to do or a dry run, 20 error."

flags = typer.Typer(
    name="flags",
    help="See and set flags: what is switched on, for all tenants or for one, until when.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@flags.command(
    "list", epilog="[bold]Examples[/bold]\n\ntieout flags list\n\ntieout flags list --tenant 0195f3c2 --json"
)
def list_all(*, tenant: Tenant = None, as_json: JsonFlag = False) -> None:
    """List every flag: what it is, where that comes from, until when, and for which tenants it is set otherwise."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.flags import show_flags  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        show_flags(platform, tenant, as_json=as_json)


@flags.command(
    "set",
    epilog=f"""
    [bold]Examples[/bold]

    tieout flags set support.maintenance_mode true --for 2h --reason "new disks"

    tieout flags set VRA_ENABLED true --tenant 0195f3c2

    {CODES}
    """,
)
def set_one(
    key: Key,
    value: Annotated[str, typer.Argument(help="What it becomes, such as true or false.")],
    *,
    tenant: Tenant = None,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long it counts: 30m, 2h, 7d; for good by default.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit trail.")] = None,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Set a flag for all tenants or for one. Every process follows within 5 seconds."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.flags import set_and_show  # noqa: PLC0415

    with installation() as platform:
        code = set_and_show(
            platform, key, value, tenant=tenant, lasting=lasting, reason=reason, is_dry_run=dry_run, as_json=as_json
        )
    raise typer.Exit(code)


@flags.command(epilog=f"[bold]Example[/bold]\n\ntieout flags unset support.maintenance_mode\n\n{CODES}")
def unset(key: Key, *, tenant: Tenant = None, dry_run: DryRun = False, as_json: JsonFlag = False) -> None:
    """Let a flag be set no more, so that it is what it is by default."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.flags import unset_and_show  # noqa: PLC0415

    with installation() as platform:
        code = unset_and_show(platform, key, tenant=tenant, is_dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)
