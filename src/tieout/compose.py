"""The only place that wires concrete parts together: settings, store and clock; the command line and Python."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tieout.books.workspace import Workspace
    from tieout.control.platform import Platform
    from tieout.core.serving import ServeRequest
    from tieout.core.settings import Settings
    from tieout.report.comparison import Comparison
    from tieout.work.jobs.kinds import Kinds
    from tieout.work.loops import Loop
    from tieout.work.schedules.rules import Schedule


LAST_WORD_S = 3.0
"""Of the grace at the end, what a worker keeps to hand back what it could not finish."""


def _now() -> datetime:
    return datetime.now(UTC)


def open_workspace(settings: Settings | None = None) -> Workspace:
    """Open the workspace that the settings (by default the environment) name; make what is missing."""
    from tieout.books.workspace import Workspace  # noqa: PLC0415 - help answers without the engine
    from tieout.core.settings import Settings  # noqa: PLC0415
    from tieout.store.opening import open_store  # noqa: PLC0415

    chosen = settings or Settings.from_environment(os.environ)
    return Workspace(chosen, open_store(chosen, now=_now()), _now)


def open_platform(settings: Settings | None = None) -> Platform:
    """Open the installation that the settings (by default the environment) name; make what is missing."""
    from tieout.control.platform import Platform  # noqa: PLC0415 - help answers without it
    from tieout.core.settings import Settings  # noqa: PLC0415
    from tieout.store.opening import open_store  # noqa: PLC0415

    chosen = settings or Settings.from_environment(os.environ)
    return Platform(chosen, open_store(chosen, now=_now()).state.of(""), _now)


def serve(request: ServeRequest, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve what the request names until SIGTERM or SIGINT; `announce` is told what a person should see."""
    # Before anything imports the metrics: where they count is settled at their import. A process that is alone shares
    # them too, with the commands.
    from tieout.core.metrics_folder import FOLDER, share_metrics  # noqa: PLC0415 - help answers without it

    share_metrics(settings.data_dir / FOLDER)
    from tieout.core.logs import set_up_logs  # noqa: PLC0415
    from tieout.process import Process  # noqa: PLC0415

    set_up_logs(level=settings.log_level, form=settings.log_format)
    _begin_counting(settings)
    platform = open_platform(settings)
    try:
        Process(platform, request, loops_of(platform, request.role), announce).run()
    finally:
        platform.close()


def _begin_counting(settings: Settings) -> None:
    """Let every series that is known beforehand be shown from the start; a part or a book adds its own here."""
    from tieout.books.ads.counting import begin_counting  # noqa: PLC0415 - help answers without them
    from tieout.books.ads.layout import list_layouts  # noqa: PLC0415
    from tieout.books.ads.reconcile import KINDS  # noqa: PLC0415

    networks = {layout.network for layout in list_layouts() if layout.network}
    begin_counting(sorted(networks.union(settings.ads_networks)), KINDS)


def loops_of(platform: Platform, role: str) -> dict[str, Loop]:
    """Return the loops that a process of `role` runs, by name."""
    from tieout.control.webhooks.jobs import deliver_events  # noqa: PLC0415
    from tieout.work.schedules.actions import run_scheduler  # noqa: PLC0415
    from tieout.work.worker import Orders, Pace, run_worker  # noqa: PLC0415

    settings, state = platform.settings, platform.state
    tools: dict[str, Any] = {"now": platform.now, "random_bytes": platform.random_bytes}
    pace = Pace(
        batch_threads=settings.batch_threads,
        step_threads=settings.step_threads,
        lease_s=settings.job_lease_s,
        stop_within_s=max(settings.shutdown_grace_s - LAST_WORD_S, 0.0),
    )
    orders = Orders(kinds_of(platform), pace, (role,))
    capacity = settings.queue_capacity
    loops: dict[str, dict[str, Loop]] = {
        "worker": {
            "worker": lambda stop: run_worker(state, orders, stop=stop, **tools),
            "delivery": lambda stop: deliver_events(platform, stop),
        },
        "scheduler": {
            "scheduler": lambda stop: run_scheduler(state, schedules_of(), stop=stop, capacity=capacity, **tools)
        },
    }
    return {name: loop for one, group in loops.items() if role in (one, "all") for name, loop in group.items()}


