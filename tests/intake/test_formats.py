import zipfile
from pathlib import Path

import pytest

from tests.intake.tables import save
from tieout.core.errors import TieoutError
from tieout.intake.formats import FORMATS, FileIsDamaged, FileIsEmpty, FileNotReadable, UnknownFileFormat, detect

DATA = Path(__file__).parent / "data"
MT940 = ":20:131110\n:25:45050050/76198810\n:28:27/01\n:60F:C131016DEM84349,74\n"
BAI2 = "01,021000021,CUSTOMER,240202,0600,1,80,,2/\n02,CUSTOMER,021000021,1,240201,2359,USD,2/\n"
CAMT = '<?xml version="1.0"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>'


def zipped(path: Path, **entries: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n", "csv"),
        ("just some words", "csv"),
        ("[Date];[Amount]\n2024-01-01;5\n", "csv"),
        ("{x},{y}\n1,2\n", "csv"),
        ("a\tb\n1\t2\n".encode("utf-16"), "csv"),
        ("a;b\n1;2\n".encode("utf-16-be"), "csv"),
        (b"id;name\n1;M\xfcller\n", "csv"),
        (b"id,name\n1,a\x00b\n2,c\n", "csv"),
        ('[{"a": 1}]', "json"),
        ("  [\n", "json"),
        ('{"rows": [{"a": 1}]}', "json"),
        ('{\n  "rows": []\n}', "json"),
        ('{"a": 1}\n{"a": 2}\n', "ndjson"),
        (MT940, "mt940"),
        (":60F:C131016DEM84349,74\n", "mt940"),
        ("{1:F01BANKDEFFAXXX0000000000}{2:I940BANKDEFFXXXXN}{4:\n" + MT940, "mt940"),
        ("ABNANL2A\n940\nABNANL2A\n" + MT940, "mt940"),
        (BAI2, "bai2"),
        (BAI2.replace("\n", " "), "bai2"),
        (CAMT, "camt"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>\n<Document>', "camt"),
        ('<d:Document xmlns:d="urn:iso:std:iso:20022:tech:xsd:camt.054.001.04">', "camt"),
        ("OFXHEADER:100\nDATA:OFXSGML\n", "ofx"),
        ('<?xml version="1.0"?><?OFX OFXHEADER="200"?><OFX>', "ofx"),
        ("\n\n\n<OFX><SIGNONMSGSRSV1>", "ofx"),
        (b"PAR1....", "parquet"),
        (b"PARE....", "parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "xls"),
    ],
)
def test_content_decides_whatever_the_name(tmp_path, content, expected):
    assert expected in FORMATS
    for name in ("upload", "upload.csv", "upload.parquet"):
        assert detect(save(tmp_path, content), name) == expected


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("a\tb\n1\t2\n", "x.TSV", "tsv"),
        ("a,b\n1,2\n", "x.txt", "csv"),
        ('{"a": 1}\n', "x.ndjson", "ndjson"),
        ('{"a": 1\n{"a": 2}\n', "x.jsonl", "ndjson"),
        ("no json at all", "x.json", "json"),
        ("nothing of the kind", "x.sta", "mt940"),
        ("nothing of the kind", "x.bai", "bai2"),
        ("<STMTTRN>", "x.qfx", "ofx"),
    ],
)
def test_the_name_decides_where_the_content_leaves_a_doubt(tmp_path, content, name, expected):
    assert detect(save(tmp_path, content), name) == expected


def test_zipped_workbooks_are_told_by_their_parts(tmp_path):
    assert detect(zipped(tmp_path / "a", xl__workbook_xml="")) == "xlsx"
    ods = zipped(tmp_path / "b", mimetype="application/vnd.oasis.opendocument.spreadsheet")
    assert detect(ods, "table.xlsx") == "ods"


def test_every_published_statement_is_recognised_without_its_name():
    folders = {"mt940": "*.sta", "camt": "*.xml", "bai2": "*.txt", "ofx": "*.ofx"}
    found = {
        kind: {detect(path, "upload") for path in DATA.glob(f"bank/{kind}/**/{glob}")} for kind, glob in folders.items()
    }
    assert found == {kind: {kind} for kind in folders}


@pytest.mark.parametrize(
    ("content", "name", "what"),
    [
        (b"%PDF-1.7\n", "a.csv", "PDF"),
        (b"\x1f\x8b\x08\0", "a.csv.gz", "gzip"),
        (b"\x89PNG\r\n", "a.png", "picture"),
        (b"SQLite format 3\0", "a.db", "SQLite"),
        (bytes(range(256)) * 40, "a.bin", "binary"),
        (b"\0" * 5000, "a.csv", "binary"),
        ("<html><body><table>", "report.xls", "web page"),
        ('<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "a.xls", "2003"),
        ("<Invoice><Amount>5</Amount></Invoice>", "a.xml", "<Invoice>"),
        ("!Type:Bank\nD01/02/24\n", "a.qif", "QIF"),
        ("a,b\n", "a.camt", "no XML"),
    ],
)
def test_what_no_reader_takes_is_named_with_a_way_out(tmp_path, content, name, what):
    with pytest.raises(UnknownFileFormat, match=what) as caught:
        detect(save(tmp_path, content), name)
    assert caught.value.subject == name
    assert caught.value.remedy


def test_a_zip_archive_that_is_no_workbook_is_to_be_unpacked(tmp_path):
    with pytest.raises(UnknownFileFormat, match="ZIP archive.*Unpack"):
        detect(zipped(tmp_path / "a.zip", statement_csv="a,b"))
    broken = save(tmp_path, b"PK\x03\x04 and then nothing", "b.xlsx")
    with pytest.raises(FileIsDamaged, match="broken ZIP"):
        detect(broken)


@pytest.mark.parametrize("content", ["", "  \n\t\r\n", "\ufeff", "\ufeff\n\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, content):
    with pytest.raises(FileIsEmpty, match=r"statement\.csv"):
        detect(save(tmp_path, content), "statement.csv")


def test_what_is_no_file_is_said_to_be_none(tmp_path):
    with pytest.raises(FileNotReadable, match="is a directory"):
        detect(tmp_path, "folder")
    with pytest.raises(FileNotReadable, match=r"no file gone\.csv"):
        detect(tmp_path / "gone.csv")
    with pytest.raises(FileNotReadable, match="not a regular file"):
        detect(Path("/dev/null"))


def test_all_of_these_errors_are_for_people():
    for error in (FileIsDamaged, FileIsEmpty, FileNotReadable, UnknownFileFormat):
        assert issubclass(error, TieoutError)
        assert error.code != TieoutError.code
