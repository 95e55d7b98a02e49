"""How the dates of a column are written: the strptime patterns that its shapes allow, in each order of fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tieout.books.compare.number_format import Shape
from tieout.engine.parse import FORMAT_SEPARATOR

Order = Literal["ISO", "DMY", "MDY", "YMD", "YDM"]
"""The order in which day, month and year stand; ISO where the pattern leaves no choice."""


@dataclass(frozen=True)
class DateLook:
    """What shapes say about a column of dates: a pattern for each order that is possible, and what share they cover."""

    formats: dict[Order, str]
    share: float
    has_time: bool
    is_digits: bool
    is_month_in_digits: bool = False


_TIME = re.compile(
    r"(?P<gap>T| ?[,-]? |)(?P<clock>9{1,2}:99(?::99)?)(?P<fraction>[.,]9{1,9})?(?P<half>\s?[AaPp]\.?[Mm]\.?)?"
    r"(?P<uhr> Uhr)?(?P<zone>Z| ?UTC| ?GMT| ?[+-]99(?::?99)?| [A-Z]{3,4})?"
)
_MONTH_IN_DIGITS = re.compile(r"9999[-/]99|9{1,2}[-/]9999")
_FIELDS = re.compile(r"(9+|[^\W\d_]+)")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_SHORT = {month[:3] for month in _MONTHS}
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_CODES = {"Y": "%Y", "y": "%y", "m": "%m", "d": "%d"}


def look_at_dates(shapes: Sequence[Shape], total: int) -> DateLook:
    """Tell the date formats that fit the shapes of a column; `total` counts the rows of all its shapes."""
    layouts: dict[tuple[tuple[Order, str], ...], int] = {}
    timed = digits = months = 0
    for shape in shapes:
        formats, has_time = formats_of(shape.text.strip())
        if formats:
            layouts[formats] = layouts.get(formats, 0) + shape.rows
            timed += shape.rows if has_time else 0
            digits += shape.rows if shape.text.strip().isdigit() else 0
            months += shape.rows if _MONTH_IN_DIGITS.fullmatch(shape.text.strip()) else 0
    rows = sum(layouts.values())
    if not rows:
        return DateLook({}, 0.0, has_time=False, is_digits=False)
    kept = [layout for layout, n in sorted(layouts.items(), key=lambda item: (-item[1], item[0])) if n >= 0.01 * rows]
    return DateLook(
        _joined(kept[:4]),
        rows / total,
        has_time=timed > 0,
        is_digits=digits == rows,
        is_month_in_digits=2 * months > rows,
    )


def _joined(layouts: list[tuple[tuple[Order, str], ...]]) -> dict[Order, str]:
    """Return one pattern an order, with the alternatives of all layouts; a year of two digits is tried first."""
    if layouts == [(("ISO", ""),)]:
        return {"ISO": ""}
    orders: list[Order] = sorted({order for layout in layouts for order, _ in layout}, key=_preference)
    if len(orders) > 1 and "ISO" in orders:
        orders.remove("ISO")
    joined: dict[Order, str] = {}
    for order in orders:
        patterns: list[str] = []
        for layout in layouts:
            by_order = dict(layout)
            wanted = by_order.get(order) if order in by_order else by_order[layout[0][0]]
            patterns += (wanted or "%Y-%m-%d").split(FORMAT_SEPARATOR)
        unique = sorted(
            dict.fromkeys(patterns), key=lambda pattern: ("%y" not in pattern, "%b" not in pattern, pattern)
        )
        joined[order] = FORMAT_SEPARATOR.join(unique)
    return joined


def _preference(order: Order) -> int:
    return ("ISO", "DMY", "MDY", "YMD", "YDM").index(order)


@cache
def formats_of(shape: str) -> tuple[tuple[tuple[Order, str], ...], bool]:
    """Return the (order, pattern) pairs that read a shape, and whether it has a time of day. Empty: it is no date."""
    if re.fullmatch(r"9{6}|9{8}|9{12}|9{14}", shape):
        return _digits_only(len(shape)), len(shape) > 8
    if compact := re.fullmatch(r"9{8}T9{6}(Z?)", shape):
        return (("YMD", f"%Y%m%dT%H%M%S{compact[1]}"),), True
    day, clock = shape, ""
    found = _TIME.search(shape)
    if found and found.end() == len(shape) and found.start() > 5:
        day, clock = shape[: found.start()], shape[found.start() :]
    if re.fullmatch(r"9999[-/]9{1,2}[-/]9{1,2}", day) and _is_iso_clock(found if clock else None):
        return (("ISO", ""),), bool(clock)
    pattern = _clock_pattern(found) if clock and found else ""
    if pattern is None:
        return (), False
    days = _day_patterns(day)
    return tuple(
        (order, FORMAT_SEPARATOR.join(one + pattern for one in alternatives.split(FORMAT_SEPARATOR)))
        for order, alternatives in days
    ), bool(clock)


def _is_iso_clock(found: re.Match[str] | None) -> bool:
    if found is None:
        return True
    is_plain = found["gap"] in ("T", " ") and not found["half"] and not found["uhr"]
    return is_plain and not (found["fraction"] or "").startswith(",") and len(found["clock"].split(":")[0]) == 2


def _clock_pattern(found: re.Match[str]) -> str | None:
    fraction = found["fraction"] or ""
    if len(fraction) > 7:
        return None
    hour = "%I" if found["half"] else "%H"
    pattern = found["gap"] + hour + ":%M" + (":%S" if found["clock"].count(":") == 2 else "")
    if fraction:
        pattern += fraction[0] + "%f"
    if found["half"]:
        pattern += (" " if found["half"][0].isspace() else "") + "%p"
    pattern += found["uhr"] or ""
    zone = found["zone"] or ""
    if zone.strip() in ("Z", "UTC", "GMT"):
        return pattern + zone
    if "9" in zone:
        return pattern + (" " if zone.startswith(" ") else "") + "%z"
    return pattern + (" %Z" if zone else "")


def _digits_only(length: int) -> tuple[tuple[Order, str], ...]:
    if length == 6:
        return (("YMD", "%y%m%d"), ("DMY", "%d%m%y"), ("MDY", "%m%d%y"))
    if length == 8:
        return (("YMD", "%Y%m%d"), ("DMY", "%d%m%Y"), ("MDY", "%m%d%Y"))
    return (("YMD", "%Y%m%d%H%M%S" if length == 14 else "%Y%m%d%H%M"),)


def _day_patterns(day: str) -> tuple[tuple[Order, str], ...]:
    parts = _FIELDS.split(day)
    literals, fields = parts[0::2], parts[1::2]
    weekday = ""
    if fields and any(fields[0].casefold() in (day, day[:3]) for day in _WEEKDAYS):
        if len(fields) != 4 or literals[0]:
            return ()
        weekday = ("%A" if fields[0].casefold() in _WEEKDAYS else "%a") + literals[1]
        literals, fields = ["", *literals[2:]], fields[1:]
    if len(fields) == 2 and not weekday:
        return _month_patterns(day, fields, literals)
    if len(fields) != 3 or literals[0] or literals[3] not in ("", "."):
        return ()
    between = literals[1:3]
    if any(not re.fullmatch(r"[-/. ,]{0,2}", literal) for literal in between):
        return ()
    orders = _orders(fields, between)
    return tuple((order, _fill(codes, fields, literals, weekday)) for order, codes in orders)


def _month_patterns(day: str, fields: list[str], literals: list[str]) -> tuple[tuple[Order, str], ...]:
    """Return the pattern of a month and a year, which stand for the first day of the month."""
    if _MONTH_IN_DIGITS.fullmatch(day):
        codes = "Ym" if len(fields[0]) == 4 else "mY"
        return (("ISO", f"%{codes[0]}{literals[1]}%{codes[1]}"),)
    years = [field for field in fields if field in ("9999", "99")]
    if literals[0] or literals[2] or len(years) != 1 or not re.fullmatch(r"[-/. ,']{1,2}", literals[1]):
        return ()
    named = fields[1] if fields[0] in years else fields[0]
    if not _is_month(named) or (years == ["99"] and fields[0] in years):
        return ()
    return (("ISO", _fill("my" if years == ["99"] else "mY" if fields[0] == named else "Ym", fields, literals, "")),)


def _orders(fields: list[str], between: list[str]) -> tuple[tuple[Order, str], ...]:
    """Return which of year, month and day each field is, by its length and by where the name of a month stands."""
    named = [i for i, field in enumerate(fields) if _is_month(field)]
    lengths = [len(field) for field in fields]
    if named:
        rest = [i for i in range(3) if i != named[0]]
        if len(named) > 1 or any(not set(fields[i]) <= {"9"} or lengths[i] not in (1, 2, 4) for i in rest):
            return ()
        by_place = {0: "mdY", 1: "dmY", 2: "dYm"}[named[0]]
        if named[0] == 1 and lengths[0] == 4:
            by_place = "Ymd"
        is_short = lengths[by_place.index("Y")] != 4
        return (("ISO", by_place.replace("Y", "y") if is_short else by_place),)
    if any(not set(field) <= {"9"} for field in fields) or between[0] != between[1]:
        return ()
    # Between digits a comma makes a list of numbers; it only stands beside the name of a month.
    if not between[0] or "," in between[0]:
        return ()
    if lengths[0] == 4 and max(lengths[1:]) <= 2:
        return (("YMD", "Ymd"), ("YDM", "Ydm"))
    if lengths[2] == 4 and max(lengths[:2]) <= 2:
        return (("DMY", "dmY"), ("MDY", "mdY"))
    if lengths[2] == 2 and max(lengths) <= 2:
        every: tuple[tuple[Order, str], ...] = (("DMY", "dmy"), ("MDY", "mdy"))
        return (*every, ("YMD", "ymd")) if lengths[0] == 2 else every
    return (("YMD", "ymd"),) if max(lengths) <= 2 and lengths[0] == 2 else ()


def _is_month(field: str) -> bool:
    word = field.casefold()
    return word in _MONTHS or word in _SHORT


def _fill(codes: str, fields: list[str], literals: list[str], weekday: str) -> str:
    written = weekday
    for i, (code, field) in enumerate(zip(codes, fields, strict=True)):
        written += literals[i] + ("%b" if _is_month(field) else _CODES[code])
    written += literals[len(fields)]
    return f"{written}{FORMAT_SEPARATOR}{written.replace('%b', '%B')}" if "%b" in written else written
