"""Read ISO 20022 account reports: camt.052 (intraday), camt.053 (statement) and camt.054 (notification).

A small parser of our own over a hardened expat: it knows the line of each entry,
holds one entry's details at a time whatever the size of the file, and takes every version
of the messages, since the elements it reads kept their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Protocol
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape
from xml.sax.xmlreader import AttributesNSImpl, InputSource

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from tieout.intake.records import Check, Records
from tieout.intake.statement_rows import (
    Refusal,
    StatementRows,
    UnreadableStatement,
    add,
    count_check,
    exact_amount,
    iso_day,
    negate,
    one_line,
    plain,
    sum_check,
    tally,
    tie_balances,
    whole_number,
)

COLUMNS = (
    "account",
    "account_name",
    "statement_id",
    "booking_date",
    "value_date",
    "amount",
    "currency",
    "reference",
    "customer_reference",
    "end_to_end_id",
    "transaction_id",
    "creditor_reference",
    "counterparty",
    "counterparty_account",
    "memo",
    "entry_info",
    "type_code",
    "proprietary_code",
    "transaction_count",
    "mandate_id",
    "original_amount",
    "original_currency",
    "exchange_rate",
    "fee",
    "fee_currency",
    "reversal",
)

MAX_DEPTH = 100
MAX_TEXT_CHARS = 1_000_000
MAX_ENTRY_ELEMENTS = 200_000
MAX_MEMO_CHARS = 10_000

_MESSAGES = {
    "BkToCstmrAcctRpt": "camt.052",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
}
_STATEMENTS = {"Rpt", "Stmt", "Ntfctn"}
_PLACEHOLDERS = {"NOTPROVIDED", "NOT PROVIDED", "NONREF"}
_OPENINGS = ("OPBD", "PRCD")
_CLOSING, _INTERIM = "CLBD", "ITBD"


class NotCamt(UnreadableStatement):
    """The file is XML, but no message of the camt.052, 053 or 054 family."""

    code = "not_camt"


class BrokenXml(UnreadableStatement):
    """The XML is cut off or malformed, so what it still says cannot be trusted."""

    code = "broken_xml"


class UnsafeXml(UnreadableStatement):
    """The XML does what no statement needs: a document type, entities, extreme nesting or size."""

    code = "unsafe_xml"


class _Element:
    """One element with its text and children; small, because there are millions."""

    __slots__ = ("children", "currency", "line", "name", "text")

    def __init__(self, name: str, line: int, currency: str | None) -> None:
        self.name = name
        self.line = line
        self.currency = currency
        self.text = ""
        self.children: list[_Element] = []

    def all(self, path: str) -> Iterator[_Element]:
        """Yield the elements at `path`, in document order."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if child.name == name:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def find(self, *paths: str) -> _Element | None:
        """Return the first element at the first path that has one."""
        return next((found for path in paths for found in self.all(path)), None)

    def value(self, *paths: str) -> str | None:
        """Return the first text that is not blank at the first path that has one."""
        return next((text for path in paths for found in self.all(path) if (text := found.text.strip())), None)

    def __str__(self) -> str:
        attribute = f' Ccy="{escape(self.currency)}"' if self.currency else ""
        inner = escape(self.text.strip()) + "".join(str(child) for child in self.children)
        return f"<{self.name}{attribute}>{inner}</{self.name}>"


@dataclass
class _Details:
    """What the transactions (TxDtls) of one entry say together, taken in one at a time."""

    count: int = 0
    values: dict[str, dict[str, None]] = field(default_factory=dict)
    memos: dict[str, None] = field(default_factory=dict)
    memo_chars: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)
    without_amount: int = 0

    def offer(self, column: str, value: str | None) -> None:
        """Remember a value; two different ones are enough to know that it is not shared."""
        known = self.values.setdefault(column, {})
        if value and len(known) < 2:
            known[value] = None

    def offer_memo(self, memo: str | None) -> None:
        """Remember a text once, until there is more of it than anyone reads."""
        if memo and memo not in self.memos and self.memo_chars < MAX_MEMO_CHARS:
            self.memos[memo] = None
            self.memo_chars += len(memo)

    def shared(self, column: str) -> str | None:
        """Return the value that all transactions of the entry agree on."""
        known = list(self.values.get(column, ()))
        return known[0] if len(known) == 1 else None


