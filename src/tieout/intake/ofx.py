"""Read OFX and QFX bank, card and investment statements: OFX 1.x (SGML) and 2.x (XML), also as sloppy banks write it.

Our own tolerant reader: OFX 1.x leaves end tags out, and banks send headers of one version with the body
of the other. It expands nothing but the five predefined and the numeric character references.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tieout.intake.records import Records
from tieout.intake.statement_rows import (
    Refusal,
    StatementRows,
    UnreadableStatement,
    add,
    calendar_day,
    decodes_as,
    exact_amount,
    one_line,
    plain,
    text_encoding,
)

COLUMNS = (
    "account",
    "statement_id",
    "booking_date",
    "value_date",
    "user_date",
    "amount",
    "currency",
    "reference",
    "fitid",
    "check_number",
    "transaction_id",
    "counterparty",
    "memo",
    "trntype",
    "type_code",
    "original_currency",
    "exchange_rate",
    "security_id",
    "units",
    "unit_price",
    "fee",
)

MAX_DEPTH = 100
MAX_VALUE_CHARS = 1_000_000
_HEAD_BYTES = 65_536
_READ_CHARS = 1 << 20

_HEADER_FIELD = re.compile(r"([A-Z]+)\s*:\s*([^\s:<]*)")
_XML_ENCODING = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
_TEXT_ENCODING = re.compile(
    r"utf[-_]?8|utf[-_]?16(le|be)?|(us[-_]?)?ascii|iso[-_]?8859[-_]?[0-9]+|latin[-_]?[0-9]+|(cp|windows[-_]?|ibm)[0-9]+"
    r"|big5|gb[k0-9]+|shift[-_]?jis|euc[-_][a-z]+|koi8[-_][a-z]",
    re.IGNORECASE,
)
_CHARSET = re.compile(r"(?:ISO-?)?(8859-[0-9]{1,2})|(?:CP|WINDOWS-)?(125[0-9])", re.IGNORECASE)
_CDATA = "<![CDATA["
_TAG = re.compile(r"<(?:!--|!\[CDATA\[|[/?!]?[A-Za-z][^<>]*>)")
_NAME = re.compile(r"/?\s*([A-Za-z][A-Za-z0-9_.\-]*)")
_REFERENCE = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot|apos|nbsp);")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'", "nbsp": " "}
_SURROGATES = range(0xD800, 0xE000)
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9.:]*)(\s*\[.*\])?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*")
_GROUPED_WITH_POINTS = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*")

_RESPONSES = {"STMTRS", "CCSTMTRS", "INVSTMTRS"}
_ACCOUNTS = {"BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"}
_LISTS = {"BANKTRANLIST", "INVTRANLIST"}
_TRADES = {f"{side}{what}" for side in ("BUY", "SELL") for what in ("DEBT", "MF", "OPT", "OTHER", "STOCK")}
_CASH_EVENTS = {"INCOME", "INVEXPENSE", "JRNLFUND", "MARGININTEREST", "RETOFCAP"}
_WITHOUT_CASH = {"CLOSUREOPT", "JRNLSEC", "REINVEST", "SPLIT", "TRANSFER"}
_INVESTMENT = _TRADES | _CASH_EVENTS | _WITHOUT_CASH
_ENTRY_LEVEL = _LISTS | {"STMTTRN"} | _INVESTMENT
_AGGREGATES = _RESPONSES | _ACCOUNTS | _ENTRY_LEVEL | {"OFX", "STATUS", "LEDGERBAL"}
_VALUES = {
    *("ACCTID", "ACCTTYPE", "BALAMT", "BANKID", "BRANCHID", "BROKERID", "CHECKNUM", "CODE", "CURDEF", "CURRATE"),
    *("CURSYM", "DTASOF", "DTAVAIL", "DTEND", "DTPOSTED", "DTSETTLE", "DTSTART", "DTTRADE", "DTUSER", "FITID"),
    *("MEMO", "MESSAGE", "NAME", "PAYEEID", "REFNUM", "SEVERITY", "SIC", "SRVRTID", "TOTAL", "TRNAMT", "TRNTYPE"),
    *("TRNUID", "UNIQUEID", "UNITPRICE", "UNITS", "VALUEDATE", "COMMISSION", "FEES", "TAXES", "LOAD", "LANGUAGE"),
}


class NotOfx(UnreadableStatement):
    """The file has no <OFX> element."""

    code = "not_ofx"


class UnsafeOfx(UnreadableStatement):
    """The file declares a document type or entities, or nests or fills elements beyond any statement."""

    code = "unsafe_ofx"


class TruncatedOfx(UnreadableStatement):
    """The file ends amid its entries."""

    code = "truncated_ofx"


class BankRefusedRequest(UnreadableStatement):
    """The file holds the bank's error message instead of a statement."""

    code = "bank_refused_request"


