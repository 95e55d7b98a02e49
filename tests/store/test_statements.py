"""A text is parsed once in a process, whoever executes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from tieout.store import statements
from tieout.store.statements import execute, parse


def test_a_text_is_parsed_once_and_executed_on_any_connection() -> None:
    text = "create or replace table made as select $first as n; select n + 1 from made"
    with duckdb.connect() as first:
        kept = parse(first, text)
    with duckdb.connect() as other:
        assert parse(other, text) is kept
        execute(other, text.split(";", maxsplit=1)[0], {"first": 3})
        assert execute(other, "select n + 1 from made").fetchall() == [(4,)]


def test_every_statement_of_a_text_is_executed_and_the_last_one_answers() -> None:
    with duckdb.connect() as con:
        text = "create table several (n integer); insert into several values (1), (2); from several order by n"
        assert execute(con, text).fetchall() == [(1,), (2,)]


def test_a_text_that_is_no_sql_is_refused_each_time() -> None:
    with duckdb.connect() as con:
        for _ in range(2):
            with pytest.raises(duckdb.ParserException):
                execute(con, "selekt 1")


def test_what_was_not_used_for_longest_is_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_KEPT", 2)
    monkeypatch.setattr(statements, "_kept", type(statements._kept)())
    with duckdb.connect() as con:
        first, second = parse(con, "select 1"), parse(con, "select 2")
        assert parse(con, "select 1") is first
        parse(con, "select 3")
        assert parse(con, "select 1") is first
        assert parse(con, "select 2") is not second


def test_threads_execute_one_parsed_text_at_once() -> None:
    with duckdb.connect() as con:
        cursors = [con.cursor() for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:

            def answers(cursor: duckdb.DuckDBPyConnection) -> list[int]:
                asked = "select sum(range) + $more from range(1000)"
                return [int(execute(cursor, asked, {"more": more}).fetchall()[0][0]) for more in range(50)]

            found = list(pool.map(answers, cursors))
    assert found == [[499_500 + more for more in range(50)]] * 4
