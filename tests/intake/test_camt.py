"""CAMT: the corpus against its expected parses, and messages made by hand for what the corpus lacks."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tieout.intake.camt import BrokenXml, NotCamt, UnsafeXml, read_camt
from tieout.intake.records import Records

CORPUS = Path(__file__).parent / "data" / "bank" / "camt"
FILES = sorted(CORPUS.glob("*.xml"))
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def rows_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rows).to_pylist()


def rejected_of(records: Records) -> list[dict[str, object]]:
    return pq.read_table(records.rejected).to_pylist() if records.rejected else []


@pytest.fixture
def read(tmp_path):
    def read_text(content: str | bytes) -> Records:
        path = tmp_path / "statement.xml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_camt(path, tmp_path / "out")

    return read_text


# --- builders ---------------------------------------------------------------------------------------------------


def balance(kind: str, amount: str, currency: str = "EUR", side: str = "CRDT") -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>2024-02-01</Dt></Dt></Bal>\n"
    )


def entry(
    amount: str = "10.00",
    side: str = "CRDT",
    *,
    currency: str = "EUR",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    day: str = "<Dt>2024-02-01</Dt>",
    more: str = "",
) -> str:
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{status}'
        f"<BookgDt>{day}</BookgDt><ValDt><Dt>2024-02-02</Dt></ValDt>{more}</Ntry>\n"
    )


def transaction(inner: str) -> str:
    return f"<NtryDtls><TxDtls>{inner}</TxDtls></NtryDtls>"


def statement(*parts: str, number: str = "S1") -> str:
    return (
        f"<Stmt><Id>{number}</Id><Acct><Id><IBAN>DE02120300000000202051</IBAN></Id><Ccy>EUR</Ccy></Acct>\n"
        f"{''.join(parts)}</Stmt>\n"
    )


def message(*statements: str, encoding: str = "UTF-8", kind: str = "BkToCstmrStmt") -> str:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<Document xmlns="{NAMESPACE}"><{kind}>'
        f"<GrpHdr><MsgId>M1</MsgId></GrpHdr>\n{''.join(statements)}</{kind}></Document>\n"
    )


# --- the corpus -------------------------------------------------------------------------------------------------


def objects(tree: object, name: str) -> list[dict[str, object]]:
    """Return every object of the class in an expected parse, in the order of the file."""
    found = []
    if isinstance(tree, dict):
        if str(tree.get("__CLASS__", "")).endswith(f"\\{name}"):
            found.append(tree)
        for value in tree.values():
            found += objects(value, name)
    elif isinstance(tree, list):
        for value in tree:
            found += objects(value, name)
    return found


def expected_entry(path: Path) -> dict[str, object]:
    """Return the last entry that the corpus expects; its expected parses keep only that one."""
    return objects(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), "Entry")[0]


def money(value: dict[str, object]) -> tuple[Decimal, str]:
    return Decimal(value["getAmount"]).scaleb(-2), value["getCurrency"]["getCode"]


def day(value: dict[str, str] | None) -> str | None:
    return value["0"][:10] if value else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_entry_reads_as_its_expected_parse(path, tmp_path):
    records, want = read_camt(path, tmp_path), expected_entry(path)
    assert records.row_count + records.rejected_count == path.read_text(encoding="utf-8").count("<Ntry>")
    if want["getStatus"] != "BOOK":
        (rejected,) = rejected_of(records)
        assert (rejected["reason_code"], rejected["row_no"]) == ("not_booked", 1)
        return
    row = rows_of(records)[-1]
    assert (Decimal(row["amount"]), row["currency"]) == money(want["getAmount"])
    assert row.get("booking_date") == day(want["getBookingDate"])
    assert row.get("value_date") == day(want["getValueDate"])
    assert row["account"] == want["getRecord"]["getAccount"]["getIdentification"]
    assert row["statement_id"] == want["getRecord"]["getId"]
    assert (row.get("entry_info") or "") == want["getAdditionalInfo"]
    if want["getAccountServicerReference"]:
        assert row["reference"] == want["getAccountServicerReference"]
    if want["getBatchPaymentId"]:
        assert row["customer_reference"] == want["getBatchPaymentId"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_codes_parties_and_texts_read_as_expected(path, tmp_path):
    records, want = read_camt(path, tmp_path), expected_entry(path)
    if not records.row_count:
        return
    row = rows_of(records)[-1]
    code = want["getBankTransactionCode"]
    domain, proprietary = code["getDomain"], code["getProprietary"]
    if domain:
        family = domain["getFamily"]
        assert row["type_code"] == f"{domain['getCode']}-{family['getCode']}-{family['getSubFamilyCode']}"
    assert row.get("proprietary_code") == (proprietary["getCode"] if proprietary else None)
    details = objects(want, "EntryTransactionDetail")
    sides = ("Debtor", "UltimateDebtor") if want["getCreditDebitIndicator"] == "CRDT" else ("Creditor",)
    parties = {party["getName"] for side in sides for party in objects(details, side)}
    assert {row["counterparty"]} == parties if len(parties) == 1 else row.get("counterparty") is None
    shared = {found["getEndToEndId"] for found in objects(details, "Reference")}
    assert row.get("end_to_end_id") == (shared.pop() if len(shared) == 1 else None)
    for text in objects(details, "UnstructuredRemittanceInformation"):
        assert text["getMessage"] in row["memo"]
    for text in objects(details, "StructuredRemittanceInformation"):
        assert (text["getAdditionalRemittanceInformation"] or "") in (row.get("memo") or "")


def test_statements_of_the_corpus_that_do_not_tie_are_the_ones_known(tmp_path):
    gaps = {}
    for path in FILES:
        checks = [check for check in read_camt(path, tmp_path).checks if not check.is_ok]
        if checks:
            gaps[path.stem] = [(c.name, c.currency, str(c.stated), str(c.computed)) for c in checks]
    other_currency = [("closing_balance", "EUR", "0", "27.00"), ("closing_balance", "SEK", "-27.00", "0")]
    assert gaps == {
        "camt052.v2": [("batch_count", "", "20", "1")],
        "camt052.v2.other-account": [("batch_count", "", "20", "1")],
        "camt053.v2.all-balance-types": [
            ("closing_balance", "EUR", "4.04", "9.860"),
            ("opening_balance", "EUR", "2.02", "1.01"),
        ],
        "camt053.v2.minimal": other_currency,
        "camt053.v2.minimal.ultimate": other_currency,
        "camt053.v2.with-party-ids": other_currency,
        "camt053.v4": other_currency,
        "camt054.v4": [("batch_count", "", "2", "3"), ("batch_total", "CHF", "6.3", "9.5")],
    }


def test_checks_agree_with_the_balances_of_the_expected_parses(tmp_path):
    for path in FILES:
        found = objects(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")), "Balance")
        stated = {(money(item["getAmount"]), item["getType"]) for item in found}
        closing = {amount for amount, kind in stated if kind == "closing"}
        checks = [check for check in read_camt(path, tmp_path).checks if check.name == "closing_balance"]
        assert {(c.stated, c.currency) for c in checks if c.stated} >= closing


def test_all_statements_of_a_file_are_read_and_tied(tmp_path):
    records = read_camt(CORPUS / "camt053.v2.multi.statement.xml", tmp_path)
    assert [(row["statement_id"][:3], row["amount"]) for row in rows_of(records)] == [("253", "8.85"), ("254", "-7.00")]
    assert [(check.is_ok, check.stated) for check in records.checks] == [(True, Decimal(27)), (True, Decimal(20))]


def test_line_is_where_the_entry_starts(tmp_path):
    for path in FILES:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert all("<Ntry>" in lines[row["__line"] - 1] for row in rows_of(read_camt(path, tmp_path)))


# --- statements made by hand ------------------------------------------------------------------------------------

JANUARY = statement(
    balance("PRCD", "1000.00"),
    balance("CLBD", "912.65"),
    "<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries><Sum>187.35</Sum>"
    "<TtlNetNtry><Amt>87.35</Amt><CdtDbtInd>DBIT</CdtDbtInd></TtlNetNtry></TtlNtries>"
    "<TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>50.00</Sum></TtlCdtNtries>"
    "<TtlDbtNtries><NbOfNtries>2</NbOfNtries><Sum>137.35</Sum></TtlDbtNtries></TxsSummry>\n",
    entry("50.00"),
    entry("100.00", "DBIT"),
    entry("37.35", "DBIT", more="<RvslInd>true</RvslInd>"),
)


def test_handmade_statement_ties_with_its_summary(read):
    records = read(message(JANUARY))
    assert [row["amount"] for row in rows_of(records)] == ["50.00", "-100.00", "-37.35"]
    assert rows_of(records)[2]["reversal"] == "true"
    assert len(records.checks) == 8
    assert all(check.is_ok for check in records.checks)


def test_handmade_statement_without_one_entry_fails_every_check_that_counts_it(read):
    records = read(message(JANUARY.replace(entry("100.00", "DBIT"), "")))
    assert {check.name for check in records.checks if not check.is_ok} == {
        "closing_balance",
        "entry_count",
        "entry_total",
        "debit_count",
        "debit_total",
        "net_total",
    }
    assert records.row_count == 2
    closing = next(check for check in records.checks if check.name == "closing_balance")
    assert (closing.stated, closing.computed) == (Decimal("912.65"), Decimal("1012.65"))


def test_interim_balances_enclose_the_entries_of_an_intraday_report(read):
    report = message(
        statement(balance("ITBD", "5.00"), balance("ITBD", "15.00"), entry("10.00")).replace("Stmt>", "Rpt>"),
        kind="BkToCstmrAcctRpt",
    )
    records = read(report)
    assert [(c.is_ok, c.stated) for c in records.checks] == [(True, Decimal("15.00"))]


def test_page_with_interim_closing_balance_ties(read):
    records = read(
        message(
            statement(balance("OPBD", "5.00"), balance("ITBD", "15.00"), entry("10.00")),
            statement(balance("ITBD", "15.00"), balance("CLBD", "12.00"), entry("3.00", "DBIT")),
        )
    )
    assert [check.is_ok for check in records.checks] == [True, True]


def test_pending_entries_are_quarantined_and_do_not_count_in_the_balance(read):
    records = read(
        message(
            statement(
                balance("OPBD", "0.00"),
                balance("CLBD", "10.00"),
                entry("10.00"),
                entry("99.00", status="<Sts>PDNG</Sts>"),
            )
        )
    )
    assert [r["reason_code"] for r in rejected_of(records)] == ["not_booked"]
    assert [check.is_ok for check in records.checks] == [True]


@pytest.mark.parametrize(
    ("bad", "reason_code", "column"),
    [
        (entry(day="<Dt>2024-02-30</Dt>"), "bad_date", "booking_date"),
        (entry(day="<DtTm>yesterday</DtTm>"), "bad_date", "booking_date"),
        (entry("1,000.00"), "bad_amount", "amount"),
        (entry("-10.00"), "bad_amount", "amount"),
        (entry("0.0000001"), "bad_amount", "amount"),
        (entry("1" * 40), "amount_out_of_range", "amount"),
        (entry("NaN"), "bad_amount", "amount"),
        (entry(side="BOTH"), "bad_sign", "amount"),
        ("<Ntry><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts></Ntry>\n", "bad_amount", "amount"),
    ],
)
def test_bad_entry_is_quarantined_with_its_line_and_the_rest_kept(read, bad, reason_code, column):
    records = read(message(statement(balance("OPBD", "0"), balance("CLBD", "20"), entry(), bad, entry())))
    (rejected,) = rejected_of(records)
    assert (rejected["reason_code"], rejected["column"]) == (reason_code, column)
    assert (rejected["row_no"], rejected["line"]) == (2, 7)
    assert str(rejected["raw"]).startswith("<Ntry>")
    assert [row["__row_no"] for row in rows_of(records)] == [1, 3]
    assert records.checks[0].is_ok


def test_amount_without_currency_takes_the_accounts(read):
    records = read(message(statement(entry().replace(' Ccy="EUR"', ""))))
    assert rows_of(records)[0]["currency"] == "EUR"


def test_conversion_fee_and_identifiers_of_a_card_payment(read):
    details = transaction(
        "<Refs><EndToEndId>E2E-1</EndToEndId><TxId>TX-1</TxId><MndtId>M-1</MndtId></Refs>"
        '<AmtDtls><InstdAmt><Amt Ccy="USD">100.00</Amt></InstdAmt><CntrValAmt><Amt Ccy="EUR">92.50</Amt>'
        "<CcyXchg><SrcCcy>USD</SrcCcy><TrgtCcy>EUR</TrgtCcy><XchgRate>0.9250</XchgRate></CcyXchg></CntrValAmt></AmtDtls>"
        '<Chrgs><Rcrd><Amt Ccy="EUR">1.50</Amt><CdtDbtInd>DBIT</CdtDbtInd></Rcrd>'
        '<Rcrd><Amt Ccy="EUR">0.25</Amt><CdtDbtInd>CRDT</CdtDbtInd></Rcrd></Chrgs>'
        "<RltdPties><Cdtr><Pty><Nm>ACME  Inc</Nm></Pty></Cdtr>"
        "<CdtrAcct><Id><Othr><Id>123</Id></Othr></Id></CdtrAcct></RltdPties>"
        "<RmtInf><Ustrd>Invoice 1</Ustrd><Ustrd>and 2</Ustrd></RmtInf>"
    )
    (row,) = rows_of(read(message(statement(entry("93.75", "DBIT", more=details)))))
    assert (row["original_amount"], row["original_currency"], row["exchange_rate"]) == ("-100.00", "USD", "0.9250")
    assert (row["fee"], row["fee_currency"]) == ("1.25", "EUR")
    assert (row["counterparty"], row["counterparty_account"]) == ("ACME Inc", "123")
    assert (row["end_to_end_id"], row["transaction_id"], row["mandate_id"]) == ("E2E-1", "TX-1", "M-1")
    assert (row["reference"], row["memo"]) == ("E2E-1", "Invoice 1 and 2")


def test_batch_keeps_what_its_transactions_share_and_joins_their_texts(read):
    parts = "".join(
        f"<TxDtls><Refs><EndToEndId>E{n}</EndToEndId></Refs><Amt Ccy='EUR'>5.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        f"<RltdPties><Dbtr><Nm>Shop</Nm></Dbtr></RltdPties><RmtInf><Ustrd>order {n}</Ustrd></RmtInf></TxDtls>"
        for n in (1, 2)
    )
    batch = (
        "<AcctSvcrRef>B-1</AcctSvcrRef><NtryDtls><Btch><NbOfTxs>2</NbOfTxs><TtlAmt Ccy='EUR'>10.00</TtlAmt></Btch>"
        f"{parts}</NtryDtls>"
    )
    records = read(message(statement(entry("10.00", more=batch))))
    (row,) = rows_of(records)
    assert (row["counterparty"], row["memo"], row["transaction_count"]) == ("Shop", "order 1 order 2", "2")
    assert (row["reference"], row.get("end_to_end_id")) == ("B-1", None)
    assert {(check.name, check.is_ok) for check in records.checks} == {("batch_count", True), ("batch_total", True)}


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16", "windows-1252"])
def test_declared_encoding_is_followed(read, encoding):
    text = message(statement(entry(more="<AddtlNtryInf>Gebühr für März</AddtlNtryInf>")), encoding=encoding)
    assert rows_of(read(text.encode(encoding)))[0]["memo"] == "Gebühr für März"


def test_wrapped_and_unnamespaced_messages_are_read(read):
    bare = message(statement(entry())).replace(f' xmlns="{NAMESPACE}"', "")
    assert read(bare).row_count == 1
    wrapped = "<BizMsgEnvlp><AppHdr><Fr/></AppHdr>" + bare.partition("?>\n")[2] + "</BizMsgEnvlp>"
    assert read(wrapped).row_count == 1


def test_statement_without_entries_has_no_rows_and_says_so(read):
    records = read(message(statement(balance("OPBD", "5"), balance("CLBD", "5"))))
    assert (records.row_count, records.checks[0].is_ok) == (0, True)
    assert any("holds no entries" in note for note in records.notes)
    assert pq.read_table(records.rows).num_rows == 0


def test_message_without_statements_says_so(read):
    records = read(message())
    assert (records.row_count, records.notes) == (0, ("The message holds no statement.",))


def test_page_that_is_not_the_last_is_noted(read):
    page = "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>"
    assert any("page 1 is not the last" in note for note in read(message(statement(page, entry()))).notes)


# --- files that are refused -------------------------------------------------------------------------------------

BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "declaration", [BOMB, EXTERNAL, "<!DOCTYPE Document>", '<!DOCTYPE Document SYSTEM "http://127.0.0.1/camt.dtd">']
)
def test_document_types_and_entities_are_refused(read, tmp_path, declaration):
    text = message(statement(entry(more="<AddtlNtryInf>&a;</AddtlNtryInf>")))
    with pytest.raises(UnsafeXml, match=r"statement\.xml declares a document type or entities \(line 1\)"):
        read(text.replace("?>\n", f"?>{declaration}\n", 1))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("inside", [False, True])
def test_extreme_nesting_is_refused(read, inside):
    nest = "<x>" * 100_000
    text = message(statement(entry(more=nest))) if inside else f"<Document>{nest}"
    with pytest.raises(UnsafeXml, match="more than 100 deep"):
        read(text)


def test_endless_text_and_endless_elements_are_refused(read):
    with pytest.raises(UnsafeXml, match="1,000,000 characters in one element"):
        read(message(statement(entry(more=f"<AddtlNtryInf>{'x' * 1_000_001}</AddtlNtryInf>"))))
    with pytest.raises(UnsafeXml, match="200,000 elements in one transaction"):
        read(message(statement(entry(more="<x/>" * 200_001))))


def test_batch_of_many_transactions_is_no_attack(read):
    many = "<NtryDtls>" + "<TxDtls><Refs><EndToEndId>A</EndToEndId></Refs></TxDtls>" * 100_000 + "</NtryDtls>"
    (row,) = rows_of(read(message(statement(entry(more=many)))))
    assert (row["end_to_end_id"], row["transaction_count"]) == ("A", "100000")


def test_cut_off_file_is_an_error_that_names_the_line_and_leaves_nothing(read, tmp_path):
    whole = message(statement(entry(), entry(), entry()))
    with pytest.raises(BrokenXml, match=r"not well-formed XML: .* at line 6"):
        read(whole[: whole.rindex("<Ntry>") + 20])
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x00", b"a,b\n1,2\n", message(statement(entry("ä"))).encode("latin-1"), b"<?xml version='1.0'?>"],
)
def test_what_is_no_xml_is_a_clear_error(read, content):
    with pytest.raises(BrokenXml, match=r"statement\.xml"):
        read(content)


def test_encodings_unknown_to_the_parser_are_a_clear_error(read):
    for encoding in ("x-unknown", "gb2312", "hex"):
        with pytest.raises(BrokenXml, match=r"statement\.xml"):
            read(message(statement(entry()), encoding=encoding))


@pytest.mark.parametrize("root", ["html", "OFX", "Document"])
def test_other_xml_is_a_clear_error(read, root):
    with pytest.raises(NotCamt, match=f"root element is {root}"):
        read(f"<{root}><FIToFICstmrCdtTrf/></{root}>")
