"""What a user settles about a comparison, from the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from tieout.books.compare.infer import InferOptions
from tieout.core.errors import TieoutError
from tieout.core.money import NotAnAmount, from_micros, to_micros
from tieout.engine.loading import SIDES, SideName
from tieout.engine.plan_check import MAX_WINDOW_DAYS
from tieout.intake.csv_dialect import CsvHints
from tieout.intake.reading import ReadOptions

PPM_PER_PERCENT = 10_000
MAX_PPM = 100 * PPM_PER_PERCENT

_PERCENT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*%\s*$")


class BadTolerance(TieoutError):
    """A tolerance is neither an amount nor a percentage."""

    code = "bad_tolerance"


class BadWindow(TieoutError):
    """A window is no number of days."""

    code = "bad_window"


def parse_tolerance(given: Sequence[str]) -> tuple[int, int]:
    """Return (micros, parts per million) of tolerances such as "0.01" and "0.5%". Raises BadTolerance."""
    micros = ppm = 0
    for text in given:
        if found := _PERCENT.match(text):
            scaled = Decimal(found[1]) * PPM_PER_PERCENT
            if scaled != int(scaled):
                raise BadTolerance(f"{text} is finer than 0.0001%.", subject=text, remedy="Give at most four decimals.")
            if scaled > MAX_PPM:
                raise BadTolerance(f"{text} is more than the whole amount.", subject=text, remedy="Give at most 100%.")
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
        if from_micros(amount) != Decimal(text.strip()):
            raise BadTolerance(f"{text} is finer than 0.000001.", subject=text, remedy="Give at most six decimals.")
        micros = max(micros, amount)
    return micros, ppm


class BadReading(TieoutError):
    """An option on how a file is read has no meaning."""

    code = "bad_reading"


FILES: tuple[SideName, ...] = (*SIDES, "advice")
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}


def reading_of(
    *,
    format: str | None = None,  # noqa: A002 - the option's name
    sheet: str | None = None,
    records: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_line: str | None = None,
) -> dict[SideName, ReadOptions]:
    """Return how each file is read: `X` holds for all, OURS=THEIRS for the sides, OURS=THEIRS=ADVICE for each.

    A file of which nothing is said has no entry.

    Raises BadReading.
    """
    given = {
        "format": _each(format),
        "sheet": _each(sheet),
        "records": _each(records),
        "encoding": _each(encoding),
        "delimiter": _each(delimiter),
        "header_line": _each(header_line),
    }
    readings = {
        side: ReadOptions(
            format=given["format"][i],
            sheet=given["sheet"][i] or None,
            records=given["records"][i] or None,
            csv=CsvHints(
                encoding=given["encoding"][i],
                delimiter=_delimiter(given["delimiter"][i]),
                header_line=_header_line(given["header_line"][i]),
            ),
        )
        for i, side in enumerate(FILES)
    }
    return {side: reading for side, reading in readings.items() if reading != ReadOptions()}


def _each(given: str | None) -> tuple[str, str, str]:
    """Return what is said for ours, theirs and the advice: `X` for all, `X=Y` for the sides, `X=` for ours alone."""
    if given is None or given == "=":
        return given or "", given or "", given or ""
    ours, is_split, others = given.partition("=")
    theirs, _, advice = others.partition("=")
    return (ours, theirs, advice) if is_split else (given, given, given)


def _delimiter(said: str) -> str:
    delimiter = _DELIMITERS.get(said.lower(), said.replace("\\t", "\t"))
    if len(delimiter) > 1:
        raise BadReading(
            f"{said!r} is no delimiter.",
            subject="--delimiter",
            remedy=f"Give one character, or a name: {', '.join(_DELIMITERS)}.",
        )
    return delimiter


def _header_line(said: str) -> int | None:
    if not said:
        return None
    if not said.isdecimal():
        raise BadReading(
            f"{said!r} is no line.",
            subject="--header-line",
            remedy="Give the line's number from 1, or 0 for no header.",
        )
    return int(said)


def infer_options(
    *,
    on: Sequence[str] | None = None,
    amount: str | None = None,
    date: str | None = None,
    currency: str | None = None,
    scale: str | None = None,
    fee: str | None = None,
    direction: str | None = None,
    text: str | None = None,
    group_by: str | None = None,
    tolerance: Sequence[str] | None = None,
    window_days: int | None = None,
    number_format: str | None = None,
    date_format: str | None = None,
    ignore: Sequence[str] | None = None,
    advice_payment: str | None = None,
    advice_invoice: str | None = None,
    advice_amount: str | None = None,
) -> InferOptions:
    """Return the options for inference. Raises BadTolerance and BadWindow."""
    micros, ppm = parse_tolerance(tolerance) if tolerance else (None, None)
    if window_days is not None and not 0 <= window_days <= MAX_WINDOW_DAYS:
        raise BadWindow(
            f"{window_days} is no number of days.",
            subject=str(window_days),
            remedy=f"Give 0 to {MAX_WINDOW_DAYS:,} with --window-days.",
        )
    return InferOptions(
        on=tuple(on or ()),
        amount=amount,
        date=date,
        currency=currency,
        scale=scale,
        fee=fee,
        direction=direction,
        text=text,
        group_by=group_by,
        tolerance_micros=micros,
        tolerance_ppm=ppm,
        window_days=window_days,
        number_format=number_format,
        date_format=date_format,
        ignore=tuple(ignore or ()),
        advice_payment=advice_payment,
        advice_invoice=advice_invoice,
        advice_amount=advice_amount,
    )
