"""Traces: from a request through the job that it makes to the engine's steps, in W3C trace context.

Without an endpoint nothing is recorded and OpenTelemetry is not even imported; a trace that a caller began is still
handed on to the job. Recording needs the extra `otel`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tieout.core.errors import TieoutError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SPAN_QUEUE = 16_384
"""Spans that wait to be sent; the default of 2,048 dropped a burst of 5,000."""
SPAN_BATCH = 1_024

_W3C = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_tracers: list[Tracer] = []
_received: ContextVar[str | None] = ContextVar("tieout_trace_parent", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


class TracesUnavailable(TieoutError):
    """An endpoint for traces is set, and the extra that sends them is not installed."""

    code = "traces_unavailable"
    http_status = 500


def set_up_tracing(endpoint: str, *, ratio: float, service: str, exporter: Any = None) -> Callable[[], None]:
    """Send spans to the OTLP endpoint, `ratio` of the traces that begin here; return what sends the last ones.

    A trace that a caller began is recorded if the caller records it. `exporter` stands in for the endpoint in tests.
    Raises TracesUnavailable.
    """
    if not endpoint and exporter is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415
    except ImportError as error:
        raise TracesUnavailable(
            "TIEOUT_OTLP_ENDPOINT is set, and OpenTelemetry's SDK is not installed.",
            subject="TIEOUT_OTLP_ENDPOINT",
            remedy="Install it with: pip install 'tieout[otel]'.",
        ) from error
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(ratio), resource=Resource.create({"service.name": service})
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter or OTLPSpanExporter(endpoint=endpoint),
            max_queue_size=SPAN_QUEUE,
            max_export_batch_size=SPAN_BATCH,
        )
    )
    _tracers[:] = [provider.get_tracer("tieout")]

    def stop() -> None:
        _tracers.clear()
        provider.shutdown()

    return stop


def span(name: str, **attributes: Any) -> AbstractContextManager[Span | None]:
    """Give a span around what runs inside, or None (at no cost) where the trace that it belongs to is not recorded."""
    if not _tracers:
        return _NOTHING
    from opentelemetry import trace  # noqa: PLC0415

    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return _NOTHING
    return _tracers[0].start_as_current_span(name, attributes=attributes)


def trace_parent() -> str | None:
    """Return the trace that runs here, as W3C `traceparent`, to be kept with a job; None where there is none."""
    if not _tracers:
        return _received.get()
    from opentelemetry import trace  # noqa: PLC0415

    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return _received.get()
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{int(here.trace_flags):02x}"


@contextmanager
def continued(parent: str | None, name: str, **attributes: Any) -> Iterator[Span | None]:
    """Go on, inside, with the trace of `parent` (a `traceparent`; what is none is ignored), in a span `name`."""
    found = _W3C.fullmatch(parent) if parent else None
    token = _received.set(parent if found else None)
    try:
        if not _tracers:
            yield None
            return
        from opentelemetry import context  # noqa: PLC0415

        begun = context.attach(_context_of(parent or "", found))
        try:
            if found is not None and not int(found[0][-2:], 16) & 1:  # the caller does not record
                yield None
                return
            with _tracers[0].start_as_current_span(name, attributes=attributes) as current:
                yield current if current.is_recording() else None
        finally:
            context.detach(begun)
    finally:
        _received.reset(token)


def _context_of(parent: str, found: re.Match[str] | None) -> Any:
    from opentelemetry import context, trace  # noqa: PLC0415

    if found is None:
        return context.Context()
    begun = trace.SpanContext(
        int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=trace.TraceFlags(int(parent[-2:], 16) & 1)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(begun), context.Context())
