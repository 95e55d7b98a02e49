"""What a user settled beforehand, and the errors when that cannot be or when something essential stays open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tieout.core.errors import TieoutError
from tieout.engine.parse import COUNTED_FORMATS, CURRENCY_CODES, is_date_format
from tieout.engine.plan import SignedColumn


class PlanUndecided(TieoutError):
    """Something essential could not be told from the two inputs; the remedy names the option that settles it."""

    code = "plan_undecided"


class UnknownColumn(TieoutError):
    """An option names a column that the input does not have."""

    code = "unknown_column"


class UnknownFormat(TieoutError):
    """An option gives a number or date format that cannot be understood."""

    code = "unknown_format"


@dataclass(frozen=True)
class InferOptions:
    """What the user settled. Empty means: find out.

    A column is written `name` where both sides (or only one) have it, or `ours=theirs`; `on` may name several. An
    amount may be a sum (`Credit - Debit`), a currency may be a code; `none` for amount, currency, fee or direction
    means that there is none. A scale is `units`, `cents` or a power of ten. A format is an example (`1.234,56`), an
    order (`DMY`) or a strptime pattern, for all columns or, as `column=format`, for one. `advice_…` name columns of
    advice.
    """

    on: tuple[str, ...] = ()
    amount: str | None = None
    date: str | None = None
    currency: str | None = None
    scale: str | None = None
    fee: str | None = None
    direction: str | None = None
    text: str | None = None
    group_by: str | None = None
    tolerance_micros: int | None = None
    tolerance_ppm: int | None = None
    window_days: int | None = None
    number_format: str | None = None
    date_format: str | None = None
    ignore: tuple[str, ...] = ()
    advice_payment: str | None = None
    advice_invoice: str | None = None
    advice_amount: str | None = None


@dataclass(frozen=True)
class Names:
    """The columns of both inputs, and what the inputs are called in messages."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    ours_name: str
    theirs_name: str

    def of(self, side: str) -> tuple[str, ...]:
        return self.ours if side == "ours" else self.theirs

    def called(self, side: str) -> str:
        return self.ours_name if side == "ours" else self.theirs_name


def find_name(wanted: str, names: Sequence[str]) -> str | None:
    """Return the column that a user means, whatever its case when only one fits."""
    if wanted in names:
        return wanted
    near = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
    return near[0] if len(near) == 1 else None


def is_none(spec: str | None, names: Names) -> bool:
    """Say whether an option means that there is no such column, rather than a column that is called so."""
    is_said = spec is not None and spec.strip().casefold() == "none"
    return is_said and find_name("none", (*names.ours, *names.theirs)) is None


def unknown(wanted: str, side: str, names: Names, option: str) -> UnknownColumn:
    """Return the error for a column that a side does not have, with the nearest it has."""
    columns = names.of(side)
    lowered = {name.casefold(): name for name in columns}
    near = get_close_matches(wanted.casefold(), list(lowered), n=1, cutoff=0.5)
    meant = f"Did you mean {lowered[near[0]]!r}? " if near else ""
    return UnknownColumn(
        f"{option} names column {wanted!r}, which {names.called(side)} does not have.",
        subject=wanted,
        remedy=f"{meant}Its columns are: {', '.join(columns)}.",
    )


def split_sides(spec: str, names: Names, option: str) -> tuple[str | None, str | None]:
    """Return the column of ours and of theirs that an option means; None where it leaves a side open.

    Raises UnknownColumn when neither side has it, or when the form `ours=theirs` names one that is not there.
    """
    ours, theirs = find_name(spec, names.ours), find_name(spec, names.theirs)
    if ours or theirs:
        return ours, theirs
    cuts = [match.start() for match in re.finditer("=", spec)]
    halves = [(spec[:cut].strip(), spec[cut + 1 :].strip()) for cut in cuts]
    for left, right in halves:
        ours, theirs = find_name(left, names.ours), find_name(right, names.theirs)
        if ours and theirs:
            return ours, theirs
    if not halves:
        side = "ours" if _nearness(spec, names.ours) >= _nearness(spec, names.theirs) else "theirs"
        raise unknown(spec, side, names, option)
    left, right = halves[0]
    if find_name(left, names.ours) is None:
        raise unknown(left, "ours", names, option)
    raise unknown(right, "theirs", names, option)


def _nearness(wanted: str, names: Sequence[str]) -> int:
    return len(get_close_matches(wanted.casefold(), [name.casefold() for name in names], n=1, cutoff=0.5))


def split_amounts(spec: str, names: Names) -> tuple[tuple[SignedColumn, ...], tuple[SignedColumn, ...]]:
    """Return the terms of ours and of theirs of an amount such as `Credit - Debit=Amount`; empty leaves a side open."""
    if is_none(spec, names):
        return (), ()
    cuts = [match.start() for match in re.finditer("=", spec)]
    for left, right in [(spec[:cut].strip(), spec[cut + 1 :].strip()) for cut in cuts]:
        ours, theirs = _terms(left, names.ours), _terms(right, names.theirs)
        if ours and theirs:
            return ours, theirs
    ours, theirs = _terms(spec, names.ours), _terms(spec, names.theirs)
    if ours or theirs:
        return ours or (), theirs or ()
    one, other = split_sides(spec.strip().removeprefix("-").strip(), names, "--amount")
    return (SignedColumn(one),) if one else (), (SignedColumn(other),) if other else ()


