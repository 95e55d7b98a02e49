import pytest

from tieout.intake.table_shape import (
    CellKind,
    RowRole,
    TableProfile,
    find_doubtful,
    find_table,
    is_weak_footer,
    kind_of,
    name_columns,
    role_of,
)


def table(text: str) -> list[list[str]]:
    return [[] if not line else line.split("|") for line in text.strip("\n").split("\n")]


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (CellKind.ABSENT, ["", " ", "-", "N/A", "null", "NaN"]),
        (
            CellKind.NUMBER,
            ["0", "1,234.56", "1.234,56", "(1,234.56)", "1234.56-", "-5", "+5", "$5.00", "5,00 €", "EUR 5"],
        ),
        (CellKind.NUMBER, ["5.00 CR", "12%", "1 234,56", "1'234.56", "1e-7", "007", "\u2212 5"]),
        (CellKind.DATE, ["2024-01-31", "31.01.2024", "1/31/24", "2024-01-31T10:00:00Z", "31 Jan 2024", "Nov 1, 2019"]),
        (CellKind.DATE, ["2026/01/06 00:00:30 -0800", "3:29:44 AM PDT", "10:15", "31-JAN-2024"]),
        (CellKind.CODED, ["TX-001", "12 Main St", "INV2024/5", "1-2-3a", "SB5"]),
        (CellKind.TEXT, ["Amount", "paid", "é"]),
    ],
)
def test_cells_are_told_by_their_look(kind, cells):
    assert {cell: kind_of(cell) for cell in cells} == dict.fromkeys(cells, kind)


@pytest.mark.parametrize(
    ("rows", "header", "columns"),
    [
        ("date|text|amount\n2024-01-01|a|5", 0, ["date", "text", "amount"]),
        (
            "Account|DE12||\nPeriod|January||\n||\nday|ref|text|amount\n2024-01-01|A1|x|5.00",
            3,
            ["day", "ref", "text", "amount"],
        ),
        ("Account;DE12\n\nday|ref|amount\n2024-01-01|A1|5.00\n2024-01-02|A2|6.00", 2, ["day", "ref", "amount"]),
        ("Account|12345|EUR\nday|ref|amount\n2024-01-01|A1|5.00\n2024-01-02|A2|6.00", 1, ["day", "ref", "amount"]),
        ("name|city\nAnn|Rome\nBob|Paris", 0, ["name", "city"]),
        ("ref|name\nTX-1|a\nTX-2|b\nTX-3|c", 0, ["ref", "name"]),
        ("Region|2019|2020|2021\nNorth|1.5|2.5|3.5\nSouth|2.5|3.5|4.5", 0, ["Region", "2019", "2020", "2021"]),
        ("a|b|c", 0, ["a", "b", "c"]),
        ("day|status|amount\npending|x|pending\n2024-01-02|y|6.00\n2024-01-03|z|7.00", 0, ["day", "status", "amount"]),
        ("day|amount\n2024-01-01|5|00\n2024-01-02|6|50\n2024-01-03|7|25", 0, ["day", "amount"]),
        ("|day|amount\n1|2024-01-01|5\n2|2024-01-02|6", 0, ["column_1", "day", "amount"]),
        ("a|b\n1|2|\n3|4|", 0, ["a", "b"]),
    ],
)
def test_the_header_is_the_row_above_the_data_that_is_unlike_it(rows, header, columns):
    found = find_table(table(rows))
    assert (found.header, found.first_data) == (header, header + 1)
    assert list(found.columns) == columns


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ("2024-01-01|a|5\n2024-01-02|b|6", 0),
        ("2024-01-01|a|5", 0),
        ("TX-1|a\nTX-2|b\nTX-3|c", 0),
        ("Account 7\n\n2024-01-01|a|5\n2024-01-02|b|6", 2),
    ],
)
def test_a_first_row_like_those_beneath_is_no_header(rows, first):
    found = find_table(table(rows))
    assert found.header is None
    assert found.first_data == first
    assert found.columns[0] == "column_1"
    assert "no header" in found.notes[0]


def test_there_is_no_table_in_blank_lines():
    assert find_table([]) is None
    assert find_table([[], ["", " "]]) is None


def test_column_names_are_unique_whatever_their_case_and_never_empty():
    names, notes = name_columns(["id", "Amount", "amount", "", "AMOUNT", "two\nlines", "__row_no", "column_4"], 9)
    assert names == (
        "id",
        "Amount",
        "amount_2",
        "column_4",
        "AMOUNT_3",
        "two lines",
        "__row_no_2",
        "column_4_2",
        "column_9",
    )
    assert notes[0].startswith(
        "Columns renamed, as their names were taken already: 'amount' to 'amount_2', 'AMOUNT' to "
    )
    assert notes[1] == "Without a name in the header: column 4, 9."


