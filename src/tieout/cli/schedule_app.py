"""The commands on schedules: the group `tieout schedule`."""

from __future__ import annotations

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

schedule = typer.Typer(
    name="schedule",
    help="See what runs when, how late it was, and run it now.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@schedule.command("list", epilog="[bold]Example[/bold]\n\ntieout schedule list --json")
def list_all(*, as_json: JsonFlag = False) -> None:
    """List the schedules: when each comes next, when it came last, and how late that was."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.jobs import show_schedules  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        show_schedules(platform, as_json=as_json)


@schedule.command(epilog="[bold]Example[/bold]\n\ntieout schedule run retention")
def run(
    name: Annotated[str, typer.Argument(metavar="SCHEDULE", help="Name of the schedule, as `schedule list` has it.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Run a schedule now, besides its times: its job is submitted, and a worker does it."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.jobs import show_schedule_run  # noqa: PLC0415

    with installation() as platform:
        show_schedule_run(platform, name, as_json=as_json)
