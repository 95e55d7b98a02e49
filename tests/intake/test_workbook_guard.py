import struct
import zipfile
from pathlib import Path

import pytest

from tests.intake.test_spreadsheet import HEAD, ROWS, ods, ods_cell, ods_rows, workbook
from tieout.intake.formats import FileIsDamaged, FileIsEncrypted
from tieout.intake.workbook_guard import UnsafeWorkbook, WorkbookLimits, check_workbook


def parts(path: Path, **entries: bytes | str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(f"xl/{name}.xml", content)
    return path


def sheet(path: Path, *cells: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet><sheetData><row>{''.join(cells)}</row></sheetData></worksheet>"
        )
    return path


def test_ordinary_workbooks_pass(tmp_path):
    check_workbook(workbook(tmp_path / "a.xlsx", Data=[HEAD, *ROWS]), "a.xlsx")
    check_workbook(ods(tmp_path / "a.ods", ods_rows(HEAD, *ROWS)), "a.ods")


def test_a_bomb_is_refused_by_what_it_declares(tmp_path):
    path = parts(tmp_path / "a.xlsx", sheet1=b"\0" * (3 << 20))
    with pytest.raises(UnsafeWorkbook, match="upload.xlsx unpacks to more than 2 MiB"):
        check_workbook(path, "upload.xlsx", WorkbookLimits(max_expanded_bytes=2 << 20))


def test_a_bomb_that_lies_about_its_size_is_refused_by_what_comes_out(tmp_path):
    path = parts(tmp_path / "a.xlsx", sheet1=b"\0" * (3 << 20))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size == 100
    with pytest.raises(UnsafeWorkbook, match="unpacks"):
        check_workbook(path, "a.xlsx", WorkbookLimits(max_expanded_bytes=2 << 20))


def test_a_part_that_is_packed_beyond_reason_is_refused(tmp_path):
    path = parts(tmp_path / "a.xlsx", sheet1=b"\0" * (20 << 20))
    with pytest.raises(UnsafeWorkbook, match="300 times its size"):
        check_workbook(path, "a.xlsx")
    check_workbook(parts(tmp_path / "b.xlsx", sheet1=b"\0" * (10 << 20)), "b.xlsx")


def test_more_parts_than_a_workbook_has_are_refused(tmp_path):
    path = parts(tmp_path / "a.xlsx", **{f"p{i}": "" for i in range(11)})
    with pytest.raises(UnsafeWorkbook, match="11 parts"):
        check_workbook(path, "a.xlsx", WorkbookLimits(max_parts=10))


@pytest.mark.parametrize("declaration", ["<!DOCTYPE x>", '<!DOCTYPE x [<!ENTITY a "aaaa">]>', "<!doctype x>"])
def test_xml_entities_are_refused_wherever_they_stand(tmp_path, declaration):
    for padding in (0, (1 << 20) - 5):
        content = "<?xml version='1.0'?>" + " " * padding + declaration + "<sst/>"
        with pytest.raises(UnsafeWorkbook, match="entities"):
            check_workbook(parts(tmp_path / "a.xlsx", sharedStrings=content), "a.xlsx")


def test_a_sheet_that_sprawls_is_refused(tmp_path):
    far = '<c r="XFD1048576" t="n"><v>1</v></c>'
    with pytest.raises(UnsafeWorkbook, match="17,179,869,184 cells"):
        check_workbook(sheet(tmp_path / "a.xlsx", '<c r="A1"><v>1</v></c>', far), "a.xlsx")
    check_workbook(sheet(tmp_path / "b.xlsx", '<c r="A1"><v>1</v></c>', '<c r="XFD1048576" s="3"/>'), "b.xlsx")
    spread = ['<c r="A900000"><v>1</v></c>', '<c r="ZZ1"><v>1</v></c>']
    with pytest.raises(UnsafeWorkbook, match="631,800,000 cells"):
        check_workbook(sheet(tmp_path / "c.xlsx", *spread), "c.xlsx")


def test_an_open_document_that_sprawls_is_refused(tmp_path):
    repeated = ods_cell("x", ' table:number-columns-repeated="16000"')
    bomb = ods_rows(HEAD) + f'<table:table-row table:number-rows-repeated="1000000">{repeated}</table:table-row>'
    with pytest.raises(UnsafeWorkbook, match=r"16,000,016,000 cells"):
        check_workbook(ods(tmp_path / "a.ods", bomb), "a.ods")
    no_cells = '<table:table-cell table:number-columns-repeated="16384"/>'
    blank = f'<table:table-row table:number-rows-repeated="1048573">{no_cells}</table:table-row>'
    check_workbook(ods(tmp_path / "b.ods", ods_rows(HEAD, *ROWS) + blank), "b.ods")


def test_an_encrypted_part_and_a_broken_one_are_named(tmp_path):
    path = parts(tmp_path / "a.xlsx", sheet1=b"text " * 1000)
    data = bytearray(path.read_bytes())
    encrypted = bytearray(data)
    encrypted[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(FileIsEncrypted):
        check_workbook(path, "a.xlsx")
    broken = bytearray(data)
    broken[60:80] = b"\xff" * 20
    path.write_bytes(broken)
    with pytest.raises(FileIsDamaged, match="broken workbook"):
        check_workbook(path, "a.xlsx")
