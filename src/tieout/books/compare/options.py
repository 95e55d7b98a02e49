"""What a user settles about a comparison, from the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from tieout.books.compare.infer import InferOptions
from tieout.core.errors import TieoutError
from tieout.core.money import NotAnAmount, to_micros

PPM_PER_PERCENT = 10_000

_PERCENT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")


class BadTolerance(TieoutError):
    """A tolerance is neither an amount nor a percentage."""

    code = "bad_tolerance"


def parse_tolerance(given: Sequence[str]) -> tuple[int, int]:
    """Return (micros, parts per million) of tolerances such as "0.01" and "0.5%". Raises BadTolerance."""
    micros = ppm = 0
    for text in given:
        if found := _PERCENT.match(text):
            scaled = Decimal(found[1]) * PPM_PER_PERCENT
            if scaled != int(scaled):
                raise BadTolerance(f"{text} is finer than 0.0001%.", subject=text, remedy="Give at most four decimals.")
            ppm = max(ppm, int(scaled))
            continue
        try:
            amount = to_micros(text.strip())
        except NotAnAmount:
            amount = -1
        if amount < 0:
            raise BadTolerance(
                f"{text!r} is no tolerance.",
                subject=text,
                remedy="Give an amount such as 0.01, or a percentage such as 0.5%.",
            )
        micros = max(micros, amount)
    return micros, ppm


def infer_options(
    *,
    on: Sequence[str] | None = None,
    amount: str | None = None,
    date: str | None = None,
    currency: str | None = None,
    text: str | None = None,
    group_by: str | None = None,
    tolerance: Sequence[str] | None = None,
    window_days: int | None = None,
    number_format: str | None = None,
    date_format: str | None = None,
    ignore: Sequence[str] | None = None,
) -> InferOptions:
    """Return the options for inference. Raises BadTolerance."""
    micros, ppm = parse_tolerance(tolerance or ())
    return InferOptions(
        on=tuple(on or ()),
        amount=amount,
        date=date,
        currency=currency,
        text=text,
        group_by=group_by,
        tolerance_micros=micros,
        tolerance_ppm=ppm,
        window_days=window_days,
        number_format=number_format,
        date_format=date_format,
        ignore=tuple(ignore or ()),
    )
