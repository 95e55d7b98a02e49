"""At which level a pair stands that a reviewer accepted: as the candidates do, words count as what they mean."""

from __future__ import annotations

import duckdb
import pytest

from tieout.engine.macros import add_likeness_macros
from tieout.engine.steps import load_step


@pytest.mark.parametrize(
    ("theirs", "rarity"),
    [(["acme", "manuf"], 5), (["acme", "manufacturing"], 5), (["acme", "other"], 2), (["other"], 0)],
)
def test_a_word_cut_off_counts_as_the_whole_word(theirs: list[str], rarity: int) -> None:
    con = duckdb.connect()
    add_likeness_macros(con)
    con.execute("create table decided_pair as select 1 as ours_row, 1 as theirs_row, 'accepted' as ruling")
    for name, words in (("expected", ["acme", "manufacturing"]), ("reported", theirs)):
        con.execute(
            f"create table decided_{name} as select 1 as entry_no, 'EUR' as currency, 5::bigint as amount_micros,"
            " null::date as day, array_to_string($words::varchar[], ' ') as text, $words::varchar[] as words,"
            " null::varchar[] as units",
            {"words": words},
        )
        con.execute(f"create table ungrouped_{name} as from range(100)")
    con.execute(
        "create table word_rarity as from (values ('acme', 'acme', 4.0), ('manuf', 'manufacturing', 7.0),"
        " ('manufacturing', 'manufacturing', 7.0), ('other', 'other', 1.0)) w(word, meant, rarity)"
    )
    [(level,)] = con.sql(f"select text_level from ({load_step('label_level').sql})").fetchall()
    assert level % 10 == rarity
