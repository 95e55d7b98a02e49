"""Logs: one JSON object a line on standard error (readable lines on a terminal), every one redacted.

What belongs to a request or a job is said once, by `log_context` or `add_to_log`, and stands in each line that is
written below: `request_id`, `tenant_id`, `job_id`. Lines of other libraries go the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog

from tieout.core.redaction import Redaction

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMATS = ("auto", "json", "text")
_NOISY = ("httpx", "httpcore", "alembic", "sqlalchemy", "asyncio", "uvicorn.access")

# One dictionary a request or job, changed in place: what a thread of the request adds, its other threads see.
_context: ContextVar[dict[str, Any] | None] = ContextVar("tieout_log_context", default=None)


@contextmanager
def log_context(**fields: Any) -> Iterator[dict[str, Any]]:
    """Let every line written inside carry `fields`, beside those from outside; None is left out."""
    inside = {**(_context.get() or {}), **{key: value for key, value in fields.items() if value is not None}}
    token = _context.set(inside)
    try:
        yield inside
    finally:
        _context.reset(token)


def start_log_context(fields: dict[str, Any]) -> None:
    """Let every line of this task carry `fields`; for the edge of a request, whose task ends with it."""
    _context.set(fields)


def add_to_log(**fields: Any) -> None:
    """Add `fields` to the lines of this request or job from here on; outside of one nothing happens."""
    current = _context.get()
    if current is not None:
        current.update(fields)


def logged(field: str) -> Any:
    """Return what the lines of this request or job carry as `field`; None outside of one."""
    return (_context.get() or {}).get(field)


@dataclass(frozen=True)
class Log:
    """Where the lines go, and how."""

    stream: TextIO
    is_json: bool
    redaction: Redaction
    level: int

    def write(self, entry: MutableMapping[str, Any]) -> None:
        """Write one line for `entry`; every key and value of it must be fit to be read by anyone."""
        self.stream.write(self._render(entry) + "\n")
        self.stream.flush()

    def _render(self, entry: MutableMapping[str, Any]) -> str:
        if self.is_json:
            return to_json(entry)
        return str(structlog.dev.ConsoleRenderer(colors=self.stream.isatty())(None, "", entry))


_current: list[Log] = []


def set_up_logs(*, level: str = "info", form: str = "auto", salt: bytes = b"", stream: TextIO | None = None) -> Log:
    """Let structlog and the standard library write to `stream` (standard error), at `level` and above.

    `salt` is the installation's: it hides users' ids in hashes that other installations do not share.
    """
    where = stream or sys.stderr
    log = Log(where, form == "json" or (form == "auto" and not where.isatty()), Redaction(salt), LEVELS[level])
    _current[:] = [log]
    structlog.configure(
        processors=[
            _add_context,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *_finish(log),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *names: _Lines(log, *names),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Records(log)]
    root.setLevel(LEVELS[level])
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[level]))
    return log


def write_plain(level: str, entry: dict[str, Any]) -> None:
    """Write a line of the program's own fields alone, such as that of a request, past the redaction: it is quick."""
    if _current and LEVELS[level] >= _current[0].level:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        _current[0].write({**entry, "level": level, "timestamp": now, **(_context.get() or {})})


def to_json(entry: MutableMapping[str, Any]) -> str:
    """Return `entry` as one line of JSON, whatever it holds."""
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # a lone surrogate, or an integer beyond 64 bits
        texts = {str(key): str(value).encode("utf-8", "backslashreplace").decode() for key, value in entry.items()}
        return orjson.dumps(texts).decode()


def _add_context(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in (_context.get() or {}).items():
        entry.setdefault(key, value)
    return entry


def _finish(log: Log) -> list[Any]:
    def redact(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return log.redaction.fields(entry)

    def name(logger: Any, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry.setdefault("logger", getattr(logger, "name", ""))
        return entry

    def write(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> str:
        log.write(entry)
        raise structlog.DropEvent

    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [name, stamp, structlog.processors.format_exc_info, redact, write]


class _Lines:
    """A logger that has nothing left to do: the last processor wrote the line."""

    def __init__(self, log: Log, name: str = "tieout", *_more: Any) -> None:
        self.log = log
        self.name = name

    def msg(self, message: str) -> None:
        """Do nothing."""

    debug = info = warning = error = critical = exception = log_it = msg


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the arguments do not fit the text: say the text
        return str(record.msg)


class _Records(logging.Handler):
    """Takes the records of the standard library through the same steps."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._steps = [_add_context, structlog.contextvars.merge_contextvars, *_finish(log)]

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry: MutableMapping[str, Any] = {"event": _message(record), "level": record.levelname.lower()}
            entry["logger"] = record.name
            if record.exc_info:
                entry["exc_info"] = record.exc_info
            for step in self._steps:
                entry = step(None, "", entry)
        except structlog.DropEvent:
            pass
        except Exception:  # noqa: BLE001 - a line that cannot be written must not end what it tells of
            self.handleError(record)
