"""Permissions `<module>.<feature>.<action>` and the patterns that grant or take them."""

from __future__ import annotations

from collections.abc import Iterable

EVERYTHING = "*"


def is_allowed(granted: Iterable[str], wanted: str) -> bool:
    """Whether the patterns grant the permission `wanted`.

    A pattern is a permission whose parts may be `*`; a last `*` stands for all that follows, so `*` grants everything
    and `pos.*` everything of a module. A pattern after `!` takes away, and what is taken is never granted: `*` with
    `!superadmin.*` is everything but the platform's own.
    """
    patterns = tuple(granted)
    taken = (pattern[1:] for pattern in patterns if pattern.startswith("!"))
    if any(_matches(pattern, wanted) for pattern in taken):
        return False
    return any(_matches(pattern, wanted) for pattern in patterns if not pattern.startswith("!"))


def _matches(pattern: str, wanted: str) -> bool:
    parts, asked = pattern.split("."), wanted.split(".")
    if parts[-1] == EVERYTHING and len(asked) >= len(parts):
        asked = asked[: len(parts)]
    return len(parts) == len(asked) and all(part in (EVERYTHING, name) for part, name in zip(parts, asked, strict=True))
