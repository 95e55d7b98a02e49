"""The commands on jobs: the group `tieout jobs`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, as `jobs list` has it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

CODES = "Exit codes: 0 done, 10 a dry run or a no, 20 error."


class StatusName(StrEnum):
    """How a job stands; failed is a dead letter."""

    waiting = "waiting"
    active = "active"
    done = "done"
    failed = "failed"
    canceled = "canceled"


jobs = typer.Typer(
    name="jobs",
    help="See the jobs of the installation, try dead letters again, cancel what is not wanted any more.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@jobs.command(
    "list",
    epilog="[bold]Examples[/bold]\n\ntieout jobs list --status failed\n\ntieout jobs list --queue webhooks --json",
)
def list_all(
    *,
    status: Annotated[StatusName | None, typer.Option(help="Only those that stand so.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant; by default of all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List jobs, the newest first."""
    from tieout.cli.app import installation  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.jobs import show_jobs  # noqa: PLC0415 - help answers without it

    with installation() as platform:
        show_jobs(
            platform, status=status.value if status else None, queue=queue, tenant=tenant, limit=limit, as_json=as_json
        )


@jobs.command(epilog="[bold]Example[/bold]\n\ntieout jobs show 019ca945-0a00-77a6-92d2-5ae9064f6fd2")
def show(job: JobId, *, as_json: JsonFlag = False) -> None:
    """Show one job with its payload, its result and its last error."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.jobs import show_job  # noqa: PLC0415

    with installation() as platform:
        show_job(platform, job, as_json=as_json)


@jobs.command(epilog=f"[bold]Example[/bold]\n\ntieout jobs retry 019ca945-0a00-77a6-92d2-5ae9064f6fd2\n\n{CODES}")
def retry(job: JobId, *, as_json: JsonFlag = False) -> None:
    """Let a job that failed or was cancelled wait again; the steps that it had done are not done again."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.jobs import show_retried  # noqa: PLC0415

    with installation() as platform:
        show_retried(platform, job, as_json=as_json)


@jobs.command(
    epilog=f"[bold]Example[/bold]\n\ntieout jobs cancel 019ca945-0a00-77a6-92d2-5ae9064f6fd2 --yes\n\n{CODES}"
)
def cancel(job: JobId, *, dry_run: DryRun = False, yes: Yes = False, as_json: JsonFlag = False) -> None:
    """Cancel a job: at once where it waits, before its next step where a worker has it."""
    from tieout.cli.app import installation  # noqa: PLC0415
    from tieout.cli.jobs import show_canceled  # noqa: PLC0415

    with installation() as platform:
        code = show_canceled(platform, job, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)
