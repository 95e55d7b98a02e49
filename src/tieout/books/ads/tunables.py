"""The thresholds of the rules, as the environment sets them: read anew for each run, and part of what the run is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from tieout.core.errors import TieoutError

E12 = 10**12


class NotTunable(TieoutError):
    """The kind of delta has no threshold that could be another, or the one that was given is no number."""

    code = "not_tunable"


@dataclass(frozen=True)
class Tunables:
    """Thresholds as shares of one, in parts of 10^12; a finding equal to its threshold is none."""

    underpay_e12: int = 20_000_000_000
    ivt_band_e12: int = 20_000_000_000
    fx_band_e12: int = 5_000_000_000
    viewability_e12: int = 150_000_000_000
    missing_e12: int = 15_000_000_000


@dataclass(frozen=True)
class Tunable:
    """One threshold: its variable, the field that holds it, and the part of one that its unit is."""

    variable: str
    field: str
    unit_e12: int


TUNABLES: Mapping[str, Tunable] = {
    "underpay": Tunable("VRA_UNDERPAY_TOL", "underpay_e12", E12),
    "ivt_outlier": Tunable("VRA_IVT_P95_BAND_PP", "ivt_band_e12", E12 // 100),
    "fx_mismatch": Tunable("VRA_FX_BAND_PCT", "fx_band_e12", E12 // 100),
    "viewability_gap": Tunable("VRA_VIEWABILITY_GAP_PP", "viewability_e12", E12 // 100),
}
"""By the kind of delta that each decides; that of `underpay` decides `overpay` too."""
SAME: Mapping[str, str] = {"overpay": "underpay"}


def tunables_of(environ: Mapping[str, str]) -> Tunables:
    """Read the thresholds; what is no number takes its default, what is negative is 0."""
    told = Tunables()
    for one in TUNABLES.values():
        value = _number(environ.get(one.variable, ""))
        if value is not None:
            told = replace(told, **{one.field: _parts(value, one)})
    return told


def tuned(given: Tunables, kind: str, value: str) -> Tunables:
    """Return the thresholds with another for one kind, in the unit of its variable. Raises NotTunable."""
    one = TUNABLES.get(SAME.get(kind, kind))
    if one is None:
        raise NotTunable(
            f"Kind {kind!r} has no threshold to try.",
            subject=kind,
            remedy=f"Use one of {', '.join(sorted([*TUNABLES, *SAME]))}.",
        )
    number = _number(value)
    if number is None or number < 0:
        raise NotTunable(f"--tolerance must be a number >= 0, not {value!r}", subject="--tolerance")
    return replace(given, **{one.field: _parts(number, one)})


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < 10**6 else None


def _parts(value: Decimal, one: Tunable) -> int:
    return max(int((value * one.unit_e12).to_integral_value()), 0)
