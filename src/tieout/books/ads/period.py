"""The period that a command of the ads book works on: half open, in UTC, with the guardrails of its operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tieout.core.errors import TieoutError

MAX_DAYS = 3
MAX_LIMIT = 10_000
DAY_US = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PeriodRefused(TieoutError):
    """The period that was asked for is missing, unreadable, inverted or too long to be taken without a second word."""

    code = "period_refused"


class LimitRefused(TieoutError):
    """The number of receipts that was asked for is not positive, or too large to be taken without a second word."""

    code = "limit_refused"


@dataclass(frozen=True)
class Period:
    """A stretch of time: its first instant belongs to it, its last does not. Micros since 1970, UTC."""

    start_us: int
    end_us: int

    @property
    def start(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.start_us)

    @property
    def end(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.end_us)

    @property
    def first_day(self) -> date:
        """The first day whose midnight lies in the period: days of statements count from there."""
        return (_EPOCH + timedelta(days=-(-self.start_us // DAY_US))).date()

    @property
    def end_day(self) -> date:
        """The day after the last one whose midnight lies in the period."""
        return (_EPOCH + timedelta(days=-(-self.end_us // DAY_US))).date()

    @property
    def is_whole_days(self) -> bool:
        return self.start_us % DAY_US == 0 and self.end_us % DAY_US == 0

    @property
    def window(self) -> str:
        """The name of the window that points to the runs of the period: days where it is whole days."""
        if self.is_whole_days:
            return f"{self.start:%Y-%m-%d}..{self.end:%Y-%m-%d}"
        return self.text

    @property
    def text(self) -> str:
        return f"{instant_text(self.start)}..{instant_text(self.end)}"

    def overlaps(self, other: Period) -> bool:
        return self.start_us < other.end_us and other.start_us < self.end_us

    def holds(self, other: Period) -> bool:
        return self.start_us <= other.start_us and other.end_us <= self.end_us


def instant_text(instant: datetime) -> str:
    """Return an instant as the runbook writes it: seconds, or micros where there are any, and Z."""
    text = (
        instant.astimezone(UTC)
        .replace(tzinfo=None)
        .isoformat(timespec="seconds" if not instant.microsecond else "auto")
    )
    return f"{text}Z"


def parse_period(start: str | None, end: str | None, *, is_forced: bool = False) -> Period:
    """Read a period from ISO timestamps (a day is its midnight, no zone is UTC). Raises PeriodRefused."""
    if not start or not end:
        raise PeriodRefused("Missing required args: --from ISO, --to ISO", subject="--from, --to")
    period = Period(_micros(start, "--from"), _micros(end, "--to"))
    if period.start_us > period.end_us:
        raise PeriodRefused("from must be <= to", subject="--from")
    if period.end_us - period.start_us > MAX_DAYS * DAY_US and not is_forced:
        raise PeriodRefused(
            "Refusing to run: window exceeds 3 days. Use --force --yes to bypass.", subject=period.window
        )
    return period


def period_of_window(window: str) -> Period | None:
    """Return the period of the window of a run, None where its name is none."""
    start, dots, end = window.partition("..")
    try:
        return Period(_micros(start, ""), _micros(end, "")) if dots else None
    except PeriodRefused:
        return None


def check_limit(limit: int | None, *, is_forced: bool) -> int | None:
    """Return how many receipts are taken at most, None for all. Raises LimitRefused."""
    if limit is None:
        return None if is_forced else MAX_LIMIT
    if limit <= 0:
        raise LimitRefused("--limit must be > 0", subject="--limit")
    if limit > MAX_LIMIT and not is_forced:
        raise LimitRefused(
            f"Refusing to run: --limit exceeds {MAX_LIMIT}. Use --force --yes to bypass.", subject="--limit"
        )
    return limit


def _micros(text: str, option: str) -> int:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise PeriodRefused(
            f"Invalid {option} timestamp: {text!r}.",
            subject=option,
            remedy="Use ISO, such as 2025-11-01T00:00:00Z.",
        ) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)
