import datetime as dt
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from tests.intake.tables import places_of, reasons_of, rejected_of, rows_of, save
from tieout.intake.formats import FileIsDamaged, FileIsEncrypted, NoTableFound
from tieout.intake.records_file import TooManyRows
from tieout.intake.spreadsheet import UnknownSheet, read_spreadsheet, text_of

DATA = Path(__file__).parent / "data/workbooks"
HEAD = ["ref", "day", "amount"]
ROWS = [["P-1", "2024-01-01", 5], ["P-2", "2024-01-02", 6.5]]


def workbook(path: Path, hidden: tuple[str, ...] = (), **sheets: list[list[object]]) -> Path:
    book = xlsxwriter.Workbook(str(path))
    day, moment = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        if name in hidden:
            sheet.hide()
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, dt.datetime):
                    sheet.write_datetime(r, c, cell, moment)
                elif isinstance(cell, dt.date):
                    sheet.write_datetime(r, c, cell, day)
                elif cell is not None:
                    sheet.write(r, c, cell)
    book.close()
    return path


def ods(path: Path, rows: str, **entries: str) -> Path:
    content = (
        '<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="Sheet">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", entries.get("manifest", "<manifest/>"))
    return path


def ods_cell(value: object, attributes: str = "") -> str:
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string"{attributes}><text:p>{value}</text:p></table:table-cell>'
    return f'<table:table-cell office:value-type="float" office:value="{value}"{attributes}/>'


def ods_rows(*rows: list[object]) -> str:
    return "".join(f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>" for row in rows)


def test_typed_cells_become_exact_text(tmp_path):
    rows = [
        ["ref", "amount", "day", "moment", "paid"],
        ["a", 0.1, dt.date(2024, 1, 31), dt.datetime(2024, 1, 31, 14, 30, 5), True],  # noqa: DTZ001 - cells have no zone
        ["b", 1234567.0, dt.date(2024, 2, 29), dt.datetime(2024, 2, 1), False],  # noqa: DTZ001
        [7, 1e21, dt.date(1999, 12, 31), None, None],
        ["d", -0.000079, None, None, None],
        ["e", 12345678901.12, None, None, None],
    ]
    records = read_spreadsheet(workbook(tmp_path / "a.xlsx", Data=rows), tmp_path / "out")
    assert records.format == "xlsx"
    assert records.columns == ("ref", "amount", "day", "moment", "paid")
    assert rows_of(records) == [
        ("a", "0.1", "2024-01-31", "2024-01-31 14:30:05", "true"),
        ("b", "1234567", "2024-02-29", "2024-02-01 00:00:00", "false"),
        ("7", "1000000000000000000000", "1999-12-31", None, None),
        ("d", "-0.000079", None, None, None),
        ("e", "12345678901.12", None, None, None),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e-7, "0.0000001"),
        (123456789.12, "123456789.12"),
        (5, "5"),
        (dt.time(9, 5), "09:05:00"),
        (dt.timedelta(hours=25, seconds=1), "25:00:01"),
        (-dt.timedelta(milliseconds=1500), "-0:00:01.5"),
        ("0,10", "0,10"),
    ],
)
def test_no_digit_is_added_or_lost(value, text):
    assert text_of(value) == text


def test_header_and_footers_are_found_as_in_text_and_lines_are_rows_of_the_sheet(tmp_path):
    rows = [
        ["Statement of March"],
        [],
        ["Account", "DE00"],
        [],
        [None, *HEAD],
        *([None, *row] for row in ROWS),
        [],
        [None, "P-3", "2024-01-03", 7],
        [None, "Total", None, 18.5],
        ["printed from the archive"],
    ]
    records = read_spreadsheet(workbook(tmp_path / "a.xlsx", Data=rows), tmp_path / "out")
    assert records.columns == ("column_1", *HEAD)
    assert [row[1] for row in rows_of(records)] == ["P-1", "P-2", "P-3"]
    assert places_of(records) == [(1, 6), (2, 7), (3, 9)]
    assert reasons_of(records) == [(None, 10, "footer"), (None, 11, "footer")]
    assert rejected_of(records)[0]["raw"] == "\tTotal\t\t18.5"
    assert "4 row(s) above the table were passed over." in records.notes


