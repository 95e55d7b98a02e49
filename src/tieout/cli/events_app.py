"""The commands on events and their deliveries: the group `tieout events`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Whose events, by id; by default those of all tenants.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
CODES = "Exit codes: 0 done, 10 a dry run or a no, 20 error."


events = typer.Typer(
    name="events",
    help="See what became of events on their way to endpoints; deliver dead letters again, or skip them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@events.command("list", epilog="[bold]Examples[/bold]\n\ntieout events list\n\ntieout events list --status pending")
def list_all(
    *,
    status: Annotated[
        Literal["pending", "dispatched", "failed", "canceled"] | None,
        typer.Option(help="Only deliveries of this status."),
    ] = None,
    limit: Limit = 50,
    tenant: Tenant = None,
    as_json: JsonFlag = False,
) -> None:
    """List deliveries, those of the latest events first."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.delivering import show_deliveries  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        show_deliveries(platform, tenant, status, limit=limit, as_json=as_json)


@events.command(epilog="[bold]Example[/bold]\n\ntieout events dead --tenant acme")
def dead(*, limit: Limit = 50, tenant: Tenant = None, as_json: JsonFlag = False) -> None:
    """List dead letters: deliveries that were given up. Later events of the same entity wait for them."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.delivering import show_deliveries  # noqa: PLC0415

    with installation() as platform:
        show_deliveries(platform, tenant, "failed", limit=limit, as_json=as_json)


@events.command(epilog="[bold]Example[/bold]\n\ntieout events retry 0195f3c2-8a44-7d02-9a52-6d4a2c1b9e11")
def retry(
    either_id: Annotated[str, typer.Argument(metavar="ID", help="Id of an event or of a delivery.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Deliver again now what did not arrive, and what waits behind it."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.delivering import retry_either  # noqa: PLC0415

    with installation() as platform:
        retry_either(platform, either_id, as_json=as_json)


@events.command(epilog=f"[bold]Example[/bold]\n\ntieout events skip 0195f3c2-8a44-7d02-9a52-6d4a2c1b9e11\n\n{CODES}")
def skip(
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery.")],
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Give up a delivery, so that later events of its entity go on."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.delivering import skip_delivery  # noqa: PLC0415

    with installation() as platform:
        code = skip_delivery(platform, delivery_id, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)