@dataclass
class _Statement:
    """What is known of one statement, report or notification while it is read."""

    id: str = ""
    account: str = ""
    account_name: str | None = None
    currency: str = ""
    balances: list[tuple[str, str, Decimal]] = field(default_factory=list)
    broken_balances: bool = False
    summary: _Element | None = None
    booked: dict[str, Decimal] = field(default_factory=dict)
    credits: dict[str, Decimal] = field(default_factory=dict)
    debits: dict[str, Decimal] = field(default_factory=dict)
    credit_count: int = 0
    debit_count: int = 0
    entries: int = 0
    refused: int = 0
    details: _Details = field(default_factory=_Details)

    @property
    def subject(self) -> str:
        named = (("account", self.account), ("statement", self.id))
        return ", ".join(f"{word} {value}" for word, value in named if value) or "statement"


class _Located(Protocol):
    def getLineNumber(self) -> int: ...  # noqa: N802 - the name is the SAX interface's


def read_camt(path: Path, out_dir: Path, name: str = "") -> Records:
    """Read the file into one row a booked entry (Ntry); pending ones are quarantined as `not_booked`.

    Amounts are positive for credits, in the entry's currency, with the digits of the file. What
    the transactions of a batch agree on is filled in, their texts are joined. Opening + booked entries are
    held against the closing balance, per statement and currency, and the stated numbers and sums of
    entries (TxsSummry) and batches (Btch) against those found. Raises NotCamt, BrokenXml (a file that is
    cut off is refused whole, as its balances cannot be checked) or UnsafeXml.
    """
    name = name or path.name
    with StatementRows(out_dir, COLUMNS) as rows:
        reader = _Reader(rows, name)
        with path.open("rb") as stream:
            _parse(stream, reader, name)
        if not reader.message:
            raise _not_camt(name, reader.root)
        if not reader.statements:
            rows.note("The message holds no statement.")
        return rows.finish("camt")


