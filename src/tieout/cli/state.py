"""`tieout state`: what a copy would do, its progress, and the digests of both sides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.store.copying import Copied, CopyPlan, copy_state, plan_copy, refuse_filled

EXIT_NOTHING_COPIED = EXIT_DIFFERENCES
SHORT_DIGEST = 16


def copy_all(source: str, target: str, *, is_replacing: bool, is_dry_run: bool, is_agreed: bool, as_json: bool) -> int:
    """Copy one state database into another, after a yes where rows would be dropped; return the exit code."""
    plan = plan_copy(source, target)
    if not as_json:
        _show_plan(Console(stderr=not is_dry_run), plan)
    is_dropping = plan.standing == "filled"
    if is_dropping and not is_dry_run and not is_replacing:
        refuse_filled(plan)
    question = f"Drop the {plan.target_rows:,} rows that {plan.target} holds?"
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed or not is_dropping):
        if as_json:
            print_json({**_as_json(plan), "copied": False, "tables": dict(plan.rows)})
        else:
            Console().print(Text("A dry run: nothing was copied." if is_dry_run else "Nothing was copied."))
        return EXIT_NOTHING_COPIED
    with stepping() as on_step:
        done = copy_state(
            source,
            target,
            is_replacing=is_replacing,
            now=datetime.now(UTC),
            on_progress=lambda table, rows, total: on_step(f"copying {table}: {rows:,} of {total:,} rows"),
        )
    if as_json:
        tables = [{"table": one.name, "rows": one.rows, "sha256": one.sha256} for one in done.tables]
        print_json({**_as_json(plan), "copied": True, "tables": tables})
    else:
        _show_done(Console(), done)
    return EXIT_OK


def _show_plan(console: Console, plan: CopyPlan) -> None:
    console.print(Text(f"From {plan.source}: {sum(plan.rows.values()):,} rows in {len(plan.rows)} tables."))
    standing = {
        "new": "which is new",
        "empty": "which is empty",
        "incomplete": "into which a copy was begun and not finished",
        "filled": f"which holds {plan.target_rows:,} rows",
    }
    console.print(Text(f"To {plan.target}, {standing[plan.standing]}."))
    if plan.active_jobs:
        console.print(Text(f"{plan.active_jobs:,} jobs are under way; in the copy they wait to be done again."))


def _show_done(console: Console, done: Copied) -> None:
    table = Table("table", title="copied and read back, the same on both sides", title_justify="left", box=None)
    table.add_column("rows", justify="right")
    table.add_column("sha-256")
    for one in done.tables:
        if one.rows:
            table.add_row(one.name, f"{one.rows:,}", one.sha256[:SHORT_DIGEST])
    console.print(table)
    total = sum(one.rows for one in done.tables)
    console.print(Text(f"{total:,} rows copied. Set TIEOUT_STATE to the new address; the data folder stays as it is."))


def _as_json(plan: CopyPlan) -> dict[str, Any]:
    return {
        "from": plan.source,
        "to": plan.target,
        "target": plan.standing,
        "target_rows": plan.target_rows,
        "active_jobs": plan.active_jobs,
        "rows": sum(plan.rows.values()),
    }
