"""Permissions `<module>.<feature>.<action>` and the patterns that grant or take them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

EVERYTHING = "*"
SUPERADMIN = "superadmin"
"""The tenant of the platform's own administrators, and the module of what only they may do."""

_OF_THE_PLATFORM = frozenset({SUPERADMIN, "tenant_registrations"})


def is_allowed(granted: Iterable[str], wanted: str) -> bool:
    """Whether the patterns grant the permission `wanted`.

    A pattern is a permission whose parts may be `*`; a last `*` stands for all that follows, so `*` grants everything
    and `pos.*` everything of a module. A pattern after `!` takes away, and what is taken is never granted: `*` with
    `!superadmin.*` is everything but the platform's own.
    """
    return _is_allowed(tuple(granted), wanted)


@lru_cache(maxsize=4096)  # each request asks, and the same few roles ask the same
def _is_allowed(patterns: tuple[str, ...], wanted: str) -> bool:
    giving, taking = _split(patterns)
    return any(_matches(one, wanted) for one in giving) and not any(_matches(one, wanted) for one in taking)


def _matches(pattern: str, wanted: str) -> bool:
    parts, asked = pattern.split("."), wanted.split(".")
    if parts[-1] == EVERYTHING and len(asked) >= len(parts):
        asked = asked[: len(parts)]
    return len(parts) == len(asked) and all(part in (EVERYTHING, name) for part, name in zip(parts, asked, strict=True))


def is_of_the_platform(permission: str) -> bool:
    """Whether `permission` concerns all tenants, so that no role or key of one tenant can have it."""
    return permission.partition(".")[0] in _OF_THE_PLATFORM


def covers(granted: Iterable[str], asked: Iterable[str]) -> bool:
    """Whether everything that the patterns `asked` ever grant is also granted by `granted`.

    It is decided on the patterns, not on the permissions that exist today: who has every permission of a module one by
    one cannot hand out `pos.*`, for that would grant tomorrow's as well. Each pattern asked for must lie inside one
    granted pattern, and what is taken from `granted` must be taken from `asked` too where they meet.
    """
    giving, taking = _split(granted)
    wanted, renounced = _split(asked)
    return all(any(_contains(wide, narrow) for wide in giving) for narrow in wanted) and all(
        any(_contains(other, taken) for other in renounced)
        for taken in taking
        if any(_overlap(taken, one) for one in wanted)
    )


def _split(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the patterns that grant and those that take away, the latter without their `!`."""
    every = tuple(patterns)
    return [one for one in every if not one.startswith("!")], [one[1:] for one in every if one.startswith("!")]


def _contains(wide: str, narrow: str) -> bool:
    """Whether each permission that `narrow` stands for is one that `wide` stands for."""
    outer, inner = wide.split("."), narrow.split(".")
    if outer[-1] == EVERYTHING and len(inner) >= len(outer):
        inner = inner[: len(outer)]
    elif inner[-1] == EVERYTHING:
        return False  # it stands for permissions longer than any of `wide`, or shorter ones
    return len(outer) == len(inner) and all(a in (EVERYTHING, b) for a, b in zip(outer, inner, strict=True))


def _overlap(one: str, other: str) -> bool:
    """Whether some permission matches both patterns."""
    first, second = one.split("."), other.split(".")
    if first[-1] != EVERYTHING and len(second) > len(first):
        return False
    if second[-1] != EVERYTHING and len(first) > len(second):
        return False
    return all(a == b or EVERYTHING in (a, b) for a, b in zip(first, second, strict=False))
