"""Deltas as CSV: eight columns, amounts to six decimals and confidences to two, texts that break no column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from tieout.books.ads.period import instant_text
from tieout.books.ads.reads import Delta
from tieout.core.money import from_micros
from tieout.core.redaction import redact_text

HEADER = "kind,amount,currency,reason_code,window_start,window_end,evidence_id,confidence"

_BREAKS = re.compile(r"[\r\n\t,\v\f\x00\x1c-\x1e\x85\u2028\u2029]")


def csv_of(deltas: Iterable[Delta]) -> str:
    """Return deltas as CSV, the header also where there is none."""
    return "".join(f"{line}\n" for line in (HEADER, *map(_line, deltas)))


@lru_cache(maxsize=10_000)  # a dashboard exports the same page again, and reasons repeat in it
def sanitised(text: str) -> str:
    """Return a text for one column: without addresses, tokens and card numbers, without what ends a line or column."""
    return _BREAKS.sub(" ", redact_text(text)).replace('"', '""')


def amount_text(micros: int) -> str:
    """Return an amount exactly, with six decimals."""
    return f"{from_micros(micros):f}"


def confidence_text(confidence: Decimal) -> str:
    """Return a confidence with two decimals."""
    return f"{confidence.quantize(Decimal('0.01'), ROUND_HALF_UP):f}"


def file_name(start: datetime | None, end: datetime | None, now: datetime) -> str:
    """Return the name of the file: with the days of its window where both ends were given."""
    window = "" if start is None or end is None else f"_{start:%Y-%m-%d}_to_{end:%Y-%m-%d}"
    return f"recon_deltas{window}_{now:%Y-%m-%d-%H-%M-%S}.csv"


def _line(one: Delta) -> str:
    return ",".join(
        (
            one.kind,
            amount_text(one.amount_micros),
            sanitised(one.currency),
            sanitised(one.reason_code),
            instant_text(one.window_start),
            instant_text(one.window_end),
            sanitised(one.evidence_id),
            confidence_text(one.confidence),
        )
    )
