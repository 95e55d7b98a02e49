"""A window done anew, stage by stage: what may be asked for, the pieces of a long window, and the work of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads
from tieout.books.ads.period import DAY_US, MAX_DAYS, Period, check_limit, parse_period
from tieout.books.ads.proving import prove_month
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Progress, Workspace
from tieout.core.errors import TieoutError

StageName = Literal["ingestion", "expected", "matching", "reconcile", "proofs"]
STAGES: tuple[StageName, ...] = get_args(StageName)
ALL = "all"

Counts = dict[str, int]
"""What a stage did, by name; of several pieces the sums."""


class BackfillRefused(TieoutError):
    """A backfill was asked for in a way that cannot be done, or not without a second word."""

    code = "backfill_refused"


@dataclass(frozen=True)
class BackfillRequest:
    """A window to do anew. `limit` is the most receipts of a piece, None for all.

    Publisher and network name the backfill and narrow nothing: a window that held one network alone would lose the
    others.
    """

    period: Period
    stages: tuple[StageName, ...]
    is_dry_run: bool
    limit: int | None
    publisher: str = ""
    network: str = ""

    def key(self, tenant: str) -> str:
        """Return the name of the backfill among the checkpoints."""
        scope = f"pub={self.publisher or 'any'}|net={self.network or 'any'}"
        return f"{self.period.text}|{scope}|dryRun={str(self.is_dry_run).lower()}|tenant={tenant}"


def backfill_request(
    start: str | None,
    end: str | None,
    *,
    step: str = ALL,
    is_dry_run: bool = True,
    limit: int | None = None,
    publisher: str = "",
    network: str = "",
    force: bool = False,
    yes: bool = False,
) -> BackfillRequest:
    """Return the request for a backfill. Raises PeriodRefused, LimitRefused and BackfillRefused."""
    if force and not yes:
        raise BackfillRefused("--force requires --yes", subject="--force")
    period = parse_period(start, end, is_forced=force and yes)
    if step != ALL and step not in STAGES:
        raise BackfillRefused(f"Unknown --step: {step}", subject="--step", remedy=f"Use {'|'.join((ALL, *STAGES))}.")
    stages = tuple(stage for stage in STAGES if step in (ALL, stage))
    checked = check_limit(limit, is_forced=force and yes)
    return BackfillRequest(period, stages, is_dry_run, checked, publisher.strip(), network.strip())


def list_pieces(period: Period) -> tuple[Period, ...]:
    """Return the windows that a period is done in: itself up to 3 days, else one a day, cut at midnight UTC.

    Days are the same whichever period asks for them, so that another backfill over them finds them done.
    """
    if period.end_us - period.start_us <= MAX_DAYS * DAY_US:
        return (period,)
    midnights = range(period.start_us // DAY_US * DAY_US + DAY_US, period.end_us, DAY_US)
    bounds = (period.start_us, *midnights, period.end_us)
    return tuple(Period(*both) for both in pairwise(bounds))


def do_piece(
    workspace: Workspace,
    request: BackfillRequest,
    stage: StageName,
    piece: Period,
    tunables: Tunables,
    on_step: Progress = lambda _: None,
) -> Counts:
    """Do one stage of one piece and return what it did; the same again changes nothing.

    Raises what the stage raises, and ProofsNotAvailable.
    """
    if stage == "expected":
        built = build_expected(workspace, piece, limit=request.limit, on_step=on_step)
        return {"seen": built.seen, "written": built.written, "skipped": built.skipped, "left_out": built.left_out}
    if stage == "matching":
        done = match_ads(workspace, piece, on_step=on_step)
        return {"auto": done.auto, "review": done.review, "unmatched": done.unmatched}
    if stage == "reconcile":
        judged = reconcile_ads(workspace, piece, tunables, on_step=on_step)
        return {"deltas": judged.deltas, "inserted": 0 if request.is_dry_run else judged.inserted}
    if stage == "proofs":
        return prove_month(workspace, request.period.start.date(), is_dry_run=request.is_dry_run)
    return {}


def add_up(total: Mapping[str, int], more: Mapping[str, int]) -> Counts:
    """Return the sums of two counts."""
    return {name: total.get(name, 0) + more.get(name, 0) for name in {**total, **more}}


def has_worked(stage: str, counts: Mapping[str, Any]) -> bool:
    """Tell whether a stage found work to do, as the exit code of its own command would say."""
    worked = {
        "expected": ("written",),
        "matching": ("auto", "review"),
        "reconcile": ("inserted",),
        "proofs": ("sealed",),
    }.get(stage, ())
    return any(counts.get(name) for name in worked)
