"""Read BAI2 cash management balance reports (BAI, Cash Management Balance Reporting Specifications, version 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tieout.intake.records import Records
from tieout.intake.statement_rows import (
    Refusal,
    StatementRows,
    UnreadableStatement,
    add,
    count_check,
    exact_amount,
    minor_units,
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
    "memo",
    "type_code",
    "direction",
    "funds_type",
    "bank",
)

DEFAULT_CURRENCY = "USD"
MAX_RECORD_CHARS = 100_000
_CODES = {"01", "02", "03", "16", "49", "88", "98", "99"}
_STARTS = re.compile(r"\s*([0-9]{2}),")
_RUNS_INTO = re.compile(
    r"/\s+(?=(?:01,[^,]*,[^,]*,[0-9]{6},|02,[^,]*,[^,]*,[1-4]?,[0-9]{6},|03,[^,]*,[A-Z]{0,3},|16,[0-9]{3},[0-9]*,"
    r"|49,[+-]?[0-9]+,[0-9]+|88,|98,[+-]?[0-9]+,[0-9]+,|99,[+-]?[0-9]+,[0-9]+,))"
)
_MINOR_AMOUNT = re.compile(r"[+-]?[0-9]{1,24}")
_TYPE_CODE = re.compile(r"[0-9]{3}")
_NOT_MONETARY = "890"
_OPENING_LEDGER, _CLOSING_LEDGER, _CREDITS, _DEBITS = "010", "015", "100", "400"
_GROUP_STATUS = {"2": "deletes what was sent before", "3": "corrects what was sent before", "4": "is only a test"}


class NotBai2(UnreadableStatement):
    """The file does not start with a BAI2 file header."""

    code = "not_bai2"


@dataclass
class _Record:
    """One logical record: its code and fields, with the continuations (88) taken in."""

    code: str
    body: str
    line: int
    closed: bool
    size: int = 1

    def continue_with(self, text: str, *, closed: bool) -> None:
        """Take in a continuation record: the next field, or more of a text that has begun."""
        in_text = self.code == "16" and _text_has_begun(self.body)
        self.body += f" {text.strip()}" if in_text else f",{text}"
        self.closed = closed
        self.size += 1

    @property
    def fields(self) -> list[str]:
        return [part.strip() for part in self.body.split(",")]


@dataclass(frozen=True)
class _Detail:
    amount: Decimal
    row: dict[str, str | None]


@dataclass(frozen=True)
class _Summary:
    amount: Decimal
    count: int | None


@dataclass
class _Account:
    number: str
    currency: str
    records: int = 0
    control: int = 0
    control_broken: bool = False
    summaries: dict[str, _Summary] = field(default_factory=dict)
    credits: int = 0
    credit_total: Decimal = Decimal(0)
    debits: int = 0
    debit_total: Decimal = Decimal(0)
    refused: int = 0

    @property
    def currencies(self) -> set[str]:
        return {self.currency}


@dataclass
class _Group:
    bank: str = ""
    day: str | Refusal = ""
    currency: str = DEFAULT_CURRENCY
    accounts: int = 0
    records: int = 0
    control: int = 0
    control_broken: bool = False
    currencies: set[str] = field(default_factory=set)


@dataclass
class _File:
    id: str = ""
    groups: int = 0
    records: int = 0
    control: int = 0
    control_broken: bool = False
    currencies: set[str] = field(default_factory=set)


def read_bai2(path: Path, out_dir: Path, name: str = "") -> Records:
    """Read the file into one row a transaction detail (record 16).

    Amounts get the decimals that ISO 4217 gives their currency (USD where none is
    stated) and the sign of their type code: credits positive. `booking_date` is the
    group's as-of date, `value_date` the one stated with funds type V. Control totals and
    record counts of accounts (49), groups (98) and files (99) are held against the
    records, and ledger balances (010, 015) and the totals 100 and 400 against the details
    where the file states them for all details. Raises NotBai2 without a file header.
    """
    name = name or path.name
    with StatementRows(out_dir, COLUMNS) as rows:
        book = _Book(rows)
        first = True
        for record in _records(numbered_lines(path, text_encoding(path), name)):
            if first and record.code != "01":
                break
            first = False
            book.take(record)
        if first:
            raise NotBai2(
                f"{name} is not a BAI2 file: it does not start with a file header (01,…).",
                subject=name,
                remedy="Check that this is the file you meant.",
            )
        book.end()
        return rows.finish("bai2")


def _physical_records(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Yield line, code (empty when it is none) and body of each physical record; a line may hold several."""
    for line, physical in lines:
        for text in _RUNS_INTO.split(physical):
            starts = _STARTS.match(text)
            if starts and starts[1] in _CODES:
                yield line, starts[1], text[starts.end() :]
            elif text.strip():
                yield line, "", text


