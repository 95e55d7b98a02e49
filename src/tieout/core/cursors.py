"""Where the next page begins, as an opaque text."""

from __future__ import annotations

import base64
import binascii
import json

from tieout.core.errors import TieoutError


class BadCursor(TieoutError):
    """A cursor is not one that this list gave."""

    code = "bad_cursor"


def cursor(*parts: str | int) -> str:
    """Return the parts as a text for addresses."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def parts_of(text: str, kinds: tuple[type, ...]) -> list[str | int]:
    """Return what `cursor` was given; raise BadCursor where it is not of these kinds."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or tuple(map(type, parts)) != kinds or not all(map(_is_sound, parts)):
        raise BadCursor("The cursor is none that this list gave.", remedy="Take `meta.next` of the page before.")
    return list(parts)


def _is_sound(part: str | int) -> bool:
    return part.isprintable() if isinstance(part, str) else 0 <= part < 2**63