def test_notes_on_many_columns_stay_short():
    _, notes = name_columns(["x"] * 1000 + [""] * 1000, 2000)
    assert notes[0].endswith("'x' to 'x_11' and 989 more.")
    assert notes[1].endswith("column 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010 and 990 more.")


PROFILE = TableProfile(
    header=("day", "payee", "note", "amount"),
    kinds=(CellKind.DATE, CellKind.TEXT, CellKind.TEXT, CellKind.NUMBER),
    filled=(True, True, False, True),
)


@pytest.mark.parametrize(
    ("row", "role"),
    [
        ("2024-01-01|Total|x|5.00", RowRole.DATA),
        ("Total|||5.00", RowRole.FOOTER),
        ("GRAND TOTAL:|||5.00", RowRole.FOOTER),
        ("|Subtotal||5.00", RowRole.FOOTER),
        ("Summe|||5,00", RowRole.FOOTER),
        ("Closing balance|||5.00", RowRole.FOOTER),
        ("*** End of report ***", RowRole.FOOTER),
        ("Number of records|12", RowRole.FOOTER),
        ("Rows: 12", RowRole.FOOTER),
        ("Generated on 2024-01-31 by Bank", RowRole.FOOTER),
        ("day|payee|note|amount", RowRole.REPEATED_HEADER),
        ("unheard of|x|y|z", RowRole.DATA),
    ],
)
def test_a_footer_is_told_by_its_word_and_by_a_column_that_contradicts(row, role):
    assert role_of(row.split("|"), PROFILE) is role


def test_a_customer_may_be_called_total():
    profile = TableProfile(("payee", "amount"), (CellKind.TEXT, CellKind.NUMBER), (True, True))
    assert role_of(["Total Energies", "5.00"], profile) is RowRole.DATA
    assert role_of(["Total", "5.00"], profile) is RowRole.DATA
    assert is_weak_footer(["Total", "5.00"], profile)
    assert not is_weak_footer(["Total Energies", "5.00"], profile)


def test_a_total_behind_the_figures_closes_a_table_where_cells_are_lacking():
    kinds = (CellKind.NUMBER, CellKind.DATE, CellKind.TEXT)
    profile = TableProfile(("amount", "day", "payee"), kinds, (True, True, True))
    assert is_weak_footer(["5.00", "", "Total"], profile)
    assert not is_weak_footer(["5.00", "2024-01-31", "Total"], profile)
    assert not is_weak_footer(["5.00", "", "ACME"], profile)


def test_records_of_another_type_are_sections_where_the_file_tags_its_records():
    profile = TableProfile(
        ("CH", "id", "amount"), (CellKind.TEXT, CellKind.CODED, CellKind.NUMBER), (True,) * 3, tag="SB"
    )
    assert role_of(["SF", "20039"], profile) is RowRole.SECTION
    assert role_of(["SF", "x1", "5"], profile) is RowRole.SECTION
    assert role_of(["SB", "x1", "5"], profile) is RowRole.DATA


@pytest.mark.parametrize(
    ("row", "is_cut", "expected"),
    [
        ("whatever this says", False, True),
        ("|||5.00", False, False),
        ("2024-01-31|ACM", True, False),
        ("2024-0", True, False),
        ("2024-01-31|ACME|x", False, False),
        ("End of report", True, True),
        ("printed by hand|||", False, True),
    ],
)
def test_a_last_row_that_is_cut_off_is_no_footer(row, is_cut, expected):
    assert is_weak_footer(row.split("|"), PROFILE, is_cut=is_cut) is expected


def test_the_fast_look_passes_over_no_footer():
    words = [
        "Total", "grand total", "Sub-total", "Net total", "Page total", "Final total", "Overall total",
        "Column total", "Report total", "Summe", "Zwischensumme", "Endsumme", "Gesamtbetrag", "insgesamt",
        "Saldo", "Totaal", "Totale", "Sous-total", "Razem", "Celkem", "Итого", "合計", "合计", "总计", "Toplam",
        "End of file", "-- end of data", "EOF", "Number of rows", "No. of items", "Count of lines",
        "Records: 5", "Rows exported: 5", "Items=3", "Lines: 3", "Entries: 3", "Transaction count",
        "Report generated on", "Exported by", "Printed at", "Created on", "Opening balance", "Closing balance",
        "Ending balance", "Starting balance", "Beginning balance",
    ]  # fmt: skip
    short = TableProfile(kinds=(CellKind.DATE,) * 4, filled=(True,) * 4)
    assert [word for word in words if role_of([word], short) is not RowRole.FOOTER] == []
    assert find_doubtful(words) == list(range(len(words)))
    assert find_doubtful(["TX-1", "2024-01-01", "Ann"]) == []
