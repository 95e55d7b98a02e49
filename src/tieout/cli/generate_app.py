"""The group `tieout generate`: a command for each book of which a world with known truth can be made."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

generate = typer.Typer(
    name="generate",
    help="Make two sides with known truth, to try, test and measure with.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@generate.callback()
def group() -> None:
    """Make two sides with known truth, to try, test and measure with."""


@generate.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout generate ads --days 40 --events-per-day 10000 --out world

    tieout generate ads --seed 7 --networks admob,unity --faults underpay:3,late --out world
    """,
)
def ads(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another world; the same one, the same bytes.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="Days of the world.")] = 40,
    events_per_day: Annotated[int, typer.Option(min=1, help="Paid impressions a day, over all networks.")] = 10_000,
    networks: Annotated[str, typer.Option(help="Networks, with commas.")] = "admob,unity,applovin,ironsource,meta",
    faults: Annotated[
        str,
        typer.Option(
            help="Faults to plant, with commas, each with :N for N times; none; or all that fit. There are underpay,"
            " overpay, missing, missing_day, duplicate, unexpected, late, timezone, fx, ivt, viewability, rename,"
            " restatement."
        ),
    ] = "all",
    first_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = datetime(  # noqa: DTZ001
        2026, 1, 1
    ),
    ad_units: Annotated[int, typer.Option(min=1, help="Ad units of each network.")] = 16,
    countries: Annotated[int, typer.Option(min=1, help="Countries, the most frequent first.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Make a world of ads: our events and receipts, the networks' statements, and every planted fault with its amount.

    ingest.sh in the folder takes it in; truth.json and truth.parquet list the faults.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.generating import generate_world  # noqa: PLC0415 - help answers without the engine

    with workspace() as opened:
        generate_world(
            opened,
            out=out,
            seed=seed,
            days=days,
            events_per_day=events_per_day,
            networks=networks,
            faults=faults,
            first_day=first_day.date(),
            ad_units=ad_units,
            countries=countries,
            as_json=as_json,
        )
