"""The commands of who runs an installation: serve, init, doctor, migrate."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.core.settings import Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
StateOption = Annotated[str | None, typer.Option("--state", help="The state database, as in TIEOUT_STATE.")]


class Role(StrEnum):
    """Which parts run in a process."""

    all = "all"
    api = "api"
    worker = "worker"
    scheduler = "scheduler"


SERVE_EPILOG = """
    [bold]Examples[/bold]

    tieout serve

    tieout serve --port 8080 --role api --state postgresql://tieout:secret@db/tieout

    tieout serve --role worker --state postgresql://tieout:secret@db/tieout

    Exit codes: 0 stopped in good order, 20 error.
    """
INIT_EPILOG = """
    [bold]Examples[/bold]

    tieout init

    TIEOUT_DATA_DIR=/srv/tieout tieout init --json

    Exit codes: 0 done, 20 error.
    """
DOCTOR_EPILOG = """
    [bold]Examples[/bold]

    tieout doctor

    tieout doctor --json

    Exit codes: 0 all is well, 10 something deserves a look, 20 something does not work.
    """
MIGRATE_EPILOG = """
    [bold]Examples[/bold]

    tieout migrate --dry-run

    tieout migrate

    Exit codes: 0 the state database is as this program needs it, 10 a dry run has something to do, 20 error.
    """


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API; 0 for any that is free.")] = 8000,
    role: Annotated[Role, typer.Option(help="Which parts run in this process.")] = Role.all,
    state: StateOption = None,
) -> None:
    """Serve API, worker and scheduler: all in one process, or each in as many as you like beside one PostgreSQL."""
    from tieout.cli.app import server  # noqa: PLC0415 - the app mounts this module
    from tieout.core.serving import ServeRequest  # noqa: PLC0415

    server()(ServeRequest(host, port, role.value), _settings(state), lambda line: print(line, flush=True))  # noqa: T201


def init(*, state: StateOption = None, as_json: JsonFlag = False) -> None:
    """Make the data folder, the state database and the keys; what is there stays as it is."""
    from tieout.cli.installing import make  # noqa: PLC0415 - help answers without it

    make(_settings(state), as_json=as_json)


def doctor(*, state: StateOption = None, as_json: JsonFlag = False) -> None:
    """Look at this installation: what is wrong with it, and what to do."""
    from tieout.cli.doctoring import examine  # noqa: PLC0415

    raise typer.Exit(examine(_settings(state), as_json=as_json))


def migrate(
    *,
    state: StateOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and stop.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring the state database to what this program needs."""
    from tieout.cli.installing import bring_to_head  # noqa: PLC0415

    raise typer.Exit(bring_to_head(_settings(state), is_dry_run=dry_run, as_json=as_json))


def _settings(state: str | None) -> Settings:
    from tieout.core.settings import Settings  # noqa: PLC0415 - help answers without it

    if state:
        os.environ["TIEOUT_STATE"] = state  # for all that this command opens
    return Settings.from_environment(os.environ)