@dataclass
class _Aggregate:
    """One element with children: its plain values and the aggregates within, one of each name."""

    name: str
    line: int
    values: dict[str, str] = field(default_factory=dict)
    parts: dict[str, _Aggregate] = field(default_factory=dict)

    def value(self, *paths: str) -> str:
        """Return the first value that is not blank at `A/B/VALUE` paths; empty when there is none."""
        for path in paths:
            *steps, leaf = path.split("/")
            at: _Aggregate | None = self
            for step in steps:
                at = at.parts.get(step) if at else None
            found = at.values.get(leaf, "").strip() if at else ""
            if found:
                return found
        return ""

    @property
    def raw(self) -> str:
        inner = "".join(f"<{name}>{value}" for name, value in self.values.items())
        return f"<{self.name}>{inner}{''.join(part.raw for part in self.parts.values())}</{self.name}>"


@dataclass(frozen=True)
class _Token:
    """One tag with the text that follows it, or the text alone where a tag stands apart from it."""

    line: int
    tag: str
    text: str


def read_ofx(path: Path, out_dir: Path, name: str = "") -> Records:
    """Read the file into one row a bank or card transaction (STMTTRN) and a trade or income with cash (TOTAL).

    Amounts are signed as the file signs them, in the statement's currency, or that of a CURRENCY element.
    Securities moved without cash are quarantined as `not_cash`. A ledger balance is noted, not checked:
    OFX states no opening balance. Raises NotOfx, TruncatedOfx, UnsafeOfx, or BankRefusedRequest with
    the bank's own words when the file is an error message.
    """
    name = name or path.name
    encoding, remark = _encoding(path)
    with StatementRows(out_dir, COLUMNS) as rows:
        book = _Book(rows, name)
        for token in _tokens(path, encoding, name):
            book.take(token)
        book.end()
        if remark:
            rows.note(remark)
        return rows.finish("ofx")


# --- text -----------------------------------------------------------------------------------------------------


def _encoding(path: Path) -> tuple[str, str | None]:
    """Return the encoding of the file, and a remark where it is not the declared one.

    Valid UTF-8 counts as UTF-8 whatever the header says: many banks declare 1252 out of habit, and
    text in 1252 with accents is hardly ever valid UTF-8.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    likely = text_encoding(path)
    if likely in {"utf-8-sig", "utf-16"} or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return likely, None
    declared = _declared(head.decode("latin-1"))
    if declared and decodes_as(path, declared):
        return declared, None
    if declared:
        return likely, f"The file declares the encoding {declared} but is not valid in it; read as {likely}."
    return likely, None


def _declared(head: str) -> str | None:
    """Return Python's name of the encoding that an OFX or XML header declares."""
    xml = _XML_ENCODING.search(head)
    named = [xml[1]] if xml else []
    header = dict(_HEADER_FIELD.findall(head.partition("<")[0]))
    charset = _CHARSET.fullmatch(header.get("CHARSET", ""))
    if charset:
        named.append(f"iso-{charset[1]}" if charset[1] else f"cp{charset[2]}")
    named.append(header.get("ENCODING", ""))
    for name in named:
        try:
            if _TEXT_ENCODING.fullmatch(name):
                return codecs.lookup(name).name
        except LookupError:
            continue
    return None


def _tokens(path: Path, encoding: str, name: str) -> Iterator[_Token]:
    """Yield the tags of the file in order, each with the text up to the next; comments are passed over."""
    with path.open(encoding=encoding, newline="") as stream:
        buffer = stream.read(_READ_CHARS)
        line_end = "\r" if "\r" in buffer and "\n" not in buffer else "\n"
        line, at, is_last = 1, 0, False
        while True:
            match = _TAG.search(buffer, at)
            start = match.start() if match else max(at, buffer.rfind("<"))
            line += buffer.count(line_end, at, start)
            token = _token_at(buffer, match, is_last=is_last) if match else None
            if token:
                tag, text, at = token
                if tag:
                    yield _Token(line, tag, text)
                line += buffer.count(line_end, start, at)
                continue
            if is_last:
                return
            piece = stream.read(_READ_CHARS)
            buffer, at, is_last = buffer[start:] + piece, 0, not piece
            if len(buffer) > MAX_VALUE_CHARS + 2 * _READ_CHARS:
                raise _unsafe(name, line, f"holds more than {MAX_VALUE_CHARS:,} characters in one element")


