"""What the stages of the ads book print, and their exit codes."""

from __future__ import annotations

import sys
from typing import Any

from tieout.books.ads.expected import build_expected
from tieout.books.ads.period import Period, check_limit, instant_text, parse_period
from tieout.books.ads.stage import StageDone, Workspace
from tieout.cli.app import print_json
from tieout.core.errors import EXIT_OK

EXIT_WARNINGS = 10


def show_expected(
    workspace: Workspace,
    start: str | None,
    end: str | None,
    *,
    limit: int | None,
    is_dry_run: bool,
    is_forced: bool,
    as_json: bool,
) -> int:
    """Build the expected rows and say how many; return the exit code."""
    period = parse_period(start, end, is_forced=is_forced)
    built = build_expected(workspace, period, limit=check_limit(limit, is_forced=is_forced), is_dry_run=is_dry_run)
    counts = {"seen": built.seen, "written": built.written, "skipped": built.skipped, "left_out": built.left_out}
    if as_json:
        _print_done(period, built.done, counts | {"reasons": built.reasons})
    else:
        _print_window("Expected", period, is_dry_run=is_dry_run)
        _say(f"[VRA Expected] Seen: {built.seen} Written: {built.written} Skipped: {built.skipped}")
        if built.reasons:
            _say(f"[VRA Expected] Skipped because: {_listed(built.reasons)}")
    if built.left_out:
        _warn(f"{built.left_out} receipts of the window are beyond the limit; raise --limit with --force --yes.")
    return EXIT_WARNINGS if is_dry_run or not built.written or built.left_out else EXIT_OK


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _print_window(stage: str, period: Period, *, is_dry_run: bool) -> None:
    dry = " (dry-run)" if is_dry_run else ""
    _say(f"[VRA {stage}] Window: {instant_text(period.start)} → {instant_text(period.end)}{dry}")


def _print_done(period: Period, done: StageDone, told: dict[str, Any]) -> None:
    window = {"from": instant_text(period.start), "to": instant_text(period.end)}
    print_json({"window": window, "run": done.run.run_id if done.run else None, **told})


def _say(line: str) -> None:
    print(line)  # noqa: T201


def _warn(line: str) -> None:
    print(f"Warning: {line}", file=sys.stderr)  # noqa: T201
