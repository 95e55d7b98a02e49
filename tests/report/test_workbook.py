import zipfile
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from defusedxml import ElementTree
from python_calamine import CalamineWorkbook

from tieout.report.workbook import CUT_NOTE, MAX_CELL_CHARACTERS, Cover, Sheet, write_workbook

COVER = Cover(
    "A book",
    [("Ours", "=1+1"), ("Theirs", "[x]\x1b[31m")],
    [("Money", ["Currency", "Amount"], [["EUR", Decimal("1.5")]])],
)


def read_back(tmp_path, table, name="Rows"):
    path = tmp_path / "book.xlsx"
    write_workbook(path, COVER, [Sheet(name, table, table.num_rows, "rows.csv")])
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_name(name).to_python()


def sheet_xml(tmp_path):
    with zipfile.ZipFile(tmp_path / "book.xlsx") as book:
        return book.read("xl/worksheets/sheet2.xml").decode()


def test_every_type_comes_back_as_it_was(tmp_path):
    table = pa.table(
        {
            "money": pa.array([Decimal("-12.500000"), None, Decimal("0.000001")], pa.decimal128(38, 6)),
            "whole": pa.array([1, None, -7], pa.int64()),
            "share": pa.array([0.625, float("nan"), None], pa.float64()),
            "day": pa.array([date(2026, 2, 28), None, date(1899, 12, 31)], pa.date32()),
            "flag": pa.array([True, False, None], pa.bool_()),
            "text": pa.array(["a", None, ""], pa.string()),
        }
    )
    rows = read_back(tmp_path, table)
    assert rows[0] == table.column_names
    assert rows[1] == [-12.5, 1.0, 0.625, date(2026, 2, 28), True, "a"]
    assert rows[2] == ["", "", "", "", False, ""]
    assert rows[3] == [0.000001, -7.0, "", "1899-12-31", "", ""]


@pytest.mark.parametrize(
    ("day", "shown"),
    [(date(1900, 3, 1), date(1900, 3, 1)), (date(9999, 12, 31), date(9999, 12, 31)), (date(1900, 2, 28), "1900-02-28")],
)
def test_days_before_the_spreadsheet_calendar_is_right_stay_text(day, shown, tmp_path):
    assert read_back(tmp_path, pa.table({"day": pa.array([day], pa.date32())}))[1] == [shown]


def test_an_integer_of_more_than_fifteen_digits_is_an_identifier(tmp_path):
    numbers = [999_999_999_999_999, 1_234_567_890_123_456_789, None, -(10**15), -999_999_999_999_999]
    rows = read_back(tmp_path, pa.table({"id": pa.array(numbers, pa.int64())}))
    assert [row[0] for row in rows[1:]] == [
        999_999_999_999_999.0,
        "1234567890123456789",
        "",
        "-1000000000000000",
        -999_999_999_999_999.0,
    ]


def test_markup_and_forbidden_characters_in_cells(tmp_path):
    texts = [
        "<c>&amp;</c>",
        "a\x00b\x0bc\x1f\ufffe",
        "line\r\none\rtwo\n",
        "  spaced  ",
        "]]>",
        "_x0041_",
        "=1+1",
        "👩‍👧 é",
    ]
    rows = read_back(tmp_path, pa.table({"text": texts}))
    assert [row[0] for row in rows[1:]][:5] == ["<c>&amp;</c>", "abc", "line\none\ntwo\n", "  spaced  ", "]]>"]
    assert [row[0] for row in rows[1:]][6:] == ["=1+1", "👩‍👧 é"]
    assert "_x005F_x0041_" in sheet_xml(tmp_path)


def test_a_text_stays_text_whatever_it_looks_like(tmp_path):
    texts = ["=1+1", "12", "https://example.org", "mailto:a@example.org", "TRUE", "2026-01-01", "{=1}"]
    rows = read_back(tmp_path, pa.table({"text": texts}))
    assert [row[0] for row in rows[1:]] == texts
    xml = sheet_xml(tmp_path)
    assert "<f>" not in xml
    assert "hyperlink" not in xml


@pytest.mark.parametrize("letter", ["a", "é", "👩"])
def test_a_text_too_long_for_a_cell_is_cut_with_a_note(letter, tmp_path):
    units = len(letter.encode("utf-16-le")) // 2
    fits, long = letter * (MAX_CELL_CHARACTERS // units), letter * MAX_CELL_CHARACTERS + "z"
    rows = read_back(tmp_path, pa.table({"text": [fits, long, None]}))
    assert rows[1] == [fits]
    assert rows[2][0].endswith(CUT_NOTE)
    assert len(rows[2][0].encode("utf-16-le")) // 2 <= MAX_CELL_CHARACTERS
    assert set(rows[2][0].removesuffix(CUT_NOTE)) == {letter}


def test_many_rows_and_wide_cells_keep_their_order(tmp_path):
    table = pa.table({"n": pa.array(range(45_000)), "text": [f"row {n} " + "x" * 900 for n in range(45_000)]})
    rows = read_back(tmp_path, table)
    assert len(rows) == 45_001
    assert [row[0] for row in rows[1:]] == list(range(45_000))
    assert rows[-1][1].startswith("row 44999 ")


def test_a_sheet_without_rows_has_its_head(tmp_path):
    assert read_back(tmp_path, pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.int64())})) == [
        ["a", "b"]
    ]


def test_the_sheet_says_its_extent_and_keeps_its_head_in_view(tmp_path):
    read_back(tmp_path, pa.table({"a": [1, 2], "b": ["x", "y"]}))
    xml = sheet_xml(tmp_path)
    assert '<dimension ref="A1:B3"/>' in xml
    assert 'state="frozen"' in xml
    assert '<autoFilter ref="A1:B3"/>' in xml
    assert ElementTree.fromstring(xml) is not None


def test_the_cover_is_text_and_numbers(tmp_path):
    read_back(tmp_path, pa.table({"a": [1]}))
    cover = CalamineWorkbook.from_path(str(tmp_path / "book.xlsx")).get_sheet_by_name("Summary").to_python()
    assert cover[0][0] == "A book"
    assert ["Ours", "'=1+1"] in [row[:2] for row in cover]
    assert ["Theirs", "[x]"] in [row[:2] for row in cover]
    assert ["EUR", 1.5] in [row[:2] for row in cover]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    table = pa.table({"a": ["x", "=y"], "b": [1.5, None]})
    books = []
    for name in ("one.xlsx", "two.xlsx"):
        write_workbook(tmp_path / name, COVER, [Sheet("Rows", table, 2, "rows.csv")])
        books.append((tmp_path / name).read_bytes())
    assert books[0] == books[1]
    with zipfile.ZipFile(tmp_path / "one.xlsx") as book:
        assert {entry.date_time for entry in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"1980-01-01T00:00:00Z" in book.read("docProps/core.xml")
