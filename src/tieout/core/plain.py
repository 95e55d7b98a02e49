"""Values that JSON, its canonical form and every database keep as they are, secrets masked: for audit and events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

REDACTED = "[REDACTED]"
MAX_DEPTH = 16

_EXACT = 2**53  # from here on JSON's numbers are not exact everywhere, and RFC 8785 has no form for them
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL keeps no NUL, and UTF-8 has no lone surrogates
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NEVER_TOLD = frozenset({"password", "passwords", "passphrase", "passwd", "authorization", "cvv", "cvc"})
_TOLD_BY_ID_ONLY = frozenset({"secret", "secrets", "token", "tokens", "cookie", "cookies", "credential", "credentials"})
_KEYS = (("api", "key"), ("private", "key"), ("secret", "key"), ("signing", "key"), ("card", "number"))
_IN_TEXT = re.compile(
    r"(?i:bearer)\s+[\w.~+/=-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|\b(?:sk|rk)_(?:test|live)_\w+|\bwhs(?:ec|k)_[\w+/=-]+",
    re.ASCII,
)


def plain_text(text: str) -> str:
    """Return `text` as every database keeps it: without NUL and lone surrogates."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values`, nested ones too, as JSON keeps them, and with its secrets masked.

    Dates, Decimals, UUIDs and whole numbers of 2**53 and more become text. Raises TypeError for anything else that
    JSON has no value for: that is a fault of the caller.
    """
    return {plain_text(str(name)): _plain(one, is_secret=names_secret(str(name))) for name, one in values.items()}


def names_secret(name: str) -> bool:
    """Whether what stands under `name` is to be masked: `refresh_token` and `apiKey` are, `token_id` is not."""
    words = tuple(word.lower() for word in _WORDS.findall(name))
    return bool(
        _NEVER_TOLD.intersection(words)
        or (words and words[-1] in _TOLD_BY_ID_ONLY)
        or words[-2:] in _KEYS
        or words in {("auth",), ("apikey",)}
    )


def _plain(value: Any, *, is_secret: bool, depth: int = 1) -> Any:
    if depth > MAX_DEPTH:
        raise TypeError(f"The values are nested deeper than {MAX_DEPTH} levels.")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {
            plain_text(str(name)): _plain(one, is_secret=is_secret or names_secret(str(name)), depth=depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(one, is_secret=is_secret, depth=depth + 1) for one in value]
    return REDACTED if is_secret else _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _IN_TEXT.sub(REDACTED, plain_text(value))
    if isinstance(value, int):
        return int(value) if abs(value) < _EXACT else str(value)
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise TypeError(f"JSON has no {type(value).__name__}; give it as text.")
