"""`tieout audit`: events shown, the chain verified, the trail exported."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.app import print_json
from tieout.control.access.caller import Caller, operator_of
from tieout.control.access.permissions import SUPERADMIN
from tieout.control.audit.export import ExportFormat, as_json
from tieout.control.audit.reading import export_events, get_event, list_events
from tieout.control.audit.rules import Anchor, Broken, Verified
from tieout.control.audit.store import Filter
from tieout.control.audit.verifying import verify, verify_all
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK, TieoutError
from tieout.core.settings import check_tenant


class BadAnchor(TieoutError):
    """The end of a chain that is to be compared with is not written as NUMBER:HASH."""

    code = "bad_anchor"


@dataclass(frozen=True)
class Asked:
    """Which events a person asks for."""

    tenant: str | None
    is_every: bool
    since: datetime | None
    until: datetime | None
    module: str | None
    action: str | None

    @property
    def wanted(self) -> Filter:
        """The same without a tenant; an instant without a zone is one of UTC."""
        return Filter(None, _in_utc(self.since), _in_utc(self.until), self.module, self.action)


def show_events(platform: Platform, asked: Asked, *, limit: int, as_json: bool) -> None:
    """Show events, the latest first."""
    caller = _operator(platform, asked.tenant, is_every=asked.is_every)
    found = list_events(platform, caller, asked.wanted, before=None, limit=limit)
    if as_json:
        print_json([_told(event) for event in found])
        return
    console = Console()
    if not found:
        console.print("No event of the audit trail is like that.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("when (UTC)", "who", "action", "what", "from", *(["tenant"] if asked.is_every else [])):
        table.add_column(name, overflow="fold")
    for event in found:
        table.add_row(
            event.id,
            f"{event.created_at:%Y-%m-%d %H:%M:%S}",
            Text(event.actor),
            event.action,
            Text(f"{event.entity_type} {event.entity_id}"),
            Text(event.ip_address or ""),
            *([event.tenant] if asked.is_every else []),
        )
    console.print(table)


def show_event(platform: Platform, event_id: str, *, as_json: bool) -> None:
    """Show one event whole."""
    told = _told(get_event(platform, _operator(platform, None, is_every=True), event_id))
    if as_json:
        print_json(told)
        return
    console = Console()
    for name, value in told.items():
        if name != "delta":
            console.print(Text(f"{name:12} {'' if value is None else value}"), soft_wrap=True)
    console.print("delta")
    console.print_json(data=told["delta"])


def verify_trails(platform: Platform, tenant: str | None, *, is_every: bool, seen: str | None, as_json: bool) -> int:
    """Verify one trail or all; return the exit code."""
    anchor = None if seen is None else _anchor(seen)
    if is_every or (tenant is None and anchor is None):
        answers: Iterable[tuple[str, Verified | Broken]] = verify_all(platform.state)
    else:
        chosen = check_tenant(tenant or platform.settings.tenant, "--tenant")
        answers = [(chosen, verify(platform.state, chosen, anchor))]
    told, is_intact = [], True
    for name, answer in answers:
        is_intact = is_intact and isinstance(answer, Verified)
        if as_json:
            told.append({"tenant": name, "is_intact": isinstance(answer, Verified), **vars(answer)})
        elif isinstance(answer, Verified):
            Console().print(
                Text(f"{name}: intact, {answer.events:,} events. Its end: {answer.events}:{answer.head}"),
                soft_wrap=True,
            )
        else:
            Console().print(Text(f"{name}: BROKEN at event {answer.seq}. {answer.why}"), soft_wrap=True)
    if as_json:
        print_json(told)
    return EXIT_OK if is_intact else EXIT_DIFFERENCES


def write_export(
    platform: Platform, asked: Asked, file_format: ExportFormat, out: Path | None, *, is_redacted: bool
) -> None:
    """Write the file, or print it."""
    caller = _operator(platform, asked.tenant, is_every=asked.is_every)
    chunks = export_events(platform, caller, asked.wanted, file_format, is_redacted=is_redacted)
    if out is None:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    draft = out.with_name(f"{out.name}.part")  # what was cut short is never taken for the whole
    try:
        with draft.open("wb") as file:
            file.writelines(chunks)
        draft.replace(out)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    Console(stderr=True).print(Text(f"Wrote {out}."), soft_wrap=True)


def _operator(platform: Platform, tenant: str | None, *, is_every: bool) -> Caller:
    chosen = SUPERADMIN if is_every else check_tenant(tenant or platform.settings.tenant, "--tenant")
    return operator_of(chosen, Actor(f"account:{platform.settings.actor}"))


def _anchor(text: str) -> Anchor:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(number) > 18 or len(digest) != 64:
        raise BadAnchor(f"{text!r} is not NUMBER:HASH.", remedy="Give what `tieout audit verify` told as the end.")
    return Anchor(int(number), digest)


def _in_utc(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant is not None and instant.tzinfo is None else instant


_told = as_json