def kinds_of(platform: Platform) -> Kinds:
    """Return every kind of job that a worker does; a part of the platform or a book adds its own here."""
    from tieout.books.ads import jobs as ads  # noqa: PLC0415
    from tieout.books.ads import uploading  # noqa: PLC0415
    from tieout.books.compare import jobs as comparisons  # noqa: PLC0415
    from tieout.control.access import jobs as access  # noqa: PLC0415
    from tieout.control.flags.registry import VRA_ENABLED  # noqa: PLC0415
    from tieout.work import housekeeping  # noqa: PLC0415
    from tieout.work.jobs.kinds import Kinds  # noqa: PLC0415

    tools: dict[str, Any] = {"now": platform.now, "random_bytes": platform.random_bytes}
    return Kinds(
        {
            **access.kinds(**tools),
            **housekeeping.kinds(platform.settings, **tools),
            **comparisons.kinds(platform.settings),
            **uploading.kinds(platform.settings),
            **ads.kinds(platform.settings, is_on=partial(platform.flags.is_on, VRA_ENABLED), **tools),
        }
    )


def schedules_of() -> tuple[Schedule, ...]:
    """Return every schedule; a part of the platform or a book adds its own here."""
    from tieout.books.ads import jobs as ads  # noqa: PLC0415
    from tieout.control.access import jobs as access  # noqa: PLC0415
    from tieout.work import housekeeping  # noqa: PLC0415

    return (*access.SCHEDULES, *ads.SCHEDULES, *housekeeping.SCHEDULES)


def main() -> None:
    """Run the command line."""
    from tieout.cli.app import run  # noqa: PLC0415

    run(open_workspace, open_platform, serve)


def compare(
    ours: Any,
    theirs: Any,
    *,
    on: str | list[str] | None = None,
    amount: str | None = None,
    date: str | None = None,
    currency: str | None = None,
    scale: str | None = None,
    fee: str | None = None,
    direction: str | None = None,
    text: str | None = None,
    group_by: str | None = None,
    tolerance: str | list[str] | None = None,
    window_days: int | None = None,
    number_format: str | None = None,
    date_format: str | None = None,
    ignore: list[str] | None = None,
    advice: Any = None,
    advice_payment: str | None = None,
    advice_invoice: str | None = None,
    advice_amount: str | None = None,
    plan: str | Path | None = None,
    sheet: str | None = None,
    records: str | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    encoding: str | None = None,
    delimiter: str | None = None,
    header_line: str | None = None,
    out: str | Path | None = None,
    after: str | None = None,
    overlap: bool = False,
    fresh: bool = False,
    settings: Settings | None = None,
) -> Comparison:
    """Reconcile two inputs: paths, or Arrow, Polars or pandas tables.

    The options are those of `tieout compare`; `OURS=THEIRS` names a column on both sides. `advice` is a third input
    that says which payments (theirs) go with which invoices (ours). With `after`, a run, both hold the rows that are
    new since then, or are None; with `overlap` they may repeat rows of that run. Raises a TieoutError that
    names the input, column or option when it cannot be done.
    """
    from tieout.books.compare.increment import compare_or_add  # noqa: PLC0415
    from tieout.books.compare.options import infer_options, reading_of  # noqa: PLC0415
    from tieout.books.compare.planning import chosen_plan  # noqa: PLC0415
    from tieout.books.compare.request import CompareRequest  # noqa: PLC0415
    from tieout.engine.plan_file import plan_to_toml  # noqa: PLC0415
    from tieout.report.comparison import Comparison, Report  # noqa: PLC0415

    options = infer_options(
        on=[on] if isinstance(on, str) else on,
        amount=amount,
        date=date,
        currency=currency,
        scale=scale,
        fee=fee,
        direction=direction,
        text=text,
        group_by=group_by,
        tolerance=[tolerance] if isinstance(tolerance, str) else tolerance,
        window_days=window_days,
        number_format=number_format,
        date_format=date_format,
        ignore=ignore,
        advice_payment=advice_payment,
        advice_invoice=advice_invoice,
        advice_amount=advice_amount,
    )
    opened = open_workspace(settings)
    try:
        request = CompareRequest(
            ours,
            theirs,
            options,
            chosen_plan(Path(plan), options) if plan else None,
            reading=reading_of(
                format=format,
                sheet=sheet,
                records=records,
                encoding=encoding,
                delimiter=delimiter,
                header_line=header_line,
            ),
            is_fresh=fresh,
            advice=advice,
        )
        done = compare_or_add(opened, request, after, is_overlapping=overlap)
    finally:
        opened.close()
    report = Report(done.run_dir, done.summary, plan_to_toml(done.plan))
    if out is not None:
        report.save(out)
    return Comparison(done.run.run_id, done.summary, report, done.run_dir, done.timings)