def _token_at(buffer: str, match: re.Match[str], *, is_last: bool) -> tuple[str, str, int] | None:
    """Return tag, text and end of the token that starts here; None while it may go on beyond the buffer.

    What looks like no tag (a single `<` in a memo) is text.
    """
    for opening, closing in (("<!--", "-->"), (_CDATA, "]]>")):
        if match[0] == opening:
            end = buffer.find(closing, match.end())
            text = buffer[match.end() : end] if opening == _CDATA else ""
            return (text and _CDATA, text, end + len(closing)) if end >= 0 else None
    following = _TAG.search(buffer, match.end())
    if following is None and not is_last:
        return None
    end = following.start() if following else len(buffer)
    return match[0][1:-1].strip(), buffer[match.end() : end], end


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith("#"):
            return _NAMED[name]
        number = int(f"0{name[1:]}", 0) if name[1] in "xX" else int(name[1:])
        return chr(number) if number < 0x110000 and number not in _SURROGATES else match[0]

    return _REFERENCE.sub(character, text) if "&" in text else text


def _unsafe(file_name: str, line: int, what: str) -> UnsafeOfx:
    return UnsafeOfx(
        f"{file_name} {what} (line {line}), as no bank statement does.",
        subject=file_name,
        remedy="Check that this is the file you meant.",
    )


_EntryReader = Callable[[_Aggregate, str], "dict[str, str | None] | Refusal"]


# --- the file's structure -------------------------------------------------------------------------------------


