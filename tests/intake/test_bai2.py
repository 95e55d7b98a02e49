"""BAI2: the corpus against its own control totals, and files made by hand for what the corpus lacks."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.intake.bai2 import NotBai2, read_bai2
from tieout.intake.records import Records
from tieout.intake.statement_rows import UnreadableStatement

CORPUS = Path(__file__).parent / "data" / "bank" / "bai2"
FILES = sorted(CORPUS.glob("*.txt"))

TIES = """\
01,021000021,CUSTOMER,240202,0600,1,80,,2/
02,CUSTOMER,021000021,1,240201,2359,USD,2/
03,12345,,010,100000,,,015,112550,,/
88,100,15050,2,,400,2500,1,/
16,165,10000,V,240202,,B-1,INV 7,ACH CREDIT, MUELLER/
16,195,5050,0,B-2,,WIRE/
88,FROM ACME INC/
16,475,2500,Z,B-3,1042,CHECK 1042/
49,247650,7/
98,247650,1,9/
99,247650,1,11/
"""


def rows_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rows).to_pylist()


def rejected_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rejected).to_pylist() if records.rejected else []


@pytest.fixture
def read(tmp_path):
    def read_text(content: str | bytes) -> Records:
        path = tmp_path / "report.bai"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_bai2(path, tmp_path / "out")

    return read_text


def bai2(*details: str, currency: str = "USD", day: str = "240201") -> str:
    """Return a file with these details, whose trailers are right."""
    amounts = [re.match(r"16,[0-9]*,([+-]?[0-9]*)", line) for line in details]
    total = sum(int(found[1]) for found in amounts if found and found[1])
    size = len(details)
    body = "\n".join(details) + "\n" if details else ""
    return (
        f"01,A,B,240202,0600,F1,,,2/\n02,B,A,1,{day},,{currency},2/\n03,ACC,,010,,,/\n{body}"
        f"49,{total},{size + 2}/\n98,{total},1,{size + 4}/\n99,{total},1,{size + 6}/\n"
    )


# --- the corpus -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rows", "received", "paid"), [
    # Sums of the totals 100 and 400 that the files state (sample2 states them for more than it details).
    ("sample1", 17, "3200.00", "-3200.00"),
    ("sample2", 4, "309500.00", "0"),
    ("sample3", 26, "397.13", "-594.18"),
])  # fmt: skip
def test_corpus_file_has_its_details_with_the_sign_of_their_type(name, rows, received, paid, tmp_path):
    amounts = [Decimal(row["amount"]) for row in rows_of(read_bai2(CORPUS / f"{name}.txt", tmp_path))]
    assert len(amounts) == rows
    assert sum(amount for amount in amounts if amount > 0) == Decimal(received)
    assert sum(amount for amount in amounts if amount < 0) == Decimal(paid)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_control_total_and_count_of_the_corpus_holds(path, tmp_path):
    checks = read_bai2(path, tmp_path).checks
    text = path.read_text(encoding="ascii")
    trailers = {code: len(re.findall(rf"(?:^|/\s+){code},[+-]?[0-9]+,", text, re.MULTILINE)) for code in (49, 98, 99)}
    names = Counter(check.name for check in checks)
    assert (names["account_total"], names["group_total"], names["file_total"]) == tuple(trailers.values())
    assert (names["account_records"], names["group_records"], names["file_records"]) == tuple(trailers.values())
    assert [check.message for check in checks if not check.is_ok] == []


def test_stated_totals_are_the_ones_written_in_the_file(tmp_path):
    checks = read_bai2(CORPUS / "sample2.txt", tmp_path).checks
    (total,) = (check for check in checks if check.name == "file_total")
    assert (total.stated, total.currency) == (Decimal("3454500.00"), "USD")


def test_ledger_balances_of_the_corpus_tie(tmp_path):
    checks = [c for c in read_bai2(CORPUS / "sample3.txt", tmp_path).checks if c.name == "closing_balance"]
    assert len(checks) == 15
    assert all(check.is_ok for check in checks)
    assert Decimal("-864.06") in {check.stated for check in checks}


def test_records_on_one_line_and_records_broken_over_lines_are_read(tmp_path):
    rows = rows_of(read_bai2(CORPUS / "sample3.txt", tmp_path))
    assert [(row["__line"], row["amount"]) for row in rows[:3]] == [(3, "25.00"), (3, "5.00"), (4, "1.00")]
    assert rows[8]["memo"] == "111111 ACH_SETL 1111111111 111111111111111 1111111111"


def test_continued_text_and_references_of_the_corpus(tmp_path):
    row = rows_of(read_bai2(CORPUS / "sample2.txt", tmp_path))[2]
    assert (row["reference"], row["customer_reference"]) == ("SP4738", "YRC065321")
    assert row["memo"] == "PROCEEDS OF LETTER OF CREDIT FROM THE ARAMCO OIL CO"
    assert (row["booking_date"], row["value_date"]) == ("2004-06-20", "2004-06-22")


def test_a_changed_amount_breaks_all_three_levels(tmp_path):
    path = tmp_path / "changed.txt"
    path.write_text((CORPUS / "sample1.txt").read_text(encoding="ascii").replace("203500,V", "203600,V"), "ascii")
    broken = {check.name for check in read_bai2(path, tmp_path / "out").checks if not check.is_ok}
    assert broken == {"account_total", "credit_total", "group_total", "file_total"}


# --- files made by hand -----------------------------------------------------------------------------------------


def test_handmade_report_ties(read):
    records = read(TIES)
    assert [row["amount"] for row in rows_of(records)] == ["100.00", "50.50", "-25.00"]
    assert [row["direction"] for row in rows_of(records)] == ["credit", "credit", "debit"]
    assert len(records.checks) == 11
    assert [check.message for check in records.checks if not check.is_ok] == []


def test_handmade_report_that_does_not_tie_fails_its_checks_and_keeps_its_rows(read):
    records = read(TIES.replace("015,112550", "015,112551"))
    broken = {check.name: check.stated - check.computed for check in records.checks if not check.is_ok}
    cent = Decimal("0.01")
    assert broken == {"closing_balance": cent, "account_total": -cent, "group_total": -cent, "file_total": -cent}
    assert records.row_count == 3


def test_references_text_and_value_date_follow_the_funds_type(read):
    first, second, third = rows_of(read(TIES))
    assert (first["value_date"], first["reference"], first["customer_reference"]) == ("2024-02-02", "B-1", "INV 7")
    assert first["memo"] == "ACH CREDIT, MUELLER"
    assert (second.get("value_date"), second["memo"]) == (None, "WIRE FROM ACME INC")
    assert (third["reference"], third["customer_reference"]) == ("B-3", "1042")


@pytest.mark.parametrize(
    ("funds", "rest"),
    [
        ("0", "REF"),
        ("", "REF"),
        ("S,1,2,3", "REF"),
        ("D,2,0,10,1,20", "REF"),
        ("D,0", "REF"),
        ("V,240203,1200", "REF"),
    ],
)
def test_each_funds_type_leaves_the_reference_in_its_place(read, funds, rest):
    (row,) = rows_of(read(bai2(f"16,195,100,{funds},{rest},CUST,TEXT/")))
    assert (row["reference"], row["customer_reference"], row["memo"]) == ("REF", "CUST", "TEXT")


def test_detail_continued_amid_its_fields(read):
    records = read(bai2("16,195,100,S,1/", "88,2,3,REF/", "88,CUST,TEXT/", "88,MORE, TEXT/"))
    (row,) = rows_of(records)
    assert (row["reference"], row["customer_reference"], row["memo"]) == ("REF", "CUST", "TEXT MORE, TEXT")
    assert all(check.is_ok for check in records.checks)


@pytest.mark.parametrize(
    ("currency", "written", "amount"),
    [
        ("JPY", "12345", "12345"),
        ("KWD", "12345", "12.345"),
        ("BHD", "12345", "12.345"),
        ("EUR", "12345", "123.45"),
        ("CLF", "12345", "1.2345"),
        ("USD", "5", "0.05"),
        ("USD", "000000000000007", "0.07"),
    ],
)
def test_decimals_are_those_of_the_currency(read, currency, written, amount):
    (row,) = rows_of(read(bai2(f"16,195,{written},Z,,,/", currency=currency)))
    assert (row["amount"], row["currency"]) == (amount, currency)


@pytest.mark.parametrize(
    ("code", "direction"),
    [("195", "credit"), ("399", "credit"), ("400", "debit"), ("699", "debit"), ("721", "credit"), ("760", "debit")],
)
def test_type_code_decides_the_side(read, code, direction):
    (row,) = rows_of(read(bai2(f"16,{code},100,Z,,,/")))
    assert row["direction"] == direction
    assert str(row["amount"]).startswith("-") == (direction == "debit")


@pytest.mark.parametrize(
    ("line", "reason_code", "column"),
    [
        ("16,195,10.00,Z,,,/", "bad_amount", "amount"),
        ("16,195,ABC,Z,,,/", "bad_amount", "amount"),
        ("16,195,,Z,,,/", "bad_amount", "amount"),
        ("16,195,99999999999999999999,Z,,,/", "amount_out_of_range", "amount"),
        ("16,195,100,V,240230,,,,/", "bad_date", "value_date"),
        ("16,015,100,Z,,,/", "unknown_type_code", "type_code"),
        ("16,XYZ,100,Z,,,/", "unknown_type_code", "type_code"),
        ("16,890,,,,,NOTICE/", "not_cash", "amount"),
    ],
)
def test_bad_detail_is_quarantined_and_the_rest_kept(read, line, reason_code, column):
    records = read(bai2("16,195,100,Z,,,ONE/", line, "16,195,200,Z,,,TWO/"))
    (rejected,) = rejected_of(records)
    assert (rejected["reason_code"], rejected["column"]) == (reason_code, column)
    assert (rejected["row_no"], rejected["line"]) == (2, 5)
    assert [row["__row_no"] for row in rows_of(records)] == [1, 3]


def test_group_without_a_day_quarantines_its_details(read):
    records = read(bai2("16,195,100,Z,,,/", day="240230"))
    assert [(r["reason_code"], r["column"]) for r in rejected_of(records)] == [("bad_date", "booking_date")]


def test_unknown_record_is_quarantined_with_its_line(read):
    (rejected,) = rejected_of(read(bai2("16,195,100,Z,,,ONE/", "17,what,is this/")))
    assert (rejected["reason_code"], rejected["line"], rejected["row_no"]) == ("unknown_record", 5, None)
    assert rejected["raw"] == "17,what,is this"


def test_memo_that_looks_like_a_record_stays_a_memo(read):
    memo = "PAID 12/16,200 ITEMS/ 16,20 MORE, 3/49,5 AND 12/16,195,7"
    (row,) = rows_of(read(bai2(f"16,195,100,Z,,,{memo}/")))
    assert row["memo"] == memo


def test_detail_outside_of_an_account_is_quarantined(read):
    text = bai2("16,195,100,Z,,,/").replace("98,", "16,195,5,Z,,,/\n98,")
    assert [r["reason_code"] for r in rejected_of(read(text))] == ["orphan_record"]


def test_details_that_are_only_part_of_a_total_are_noted(read):
    records = read(bai2("16,195,100,Z,,,/").replace("03,ACC,,010,,,/", "03,ACC,,100,500,,/"))
    assert any("details make up 1.00 of 5.00 USD of credits" in note for note in records.notes)
    assert "credit_total" not in {check.name for check in records.checks}


def test_cut_off_file_keeps_its_rows_and_names_the_missing_trailers(read):
    records = read(TIES[: TIES.index("49,")])
    assert records.row_count == 3
    assert records.checks == ()
    assert [note[:30] for note in records.notes] == [
        "No account trailer (49) for ac",
        "No group trailer (98) for the ",
        "No file trailer (99) for file ",
    ]


def test_unreadable_trailer_is_quarantined(read):
    records = read(TIES.replace("49,247650,7/", "49,2476.50,7/"))
    assert [(r["column"], r["row_no"]) for r in rejected_of(records)] == [("control_total", None)]
    assert "account_total" not in {check.name for check in records.checks}


def test_accounts_in_several_currencies_share_a_total_without_currency(read):
    text = (
        "01,A,B,240202,,1,,,2/\n02,B,A,1,240201,,USD,2/\n03,1,USD,,,,/\n16,195,100,Z,,,/\n49,100,3/\n"
        "03,2,JPY,,,,/\n16,195,100,Z,,,/\n49,100,3/\n98,200,2,8/\n99,200,1,10/\n"
    )
    records = read(text)
    assert [row["amount"] for row in rows_of(records)] == ["1.00", "100"]
    (group,) = (check for check in records.checks if check.name == "group_total")
    assert (group.stated, group.currency, group.is_ok) == (Decimal(200), "", True)


def test_several_files_in_one_are_read(read):
    records = read(TIES + TIES)
    assert records.row_count == 6
    assert [check.is_ok for check in records.checks] == [True] * 22


def test_header_only_has_no_rows_and_says_so(read):
    records = read(bai2())
    assert (records.row_count, [check.is_ok for check in records.checks]) == (0, [True] * 8)
    assert "The file holds no transaction details (16)." in records.notes


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n\n", "   \n"])
def test_line_ends_and_filling_blanks_do_not_matter(read, ending):
    records = read(TIES.replace("\n", ending).encode())
    assert records.row_count == 3
    assert all(check.is_ok for check in records.checks)


def test_record_without_end_is_a_clear_error(read):
    with pytest.raises(UnreadableStatement, match="The record at line 4 goes on for more than 100,000 characters"):
        read(bai2("16,195,100,Z,,,x/", *["88," + "y" * 1000 + "/"] * 200))


@pytest.mark.parametrize("count", ["9" * 5000, "٣", "1e3"])
def test_counts_that_are_no_counts_are_passed_over(read, count):
    assert read(bai2("16,195,100,Z,,,x/").replace("010,,,", f"100,100,{count},")).row_count == 1


def test_latin_text_is_kept(read):
    (row,) = rows_of(read(bai2("16,195,100,Z,,,MÜLLER/").encode("cp1252")))
    assert row["memo"] == "MÜLLER"


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"02,A,B,1,240201,,,/\n", b":20:X\n", b"\x00\xff\x00", b"88,x/\n"]
)
def test_other_file_is_a_clear_error_and_leaves_nothing(read, tmp_path, content):
    with pytest.raises(NotBai2, match=r"report\.bai is not a BAI2 file"):
        read(content)
    assert list((tmp_path / "out").iterdir()) == []


LARGEST = Decimal("9223372036854.775807")


@given(
    amounts=st.lists(st.tuples(st.integers(0, 10**15), st.sampled_from([("195", 1), ("475", -1)])), max_size=8),
    currency=st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3)]),
)
def test_amounts_survive_the_round_trip_and_totals_always_hold(tmp_path_factory, amounts, currency):
    code, places = currency
    folder = tmp_path_factory.mktemp("round")
    path = folder / "a.bai"
    path.write_text(bai2(*(f"16,{kind},{size},Z,,,x/" for size, (kind, _) in amounts), currency=code), "ascii")
    records = read_bai2(path, folder / "out")
    read_back = [int(Decimal(row["amount"]).scaleb(places)) for row in rows_of(records)]
    small = [size * sign for size, (_, sign) in amounts if Decimal(size).scaleb(-places) <= LARGEST]
    assert read_back == small
    assert records.rejected_count == len(amounts) - len(small)
    assert all(check.is_ok for check in records.checks)