def _parse(stream: BinaryIO, reader: _Reader, file_name: str) -> None:
    parser = DefusedExpatParser(namespaceHandling=1, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(reader)
    source = InputSource()
    source.setByteStream(stream)
    try:
        parser.parse(source)
    except DefusedXmlException:
        raise UnsafeXml(
            f"{file_name} declares a document type or entities (line {parser.getLineNumber()}), "
            "which no bank statement needs and which can be used to attack its reader.",
            subject=file_name,
            remedy="Ask whoever sent it for a file without them.",
        ) from None
    except SAXParseException as error:
        raise BrokenXml(
            f"{file_name} is not well-formed XML: {error.getMessage()} at line {error.getLineNumber()}.",
            subject=file_name,
            remedy="It may be cut off or damaged: fetch it again.",
        ) from None
    except (LookupError, ValueError) as error:
        if reader.root:
            raise
        raise BrokenXml(
            f"{file_name} cannot be read as XML in the encoding it declares: {error}.",
            subject=file_name,
            remedy="Ask for it in UTF-8.",
        ) from None


def _not_camt(file_name: str, root: str) -> NotCamt:
    return NotCamt(
        f"{file_name} is XML, but its root element is {root[:60] or 'missing'} and it holds no camt.052, camt.053 or "
        "camt.054 message.",
        subject=file_name,
        remedy="Check that this is the file you meant.",
    )


class _Reader(ContentHandler):
    """Builds the elements of one statement part at a time and drops each once it is taken."""

    def __init__(self, rows: StatementRows, file_name: str) -> None:
        super().__init__()
        self.message = ""
        self.root = ""
        self.statements = 0
        self._rows = rows
        self._file_name = file_name
        self._locator: _Located | None = None
        self._names: list[str] = []
        self._open: list[_Element] = []
        self._text: list[str] = []
        self._text_chars = 0
        self._elements = 0
        self._statement: _Statement | None = None

    def setDocumentLocator(self, locator: _Located) -> None:  # type: ignore[override]  # noqa: N802
        self._locator = locator

    def startElementNS(  # noqa: N802
        self, name: tuple[str | None, str], qname: str | None, attrs: AttributesNSImpl
    ) -> None:
        del qname
        local = name[1]
        self._names.append(local)
        if len(self._names) > MAX_DEPTH:
            raise self._unsafe(f"nests elements more than {MAX_DEPTH} deep")
        if not self.root:
            self.root = local
        if self._statement is None:
            self._start_outside(local)
            return
        currency = attrs.get((None, "Ccy")) if len(attrs) else None
        self._elements += 1
        if self._elements > MAX_ENTRY_ELEMENTS:
            raise self._unsafe(f"holds more than {MAX_ENTRY_ELEMENTS:,} elements in one transaction")
        self._open.append(_Element(local, self._line(), currency))
        self._text.clear()
        self._text_chars = 0

    def characters(self, content: str) -> None:
        if not self._open:
            return
        self._text_chars += len(content)
        if self._text_chars > MAX_TEXT_CHARS:
            raise self._unsafe(f"holds more than {MAX_TEXT_CHARS:,} characters in one element")
        self._text.append(content)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802
        del qname
        self._names.pop()
        if not self._open:
            if self._statement and name[1] in _STATEMENTS:
                self._end_statement(self._statement)
                self._statement = None
            return
        element = self._open.pop()
        if not element.children:
            element.text = "".join(self._text)
        self._text.clear()
        self._text_chars = 0
        statement = self._statement
        if statement is None:
            return
        if element.name == "TxDtls" and self._open:
            _take_transaction(statement.details, element)
            self._elements = 0
        elif self._open:
            self._open[-1].children.append(element)
        else:
            self._take_part(statement, element)
            self._elements = 0

    def _start_outside(self, local: str) -> None:
        if local in _MESSAGES:
            self.message = _MESSAGES[local]
        elif self.message and local in _STATEMENTS:
            self._statement = _Statement()
            self.statements += 1
        elif not self.message and len(self._names) == 1 and local not in _WRAPPERS and not local.endswith("Envlp"):
            raise _not_camt(self._file_name, local)

    def _line(self) -> int:
        return self._locator.getLineNumber() if self._locator else 0

    def _unsafe(self, what: str) -> UnsafeXml:
        return UnsafeXml(
            f"{self._file_name} {what} (line {self._line()}), as no bank statement does.",
            subject=self._file_name,
            remedy="Check that this is the file you meant.",
        )

    def _take_part(self, statement: _Statement, part: _Element) -> None:
        match part.name:
            case "Id":
                statement.id = part.text.strip()
            case "Acct":
                statement.account = part.value("Id/IBAN", "Id/Othr/Id", "Id/PrtryAcct/Id", "Id/BBAN") or ""
                statement.account_name = part.value("Nm")
                statement.currency = part.value("Ccy") or ""
            case "Bal":
                self._take_balance(statement, part)
            case "TxsSummry":
                statement.summary = part
            case "Ntry":
                self._take_entry(statement, part)
            case "StmtPgntn" | "RptPgntn" | "NtfctnPgntn":
                if part.value("LastPgInd") in {"false", "0"}:
                    page = part.value("PgNb") or "this page"
                    self._rows.note(f"{statement.subject}: page {page} is not the last of it.")
            case _:
                pass

    def _take_balance(self, statement: _Statement, part: _Element) -> None:
        kind = part.value("Tp/CdOrPrtry/Cd", "Tp/Cd") or ""
        if kind not in (*_OPENINGS, _CLOSING, _INTERIM):
            return
        money = _money(part, "balance")
        if isinstance(money, Refusal):
            statement.broken_balances = True
            self._rows.reject(None, part.line, money, str(part))
            return
        statement.balances.append((kind, *money))

    def _take_entry(self, statement: _Statement, part: _Element) -> None:
        details, statement.details = statement.details, _Details()
        row_no = self._rows.number()
        statement.entries += 1
        self._rows.checks.extend(_batch_checks(statement, part, details))
        money = _money(part, "amount", statement.currency)
        if isinstance(money, Refusal):
            statement.refused += 1
            self._rows.reject(row_no, part.line, money, str(part))
            return
        currency, amount = money
        credit = part.value("CdtDbtInd") == "CRDT"
        tally(statement.credits if credit else statement.debits, currency, amount.copy_abs())
        statement.credit_count += credit
        statement.debit_count += not credit
        status = part.value("Sts/Cd", "Sts", "Sts/Prtry") or "BOOK"
        if status != "BOOK":
            refusal = Refusal("status", "not_booked", f"The entry is {status[:60]}, not booked.")
            self._rows.reject(row_no, part.line, refusal, str(part))
            return
        row = _row(part, currency, amount, details)
        if isinstance(row, Refusal):
            statement.refused += 1
            self._rows.reject(row_no, part.line, row, str(part))
            return
        tally(statement.booked, currency, amount)
        row |= {
            "account": statement.account,
            "account_name": statement.account_name,
            "statement_id": statement.id,
        }
        self._rows.add(row_no, part.line, row)

    def _end_statement(self, statement: _Statement) -> None:
        if not statement.entries:
            self._rows.note(f"{statement.subject}: it holds no entries.")
        if statement.summary:
            self._rows.checks.extend(_summary_checks(statement, statement.summary))
        opening, closing = _opening_and_closing(statement.balances)
        if opening and closing:
            refused = statement.refused
            checks = tie_balances(statement.subject, opening, closing, statement.booked, refused=refused)
            self._rows.checks.extend(checks)
        elif self.message == "camt.054" and not statement.balances:
            self._rows.note(f"{statement.subject}: a notification states no balances, so it cannot be tied out.")
        else:
            missing = "closing" if opening else "opening" if closing else "opening or closing"
            why = "readable " if statement.broken_balances else ""
            self._rows.note(f"{statement.subject}: no {why}{missing} balance, so its entries cannot be tied out.")
        self._rows.checks.extend(_previous_checks(statement))


_WRAPPERS = {"Document", "Envelope", "RequestPayload", "Message", "DataPDU", "Saa", *_MESSAGES}


def _money(part: _Element, column: str, default_currency: str = "") -> tuple[str, Decimal] | Refusal:
    """Return currency and signed amount of an element with Amt and CdtDbtInd."""
    amount = part.find("Amt")
    if amount is None:
        return Refusal(column, "bad_amount", "There is no amount (Amt).")
    size = exact_amount(amount.text, column=column)
    if isinstance(size, Refusal):
        return size
    if size.is_signed() and not size.is_zero():
        said = f"{amount.text.strip()[:60]!r} is negative; the side is told by CdtDbtInd."
        return Refusal(column, "bad_amount", said)
    currency = (amount.currency or "").strip() or default_currency
    if not currency:
        return Refusal("currency", "bad_currency", "The amount has no currency (Ccy).")
    side = part.value("CdtDbtInd")
    if side not in {"CRDT", "DBIT"}:
        return Refusal(column, "bad_sign", f"The side is {side or 'missing'}, neither CRDT nor DBIT.")
    return currency, negate(size) if side == "DBIT" else size


def _take_transaction(details: _Details, part: _Element) -> None:
    details.count += 1
    for column, value in _transaction_values(part):
        details.offer(column, value)
    details.offer_memo(_memo(part))
    amount = part.find("Amt", "AmtDtls/TxAmt/Amt")
    size = exact_amount(amount.text) if amount else None
    if amount and amount.currency and isinstance(size, Decimal):
        tally(details.totals, amount.currency, size)
    else:
        details.without_amount += 1


def _transaction_values(part: _Element) -> Iterator[tuple[str, str | None]]:
    yield "bank_reference", part.value("Refs/AcctSvcrRef")
    yield "end_to_end_id", _identifier(part.value("Refs/EndToEndId"))
    yield "instruction_id", _identifier(part.value("Refs/InstrId", "Refs/PmtInfId"))
    yield "transaction_id", _identifier(part.value("Refs/TxId", "Refs/UETR"))
    yield "mandate_id", _identifier(part.value("Refs/MndtId"))
    yield "creditor_reference", part.value("RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/CdtrRefInf/CdtrRef")
    for side in ("Dbtr", "Cdtr"):
        parties = (f"RltdPties/{side}", f"RltdPties/Ultmt{side}")
        yield f"{side}.name", one_line(part.value(*(f"{party}{leaf}" for party in parties for leaf in _NAMES)))
        yield f"{side}.account", part.value(f"RltdPties/{side}Acct/Id/IBAN", f"RltdPties/{side}Acct/Id/Othr/Id")
    yield from _conversion(part).items()


_NAMES = ("/Nm", "/Pty/Nm", "/Agt/FinInstnId/Nm")


def _conversion(part: _Element) -> dict[str, str | None]:
    """Return instructed (or transaction) amount, rate and charges of an entry or a transaction."""
    original = part.find("AmtDtls/InstdAmt/Amt", "AmtDtls/TxAmt/Amt") or (
        part.find("Amt") if part.name == "TxDtls" else None
    )
    size = exact_amount(original.text) if original else None
    fee, fee_currency = _charges(part)
    rates = (f"AmtDtls/{kind}/CcyXchg/XchgRate" for kind in ("CntrValAmt", "InstdAmt", "TxAmt", "AnncdPstngAmt"))
    return {
        "original_amount": plain(size) if isinstance(size, Decimal) else None,
        "original_currency": original.currency if original else None,
        "is_instructed": "true" if part.find("AmtDtls/InstdAmt/Amt") else None,
        "exchange_rate": part.value(*rates),
        "fee": fee,
        "fee_currency": fee_currency,
    }


def _charges(part: _Element) -> tuple[str | None, str | None]:
    """Return the charges in their one currency, positive when they cost; version 2 repeats Chrgs, later ones Rcrd."""
    stated = part.find("Chrgs/TtlChrgsAndTaxAmt")
    records = [stated] if stated else [*part.all("Chrgs/Rcrd"), *(c for c in part.all("Chrgs") if c.find("Amt"))]
    total, currencies = Decimal(0), set()
    for record in records:
        amount = record if record is stated else record.find("Amt")
        size = exact_amount(amount.text) if amount else None
        if amount is None or not isinstance(size, Decimal):
            return None, None
        total = add(total, negate(size) if record.value("CdtDbtInd") == "CRDT" else size)
        currencies.add(amount.currency)
    return (plain(total), currencies.pop()) if len(currencies) == 1 else (None, None)


def _memo(part: _Element) -> str | None:
    told = [element.text for element in part.all("RmtInf/Ustrd")]
    told += [element.text for element in part.all("RmtInf/Strd/AddtlRmtInf")]
    return one_line(*told) or one_line(part.value("AddtlTxInf"))


def _identifier(value: str | None) -> str | None:
    return None if value and value.upper() in _PLACEHOLDERS else value


def _row(part: _Element, currency: str, amount: Decimal, details: _Details) -> dict[str, str | None] | Refusal:
    days: dict[str, str | None] = {}
    for column, tag in (("booking_date", "BookgDt"), ("value_date", "ValDt")):
        stated = part.value(f"{tag}/Dt", f"{tag}/DtTm")
        day = iso_day(stated, column=column) if stated else None
        if isinstance(day, Refusal):
            return day
        days[column] = day
    batch = part.value("NtryDtls/Btch/NbOfTxs")
    other = "Dbtr" if part.value("CdtDbtInd") == "CRDT" else "Cdtr"
    own_reference = _identifier(part.value("AcctSvcrRef")) or details.shared("bank_reference")
    entry_info = one_line(part.value("AddtlNtryInf"))
    family = [part.value(f"BkTxCd/Domn/{leaf}") for leaf in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    proprietary = part.value("BkTxCd/Prtry/Cd")
    standard = "-".join(code for code in family if code)
    reference = own_reference or details.shared("end_to_end_id") or _identifier(part.value("NtryRef"))
    return {
        **days,
        **_entry_conversion(part, currency, amount, details),
        "amount": plain(amount),
        "currency": currency,
        "reference": reference,
        "customer_reference": details.shared("instruction_id") or part.value("NtryDtls/Btch/PmtInfId"),
        "end_to_end_id": details.shared("end_to_end_id"),
        "transaction_id": details.shared("transaction_id"),
        "creditor_reference": details.shared("creditor_reference"),
        "counterparty": details.shared(f"{other}.name"),
        "counterparty_account": details.shared(f"{other}.account"),
        "memo": one_line(*details.memos) or entry_info,
        "entry_info": entry_info,
        "type_code": standard or proprietary,
        "proprietary_code": proprietary,
        "transaction_count": str(details.count) if details.count > 1 else batch,
        "mandate_id": details.shared("mandate_id"),
        "reversal": "true" if part.value("RvslInd") in {"true", "1"} else None,
    }


def _entry_conversion(part: _Element, currency: str, amount: Decimal, details: _Details) -> dict[str, str | None]:
    """Return the conversion that the entry states itself, or the only transaction in it; signed as the entry is.

    An amount that is not the instructed one says something only in another currency.
    """
    own = _conversion(part)
    told = {name: own[name] or (details.shared(name) if details.count == 1 else None) for name in own}
    says_something = told["original_currency"] != currency or bool(told["is_instructed"])
    if told["original_amount"] and Decimal(told["original_amount"]) and says_something:
        told["original_amount"] = ("-" if amount < 0 else "") + told["original_amount"]
    else:
        told["original_amount"] = told["original_currency"] = None
    return {name: value for name, value in told.items() if name != "is_instructed"}


def _batch_checks(statement: _Statement, part: _Element, details: _Details) -> Iterator[Check]:
    """Hold what a batch says of itself against its transactions, where they are given."""
    batches = list(part.all("NtryDtls/Btch"))
    if len(batches) != 1 or not details.count:
        return
    named = part.value("AcctSvcrRef", "NtryRef", "NtryDtls/Btch/PmtInfId", "NtryDtls/Btch/MsgId")
    subject = f"{statement.subject}, batch {named or f'at line {part.line}'}"
    count = whole_number(batches[0].value("NbOfTxs"))
    if count is not None:
        yield count_check("batch_count", subject, count, details.count)
    total = batches[0].find("TtlAmt")
    size = exact_amount(total.text) if total else None
    if total and total.currency and isinstance(size, Decimal) and not details.without_amount:
        yield sum_check("batch_total", subject, total.currency, size, details.totals.get(total.currency, Decimal(0)))


def _summary_checks(statement: _Statement, summary: _Element) -> Iterator[Check]:
    """Hold numbers and sums of entries against the entries, pending ones included, as the summary counts them."""
    subject = statement.subject
    sides = (statement.credits, statement.debits)
    currencies = {currency for side in sides for currency in side}
    currency = next(iter(currencies)) if len(currencies) == 1 else statement.currency if not currencies else ""
    credit, debit = (_sum(side.values()) for side in sides)
    for name, path, count, total in (
        ("entry", "TtlNtries", statement.entries, add(credit, debit)),
        ("credit", "TtlCdtNtries", statement.credit_count, credit),
        ("debit", "TtlDbtNtries", statement.debit_count, debit),
    ):
        stated_count = whole_number(summary.value(f"{path}/NbOfNtries"))
        stated_sum = summary.value(f"{path}/Sum")
        if stated_count is not None:
            yield count_check(f"{name}_count", subject, stated_count, count)
        size = exact_amount(stated_sum) if stated_sum else None
        if isinstance(size, Decimal):
            yield sum_check(f"{name}_total", subject, currency, size, total)
    net = summary.value("TtlNtries/TtlNetNtry/Amt", "TtlNtries/TtlNetNtryAmt")
    size = exact_amount(net) if net else None
    if isinstance(size, Decimal):
        side = summary.value("TtlNtries/TtlNetNtry/CdtDbtInd", "TtlNtries/CdtDbtInd")
        stated = negate(size) if side == "DBIT" else size
        yield sum_check("net_total", subject, currency, stated, add(credit, negate(debit)))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = add(total, amount)
    return total


def _opening_and_closing(
    balances: list[tuple[str, str, Decimal]],
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Pick the booked balances that enclose the entries; pages and intraday reports use interim ones (ITBD).

    Opening: OPBD, else PRCD, else the first interim balance when something follows to close.
    Closing: CLBD, else the last interim balance.
    """
    interim = [balance for balance in balances if balance[0] == _INTERIM]
    closing = [balance for balance in balances if balance[0] == _CLOSING]
    opening = next((found for kind in _OPENINGS if (found := [b for b in balances if b[0] == kind])), [])
    if not opening and interim and (closing or len(interim) > 1):
        opening, interim = interim[:1], interim[1:]
    closing = closing or interim[-1:]
    return {currency: amount for _, currency, amount in opening}, {currency: amount for _, currency, amount in closing}


def _previous_checks(statement: _Statement) -> Iterator[Check]:
    """Hold the previous closing balance against the opening one, where a statement gives both."""
    opened = {currency: amount for kind, currency, amount in statement.balances if kind == "OPBD"}
    for kind, currency, amount in statement.balances:
        if kind == "PRCD" and opened:
            before = opened.get(currency, Decimal(0))
            yield sum_check("opening_balance", statement.subject, currency, amount, before)
