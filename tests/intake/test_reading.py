import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.intake.tables import fast_rows, reasons_of, rows_of, save
from tests.intake.test_spreadsheet import HEAD, ROWS, ods, ods_rows, workbook
from tieout.core.errors import TieoutError
from tieout.intake import formats, json_rows, records_file, spreadsheet, workbook_guard
from tieout.intake.csv_dialect import CsvHints, WrongHint
from tieout.intake.formats import FileNotReadable, UnknownFileFormat
from tieout.intake.reading import Direct, DiskFull, FileChanged, InputTooLarge, Limits, ReadOptions, read
from tieout.intake.records import Records
from tieout.intake.records_file import TooManyRows

DATA = Path(__file__).parent / "data"
PLAIN = "ref,day,amount\nP-1,2024-01-01,5\nP-2,2024-01-02,6.5\n"
WANTED = [("P-1", "2024-01-01", "5"), ("P-2", "2024-01-02", "6.5")]


def cells(found: Direct | Records) -> list[tuple[str | None, ...]]:
    if isinstance(found, Records):
        return rows_of(found)
    if found.dialect is not None:
        return fast_rows(found.path, found.dialect)
    return [tuple(row.values()) for row in pq.read_table(found.path).to_pylist()]


def in_every_format(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    objects = [dict(zip(HEAD, row, strict=True)) for row in WANTED]
    as_json = [str(item).replace("'", '"') for item in objects]
    files = {
        "csv": save(folder, PLAIN, "a"),
        "tsv": save(folder, PLAIN.replace(",", "\t"), "b.tsv"),
        "xlsx": workbook(folder / "c", Data=[HEAD, *ROWS]),
        "ods": ods(folder / "d", ods_rows(HEAD, *ROWS)),
        "json": save(folder, f"[{','.join(as_json)}]", "e"),
        "ndjson": save(folder, "\n".join(as_json), "f"),
        "parquet": folder / "g",
    }
    pq.write_table(pa.Table.from_pylist(objects), files["parquet"])
    return files


def test_the_same_table_comes_out_of_every_format(tmp_path):
    found = {}
    for kind, path in in_every_format(tmp_path / "in").items():
        result = read(path, path.name, tmp_path / "out" / kind)
        assert result.format == kind.replace("tsv", "csv")
        assert result.columns == tuple(HEAD)
        found[kind] = cells(result)
    assert found == dict.fromkeys(found, WANTED)


def test_every_bank_format_finds_its_reader(tmp_path):
    for kind, name in {
        "mt940": "jejik/ing.sta",
        "camt": "camt053.v2.minimal.xml",
        "bai2": "sample1.txt",
        "ofx": "checking.ofx",
    }.items():
        records = read(DATA / "bank" / kind / name, "upload", tmp_path / kind)
        assert isinstance(records, Records)
        assert (records.format, records.row_count > 0) == (kind, True)


def test_a_plain_file_is_handed_on_without_a_copy(tmp_path):
    path = save(tmp_path, PLAIN)
    found = read(path, "upload.csv", tmp_path / "out")
    assert isinstance(found, Direct)
    assert (found.path, found.format, found.row_count) == (path, "csv", None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_text_in_another_encoding_is_read_from_a_utf_8_copy(tmp_path, encoding):
    path = save(tmp_path, PLAIN.replace("P-", "Größe-").encode(encoding))
    found = read(path, "upload.csv", tmp_path / "out")
    assert isinstance(found, Direct)
    assert found.path.parent == tmp_path / "out"
    assert [row[0] for row in cells(found)] == ["Größe-1", "Größe-2"]
    assert any("cp1252" in note for note in found.notes) == (encoding == "cp1252")


def test_a_copy_that_is_not_plain_is_not_kept(tmp_path):
    found = read(save(tmp_path, (PLAIN + "é\n").encode("cp1252")), "upload.csv", tmp_path / "out")
    assert isinstance(found, Records)
    assert reasons_of(found) == [(None, 4, "footer")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejected.parquet", "rows.parquet"]


def test_bytes_that_do_not_fit_the_encoding_are_refused_row_by_row(tmp_path):
    content = (
        PLAIN.encode("utf-16-le")
        + "P-3,".encode("utf-16-le")
        + b"\x00\xd8"
        + ",7\nP-4,2024-01-04,8\n".encode("utf-16-le")
    )
    found = read(save(tmp_path, content), "upload.csv", tmp_path / "out")
    assert isinstance(found, Records)
    assert reasons_of(found) == [(3, 4, "wrong_encoding")]
    assert [row[0] for row in rows_of(found)] == ["P-1", "P-2", "P-4"]


def test_what_the_user_says_is_obeyed(tmp_path):
    path = save(tmp_path, "a;b,c\n1;2,3\n")
    assert read(path, "x", tmp_path / "1", options=ReadOptions(csv=CsvHints(delimiter=";"))).columns == ("a", "b,c")
    wrapped = save(tmp_path, '{"a": [{"x": 1}], "b": [{"y": 1}]}', "x.json")
    assert read(wrapped, "x", tmp_path / "2", options=ReadOptions(records="b")).columns == ("y",)
    book = workbook(tmp_path / "x.xlsx", One=[["p", "q"], [1, 2]], Two=[["r", "s"], [1, 2]])
    assert read(book, "x", tmp_path / "3", options=ReadOptions(sheet="Two")).columns == ("r", "s")
    assert read(save(tmp_path, '[{"a": 1}]'), "x", tmp_path / "4", options=ReadOptions(format="csv")).format == "csv"
    with pytest.raises(UnknownFileFormat, match="no format 'word'"):
        read(path, "x", tmp_path / "5", options=ReadOptions(format="word"))


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    path = save(tmp_path, b"\xff" * 100)
    with pytest.raises(InputTooLarge, match=r"upload\.csv has 100 bytes, more than the limit of 99"):
        read(path, "upload.csv", tmp_path / "out", limits=Limits(max_bytes=99))
    assert not (tmp_path / "out").exists()


def test_the_limit_on_rows_holds_in_every_format(tmp_path):
    for kind, path in in_every_format(tmp_path / "in").items():
        with pytest.raises(TooManyRows):
            read(path, path.name, tmp_path / "out" / kind, limits=Limits(max_rows=1))
        read(path, path.name, tmp_path / "out" / kind, limits=Limits(max_rows=2))
    with pytest.raises(TooManyRows):
        read(DATA / "bank/mt940/jejik/ing.sta", "x", tmp_path / "x", limits=Limits(max_rows=1))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = save(tmp_path, PLAIN + "too,few\n")

    def grow(_done: int, _total: int) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write("P-9,2024-01-09,9\n")

    with pytest.raises(FileChanged, match=r"upload\.csv changed while it was read"):
        read(path, "upload.csv", tmp_path / "out", on_progress=grow)


@pytest.mark.parametrize(
    ("content", "target"),
    [
        (PLAIN + "too,few\n", "rows.part-0.parquet"),
        (PLAIN + "too,few\n", "rejected.parquet"),
        (PLAIN.replace("P-", "ö-").encode("utf-16"), "utf8.csv"),
        ('[{"a": 1}]', "rows.part-0.parquet"),
    ],
)
def test_a_full_disk_is_said_to_be_full(tmp_path, content, target):
    out = tmp_path / "out"
    out.mkdir()
    (out / target).symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no space left"):
        read(save(tmp_path, content), "upload", out)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(FileNotReadable):
            read(path, "upload", tmp_path / "out")


@pytest.mark.parametrize("content", [PLAIN.splitlines()[0], PLAIN.splitlines()[0] + "\n\n"])
def test_a_header_alone_is_a_table_without_rows(tmp_path, content):
    found = read(save(tmp_path, content), "upload.csv", tmp_path / "out")
    assert found.columns == tuple(HEAD)
    assert cells(found) == []


def test_no_garbage_leads_to_anything_but_an_error_for_people(tmp_path):
    samples = [
        bytes([a, b]) * 40 for a in (0, 9, 10, 34, 44, 60, 91, 123, 200, 255) for b in (0, 10, 34, 44, 58, 93, 195, 255)
    ]
    samples += [
        start + b"\0garbage\n1,2" * 9
        for start in (b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe", b"<a>", b":20:x\n:25:")
    ]
    for i, content in enumerate(samples):
        try:
            found = read(save(tmp_path, content, f"{i}"), "upload", tmp_path / "out" / str(i))
        except TieoutError as error:
            assert error.subject
        else:
            assert found.columns


def test_every_error_of_this_room_has_a_code_of_its_own():
    modules = (formats, json_rows, records_file, spreadsheet, workbook_guard)
    errors = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, TieoutError)
    }
    errors |= {DiskFull, FileChanged, InputTooLarge, WrongHint}
    errors.discard(TieoutError)
    codes = [error.code for error in errors]
    assert len(set(codes)) == len(codes) > 15
    assert all(re.fullmatch(r"[a-z_]+", code) and code != "error" for code in codes)