class _Book:
    """Takes the tags of a file in order, closes what banks leave open, and keeps the rows."""

    def __init__(self, rows: StatementRows, file_name: str) -> None:
        self._rows = rows
        self._file_name = file_name
        self._open: list[_Aggregate] = []
        self._value: tuple[_Aggregate, str] | None = None
        self._has_ofx = False
        self._statements = 0
        self._entries: dict[int, int] = {}
        self._errors: list[str] = []
        self._line = 0

    def take(self, token: _Token) -> None:
        """Take the next tag with its text."""
        self._line = token.line
        if token.tag == _CDATA:
            self._append(token.text)
            return
        if token.tag.startswith("!"):
            raise _unsafe(self._file_name, token.line, "declares a document type or entities")
        name = _NAME.match(token.tag)
        if token.tag.startswith("?") or name is None:
            return
        if token.tag.startswith("/"):
            self._close(name[1].upper())
        elif token.tag.endswith("/"):
            self._keep(name[1].upper(), "")
        else:
            self._start(name[1].upper(), token)

    def end(self) -> None:
        """Close what is still open, and raise where the file held no statement for a reason."""
        if not self._has_ofx:
            raise NotOfx(
                f"{self._file_name} is not an OFX file: it has no <OFX> element.",
                subject=self._file_name,
                remedy="Check that this is the file you meant.",
            )
        within = [part.name for part in self._open if part.name in _ENTRY_LEVEL]
        if within:
            raise TruncatedOfx(
                f"{self._file_name} ends at line {self._line} within <{within[-1]}>.",
                subject=self._file_name,
                remedy="It may be cut off: fetch it again.",
            )
        if self._open:
            self._rows.note(f"The file ends without </{self._open[0].name}>, after the last of its entries.")
            self._close(self._open[0].name)
        if self._errors and not self._statements:
            raise BankRefusedRequest(
                f"{self._file_name} holds no statement but an error of the bank: {'; '.join(self._errors)}.",
                subject=self._file_name,
                remedy="Settle it with the bank and download the statement again.",
            )
        for error in self._errors:
            self._rows.note(f"One answer in the file is an error of the bank: {error}.")
        if not self._statements:
            self._rows.note("The file holds no statement.")

    def _start(self, name: str, token: _Token) -> None:
        text = token.text
        if name == "OFX":
            self._has_ofx = True
        elif not self._has_ofx:
            return
        if name in _VALUES or (text.strip() and name not in _AGGREGATES):
            self._keep(name, _unescaped(text.strip()))
            return
        if name == "STMTTRN" and any(part.name == name for part in self._open):
            self._close(name)
        if len(self._open) >= MAX_DEPTH:
            raise _unsafe(self._file_name, token.line, f"nests elements more than {MAX_DEPTH} deep")
        self._value = None
        self._open.append(_Aggregate(name, token.line))
        self._statements += name in _RESPONSES

    def _keep(self, name: str, text: str) -> None:
        if self._open:
            self._open[-1].values.setdefault(name, text)
            self._value = (self._open[-1], name)

    def _append(self, text: str) -> None:
        """Take a CDATA section as (more of) the value before it."""
        if self._value is None and self._open and not self._open[-1].values and not self._open[-1].parts:
            opened = self._open.pop()
            self._keep(opened.name, "")
        if self._value:
            owner, name = self._value
            owner.values[name] += text

    def _close(self, name: str) -> None:
        self._value = None
        if not any(part.name == name for part in self._open):
            return
        while self._open:
            part = self._open.pop()
            self._finish(part)
            if part.name == name:
                return

    def _finish(self, part: _Aggregate) -> None:
        """Take a whole aggregate: an entry, a status, a balance; or hand it to the one around it."""
        parent = self._open[-1] if self._open else None
        if part.name == "STATUS":
            self._take_status(part)
        elif part.name == "STMTTRN":
            self._take_entry(part, _bank_entry)
        elif part.name in _INVESTMENT and parent and parent.name in _LISTS:
            self._take_entry(part, _investment_entry)
        elif part.name == "LEDGERBAL":
            self._note_balance(part)
        elif part.name in _RESPONSES:
            self._end_statement(part)
        elif parent:
            parent.parts.setdefault(part.name, part)

    def _take_status(self, part: _Aggregate) -> None:
        if part.value("SEVERITY").upper() != "ERROR":
            return
        code = part.value("CODE") or "without a code"
        message = one_line(part.value("MESSAGE"))
        self._errors.append(f"{code} {message!r}" if message else code)

    def _response(self) -> _Aggregate | None:
        return next((part for part in reversed(self._open) if part.name in _RESPONSES), None)

    def _take_entry(self, part: _Aggregate, reader: _EntryReader) -> None:
        row_no = self._rows.number()
        response = self._response()
        read = reader(part, response.value("CURDEF") if response else "")
        if response:
            self._entries[id(response)] = self._entries.get(id(response), 0) + 1
        if isinstance(read, Refusal):
            self._rows.reject(row_no, part.line, read, part.raw)
            return
        around = next((outer for outer in reversed(self._open) if outer.name.endswith("TRNRS")), None)
        read["account"] = _account(response) if response else None
        read["statement_id"] = around.value("TRNUID") if around else None
        self._rows.add(row_no, part.line, read)

    def _note_balance(self, part: _Aggregate) -> None:
        response = self._response()
        amount = exact_amount(_with_point(part.value("BALAMT")), column="ledger_balance")
        if response is None or not part.value("BALAMT"):
            return
        if isinstance(amount, Refusal):
            self._rows.reject(None, part.line, amount, part.raw)
            return
        day = _day(part.value("DTASOF"), column="ledger_balance") if part.value("DTASOF") else None
        since = f" on {day}" if isinstance(day, str) else ""
        currency = response.value("CURDEF")
        said = f"account {_account(response)}: ledger balance {plain(amount)} {currency}".rstrip()
        self._rows.note(f"{said}{since}; OFX states no opening balance, so its entries cannot be tied out.")

    def _end_statement(self, part: _Aggregate) -> None:
        if not self._entries.pop(id(part), 0):
            self._rows.note(f"account {_account(part)}: the statement holds no entries.")


# --- entries --------------------------------------------------------------------------------------------------


def _account(response: _Aggregate) -> str:
    return response.value(*(f"{name}/ACCTID" for name in sorted(_ACCOUNTS)))


