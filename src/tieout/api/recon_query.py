"""What a caller of the ads book asks for, read from texts: the messages are those of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from tieout.books.ads.reads import DeltaQuery
from tieout.books.ads.reconcile import KINDS
from tieout.core.errors import TieoutError

DEFAULT_DAYS = 7
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 500
MAX_PAGE = 10_000_000
MAX_APP_ID = 500
FIRST_YEAR, LAST_YEAR = 1970, 9000


class BadQuery(TieoutError):
    """A parameter of a request about the ads book cannot be used; `subject` is its name."""

    code = "bad_query"


@dataclass(frozen=True)
class PageOf:
    """Which page of how many."""

    page: int
    page_size: int


def read_window(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the instants of `from` and `to`, each None where it is not given; no zone is UTC. Raises BadQuery."""
    window = _instant(start, "from"), _instant(end, "to")
    if window[0] is not None and window[1] is not None and window[0] > window[1]:
        raise BadQuery("from must be <= to", subject="from")
    return window


def read_overview_window(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the instants of `from` and `to`, the last seven days where they are not given. Raises BadQuery."""
    first, last = read_window(start, end)
    last = last or (now if first is None or first <= now else first)
    return first or last - timedelta(days=DEFAULT_DAYS), last


def read_deltas(
    start: str | None, end: str | None, *, app_id: str | None, kind: str | None, min_conf: str | None
) -> DeltaQuery:
    """Return which deltas are asked for. Raises BadQuery."""
    window = read_window(start, end)
    if kind and kind not in KINDS:
        raise BadQuery("Invalid kind", subject="kind")
    return DeltaQuery(*window, app_id or None, kind or None, _confidence(min_conf))


def read_page(page: str | None, page_size: str | None) -> PageOf:
    """Return which page is asked for. Raises BadQuery."""
    return PageOf(_whole(page, 1, MAX_PAGE, "page"), _whole(page_size, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, "page_size"))


def _instant(text: str | None, name: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = datetime.min.replace(tzinfo=UTC)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadQuery("Invalid from/to timestamp", subject=name)
    return found


def _whole(text: str | None, default: int, at_most: int, name: str) -> int:
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= at_most:
        raise BadQuery(f"Invalid {name}", subject=name)
    return int(text)


def _confidence(text: str | None) -> Decimal | None:
    if text is None or text == "":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= 1:
        raise BadQuery("min_conf must be between 0 and 1", subject="min_conf")
    return value.quantize(Decimal("0.000001"))
