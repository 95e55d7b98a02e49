"""The modules of the product, and what a new tenant begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tieout.core.errors import TieoutError

Value = TypeVar("Value")

KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SPELT_OTHERWISE = {"reports": "reporting"}
"""Keys that callers may use, and what the product calls them. Only the latter is ever stored or shown."""


class BadModule(TieoutError):
    """A module is named in a way that no module can be, or twice; `subject` is the key."""

    code = "bad_module"


@dataclass(frozen=True)
class Module:
    """A part of the product that a tenant may have."""

    key: str
    name: str
    category: str
    needs: tuple[str, ...] = ()
    """Modules without which it does not work."""
    recommends: tuple[str, ...] = ()


_REGISTERED = (
    Module("identity", "Identity", "core"),
    Module("rbac", "Roles and permissions", "core"),
    Module("module_registry", "Modules", "core"),
    Module("billing", "Billing", "platform"),
    Module("support", "Support", "platform"),
    Module("backups", "Backups", "platform"),
    Module("pos", "Point of sale", "business", needs=("inventory", "menu")),
    Module("inventory", "Inventory", "business"),
    Module("menu", "Menu", "business"),
    Module("loyalty", "Loyalty", "business", needs=("pos",)),
    Module("orders_kds", "Kitchen orders", "business", needs=("menu", "pos")),
    Module("reporting", "Reporting", "business", needs=("pos",), recommends=("inventory", "orders_kds")),
    Module("analytics", "Analytics", "business"),
    Module("superadmin", "Platform administration", "admin"),
)

MODULES: dict[str, Module] = {module.key: module for module in _REGISTERED}


@dataclass(frozen=True)
class Choice:
    """A module of an application, and whether it is asked for; `category` is the heading that it stands under."""

    key: str
    name: str
    enabled: bool
    category: str | None = None


@dataclass(frozen=True)
class Toggle:
    """A module that was on and is off, or the reverse."""

    key: str
    was: bool
    is_now: bool


DEFAULTS = (
    Choice("pos", "Point of sale", enabled=True, category="Operations"),
    Choice("inventory", "Inventory", enabled=True, category="Operations"),
    Choice("menu", "Menu", enabled=False, category="Operations"),
    Choice("reporting", "Reporting", enabled=False, category="Insights"),
)
"""What an application begins with."""


def canonical(key: str) -> str:
    """Return the key of a module as the product spells it; raise BadModule for one that no module can have."""
    key = _SPELT_OTHERWISE.get(key, key)
    if not KEY.fullmatch(key):
        raise BadModule(
            f"{key[:64]!r} is no key of a module.",
            subject=key[:64],
            remedy="Use small letters, digits and _, such as pos.",
        )
    return key


def each_once(asked: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Return what is asked for each module; raise BadModule where one is named twice."""
    found: dict[str, Value] = {}
    for key, value in asked:
        if key in found:
            raise BadModule(f"The module {key} is named twice.", subject=key)
        found[key] = value
    return found


def merge(before: Iterable[Choice], asked: Iterable[Choice]) -> tuple[Choice, ...]:
    """Return the modules of an application after a change: those named are as asked, all others stay.

    Raises BadModule where one is named twice.
    """
    merged = {choice.key: choice for choice in before}
    for key, choice in each_once((canonical(choice.key), choice) for choice in asked).items():
        known = merged.get(key)
        category = choice.category or (known.category if known else None)
        merged[key] = Choice(key, choice.name, choice.enabled, category)
    return tuple(merged.values())


def toggles(before: Mapping[str, bool], after: Mapping[str, bool]) -> tuple[Toggle, ...]:
    """Return the modules that are switched; one that was not there was off."""
    return tuple(
        Toggle(key, before.get(key, False), is_on) for key, is_on in after.items() if before.get(key, False) != is_on
    )


def missing_needs(enabled: Iterable[str]) -> list[str]:
    """Return in words which enabled modules need others that are not."""
    on = set(enabled)
    return [
        f"{key} needs {', '.join(sorted(lacking))}"
        for key in sorted(on & MODULES.keys())
        if (lacking := set(MODULES[key].needs) - on)
    ]
