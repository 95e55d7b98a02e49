import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.intake.tables import careful, fast_rows, places_of, reasons_of, rejected_of, rows_of, save
from tieout.intake.csv_careful import has_more_rows, locate_rows, read_csv_carefully
from tieout.intake.csv_dialect import CsvHints, sniff
from tieout.intake.records_file import TooManyRows

SPECTRUM = Path(__file__).parent / "data/csv-spectrum"
NAUGHTY = Path(__file__).parent / "data/naughty/blns.json"


@pytest.mark.parametrize("path", sorted(SPECTRUM.glob("csvs/*.csv")), ids=lambda path: path.stem)
def test_the_whole_spectrum_reads_as_its_json_says(tmp_path, path):
    records = read_csv_carefully(path, sniff(path), tmp_path)
    expected = json.loads((SPECTRUM / f"json/{path.stem}.json").read_text(encoding="utf-8"))
    expected = expected if isinstance(expected, list) else [expected]
    if path.stem == "location_coordinates":  # its JSON states another number than its CSV
        expected[0]["Contact Phone Number"] = "2095257564"
    assert rejected_of(records) == []
    found = [dict(zip(records.columns, row, strict=True)) for row in rows_of(records)]
    assert found == [{key: value or None for key, value in row.items()} for row in expected]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_naughty_strings_survive(tmp_path, delimiter, newline):
    strings = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    lines = ["number,text", *(f'{i},"{text.replace(chr(34), chr(34) * 2)}"' for i, text in enumerate(strings))]
    content = newline.join(line.replace(",", delimiter, 1) for line in lines)
    records = careful(tmp_path, content.encode())
    assert rejected_of(records) == []
    assert rows_of(records) == [(str(i), text or None) for i, text in enumerate(strings)]


def test_ragged_rows_are_set_apart_and_keep_their_numbers(tmp_path):
    records = careful(tmp_path, "id,text,amount\n1,a,5\n2,b\n\n3,c,7,8\n4,d,9,,\n5,e,\n")
    assert rows_of(records) == [("1", "a", "5"), ("4", "d", "9"), ("5", "e", None)]
    assert places_of(records) == [(1, 2), (4, 6), (5, 7)]
    assert reasons_of(records) == [(2, 3, "ragged_row"), (3, 5, "ragged_row")]
    assert rejected_of(records)[1] == {
        "row_no": 3,
        "line": 5,
        "column": None,
        "reason_code": "ragged_row",
        "reason": "The row has 4 cells, 3 are expected.",
        "raw": "3,c,7,8",
    }
    assert records.notes == ("1 blank line(s) were passed over.",)


def test_a_ragged_row_over_two_lines_stays_one_row(tmp_path):
    records = careful(tmp_path, 'id,text,amount\n1,"a\nb",2,9\n2,b,3\n')
    assert reasons_of(records) == [(1, 2, "ragged_row")]
    assert places_of(records) == [(2, 4)]


def test_bytes_that_are_no_text_refuse_their_row_only(tmp_path):
    content = "id;name;amount\n1;Müller;2\n".encode() + b"2;M\xfcller;3\n3;\x00;4\n" + '4;"é\nü";5\n'.encode()
    records = careful(tmp_path, content)
    assert rows_of(records) == [("1", "Müller", "2"), ("4", "é\nü", "5")]
    assert places_of(records) == [(1, 2), (4, 5)]
    refused = rejected_of(records)
    assert reasons_of(records) == [(2, 3, "wrong_encoding"), (3, 4, "nul_byte")]
    assert [row["column"] for row in refused] == ["name", "name"]
    assert [row["raw"] for row in refused] == ["2;M\\xfcller;3", "3;\\x00;4"]


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [("utf-16-le", b"\x00\xd8"), ("utf-16-be", b"\xd8\x00"), ("cp1252", b"\x81"), ("shift_jis", b"\xff")],
)
def test_undecodable_bytes_are_found_in_any_encoding(tmp_path, encoding, bad):
    lines = ["id,text,amount\n", "1,abc,2\n", "2,", ",3\n", "3,def,4\n"]
    parts = [line.encode(encoding) for line in lines]
    parts.insert(3, bad)
    records = careful(tmp_path, b"".join(parts), CsvHints(encoding=encoding))
    assert rows_of(records) == [("1", "abc", "2"), ("3", "def", "4")]
    assert reasons_of(records) == [(2, 3, "wrong_encoding")]


