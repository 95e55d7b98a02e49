"""Send one message: to an address that was judged, within bounds of time and size, without following anything."""

from __future__ import annotations

import errno
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpcore

from tieout.work.outbox.addresses import (
    Address,
    AddressRefused,
    Reach,
    Resolve,
    Target,
    UrlRefused,
    parse_target,
    permitted_addresses,
)

MAX_ANSWER_BYTES = 64 * 1024
USER_AGENT = "Tieout-Webhooks/1"

Ending = Literal["delivered", "gone", "failed", "unwell", "refused"]


@dataclass(frozen=True)
class Answer:
    """What came of an attempt.

    `unwell` is a failure that says something of the endpoint rather than of the message: no answer, 429, 503.
    `refused` was never sent: where it would go is not allowed.
    """

    ending: Ending
    status_code: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as the system prefers them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True)
class Sender:
    """Sends messages; `connect_s` bounds resolving and connecting, `whole_s` everything."""

    reach: Reach
    resolve: Resolve = resolve_by_system
    ssl_context: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    connect_s: float = 5.0
    whole_s: float = 15.0

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post `body` to `url` and say what came of it. Never raises for what the other side does."""
        deadline = _Deadline(self.whole_s)
        try:
            target = parse_target(url, self.reach)
            addresses = _within(deadline.at_most(self.connect_s), self._addresses, target)
            return self._send(target, addresses, body, headers, deadline)
        except (UrlRefused, AddressRefused) as refused:
            return Answer("refused", error=refused.what)
        except (httpcore.TimeoutException, TimeoutError):
            return Answer("unwell", error=f"No whole answer within {self.whole_s:g} s.")
        except socket.gaierror:
            return Answer("unwell", error="The name has no address.")
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            return Answer("unwell", error="What came back is not HTTP.")
        except (httpcore.NetworkError, OSError) as error:
            return Answer("unwell", error=_told(error))

    def _addresses(self, target: Target) -> list[Address]:
        return permitted_addresses(target, self.reach, self.resolve)

    def _send(
        self,
        target: Target,
        addresses: Sequence[Address],
        body: bytes,
        headers: Mapping[str, str],
        deadline: _Deadline,
    ) -> Answer:
        backend = _Pinned(addresses, deadline, self.connect_s)
        sent = {"Host": target.authority, "User-Agent": USER_AGENT, "Accept": "*/*", **headers}
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        with (
            httpcore.ConnectionPool(
                ssl_context=self.ssl_context, network_backend=backend, max_connections=1, max_keepalive_connections=0
            ) as pool,
            pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
        ):
            answer = _judge(response.status, response.headers)
            if answer.ending != "delivered":
                return answer
            # The end of a success is read, for some servers undo what nobody hears the end of; no more than that.
            left = MAX_ANSWER_BYTES
            for chunk in response.iter_stream():
                left -= len(chunk)
                if left <= 0:
                    break
            return answer


def _judge(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Answer:
    if 200 <= status < 300:
        return Answer("delivered", status)
    if status == 410:
        return Answer("gone", status, "It answered 410: it wants no more events.")
    if 300 <= status < 400:
        return Answer("failed", status, f"It answered {status}, a redirect, which is not followed.")
    given = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    retry_after_s = _seconds(given.decode("latin-1")) if status in {429, 503} else None
    return Answer("unwell" if status in {429, 503} else "failed", status, f"It answered {status}.", retry_after_s)


def _seconds(text: str) -> float | None:
    """Return the seconds that a header Retry-After asks for, whether a number or a date."""
    if text.strip().isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def _told(error: Exception) -> str:
    """Return what went wrong, without the addresses that an error of the system names."""
    cause = next((one for one in error.args if isinstance(one, Exception)), error)  # as httpcore hands it on
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"Its certificate is not trusted: {cause.verify_message}."
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason}."
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
        return f"No connection: {errno.errorcode[cause.errno]}."
    return "No connection, or it was closed before the answer."


class _Deadline:
    """Until when everything must be done."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def at_most(self, seconds: float | None = None) -> float:
        """Return the seconds that are left, no more than `seconds`; raise TimeoutError when none is."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if seconds is None else min(left, seconds)


def _within(seconds: float, resolve: Any, target: Target) -> list[Address]:
    """Return what `resolve` does within `seconds`; the system's resolver knows no time of its own."""
    answers: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(target))
        except Exception as error:  # noqa: BLE001 - raised again by who asked
            answers.put(error)

    threading.Thread(target=ask, name="tieout-resolve", daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it is given, whatever the name, and keeps to the deadline with every read and write."""

    def __init__(self, addresses: Sequence[Address], deadline: _Deadline, connect_s: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._connect_s = connect_s

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name was resolved already
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Any = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        connecting = _Deadline(self._deadline.at_most(self._connect_s))
        for index, address in enumerate(self._addresses):
            left = len(self._addresses) - index
            try:
                # Each later address keeps a share of the time, so that one that is silent does not use it all.
                stream = httpcore.SyncBackend().connect_tcp(str(address), port, connecting.at_most() / left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return _Bounded(stream, self._deadline)
        raise httpcore.ConnectError("no address")


class _Bounded(httpcore.NetworkStream):
    """A stream whose reads and writes all end by one deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.at_most(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.at_most(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.at_most(timeout))
        return _Bounded(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