def _bank_entry(part: _Aggregate, default_currency: str) -> dict[str, str | None] | Refusal:
    amount = exact_amount(_with_point(part.value("TRNAMT")))
    if isinstance(amount, Refusal):
        return amount
    days = _days(
        part, {"booking_date": ("DTPOSTED",), "value_date": ("DTAVAIL", "VALUEDATE"), "user_date": ("DTUSER",)}
    )
    if isinstance(days, Refusal):
        return days
    return {
        **days,
        **_currencies(part, default_currency),
        "amount": plain(amount),
        "reference": part.value("REFNUM"),
        "fitid": part.value("FITID"),
        "check_number": part.value("CHECKNUM"),
        "transaction_id": part.value("SRVRTID"),
        "counterparty": one_line(part.value("NAME", "PAYEE/NAME")),
        "memo": one_line(part.value("MEMO", "NAME", "PAYEE/NAME")),
        "trntype": part.value("TRNTYPE").upper(),
        "type_code": part.value("SIC"),
    }


def _investment_entry(part: _Aggregate, default_currency: str) -> dict[str, str | None] | Refusal:
    """Read a trade, an income or an expense; what moves securities only has no cash to reconcile."""
    if part.name in _WITHOUT_CASH:
        return Refusal("amount", "not_cash", f"{part.name} moves securities, not cash.")
    inner = part.parts.get("INVBUY") or part.parts.get("INVSELL") or part
    amount = exact_amount(_with_point(inner.value("TOTAL")))
    if isinstance(amount, Refusal):
        return amount
    days = _days(inner, {"booking_date": ("INVTRAN/DTTRADE",), "value_date": ("INVTRAN/DTSETTLE",)})
    if isinstance(days, Refusal):
        return days
    return {
        **days,
        **_currencies(inner, default_currency),
        "amount": plain(amount),
        "reference": inner.value("INVTRAN/SRVRTID"),
        "fitid": inner.value("INVTRAN/FITID"),
        "memo": one_line(inner.value("INVTRAN/MEMO")),
        "trntype": part.name,
        "type_code": part.value("BUYTYPE", "SELLTYPE", "OPTBUYTYPE", "OPTSELLTYPE", "INCOMETYPE"),
        "security_id": inner.value("SECID/UNIQUEID"),
        "units": _tidy(inner.value("UNITS")),
        "unit_price": _tidy(inner.value("UNITPRICE")),
        "fee": _fees(inner),
    }


def _days(part: _Aggregate, wanted: dict[str, tuple[str, ...]]) -> dict[str, str | None] | Refusal:
    days: dict[str, str | None] = {}
    for column, paths in wanted.items():
        stated = part.value(*paths)
        if not stated and column != "booking_date":
            continue
        day = _day(stated, column=column)
        if isinstance(day, Refusal):
            return day
        days[column] = day
    return days


def _day(text: str, *, column: str) -> str | Refusal:
    """Return the day of an OFX date-time, as the bank wrote it: no conversion between time zones."""
    match = _DAY.fullmatch(text)
    found = match and calendar_day(int(match[1]), int(match[2]), int(match[3]))
    return found or Refusal(column, "bad_date", f"{text[:60]!r} is no day (YYYYMMDD).")


def _currencies(part: _Aggregate, default_currency: str) -> dict[str, str | None]:
    """Return the currency of the amount; CURRENCY names it, ORIGCURRENCY names the one it was converted from."""
    stated, original = part.value("CURRENCY/CURSYM"), part.value("ORIGCURRENCY/CURSYM")
    currency = stated or default_currency
    rate = part.value("CURRENCY/CURRATE", "ORIGCURRENCY/CURRATE")
    is_converted = (original or currency) != default_currency and bool(default_currency)
    return {
        "currency": currency,
        "original_currency": original if original != currency else None,
        "exchange_rate": rate if is_converted else None,
    }


def _with_point(text: str) -> str:
    """Return an amount with a decimal point: OFX allows a comma for it, and some banks group thousands."""
    if _GROUPED.fullmatch(text):
        return text.replace(",", "")
    if _GROUPED_WITH_POINTS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(",", ".")


def _tidy(text: str) -> str | None:
    """Return a number without plus sign and leading zeros; text that is no number as it stands."""
    match = re.fullmatch(r"\+?(-?)0*([0-9]+(?:\.[0-9]*)?)", text)
    return match[1] + match[2] if match else text


def _fees(part: _Aggregate) -> str | None:
    stated = [part.value(name) for name in ("COMMISSION", "FEES", "TAXES", "LOAD")]
    total, found = Decimal(0), False
    for text in stated:
        amount = exact_amount(_with_point(text)) if text else None
        if isinstance(amount, Decimal):
            total, found = add(total, amount), True
    return plain(total) if found else None
