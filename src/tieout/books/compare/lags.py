"""How many days two matching rows lie apart, told from rows that a unique amount pairs."""

from __future__ import annotations

import math
import math
from collections.abc import Mapping

DEFAULT_DAYS = 30
MAX_DAYS = 90
FEW_PAIRS = 12


def window_of(lags: Mapping[int, int]) -> tuple[int, float, str]:
    """Return the window in days, how sure that is, and why; `lags` counts pairs of rows by theirs less ours in days.

    Equal amounts meet by accident at any distance, evenly; the window ends where no more than that is left.
    """
    total = sum(lags.values())
    if total < FEW_PAIRS:
        return DEFAULT_DAYS, 0.4, f"only {total} amounts pair rows beyond doubt, so the usual window is taken"
    distances: dict[int, int] = {}
    for lag, pairs in lags.items():
        distances[abs(lag)] = distances.get(abs(lag), 0) + pairs
    farthest = max(distances)
    scatter = _scatter(distances, farthest)
    window = next(days for days in range(farthest + 1) if _is_only_scatter(distances, farthest, days, scatter))
    within = sum(pairs for days, pairs in distances.items() if days <= window)
    if window > MAX_DAYS:
        return DEFAULT_DAYS, 0.4, "rows with equal amounts lie at any distance, so the usual window is taken"
    return (
        window,
        0.9 if within >= 0.8 * total else 0.75,
        f"{within:,} of {total:,} rows paired by a unique amount lie so near",
    )


def _scatter(distances: Mapping[int, int], farthest: int) -> float:
    """Return pairs a day that meet by accident: the density of the farther half, none where all are near."""
    if farthest <= 45:
        return 0.0
    half = farthest // 2
    return sum(pairs for days, pairs in distances.items() if days > half) / (farthest - half)


def _is_only_scatter(distances: Mapping[int, int], farthest: int, days: int, scatter: float) -> bool:
    beyond = sum(pairs for distance, pairs in distances.items() if distance > days)
    expected = scatter * (farthest - days)
    return beyond <= expected * 1.2 + 2 * math.sqrt(expected) + 0.005 * sum(distances.values())
