"""What the bank statement readers share: exact amounts, calendar dates, lines of text, rows on their way to Parquet."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact, Rounded
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from tieout.core.errors import TieoutError
from tieout.core.money import AmountOutOfRange, to_micros
from tieout.intake.records import LINE, REJECTED_SCHEMA, ROW_NO, Check, Records, Rejected

MAX_LINE_CHARS = 1_000_000
MAX_RAW_CHARS = 1_000
MAX_NOTES = 100
MAX_FRACTION_DIGITS = 6
_BATCH_ROWS = 20_000
_READ_BYTES = 1 << 20
_PIVOT_YEAR = 80
_EXACT = Context(prec=200, traps=[Inexact, Rounded])

# ISO 4217 minor units that are not two.
_MINOR_UNITS = {
    code: places
    for codes, places in (
        ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
        ("BHD IQD JOD KWD LYD OMR TND", 3),
        ("CLF UYW", 4),
    )
    for code in codes.split()
}
_USUAL_MINOR_UNITS = 2

_AMOUNT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_COUNT = re.compile(r"[0-9]{1,18}")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[TZ+-].*)?")


class UnreadableStatement(TieoutError):
    """A whole file cannot be read as the bank statement format it was taken for."""

    code = "unreadable_statement"


@dataclass(frozen=True)
class Refusal:
    """Why one field of an entry cannot be taken."""

    column: str
    reason_code: str
    reason: str


# --- values ---------------------------------------------------------------------------------------------------


def exact_amount(text: str, *, column: str = "amount") -> Decimal | Refusal:
    """Return the decimal number that `text` states with a point, digit for digit.

    Refused: anything else than a plain number, more than 63 bits of micros, and
    digits finer than a millionth, which would have to be rounded later.
    """
    text = text.strip()
    if not _AMOUNT.fullmatch(text):
        return Refusal(column, "bad_amount", f"{text[:60]!r} is not an amount.")
    if len(text.partition(".")[2].rstrip("0")) > MAX_FRACTION_DIGITS:
        return Refusal(column, "bad_amount", f"{text[:60]!r} is finer than a millionth, so it would be rounded.")
    value = Decimal(text)
    try:
        to_micros(value)
    except AmountOutOfRange as error:
        return Refusal(column, "amount_out_of_range", error.what[:200])
    return value


def comma_amount(text: str, *, column: str = "amount") -> Decimal | Refusal:
    """Return the number that `text` states with a decimal comma, as SWIFT writes it: `147,64`, `500,`."""
    if "." in text:
        return Refusal(column, "bad_amount", f"{text[:60]!r} has a point; amounts here have a decimal comma.")
    return exact_amount(text.replace(",", "."), column=column)


def whole_number(text: str | None) -> int | None:
    """Return the count that `text` states, None where it states none."""
    return int(text) if text and _COUNT.fullmatch(text.strip()) else None


def plain(value: Decimal) -> str:
    """Return `value` with all its digits, without exponent, plus sign or leading zeros."""
    return format(value.copy_abs() if value.is_zero() else value, "f")


def add(left: Decimal, right: Decimal) -> Decimal:
    """Return the sum without ever rounding."""
    return _EXACT.add(left, right)


def negate(value: Decimal) -> Decimal:
    """Return the opposite, and zero without a sign."""
    return value.copy_abs() if value.is_zero() else value.copy_negate()


def tally(totals: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    """Add `amount` to the total of its currency."""
    totals[currency] = add(totals.get(currency, Decimal(0)), amount)


def minor_units(currency: str) -> int:
    """Return how many decimals the smallest unit of `currency` has after ISO 4217 (JPY 0, EUR 2, KWD 3)."""
    return _MINOR_UNITS.get(currency.upper(), _USUAL_MINOR_UNITS)


def calendar_day(year: int, month: int, day: int) -> str | None:
    """Return the day as ISO text, or None where no calendar has it."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def short_day(text: str, *, column: str) -> str | Refusal:
    """Return the ISO day of YYMMDD; years from 80 lie in the last century, as SWIFT and BAI have it."""
    if re.fullmatch(r"[0-9]{6}", text):
        year = int(text[:2])
        found = calendar_day((1900 if year >= _PIVOT_YEAR else 2000) + year, int(text[2:4]), int(text[4:]))
        if found:
            return found
    return Refusal(column, "bad_date", f"{text[:60]!r} is no day (YYMMDD).")