def test_the_first_visible_sheet_with_a_table_is_read_and_the_others_are_named(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx",
        hidden=("Old",),
        Notes=[["made by hand"]],
        Old=[HEAD, *ROWS],
        Data=[HEAD, *ROWS],
        More=[HEAD],
    )
    records = read_spreadsheet(path, tmp_path / "out")
    assert (
        records.notes[0]
        == "Sheet 'Data' was read; the workbook also has 'Notes', 'Old', 'More' (--sheet takes another)."
    )
    assert records.row_count == 2
    assert read_spreadsheet(path, tmp_path / "out", sheet="more").row_count == 0
    assert read_spreadsheet(path, tmp_path / "out", sheet="2").row_count == 2
    with pytest.raises(UnknownSheet, match="no sheet 'May'.*'Data'"):
        read_spreadsheet(path, tmp_path / "out", sheet="May")


def test_a_workbook_without_a_table_is_refused(tmp_path):
    path = workbook(tmp_path / "a.xlsx", hidden=("Old",), Empty=[], Old=[HEAD, *ROWS])
    with pytest.raises(NoTableFound, match="No visible sheet.*'Old'"):
        read_spreadsheet(path, tmp_path / "out")
    with pytest.raises(NoTableFound, match="'Empty' of .* is empty"):
        read_spreadsheet(path, tmp_path / "out", sheet="Empty")


def test_an_old_binary_workbook_is_read(tmp_path):
    records = read_spreadsheet(DATA / "payouts.xls", tmp_path, file_format="xls")
    assert records.format == "xls"
    assert rows_of(records) == [
        ("P-1", "2024-01-01", "0.1", "true"),
        ("P-2", "2024-01-02", "1234567.89", "false"),
        ("P-3", "2024-01-03", "-5", "true"),
    ]
    assert places_of(records)[0] == (1, 4)
    assert reasons_of(records) == [(None, 7, "footer")]


def test_an_open_document_is_read(tmp_path):
    records = read_spreadsheet(ods(tmp_path / "a.ods", ods_rows(HEAD, *ROWS)), tmp_path / "out", file_format="ods")
    assert rows_of(records) == [("P-1", "2024-01-01", "5"), ("P-2", "2024-01-02", "6.5")]


def test_the_name_of_the_file_does_not_matter(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Data=[HEAD, *ROWS])
    bare = path.rename(tmp_path / "0f3a")
    assert read_spreadsheet(bare, tmp_path / "out").row_count == 2


def test_an_encrypted_workbook_is_said_to_be_encrypted(tmp_path):
    with pytest.raises(FileIsEncrypted, match="upload.xlsx is encrypted.*password"):
        read_spreadsheet(DATA / "password.xlsx", tmp_path, name="upload.xlsx", file_format="xls")
    manifest = "<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    with pytest.raises(FileIsEncrypted):
        read_spreadsheet(ods(tmp_path / "a.ods", ods_rows(HEAD), manifest=manifest), tmp_path, file_format="ods")


@pytest.mark.parametrize(
    ("content", "file_format"),
    [(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "xls"), (b"PK\x03\x04broken", "xlsx")],
)
def test_a_broken_workbook_is_said_to_be_broken(tmp_path, content, file_format):
    with pytest.raises(FileIsDamaged, match="broken"):
        read_spreadsheet(save(tmp_path, content), tmp_path / "out", file_format=file_format)


def test_a_workbook_whose_parts_are_garbled_is_said_to_be_broken(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Data=[HEAD, *ROWS])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for victim in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        garbled = tmp_path / "b.xlsx"
        with zipfile.ZipFile(garbled, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content[: len(content) // 2] if name == victim else content)
        with pytest.raises((FileIsDamaged, NoTableFound)):
            read_spreadsheet(garbled, tmp_path / "out")


def test_too_many_rows_are_refused(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Data=[HEAD, *ROWS])
    with pytest.raises(TooManyRows):
        read_spreadsheet(path, tmp_path / "out", max_rows=1)
    calls = []
    read_spreadsheet(path, tmp_path / "out", max_rows=2, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3, 3)]
