"""Many wholes asked at once are told what each is told by itself, to the last bit."""

from __future__ import annotations

import random
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.sums import at_once
from tieout.engine.sums.at_once import AllSums, Parts, Wholes, find_all_sums
from tieout.engine.sums.search import FoundSum, Part, Sums, Whole, find_sums

CENT = 10_000
many_runs = settings(max_examples=150, deadline=None, derandomize=True, database=None)
Asked = list[tuple[Whole, list[Part]]]


def arrays_of(asked: Asked) -> tuple[Wholes, Parts]:
    wholes = [whole for whole, _ in asked]
    parts = [part for _, each in asked for part in each]
    starts = np.array([0, *accumulate(len(each) for _, each in asked)], np.int64)
    told = ("amount", "fee", "amount_share", "step", "tolerance")
    types = (np.int64, np.int64, np.float64, np.int64, np.int64)
    columns = [np.array([getattr(one, name) for one in wholes], kind) for name, kind in zip(told, types, strict=True)]
    return Wholes(*columns, starts), Parts(
        np.array([part.amount for part in parts], np.int64),
        np.array([part.weight for part in parts], np.float64),
        np.array([part.fee for part in parts], np.int64),
        np.array([part.is_other_sign for part in parts], np.bool_),
    )


def told_of(found: AllSums, wholes: Wholes) -> dict[int, Sums]:
    """Return what is told of each whole, as if it had been asked by itself."""
    sums = {}
    for at, whole in enumerate(found.whole.tolist()):
        sets = range(found.first[at], found.first[at + 1])
        sums[whole] = Sums(
            tuple(
                FoundSum(tuple((found.members_of(one) - wholes.starts[whole]).tolist()), found.odds[one].item())
                for one in sets
            ),
            found.nodes[at].item(),
            found.is_complete[at].item(),
            found.has_fees[at].item(),
        )
    return sums


def check_told_the_same(asked: Asked) -> bool:
    """Hold what all are told at once against what each is told by itself; return whether any is a sum."""
    wholes, parts = arrays_of(asked)
    found = find_all_sums(wholes, parts)
    told = told_of(found, wholes)
    alone = {at: find_sums(*one) for at, one in enumerate(asked)}
    assert told == {at: sums for at, sums in alone.items() if sums is not None}
    assert [found.verdict(at) for at in range(len(told))] == [sums.verdict for sums in told.values()]
    assert found.alternatives.tolist() == [sums.alternatives for sums in told.values()]
    assert found.is_unique.tolist() == [sums.verdict == "unique" for sums in told.values()]
    likeliest = [sums.found[0].places for sums in told.values()]
    starts, members = found.likeliest
    at = np.repeat(wholes.starts[found.whole], np.diff(starts))
    assert (members - at).tolist() == [place for places in likeliest for place in places]
    assert list(told) == sorted(told)
    return bool(told)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Whole, list[Part]]:
    """A whole with candidates: a sum of some of them, or nearly so; amounts of one size, or of many."""
    sizes = draw(st.sampled_from([(1, 6), (1, 60), (200, 260), (1, 10**6)]))
    weights = draw(st.sampled_from([(8.0,), (3.5, 7.25, 8.0), (0.1, 6.0, 15.9, 22.0)]))
    fees = draw(st.sampled_from([(0,), (0,), (0, 1, 3, -2)]))
    signs = draw(st.sampled_from([(False,), (False,), (False, False, True)]))
    rows = draw(
        st.lists(
            st.tuples(st.integers(*sizes), st.sampled_from(weights), st.sampled_from(fees), st.sampled_from(signs)),
            max_size=26,
        )
    )
    scale = draw(st.sampled_from([CENT, CENT, CENT, 1 << 38]))
    parts = [
        Part(scale * (-amount if is_other else amount), weight, scale * fee, is_other)
        for amount, weight, fee, is_other in sorted(rows, key=lambda row: -row[1])
    ]
    target = sum(part.amount + part.fee * draw(st.sampled_from([0, 1])) for part in parts if draw(st.booleans()))
    whole = Whole(
        target + scale * draw(st.sampled_from([0, 0, 0, 1, -1])) or scale,
        scale * draw(st.sampled_from([0, *fees])),
        draw(st.sampled_from([0.0, 0.003, 0.9])),
        CENT,
        scale * draw(st.sampled_from([0, 0, 0, 1])),
    )
    sign = draw(st.sampled_from([1, 1, -1]))
    return _signed(whole, parts, sign)


def _signed(whole: Whole, parts: list[Part], sign: int) -> tuple[Whole, list[Part]]:
    return (
        Whole(sign * whole.amount, whole.fee, whole.amount_share, whole.step, whole.tolerance),
        [Part(sign * part.amount, part.weight, part.fee, part.is_other_sign) for part in parts],
    )


@many_runs
@given(st.lists(cases(), max_size=12))
def test_each_whole_is_told_what_it_is_told_by_itself(asked: Asked) -> None:
    check_told_the_same(asked)


@many_runs
@given(st.lists(cases(), min_size=1, max_size=6), st.integers(1, 9), st.integers(1, 200))
def test_how_many_are_searched_together_changes_nothing(asked: Asked, tail: int, most_partial: int) -> None:
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(at_once, "TAIL", tail)
        changed.setattr(at_once, "SUMS_AT_ONCE", 1)
        changed.setattr(at_once, "MOST_PARTIAL", most_partial)
        check_told_the_same(asked)


def _spread(rng: random.Random, wholes: int) -> Asked:
    """Return wholes with up to 26 candidates over four powers of ten, of which some are a sum."""
    asked = []
    for _ in range(wholes):
        amounts = [round(10 ** rng.uniform(3, 7)) * CENT for _ in range(rng.randrange(2, 27))]
        members = rng.sample(amounts, rng.randrange(2, min(len(amounts), 7) + 1))
        off = rng.choice((0, 0, CENT))
        weights = sorted((round(rng.uniform(4, 16), 6) for _ in amounts), reverse=True)
        parts = [Part(amount, weight) for amount, weight in zip(amounts, weights, strict=True)]
        asked.append((Whole(sum(members) + off), parts))
    return asked


def test_amounts_of_many_sizes_are_told_the_same() -> None:
    assert check_told_the_same(_spread(random.Random(5), 300))


def test_wholes_with_amounts_of_many_sizes_are_never_asked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a whole was asked by itself")

    monkeypatch.setattr(at_once, "find_sums", refuse)
    wholes, parts = arrays_of(_spread(random.Random(6), 200))
    assert len(find_all_sums(wholes, parts).whole) > 100


def test_rows_that_are_nothing_but_their_fee_are_told_the_same() -> None:
    """Less their fees neither the whole nor two of its candidates are anything, so that nothing divides them."""
    whole = Whole(amount=-10_000, fee=10_000, amount_share=0.0, step=10_000, tolerance=0)
    parts = [Part(-10_000, 1.0) for _ in range(4)] + [Part(-10_000, 1.0, 10_000), Part(-10_000, 1.0, 10_000)]
    check_told_the_same([(whole, parts)])


def test_of_no_wholes_nothing_is_told() -> None:
    wholes, parts = arrays_of([])
    assert not len(find_all_sums(wholes, parts).whole)
    assert not check_told_the_same([(Whole(CENT), []), (Whole(3 * CENT), [Part(CENT, 8.0)])])
