"""The commands of a reviewer: the group `tieout review`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tieout.cli.ads_review_app import ads_review

if TYPE_CHECKING:
    from tieout.store.review import Ruling

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run in which the pairs were seen, or its first characters.")]
Pairs = Annotated[
    list[str],
    typer.Argument(metavar="OURS:THEIRS...", help="Pairs by row number, as `review list` and matches.csv have them."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effect and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
NoRerun = Annotated[bool, typer.Option("--no-rerun", help="Store it; later runs of the same inputs follow it.")]

review = typer.Typer(
    name="review",
    help="Review the pairs that wait for a person: accept or reject them, see first what that does to the rest.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

review.add_typer(ads_review)

CODES = "Exit codes: 0 stored, 10 nothing to do, a dry run or a no, 20 error."


@review.command(
    "list", epilog="[bold]Examples[/bold]\n\ntieout review list\n\ntieout review list 3f9a1c2b --limit 50 --json"
)
def list_pairs(
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Run, or its first characters; by default the newest current one."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List the pairs that wait for a person, the largest money first, with what both rows say."""
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.reviewing import show_waiting  # noqa: PLC0415 - help answers without the engine

    with workspace() as opened:
        show_waiting(opened, run_id, limit=limit, as_json=as_json)


@review.command(
    epilog=f"""
    [bold]Examples[/bold]

    tieout review accept 3f9a1c2b 12:15 --dry-run

    tieout review accept 3f9a1c2b 12:15 14:9 --yes

    {CODES}
    """
)
def accept(
    run_id: RunId,
    pairs: Pairs,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    no_rerun: NoRerun = False,
    as_json: JsonFlag = False,
) -> None:
    """Say that pairs belong together: they are matched, now and in every later run of these inputs that has the rows.

    Shows first what that does to the other pairs that wait; weights learn from it. Then the run is done again.
    """
    _decide("accepted", run_id, pairs, dry_run=dry_run, yes=yes, no_rerun=no_rerun, as_json=as_json)


@review.command(epilog=f"[bold]Example[/bold]\n\ntieout review reject 3f9a1c2b 12:16\n\n{CODES}")
def reject(
    run_id: RunId,
    pairs: Pairs,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    no_rerun: NoRerun = False,
    as_json: JsonFlag = False,
) -> None:
    """Say that pairs do not belong together: they are never matched again, and are no alternative.

    Shows first what that does to the other pairs that wait; weights learn from it. Then the run is done again.
    """
    _decide("rejected", run_id, pairs, dry_run=dry_run, yes=yes, no_rerun=no_rerun, as_json=as_json)


@review.command(epilog=f"[bold]Example[/bold]\n\ntieout review undo 3f9a1c2b 12:15\n\n{CODES}")
def undo(
    run_id: RunId,
    pairs: Pairs,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    no_rerun: NoRerun = False,
    as_json: JsonFlag = False,
) -> None:
    """Take decisions about pairs back: they are open again. What was decided before stays on record."""
    _decide("undone", run_id, pairs, dry_run=dry_run, yes=yes, no_rerun=no_rerun, as_json=as_json)


@review.command(epilog="[bold]Example[/bold]\n\ntieout review decisions --limit 50")
def decisions(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List what reviewers decided, latest first: which pair, how, by whom and when, and whether it still counts."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.reviewing import show_decisions  # noqa: PLC0415

    with workspace() as opened:
        show_decisions(opened, limit=limit, as_json=as_json)


def _decide(
    ruling: Ruling, run_id: str, pairs: list[str], *, dry_run: bool, yes: bool, no_rerun: bool, as_json: bool
) -> None:
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.reviewing import Asked, decide_pairs  # noqa: PLC0415

    asked = Asked(ruling, run_id, tuple(pairs), is_dry_run=dry_run, is_agreed=yes, is_rerun=not no_rerun)
    with workspace() as opened:
        code = decide_pairs(opened, asked, as_json=as_json)
    raise typer.Exit(code)