def iso_day(text: str, *, column: str) -> str | Refusal:
    """Return the day of an ISO date or date-time, as written: no conversion between time zones."""
    match = _ISO_DAY.fullmatch(text.strip())
    found = match and calendar_day(int(match[1]), int(match[2]), int(match[3]))
    return found or Refusal(column, "bad_date", f"{text[:60]!r} is no day (YYYY-MM-DD).")


def one_line(*parts: str | None) -> str | None:
    """Join the parts with single spaces and fold every run of white space; None when nothing is left."""
    return " ".join(" ".join(part.split()) for part in parts if part and part.strip()) or None


# --- text files -----------------------------------------------------------------------------------------------


def decodes_as(path: Path, encoding: str) -> bool:
    """Say whether the whole file is valid in `encoding`, reading it in pieces."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_READ_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def text_encoding(path: Path) -> str:
    """Return the encoding of a text file that does not declare one.

    A byte order mark decides; otherwise UTF-8 where all of it is valid, then
    Windows-1252, then Latin-1, which has no invalid bytes.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    marked = "utf-16" if wide else "utf-8-sig"
    return next((name for name in (marked, "cp1252") if decodes_as(path, name)), "latin-1")


def line_end(path: Path, encoding: str) -> str:
    """Return what ends the physical lines of the file: a line feed, or a carriage return where it has no line feed."""
    with path.open(encoding=encoding, newline="") as stream:
        head = stream.read(_READ_BYTES)
    return "\r" if "\r" in head and "\n" not in head else "\n"


