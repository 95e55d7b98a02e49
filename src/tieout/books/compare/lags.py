"""How many days two matching rows lie apart, told from rows that a unique amount pairs."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, lgamma, log

DEFAULT_DAYS = 30
MAX_DAYS = 90
FEW_PAIRS = 12
LOOK_AHEAD_DAYS = 15
LEVEL_DAYS = 90
"""Days beyond those looked at, whose pairs tell how many meet by accident."""
FARTHEST_DAYS = MAX_DAYS + LOOK_AHEAD_DAYS + LEVEL_DAYS
LATE_SHARE = 0.02
MOST_LATE = 2
"""So large a share of the pairs, and so many at most, may be stray where the files show no level of accidents."""
FEW_LATE = 10
"""Of fewer pairs beyond a window nobody can tell by their days alone whether they are accidents."""
RARE = 0.01
"""So seldom may accident alone hold a window open for longer; a window too wide costs less than one too narrow."""


def window_of(
    lags: Mapping[int, int],
    by_accident: Mapping[int, float],
    accidents: float = inf,
    paired_by: str = "a unique amount",
) -> tuple[int, float, str]:
    """Return the window in days, how sure that is, and why; `lags` counts pairs of rows by theirs less ours in days.

    Equal amounts also meet by accident, `by_accident` in these proportions at each distance. So the window ends where
    it holds most pairs, and no stretch of days right behind it, however short, holds more of them for its share than
    the days beyond do. Of all pairs about `accidents` are some: where a few lie beyond, those must be likely as such.
    """
    total = sum(lags.values())
    if total < FEW_PAIRS:
        return DEFAULT_DAYS, 0.4, f"{paired_by} pairs only {total} rows beyond doubt, so the usual window is taken"
    distances: dict[int, int] = {}
    for lag, pairs in lags.items():
        distances[abs(lag)] = distances.get(abs(lag), 0) + pairs
    within = 0
    for days in range(MAX_DAYS + 1):
        within += distances.get(days, 0)
        if 2 * within >= total and _is_level_beyond(distances, days, by_accident, accidents):
            told = f"{within:,} of {total:,} rows paired by {paired_by} lie so near, those beyond as if by accident"
            return days, 0.85 if within >= 0.8 * total else 0.7, told
    return DEFAULT_DAYS, 0.4, f"rows paired by {paired_by} lie at any distance, so the usual window is taken"


def _is_level_beyond(
    distances: Mapping[int, int], days: int, by_accident: Mapping[int, float], accidents: float
) -> bool:
    late = sum(pairs for distance, pairs in distances.items() if distance > days)
    are_stray = late <= min(MOST_LATE, LATE_SHARE * sum(distances.values()))
    first = days + LOOK_AHEAD_DAYS + 1
    last = min(first + LEVEL_DAYS - 1, max(by_accident, default=0))
    if last < first + LOOK_AHEAD_DAYS:
        # The files end before the level shows: only stray pairs may be left out.
        return are_stray
    far = sum(distances.get(day, 0) for day in range(first, last + 1))
    if not far or (late < FEW_LATE and _chance_of_more(late, accidents) < RARE):
        # No accident is to be seen at any distance, or fewer are likely than lie behind: those are hardly accidents.
        return are_stray
    far_weight = sum(by_accident.get(day, 0.0) for day in range(first, last + 1))
    near, near_weight = 0, 0.0
    for day in range(days + 1, first):
        near += distances.get(day, 0)
        near_weight += by_accident.get(day, 0.0)
        if near_weight and _chance_of(near, near + far, near_weight / (near_weight + far_weight)) < RARE:
            return False
    return True


def _chance_of_more(hits: int, expected: float) -> float:
    """Return how likely at least so many hits are where so many are expected (Poisson)."""
    if hits <= expected:
        return 1.0
    if not expected:
        return 0.0
    return 1.0 - sum(exp(n * log(expected) - expected - lgamma(n + 1)) for n in range(hits))


def _chance_of(hits: int, trials: int, share: float) -> float:
    """Return how likely at least so many hits are by accident (binomial: two Poisson counts at one rate a day)."""
    if hits <= share * trials or share >= 1:
        return 1.0
    log_share, log_rest, all_ways = log(share), log(1 - share), lgamma(trials + 1)
    return sum(
        exp(all_ways - lgamma(n + 1) - lgamma(trials - n + 1) + n * log_share + (trials - n) * log_rest)
        for n in range(hits, trials + 1)
    )
