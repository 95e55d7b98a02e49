"""`tieout events`: deliveries listed, retried, skipped."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.control.access.caller import Caller, operator_of
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.platform import Platform
from tieout.control.webhooks.actions import list_deliveries, retry, skip
from tieout.control.webhooks.rules import Delivery, Status
from tieout.control.webhooks.store import Wanted
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.core.settings import check_tenant

EXIT_NOTHING_DONE = EXIT_DIFFERENCES


def show_deliveries(
    platform: Platform, tenant: str | None, status: Status | None, *, limit: int, as_json: bool
) -> None:
    """Show deliveries, those of the latest events first."""
    wanted = Wanted(None if tenant is None else check_tenant(tenant, "--tenant"), status)
    found = list_deliveries(platform, wanted, before=None, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    console = Console()
    if not found:
        console.print("No dead letter." if status == "failed" else "No delivery is like that.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("delivery", no_wrap=True)
    for name in ("tenant", "event", "entity"):
        table.add_column(name, overflow="fold")
    table.add_column("version", justify="right")
    table.add_column("status")
    table.add_column("failures", justify="right")
    table.add_column("next (UTC)", overflow="fold")
    table.add_column("last", overflow="fold")
    for one in found:
        table.add_row(
            one.delivery_id,
            one.tenant,
            one.event_type,
            Text(one.entity_id),
            str(one.version),
            one.status,
            str(one.failures),
            f"{one.next_attempt:%Y-%m-%d %H:%M:%S}" if one.status == "pending" else "",
            Text(one.last_error or ""),
        )
    console.print(table)


def retry_either(platform: Platform, either_id: str, *, as_json: bool) -> None:
    """Deliver an event or a delivery again."""
    retried = retry(platform, _operator(platform), either_id)
    if as_json:
        print_json({"retried": [one.delivery_id for one in retried]})
        return
    count = len(retried)
    Console().print(f"{count} {'delivery is' if count == 1 else 'deliveries are'} due now; a worker sends them.")


def skip_delivery(platform: Platform, delivery_id: str, *, is_dry_run: bool, is_agreed: bool, as_json: bool) -> int:
    """Give up a delivery once that is agreed to; return the exit code."""
    question = f"Give up the delivery {delivery_id} for good? Its endpoint never learns of that event."
    skipped: Delivery | None = None
    if is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed):
        skipped = skip(platform, _operator(platform), delivery_id)
    if as_json:
        print_json({"skipped": [skipped.delivery_id] if skipped else []})
    elif skipped:
        Console().print(Text(f"Skipped: later events of {skipped.entity_id} go on."))
    else:
        Console().print("Nothing was done: the delivery stays as it is.")
    return EXIT_OK if skipped else EXIT_NOTHING_DONE


def _operator(platform: Platform) -> Caller:
    return operator_of(SUPERADMIN, Actor(f"account:{platform.settings.actor}"))
