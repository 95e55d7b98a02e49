"""The stages of the ads book on the command line: `tieout expected ads` and those after it."""

from __future__ import annotations

from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
From = Annotated[str | None, typer.Option("--from", metavar="ISO", help="First instant of the window.")]
To = Annotated[str | None, typer.Option("--to", metavar="ISO", help="Instant at which the window ends.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written; exit code 10.")]
Force = Annotated[bool, typer.Option("--force", help="With --yes: take a window or a limit beyond the guardrails.")]
Yes = Annotated[bool, typer.Option("--yes", help="With --force: mean it.")]

CODES = "Exit codes: 0 done, 10 a dry run or nothing to do, 20 error or refused."


def _group(name: str, words: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=words,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


expected = _group("expected", "Build what should have been earned.")


@expected.callback()
def _expected() -> None:
    """Build what should have been earned."""


@expected.command(
    cls=AsPrinted,
    epilog=f"""
    [bold]Examples[/bold]

    tieout expected ads --from 2025-11-01T00:00:00Z --to 2025-11-02T00:00:00Z --dry-run

    tieout expected ads --from 2025-11-01 --to 2025-12-01 --force --yes

    {CODES}
    """,
)
def ads(
    *,
    start: From = None,
    end: To = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Most receipts taken, the earliest; 10,000 by default, with --force --yes all of them."),
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Build the expected value of each request from receipts and paid events; at most 3 days and 10,000 receipts.

    A request that was paid is worth what its first paid event says, one that was only won the winning bid.
    """
    from tieout.cli.ads_stages import show_expected  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        code = show_expected(
            opened, start, end, limit=limit, is_dry_run=dry_run, is_forced=force and yes, as_json=as_json
        )
    raise typer.Exit(code)


match = _group("match", "Match what was reported with what should have been earned.")


@match.callback()
def _match() -> None:
    """Match what was reported with what should have been earned."""


@match.command(
    "ads",
    cls=AsPrinted,
    epilog=f"""
    [bold]Example[/bold]

    tieout match ads --from 2025-11-01T00:00:00Z --to 2025-11-02T00:00:00Z --auto-threshold 0.80 --min-conf 0.50

    {CODES}
    """,
)
def match_ads(
    *,
    start: From = None,
    end: To = None,
    auto_threshold: Annotated[
        str, typer.Option("--auto-threshold", "--autoThreshold", help="Score from which a pair is sure, 0 to 1.")
    ] = "0.80",
    min_conf: Annotated[
        str, typer.Option("--min-conf", "--minConf", help="Score from which a pair waits for a person, 0 to 1.")
    ] = "0.50",
    persist_review: Annotated[
        bool, typer.Option("--persist-review", "--persistReview", help="Keep the pairs that wait for a person.")
    ] = False,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Match statement lines with requests: by request id, by the sums of a day and unit, else by likeness.

    Likeness weighs time 0.5, amount 0.3 and unit hints 0.2; each line and each request is used once.
    """
    from tieout.cli.ads_stages import show_match  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        code = show_match(
            opened,
            start,
            end,
            thresholds=(auto_threshold, min_conf),
            keeps_review=persist_review,
            is_dry_run=dry_run,
            is_forced=force and yes,
            as_json=as_json,
        )
    raise typer.Exit(code)


reconcile = _group("reconcile", "Judge what was matched: what is underpaid, missing, late or unexpected.")


@reconcile.callback()
def _reconcile() -> None:
    """Judge what was matched: what is underpaid, missing, late or unexpected."""


@reconcile.command(
    "ads",
    cls=AsPrinted,
    epilog=f"""
    [bold]Example[/bold]

    tieout reconcile ads --from 2025-11-01T00:00:00Z --to 2025-11-02T00:00:00Z --dry-run

    Thresholds: VRA_UNDERPAY_TOL, VRA_IVT_P95_BAND_PP, VRA_FX_BAND_PCT, VRA_VIEWABILITY_GAP_PP.

    {CODES}
    """,
)
def reconcile_ads(
    *,
    start: From = None,
    end: To = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DAY", help="Day on which the 7 days of grace are counted; today by default."),
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Find the deltas of a window that was matched: strictly beyond their thresholds, every micro explained.

    A rule that lacks its inputs says that it is not computable, and why.
    """
    from tieout.cli.ads_stages import show_reconcile  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        code = show_reconcile(
            opened, start, end, as_of=as_of, is_dry_run=dry_run, is_forced=force and yes, as_json=as_json
        )
    raise typer.Exit(code)


tune = _group("tune", "Try another threshold on what is on record.")


@tune.callback()
def _tune() -> None:
    """Try another threshold on what is on record."""


@tune.command(
    "ads",
    epilog="""
    [bold]Example[/bold]

    tieout tune ads --kind underpay --tolerance 0.01 --from 2025-11-01 --to 2025-12-01

    Exit codes: 0 deltas would appear, go or change, 10 nothing would change, 20 error.
    """,
)
def tune_ads(
    kind: Annotated[str, typer.Option(help="underpay (and overpay), ivt_outlier, fx_mismatch or viewability_gap.")],
    tolerance: Annotated[str, typer.Option(help="The threshold to try, in the unit of its variable: 0.01, or 1.5 pp.")],
    *,
    start: From = None,
    end: To = None,
    as_json: JsonFlag = False,
) -> None:
    """Show which deltas, and how much money, would appear or go with another threshold; nothing is stored."""
    from tieout.cli.ads_stages import show_tuned  # noqa: PLC0415 - help answers without the engine
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module

    with workspace() as opened:
        code = show_tuned(opened, start, end, kind=kind, tolerance=tolerance, as_json=as_json)
    raise typer.Exit(code)