@pytest.mark.parametrize(
    ("content", "numbers", "reasons"),
    [
        ('id,text\n1,a\n2,"b\n3,c\n4,"d"\n5,e\n', [1, 3, 4, 5], [(2, 3, "unclosed_quote")]),
        ('id,text\n1,a\n2,"b\n3,c\n4,d\n', [1, 3, 4], [(2, 3, "unclosed_quote")]),
        ('id,text,x\n1,a,b\n2,"b,c\n3,c,d\n4,c,d\n5,"d",e\n', [1, 3, 4, 5], [(2, 3, "unclosed_quote")]),
        (
            'id,a,b,c\n1,a,b,c\n2,"b,c,d\n3,c,d,e\n4,c,d,e\n5,",e\n6,f,g,h\n',
            [1, 3, 4, 6],
            [(2, 3, "unclosed_quote"), (5, 6, "unclosed_quote")],
        ),
        ('id,text\n1,"a"b\n2,c\n3,"d"\n', [2, 3], [(1, 2, "stray_quote")]),
    ],
)
def test_a_bad_quote_costs_one_line(tmp_path, content, numbers, reasons):
    records = careful(tmp_path, content)
    assert [number for number, _ in places_of(records)] == numbers
    assert reasons_of(records) == reasons


@pytest.mark.parametrize(
    "content",
    [
        'id, text, amount\n1, "a, b" ,5\n',
        'id,text,amount\n1,"a, b",5\r\n',
        'id,text,amount\r\r\n1,"a, b",5\r\r\n',
        'id,text,amount\n1,"a, b",5\n\x1a',
        'id,text,amount\n1,"a, b",5\n,,\n , \n\t\n',
        '\ufeffid,text,amount\n1,"a, b",5',
        'id,text,amount\n1,"a, b",5,\n1',
    ],
)
def test_sloppy_writing_is_understood(tmp_path, content):
    records = careful(tmp_path, content)
    assert rows_of(records)[0] == ("1", "a, b", "5")
    assert records.row_count == 1


def test_carriage_returns_within_a_line_are_data(tmp_path):
    records = careful(tmp_path, 'id,text\n1,a\rb\n2,"c\rd"\n')
    assert rows_of(records) == [("1", "a\rb"), ("2", "c\rd")]
    assert careful(tmp_path, "id,text\r1,a\r2,b\r").row_count == 2


def test_escaped_quotes_and_files_without_quotes_are_read(tmp_path):
    escaped = careful(tmp_path, 'id,text\n1,"a \\"b\\" c, d"\n2,"C:\\\\dir"\n')
    assert rows_of(escaped) == [("1", 'a "b" c, d'), ("2", "C:\\dir")]
    bare = careful(tmp_path, 'id\ttext\n1\t"a\n2\tb"\n\n')
    assert rows_of(bare) == [("1", '"a'), ("2", 'b"')]


STATEMENT = """\
Account holder;Example GmbH;;;
Account;DE00 1234;;;

Day;Payee;Memo;Debit;Credit
02.01.2024;Landlord;Rent;1.250,00;
03.01.2024;ACME;"Invoice 12; thanks";;99,90
Subtotal;;;1.250,00;99,90
Day;Payee;Memo;Debit;Credit
04.01.2024;Total Fuel;Car;60,00;

Total;;;1.310,00;99,90
Closing balance;;;;-1.210,10
*** End of report ***
"""


