"""Which rows without amounts are compared: those that share what few share, or two things that few share together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from itertools import combinations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.macros import add_likeness_macros
from tieout.engine.steps import load_step

FEW_PAIRS = 250_000
QUIET_PAIRS = 1_000
Row = tuple[str, list[str], list[str | None] | None]
"""Currency, words and hints."""


def found(ours: list[Row], theirs: list[Row]) -> set[tuple[int, int]]:
    """Return the pairs of places, from 0, that the step finds."""
    con = duckdb.connect()
    add_likeness_macros(con)
    con.execute("create table run as select 3 as window_days")
    for canonical, rows in (("expected", ours), ("reported", theirs)):
        table = {
            "entry_no": pa.array(range(len(rows)), pa.int64()),
            "currency": pa.array([currency for currency, _, _ in rows], pa.string()),
            "text": pa.array([" ".join(words) for _, words, _ in rows], pa.string()),
            "words": pa.array([words for _, words, _ in rows], pa.list_(pa.string())),
            "units": pa.array([units for _, _, units in rows], pa.list_(pa.string())),
        }
        con.register("given", pa.table(table))
        con.execute("create table row_of as from given")
        con.execute(
            f"create table block_{canonical} as select entry_no, null::varchar as ref, currency, null::date as day,"
            " null::bigint as amount_micros, initials_of(text) as initials, long_word_of(text) as first_word"
            " from row_of"
        )
        con.execute(f"alter table row_of rename to ungrouped_{canonical}")
    return {(o, t) for o, t in con.sql(load_step("block_same_unit").sql).fetchall()}


def shared(row: Row) -> set[Hashable]:
    """Return all that a row can share with another."""
    currency, words, units = row
    told: set[Hashable] = {(currency, number, unit) for number, unit in enumerate(units or [], 1) if unit is not None}
    first = next((word for word in words if len(word) >= 3), None)
    if first:
        told.add((currency, "begins", "".join(word[0] for word in words[:2]), first))
    if len(words) <= 4:
        told |= {(currency, "word", word) for word in words if len(word) >= 3}
    return told


def wanted(ours: list[Row], theirs: list[Row]) -> set[tuple[int, int]]:
    """Return the pairs that the step should find, by comparing every row with every other."""

    def pairs_of(one: list[set[Hashable]], other: list[set[Hashable]]) -> Counter[Hashable]:
        left, right = (Counter(value for row in side for value in row) for side in (one, other))
        return Counter({value: left[value] * right[value] for value in left})

    def both(rows: list[set[Hashable]], crowded: set[Hashable]) -> list[set[Hashable]]:
        return [{frozenset(pair) for pair in combinations(row & crowded, 2)} for row in rows]

    singles = [shared(row) for row in ours], [shared(row) for row in theirs]
    counts = pairs_of(*singles)
    crowded = {value for value, pairs in counts.items() if pairs > QUIET_PAIRS}
    doubles = both(singles[0], crowded), both(singles[1], crowded)
    counts |= pairs_of(*doubles)

    def meet() -> Iterator[tuple[int, int]]:
        for o in range(len(ours)):
            mine = {value for value in singles[0][o] | doubles[0][o] if counts[value] <= QUIET_PAIRS}
            for t in range(len(theirs)):
                is_few = len(ours) * len(theirs) <= FEW_PAIRS and ours[o][0] == theirs[t][0]
                if is_few or mine & (singles[1][t] | doubles[1][t]):
                    yield o, t

    return set(meet())


NAMES = ["ann", "bob", "cleo", "dora", "emil", "fay", "gus", "hana", "ivo"]
TOWNS = ["ashby", "bourne", "corby", "derby", "ely", "fleet", "goole"]
BORN = ["1950", "1951", "1952", "1953", "1954"]


def people(size: int, step: int) -> list[Row]:
    """Return people of whom many share a name, many a town and many a year, but few two of these."""
    return [
        (
            "EUR" if n % 3 else "",
            [NAMES[n * step % 9], NAMES[n * step // 9 % 9], *(["of", "the", "long", "name"] if n % 10 == 0 else [])],
            [TOWNS[n * step // 5 % 7], BORN[n * step // 2 % 5] if n % 4 else None] if n % 11 else None,
        )
        for n in range(size)
    ]


@pytest.mark.parametrize(("ours", "theirs"), [((600, 1), (700, 3)), ((40, 1), (50, 7)), ((0, 1), (30, 1))])
def test_rows_meet_by_what_few_share_alone_or_beside_something_else(
    ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    sides = people(*ours), people(*theirs)
    assert found(*sides) == wanted(*sides)


def test_what_too_many_share_is_split_by_a_second_value() -> None:
    ours, theirs = people(600, 1), people(700, 3)
    sides = [[shared(row) for row in side] for side in (ours, theirs)]
    left, right = (Counter(value for row in side for value in row) for side in sides)
    quiet = {value for value in left if left[value] * right[value] <= QUIET_PAIRS}
    met = found(ours, theirs)
    by_two = {(o, t) for o, t in met if not sides[0][o] & sides[1][t] & quiet}
    assert 100 < len(by_two) < len(met) < 600 * 700 / 4


some_rows = st.lists(
    st.tuples(
        st.sampled_from(["", "EUR"]),
        st.lists(st.sampled_from(["ann", "bo", "cleo", "dora"]), min_size=1, max_size=5, unique=True),
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.sampled_from(["x", "y"])), min_size=6, max_size=6)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(some_rows, some_rows, st.integers(65, 75))
def test_a_crowd_of_any_rows_meets_as_if_each_were_compared_with_each(
    ours: list[Row], theirs: list[Row], times: int
) -> None:
    sides = ours * times, theirs * times
    assert found(*sides) == wanted(*sides)
