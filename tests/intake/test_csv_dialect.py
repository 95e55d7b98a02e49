import json
from pathlib import Path

import pytest

from tests.intake.tables import fast_rows, save
from tieout.intake.csv_bare_row import has_bare_row
from tieout.intake.csv_dialect import CsvHints, WrongHint, duckdb_arguments, sniff
from tieout.intake.formats import FileIsEmpty

SPECTRUM = Path(__file__).parent / "data/csv-spectrum"
NAUGHTY = Path(__file__).parent / "data/naughty/blns.json"


def expected_of(name):
    rows = json.loads((SPECTRUM / f"json/{name}.json").read_text(encoding="utf-8"))
    rows = rows if isinstance(rows, list) else [rows]
    if name == "location_coordinates":  # its JSON states another number than its CSV
        rows[0]["Contact Phone Number"] = "2095257564"
    return rows


@pytest.mark.parametrize("path", sorted(SPECTRUM.glob("csvs/*.csv")), ids=lambda path: path.stem)
def test_the_whole_spectrum_has_a_header_and_the_usual_dialect(path):
    dialect = sniff(path)
    assert dialect.columns == tuple(expected_of(path.stem)[0])
    assert (dialect.delimiter, dialect.quote, dialect.escape, dialect.encoding) == (",", '"', "", "utf-8")
    assert dialect.newline == ("\r\n" if "crlf" in path.stem else "\n")
    if dialect.is_plain:
        wanted = [tuple(value or None for value in row.values()) for row in expected_of(path.stem)]
        assert fast_rows(path, dialect) == wanted


def test_only_quotes_beside_spaces_keep_spectrum_files_from_the_fast_way():
    assert {path.stem for path in SPECTRUM.glob("csvs/*.csv") if not sniff(path).is_plain} == {
        "json",
        "quotes_and_newlines",
    }


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("1.234,56;2.345,67\n2.234,56;3.345,67\n", ";"),
        ("a\tb\n1,5\t2\n", "\t"),
        ("id|text|amount\n1|a, b, c|5.00\n2|d, e, f|6.50\n", "|"),
        ("a^b\n1^2\n", "^"),
        ("a~b\n1~2\n", "~"),
        ("a\x1fb\n1\x1f2\n", "\x1f"),
        ("2024-01-01 12:30:00,5.00\n2024-01-01 12:31:00,6.00\n", ","),
        ("day:amount\n1:5\n2:6\n", ":"),
        ("sep=|\na;b|c;d\n1;2|3;4\n", "|"),
        ('id,memo\n1,"x; y; z"\n2,"x; y; w"\n', ","),
    ],
)
def test_the_delimiter_is_the_one_that_makes_a_table(tmp_path, content, delimiter):
    assert sniff(save(tmp_path, content)).delimiter == delimiter


@pytest.mark.parametrize(
    ("content", "quote", "escape"),
    [
        ("a,b\n'1,5',2\n'x',3\n", "'", ""),
        ('a,b\n"x \\"y\\" z, w",2\n"c",3\n', '"', "\\"),
        ('a\tb\n5" pipe\t2\n"x\t3\nx"\t4\n', "", ""),
        ('a,b\n"x",2\n"y,3\n', '"', ""),
        ('a,b\n"{""k"": ""v\\\\""}",2\n', '"', ""),
        ('account,text,amount\n1,"a, b, c",,\n2,"d, e, f",,\n', '"', ""),
    ],
)
def test_quotes_are_those_that_hold_cells_together(tmp_path, content, quote, escape):
    dialect = sniff(save(tmp_path, content))
    assert (dialect.quote, dialect.escape) == (quote, escape)