def test_a_bank_statement_is_rid_of_what_is_no_record(tmp_path):
    records = careful(tmp_path, STATEMENT)
    assert records.columns == ("Day", "Payee", "Memo", "Debit", "Credit")
    assert [(row[1], row[2]) for row in rows_of(records)] == [
        ("Landlord", "Rent"),
        ("ACME", "Invoice 12; thanks"),
        ("Total Fuel", "Car"),
    ]
    assert places_of(records) == [(1, 5), (2, 6), (3, 9)]
    assert reasons_of(records) == [
        (None, 7, "footer"),
        (None, 8, "repeated_header"),
        (None, 11, "footer"),
        (None, 12, "footer"),
        (None, 13, "footer"),
    ]
    assert records.notes == (
        "2 line(s) above the header were passed over.",
        "1 blank line(s) were passed over.",
        "4 line(s) are no rows and were set aside: footer.",
        "1 line(s) are no rows and were set aside: repeated header.",
    )


SECTIONS = """\
"RH",2026/01/07 02:05:05 -0800,"A","MERCHANT01",008,
"FH",01
"SH",2026/01/06 00:00:00 -0800,2026/01/06 23:59:59 -0800,"MERCHANT01",""
"CH","Transaction ID","Event","Initiated","Debit or Credit","Gross","Currency"
"SB","TX1","T0006",2026/01/06 09:59:55 -0800,"CR",5200,"AUD"
"SB","TX2","T1107",2026/01/06 10:00:00 -0800,"DR",134,"GBP"
"SF",2
"SC",2
"SH",2026/01/06 00:00:00 -0800,2026/01/06 23:59:59 -0800,"MERCHANT02",""
"CH","Transaction ID","Event","Initiated","Debit or Credit","Gross","Currency"
"SB","TX3","T0006",2026/01/06 11:00:00 -0800,"CR",7,"GBP"
"SF",1
"RF",3
"FF",3
"""


def test_a_settlement_report_in_sections_yields_its_records_only(tmp_path):
    records = careful(tmp_path, SECTIONS)
    assert records.columns[:2] == ("CH", "Transaction ID")
    assert [row[1] for row in rows_of(records)] == ["TX1", "TX2", "TX3"]
    assert places_of(records) == [(1, 5), (2, 6), (3, 11)]
    assert [reason for _, _, reason in reasons_of(records)] == ["section_record"] * 3 + ["repeated_header"] + [
        "section_record"
    ] * 3
    assert "6 line(s) are no rows and were set aside: section record." in records.notes


@pytest.mark.parametrize("filler", [0, 200])
def test_a_cut_off_last_row_is_refused_as_a_row_but_a_footer_is_not(tmp_path, filler):
    body = "day,text,amount\n" + "2024-01-01,abc,5.00\n" * (2 + filler)
    number, line = 3 + filler, 4 + filler
    assert reasons_of(careful(tmp_path, body + "2024-01-03,gh")) == [(number, line, "ragged_row")]
    assert reasons_of(careful(tmp_path, body + "2024-01-03,ghi\n")) == [(number, line, "ragged_row")]
    assert reasons_of(careful(tmp_path, body + "12 rows in all\n")) == [(None, line, "footer")]
    assert reasons_of(careful(tmp_path, body + "Total,,10.00")) == [(None, line, "footer")]
    assert reasons_of(careful(tmp_path, body + "note,,\n")) == [(None, line, "footer")]
    assert careful(tmp_path, body + "2024-01-03,,\n").rejected_count == 0


def test_a_line_beyond_the_limit_is_refused_with_its_size(tmp_path):
    content = f'id,text\n1,a\n2,{"x" * 5000}\n3,c\n4,"{"y" * 500}\n{"y" * 4000}"\n5,e\n'
    records = careful(tmp_path, content, max_record_bytes=2000)
    assert rows_of(records) == [("1", "a"), ("3", "c"), ("5", "e")]
    assert reasons_of(records) == [(2, 3, "line_too_long"), (4, 5, "unclosed_quote"), (5, 6, "line_too_long")]
    assert "5,003 bytes" in rejected_of(records)[0]["reason"]
    assert len(rejected_of(records)[0]["raw"]) == 1000


