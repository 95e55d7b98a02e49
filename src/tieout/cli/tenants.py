"""`tieout tenants`: who is one, who asks to be, and what becomes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.agreement import is_wanted
from tieout.cli.app import print_json
from tieout.control.platform import Platform
from tieout.control.tenants.actions import change_status, get_tenant, list_tenants, switch_modules
from tieout.control.tenants.modules import MODULES, BadModule, Choice, canonical, missing_needs
from tieout.control.tenants.registering import (
    RegistrationAlreadyProcessed,
    decide,
    get_registration,
    list_registrations,
    register,
)
from tieout.control.tenants.rules import Business, Owner, Registration, Tenant, Verb, status_after
from tieout.control.tenants.store import OwnModule
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK
from tieout.report.words import plain

EXIT_NOTHING_DONE = EXIT_DIFFERENCES
MAX_PASSWORD_LINE = 4096


def read_password(*, is_from_stdin: bool) -> str:
    """Return the password of an owner: the first line of standard input, or as typed without being shown."""
    if is_from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_LINE).rstrip("\r\n")
    password: str = typer.prompt("Password of the owner", hide_input=True, confirmation_prompt=True, err=True)
    return password


def show_tenants(platform: Platform, status: str | None, *, limit: int, as_json: bool) -> None:
    """Show tenants, newest first."""
    found, total = list_tenants(platform, status, limit=limit)
    if as_json:
        print_json({"total": total, "tenants": [vars(one) for one in found]})
        return
    if not found:
        Console().print(Text("There is no tenant. tieout tenants list --applications shows who asks to become one."))
        return
    rows = [(one.tenant, one.alias, one.status, one.time_zone, plain(one.name, 60)) for one in found]
    _table(("tenant", "alias", "status", "time zone", "name"), rows, of=total)


def show_applications(platform: Platform, status: str | None, *, limit: int, as_json: bool) -> None:
    """Show applications, newest first."""
    found, total = list_registrations(platform, status, limit=limit)
    if as_json:
        print_json({"total": total, "registrations": [_registration_as_json(one) for one in found]})
        return
    rows = [
        (
            one.registration_id,
            one.status,
            f"{one.created:%Y-%m-%d %H:%M}",
            plain(one.business.legal_name, 40),
            one.owner.email,
        )
        for one in found
    ]
    _table(("registration", "status", "since", "business", "owner"), rows, of=total)


def show_tenant(platform: Platform, named: str, *, as_json: bool) -> None:
    """Show a tenant."""
    found = get_tenant(platform, named)
    if as_json:
        modules = [vars(one) for one in found.modules]
        print_json({**vars(found.tenant), "profile": found.profile, "modules": modules})
        return
    console = Console()
    one = found.tenant
    console.print(Text(f"{plain(one.name, 100)} ({one.alias}) is {one.status} since {one.updated:%Y-%m-%d %H:%M} UTC."))
    console.print(Text(f"Tenant {one.tenant}, time zone {one.time_zone}."))
    for name, value in (found.profile or {}).items():
        console.print(Text(f"{name.replace('_', ' ')}: {plain(str(value), 100)}"))
    _show_modules(found.modules)


def register_and_show(
    platform: Platform, business: Business, owner: str, owner_email: str, password: str, *, as_json: bool
) -> None:
    """Take an application in and show its id."""
    first, _, last = owner.strip().partition(" ")
    taken = register(platform, _actor(platform), business, Owner(first, last, owner_email), password)
    if as_json:
        print_json(_registration_as_json(taken))
        return
    Console().print(Text(f"Registered: {taken.registration_id}. tieout tenants approve makes it a tenant."))


def approve_and_show(
    platform: Platform,
    registration_id: str,
    modules: Sequence[str],
    *,
    reason: str | None,
    is_dry_run: bool,
    as_json: bool,
) -> int:
    """Let an application become a tenant and show it; return the exit code."""
    asked = [Choice(key, MODULES[key].name if key in MODULES else key, is_on) for key, is_on in _switches(modules)]
    if is_dry_run:
        return _show_pending(platform, registration_id, "would become a tenant", as_json=as_json)
    done = decide(platform, _actor(platform), registration_id, "approve", reason=reason, asked=asked)
    if as_json:
        print_json({**_registration_as_json(done.registration), "alias": done.tenant.alias if done.tenant else None})
    elif done.tenant is not None:
        Console().print(Text(f"Approved: the tenant {done.tenant.alias} ({done.tenant.tenant})."))
        _warn(one.key for one in done.registration.modules if one.enabled)
    return EXIT_OK


def reject_and_show(
    platform: Platform, registration_id: str, *, reason: str | None, is_dry_run: bool, is_agreed: bool, as_json: bool
) -> int:
    """Reject an application after a yes; return the exit code."""
    name = plain(_pending(platform, registration_id).business.legal_name, 60)
    if not is_wanted(f"Reject {name}, for good?", is_dry_run=is_dry_run, is_agreed=is_agreed):
        return _show_pending(platform, registration_id, "would be rejected", as_json=as_json)
    done = decide(platform, _actor(platform), registration_id, "reject", reason=reason)
    if as_json:
        print_json(_registration_as_json(done.registration))
    else:
        Console().print(Text(f"Rejected: {name}."))
    return EXIT_OK


def switch_and_show(platform: Platform, named: str, modules: Sequence[str], *, is_dry_run: bool, as_json: bool) -> int:
    """Switch modules of a tenant, if any are named, and show all it has; return the exit code."""
    found, wanted = get_tenant(platform, named), _switches(modules)
    after, code = found.modules, EXIT_OK
    if wanted:
        code = EXIT_NOTHING_DONE
    if wanted and not is_dry_run:
        after, switched = switch_modules(platform, _actor(platform), found.tenant.tenant, wanted)
        code = EXIT_OK if switched else EXIT_NOTHING_DONE
    if as_json:
        print_json(
            {
                "tenant": found.tenant.tenant,
                "changed": bool(wanted) and code == EXIT_OK,
                "modules": [vars(one) for one in after],
            }
        )
    else:
        _show_modules(after)
        if wanted and code:
            Console().print(Text("A dry run: nothing was changed." if is_dry_run else "Nothing to do."))
        _warn(one.key for one in after if one.enabled)
    return code


def change_and_show(
    platform: Platform,
    named: str,
    verb: Verb,
    *,
    reason: str | None,
    is_dry_run: bool,
    is_agreed: bool,
    as_json: bool,
) -> int:
    """Suspend, reactivate or close a tenant, after a yes; return the exit code."""
    found = get_tenant(platform, named).tenant
    after = status_after(found, verb)
    question = f"{verb.capitalize()} {found.alias} ({plain(found.name, 60)})?"
    if not is_wanted(question, is_dry_run=is_dry_run, is_agreed=is_agreed):
        return _show_status(found, f"would be {after}", is_changed=False, as_json=as_json)
    changed = change_status(platform, _actor(platform), found.tenant, verb, reason=reason)
    return _show_status(changed, f"is {changed.status}", is_changed=True, as_json=as_json)


def _show_status(one: Tenant, told: str, *, is_changed: bool, as_json: bool) -> int:
    if as_json:
        print_json({**vars(one), "changed": is_changed})
    else:
        Console().print(Text(f"{one.alias} {told}."))
    return EXIT_OK if is_changed else EXIT_NOTHING_DONE


def _pending(platform: Platform, registration_id: str) -> Registration:
    found = get_registration(platform, registration_id)
    if found.status != "pending":
        raise RegistrationAlreadyProcessed("Registration already processed", subject=registration_id)
    return found


def _show_pending(platform: Platform, registration_id: str, told: str, *, as_json: bool) -> int:
    found = _pending(platform, registration_id)
    if as_json:
        print_json(_registration_as_json(found))
    else:
        Console().print(Text(f"{plain(found.business.legal_name, 60)} {told}. Nothing was changed."))
    return EXIT_NOTHING_DONE


def _switches(texts: Sequence[str]) -> list[tuple[str, bool]]:
    switches = []
    for text in texts:
        key, _, word = text.partition("=")
        if word not in {"on", "off"}:
            raise BadModule(f"{text[:80]!r} switches no module.", subject=text[:80], remedy="Write it such as menu=on.")
        switches.append((canonical(key), word == "on"))
    return switches


def _show_modules(modules: Iterable[OwnModule]) -> None:
    rows = [(one.key, "on" if one.enabled else "off", one.source, one.updated_by or "") for one in modules]
    _table(("module", "is", "by", "who"), rows)


def _warn(enabled: Iterable[str]) -> None:
    for warning in missing_needs(enabled):
        Console(stderr=True).print(Text(f"note: {warning}, which is off"))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, of: int = 0) -> None:
    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
    if of > len(rows):
        Console().print(Text(f"{len(rows):,} of {of:,}; --limit shows more."))


def _actor(platform: Platform) -> Actor:
    return Actor(f"account:{platform.settings.actor}")


def _registration_as_json(one: Registration) -> dict[str, Any]:
    shown = {name: value for name, value in vars(one).items() if name != "password_hash"}
    modules = [vars(choice) for choice in one.modules]
    return {**shown, "business": vars(one.business), "owner": vars(one.owner), "modules": modules}