def numbered_lines(path: Path, encoding: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield the physical lines from 1, without their ends."""
    with path.open(encoding=encoding, newline=line_end(path, encoding)) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_CHARS + 1):
            number += 1
            if len(line) > MAX_LINE_CHARS:
                raise UnreadableStatement(
                    f"Line {number} of {name} is longer than {MAX_LINE_CHARS:,} characters.",
                    subject=name,
                    remedy="No bank statement has such a line; check that this is the file you meant.",
                )
            yield number, line.rstrip("\r\n")


# --- balances -------------------------------------------------------------------------------------------------


def tie_balances(
    subject: str,
    opening: Mapping[str, Decimal],
    closing: Mapping[str, Decimal],
    booked: Mapping[str, Decimal],
    *,
    refused: int = 0,
) -> list[Check]:
    """Hold opening + Σ entries against closing, one check a currency; both balances must be stated in some currency.

    A currency without a balance of its own counts as opened or closed at zero, so
    that a statement which opens in one currency and closes in another never ties.
    """
    checks = []
    for currency in sorted({*opening, *closing, *booked}):
        first, last = opening.get(currency, Decimal(0)), closing.get(currency, Decimal(0))
        moved = booked.get(currency, Decimal(0))
        computed = add(first, moved)
        said = f"{subject}: opening {plain(first)} + entries {plain(moved)} = {plain(computed)} {currency}"
        if computed == last:
            message = f"{said}, as the closing balance says."
        elif currency in closing:
            gap = plain(add(last, negate(computed)))
            message = f"{said}, but the statement closes at {plain(last)}: {gap} is not explained by its entries."
        else:
            message = f"{said}, but the statement closes only in {', '.join(sorted(closing))}."
        if computed != last and currency in closing and currency not in opening:
            message += f" It opens only in {', '.join(sorted(opening))}."
        if computed != last and refused:
            message += f" Quarantined entries: {refused}."
        checks.append(Check("closing_balance", subject, currency, last, computed, message))
    return checks


def count_check(name: str, subject: str, stated: int, computed: int) -> Check:
    """Hold a stated number of records against those found."""
    message = f"{subject}: {stated} stated, {computed} found."
    return Check(name, subject, "", Decimal(stated), Decimal(computed), message)


def sum_check(name: str, subject: str, currency: str, stated: Decimal, computed: Decimal) -> Check:
    """Hold a stated total against the sum of what was found."""
    unit = f" {currency}" if currency else ""
    message = f"{subject}: {plain(stated)}{unit} stated, {plain(computed)}{unit} found."
    return Check(name, subject, currency, stated, computed, message)


# --- rows -----------------------------------------------------------------------------------------------------


class StatementRows:
    """The rows and refused rows of one statement file on their way to Parquet, a batch at a time.

    Use it as a context manager: when the reader fails, the half-written files are removed.
    """

    def __init__(self, out_dir: Path, columns: Sequence[str]) -> None:
        self.checks: list[Check] = []
        self._notes: list[str] = []
        self._unsaid = 0
        self._out_dir = out_dir
        self._columns = tuple(columns)
        self._schema = _rows_schema(self._columns)
        self._numbered = 0
        self._row_count = 0
        self._filled: set[str] = set()
        self._rows: list[dict[str, str | int | None]] = []
        self._partial: pq.ParquetWriter | None = None
        self._rejected_count = 0
        self._rejected: list[Rejected] = []
        self._rejected_writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._out_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in (self._partial, self._rejected_writer):
            if writer:
                writer.close()
        self._partial_path.unlink(missing_ok=True)
        if kind is not None:
            self._rows_path.unlink(missing_ok=True)
            self._rejected_path.unlink(missing_ok=True)

    @property
    def row_count(self) -> int:
        return self._row_count

    def note(self, text: str) -> None:
        """Keep a remark for the reader of the report; beyond the first hundred only their number."""
        if len(self._notes) < MAX_NOTES:
            self._notes.append(text)
        else:
            self._unsaid += 1

    def number(self) -> int:
        """Return the number of the next data record, refused ones counted."""
        self._numbered += 1
        return self._numbered

    def add(self, row_no: int, line: int | None, row: Mapping[str, str | None]) -> None:
        """Keep one row; empty text counts as absent."""
        filled = {name: value for name, value in row.items() if value}
        self._filled.update(filled)
        self._rows.append({ROW_NO: row_no, LINE: line, **filled})
        self._row_count += 1
        if len(self._rows) >= _BATCH_ROWS:
            self._flush_rows()

    def reject(self, row_no: int | None, line: int | None, refusal: Refusal, raw: str) -> None:
        """Quarantine one row, or a record that is none (then without number)."""
        self._rejected.append(
            Rejected(row_no, line, refusal.column or None, refusal.reason_code, refusal.reason, raw[:MAX_RAW_CHARS])
        )
        self._rejected_count += 1
        if len(self._rejected) >= _BATCH_ROWS:
            self._flush_rejected()

    def finish(self, file_format: str) -> Records:
        """Write what is left, without the columns that no row fills, and return the records."""
        columns = tuple(name for name in self._columns if name in self._filled) if self._row_count else self._columns
        if self._partial is None:
            self._write_rows_at_once(columns)
        else:
            self._flush_rows()
            self._partial.close()
            self._partial = None
            self._copy_rows(columns)
        if self._rejected_count:
            self._flush_rejected()
        return Records(
            format=file_format,
            rows=self._rows_path,
            columns=columns,
            row_count=self._row_count,
            rejected=self._rejected_path if self._rejected_count else None,
            rejected_count=self._rejected_count,
            checks=tuple(self.checks),
            notes=(*self._notes, *([f"And {self._unsaid:,} more notes of this kind."] if self._unsaid else [])),
        )

    @property
    def _rows_path(self) -> Path:
        return self._out_dir / "rows.parquet"

    @property
    def _partial_path(self) -> Path:
        return self._out_dir / "rows.partial.parquet"

    @property
    def _rejected_path(self) -> Path:
        return self._out_dir / "rejected.parquet"

    def _write_rows_at_once(self, columns: tuple[str, ...]) -> None:
        table = pa.Table.from_pylist(self._rows, schema=_rows_schema(columns))
        pq.write_table(table, self._rows_path)
        self._rows.clear()

    def _flush_rows(self) -> None:
        if self._partial is None:
            self._partial = pq.ParquetWriter(self._partial_path, self._schema)
        self._partial.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def _copy_rows(self, columns: tuple[str, ...]) -> None:
        if columns == self._columns:
            self._partial_path.replace(self._rows_path)
            return
        schema = _rows_schema(columns)
        with pq.ParquetFile(self._partial_path) as partial, pq.ParquetWriter(self._rows_path, schema) as writer:
            for group in range(partial.num_row_groups):
                writer.write_table(partial.read_row_group(group, columns=schema.names))

    def _flush_rejected(self) -> None:
        if self._rejected_writer is None:
            self._rejected_writer = pq.ParquetWriter(self._rejected_path, REJECTED_SCHEMA)
        rows = [vars(rejected) for rejected in self._rejected]
        self._rejected_writer.write_table(pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA))
        self._rejected.clear()


def _rows_schema(columns: Sequence[str]) -> pa.Schema:
    numbers = [pa.field(ROW_NO, pa.int64(), nullable=False), pa.field(LINE, pa.int64())]
    return pa.schema(numbers + [pa.field(name, pa.string()) for name in columns])
