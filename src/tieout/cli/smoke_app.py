"""`tieout smoke`: the canary's script."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

SMOKE_EPILOG = """
[bold]Examples[/bold]

tieout smoke

API_URL=https://staging.example.com FROM=2025-11-01T00:00:00Z TO=2025-11-02T00:00:00Z tieout smoke

API_URL=https://staging.example.com AUTH_TOKEN=… tieout smoke

Exit codes: 0 OK, 1 overview failed, 2 CSV failed or another header, 3 gauges missing, 4 usage error.
"""


class Smoke(AsPrinted):
    """A command whose usage errors end with 4, as the runbook has it."""

    usage_exit_code = 4


def smoke(
    *,
    api_url: Annotated[
        str,
        typer.Option(envvar=["API_URL", "STAGING_API_URL"], metavar="URL", help="Where the API answers."),
    ] = "http://localhost:3000",
    start: Annotated[
        str, typer.Option("--from", envvar="FROM", metavar="ISO", help="First instant; 24 hours before the last.")
    ] = "",
    end: Annotated[str, typer.Option("--to", envvar="TO", metavar="ISO", help="Last instant; now by default.")] = "",
    token: Annotated[
        str,
        typer.Option(envvar="AUTH_TOKEN", metavar="TOKEN", help="Token or key; better given by the environment."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Ask a running installation for overview, deltas as CSV, and both gauges of the pilot; read only.

    The last line of a smoke that went well is SUCCESS: overview=200 csv=200 gauges=present.
    """
    from tieout.cli.smoking import run_smoke  # noqa: PLC0415 - help answers without it

    raise typer.Exit(run_smoke(api_url, token=token, start=start, end=end, as_json=as_json))
