"""OFX: the corpus by counts and sums taken from it another way, and files made by hand for what it lacks."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.intake.ofx import BankRefusedRequest, NotOfx, TruncatedOfx, UnsafeOfx, read_ofx
from tieout.intake.records import Records

CORPUS = Path(__file__).parent / "data" / "bank" / "ofx"
ERRORS = {"error_message", "signon_fail"}
FILES = sorted(path for path in CORPUS.glob("*.ofx") if path.stem not in ERRORS)

SGML = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:USASCII\nCHARSET:1252\n\n"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211"?>\n'


def rows_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rows).to_pylist()


def rejected_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rejected).to_pylist() if records.rejected else []


@pytest.fixture
def read(tmp_path):
    def read_text(content: str | bytes) -> Records:
        path = tmp_path / "statement.ofx"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_ofx(path, tmp_path / "out")

    return read_text


def entry(amount: str = "-6.60", day: str = "20240201120000[-5:EST]", more: str = "<MEMO>coffee") -> str:
    return f"<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>{day}<TRNAMT>{amount}<FITID>F1{more}</STMTTRN>\n"


def bank(*entries: str, currency: str = "USD", header: str = SGML) -> str:
    return (
        f"{header}<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS></SONRS></SIGNONMSGSRSV1>\n"
        f"<BANKMSGSRSV1><STMTTRNRS><TRNUID>T1<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>{currency}"
        f"<BANKACCTFROM><BANKID>1<ACCTID>A1<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST><DTSTART>20240201\n"
        f"{''.join(entries)}</BANKTRANLIST><LEDGERBAL><BALAMT>10.00<DTASOF>20240229</LEDGERBAL></STMTRS>"
        "</STMTTRNRS></BANKMSGSRSV1></OFX>\n"
    )


# --- the corpus -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_amounts_are_the_ones_a_search_for_the_tags_finds(path, tmp_path):
    text = re.split(r"<INVPOSLIST>|<INVBAL>", path.read_text(encoding="ascii"))[0]
    wanted = re.findall(r"<(?:TRNAMT|TOTAL)>\s*([+-]?[0-9.]+)", text)
    rows = rows_of(read_ofx(path, tmp_path))
    assert [Decimal(row["amount"]) for row in rows] == [Decimal(amount) for amount in wanted]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_identifiers_and_dates_are_the_ones_a_search_for_the_tags_finds(path, tmp_path):
    text = path.read_text(encoding="ascii")
    records = read_ofx(path, tmp_path)
    rows = rows_of(records)
    without_cash = len(re.findall(r"<TRANSFER>", text))
    assert records.rejected_count == without_cash
    ids = [found for found in re.findall(r"<FITID>([^<\n]*)", text) if found]
    assert {row["fitid"] for row in rows if row.get("fitid")} <= set(ids)
    assert len([row for row in rows if row.get("fitid")]) == len(ids) - without_cash
    days = re.findall(r"<(?:DTPOSTED|DTTRADE)>(\d{4})(\d\d)(\d\d)", text)
    assert {str(row["booking_date"]) for row in rows} <= {"-".join(day) for day in days}


@pytest.mark.parametrize(
    ("name", "count", "total", "currency"),
    [
        ("anzcc", 1, "-5.50", "AUD"),
        ("bank_medium", 3, "-345.27", "CAD"),
        ("checking", 3, "-59.50", "USD"),
        ("fidelity", 17, "-10526.6700", "USD"),
        ("fidelity-savings", 4, "-1778.3952", "USD"),
        ("investment_401k", 1, "-197.2", "USD"),
        ("investment_medium", 3, "-3.95", "USD"),
        ("ofx-v102-empty-tags", 1, "12.34", "AUD"),
        ("suncorp", 1, "-16.85", "AUD"),
        ("vanguard", 1, "4212.3", "USD"),
        ("vanguard401k", 4, "-2019.0", "USD"),
    ],
)
def test_corpus_file_has_its_sum_added_up_by_hand(name, count, total, currency, tmp_path):
    rows = rows_of(read_ofx(CORPUS / f"{name}.ofx", tmp_path))
    assert (len(rows), sum(Decimal(row["amount"]) for row in rows)) == (count, Decimal(total))
    assert {row["currency"] for row in rows} == {currency}


@pytest.mark.parametrize(
    ("name", "words"), [("error_message", "2000 'General Server Error'"), ("signon_fail", "15500 'Your request could")]
)
def test_error_of_the_bank_is_told_in_its_words(name, words, tmp_path):
    with pytest.raises(BankRefusedRequest, match=re.escape(words)):
        read_ofx(CORPUS / f"{name}.ofx", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["bank_small", "signon_success", "signon_success_no_message", "account_listing_aggregation"],
)
def test_corpus_file_without_statement_has_no_rows_and_says_so(name, tmp_path):
    records = read_ofx(CORPUS / f"{name}.ofx", tmp_path)
    assert (records.row_count, records.notes) == (0, ("The file holds no statement.",))


def test_ledger_balance_is_a_note_because_there_is_no_opening_balance(tmp_path):
    records = read_ofx(CORPUS / "bank_medium.ofx", tmp_path)
    assert records.checks == ()
    assert any("ledger balance 382.34 CAD on 2009-05-23" in note for note in records.notes)


def test_each_account_of_a_file_is_named(tmp_path):
    notes = read_ofx(CORPUS / "multiple_accounts2.ofx", tmp_path).notes
    assert [note[:13] for note in notes if "no entries" in note] == ["account 9100:", "account 9200:"]


def test_line_is_where_the_entry_starts(tmp_path):
    for path in FILES:
        lines = path.read_bytes().decode("ascii").split("\n")
        for row in rows_of(read_ofx(path, tmp_path)):
            assert re.search(r"<(STMTTRN|BUY|SELL|INCOME)", lines[row["__line"] - 1])


def test_trades_carry_security_units_price_and_fee(tmp_path):
    row = rows_of(read_ofx(CORPUS / "fidelity.ofx", tmp_path))[0]
    assert (row["trntype"], row["type_code"], row["security_id"]) == ("BUYSTOCK", "BUY", "458140100")
    assert (row["units"], row["unit_price"], row["fee"]) == ("100.00000", "25.635000000", "7.9500")
    assert Decimal(row["units"]) * Decimal(row["unit_price"]) + Decimal(row["fee"]) == -Decimal(row["amount"])


def test_cdata_and_names_of_the_corpus_are_read(tmp_path):
    (row,) = rows_of(read_ofx(CORPUS / "suncorp.ofx", tmp_path))
    assert row["counterparty"] == "EFTPOS WDL HANDYWAY ALDI STORE"
    assert row["memo"] == "EFTPOS WDL HANDYWAY ALDI STORE GEELONG WEST VICAU"


# --- files made by hand -----------------------------------------------------------------------------------------


def test_handmade_statement_reads_every_field(read):
    more = "<CHECKNUM>77<REFNUM>R-1<SRVRTID>S-1<SIC>5812<NAME>Joe &amp; Co<MEMO>lunch &#233;"
    (row,) = rows_of(read(bank(entry(more=f"<DTUSER>20240131<DTAVAIL>20240203{more}"))))
    assert row == {
        "__row_no": 1,
        "__line": 10,
        "account": "A1",
        "statement_id": "T1",
        "booking_date": "2024-02-01",
        "value_date": "2024-02-03",
        "user_date": "2024-01-31",
        "amount": "-6.60",
        "currency": "USD",
        "reference": "R-1",
        "fitid": "F1",
        "check_number": "77",
        "transaction_id": "S-1",
        "counterparty": "Joe & Co",
        "memo": "lunch é",
        "trntype": "DEBIT",
        "type_code": "5812",
    }


@pytest.mark.parametrize("header", [SGML, XML, "", "\n\n" + SGML, SGML.replace("\n", " "), SGML.replace("\n", "\r\n")])
def test_headers_of_either_version_or_none(read, header):
    assert rows_of(read(bank(entry(), header=header)))[0]["memo"] == "coffee"


def test_closed_and_unclosed_tags_give_the_same_rows(read):
    closed = re.sub(r"<(TRNTYPE|DTPOSTED|TRNAMT|FITID|MEMO|CURDEF|ACCTID)>([^<\n]*)", r"<\1>\2</\1>", bank(entry()))
    assert rows_of(read(closed)) == rows_of(read(bank(entry())))


def test_entry_without_its_end_tag_ends_where_the_next_begins(read):
    records = read(bank(entry("-1.00").replace("</STMTTRN>", ""), entry("-2.00")))
    assert [row["amount"] for row in rows_of(records)] == ["-1.00", "-2.00"]


def test_empty_unclosed_tags_do_not_swallow_what_follows(read):
    (row,) = rows_of(read(bank(entry(more="<CHECKNUM>\n<NAME>\n<MEMO>tea"))))
    assert (row["memo"], row.get("counterparty")) == ("tea", None)


def test_angle_brackets_in_a_memo_are_text(read):
    (row,) = rows_of(read(bank(entry(more="<MEMO>if a < b & c <3"))))
    assert row["memo"] == "if a < b & c <3"


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("+00000000000115.8331", "115.8331"),
        ("-1,50", "-1.50"),
        ("1,234.56", "1234.56"),
        ("-1.234.567,80", "-1234567.80"),
        ("0", "0"),
        ("-0.00", "0.00"),
        (".5", "0.5"),
    ],
)
def test_amounts_as_banks_write_them(read, written, amount):
    assert rows_of(read(bank(entry(written))))[0]["amount"] == amount


@pytest.mark.parametrize(
    ("bad", "reason_code", "column"),
    [
        (entry(day="20240230"), "bad_date", "booking_date"),
        (entry(day="2024-02-01"), "bad_date", "booking_date"),
        (entry(day=""), "bad_date", "booking_date"),
        (entry(more="<DTAVAIL>20241301"), "bad_date", "value_date"),
        (entry("six"), "bad_amount", "amount"),
        (entry(""), "bad_amount", "amount"),
        (entry("1,2,3"), "bad_amount", "amount"),
        (entry("9" * 20), "amount_out_of_range", "amount"),
    ],
)
def test_bad_entry_is_quarantined_with_its_line_and_the_rest_kept(read, bad, reason_code, column):
    records = read(bank(entry("-1.00"), bad, entry("-2.00")))
    (rejected,) = rejected_of(records)
    assert (rejected["reason_code"], rejected["column"]) == (reason_code, column)
    assert (rejected["row_no"], rejected["line"]) == (2, 11)
    assert str(rejected["raw"]).startswith("<STMTTRN><TRNTYPE>DEBIT")
    assert [row["__row_no"] for row in rows_of(records)] == [1, 3]


def test_currency_of_an_entry_goes_before_the_statements(read):
    spent = "<MEMO>x<CURRENCY><CURRATE>1.06<CURSYM>EUR</CURRENCY>"
    converted = "<MEMO>x<ORIGCURRENCY><CURRATE>1.06<CURSYM>EUR</ORIGCURRENCY>"
    first, second, third = rows_of(read(bank(entry(more=spent), entry(more=converted), entry())))
    assert (first["currency"], first["exchange_rate"], first["original_currency"]) == ("EUR", "1.06", None)
    assert (second["currency"], second["exchange_rate"], second["original_currency"]) == ("USD", "1.06", "EUR")
    assert (third["currency"], third["exchange_rate"]) == ("USD", None)


def test_one_refused_answer_among_good_ones_is_a_note(read):
    failed = "<STMTTRNRS><TRNUID>2<STATUS><CODE>2003<SEVERITY>ERROR<MESSAGE>Account not found</STATUS></STMTTRNRS>"
    records = read(bank(entry()).replace("</BANKMSGSRSV1>", f"{failed}</BANKMSGSRSV1>"))
    assert records.row_count == 1
    assert any("2003 'Account not found'" in note for note in records.notes)


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("1252", "cp1252"), ("ISO-8859-1", "latin-1"), ("8859-2", "iso-8859-2"), ("NONE", "utf-8")],
)
def test_declared_charset_is_followed(read, charset, encoding):
    text = bank(entry(more="<MEMO>Gebühr")).replace("CHARSET:1252", f"CHARSET:{charset}")
    records = read(text.encode(encoding))
    assert rows_of(records)[0]["memo"] == "Gebühr"
    assert not any("declares the encoding" in note for note in records.notes)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_utf8_is_recognised_whatever_the_header_says(read, bom):
    records = read(bom + bank(entry(more="<MEMO>Gebühr €")).encode())
    assert rows_of(records)[0]["memo"] == "Gebühr €"


def test_text_that_is_not_in_its_declared_encoding_is_remarked(read):
    records = read(bank(entry(more="<MEMO>Gebühr"), header=XML).encode("cp1252"))
    assert rows_of(records)[0]["memo"] == "Gebühr"
    assert any("declares the encoding utf-8 but is not valid in it" in note for note in records.notes)


@pytest.mark.parametrize("declared", ["hex", "zlib", "undefined", "idna", "x-none"])
def test_codecs_that_are_no_text_encodings_are_not_followed(read, declared):
    header = XML.replace("UTF-8", declared)
    assert read(bank(entry(), header=header)).row_count == 1


def test_character_references_that_are_no_characters_stay_as_they_are(read):
    (row,) = rows_of(read(bank(entry(more="<MEMO>&#xD800; &#9999999; &unknown; &#x41;"))))
    assert row["memo"] == "&#xD800; &#9999999; &unknown; A"


def test_statement_of_more_than_one_read_keeps_rows_and_lines(read):
    count = 15_000
    records = read(bank(*(entry(f"-{n}.01", more=f"<MEMO>row {n} " + "x" * 60) for n in range(count))))
    rows = rows_of(records)
    assert [row["__line"] for row in rows] == list(range(10, 10 + count))
    assert sum(Decimal(row["amount"]) for row in rows) == -sum(Decimal(f"{n}.01") for n in range(count))


def test_cut_off_file_is_an_error_that_names_the_line_and_leaves_nothing(read, tmp_path):
    whole = bank(entry(), entry(), entry())
    with pytest.raises(TruncatedOfx, match="ends at line 12 within <STMTTRN>"):
        read(whole[: whole.rindex("<FITID>")])
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_end_tags_after_the_last_entry_are_a_note(read):
    whole = bank(entry())
    records = read(whole[: whole.index("</STMTRS>")])
    assert records.row_count == 1
    assert any("ends without </OFX>" in note for note in records.notes)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"<html><body>OFX</body></html>", b"\x00\xff\x00", b":20:X\n"])
def test_other_file_is_a_clear_error_and_leaves_nothing(read, tmp_path, content):
    with pytest.raises(NotOfx, match=r"statement\.ofx is not an OFX file"):
        read(content)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("declaration", ['<!DOCTYPE OFX [<!ENTITY a "b">]>', '<!ENTITY a SYSTEM "file:///etc/passwd">'])
def test_document_types_and_entities_are_refused(read, declaration):
    with pytest.raises(UnsafeOfx, match="declares a document type or entities"):
        read(bank(entry(), header=XML + declaration))


def test_extreme_nesting_and_endless_values_are_refused(read):
    with pytest.raises(UnsafeOfx, match="more than 100 deep"):
        read("<OFX>" + "<X>" * 100_000)
    with pytest.raises(UnsafeOfx, match="1,000,000 characters in one element"):
        read(bank(entry(more="<MEMO>" + "x" * 4_000_000)))


@given(
    amounts=st.lists(
        st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False, allow_infinity=False), max_size=8
    )
)
def test_amounts_survive_the_round_trip(tmp_path_factory, amounts):
    folder = tmp_path_factory.mktemp("round")
    path = folder / "a.ofx"
    path.write_text(bank(*(entry(f"{amount:f}") for amount in amounts)), encoding="ascii")
    assert [Decimal(row["amount"]) for row in rows_of(read_ofx(path, folder / "out"))] == amounts