BANK = (
    "Account:;DE12 3456;;\nPeriod:;01.01.2024 - 31.01.2024;;\n\n"
    'Day;Payee;Memo;Amount\n02.01.2024;Müller;Rent;-1.250,00\n03.01.2024;ACME;"Invoice; 12";99,90\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_lines_above_the_header_are_passed_over_and_the_file_stays_plain(tmp_path, encoding):
    path = save(tmp_path, BANK.encode(encoding))
    dialect = sniff(path)
    assert (dialect.header_line, dialect.skip_lines, dialect.preamble_lines) == (4, 4, 2)
    assert dialect.columns == ("Day", "Payee", "Memo", "Amount")
    assert dialect.notes == ("2 line(s) above the header were passed over.",)
    assert dialect.is_plain
    assert fast_rows(path, dialect) == [
        ("02.01.2024", "Müller", "Rent", "-1.250,00"),
        ("03.01.2024", "ACME", "Invoice; 12", "99,90"),
    ]


def test_a_sep_line_is_obeyed_and_counts_as_a_line_above(tmp_path):
    path = save(tmp_path, "sep=;\r\nid;amount\r\n1;2,50\r\n")
    dialect = sniff(path)
    assert (dialect.header_line, dialect.skip_lines, dialect.newline) == (2, 2, "\r\n")
    assert fast_rows(path, dialect) == [("1", "2,50")]


def test_a_file_without_header_gets_numbered_columns(tmp_path):
    path = save(tmp_path, "2024-01-01,abc,5.00\n2024-01-02,def,6.50\n")
    dialect = sniff(path)
    assert (dialect.header_line, dialect.skip_lines, dialect.columns) == (None, 0, ("column_1", "column_2", "column_3"))
    assert len(fast_rows(path, dialect)) == 2


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    path = save(tmp_path, "date,text,amount")
    dialect = sniff(path)
    assert dialect.columns == ("date", "text", "amount")
    assert fast_rows(path, dialect) == []


def test_repeated_and_empty_names_are_made_unique_with_a_note(tmp_path):
    path = save(tmp_path, "id,amount,Amount,,amount\n1,2,3,4,5\n")
    dialect = sniff(path)
    assert dialect.columns == ("id", "amount", "Amount_2", "column_4", "amount_3")
    assert len(dialect.notes) == 2
    assert fast_rows(path, dialect) == [("1", "2", "3", "4", "5")]


@pytest.mark.parametrize(
    ("content", "obstacle"),
    [
        ("a,b\n1,2\n3\n", "cells"),
        ("a,b\n1,2,3\n", "cells"),
        ('a,b\n1,"2\n', "quote"),
        ('a,b\n1,"2"x\n', "quote"),
        ('a,b\n1, "2"\n', "spaces"),
        ('a,b\n"1" ,2\n', "spaces"),
        ('a,b\n"1" "x",2\n', "quote"),
        (b"a,b\n1,\x002\n", "NUL"),
        ("é,ü\nä,2\n".encode() + b"\xff,3\n", "bytes"),
        ("a,b\r\n1,2\n", "different"),
        ("a,b\n1,2\r\n", "different"),
        ("a,b\n1,x\ry\n", "different"),
        ('a,b\r\n1,"x\ny"\r\n', "different"),
        ("a,b\n1,2\n,\n3,4\n", "delimiters only"),
        ("a,b\n1,2\n  \n3,4\n", "delimiters only"),
        ("a\n1\n2\n", "one column"),
        ('x "y"\n\n\nday,amount\n2024-01-01,2\n', "quotes above"),
        ('"a\nb",c\n1,2\n', "several lines"),
        ("day,amount\n2024-01-01,2\nTotal,\n", "footer"),
        ("name,amount\nBP,2\nTotal,2\n", "footer"),
        ("day,amount\n2024-01-01,2\nday,amount\n2024-01-02,3\n", "header"),
        ('a,b\n"x \\"y\\" z",2\n', "backslash"),
        ("a;b\n1;é\n".encode("cp1252"), "cp1252"),
        ("a;b\n1;é\n".encode("utf-16"), "utf-16-le"),
    ],
)
def test_what_duckdb_would_refuse_or_misread_is_no_plain_file(tmp_path, content, obstacle):
    dialect = sniff(save(tmp_path, content))
    assert not dialect.is_plain
    assert obstacle in " ".join(dialect.obstacles)


FILLER = "".join(f"TX-{i:06},2024-01-01,text {i},{i}.00\n" for i in range(60_000))


@pytest.mark.parametrize(
    ("stranger", "obstacle"),
    [
        (b"TX-1,2024-01-01,te\0xt,1.00\n", "NUL"),
        (b"TX-1,2024-01-01,text,1.00\r\n", "different"),
        (b"id,day,text,amount\n", "header"),
        (b'TX-1, "2024-01-01",text,1.00\n', "spaces"),
        (b'TX-1,2024-01-01,"x" "y",1.00\n', "spaces"),
    ],
)
def test_traps_in_the_middle_of_a_large_file_are_seen(tmp_path, stranger, obstacle):
    half = len(FILLER) // 2
    cut = FILLER.index("\n", half) + 1
    content = b"id,day,text,amount\n" + FILLER[:cut].encode() + stranger + FILLER[cut:].encode()
    dialect = sniff(save(tmp_path, content))
    assert obstacle in " ".join(dialect.obstacles)
    assert sniff(save(tmp_path, content.replace(stranger, b""))).is_plain


def _meeting(shift: int) -> str:
    """Return rows of which the first is so long that the chunks of the file meet within the line after it."""
    head = "id,day,text,amount\n" + FILLER
    padding = "p" * ((1 << 20) - len(head[: 1 << 20].rpartition("\n")[0]) - 12 + shift)
    return head[: 1 << 20].rpartition("\n")[0] + "\n" + f"{padding},2024-01-01,a,1\n"


@pytest.mark.parametrize("shift", range(-40, 48, 4))
@pytest.mark.parametrize(
    ("stranger", "obstacle"),
    [("id,day,text,amount\n", "header"), ('a, "b",c,d\n', "spaces"), ("a,b,c,d\r\n", "different")],
)
def test_traps_are_seen_wherever_the_chunks_of_the_file_meet(tmp_path, shift, stranger, obstacle):
    path = save(tmp_path, f"{_meeting(shift)}{stranger}{FILLER}".encode())
    assert obstacle in " ".join(sniff(path).obstacles)


@pytest.mark.parametrize("shift", [-1, 0, 1, 2])
def test_pairs_of_return_and_feed_are_seen_whole_where_the_chunks_meet(tmp_path, shift):
    table = f"id,day,text,amount\n{FILLER}".replace("\n", "\r\n").encode()
    short = (1 << 20) - 1 - table.rindex(b"\r", 0, 1 << 20) + shift
    content = table.replace(b"text 0", b"text 0" + b"p" * short, 1)
    assert shift or content[(1 << 20) - 1 :].startswith(b"\r\n")
    assert sniff(save(tmp_path, content)).is_plain


@pytest.mark.parametrize("delimiters", [",,,", ",,,,"])
@pytest.mark.parametrize("shift", range(8))
def test_a_row_of_delimiters_only_is_found_wherever_it_stands(tmp_path, shift, delimiters):
    path = save(tmp_path, f"{_meeting(shift)}{delimiters}\n{FILLER}".encode())
    dialect = sniff(path)
    assert dialect.is_plain
    assert has_bare_row(path, dialect)


def test_rows_with_an_empty_cell_are_no_rows_of_delimiters(tmp_path):
    path = save(tmp_path, f"id,day,text,amount\n{FILLER},,x,\nx,,,\n,,,x\n{FILLER}".encode())
    assert not has_bare_row(path, sniff(path))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_each_pure_line_end_is_plain_at_any_size(tmp_path, newline):
    path = save(tmp_path, ("id,day,text,amount\n" + FILLER).replace("\n", newline))
    dialect = sniff(path)
    assert (dialect.newline, dialect.obstacles) == (newline, ())
    assert len(fast_rows(path, dialect)) == 60_000


@pytest.mark.parametrize("footer", ["Total,,,12.00\n", "End of report\n", "12 rows"])
def test_a_footer_at_the_end_of_a_large_file_is_seen(tmp_path, footer):
    assert not sniff(save(tmp_path, "id,day,text,amount\n" + FILLER + footer)).is_plain


def test_letters_that_come_late_decide_the_encoding_all_the_same(tmp_path):
    content = ("id,day,text,amount\n" + FILLER).encode() + "TX-1,2024-01-01,Müller Größe Käufer Prüfung,1.00\n".encode(
        "cp1252"
    )
    dialect = sniff(save(tmp_path, content))
    assert dialect.encoding == "cp1252"
    assert "cp1252, judging by its letters" in dialect.notes[0]


@pytest.mark.parametrize(
    ("hints", "columns", "rows"),
    [
        (CsvHints(delimiter=";"), ("a,b", "c"), [("1,2", "3")]),
        (CsvHints(header_line=0), ("column_1", "column_2"), [("a,b", "c"), ("1,2", "3")]),
        (CsvHints(header_line=2), ("1,2", "3"), []),
        (CsvHints(encoding="UTF-8"), ("a,b", "c"), [("1,2", "3")]),
    ],
)
def test_hints_decide(tmp_path, hints, columns, rows):
    path = save(tmp_path, "a,b;c\n1,2;3\n")
    dialect = sniff(path, hints)
    assert dialect.columns == columns
    assert fast_rows(path, dialect) == rows


def test_an_encoding_that_is_named_is_not_guessed(tmp_path):
    path = save(tmp_path, "a;b\n1;é\n".encode("cp850"))
    assert sniff(path, CsvHints(encoding="cp850")).encoding == "cp850"
    assert sniff(save(tmp_path, "a;b\n1;é\n".encode("utf-16-be")), CsvHints(encoding="utf-16")).encoding == "utf-16-be"


@pytest.mark.parametrize("hints", [CsvHints(header_line=9), CsvHints(encoding="klingon")])
def test_a_hint_that_does_not_fit_is_refused(tmp_path, hints):
    with pytest.raises(WrongHint) as caught:
        sniff(save(tmp_path, "a,b\n1,2\n"), hints, name="upload.csv")
    assert caught.value.remedy


def test_a_file_of_blanks_is_empty(tmp_path):
    with pytest.raises(FileIsEmpty, match=r"upload\.csv"):
        sniff(save(tmp_path, "\n\n \t\n"), name="upload.csv")


def test_duckdb_is_told_everything_so_that_it_guesses_nothing(tmp_path):
    arguments = duckdb_arguments(sniff(save(tmp_path, "a;b\n1;2\n")))
    assert arguments["columns"] == {"a": "VARCHAR", "b": "VARCHAR"}
    assert [
        name for name in ("auto_detect", "null_padding", "ignore_errors", "hive_partitioning") if arguments[name]
    ] == []
    assert arguments["strict_mode"] is True


def test_naughty_strings_survive_in_a_plain_file(tmp_path):
    strings = [text for text in json.loads(NAUGHTY.read_text(encoding="utf-8")) if "\r" not in text]
    lines = ["number,text", *(f'{i},"{text.replace(chr(34), chr(34) * 2)}"' for i, text in enumerate(strings))]
    path = save(tmp_path, "\n".join(lines) + "\n")
    dialect = sniff(path)
    assert dialect.obstacles in ((), ("There are spaces between delimiters and quotes.",))
    assert fast_rows(path, dialect) == [(str(i), text or None) for i, text in enumerate(strings)]
