"""Which of two equal payments of a party is the one that was booked: by custom the first, unless their words tell."""

from __future__ import annotations

import duckdb
import pytest

from tieout.engine.macros import add_likeness_macros
from tieout.engine.steps import load_step

RARE = 7 * 2**24 + 600_000
"""The code of a word that one row in four hundred has."""


def firsts(said: float, chance: float = 0.02, booked: str = "") -> list[int]:
    """Return which row of theirs takes the place of row 1 as the first of two.

    Row 2 came two days before it; its words weigh so much where those of row 1 weigh 10 bits. Ours has the amount
    once, or twice: on the day `booked` as well, by a row that has a partner and so brings no evidence.
    """
    con = duckdb.connect()
    add_likeness_macros(con)
    con.execute("create table run as select 10 as window_days, 0.01 as alternative_threshold")
    con.execute("create table scored_choice as select 1 as ours_row, 1 as theirs_row, 0.9 as score, 0.0 as runner_up")
    con.execute(
        "create table scored_candidate as select 1 as ours_row, theirs_row, score, 8.0 as weight_amount,"
        " weight_text, 0.0 as weight_unit, 1::ubigint as ours_content, theirs_row::ubigint as theirs_content"
        " from (values (1, 0.9, 10.0), (2, $chance, $said)) c(theirs_row, score, weight_text)",
        {"chance": chance, "said": said},
    )
    for name in ("sum_row", "equal_row"):
        con.execute(f"create table {name} (ours_row integer, theirs_row integer, is_match boolean)")
    row = f"'EUR' as currency, 5::bigint as amount_micros, 'alba foods' as text, [{RARE}] as codes"
    con.execute(
        "create table evidence_expected as"
        f" select 1 as entry_no, date '2026-03-05' as day, 1::ubigint as content, {row}"
    )
    con.execute(
        f"create table evidence_reported as select entry_no, day, entry_no::ubigint as content, {row}"
        " from (values (1, date '2026-03-06'), (2, date '2026-03-04')) r(entry_no, day)"
    )
    con.execute("create table ungrouped_reported as select *, ['alba', 'foods'] as words from evidence_reported")
    con.execute("create table ungrouped_expected as select *, ['alba', 'foods'] as words from evidence_expected")
    if booked:
        other = (
            "insert into ungrouped_expected select * replace (9 as entry_no, $day::date as day) from ungrouped_expected"
        )
        con.execute(other, {"day": booked})
    con.execute(f"create table word_rarity as select 'alba' as word, {RARE} as code")
    found = con.sql(load_step("sent_twice").sql)
    return [row for row, is_first in found.project("copy_row, is_first").fetchall() if is_first]


@pytest.mark.parametrize(("said", "first"), [(10.0, [2]), (12.0, [2]), (5.0, [2]), (4.9, []), (-3.0, [])])
def test_the_first_of_two_is_the_partner_unless_its_words_speak_less_for_it(said: float, first: list[int]) -> None:
    assert firsts(said) == first


def test_one_that_could_hardly_be_the_partner_is_not_the_first() -> None:
    assert firsts(10.0, chance=0.009) == []


@pytest.mark.parametrize(("booked", "first"), [("2026-03-04", []), ("2026-04-30", [2])])
def test_what_recurs_about_then_was_not_sent_twice_even_where_the_other_has_a_partner(
    booked: str, first: list[int]
) -> None:
    assert firsts(10.0, booked=booked) == first
