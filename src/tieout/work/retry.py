"""Try a call to an integration again: after 1 s, 2 s, 4 s ± 10 %, or when the integration says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import structlog

from tieout.core import metrics
from tieout.core.errors import TieoutError
from tieout.core.ids import RandomBytes
from tieout.work.jobs.rules import BackOff, unit_interval

AUTH_ERRORS = (401, 403)
CAP_S = 60.0

_log = structlog.get_logger("tieout.work")

Answer = TypeVar("Answer")


class CallFailed(TieoutError):
    """A call to an integration failed: `error_code` for the record, `status` of HTTP where there was one.

    `retry_after_s` is what the integration asked for. Authentication errors are never tried again.
    """

    code = "fetch_error"
    http_status = 502

    def __init__(
        self,
        what: str,
        *,
        error_code: str = "fetch_error",
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(what)
        self.error_code = error_code
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def is_worth_another(self) -> bool:
        return self.status not in AUTH_ERRORS and self.error_code != "auth_error"


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is made, and how long between: doubled each time, at most CAP_S."""

    calls: int = 3
    back_off: BackOff = BackOff(first_s=1.0, cap_s=CAP_S, jitter=0.1)  # noqa: RUF009 - frozen


def with_retry(
    call: Callable[[], Answer],
    *,
    platform: str,
    random_bytes: RandomBytes,
    policy: RetryPolicy = RetryPolicy(),
) -> Answer:
    """Return what `call` returns, made again where it raises a CallFailed that is worth it.

    `Retry-After` is honoured where it is longer than the own pause, up to CAP_S; one that is longer still ends the
    tries, for a worker has better to do than to wait. Raises the last CallFailed.
    """
    import stamina  # noqa: PLC0415 - where no call is made nothing is loaded

    made = 0

    def pause_after(error: Exception) -> bool | float:
        nonlocal made
        made += 1
        if not isinstance(error, CallFailed) or not error.is_worth_another or made >= policy.calls:
            return False
        pause_s = policy.back_off.delay_s(made, unit_interval(random_bytes(8)))
        if error.retry_after_s is not None:
            if error.retry_after_s > CAP_S:
                return False
            pause_s = max(pause_s, error.retry_after_s)
        metrics.INTEGRATION_RETRIES.labels(metrics.bounded("platform", platform)).inc()
        _log.warning(
            "Platform fetch retry scheduled",
            platform=platform,
            attempt=made,
            backoff_seconds=round(pause_s, 3),
            error_code=error.error_code,
        )
        return pause_s

    caller = stamina.RetryingCaller(attempts=policy.calls, timeout=None)
    return caller.on(pause_after)(call)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for: a number, or a date of HTTP; None for anything else."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):  # no date, or one without a zone
        return None
