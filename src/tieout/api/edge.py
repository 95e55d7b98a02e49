"""The outermost layer of the API: what holds for every request before a route is looked for, and after its answer.

Request id, host, size and form of the body, rate limits by address and token, time limit, safety headers, metrics,
trace and one line of log. Plain ASGI, for each layer costs every request.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import blake2b
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException

from tieout.api.errors import answer
from tieout.api.limits import Limit, Limits, TooManyRequests, Window
from tieout.control.platform import Platform
from tieout.core import metrics
from tieout.core.ids import new_id
from tieout.core.logs import start_log_context, write_plain
from tieout.core.tracing import continued

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SERVICE = "api"
MAX_NESTING = 100
OPEN_PATHS = frozenset({"/health", "/health/detailed", "/ready", "/metrics", "/v1/health", "/v1/ready", "/v1/metrics"})
"""Asked by machines every few seconds: no rate limit, and no line of log while they answer well."""
COUNTED_BY_ROUTE = "/api/v1/recon/"
"""Below it the limit comes after flag and sign-in, as the contract has it (api/recon_access.py)."""
LOGIN_PATHS = frozenset({"/auth/login", "/v1/auth/login", "/v1/auth/register", "/auth/register"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SAFETY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
POLICY = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
)
HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_log = structlog.get_logger("tieout.api")


class _Refused(HTTPException):
    """The request is answered here, or, where the application reads the body, by its handler."""

    def __init__(self, status: int, message: str, details: Any = None) -> None:
        super().__init__(status, message)
        self.details = details


class Edge:
    """Wraps the application."""

    def __init__(self, app: App, platform: Platform, limits: Limits) -> None:
        self._app = app
        self._platform = platform
        self._limits = limits
        self._settings = platform.settings
        self._observed: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = self._request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        context: dict[str, Any] = {"request_id": request_id}
        start_log_context(context)
        exchange = _Exchange(scope, send, request_id)
        started = time.perf_counter()
        metrics.HTTP_REQUESTS_ACTIVE.inc()
        timer = asyncio.get_running_loop().call_later(self._settings.request_timeout_s, exchange.time_out)
        try:
            with continued(headers.get(b"traceparent", b"").decode("latin-1") or None, "request") as span:
                await self._answer(scope, headers, receive, exchange)
                if span is not None:
                    span.update_name(f"{scope['method']} {_template(scope)}")
                    span.set_attributes({"http.response.status_code": exchange.status, "request_id": request_id})
        finally:
            timer.cancel()
            metrics.HTTP_REQUESTS_ACTIVE.dec()
            self._tell(scope, exchange, time.perf_counter() - started)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, exchange: _Exchange) -> None:
        try:
            self._must_be_sane(scope, headers)
            if (window := self._count(scope, headers)) is not None:
                exchange.more = [(name.lower().encode(), value.encode()) for name, value in window.headers().items()]
            await self._app(scope, await self._body(headers, receive, exchange), exchange.send)
        except _Refused as refused:
            await exchange.refuse(refused.status_code, refused.detail, details=refused.details)
        except TooManyRequests as error:
            await exchange.refuse(429, str(error), error.headers, {"reason": error.code, "category": error.subject})
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if exchange.is_over or exchange.is_gone:
                return  # answered by the handler of faults, or by the time limit, or nobody listens any more
            _log.error("Unexpected fault", path=scope["path"], exc_info=error)
            if exchange.status:
                raise  # half an answer is out: only the end of the connection can say that it is none
            await exchange.refuse(500, "Internal error")

    def _request_id(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given is not None:
            text = given.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
        return new_id(self._platform.now(), self._platform.random_bytes)

    def _must_be_sane(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        if b"%00" in scope.get("raw_path", b"") or b"%00" in scope["query_string"] or "\0" in scope["path"]:
            raise _Refused(400, "The address holds a NUL character.")
        hosts = self._settings.trusted_hosts
        if hosts:
            host = headers.get(b"host", b"").decode("latin-1").lower()
            name = host if host.endswith("]") else re.sub(r":\d*$", "", host)
            if name not in hosts:
                raise _Refused(400, "The header Host names none of this server's hosts.")

    def _count(self, scope: Scope, headers: dict[bytes, bytes]) -> Window | None:
        path: str = scope["path"]
        if path in OPEN_PATHS or path.startswith(COUNTED_BY_ROUTE):
            return None
        limits = self._limits
        address = scope["client"][0] if scope.get("client") else ""
        if path in LOGIN_PATHS:
            return limits.must(limits.login, address)
        token = headers.get(b"authorization")
        # A digest, so that no token lies in memory longer than its request.
        who = blake2b(token, digest_size=16).hexdigest() if token else address
        limit: Limit = limits.v1 if path.startswith("/v1/") else limits.default
        return limits.must(limit, who)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, exchange: _Exchange) -> Receive:
        """Return what gives the body: no larger than it may be, and where it is JSON, sound."""
        length, chunked = headers.get(b"content-length"), b"transfer-encoding" in headers
        if not chunked and length in (None, b"0"):
            return receive
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        is_json = kind.endswith((b"/json", b"+json"))
        is_upload = not is_json and (kind == b"multipart/form-data" or not kind.startswith(b"application/x-www-form"))
        most = self._settings.max_upload_bytes if is_upload else self._settings.max_body_bytes
        if length is not None and (len(length) > 18 or not length.isdigit() or int(length) > most):
            raise _too_large(most)
        exchange.is_reading = True
        if not is_json:
            return _bounded(receive, most, exchange)
        body = await _read(_bounded(receive, most, exchange))
        if body is None:
            exchange.is_gone = True
            raise ConnectionResetError
        _must_be_sound(body)
        return _replay(body, receive)

    def _tell(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        status = exchange.status or 499
        method = scope["method"] if scope["method"] in METHODS else metrics.OTHER
        route = _template(scope)
        known = (method, route, status)
        if (observed := self._observed.get(known)) is None:
            observed = metrics.HTTP_REQUEST_DURATION.labels(SERVICE, method, route, str(status))
            self._observed[known] = observed
        observed.observe(seconds)
        if status >= 400 or scope["path"] not in OPEN_PATHS:
            level = "info" if status < 500 else "warning"
            write_plain(
                level,
                {
                    "event": "Request finished",
                    "logger": "tieout.api",
                    "method": method,
                    "route": route,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 3),
                },
            )


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._last_word: asyncio.Task[None] | None = None
        self.more: Headers = []
        self.status = 0
        self.is_over = False
        self.is_gone = False
        self.is_reading = False

    async def send(self, message: Message) -> None:
        """Pass on what the application sends, unless the request was refused meanwhile."""
        if self._last_word is None:
            await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._headers(message)}
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self.is_over = True
        await self._send(message)

    def _headers(self, message: Message) -> Headers:
        given: Headers = list(message.get("headers") or ())
        names = {name.lower() for name, _ in given}
        added = [(b"x-request-id", self._request_id.encode("latin-1")), POLICY, *SAFETY, *self.more]
        if (window := self._scope["state"].get("rate_window")) is not None:
            added += [(name.lower().encode(), value.encode()) for name, value in window.headers().items()]
        if self._scope.get("scheme") == "https":
            added.append(HTTPS_ONLY)
        return given + [one for one in added if one[0] not in names]

    async def refuse(
        self, status: int, message: str, headers: dict[str, str] | None = None, details: Any = None
    ) -> None:
        """Answer with an error."""
        if self.status:
            return
        body = answer(self._scope["path"], self._request_id, status, message, details=details)
        said = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        said += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status in (400, 408, 413, 503) and self.is_reading:
            said.append((b"connection", b"close"))  # the rest of the body is not read
        await self._pass_on({"type": "http.response.start", "status": status, "headers": said})
        await self._pass_on({"type": "http.response.body", "body": body})

    def time_out(self) -> None:
        """Refuse a request that took too long; a thread that works for it ends by itself, and nobody hears it."""
        if not self.status:
            status, words = (408, "The body did not arrive in time.") if self.is_reading else (503, "It took too long.")
            self.is_reading = True  # whichever it was, the connection ends: nobody knows what is still to come on it
            self._last_word = asyncio.get_running_loop().create_task(self.refuse(status, words))


def _template(scope: Scope) -> str:
    found = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(found, "path", None) or "unmatched"


def _too_large(most: int) -> _Refused:
    return _Refused(413, f"The body is larger than {most} bytes.", details={"reason": "body_too_large", "limit": most})


def _bounded(receive: Receive, most: int, exchange: _Exchange) -> Receive:
    left = most

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(most)
        if message["type"] == "http.disconnect":
            exchange.is_gone = True
        if not message.get("more_body"):
            exchange.is_reading = False
        return message

    return bounded


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client went away."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _must_be_sound(body: bytes) -> None:
    """Refuse what other parsers would let through and a database would not: NaN, lone surrogates, NUL, deep nesting."""
    if not body:
        return
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _Refused(400, f"The body is not valid JSON: {error}.", details={"reason": "not_json"}) from None
    if b"\\u0000" in body and _holds_nul(value):
        raise _Refused(400, "The body holds a NUL character.", details={"reason": "nul_character"})
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _depth(value) > MAX_NESTING:
        raise _Refused(400, "The body is nested too deeply.", details={"reason": "too_deep", "limit": MAX_NESTING})


def _holds_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\0" in one:
                return True
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return False


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        inside: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inside += one.values()
            elif isinstance(one, list):
                inside += one
        depth, level = depth + 1, inside
    return depth