def _records(lines: Iterator[tuple[int, str]]) -> Iterator[_Record]:
    """Yield logical records: with their continuations, and whole where one was broken over lines."""
    held: _Record | None = None
    for line, code, text in _physical_records(lines):
        body, closed = _closed(text)
        if held and len(held.body) > MAX_RECORD_CHARS:
            raise UnreadableStatement(
                f"The record at line {held.line} goes on for more than {MAX_RECORD_CHARS:,} characters.",
                remedy="No BAI2 report has such a record; check that this is the file you meant.",
            )
        if code == "88" and held:
            held.continue_with(body, closed=closed)
        elif not code and held and not held.closed and held.code == "16":
            held.body, held.closed = f"{held.body} {body}", closed
        else:
            if held:
                yield held
            held = _Record(code, body, line, closed)
    if held:
        yield held


def _closed(text: str) -> tuple[str, bool]:
    """Return the record without its end mark, and whether it had one; blanks that fill a block go with it."""
    stripped = text.rstrip()
    return (stripped[:-1], True) if stripped.endswith("/") else (stripped, False)


def _funds_end(fields: list[str], at: int) -> int | None:
    """Return the index after the funds type at `at` and what belongs to it; None while it is not all there."""
    if at >= len(fields):
        return None
    kind = fields[at].strip()
    if kind == "V":
        return at + 3
    if kind == "S":
        return at + 4
    if kind != "D":
        return at + 1
    if at + 1 >= len(fields) or not fields[at + 1].strip().isdecimal():
        return None if at + 1 >= len(fields) else at + 2
    return at + 2 + 2 * int(fields[at + 1].strip()[:3])


def _text_has_begun(body: str) -> bool:
    fields = body.split(",")
    after_funds = _funds_end(fields, 2)
    return after_funds is not None and len(fields) > after_funds + 2


