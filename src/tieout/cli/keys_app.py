"""The commands on API keys: the group `tieout keys`."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Tenant = Annotated[
    str | None,
    typer.Option(
        "--tenant", help="Whose key, by id; `superadmin` is the platform's own. By default that of TIEOUT_TENANT."
    ),
]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as `keys list` has it, or its first part.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

CODES = "Exit codes: 0 done, 10 a dry run or a no, 20 error."

keys = typer.Typer(
    name="keys",
    help="Make, list, replace and revoke API keys; replace the secret that signs access tokens.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@keys.command(
    epilog="""
    [bold]Examples[/bold]

    tieout keys create till-7 --permission 'pos.*'

    tieout keys create nightly --permission reporting.reports.read --days 90 --tenant acme --json

    tieout keys create admin --permission '*' --tenant superadmin
    """
)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    permission: Annotated[
        list[str], typer.Option(help="What it may do: a permission or a pattern such as pos.*; several times for more.")
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="For how many days it works; without end by default.")
    ] = None,
    tenant: Tenant = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it, this once: it is not kept, only its digest."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.keys import show_created  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        show_created(platform, tenant, name, permission, days=days, as_json=as_json)


@keys.command("list", epilog="[bold]Examples[/bold]\n\ntieout keys list\n\ntieout keys list --tenant superadmin --json")
def list_all(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 50,
    tenant: Tenant = None,
    as_json: JsonFlag = False,
) -> None:
    """List keys, the newest first: what they may do, until when, and when they were last used."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.keys import show_keys  # noqa: PLC0415

    with installation() as platform:
        show_keys(platform, tenant, limit=limit, as_json=as_json)


@keys.command(
    epilog="[bold]Examples[/bold]\n\ntieout keys rotate 0195f3c2\n\ntieout keys rotate 0195f3c2 --overlap-hours 1"
)
def rotate(
    key: KeyId,
    *,
    overlap_hours: Annotated[
        int, typer.Option(min=1, max=8760, help="For how many hours the old key works besides the new one.")
    ] = 24,
    tenant: Tenant = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key that takes the place of another, and print it, this once; the other works a while longer."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.keys import show_rotated  # noqa: PLC0415

    with installation() as platform:
        show_rotated(platform, tenant, key, overlap_hours=overlap_hours, as_json=as_json)


@keys.command(epilog=f"[bold]Example[/bold]\n\ntieout keys revoke 0195f3c2 --yes\n\n{CODES}")
def revoke(
    key: KeyId, *, dry_run: DryRun = False, yes: Yes = False, tenant: Tenant = None, as_json: JsonFlag = False
) -> None:
    """End a key: every process refuses it within 5 seconds."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.keys import show_revoked  # noqa: PLC0415

    with installation() as platform:
        code = show_revoked(platform, tenant, key, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)


@keys.command(
    "rotate-signing",
    epilog=f"""
    [bold]Examples[/bold]

    tieout keys rotate-signing

    tieout keys rotate-signing --at-once --yes

    {CODES}
    """,
)
def rotate_signing(
    *,
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="The secret leaked: what it signed is refused from now on (elsewhere in 30 s)."),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Replace the secret that signs access tokens. Nobody notices: the old one verifies until its last token ended."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.keys import show_rotated_signing  # noqa: PLC0415

    with installation() as platform:
        code = show_rotated_signing(platform, is_at_once=at_once, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)
