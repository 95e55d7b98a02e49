"""The commands on tenants: the group `tieout tenants`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.control.tenants.rules import Verb

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="Tenant, by id or alias.")]
RegistrationId = Annotated[str, typer.Argument(metavar="REGISTRATION", help="Id of the application.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit trail.")]
Module = Annotated[
    list[str] | None, typer.Option("--module", metavar="KEY=on|off", help="A module to switch; several times for more.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

CODES = "Exit codes: 0 done, 10 nothing to do, a dry run or a no, 20 error."

tenants = typer.Typer(
    name="tenants",
    help="List, register, approve and suspend tenants, and switch their modules.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@tenants.command(
    "list", epilog="[bold]Examples[/bold]\n\ntieout tenants list\n\ntieout tenants list --applications --status pending"
)
def list_all(
    *,
    applications: Annotated[
        bool, typer.Option("--applications", help="List those who ask to become tenants instead.")
    ] = False,
    status: Annotated[
        str | None,
        typer.Option(help="Only these: trial, active, suspended, closed; of applications pending, approved, rejected."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List tenants, or applications, newest first."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.tenants import show_applications, show_tenants  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        (show_applications if applications else show_tenants)(platform, status, limit=limit, as_json=as_json)


@tenants.command(epilog="[bold]Example[/bold]\n\ntieout tenants show blue-door --json")
def show(tenant: TenantName, *, as_json: JsonFlag = False) -> None:
    """Show a tenant: who it is as a business, its status, its modules."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import show_tenant  # noqa: PLC0415

    with installation() as platform:
        show_tenant(platform, tenant, as_json=as_json)


@tenants.command(
    epilog="""
    [bold]Examples[/bold]

    tieout tenants register --legal-name "Blue Door GmbH" --name "Blue Door" --email office@blue.example
    --phone "+49 30 1234567" --country DE --time-zone Europe/Berlin --owner "Mia Stone"
    --owner-email mia@blue.example --password-stdin < password.txt
    """
)
def register(
    *,
    legal_name: Annotated[str, typer.Option(help="Name of the business by law.")],
    name: Annotated[str, typer.Option(help="Name under which it does business.")],
    email: Annotated[str, typer.Option(help="E-mail of the business.")],
    phone: Annotated[str, typer.Option(help="Telephone number of the business.")],
    country: Annotated[str, typer.Option(help="Its country, such as DE.")],
    time_zone: Annotated[str, typer.Option(help="Its IANA time zone, such as Europe/Berlin.")],
    owner: Annotated[str, typer.Option(help="First and last name of the owner.")],
    owner_email: Annotated[str, typer.Option(help="E-mail by which the owner will sign in.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the owner's password from standard input, not the terminal.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Apply in the name of a business to become a tenant; `tieout tenants approve` makes it one."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import read_password, register_and_show  # noqa: PLC0415
    from tieout.control.tenants.rules import Business  # noqa: PLC0415

    password = read_password(is_from_stdin=password_stdin)
    business = Business(legal_name, name, email, phone, country, time_zone)
    with installation() as platform:
        register_and_show(platform, business, owner, owner_email, password, as_json=as_json)


@tenants.command(epilog=f"[bold]Example[/bold]\n\ntieout tenants approve 0195f3c2-… --module menu=on\n\n{CODES}")
def approve(
    registration: RegistrationId,
    *,
    module: Module = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Let an application become a tenant, with its owner, roles and modules."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import approve_and_show  # noqa: PLC0415

    with installation() as platform:
        code = approve_and_show(
            platform, registration, module or [], reason=reason, is_dry_run=dry_run, as_json=as_json
        )
    raise typer.Exit(code)


@tenants.command(
    epilog=f"[bold]Example[/bold]\n\ntieout tenants reject 0195f3c2-… --reason 'no such street'\n\n{CODES}"
)
def reject(
    registration: RegistrationId,
    *,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Reject an application, for good."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import reject_and_show  # noqa: PLC0415

    with installation() as platform:
        code = reject_and_show(
            platform, registration, reason=reason, is_dry_run=dry_run, is_agreed=yes, as_json=as_json
        )
    raise typer.Exit(code)


@tenants.command(
    epilog=f"[bold]Examples[/bold]\n\ntieout tenants modules blue-door\n\n"
    f"tieout tenants modules blue-door --module loyalty=on --module pos=off\n\n{CODES}"
)
def modules(tenant: TenantName, *, module: Module = None, dry_run: DryRun = False, as_json: JsonFlag = False) -> None:
    """Show the modules of a tenant, or switch some by hand, so that its plan leaves them alone."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import switch_and_show  # noqa: PLC0415

    with installation() as platform:
        code = switch_and_show(platform, tenant, module or [], is_dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)


@tenants.command(epilog=f"[bold]Example[/bold]\n\ntieout tenants suspend blue-door --reason unpaid --yes\n\n{CODES}")
def suspend(
    tenant: TenantName, *, reason: Reason = None, dry_run: DryRun = False, yes: Yes = False, as_json: JsonFlag = False
) -> None:
    """Let the users and keys of a tenant in no more, until it is reactivated; its data stays."""
    _change(tenant, "suspend", reason, dry_run=dry_run, yes=yes, as_json=as_json)


@tenants.command(epilog=f"[bold]Example[/bold]\n\ntieout tenants reactivate blue-door\n\n{CODES}")
def reactivate(
    tenant: TenantName, *, reason: Reason = None, dry_run: DryRun = False, as_json: JsonFlag = False
) -> None:
    """Let the users and keys of a suspended tenant in again."""
    _change(tenant, "reactivate", reason, dry_run=dry_run, yes=True, as_json=as_json)


@tenants.command(epilog=f"[bold]Example[/bold]\n\ntieout tenants close blue-door --dry-run\n\n{CODES}")
def close(
    tenant: TenantName, *, reason: Reason = None, dry_run: DryRun = False, yes: Yes = False, as_json: JsonFlag = False
) -> None:
    """Close a tenant for good: nobody is let in any more; its data stays."""
    _change(tenant, "close", reason, dry_run=dry_run, yes=yes, as_json=as_json)


def _change(tenant: str, verb: Verb, reason: str | None, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.tenants import change_and_show  # noqa: PLC0415

    with installation() as platform:
        code = change_and_show(
            platform, tenant, verb, reason=reason, is_dry_run=dry_run, is_agreed=yes, as_json=as_json
        )
    raise typer.Exit(code)
