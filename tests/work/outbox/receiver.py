"""An HTTP server of a test's own on loopback: it behaves as the path says and keeps what it received."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOUND_S = 20.0
"""The longest that a test waits for what must happen."""


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict:
        return json.loads(self.body)

    @property
    def version(self) -> int:
        return self.event["data"]["version"]


@dataclass
class Receiver:
    port: int = 0
    scheme: str = "http"
    received: list[Received] = field(default_factory=list)
    statuses: dict[str, int | Callable[[Received], int]] = field(default_factory=dict)
    """What a path answers; 204 where it is not named. The paths below behave by themselves."""
    is_over: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    connections: int = 0
    busy: int = 0
    most_busy: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, BOUND_S), self.received

    def at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self):
        receiver = self.receiver
        body = self.rfile.read(int(self.headers["content-length"]))
        received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with receiver.arrived:
            receiver.received.append(received)
            receiver.busy += 1
            receiver.most_busy = max(receiver.most_busy, receiver.busy)
            receiver.arrived.notify_all()
        try:
            getattr(self, f"_{self.path.strip('/').split('/')[0]}", self._answer)(received)
        except OSError:  # the sender had enough
            self.close_connection = True
        finally:
            with receiver.arrived:
                receiver.busy -= 1

    def _answer(self, received):
        answer = self.receiver.statuses.get(self.path, 204)
        self.send_response(answer if isinstance(answer, int) else answer(received))
        self.send_header("content-length", "0")
        self.end_headers()

    def _hang(self, _received):
        self.receiver.is_over.wait(BOUND_S)
        self.close_connection = True

    def _redirect(self, _received):
        self.send_response(302)
        self.send_header("location", self.receiver.url("/inside"))
        self.send_header("content-length", "0")
        self.end_headers()

    def _busy(self, _received):
        self.send_response(503)
        self.send_header("retry-after", "7200")
        self.send_header("content-length", "0")
        self.end_headers()

    def _drip(self, _received):
        """A body that never ends, a byte at a time."""
        self.send_response(200)
        self.send_header("content-length", "1000000")
        self.end_headers()
        while not self.receiver.is_over.wait(0.02):
            self.wfile.write(b".")
            self.wfile.flush()

    def _driphead(self, _received):
        """A header that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not self.receiver.is_over.wait(0.02):
            self.wfile.write(b".")
            self.wfile.flush()

    def _huge(self, _received):
        self.send_response(200)
        self.send_header("content-length", str(10**12))
        self.end_headers()
        self.receiver.sent = 0
        while not self.receiver.is_over.is_set():
            self.wfile.write(b"." * 65536)
            self.receiver.sent += 65536

    def _nonsense(self, _received):
        self.wfile.write(b"\x00\xff no http\r\n\r\n")
        self.close_connection = True

    def _close(self, _received):
        self.close_connection = True

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver until the end of the block."""
    receiver = Receiver(scheme="https" if context else "http")
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver}))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
