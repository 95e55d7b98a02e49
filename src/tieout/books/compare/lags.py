"""How many days two matching rows lie apart, told from rows that a unique amount pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping

DEFAULT_DAYS = 30
MAX_DAYS = 90
FEW_PAIRS = 12
LOOK_AHEAD_DAYS = 15


def window_of(lags: Mapping[int, int]) -> tuple[int, float, str]:
    """Return the window in days, how sure that is, and why; `lags` counts pairs of rows by theirs less ours in days.

    Equal amounts also meet by accident, and about as often at one distance as at the next. So the window ends where
    it holds most pairs and the fortnight beyond it holds no more of them than the fortnight after that.
    """
    total = sum(lags.values())
    if total < FEW_PAIRS:
        return DEFAULT_DAYS, 0.4, f"only {total} amounts pair rows beyond doubt, so the usual window is taken"
    distances: dict[int, int] = {}
    for lag, pairs in lags.items():
        distances[abs(lag)] = distances.get(abs(lag), 0) + pairs
    within = 0
    for days in range(MAX_DAYS + 1):
        within += distances.get(days, 0)
        if 2 * within >= total and _is_level_beyond(distances, days):
            told = f"{within:,} of {total:,} rows paired by a unique amount lie so near, those beyond as if by accident"
            return days, 0.85 if within >= 0.8 * total else 0.7, told
    return DEFAULT_DAYS, 0.4, "rows with equal amounts lie at any distance, so the usual window is taken"


def _is_level_beyond(distances: Mapping[int, int], days: int) -> bool:
    near = sum(distances.get(days + ahead, 0) for ahead in range(1, LOOK_AHEAD_DAYS + 1))
    far = sum(distances.get(days + ahead, 0) for ahead in range(LOOK_AHEAD_DAYS + 1, 2 * LOOK_AHEAD_DAYS + 1))
    return near - far <= 1.5 * math.sqrt(near + far)
