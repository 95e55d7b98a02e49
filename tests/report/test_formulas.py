import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.core.formulas import neutralise
from tieout.report.formulas import neutralised


def by_duckdb(texts):
    con = duckdb.connect()
    con.execute("create table cell (place integer, text varchar)")
    con.executemany("insert into cell values (?, ?)", list(enumerate(texts)))
    rows = con.view("cell").order("place").select(neutralised("text")).fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1+1",
        "\tname",
        "\rname",
        "\nname",
        " =1+1",
        "\u00a0=1+1",
        "\ufeff=1+1",
        "\x00=1+1",
        "\x01 @x",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "=cmd|'/c calc'!A1",
        "-2+3+cmd|'/c calc'!A0",
        "+49 30 123",
        "-12.50 EUR",
        "-",
        "--",
        "-1\n=2",
        "+1.",
        "-1e5",
    ],
)
def test_what_could_run_gets_an_apostrophe(text):
    assert neutralise(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "plain", "a=b", "1-2", "'quoted", "-12.50", "+12", "-1,234.56", "-1.234,56", "+4930123", "-.5", "12"]
)
def test_plain_text_and_lone_numbers_stay_as_they_are(text):
    assert neutralise(text) == text


SUSPECT = st.sampled_from("=+-@\t\r\n \x00\u00a0\ufeff\u2028\uff1d0123456789.,ab'|")


@given(st.lists(st.text(alphabet=SUSPECT, max_size=8), min_size=1))
def test_python_and_duckdb_decide_alike(texts):
    assert by_duckdb(texts) == [neutralise(text) for text in texts]


@given(st.lists(st.text(max_size=20), min_size=1))
def test_python_and_duckdb_decide_alike_on_any_text(texts):
    encodable = [text.encode("utf-8", "ignore").decode() for text in texts]
    assert by_duckdb(encodable) == [neutralise(text) for text in encodable]


@given(st.text(max_size=30))
def test_neutralising_twice_is_neutralising_once(text):
    assert neutralise(neutralise(text)) == neutralise(text)


def test_an_absent_text_stays_absent():
    assert by_duckdb([None, "=x"]) == [None, "'=x"]
