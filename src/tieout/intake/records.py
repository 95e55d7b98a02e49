"""What a reader hands on: rows, the rows it refused and why, and the checks a file carries within itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

ROW_NO = "__row_no"
LINE = "__line"

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("row_no", pa.int64()),
        pa.field("line", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("reason_code", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw", pa.string()),
    ]
)
"""Refused rows. `row_no` counts data records from 1 in file order (refused ones included), null where the
record has none (a footer); `line` is the physical line of the file from 1; `raw` holds at most 1,000 characters."""


@dataclass(frozen=True)
class Rejected:
    """One row that could not be taken, and why."""

    row_no: int | None
    line: int | None
    column: str | None
    reason_code: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Check:
    """A claim that a file makes about itself (a balance, a control total), held against its own rows.

    `stated` and `computed` are in units of `currency` (or plain counts where it is empty).
    """

    name: str
    subject: str
    currency: str
    stated: Decimal
    computed: Decimal
    message: str

    @property
    def is_ok(self) -> bool:
        return self.stated == self.computed


@dataclass(frozen=True)
class Records:
    """The rows of one file as Parquet, ready for the engine.

    `rows` has the columns `__row_no` BIGINT (from 1, data records in file order, refused ones counted),
    `__line` BIGINT (physical line, or the ordinal of the element where a format has no lines; null if unknown)
    and then one column a field, VARCHAR as received unless the format itself is typed.
    `rejected` has REJECTED_SCHEMA, or is None when nothing was refused.
    """

    format: str
    rows: Path
    columns: tuple[str, ...]
    row_count: int
    rejected: Path | None = None
    rejected_count: int = 0
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
