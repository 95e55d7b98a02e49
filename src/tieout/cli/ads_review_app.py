"""The commands of a reviewer of the ads book: the group `tieout review ads`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.books.ads.decisions import Ruling

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Pairs = Annotated[list[str], typer.Argument(metavar="PAIR...", help="Pairs, as `tieout review ads list` names them.")]
CODES = "Exit codes: 0 stored, 10 nothing changed, 20 error."

ads_review = typer.Typer(
    name="ads",
    help="Review pairs of the ads book: statement lines and the requests or sums that they may be about.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@ads_review.command("list", epilog="[bold]Example[/bold]\n\ntieout review ads list --limit 50 --json")
def list_pairs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List the pairs of the current matchings that wait for a person, the largest money first.

    `tieout match ads --persist-review` keeps them.
    """
    from tieout.cli.ads_reviewing import show_waiting  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        show_waiting(opened, limit=limit, as_json=as_json)


@ads_review.command(epilog=f"[bold]Example[/bold]\n\ntieout review ads accept 0f3a9c2b71d4e865\n\n{CODES}")
def accept(pairs: Pairs, *, as_json: JsonFlag = False) -> None:
    """Say that pairs belong together: the next `tieout match ads` of their window matches them for sure.

    With TIEOUT_ADS_FOUR_EYES=1 a second person has to say the same before it counts.
    """
    _decide("accepted", pairs, as_json=as_json)


@ads_review.command(epilog=f"[bold]Example[/bold]\n\ntieout review ads reject 0f3a9c2b71d4e865\n\n{CODES}")
def reject(pairs: Pairs, *, as_json: JsonFlag = False) -> None:
    """Say that pairs do not belong together: the next `tieout match ads` does not pair them."""
    _decide("rejected", pairs, as_json=as_json)


@ads_review.command(epilog=f"[bold]Example[/bold]\n\ntieout review ads undo 0f3a9c2b71d4e865\n\n{CODES}")
def undo(pairs: Pairs, *, as_json: JsonFlag = False) -> None:
    """Take decisions back: the pairs are open again. What was decided stays on record."""
    _decide("undone", pairs, as_json=as_json)


@ads_review.command(epilog="[bold]Example[/bold]\n\ntieout review ads decisions --limit 50")
def decisions(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to list.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List what was decided, the latest first: by whom, and whether it counts or waits for a second person."""
    from tieout.cli.ads_reviewing import show_decisions  # noqa: PLC0415
    from tieout.cli.app import workspace  # noqa: PLC0415

    with workspace() as opened:
        show_decisions(opened, limit=limit, as_json=as_json)


def _decide(ruling: Ruling, pairs: list[str], *, as_json: bool) -> None:
    from tieout.cli.ads_reviewing import decide_them  # noqa: PLC0415
    from tieout.cli.app import workspace  # noqa: PLC0415

    with workspace() as opened:
        code = decide_them(opened, ruling, pairs, as_json=as_json)
    raise typer.Exit(code)