def _terms(spec: str, columns: Sequence[str]) -> tuple[SignedColumn, ...] | None:
    """Return the signed columns of a sum; names may hold hyphens, so the longest names that fit are taken first."""
    rest, sign, terms = spec.strip(), 1, list[SignedColumn]()
    while rest:
        if rest[0] in "+-" and find_name(rest, columns) is None:
            sign, rest = (-1 if rest[0] == "-" else 1), rest[1:].strip()
        cuts = [match.start() for match in re.finditer(r"[+-]", rest)][::-1]
        fitting = next((cut for cut in [len(rest), *cuts] if cut and find_name(rest[:cut].strip(), columns)), None)
        if fitting is None:
            return None
        name = find_name(rest[:fitting].strip(), columns) or ""
        terms.append(SignedColumn(name, -1 if sign < 0 else 1))
        sign, rest = 1, rest[fitting:].strip()
    return tuple(terms) or None


def split_currency(spec: str, names: Names) -> tuple[str | None, str | None]:
    """Return what `--currency` says of ours and of theirs: a column or a code, '' for no currency at all."""
    if is_none(spec, names):
        return "", ""
    code = spec.strip().upper()
    if code in CURRENCY_CODES and not find_name(spec, (*names.ours, *names.theirs)):
        return code, code
    left, _, right = spec.partition("=")
    if right and (_is_code(left) or _is_code(right)):
        return _column_or_code(left, "ours", names), _column_or_code(right, "theirs", names)
    return split_sides(spec, names, "--currency")


def _is_code(text: str) -> bool:
    return text.strip().upper() in CURRENCY_CODES


def _column_or_code(text: str, side: str, names: Names) -> str:
    found = find_name(text.strip(), names.of(side))
    if found:
        return found
    if _is_code(text):
        return text.strip().upper()
    raise unknown(text.strip(), side, names, "--currency")


_SCALES = {"units": 0, "cents": -2, "hundredths": -2}


def split_scale(spec: str) -> tuple[int | None, int | None]:
    """Return the power of ten in which the amounts of ours and of theirs are written; None leaves a side open.

    Raises UnknownFormat.
    """
    ours, is_split, theirs = spec.partition("=")
    return _power_of(ours), _power_of(theirs if is_split else ours)


def _power_of(said: str) -> int | None:
    said = said.strip().casefold()
    if not said:
        return None
    if said in _SCALES:
        return _SCALES[said]
    if re.fullmatch(r"[-+]?[0-9]", said):
        return int(said)
    raise UnknownFormat(
        f"--scale {said!r} is no scale.",
        subject=said,
        remedy=f"Write {', '.join(_SCALES)}, or a power of ten such as -2, for both sides or as OURS=THEIRS.",
    )


def ignored_columns(options: InferOptions, names: Names) -> frozenset[tuple[str, str]]:
    """Return the (side, column) pairs to leave out. Raises UnknownColumn for one that is nowhere."""
    found: set[tuple[str, str]] = set()
    for spec in options.ignore:
        ours, theirs = split_sides(spec, names, "--ignore")
        found |= {(side, name) for side, name in (("ours", ours), ("theirs", theirs)) if name}
    return frozenset(found)


def split_format(spec: str, names: Names, option: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return a format and the (side, column) pairs it is for; none: for every column."""
    name, equals, form = spec.rpartition("=")
    if not equals or "%" in name:
        return spec, frozenset()
    ours, theirs = split_sides(name, names, option)
    return form, frozenset((side, found) for side, found in (("ours", ours), ("theirs", theirs)) if found)


_MARKS = {
    "1234.56": (".", ""),
    "1234,56": (",", ""),
    "1,234.56": (".", ","),
    "1.234,56": (",", "."),
    "1 234,56": (",", " "),
    "1 234.56": (".", " "),
    "1'234.56": (".", "'"),
    "1'234,56": (",", "'"),
}


def number_marks(form: str) -> tuple[str, str]:
    """Return the decimal and the group mark of an example such as 1.234,56. Raises UnknownFormat for another text."""
    if form.strip() in _MARKS:
        return _MARKS[form.strip()]
    raise UnknownFormat(
        f"--number-format {form!r} is not one of the examples that are known.",
        subject=form,
        remedy=f"Write it as one of: {'  '.join(_MARKS)}.",
    )


def check_date_format(form: str) -> str:
    """Return a date format as it came. Raises UnknownFormat when it is neither an order nor a pattern."""
    orders = ("DMY", "MDY", "YMD", "YDM")
    if form.upper() in orders:
        return form.upper()
    if is_date_format(form):
        return form
    raise UnknownFormat(
        f"--date-format {form!r} is neither an order nor a pattern with day, month and year.",
        subject=form,
        remedy=f"Write {', '.join(orders)}, a pattern such as %d.%m.%Y, or one of {', '.join(COUNTED_FORMATS)}.",
    )
