import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tieout.core.tracing import continued, set_up_tracing, span, trace_parent

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-2] + "00"


class Kept(SpanExporter):
    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def traced():
    stops = []

    def start(ratio):
        kept = Kept()
        stops.append(set_up_tracing("", ratio=ratio, service="api", exporter=kept))
        return kept, stops[-1]

    yield start
    for stop in stops:
        stop()


def test_without_an_endpoint_nothing_is_recorded_and_a_callers_trace_is_handed_on():
    set_up_tracing("", ratio=1.0, service="api")()
    with continued(PARENT, "request") as recorded, span("step") as inside:
        assert recorded is inside is None
        assert trace_parent() == PARENT
    assert trace_parent() is None


def test_from_request_through_job_to_step_it_is_one_trace(traced):
    kept, stop = traced(0.0)
    with continued(PARENT, "request"):
        handed_on = trace_parent()
    with continued(handed_on, "job"), span("step", rows=3):
        pass
    stop()
    request, step, job = kept.spans
    assert {one.context.trace_id for one in kept.spans} == {int(PARENT[3:35], 16)}
    assert request.parent.span_id == int(PARENT[36:52], 16)
    assert job.parent.span_id == request.context.span_id
    assert step.parent.span_id == job.context.span_id
    assert step.attributes["rows"] == 3


def test_what_the_caller_does_not_record_is_not_recorded_and_costs_no_span(traced):
    kept, stop = traced(1.0)
    with continued(UNSAMPLED, "request"):
        assert span("one") is span("two")
        assert trace_parent().endswith("-00")
    stop()
    assert kept.spans == []


def test_a_trace_that_begins_here_is_recorded_by_the_ratio(traced):
    kept, stop = traced(1.0)
    with continued(None, "request"), span("inside"):
        assert int(trace_parent()[-2:], 16) & 1
    stop()
    assert [one.name for one in kept.spans] == ["inside", "request"]


@pytest.mark.parametrize(
    "parent", ["", "nonsense", PARENT + "-x", "00-" + "0" * 32 + PARENT[35:], PARENT.upper(), "00-" + "é" * 32]
)
def test_a_malformed_parent_is_ignored(traced, parent):
    _, stop = traced(0.0)
    with continued(parent, "request"):
        assert trace_parent() is None or trace_parent()[3:35] != PARENT[3:35]
    stop()


def test_opentelemetry_is_not_imported_where_nothing_is_traced():
    code = "import sys; from tieout.core.tracing import span\nwith span('x'): print('opentelemetry' in sys.modules)"
    command, environment = [sys.executable, "-c", code], {"PYTHONPATH": "src"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
