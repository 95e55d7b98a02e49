"""The window holds the lags that matching rows have, down to a thin tail, and no more than accident adds."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tieout.books.compare.lags import MAX_DAYS, window_of

SPAN_DAYS = 400


def _even(span_days: int) -> dict[int, float]:
    """Return in what proportions days drawn at random from a span lie how far apart."""
    return {distance: float(span_days - distance) for distance in range(span_days)}


def _lags(seed: int, true: dict[int, int], by_accident: int) -> Counter[int]:
    """Return true lags, and accidental ones between days drawn at random from a span."""
    rnd = random.Random(seed)
    accidents = (rnd.randrange(SPAN_DAYS) - rnd.randrange(SPAN_DAYS) for _ in range(by_accident))
    return Counter(true) + Counter(accidents)


def _tailed(days: int, share: int) -> dict[int, int]:
    """Return most pairs at one or two days, and so many a day from then on."""
    return {1: 260, 2: 260} | dict.fromkeys(range(3, days + 1), share)


@pytest.mark.parametrize("days", [10, 14, 21, 30, 45])
def test_a_thin_even_tail_is_held_to_its_last_day(days: int) -> None:
    for seed in range(12):
        found, *_ = window_of(_lags(seed, _tailed(days, 8), 300), _even(SPAN_DAYS))
        assert days <= found <= days + 10, (seed, days, found)


def test_a_tail_in_days_before_ours_is_held_as_well() -> None:
    for seed in range(12):
        found, *_ = window_of(
            _lags(seed, {-lag: pairs for lag, pairs in _tailed(21, 8).items()}, 300), _even(SPAN_DAYS)
        )
        assert 21 <= found <= 31, (seed, found)


def test_accident_alone_seldom_widens_the_window() -> None:
    found = [window_of(_lags(seed, {0: 300, 1: 200, 2: 100}, 300), _even(SPAN_DAYS))[0] for seed in range(60)]
    assert min(found) == 2
    assert sum(days <= 4 for days in found) >= 54, Counter(found)


def test_a_late_pair_or_two_are_no_tail() -> None:
    assert window_of({0: 60, 1: 40, 9: 1}, _even(SPAN_DAYS))[0] == 1


def test_of_few_pairs_a_late_one_is_no_stray() -> None:
    assert window_of({0: 20, 1: 18, 9: 1}, _even(SPAN_DAYS))[0] == 9
    assert window_of({0: 40, 1: 38, 9: 1}, _even(SPAN_DAYS))[0] == 1


def test_a_few_late_pairs_are_no_accidents_where_amounts_hardly_meet_by_accident() -> None:
    lags = {0: 3, 1: 5, 2: 5, 6: 1, 16: 1, 20: 2}
    assert window_of(lags, _even(SPAN_DAYS), accidents=0.1)[0] == 20
    assert window_of(lags, _even(SPAN_DAYS), accidents=4.0)[0] == 2
    assert window_of(lags, _even(SPAN_DAYS))[0] == 2


def test_files_of_a_month_have_no_level_so_that_the_window_leaves_only_stray_pairs_out() -> None:
    lags = dict.fromkeys(range(12), 10) | {20: 1, 25: 1}
    assert window_of(lags, _even(28))[0] == 11


def test_where_no_pair_is_far_apart_those_behind_most_are_no_accidents() -> None:
    """Forty-six pairs of a month: too few for a count to tell, and none so far apart as only accidents are."""
    assert window_of({0: 5, 1: 20, 2: 8, 3: 5, 4: 2, 5: 2, 9: 2, 11: 2}, _even(34))[0] == 11


def test_in_files_of_two_months_accident_thins_out_with_the_distance() -> None:
    """Days at random from a span of 62 are seldom far apart, so that a flat level would take the near ones for lags."""
    for seed in range(12):
        rnd = random.Random(seed)
        accidents = Counter(rnd.randrange(62) - rnd.randrange(62) for _ in range(300))
        found, *_ = window_of(Counter({0: 300, 1: 200, 2: 100}) + accidents, _even(62))
        assert found <= 5, (seed, found)


def test_every_pair_within_a_day_leaves_nothing_to_wait_for() -> None:
    assert window_of({1: 40}, _even(SPAN_DAYS))[0] == 1


def test_many_pairs_at_any_distance_are_counted_without_overflow() -> None:
    lags = {lag: 5_000 if abs(lag) <= 20 else 1_000 for lag in range(-200, 201)}
    assert window_of(lags, _even(SPAN_DAYS))[0] <= MAX_DAYS
