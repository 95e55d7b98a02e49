"""The macros of the engine are defined together, by name, or when a pass begins."""

from __future__ import annotations

import duckdb
import pytest

from tieout.engine.macros import add_likeness_macros, add_macros, macro_texts
from tieout.engine.parse import NULL_TOKENS


def defined(con: duckdb.DuckDBPyConnection) -> set[str]:
    found = con.sql("select distinct function_name from duckdb_functions() where function_type like '%macro'")
    return {name for (name,) in found.fetchall()}


def test_a_macro_is_defined_alone() -> None:
    con = duckdb.connect()
    add_macros(con, "to_micros")
    assert con.sql("select to_micros(1.5::decimal(18, 6))").fetchall() == [(1_500_000,)]
    with pytest.raises(duckdb.CatalogException):
        con.sql("select plain_number(1.5)")


def test_each_macro_of_the_file_is_defined() -> None:
    con = duckdb.connect()
    already = defined(con)
    add_macros(con)
    made = defined(con) - already
    assert made == set(macro_texts())
    assert {"to_micros", "plain_number", "change_rank"} <= made
    add_likeness_macros(con)
    assert "is_hopeless" in defined(con) - already - made


@pytest.mark.parametrize(
    ("ours", "theirs", "differs", "differs_folded"),
    [
        ("Shell", "Shell", False, False),
        ("Shell  Café ", "SHELL CAFE", True, False),
        ("Shell", "Shel", True, True),
        ("A-1", "A1", True, True),
        ("NULL", None, False, False),
        (" n/a", "", False, False),
        ("-", "+", True, True),
        ("none", "some", True, True),
        (None, "some", True, True),
    ],
)
def test_texts_differ_by_what_their_form_leaves_of_them(
    ours: str | None, theirs: str | None, *, differs: bool, differs_folded: bool
) -> None:
    con = duckdb.connect()
    add_macros(con, "said", "folded", "cell", "text_cell", "folded_cell")
    cells = "text_cell(1, 'shop', $1::varchar, $2::varchar), folded_cell(1, 'shop', $1::varchar, $2::varchar)"
    for one, other in ((ours, theirs), (theirs, ours)):
        [found] = con.execute(f"select {cells}", [one, other]).fetchall()
        assert [cell is not None for cell in found] == [differs, differs_folded]
        assert all((cell["ours_value"], cell["theirs_value"]) == (one, other) for cell in found if cell)


@pytest.mark.parametrize("token", NULL_TOKENS)
def test_what_says_no_value_in_a_column_of_numbers_says_nothing_as_a_text(token: str) -> None:
    con = duckdb.connect()
    add_macros(con, "said")
    assert con.execute("select said($1), said(upper($1))", [token]).fetchall() == [(None, None)]


@pytest.mark.parametrize(
    ("written", "plain", "digits"),
    [
        ("INV-00012", "inv12", "12"),
        ("Überweisung Nr. 007", "uberweisungnr7", "7"),
        ("2026/00120-A", "202600120a", "2026.120"),
        ("000", "0", "0"),
        ("A", "a", ""),
        ("--", "", ""),
    ],
)
def test_references_keep_what_their_form_leaves_of_them(written: str, plain: str, digits: str) -> None:
    con = duckdb.connect()
    add_macros(con, "plain_reference", "reference_digits")
    assert con.execute("select plain_reference($1), reference_digits($1)", [written]).fetchall() == [(plain, digits)]