class _Book:
    """Takes the records of a file in order and keeps its rows, control totals and checks."""

    def __init__(self, rows: StatementRows) -> None:
        self._rows = rows
        self._file: _File | None = None
        self._group: _Group | None = None
        self._account: _Account | None = None

    def take(self, record: _Record) -> None:
        """Take the next record."""
        for part in (self._file, self._group, self._account):
            if part and record.code:
                part.records += record.size
        match record.code:
            case "01":
                self._start_file(record)
            case "02":
                self._start_group(record)
            case "03":
                self._start_account(record)
            case "16":
                self._take_detail(record)
            case "49":
                self._end_account(record)
            case "98":
                self._end_group(record)
            case "99":
                self._end_file(record)
            case _:
                self._refuse(record, Refusal("", "unknown_record", "The line starts with no BAI2 record code."))

    def end(self) -> None:
        """Say which trailers the file lacks, as a truncated file does."""
        self._note_open_group()
        if self._file:
            self._note_missing("file", "99", f"file {self._file.id}")
        if not self._rows.row_count:
            self._rows.note("The file holds no transaction details (16).")

    def _note_open_account(self) -> None:
        if self._account:
            self._note_missing("account", "49", f"account {self._account.number}")

    def _note_open_group(self) -> None:
        self._note_open_account()
        if self._group:
            self._note_missing("group", "98", f"the group of {self._group.bank or 'no bank'}")

    def _note_missing(self, kind: str, code: str, subject: str) -> None:
        said = f"No {kind} trailer ({code}) for {subject}"
        self._rows.note(f"{said}: its totals cannot be checked; the file may be cut off.")

    def _refuse(self, record: _Record, refusal: Refusal) -> None:
        self._rows.reject(None, record.line, refusal, f"{record.code},{record.body}" if record.code else record.body)

    def _start_file(self, record: _Record) -> None:
        if self._file:
            self.end()
        fields = record.fields
        self._file = _File(id=_at(fields, 4), records=record.size)
        self._group = self._account = None

    def _start_group(self, record: _Record) -> None:
        self._note_open_group()
        fields = record.fields
        bank = _at(fields, 1)
        status = _GROUP_STATUS.get(_at(fields, 2))
        if status:
            self._rows.note(f"The group of {bank or 'no bank'} {status}, as its header says.")
        self._account = None
        day = short_day(_at(fields, 3), column="booking_date")
        self._group = _Group(bank, day, _at(fields, 5).upper() or DEFAULT_CURRENCY, records=record.size)
        if self._file:
            self._file.groups += 1

    def _start_account(self, record: _Record) -> None:
        self._note_open_account()
        fields = record.fields
        group = self._group
        currency = _at(fields, 1).upper() or (group.currency if group else DEFAULT_CURRENCY)
        account = _Account(_at(fields, 0), currency, records=record.size)
        self._account = account
        for owner in (group, self._file):
            if owner:
                owner.currencies.add(currency)
        if group:
            group.accounts += 1
        at = 2
        while at < len(fields):
            self._take_summary(account, record, fields[at : at + 3])
            at = _funds_end(fields, at + 3) or len(fields)

    def _take_summary(self, account: _Account, record: _Record, fields: list[str]) -> None:
        code, amount, count = _at(fields, 0), _at(fields, 1), _at(fields, 2)
        if not code or not amount:
            return
        self._count_control(amount)
        read = _scaled(amount, account.currency)
        if isinstance(read, Refusal):
            self._refuse(record, Refusal(f"type {code[:3]}", read.reason_code, read.reason))
            return
        account.summaries.setdefault(code, _Summary(read, whole_number(count)))

    def _count_control(self, amount: str) -> None:
        for owner in (self._account, self._group, self._file):
            if owner is None:
                continue
            if _MINOR_AMOUNT.fullmatch(amount):
                owner.control += int(amount)
            else:
                owner.control_broken = True

    def _take_detail(self, record: _Record) -> None:
        row_no = self._rows.number()
        fields = record.body.split(",")
        self._count_control(_at(fields, 1) or "0")
        account = self._account
        read = self._detail(fields)
        if isinstance(read, Refusal):
            if account:
                account.refused += 1
            self._rows.reject(row_no, record.line, read, f"16,{record.body}")
            return
        self._rows.add(row_no, record.line, read.row)
        if account is None:
            return
        if read.row["direction"] == "credit":
            account.credits, account.credit_total = account.credits + 1, add(account.credit_total, read.amount)
        else:
            account.debits, account.debit_total = account.debits + 1, add(account.debit_total, read.amount)

    def _detail(self, fields: list[str]) -> _Detail | Refusal:
        account, group = self._account, self._group
        if account is None or group is None:
            return Refusal("", "orphan_record", "The transaction stands outside of any account (03).")
        code = _at(fields, 0)
        amount = _signed(code, _at(fields, 1), account.currency)
        if isinstance(amount, Refusal):
            return amount
        days = (group.day, _value_date(fields))
        for day in days:
            if isinstance(day, Refusal):
                return day
        after_funds = _funds_end(fields, 2) or len(fields)
        row: dict[str, str | Refusal | None] = {
            "account": account.number,
            "statement_id": self._file.id if self._file else None,
            "booking_date": days[0],
            "value_date": days[1],
            "amount": plain(amount),
            "currency": account.currency,
            "reference": one_line(_at(fields, after_funds)),
            "customer_reference": one_line(_at(fields, after_funds + 1)),
            "memo": one_line(",".join(fields[after_funds + 2 :])),
            "type_code": code,
            "direction": _direction(code),
            "funds_type": _at(fields, 2),
            "bank": group.bank,
        }
        return _Detail(amount, {name: value for name, value in row.items() if not isinstance(value, Refusal)})

    def _end_account(self, record: _Record) -> None:
        account = self._account
        if account is None:
            self._refuse(record, Refusal("", "orphan_record", "The account trailer follows no account (03)."))
            return
        stated = self._integers(record, ("control_total", "records"))
        subject = f"account {account.number}"
        if stated:
            self._check_total("account", subject, stated[0], account)
            self._rows.checks.append(count_check("account_records", subject, stated[1], account.records))
        self._check_summaries(account, subject)
        self._account = None

    def _end_group(self, record: _Record) -> None:
        self._note_open_account()
        group = self._group
        if group is None:
            self._refuse(record, Refusal("", "orphan_record", "The group trailer follows no group (02)."))
            return
        stated = self._integers(record, ("control_total", "accounts", "records"))
        subject = f"group {group.bank or 'without a bank'}"
        if stated:
            self._check_total("group", subject, stated[0], group)
            self._rows.checks.append(count_check("group_accounts", subject, stated[1], group.accounts))
            self._rows.checks.append(count_check("group_records", subject, stated[2], group.records))
        self._group = self._account = None

    def _end_file(self, record: _Record) -> None:
        self._note_open_group()
        file = self._file
        if file is None:
            self._refuse(record, Refusal("", "orphan_record", "The file trailer follows no file header (01)."))
            return
        stated = self._integers(record, ("control_total", "groups", "records"))
        subject = f"file {file.id}"
        if stated:
            self._check_total("file", subject, stated[0], file)
            self._rows.checks.append(count_check("file_groups", subject, stated[1], file.groups))
            self._rows.checks.append(count_check("file_records", subject, stated[2], file.records))
        self._file = self._group = self._account = None

    def _integers(self, record: _Record, names: tuple[str, ...]) -> list[int] | None:
        fields = record.fields
        for at, name in enumerate(names):
            if not _MINOR_AMOUNT.fullmatch(_at(fields, at)):
                said = f"{_at(fields, at)[:60]!r} is no whole number, so the totals cannot be checked."
                self._refuse(record, Refusal(name, "bad_amount", said))
                return None
        return [int(value) for value in fields[: len(names)]]

    def _check_total(self, level: str, subject: str, stated: int, owner: _Account | _Group | _File) -> None:
        """Hold a control total: the sum of all amounts of the records within, as written."""
        currency, places = _shared(owner.currencies)
        if owner.control_broken:
            self._rows.note(f"{subject}: an amount in it cannot be read, so the control total is short of it.")
        values = (Decimal(value).scaleb(-places) for value in (stated, owner.control))
        self._rows.checks.append(sum_check(f"{level}_total", subject, currency, *values))

    def _check_summaries(self, account: _Account, subject: str) -> None:
        """Hold ledger balances and summed credits and debits against the details, where there are details.

        Banks may send totals with only some of the details, so a total counts as a
        claim about them when the item count stated with it is theirs.
        """
        details = account.credits + account.debits
        complete = [
            self._check_summary(account, subject, _CREDITS, account.credits, account.credit_total),
            self._check_summary(account, subject, _DEBITS, account.debits, negate(account.debit_total)),
        ]
        opening, closing = account.summaries.get(_OPENING_LEDGER), account.summaries.get(_CLOSING_LEDGER)
        if opening and closing and (details or opening.amount == closing.amount) and all(complete):
            moved = {account.currency: add(account.credit_total, account.debit_total)}
            first, last = {account.currency: opening.amount}, {account.currency: closing.amount}
            self._rows.checks.extend(tie_balances(subject, first, last, moved, refused=account.refused))

    def _check_summary(self, account: _Account, subject: str, code: str, count: int, total: Decimal) -> bool:
        """Return whether the details are all there, as far as the file says."""
        summary = account.summaries.get(code)
        kind = "credit" if code == _CREDITS else "debit"
        if summary is None:
            return True
        if summary.count is not None and summary.count == count:
            self._rows.checks.append(sum_check(f"{kind}_total", subject, account.currency, summary.amount, total))
        elif account.credits + account.debits and summary.amount != total:
            said = f"details make up {plain(total)} of {plain(summary.amount)} {account.currency} of {kind}s"
            self._rows.note(f"{subject}: its {said}.")
            return False
        return True


