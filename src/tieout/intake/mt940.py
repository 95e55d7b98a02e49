"""Read MT940 (and MT942) account statements.

A small parser of our own rather than the library `mt-940`, which gives exact
amounts but no line numbers, and gives up the whole statement at the first bad
date or amount where we quarantine one entry. The expected parses that the
library's project keeps beside its corpus are the oracle of our tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from tieout.intake.records import Records
from tieout.intake.statement_rows import (
    Refusal,
    StatementRows,
    UnreadableStatement,
    add,
    calendar_day,
    comma_amount,
    count_check,
    negate,
    numbered_lines,
    one_line,
    plain,
    short_day,
    sum_check,
    text_encoding,
    tie_balances,
    whole_number,
)

COLUMNS = (
    "account",
    "statement_id",
    "booking_date",
    "value_date",
    "amount",
    "currency",
    "reference",
    "customer_reference",
    "end_to_end_id",
    "counterparty",
    "counterparty_account",
    "memo",
    "details",
    "type_code",
    "business_code",
    "posting_text",
    "mandate_id",
    "original_amount",
    "original_currency",
    "exchange_rate",
    "fee",
    "fee_currency",
    "reversal",
)

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_END = re.compile(r"-(\}.*|X{3})?\s*")
_BALANCE = re.compile(r"([DC])([0-9]{6})([A-Z]{3})([0-9,.]+)")
_MOVED = re.compile(r"([0-9]*)([A-Z]{3})([0-9,.]+)")
_FLOOR = re.compile(r"([A-Z]{3})[DC]?[0-9,.]+")
_ENTRY = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4}|\s{4})?"
    r"(?P<mark>R?[DC])[A-Z]?\s?(?P<amount>[0-9.,]+)"
    r"(?P<type>[A-Z][A-Z0-9 ]{3})?(?P<rest>.*)",
    re.IGNORECASE,
)
_ENTRY_DATES = re.compile(r"[0-9]{6}")
_NO_REFERENCE = {"NONREF", "NOTPROVIDED", "KEINE ANGABE", "EREF", "IREF", "KREF+", "MARF", "PREF"}
_CUSTOMER_CHARS = 16
_HEAD_TAGS = {"20", "25", "25P", "28", "28C"}
_OPENING_TAGS = {"60", "60F", "60M"}
_BALANCE_TAGS = _OPENING_TAGS | {"62", "62F", "62M"}
_ONE_LINE_TAGS = {"20", "28", "28C"} | _OPENING_TAGS
_QUIET_TAGS = {"13", "13D", "21", "64", "65", "86"}

_WIDTH = 65
_PIECE_WIDTH = 27
_SUBFIELDS = re.compile(r"\s*(?P<code>[0-9]{3})?(?P<mark>[?>])(?=[0-9]{2})")
_PURPOSE = [f"{number}" for number in (*range(20, 30), *range(60, 64))]
_SEPA_KEY = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC|PURP|RTRN|RREF|SQTP)\+")
_SLASH_KEY = re.compile(
    r"/(ACCW|ADDR|AREF|BENM|BIC|BUSP|CHGS|CNTP|CSID|EREF|EXCH|IBAN|ID|IREF|ISDT|KREF|MARF|NAME|OCMT|ORDP|PREF|PURP"
    r"|REMI|RTRN|SUBC|SVCL|TRCD|TRTP|UCRD|UDTR|ULTC|ULTD)/"
)
_ORIGINAL = re.compile(r"/OCMT/([A-Z]{3})([0-9]+,[0-9]*)")
_CHARGE = re.compile(r"/CHGS/([A-Z]{3})([0-9]+,[0-9]*)")
_RATE = re.compile(r"/EXCH/([0-9]+,[0-9]*)")


class NotMt940(UnreadableStatement):
    """The file has not one MT940 field."""

    code = "not_mt940"


@dataclass(frozen=True)
class _Field:
    tag: str
    lines: tuple[str, ...]
    line: int

    @property
    def first(self) -> str:
        return self.lines[0].strip()

    @property
    def raw(self) -> str:
        return f":{self.tag}:" + "\n".join(self.lines)


@dataclass(frozen=True)
class _Moved:
    count: int | None
    currency: str
    total: Decimal


@dataclass
class _Sheet:
    """One statement, from its reference to its closing balance."""

    reference: str = ""
    account: str = ""
    number: str = ""
    currency: str = ""
    opening: dict[str, Decimal] = field(default_factory=dict)
    opening_tag: str = ""
    closing: dict[str, Decimal] = field(default_factory=dict)
    closing_tag: str = ""
    moved: dict[str, _Moved] = field(default_factory=dict)
    debits: int = 0
    debit_total: Decimal = Decimal(0)
    credits: int = 0
    credit_total: Decimal = Decimal(0)
    refused: int = 0
    broken_balances: bool = False
    waiting: list[tuple[int, int, dict[str, str | None]]] = field(default_factory=list)

    @property
    def statement_id(self) -> str:
        return self.number if self.number.strip("0/ ") or not self.reference else self.reference

    @property
    def subject(self) -> str:
        named = (("account", self.account), ("statement", self.statement_id))
        return ", ".join(f"{word} {value}" for word, value in named if value) or "statement"


def read_mt940(path: Path, out_dir: Path, name: str = "") -> Records:
    """Read the file into one row a statement line (`:61:`), with its information (`:86:`).

    Amounts are positive for credits and reversed debits. `booking_date` is the
    entry date, in the year nearest to the value date, or the value date where no
    entry date is given. Every sheet's opening balance + entries are held against its
    closing balance. Raises NotMt940 when the file has no field of the format.
    """
    name = name or path.name
    with StatementRows(out_dir, COLUMNS) as rows:
        book = _Book(rows)
        for found in _fields(numbered_lines(path, text_encoding(path), name)):
            book.take(found)
        book.end_sheet()
        if not book.has_fields:
            raise NotMt940(
                f"{name} is not an MT940 statement: no line starts with a field such as :20: or :61:.",
                subject=name,
                remedy="Check that this is the file you meant.",
            )
        return rows.finish("mt940")


def _fields(lines: Iterator[tuple[int, str]]) -> Iterator[_Field]:
    """Group physical lines into fields; the end of a message is a field named `-`."""
    tag, held, start = "", [""], 0
    for number, physical in lines:
        line = physical.rpartition("{4:")[2] if physical.startswith("{") else physical
        match = _TAG.match(line)
        ends = bool(_END.fullmatch(line)) or (physical.startswith("{") and not match)
        if (match or ends) and tag:
            yield _Field(tag, tuple(held), start)
            tag = ""
        if match:
            tag, held, start = match[1], [match[2]], number
        elif ends:
            yield _Field("-", ("",), number)
        elif tag and line.strip():
            held.append(line)
    if tag:
        yield _Field(tag, tuple(held), start)


class _Book:
    """Takes the fields of a file in order and keeps its sheets, rows and checks."""

    def __init__(self, rows: StatementRows) -> None:
        self.has_fields = False
        self._rows = rows
        self._sheet: _Sheet | None = None
        self._entry: _Field | None = None
        self._information: list[_Field] = []
        self._carried: dict[str, dict[str, Decimal]] = {}

    def take(self, found: _Field) -> None:
        """Take the next field."""
        if found.tag == "-":
            self.end_sheet()
            return
        self.has_fields = True
        if found.tag == "86" and self._entry:
            self._information.append(found)
            return
        if found.tag == "NS":
            return
        self._end_entry()
        sheet = self._sheet_for(found)
        if not self._take_in(sheet, found):
            self._refuse(found, Refusal("", "unknown_record", f"MT940 has no field :{found.tag}:."))
        elif found.tag in _ONE_LINE_TAGS and len(found.lines) > 1:
            said = f"The line does not belong to :{found.tag}:, which has one line."
            self._refuse(found, Refusal("", "unknown_record", said))

    def end_sheet(self) -> None:
        """Close the statement at hand: its last entry, its currency, its checks."""
        self._end_entry()
        sheet, self._sheet = self._sheet, None
        if sheet is None:
            return
        self._release(sheet)
        self._check_balances(sheet)
        self._check_moved(sheet)

    def _take_in(self, sheet: _Sheet, found: _Field) -> bool:
        """Take a field into its statement; False for one that the format does not have."""
        match found.tag:
            case "20":
                sheet.reference = found.first
            case "25" | "25P":
                sheet.account = found.first
            case "28" | "28C":
                sheet.number = found.first
            case "61":
                self._entry = found
            case "90D" | "90C":
                self._take_moved(sheet, found)
            case "34F":
                self._take_floor(sheet, found)
            case tag if tag in _BALANCE_TAGS:
                self._take_balance(sheet, found)
            case tag:
                return tag in _QUIET_TAGS
        return True

    def _sheet_for(self, found: _Field) -> _Sheet:
        """Return the statement that the field belongs to; some banks give several under one :20:."""
        sheet = self._sheet
        opens, heads = found.tag in _OPENING_TAGS, found.tag in _HEAD_TAGS
        if sheet and (found.tag == "20" or (sheet.closing_tag and (opens or heads)) or (sheet.opening_tag and opens)):
            self.end_sheet()
            self._sheet = _Sheet(reference=sheet.reference, account=sheet.account) if found.tag != "20" else _Sheet()
        elif sheet is None:
            self._sheet = _Sheet()
        current = self._sheet
        return current if current is not None else _Sheet()

    def _refuse(self, found: _Field, refusal: Refusal) -> None:
        self._rows.reject(None, found.line, refusal, found.raw)

    def _take_balance(self, sheet: _Sheet, found: _Field) -> None:
        opens = found.tag.startswith("60")
        column = "opening_balance" if opens else "closing_balance"
        balance = _balance(found.first, column)
        if isinstance(balance, Refusal):
            sheet.broken_balances = True
            self._refuse(found, balance)
            return
        currency, amount = balance
        self._know_currency(sheet, currency)
        if opens:
            sheet.opening, sheet.opening_tag = {currency: amount}, found.tag
        else:
            sheet.closing, sheet.closing_tag = {currency: amount}, found.tag

    def _take_moved(self, sheet: _Sheet, found: _Field) -> None:
        match = _MOVED.fullmatch(found.first)
        total = comma_amount(match[3], column="total") if match else None
        if not match or not isinstance(total, Decimal):
            said = f"{found.first[:60]!r} is no number and sum of entries."
            self._refuse(found, Refusal("total", "bad_amount", said))
            return
        self._know_currency(sheet, match[2])
        sheet.moved[found.tag] = _Moved(whole_number(match[1]), match[2], total)

    def _take_floor(self, sheet: _Sheet, found: _Field) -> None:
        match = _FLOOR.fullmatch(found.first)
        if match:
            self._know_currency(sheet, match[1])

    def _know_currency(self, sheet: _Sheet, currency: str) -> None:
        if not sheet.currency:
            sheet.currency = currency
            self._release(sheet)

    def _release(self, sheet: _Sheet) -> None:
        """Hand on the rows that waited for a balance to name their currency."""
        for row_no, line, row in sheet.waiting:
            self._rows.add(row_no, line, {**row, "currency": sheet.currency})
        sheet.waiting.clear()

    def _end_entry(self) -> None:
        entry, information = self._entry, self._information
        if entry is None:
            return
        self._entry, self._information = None, []
        sheet = self._sheet_for(entry)
        row_no = self._rows.number()
        read = _entry(entry, information)
        if isinstance(read, Refusal):
            sheet.refused += 1
            raw = "\n".join(part.raw for part in (entry, *information))
            self._rows.reject(row_no, entry.line, read, raw)
            return
        amount, row = read
        if amount < 0:
            sheet.debits, sheet.debit_total = sheet.debits + 1, add(sheet.debit_total, amount)
        else:
            sheet.credits, sheet.credit_total = sheet.credits + 1, add(sheet.credit_total, amount)
        row |= {"account": sheet.account, "statement_id": sheet.statement_id}
        sheet.waiting.append((row_no, entry.line, row))
        if sheet.currency:
            self._release(sheet)

    def _check_balances(self, sheet: _Sheet) -> None:
        before = self._carried.pop(sheet.account, None)
        if before is not None and sheet.opening_tag == "60M":
            for currency, amount in before.items():
                opened = sheet.opening.get(currency, Decimal(0))
                self._rows.checks.append(sum_check("opening_balance", sheet.subject, currency, amount, opened))
        if sheet.closing_tag == "62M":
            self._carried[sheet.account] = sheet.closing
        booked = add(sheet.credit_total, sheet.debit_total)
        if sheet.opening and sheet.closing:
            totals = {sheet.currency: booked}
            checks = tie_balances(sheet.subject, sheet.opening, sheet.closing, totals, refused=sheet.refused)
            self._rows.checks.extend(checks)
        elif (sheet.opening or sheet.closing or sheet.debits or sheet.credits) and not sheet.moved:
            missing = "closing" if sheet.opening else "opening" if sheet.closing else "opening or closing"
            why = "readable " if sheet.broken_balances else ""
            self._rows.note(f"{sheet.subject}: no {why}{missing} balance, so its entries cannot be tied out.")
        if not (sheet.debits or sheet.credits or sheet.refused):
            self._rows.note(f"{sheet.subject}: it holds no entries.")

    def _check_moved(self, sheet: _Sheet) -> None:
        found = {"90D": (sheet.debits, negate(sheet.debit_total)), "90C": (sheet.credits, sheet.credit_total)}
        for tag, moved in sorted(sheet.moved.items()):
            kind = "debit" if tag == "90D" else "credit"
            count, total = found[tag]
            if moved.count is not None:
                self._rows.checks.append(count_check(f"{kind}_count", sheet.subject, moved.count, count))
            self._rows.checks.append(sum_check(f"{kind}_total", sheet.subject, moved.currency, moved.total, total))


def _balance(text: str, column: str) -> tuple[str, Decimal] | Refusal:
    match = _BALANCE.fullmatch(text)
    if not match:
        return Refusal(column, "bad_amount", f"{text[:60]!r} is no balance (mark, YYMMDD, currency, amount).")
    day = short_day(match[2], column=column)
    amount = comma_amount(match[4], column=column)
    if isinstance(day, Refusal):
        return day
    if isinstance(amount, Refusal):
        return amount
    return match[3], negate(amount) if match[1] == "D" else amount


def _entry(entry: _Field, information: list[_Field]) -> tuple[Decimal, dict[str, str | None]] | Refusal:
    first, *after = entry.lines
    match = _ENTRY.fullmatch(first.rstrip())
    if not match and after:
        # Some savings banks break the line between mark and amount.
        match, after = _ENTRY.fullmatch(first.rstrip() + after[0].rstrip()), after[1:]
    if not match and not _ENTRY_DATES.match(entry.first):
        return Refusal("value_date", "bad_date", f"{entry.first[:6]!r} is no day (YYMMDD).")
    if not match:
        said = f"{entry.first[:60]!r} has no debit or credit mark with an amount after its dates."
        return Refusal("amount", "bad_amount", said)
    value_date = short_day(match["value"], column="value_date")
    if isinstance(value_date, Refusal):
        return value_date
    booking_date = _booking_date(match["entry"], value_date)
    if isinstance(booking_date, Refusal):
        return booking_date
    size = comma_amount(match["amount"])
    if isinstance(size, Refusal):
        return size
    mark = match["mark"].upper()
    amount = negate(size) if mark in {"D", "RC"} else size
    customer, reference, aside = _references(match["rest"])
    details = one_line(aside, *after)
    told, unbroken = _told(information)
    row: dict[str, str | None] = {
        **told,
        **_conversion("".join(line.strip() for line in after) + unbroken),
        "booking_date": booking_date,
        "value_date": value_date,
        "amount": plain(amount),
        "reference": reference or told.get("end_to_end_id"),
        "customer_reference": customer or told.get("customer_reference"),
        "memo": told.get("memo") or details,
        "details": details,
        "type_code": match["type"].upper() if match["type"] else None,
        "reversal": "true" if mark.startswith("R") else None,
    }
    return amount, row


def _booking_date(entry_day: str | None, value_date: str) -> str | Refusal:
    """Return the entry date (MMDD) in the year that brings it nearest to the value date."""
    if not entry_day or not entry_day.strip():
        return value_date
    value = date.fromisoformat(value_date)
    month, day = int(entry_day[:2]), int(entry_day[2:])
    near = [calendar_day(value.year + shift, month, day) for shift in (0, -1, 1)]
    found = [day for day in near if day]
    if not found:
        return Refusal("booking_date", "bad_date", f"{entry_day!r} is no day (MMDD).")
    return min(found, key=lambda day: abs((date.fromisoformat(day) - value).days))


def _references(rest: str) -> tuple[str | None, str | None, str | None]:
    """Split what follows the type code: customer's reference, bank's reference, and what a bank puts after them."""
    customer, slashes, bank = rest.partition("//")
    aside = ""
    if not slashes:
        customer, aside = rest[:_CUSTOMER_CHARS], rest[_CUSTOMER_CHARS:]
    kept = (one_line(text) for text in (customer, bank))
    first, second = (None if text and text.upper() in _NO_REFERENCE else text for text in kept)
    return first, second, one_line(aside)


def _conversion(text: str) -> dict[str, str | None]:
    """Return original amount, rate and charges where the supplementary details or the information state them."""
    original, charge, rate = _ORIGINAL.search(text), _CHARGE.search(text), _RATE.search(text)
    return {
        "original_amount": _number(original[2]) if original else None,
        "original_currency": original[1] if original else None,
        "exchange_rate": _number(rate[1]) if rate else None,
        "fee": _number(charge[2]) if charge else None,
        "fee_currency": charge[1] if charge else None,
    }


def _number(text: str) -> str | None:
    value = Decimal(text.replace(",", "."))
    return plain(value)


def _told(information: list[_Field]) -> tuple[dict[str, str | None], str]:
    """Read all :86: fields of one entry, and their unbroken text: what the first states wins, memos are joined."""
    told: dict[str, str | None] = {}
    texts, memos = [], []
    for found in information:
        unbroken = "".join(line.rstrip() for line in found.lines)
        part = _information(found.lines, unbroken)
        texts.append(unbroken)
        memos.append(part.get("memo"))
        told = {**part, **{name: value for name, value in told.items() if value}}
    return told | {"memo": one_line(*memos)}, "".join(texts)


def _information(lines: tuple[str, ...], unbroken: str) -> dict[str, str | None]:
    marked = _SUBFIELDS.match(unbroken)
    if marked:
        return _from_subfields(marked["code"], marked["mark"], unbroken[marked.end("mark") - 1 :])
    if _SLASH_KEY.match(unbroken.lstrip()):
        return _from_slashes(unbroken)
    return {"memo": one_line(_rejoin([line.rstrip() for line in lines], _WIDTH))}


def _rejoin(pieces: list[str], width: int) -> str:
    """Join pieces of a text that was cut at `width`: a full piece runs on, a shorter one lost a blank at its end."""
    return "".join(piece if len(piece) >= width else piece + " " for piece in pieces)


def _from_subfields(code: str | None, mark: str, text: str) -> dict[str, str | None]:
    """Read `?20purpose?32name`, the form of German and Polish banks (some write > for ?)."""
    parts = re.split(re.escape(mark) + r"([0-9]{2})", text)
    subfields: dict[str, str] = {}
    for number, value in zip(parts[1::2], parts[2::2], strict=True):
        subfields.setdefault(number, value)
    groups: dict[str, list[str]] = {}
    key = ""
    for piece in (subfields[number] for number in _PURPOSE if number in subfields):
        named = _SEPA_KEY.match(piece)
        if named:
            key = named[1]
        groups.setdefault(key, []).append(piece)
    names = [subfields[number] for number in ("32", "33") if number in subfields]
    purpose = groups.get("SVWZ") or groups.get("")
    memo = one_line(_rejoin(purpose, _PIECE_WIDTH)) if purpose else None
    return {
        "memo": (memo or "").removeprefix("SVWZ+").strip() or one_line(subfields.get("00")),
        "counterparty": one_line(_rejoin(names, _PIECE_WIDTH)),
        "counterparty_account": one_line(subfields.get("38") or subfields.get("31")),
        "posting_text": one_line(subfields.get("00")),
        "business_code": code if code != "000" else None,
        "end_to_end_id": _identifier(groups, "EREF"),
        "customer_reference": _identifier(groups, "KREF"),
        "mandate_id": _identifier(groups, "MREF"),
    }


def _identifier(groups: dict[str, list[str]], key: str) -> str | None:
    found = one_line("".join(groups.get(key, [])).removeprefix(f"{key}+"))
    return None if found and found.upper() in _NO_REFERENCE else found


def _from_slashes(text: str) -> dict[str, str | None]:
    """Read `/EREF/…/NAME/…/REMI/…`, the form of Dutch banks; its lines run on without blanks."""
    parts = _SLASH_KEY.split(text)
    stated: dict[str, str] = {}
    for key, value in zip(parts[1::2], parts[2::2], strict=True):
        if value.strip("/ "):
            stated.setdefault(key, value)
    party = stated.get("CNTP", "").split("/")
    remittance = re.sub(r"^(USTD//|STRD/CUR/)", "", stated.get("REMI", ""))
    end_to_end_id = one_line(stated.get("EREF", "").rstrip("/"))
    return {
        "memo": one_line(remittance.rstrip("/")) or one_line(text),
        "counterparty": one_line(stated.get("NAME", "").rstrip("/")) or one_line(party[2] if len(party) > 2 else ""),
        "counterparty_account": one_line(stated.get("IBAN", "").rstrip("/")) or one_line(party[0]),
        "end_to_end_id": None if end_to_end_id and end_to_end_id.upper() in _NO_REFERENCE else end_to_end_id,
        "mandate_id": one_line(stated.get("MARF", "").rstrip("/")),
    }
