"""The macros of the engine are defined together, by name, or when a pass begins."""

from __future__ import annotations

import duckdb
import pytest

from tieout.engine.macros import add_likeness_macros, add_macros, macro_texts


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
