"""One process of an installation: its API, its loops, its probes, from start to an end in good order.

On SIGTERM or SIGINT nothing new is taken; what is begun may finish within the grace, what does not is handed back; the
exit code is 0. A second signal ends the process at once.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType

import structlog

from tieout import __version__
from tieout.api.app import create_app
from tieout.api.server import ApiServer, listen
from tieout.books.ads.reads import list_tenants
from tieout.control.access.actions.keys import create_admin_key
from tieout.control.flags.registry import VRA_ENABLED
from tieout.control.platform import Platform
from tieout.control.readiness import Readiness
from tieout.core.logs import set_up_logs
from tieout.core.serving import ServeRequest
from tieout.core.tracing import set_up_tracing
from tieout.store.guards import EVERY_TENANT
from tieout.store.observed import observe
from tieout.work.loops import Loop, Loops
from tieout.work.probes import Probes

ENDED_AT_ONCE = 130
_log = structlog.get_logger("tieout.process")


class Process:
    """The parts of one process."""

    def __init__(
        self,
        platform: Platform,
        request: ServeRequest,
        loops: Mapping[str, Loop],
        announce: Callable[[str], None],
    ) -> None:
        self._platform = platform
        self._settings = platform.settings
        self._request = request
        self._parts = loops
        self._announce = announce
        self._loops = Loops()
        self._api: ApiServer | None = None
        self._told_at: float | None = None

    def run(self) -> None:
        """Serve until told to stop. Raises PortUnusable, TracesUnavailable and SecretKeyUnusable."""
        settings, request = self._settings, self._request
        set_up_logs(level=settings.log_level, form=settings.log_format, salt=self._salt())
        listener = listen(request.host, request.port, setting="--port") if request.has_api else None
        end_traces = set_up_tracing(
            settings.otlp_endpoint, ratio=settings.trace_ratio, service=f"tieout-{request.role}"
        )
        observe(self._platform.state.engine)
        probes = self._open_probes()
        self._tell_admin_key()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._loops.start(self._parts)
        if probes is not None:
            probes.start()
        _log.info("Process began", role=request.role, version=__version__, state=self._platform.state.address)
        try:
            self._work(listener)
        finally:
            left = self._loops.end(self._grace_left_s())
            end_traces()
            _log.info("Process ended", role=request.role, cut_off=left)
            if left:
                self._leave(0)

    def _work(self, listener: socket.socket | None) -> None:
        if listener is None:
            self._announce(f"Tieout works as {self._request.role}. Stop it with Ctrl+C.")
            while not self._loops.stop.wait(3600):
                pass
            return
        app = create_app(self._platform, failed_loops=self._loops.failed)
        self._api = ApiServer(
            app, grace_s=self._settings.shutdown_grace_s, trusted_proxies=self._settings.trusted_proxies
        )
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._announce(f"Tieout serves http://{shown}:{port} (routes: /docs). Stop it with Ctrl+C.")
        self._loops.start({"reads": lambda stop: app.state.ads_reads.keep_ready(stop, self._tenants())})
        if self._told_at is None:
            self._api.run(sockets=[listener])

    def _tenants(self) -> list[str]:
        """Return the tenants whose ads book is likely to be asked about."""
        every = list_tenants(self._platform.state.of(EVERY_TENANT))
        return [tenant for tenant in every if self._platform.flags.is_on(VRA_ENABLED, tenant)]

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._told_at is not None:
            self._leave(ENDED_AT_ONCE)
        self._told_at = time.monotonic()
        self._loops.stop.set()
        if self._api is not None:
            self._api.stop()

    def _grace_left_s(self) -> float:
        spent_s = time.monotonic() - self._told_at if self._told_at is not None else 0.0
        return max(self._settings.shutdown_grace_s - spent_s, 1.0)

    def _leave(self, code: int) -> None:
        """End without waiting for threads, which the state can do without: what they hold counts as lost soon."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _open_probes(self) -> Probes | None:
        port = self._settings.worker_port
        if not self._request.has_probes or not port:
            return None
        readiness = Readiness(self._platform, time.monotonic, self._loops.failed)
        try:
            return Probes(self._request.host, port, readiness.can_work)
        except OSError as error:
            if self._request.role == "worker":
                listen(self._request.host, port, setting="TIEOUT_WORKER_PORT").close()  # says so in our words
            _log.warning("No probes: their port cannot be used", port=port, cause=str(error))
            return None

    def _tell_admin_key(self) -> None:
        made = create_admin_key(self._platform)
        if made is not None:
            self._announce(f"The key of the administrator, shown this once: {made.text}")

    def _salt(self) -> bytes:
        sealer = self._platform.sealer
        return hashlib.sha256(b"tieout: salt of the logs\0" + sealer.keys[sealer.key_id]).digest()[:16]
