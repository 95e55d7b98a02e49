"""What `tieout init` and `tieout migrate` do and print."""

from __future__ import annotations

from pathlib import Path

import typer

from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.core.sealing import KEY_FILE
from tieout.core.settings import Settings

_SQLITE = "sqlite:///"


def make(settings: Settings, *, as_json: bool) -> None:
    """Make what is missing of an installation, and show the administrator's key if it is new."""
    from tieout.cli.app import installation, print_json  # noqa: PLC0415 - the app mounts this module's commands
    from tieout.control.access.actions.keys import create_admin_key  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        _ = platform.sealer  # makes the key file
        made = create_admin_key(platform)
        address = platform.state.address
    if as_json:
        print_json(
            {
                "data_folder": str(settings.data_dir),
                "state": address,
                "admin_key": made.text if made else None,
            }
        )
        return
    typer.echo(f"Data folder: {settings.data_dir}")
    typer.echo(f"State: {address}")
    if not settings.secret_key:
        typer.echo(f"Key: {settings.data_dir / KEY_FILE} (keep a copy: without it, sealed secrets are lost)")
    if made:
        typer.echo(f"The key of the administrator, shown this once: {made.text}")
    else:
        typer.echo("The key of the administrator was made before; tieout keys create makes others.")


def bring_to_head(settings: Settings, *, is_dry_run: bool, as_json: bool) -> int:
    """Run the migrations that are missing, or name them, and return the exit code."""
    from tieout.cli.app import print_json  # noqa: PLC0415
    from tieout.store.state import SCHEMA, open_state  # noqa: PLC0415

    before = _revision(settings)
    known = list(SCHEMA.revisions)
    missing = known[known.index(before) + 1 :] if before in known else known if before is None else []
    if not is_dry_run or (before is not None and before not in known):
        open_state(settings.state_url).close()  # says itself what it cannot do with a newer one
    if as_json:
        print_json({"before": before, "head": SCHEMA.head, "missing": missing, "dry_run": is_dry_run})
    elif not missing:
        typer.echo(f"The state database is at {SCHEMA.head}, as this program needs it.")
    else:
        verb = "Would bring" if is_dry_run else "Brought"
        typer.echo(f"{verb} the state database from {before or 'nothing'} to {SCHEMA.head} ({', '.join(missing)}).")
    return EXIT_DIFFERENCES if is_dry_run and missing else EXIT_OK


def _revision(settings: Settings) -> str | None:
    from tieout.store.state import connect_state, read_revision  # noqa: PLC0415

    url = settings.state_url
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        return None
    state = connect_state(url)
    try:
        with state.reading() as connection:
            return read_revision(connection)
    finally:
        state.close()
