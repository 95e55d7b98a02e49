"""The probes of a process without an API: `/healthz` while it lives, `/readyz` while it can work."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

SLOW_S = 5.0


class Probes(ThreadingHTTPServer):
    """Answers probes on a port, in threads of its own."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, is_ready: Callable[[], bool]) -> None:
        self.is_ready = is_ready
        if ":" in host:
            self.address_family = 10  # AF_INET6
        super().__init__((host, port), _Probe)

    def start(self) -> None:
        """Begin to answer."""
        Thread(target=self.serve_forever, name="tieout-probes", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Probe(BaseHTTPRequestHandler):
    timeout = SLOW_S
    server: Probes
    server_version = "tieout"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a probe."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(200, "ok")
        elif path == "/readyz":
            is_ready = self.server.is_ready()
            self._answer(200 if is_ready else 503, "ready" if is_ready else "unready")
        else:
            self._answer(404, "not found")

    def _refuse(self) -> None:
        self._answer(405, "method not allowed", allow="GET")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _answer(self, status: int, word: str, allow: str = "") -> None:
        body = json.dumps({"status": word}).encode()
        self.send_response(status)
        if allow:
            self.send_header("Allow", allow)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base names it so
        """Log nothing: it is asked every few seconds."""
