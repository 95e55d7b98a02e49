"""`tieout keys`: keys of a tenant, made and shown once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.control.access.actions.keys import (
    KeyUnknown,
    NewKey,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from tieout.control.access.actions.signing import rotate_signing
from tieout.control.access.caller import Caller, operator_of
from tieout.control.access.rules import ApiKey
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK, TieoutError
from tieout.core.settings import check_tenant

EXIT_NOTHING_DONE = EXIT_DIFFERENCES
_EVERY = 1_000_000


class KeyNameAmbiguous(TieoutError):
    """The first part of a key's id is that of several keys."""

    code = "key_name_ambiguous"


def show_created(
    platform: Platform, tenant: str | None, name: str, permissions: Sequence[str], *, days: int | None, as_json: bool
) -> None:
    """Make a key and show it."""
    expires = None if days is None else platform.now() + timedelta(days=days)
    made = create_key(platform, _operator(platform, tenant), name, permissions, expires=expires)
    _show_new(platform, made, as_json=as_json)


def show_keys(platform: Platform, tenant: str | None, *, limit: int, as_json: bool) -> None:
    """Show the keys of a tenant."""
    caller = _operator(platform, tenant)
    found, total = list_keys(platform, caller, limit=limit)
    if as_json:
        print_json({"tenant": caller.tenant, "total": total, "keys": [_as_json(platform, key) for key in found]})
        return
    console = Console()
    if not found:
        console.print(Text(f"The tenant {caller.tenant} has no API key. tieout keys create makes one."))
        return
    shown = f"{len(found):,} of " if len(found) < total else ""
    table = Table(title=f"{shown}{total:,} keys of {caller.tenant}", title_justify="left", box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("name", "may", "status", "until", "last used", "made by"):
        table.add_column(name, overflow="fold")
    for key in found:
        table.add_row(
            key.key_id,
            Text(key.name),
            " ".join(key.permissions),
            key.status(platform.now()),
            f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "",
            f"{key.last_used:%Y-%m-%d %H:%M}" if key.last_used else "",
            Text(key.created_by),
        )
    console.print(table)


def show_rotated(platform: Platform, tenant: str | None, prefix: str, *, overlap_hours: int, as_json: bool) -> None:
    """Replace a key and show the new one."""
    caller = _operator(platform, tenant)
    old = _find(platform, caller, prefix)
    until = platform.now() + timedelta(hours=overlap_hours)
    _show_new(platform, rotate_key(platform, caller, old.key_id, old_until=until), as_json=as_json)
    if not as_json:
        ends = min(until, old.expires or until)
        Console().print(Text(f"The old key {old.key_id} works until {ends:%Y-%m-%d %H:%M} UTC."))


def show_revoked(
    platform: Platform, tenant: str | None, prefix: str, *, is_dry_run: bool, is_agreed: bool, as_json: bool
) -> int:
    """End a key once that is agreed to; return the exit code."""
    caller = _operator(platform, tenant)
    key = _find(platform, caller, prefix)
    question = f"End the key {key.name} of {caller.tenant} for good?"
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed):
        if as_json:
            print_json(_as_json(platform, key))
        else:
            Console().print(Text(f"Nothing was done: the key {key.name} ({key.key_id}) stays as it is."))
        return EXIT_NOTHING_DONE
    revoked = revoke_key(platform, caller, key.key_id)
    if as_json:
        print_json(_as_json(platform, revoked))
    else:
        Console().print(
            Text(f"The key {key.name} ({key.key_id}) has ended; every process refuses it within 5 seconds.")
        )
    return EXIT_OK


def show_rotated_signing(
    platform: Platform, *, is_at_once: bool, is_dry_run: bool, is_agreed: bool, as_json: bool
) -> int:
    """Replace the secret that signs access tokens, once that is agreed to where it is felt; return the exit code."""
    question = "Refuse every access token that was given so far? Who has a refresh token gets a new one."
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed or not is_at_once):
        if as_json:
            print_json({"rotated": False})
        else:
            Console().print(Text("Nothing was done: the secret stays as it is."))
        return EXIT_NOTHING_DONE
    secret_id = rotate_signing(platform, _account(platform), is_at_once=is_at_once)
    if as_json:
        print_json({"rotated": True, "secret_id": secret_id, "at_once": is_at_once})
    else:
        when = "at once" if is_at_once else "in a minute, when every process knows it"
        Console().print(Text(f"The secret {secret_id} signs access tokens {when}."))
    return EXIT_OK


def _operator(platform: Platform, tenant: str | None) -> Caller:
    return operator_of(check_tenant(tenant or platform.settings.tenant, "--tenant"), _account(platform))


def _account(platform: Platform) -> Actor:
    return Actor(f"account:{platform.settings.actor}")


def _find(platform: Platform, caller: Caller, prefix: str) -> ApiKey:
    found, _ = list_keys(platform, caller, limit=_EVERY)
    meant = [key for key in found if prefix and key.key_id.startswith(prefix)]
    if len(meant) > 1:
        raise KeyNameAmbiguous(
            f"{len(meant)} keys of {caller.tenant} begin with {prefix}.", subject=prefix, remedy="Give more of the id."
        )
    if not meant:
        raise KeyUnknown(
            f"The tenant {caller.tenant} has no API key {prefix}.",
            subject=prefix,
            remedy="tieout keys list shows them.",
        )
    return meant[0]


def _show_new(platform: Platform, made: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json({**_as_json(platform, made.key), "key": made.text})
        return
    console = Console(soft_wrap=True)
    console.print(Text(made.text, style="bold"), highlight=False)
    console.print(Text("Keep it now: it is not shown again.", style="dim"))


def _as_json(platform: Platform, key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "tenant": key.tenant,
        "name": key.name,
        "permissions": list(key.permissions),
        "status": key.status(platform.now()),
        "created": key.created.isoformat(),
        "created_by": key.created_by,
        "expires": key.expires.isoformat() if key.expires else None,
        "revoked": key.revoked.isoformat() if key.revoked else None,
        "last_used": key.last_used.isoformat() if key.last_used else None,
        "replaced_by": key.replaced_by,
    }
