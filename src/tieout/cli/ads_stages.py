"""What the stages of the ads book print, and their exit codes."""

from __future__ import annotations

import os
import sys
from datetime import date
from typing import Any

from tieout.books.ads.expected import build_expected
from tieout.books.ads.matching import match_ads, match_rules
from tieout.books.ads.period import Period, PeriodRefused, check_limit, instant_text, parse_period
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.stage import StageDone
from tieout.books.ads.tunables import tunables_of
from tieout.books.ads.tune import Found, tune_ads
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.core.errors import EXIT_OK
from tieout.core.money import format_micros, from_micros

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


def show_match(
    workspace: Workspace,
    start: str | None,
    end: str | None,
    *,
    thresholds: tuple[str, str],
    keeps_review: bool,
    is_dry_run: bool,
    is_forced: bool,
    as_json: bool,
) -> int:
    """Match the lines of a window and say how many; return the exit code."""
    period = parse_period(start, end, is_forced=is_forced)
    rules = match_rules(*thresholds, keeps_review=keeps_review)
    done = match_ads(workspace, period, rules, is_dry_run=is_dry_run)
    if as_json:
        _print_done(period, done.done, dict(done.done.summary))
    else:
        _print_window("Match", period, is_dry_run=is_dry_run)
        _say(f"[VRA Match] Auto: {done.auto} Review: {done.review} Unmatched: {done.unmatched}")
        _say(f"[VRA Match] Exact: {done.exact} Duplicates: {done.duplicates} Candidates: {done.candidates}")
    return EXIT_WARNINGS if is_dry_run or not done.auto + done.review else EXIT_OK


def show_reconcile(
    workspace: Workspace,
    start: str | None,
    end: str | None,
    *,
    as_of: str | None,
    is_dry_run: bool,
    is_forced: bool,
    as_json: bool,
) -> int:
    """Judge a window and say how many deltas there are; return the exit code."""
    period = parse_period(start, end, is_forced=is_forced)
    done = reconcile_ads(workspace, period, tunables_of(os.environ), as_of=_day(as_of), is_dry_run=is_dry_run)
    if as_json:
        _print_done(period, done.done, {"inserted": done.inserted, **done.done.summary})
    else:
        _print_window("Reconcile", period, is_dry_run=is_dry_run)
        _say(f"[VRA Reconcile] Deltas: {done.deltas} Inserted: {done.inserted}")
        if done.by_kind:
            _say(f"[VRA Reconcile] By kind: {_listed(done.by_kind)}")
        for rule, reason in done.not_computable.items():
            _say(f"[VRA Reconcile] {rule}: not computable: {reason}")
    return EXIT_OK if done.deltas and done.inserted else EXIT_WARNINGS


def show_tuned(
    workspace: Workspace, start: str | None, end: str | None, *, kind: str, tolerance: str, as_json: bool
) -> int:
    """Say what another threshold would change; return the exit code."""
    period = parse_period(start, end, is_forced=True)
    done = tune_ads(workspace, period, kind, tolerance)
    if as_json:
        told = {"windows": done.windows, "appear": _found(done.appear), "go": _found(done.go)}
        changed = [{"before": before, "after": after} for pair in done.changed for before, after in [_found(pair)]]
        print_json(told | {"changed": changed})
    else:
        _say(f"[VRA Tune] Windows: {len(done.windows)} {kind} {tolerance}")
        _say(f"[VRA Tune] Would appear: {len(done.appear)} ({_money(done.appear)})")
        _say(f"[VRA Tune] Would go: {len(done.go)} ({_money(done.go)})")
        _say(f"[VRA Tune] Would change: {len(done.changed)}")
        for sign, found in (("+", done.appear), ("-", done.go)):
            for one in found:
                _say(f"{sign} {one.kind} {format_micros(one.amount_micros)} {one.currency} {one.evidence_id}")
        for before, after in done.changed:
            amounts = f"{format_micros(before.amount_micros)} → {format_micros(after.amount_micros)}"
            _say(f"~ {before.kind} {amounts} {before.currency} {before.evidence_id}")
    return EXIT_OK if done.appear or done.go or done.changed else EXIT_WARNINGS


def _money(found: tuple[Found, ...]) -> str:
    sums: dict[str, int] = {}
    for one in found:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount_micros
    return ", ".join(f"{format_micros(micros)} {currency}" for currency, micros in sorted(sums.items())) or "no money"


def _found(found: tuple[Found, ...]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "evidence_id": one.evidence_id,
            "amount": str(from_micros(one.amount_micros)),
            "currency": one.currency,
        }
        for one in found
    ]


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise PeriodRefused(
            f"Invalid --as-of day: {text!r}.", subject="--as-of", remedy="Use ISO, such as 2025-11-20."
        ) from None


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
