"""Serves the API on a socket until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import uvicorn

from tieout.api.app import Api
from tieout.core.errors import TieoutError

MAX_HEADER_BYTES = 64 * 1024
KEEP_ALIVE_S = 15
BACKLOG = 1024


class PortUnusable(TieoutError):
    """An address and port cannot be listened on: another process has it, or this account may not."""

    code = "port_unusable"


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """Return a socket that listens; raise PortUnusable, whose remedy names `setting`."""
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise PortUnusable(
            f"Port {port} of {host} cannot be used: {(error.strerror or str(error)).lower()}.",
            subject=f"{host}:{port}",
            remedy=f"Stop what uses it, or choose another with {setting}.",
        ) from error
    return opened


class ApiServer(uvicorn.Server):
    """A server that leaves the signals to the process: more than the API is to stop in good order."""

    def __init__(self, app: Api, *, grace_s: float, trusted_proxies: str = "") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                lifespan="off",
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=ceil(grace_s),
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def stop(self) -> None:
        """Take no new connections, finish what is asked, and return from `run`."""
        self.should_exit = True
