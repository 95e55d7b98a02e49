"""What a word means: itself, the word that it was cut from or mistyped for; and how rare that is."""

from __future__ import annotations

import math
from collections import Counter

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.steps import load_step

Texts = list[list[str]]
Told = dict[str, tuple[str, float, bool]]
"""By word: what it means, its rarity, and whether both sides mean that."""


def told(ours: Texts, theirs: Texts) -> Told:
    con = duckdb.connect()
    for canonical, rows in (("expected", ours), ("reported", theirs)):
        words = pa.array([sorted(set(row)) for row in rows], pa.list_(pa.string()))
        con.register("given", pa.table({"entry_no": pa.array(range(len(rows)), pa.int64()), "words": words}))
        con.execute(f"create table ungrouped_{canonical} as from given")
    found = con.sql(load_step("word_rarity").sql).fetchall()
    codes = {meant: code for _, meant, _, code in found}
    assert all(codes[meant] == code for _, meant, _, code in found)
    numbers = [code >> 24 for code in codes.values() if code is not None]
    assert len(set(numbers)) == len(numbers)
    assert all(code is None or code % 2**24 == round(rarity * 100_000) for _, _, rarity, code in found)
    assert len({word for word, *_ in found}) == len(found)
    return {word: (meant, rarity, code is not None) for word, meant, rarity, code in found}


def in_rows(**rows: int) -> Texts:
    """Return texts of one word each, so many of each word."""
    return [[word] for word, count in rows.items() for _ in range(count)]


def test_a_word_cut_off_means_the_word_of_the_other_side_that_begins_with_it() -> None:
    found = told(in_rows(manuf=3, corp=2), in_rows(manufacturing=5, corporation=1, other=2))
    assert {word: meant for word, (meant, *_) in found.items() if meant != word} == {
        "manuf": "manufacturing",
        "corp": "corporation",
    }
    assert found["manuf"] == ("manufacturing", round(-math.log(8 / 13), 5), True)
    assert found["other"][2] is False


def test_a_word_with_which_several_begin_is_not_told_apart() -> None:
    found = told(in_rows(brook=4), in_rows(brookfield=3, brookside=2))
    assert all(meant == word for word, (meant, *_) in found.items())
    assert told(in_rows(brook=4), in_rows(brookfield=8, brookside=2))["brook"][0] == "brookfield"


def test_a_word_that_both_sides_have_is_not_cut_off() -> None:
    assert told(in_rows(manuf=1), in_rows(manuf=1, manufacturing=9))["manuf"][0] == "manuf"


def test_numbers_and_short_words_are_what_they_are() -> None:
    found = told(in_rows(a=1, **{"1234": 1, "inv12": 1, "uni": 1}), in_rows(**{"12345": 5, "inv123": 5, "united": 5}))
    assert all(meant == word for word, (meant, *_) in found.items())


def test_a_seldom_word_one_letter_off_a_frequent_one_is_mistyped() -> None:
    found = told(in_rows(ridgeway=8, rideway=1, ridgewaay=2, ridgewey=1, rodgewoy=1), in_rows(ridgeway=1, cedars=4))
    meant = {word: means for word, (means, *_) in found.items() if means != word}
    assert meant == {"rideway": "ridgeway", "ridgewaay": "ridgeway", "ridgewey": "ridgeway"}
    assert found["ridgeway"][1] == round(-math.log(13 / 18), 5)


def test_what_is_not_four_times_as_frequent_is_another_word() -> None:
    assert told(in_rows(weston=7), in_rows(wexton=2))["wexton"][0] == "wexton"
    assert told(in_rows(weston=40), in_rows(wexton=4))["wexton"][0] == "wexton"


def test_a_slip_in_a_word_that_is_cut_off_means_the_whole_word() -> None:
    found = told(in_rows(manufactur=9, manufatur=1), in_rows(manufacturing=20))
    assert {found[word][0] for word in ("manufactur", "manufatur")} == {"manufacturing"}


def test_a_start_of_a_mistyped_word_means_no_word_that_means_another() -> None:
    found = told(in_rows(manuff=1, manufact=9), in_rows(manuffact=2))
    assert found["manuffact"][0] == "manufact"
    assert found["manuff"][0] == "manuff"


some_texts = st.lists(
    st.lists(
        st.sampled_from(["manuf", "manufact", "manufacture", "manufactory", "manuffact", "cedar", "12345", "ab"]),
        max_size=4,
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(some_texts, some_texts)
def test_sides_and_order_do_not_matter_and_every_word_is_told_of_once(ours: Texts, theirs: Texts) -> None:
    found = told(ours, theirs)
    assert set(found) == {word for row in (*ours, *theirs) for word in row}
    assert told(theirs, ours) == found
    assert told(ours[::-1], theirs[::-1]) == found
    # What a word means, means itself; and so many rows mean it as have any word for it.
    rows = Counter(found[word][0] for row in (*ours, *theirs) for word in set(row))
    for meant, rarity, _ in found.values():
        assert found[meant][0] == meant
        share = min(rows[meant] / (len(ours) + len(theirs)), 1)
        assert rarity == round(-math.log(share), 5)
