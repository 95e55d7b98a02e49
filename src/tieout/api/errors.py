"""The one place that turns a failure into an answer.

Under `/v1` (control plane) an error is `{"error": {code, message, request_id, details?}}`; elsewhere it is
`{"success": false, "error": message, code, request_id, details?}`. The codes are the same.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tieout.core.errors import TieoutError

CODES = {
    400: "VALIDATION",
    401: "AUTHN",
    403: "AUTHZ",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    409: "CONFLICT",
    413: "VALIDATION",
    415: "VALIDATION",
    422: "VALIDATION",
    429: "RATE_LIMIT",
    503: "UNAVAILABLE",
}
INTERNAL = "INTERNAL"
_log = structlog.get_logger("tieout.api")


def render(
    request: Request, status: int, message: str, *, code: str = "", details: Any = None, headers: Any = None
) -> Response:
    """Return the answer for a failure, in the shape of the part of the API that was asked."""
    code = code or CODES.get(status, INTERNAL)
    request_id = getattr(request.state, "request_id", None)
    extra = {"request_id": request_id} | ({} if details is None else {"details": details})
    if request.url.path.startswith("/v1/"):
        body: dict[str, Any] = {"error": {"code": code, "message": message, **extra}}
    else:
        body = {"success": False, "error": message, "code": code, **extra}
    return Response(orjson.dumps(body), status, headers=headers, media_type="application/json")


def handle_errors(app: FastAPI) -> None:
    """Let every failure of `app` be rendered here."""
    app.add_exception_handler(TieoutError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _fault)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, TieoutError)  # noqa: S101 - registered for nothing else
    details = {"reason": error.code} | ({"subject": error.subject} if error.subject else {})
    code = getattr(error, "api_code", "")
    return render(
        request, error.http_status, str(error), code=code, details=details, headers=getattr(error, "headers", None)
    )


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]} for fault in error.errors()
    ]
    first = faults[0] if faults else {"field": "body", "problem": "malformed"}
    return render(request, 400, f"{first['field']}: {first['problem']}.", details=faults)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return render(
        request, error.status_code, error.detail or HTTPStatus(error.status_code).phrase, headers=error.headers
    )


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("Unexpected fault", path=request.url.path, exc_info=error)
    return render(request, 500, "Internal error")