def _in_little_memory(code: str, folder: Path, limit_mib: int) -> str:
    """Run code in a process of its own whose memory is limited, and return what it prints."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mib << 20, limit_mib << 20))

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip()


READ = """
from pathlib import Path
from tieout.intake.csv_careful import read_csv_carefully
from tieout.intake.csv_dialect import sniff
import pyarrow.parquet as pq
path = Path("file.csv")
records = read_csv_carefully(path, sniff(path), Path("out"))
print(records.row_count, pq.read_table(records.rejected).column("reason_code").to_pylist()[:5])
"""


@pytest.mark.parametrize(
    ("opening", "closing", "expected"),
    [
        ("2,", "\n", "2 ['line_too_long']"),
        ('2,"', '"\n', "2 ['line_too_long']"),
        ('2,"', "\n", "2 ['line_too_long']"),
    ],
)
def test_a_line_of_200_mb_takes_no_memory(tmp_path, opening, closing, expected):
    with (tmp_path / "file.csv").open("w", encoding="utf-8") as file:
        file.write(f"id,text\n1,a\n{opening}")
        for _ in range(200):
            file.write("x" * 1_000_000)
        file.write(f"{closing}3,c\n")
    assert _in_little_memory(READ, tmp_path, 400) == expected


def test_a_quote_that_is_never_closed_costs_one_line_and_no_memory(tmp_path):
    with (tmp_path / "file.csv").open("w", encoding="utf-8") as file:
        file.write('id,text,amount\n1,"a,5\n')
        for i in range(2, 1_000_002):
            file.write(f"{i},some text,{i}.00\n")
    assert _in_little_memory(READ, tmp_path, 400) == "1000000 ['unclosed_quote']"


def test_a_large_file_comes_out_in_file_order_with_all_its_lines(tmp_path):
    lines = [f"{i},text {i},{i}.50" for i in range(120_000)]
    lines[70_000] += ",more"
    lines.insert(90_000, "")
    path = save(tmp_path, "id,text,amount\n" + "\n".join(lines) + "\n")
    calls: list[tuple[int, int]] = []
    records = read_csv_carefully(path, sniff(path), tmp_path / "out", lambda done, total: calls.append((done, total)))
    rows, places = rows_of(records), places_of(records)
    assert [row[0] for row in rows] == [str(i) for i in range(120_000) if i != 70_000]
    assert reasons_of(records) == [(70_001, 70_002, "ragged_row")]
    assert places[89_998:90_001] == [(90_000, 90_001), (90_001, 90_003), (90_002, 90_004)]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)


def test_rows_of_a_plain_file_are_found_by_their_number(tmp_path):
    content = 'id,text\n1,"a\nb"\n\n2,c\n3,"d"\n'
    path = save(tmp_path, content)
    dialect = sniff(path)
    assert fast_rows(path, dialect) == [("1", "a\nb"), ("2", "c"), ("3", "d")]
    assert locate_rows(path, dialect, [2, 1]) == {1: (2, '1,"a\nb"'), 2: (5, "2,c")}
    assert locate_rows(path, dialect, [4]) == {}
    assert [has_more_rows(path, dialect, limit) for limit in (2, 3)] == [True, False]


def test_too_many_rows_leave_nothing_behind(tmp_path):
    with pytest.raises(TooManyRows, match=r"upload\.csv has more than 2 rows"):
        careful(tmp_path, "id,text\n1,a\n2\n3,c\n", max_rows=2, name="upload.csv")
    assert list((tmp_path / "out").iterdir()) == []
    assert careful(tmp_path, "id,text\n1,a\n2\n", max_rows=2).row_count == 1
