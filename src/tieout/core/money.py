"""Exact money: integer micros in tables and steps, Decimal at the edges, never float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from tieout.core.errors import TieoutError

MICROS_PER_UNIT = 1_000_000
MICRO_DIGITS = 6
MAX_MICROS = 2**63 - 1
_MICRO = Decimal(1).scaleb(-MICRO_DIGITS)


class AmountOutOfRange(TieoutError):
    """An amount needs more than 63 bits of micros (about 9.2 trillion units)."""

    code = "amount_out_of_range"


class NotAnAmount(TieoutError):
    """A text that stands where an amount is expected is not one."""

    code = "not_an_amount"


def to_micros(amount: Decimal | int | str) -> int:
    """Return `amount` in micros, rounded half away from zero at the sixth decimal.

    Raises NotAnAmount for text that is no finite number and AmountOutOfRange
    when the result does not fit a signed 64-bit integer.
    """
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise NotAnAmount(f"{amount!r} is not an amount.", subject=str(amount)) from None
    if not value.is_finite():
        raise NotAnAmount(f"{amount!r} is not an amount.", subject=str(amount))
    if value.adjusted() > 13:
        raise AmountOutOfRange(f"{amount} does not fit 64 bits of micros.", subject=str(amount))
    micros = int(value.scaleb(MICRO_DIGITS).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if abs(micros) > MAX_MICROS:
        raise AmountOutOfRange(f"{amount} does not fit 64 bits of micros.", subject=str(amount))
    return micros


def from_micros(micros: int) -> Decimal:
    """Return micros as an exact Decimal with six places."""
    return Decimal(micros).scaleb(-MICRO_DIGITS).quantize(_MICRO)


def format_micros(micros: int, *, places: int = 2) -> str:
    """Return micros as text for people: grouped, at least `places` decimals, never fewer than exact."""
    value = from_micros(micros)
    text = f"{value:,.6f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(places, '0')}" if places or fraction else whole
