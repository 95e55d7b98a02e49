"""The canary's smoke: whether the read side of a running installation answers as its operators expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from tieout.books.ads.period import instant_text
from tieout.core.errors import TieoutError

HEADER = "kind,amount,currency,reason_code,window_start,window_end,evidence_id,confidence"
GAUGES = ("vra_coverage_percent", "vra_variance_percent")
DEFAULT_WINDOW = timedelta(hours=24)


class OverviewFailed(TieoutError):
    """The overview of the ads book did not answer with 200."""

    code = "overview_failed"
    exit_code = 1


class CsvFailed(TieoutError):
    """The deltas as CSV did not come with 200, or not with their header."""

    code = "csv_failed"
    exit_code = 2


class GaugesMissing(TieoutError):
    """The metrics do not have both gauges of the pilot."""

    code = "gauges_missing"
    exit_code = 3


class SmokeMisused(TieoutError):
    """The address or the window of a smoke cannot be used."""

    code = "smoke_misused"
    exit_code = 4


class NoAnswer(Exception):
    """Nobody answers at the address; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What an address answered."""

    status: int
    text: str


@dataclass(frozen=True)
class Smoked:
    """A smoke that went well: the addresses that were asked."""

    overview: str
    csv: str
    metrics: str


Fetch = Callable[[str], Answer]
"""Ask an address once; raises NoAnswer."""


def smoke_window(start: str, end: str, now: datetime) -> tuple[str, str]:
    """Return the window as texts: what is given goes as it is, what is not makes it the last 24 hours.

    Raises SmokeMisused.
    """
    last = end or instant_text(now.replace(microsecond=0))
    if start:
        return start, last
    try:
        until = datetime.fromisoformat(last)
        first = (until if until.tzinfo else until.replace(tzinfo=UTC)) - DEFAULT_WINDOW
    except (ValueError, OverflowError):
        raise SmokeMisused(
            f"TO is {end!r}, and there is no FROM.", subject="TO", remedy="Use ISO, such as 2025-11-02T00:00:00Z."
        ) from None
    return instant_text(first), last


def smoke(fetch: Fetch, api_url: str, window: tuple[str, str]) -> Smoked:
    """Ask overview, deltas and metrics, in this order, for the overview sets the gauges.

    Raises OverviewFailed, CsvFailed, GaugesMissing and SmokeMisused.
    """
    base = api_url.strip().rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise SmokeMisused(f"API_URL is {api_url!r}.", subject="API_URL", remedy="Use http:// or https://.")
    # A + of a time zone would be read as a space.
    asked = "from={}&to={}".format(*(quote(text, safe=":") for text in window))
    done = Smoked(f"{base}/api/v1/recon/overview?{asked}", f"{base}/api/v1/recon/deltas.csv?{asked}", f"{base}/metrics")
    _must_be_200(fetch, done.overview, OverviewFailed)
    first_line = _must_be_200(fetch, done.csv, CsvFailed).text.partition("\n")[0].removesuffix("\r")
    if first_line != HEADER:
        raise CsvFailed(
            f"The first line of the CSV is {first_line[:200]!r}.", subject=done.csv, remedy=f"It must be {HEADER}."
        )
    lines = _must_be_200(fetch, done.metrics, GaugesMissing).text.splitlines()
    missing = [name for name in GAUGES if not any(line.startswith(f"# HELP {name} ") for line in lines)]
    if missing:
        raise GaugesMissing(f"The metrics do not have {' and '.join(missing)}.", subject=done.metrics)
    return done


def _must_be_200(fetch: Fetch, url: str, failure: type[TieoutError]) -> Answer:
    try:
        answer = fetch(url)
    except NoAnswer as error:
        raise failure(f"{url} does not answer: {error}.", subject=url, remedy="Is the server running there?") from None
    if answer.status != 200:
        raise failure(f"{url} answered {answer.status}.", subject=url, remedy=_remedy(answer))
    return answer


def _remedy(answer: Answer) -> str:
    if answer.status == 404 and "FEATURE_DISABLED" in answer.text:
        return "VRA_ENABLED=true switches the routes on."
    if answer.status in (401, 403):
        return "AUTH_TOKEN must hold a token or key that may read the ads book."
    return f"It said: {answer.text[:200]}" if answer.text.strip() else ""
