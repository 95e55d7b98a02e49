"""Identifiers that sort by the time of their making."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RandomBytes = Callable[[int], bytes]


def new_id(now: datetime, random_bytes: RandomBytes = os.urandom) -> str:
    """Return a UUID of version 7 as text: milliseconds of `now`, then 74 random bits (RFC 9562, section 5.7)."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)  # in whole numbers: a float may be one off
    value = milliseconds << 80 | int.from_bytes(random_bytes(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(UUID(int=value))
