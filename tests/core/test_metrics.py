import re
import subprocess
import sys
from pathlib import Path

from tieout.core import metrics

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
RUNBOOK = {
    "http_request_duration_seconds": ("service", "method", "route", "status_code"),
    "nova_api_http_request_duration_seconds": ("method", "route", "status_code"),
    "queue_depth": (),
    "worker_idle_ratio": (),
    "breaker_state_total": ("platform", "state"),
    "bull_queue_jobs_active": ("queue",),
    "bull_queue_jobs_waiting": ("queue",),
    "bull_queue_jobs_failed": ("queue",),
    "db_connections_active": ("tenant",),
    "db_query_duration_seconds": ("operation", "replica"),
    "analytics_ingest_buffer_size": (),
    "nova_api_superadmin_module_toggle_total": ("module", "enabled"),
}


def test_the_metrics_of_the_runbooks_have_their_names_and_labels():
    declared = {one.name: one.labels for one in metrics.list_declared()}
    assert {name: declared.get(name) for name in RUNBOOK} == RUNBOOK


def test_every_metric_is_documented_once():
    names = [one.name for one in metrics.list_declared()]
    assert len(names) == len(set(names))
    assert re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == names


def test_every_metric_that_is_counted_is_shown():
    shown = set(re.findall(r"^# TYPE (\S+)", metrics.render().decode(), re.MULTILINE))
    counted = {one.name for one in metrics.list_declared()} - {one.name for one in metrics.READ_AT_SCRAPE}
    assert counted <= shown


def test_requests_are_shown_under_both_names():
    metrics.HTTP_REQUEST_DURATION.labels("api", "GET", "/both", "200").observe(0.1)
    text = metrics.render().decode()
    assert 'http_request_duration_seconds_count{method="GET",route="/both",service="api",status_code="200"} 1.0' in text
    assert 'nova_api_http_request_duration_seconds_count{method="GET",route="/both",status_code="200"} 1.0' in text


def test_a_label_takes_a_bounded_number_of_values():
    values = [metrics.bounded("a label of this test", f"v{number}", at_most=3) for number in range(5)]
    assert values == ["v0", "v1", "v2", "other", "other"]
    assert metrics.bounded("a label of this test", "v1", at_most=3) == "v1"


COUNT = """
from tieout.core import metrics
metrics.JOBS_REFUSED.labels("q").inc()
metrics.DB_CONNECTIONS_ACTIVE.labels("t").inc()
metrics.HTTP_REQUEST_DURATION.labels("api", "GET", "/x", "200").observe(0.2)
print(metrics.render().decode())
"""


def test_processes_that_share_a_folder_add_up_what_they_count(tmp_path):
    def count():
        command = [sys.executable, "-c", COUNT]
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": "src"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    count()
    told = count()
    assert 'jobs_refused_total{queue="q"} 2.0' in told
    assert 'nova_api_http_request_duration_seconds_count{method="GET",route="/x",status_code="200"} 2.0' in told
    assert told.count("# TYPE jobs_refused_total counter") == 1
