"""What the scored pass makes of texts, which short ways it takes, and which candidates it tells of."""

from __future__ import annotations

import duckdb
import pytest

from tieout.engine.macros import add_likeness_macros
from tieout.engine.steps import load_step


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    add_likeness_macros(con)
    return con


@pytest.mark.parametrize(
    ("given", "text", "words"),
    [
        ("Kino Nord 7", "kino nord 7", ["7", "kino", "nord"]),
        ("nord kino nord nord", "nord kino nord nord", ["kino", "nord"]),
        ("Äpfel & Birnen", "apfel birnen", ["apfel", "birnen"]),
        (" kino  nord ", "kino nord", ["kino", "nord"]),
        ("日本 東京", "日本 東京", ["日本", "東京"]),
        ("ref:12-7.", "ref 12 7", ["12", "7", "ref"]),
        ("--", "", [""]),
        ("", "", [""]),
        (None, None, None),
    ],
)
def test_a_text_is_reduced_to_what_people_repeat(
    con: duckdb.DuckDBPyConnection, given: str | None, text: str | None, words: list[str] | None
) -> None:
    nothing = ", ".join(f"null::varchar as unit_{number}" for number in range(1, 7))
    con.execute(
        f"create table open_expected as select 1::bigint as entry_no, null::varchar as ref, null::varchar as group_ref,"
        f" null::date as day, '' as currency, 1::bigint as amount_micros, $given::varchar as text,"
        f" row(1) as compared, {nothing}",
        {"given": given},
    )
    con.execute("create table entry_group (side varchar, entry_no bigint)")
    con.execute("create table run as select false as has_group")
    assert con.sql(f"select text, words from ({load_step('ungrouped_expected').sql})").fetchall() == [(text, words)]


@pytest.mark.parametrize(
    ("text", "initials", "long_word"),
    [
        ("kino nord 7", "kn", "kino"),
        ("ab c straße", "ac", "straße"),
        ("kino", "k", "kino"),
        ("ab", "a", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_a_text_begins_with_its_words(
    con: duckdb.DuckDBPyConnection, text: str | None, initials: str, long_word: str
) -> None:
    asked = con.execute("select initials_of($text::varchar), long_word_of($text::varchar)", {"text": text})
    assert asked.fetchall() == [(initials, long_word)]


@pytest.mark.parametrize(
    ("ours", "theirs", "rarity"), [([1, 2], [2, 3], 4.5), ([1, 2], [3], 0), ([1, 2], [2, 1], 6.75), ([], [1], 0)]
)
def test_the_words_that_both_have_count(
    con: duckdb.DuckDBPyConnection, ours: list[int], theirs: list[int], rarity: float
) -> None:
    coded = [[word * 16_777_216 + word * 225_000 for word in words] for words in (ours, theirs)]
    asked = con.execute("select shared_rarity($1::bigint[], $2::bigint[])", coded)
    assert asked.fetchall() == [(rarity,)]


def test_a_candidate_is_told_for_the_sake_of_either_row(con: duckdb.DuckDBPyConnection) -> None:
    # Ours 1 has eight candidates. Of its last three, the first is the sixth best of its row too, the second is chosen,
    # the third is the only one of its row.
    scored = [(1, row, 1 - row / 100) for row in range(1, 9)] + [(row, 6, 0.99) for row in range(2, 7)]
    scores = ("score_time", "score_amount", "score_unit", "score_text")
    weights = ("weight_pair", "weight_time", "weight_amount", "weight_unit", "weight_text")
    evidence = ", ".join(f"1.0::double as {name}" for name in (*scores, *weights))
    rows = ", ".join(str((place, *row)) for place, row in enumerate(scored))
    con.execute(
        f"create table scored_candidate as select *, {evidence}"
        f" from (values {rows}) as s(preference, ours_row, theirs_row, score)"
    )
    con.execute("create table scored_match as select 1 as ours_row, 7 as theirs_row")
    con.execute(
        "create table equal_row (ours_row bigint, theirs_row bigint, is_match boolean, score_time double,"
        " score_unit double, score_text double)"
    )
    con.execute("create table run as select 0 as ours_offset, 0 as theirs_offset")
    told = con.sql(f"select theirs_row, rank, chosen from ({load_step('candidate').sql}) where ours_row = 1").fetchall()
    assert told == [*((row, row, False) for row in range(1, 6)), (7, 7, True), (8, 8, False)]