def _at(fields: list[str], index: int) -> str:
    return fields[index].strip() if index < len(fields) else ""


def _scaled(text: str, currency: str) -> Decimal | Refusal:
    """Return a whole number of minor units as an amount of `currency`."""
    if not _MINOR_AMOUNT.fullmatch(text):
        return Refusal("amount", "bad_amount", f"{text[:60]!r} is no whole number of minor units.")
    places = minor_units(currency)
    return exact_amount(format(Decimal(text).scaleb(-places), "f"))


def _direction(code: str) -> str | None:
    """Return what a type code means for the account: credit, debit, or None for neither."""
    if not _TYPE_CODE.fullmatch(code):
        return None
    number = int(code)
    if 100 <= number <= 399 or 720 <= number <= 759 or 920 <= number <= 959:
        return "credit"
    if 400 <= number <= 699 or 760 <= number <= 799 or 960 <= number <= 999:
        return "debit"
    return None


def _signed(code: str, amount: str, currency: str) -> Decimal | Refusal:
    """Return the amount of a detail with the sign of its type code."""
    direction = _direction(code)
    if code == _NOT_MONETARY:
        return Refusal("amount", "not_cash", f"Type {_NOT_MONETARY} is information without an amount.")
    if direction is None:
        said = f"{code[:60]!r} is no type code of a credit or a debit, so the sign is unknown."
        return Refusal("type_code", "unknown_type_code", said)
    size = _scaled(amount, currency)
    return negate(size) if isinstance(size, Decimal) and direction == "debit" else size


def _value_date(fields: list[str]) -> str | Refusal | None:
    if _at(fields, 2) != "V" or not _at(fields, 3):
        return None
    return short_day(_at(fields, 3), column="value_date")


def _shared(currencies: set[str]) -> tuple[str, int]:
    """Return the one currency and its decimals; no currency, and whole numbers, where there are several."""
    if len(currencies) == 1:
        (currency,) = currencies
        return currency, minor_units(currency)
    return "", 0
