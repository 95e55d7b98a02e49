"""`tieout flags`: what each is and why; setting one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.cli.app import print_json
from tieout.control.flags.actions import list_settings, set_flag, unset_flag
from tieout.control.flags.registry import get_flag
from tieout.control.flags.rules import Resolved, parse_value
from tieout.control.platform import Platform
from tieout.core.actor import Actor
from tieout.core.errors import EXIT_DIFFERENCES, EXIT_OK, TieoutError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_MAX_DIGITS = 4


class BadDuration(TieoutError):
    """A text that should say how long does not."""

    code = "bad_duration"


def show_flags(platform: Platform, tenant: str | None, *, as_json: bool) -> None:
    """Show every flag as it is for all or for one tenant."""
    found, settings = platform.flags.all_resolved(tenant or ""), list_settings(platform)
    if as_json:
        print_json(
            [
                {**_as_json(one), "tenants": {whose: setting.value for whose, setting in settings[one.flag.key]}}
                for one in found
            ]
        )
        return
    table = Table("flag", "is", "by", "until", "for tenants", "environment", "what it does", box=None, pad_edge=False)
    for one in found:
        until = f"{one.setting.expires:%Y-%m-%d %H:%M}" if one.setting and one.setting.expires else ""
        others = ", ".join(f"{whose} {_word(setting.value)}" for whose, setting in settings[one.flag.key])
        cells = (one.flag.key, one.variant, one.origin, until, others, one.flag.environment, one.flag.meaning)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def set_and_show(
    platform: Platform,
    key: str,
    text: str,
    *,
    tenant: str | None,
    lasting: str | None,
    reason: str | None,
    is_dry_run: bool,
    as_json: bool,
) -> int:
    """Set a flag and show what it is now; return the exit code."""
    value = parse_value(get_flag(key), text)
    expires = None if lasting is None else platform.now() + _duration(lasting)
    if is_dry_run:
        return _show(platform, key, tenant, is_changed=False, as_json=as_json, word=f"would become {_word(value)}")
    is_changed = set_flag(platform, _actor(platform), key, value, tenant=tenant, expires=expires, reason=reason)
    return _show(platform, key, tenant, is_changed=is_changed, as_json=as_json)


def unset_and_show(platform: Platform, key: str, *, tenant: str | None, is_dry_run: bool, as_json: bool) -> int:
    """Let a flag be set no more and show what it is now; return the exit code."""
    get_flag(key)
    if is_dry_run:
        return _show(platform, key, tenant, is_changed=False, as_json=as_json, word="would be set no more")
    is_changed = unset_flag(platform, _actor(platform), key, tenant=tenant)
    return _show(platform, key, tenant, is_changed=is_changed, as_json=as_json)


def _show(platform: Platform, key: str, tenant: str | None, *, is_changed: bool, as_json: bool, word: str = "") -> int:
    now = platform.flags.resolved(key, tenant or "")
    if as_json:
        print_json({**_as_json(now), "tenant": tenant, "changed": is_changed})
    else:
        whose = f"tenant {tenant}" if tenant else "all tenants"
        told = f"{key} is {now.variant} for {whose} ({now.origin})"
        if not is_changed:
            told += f"; it {word}." if word else "; nothing to do."
        Console().print(Text(f"{told}." if is_changed else told))
    return EXIT_OK if is_changed else EXIT_DIFFERENCES


def _duration(text: str) -> timedelta:
    found = re.fullmatch(rf"([1-9]\d{{0,{_MAX_DIGITS - 1}}})([mhd])", text.strip(), re.ASCII)
    if found is None:
        raise BadDuration(f"{text[:50]!r} is no length of time.", subject=text[:50], remedy="Use 30m, 2h or 7d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _word(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _actor(platform: Platform) -> Actor:
    return Actor(f"account:{platform.settings.actor}")


def _as_json(one: Resolved) -> dict[str, Any]:
    return {
        "key": one.flag.key,
        "value": one.value,
        "variant": one.variant,
        "reason": one.reason,
        "origin": one.origin,
        "default": one.flag.default,
        "environment": one.flag.environment,
        "meaning": one.flag.meaning,
        "expires_at": one.setting.expires if one.setting else None,
    }
