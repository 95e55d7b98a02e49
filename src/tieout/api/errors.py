"""The one place that turns a failure into an answer.

Under `/v1` (control plane) an error is `{"error": {code, message, request_id, details?}}`; elsewhere it is
`{"success": false, "error": message, code, request_id, details?}`. The codes are the same.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from tieout.core.errors import TieoutError
from tieout.core.redaction import redact_text
from tieout.store.state import StateIncomplete, StateIsNewer, StateUnavailable

CODES = {
    400: "VALIDATION",
    401: "AUTHN",
    403: "AUTHZ",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    408: "TIMEOUT",
    409: "CONFLICT",
    413: "VALIDATION",
    415: "VALIDATION",
    422: "VALIDATION",
    429: "RATE_LIMIT",
    503: "UNAVAILABLE",
}
OURS_TO_MEND = frozenset({500, 507})
OF_THE_STATE = (StateUnavailable, StateIsNewer, StateIncomplete)
INTERNAL = "INTERNAL"
_log = structlog.get_logger("tieout.api")


def answer(
    path: str, request_id: str | None, status: int, message: str, *, code: str = "", details: Any = None
) -> bytes:
    """Return the body for a failure, in the shape of the part of the API that was asked."""
    code = code or CODES.get(status, INTERNAL)
    message = redact_text(message)
    extra = {"request_id": request_id} | ({} if details is None else {"details": details})
    if path.startswith("/v1/"):
        body: dict[str, Any] = {"error": {"code": code, "message": message, **extra}}
    else:
        body = {"success": False, "error": message, "code": code, **extra}
    try:
        return orjson.dumps(body, default=str)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(body, default=str).encode()


def render(
    request: Request, status: int, message: str, *, code: str = "", details: Any = None, headers: Any = None
) -> Response:
    """Return the answer for a failure."""
    request_id = getattr(request.state, "request_id", None)
    body = answer(request.url.path, request_id, status, message, code=code, details=details)
    return Response(body, status, headers=headers, media_type="application/json")


def handle_errors(app: FastAPI) -> None:
    """Let every failure of `app` be rendered here."""
    app.add_exception_handler(TieoutError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(DBAPIError, _of_database)
    app.add_exception_handler(PoolTimeout, _of_database)
    app.add_exception_handler(OverflowError, _out_of_range)
    app.add_exception_handler(Exception, _fault)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, TieoutError)  # noqa: S101 - registered for nothing else
    if error.http_status in OURS_TO_MEND or isinstance(error, OF_THE_STATE):
        return _of_the_installation(request, error)
    details = {"reason": error.code} | ({"subject": error.subject} if error.subject else {})
    code = getattr(error, "api_code", "")
    return render(
        request, error.http_status, str(error), code=code, details=details, headers=getattr(error, "headers", None)
    )


def _of_the_installation(request: Request, error: TieoutError) -> Response:
    """Tell the caller that it is not theirs to mend; addresses, folders and causes are for the operator's log."""
    _log.error("The installation fails a request", path=request.url.path, reason=error.code, error=str(error))
    is_passing = error.http_status == HTTPStatus.SERVICE_UNAVAILABLE
    message = "The server cannot do this at the moment; its operator finds the reason in the log."
    details, headers = {"reason": error.code}, {"Retry-After": "5"} if is_passing else None
    return render(request, error.http_status, message, details=details, headers=headers)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]} for fault in error.errors()
    ]
    first = faults[0] if faults else {"field": "body", "problem": "malformed"}
    return render(request, 400, f"{first['field']}: {first['problem']}.", details=faults)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_of(request))
    message = error.detail or HTTPStatus(error.status_code).phrase
    return render(request, error.status_code, message, details=getattr(error, "details", None), headers=headers)


def _methods_of(request: Request) -> list[str]:
    """Return every method of the path; one route knows its own alone."""
    found: set[str] = set()
    for context in iter_route_contexts(request.app.routes):
        methods, pattern = context.methods, getattr(context, "path_regex", None)
        if methods and pattern is not None and pattern.match(request.url.path):
            found |= methods
    return sorted(found)


async def _of_database(request: Request, error: Exception) -> Response:
    if isinstance(error, DataError):
        return await _out_of_range(request, error)
    is_gone = isinstance(error, (OperationalError, InterfaceError, PoolTimeout))
    if not is_gone and not getattr(error, "connection_invalidated", False):
        return await _fault(request, error)
    _log.warning("The state database did not answer", path=request.url.path, cause=type(error).__name__)
    return render(request, 503, "The state database does not answer. Try again.", headers={"Retry-After": "5"})


async def _out_of_range(request: Request, error: Exception) -> Response:
    _log.warning("A value no column can hold was let in", path=request.url.path, cause=type(error).__name__)
    return render(request, 400, "A value is out of range.", details={"reason": "out_of_range"})


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("Unexpected fault", path=request.url.path, exc_info=error)
    return render(request, 500, "Internal error")
