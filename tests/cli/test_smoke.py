"""`tieout smoke` against a real server that answers by the contract: its five exit codes and what it asks."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from tieout.books.ads.smoke import HEADER, smoke_window
from tieout.cli.app import build
from tieout.compose import open_workspace
from tieout.core.errors import TieoutError

OVERVIEW = "/api/v1/recon/overview"
CSV = "/api/v1/recon/deltas.csv"
HELP = "# HELP vra_coverage_percent Coverage.\n# TYPE vra_coverage_percent gauge\n# HELP vra_variance_percent V.\n"
GOOD = {OVERVIEW: (200, '{"success":true}'), CSV: (200, HEADER + "\r\n"), "/metrics": (200, HELP)}


class Server:
    """A server of prepared answers; `asked` are the requests it got, `sent` their Authorization."""

    def __init__(self):
        self.answers, self.asked, self.sent = dict(GOOD), [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.sent.append(self.headers.get("Authorization"))
                status, text = outer.answers[urlsplit(self.path).path.removeprefix("/base")]
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server():
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def smoke(monkeypatch, server):
    """Smoke the server; return exit code and output, or what it failed with."""
    for name in ("API_URL", "STAGING_API_URL", "AUTH_TOKEN", "FROM", "TO"):
        monkeypatch.delenv(name, raising=False)
    app = build(open_workspace)

    def invoke(*words, **environ):
        result = CliRunner().invoke(app, ["smoke", *words], env={"API_URL": server.url, "COLUMNS": "200", **environ})
        if isinstance(result.exception, TieoutError):
            return result.exception.exit_code, str(result.exception)
        return result.exit_code, result.output

    return invoke


def test_a_smoke_that_goes_well_ends_with_the_line_of_the_runbook(smoke, server):
    code, said = smoke()
    assert code == 0
    assert said.splitlines()[-1] == "SUCCESS: overview=200 csv=200 gauges=present"
    assert [urlsplit(path).path for path in server.asked] == [OVERVIEW, CSV, "/metrics"]
    assert server.sent == [None] * 3
    window = parse_qs(urlsplit(server.asked[0]).query)
    first, last = (datetime.fromisoformat(window[name][0]) for name in ("from", "to"))
    assert (last - first).total_seconds() == 86_400
    assert abs((datetime.now(UTC) - last).total_seconds()) < 60
    assert json.loads(smoke("--json")[1])["ok"] is True


def test_window_and_token_come_from_the_environment(smoke, server):
    given = {"FROM": "2025-11-01T00:00:00+02:00", "TO": "2025-11-02T00:00:00Z", "AUTH_TOKEN": "abc"}
    assert smoke(**given, API_URL=f"{server.url}/base/")[0] == 0
    assert server.asked[0] == f"/base{OVERVIEW}?from=2025-11-01T00:00:00%2B02:00&to=2025-11-02T00:00:00Z"
    assert server.asked[1].startswith(f"/base{CSV}?from=2025-11-01T00:00:00%2B02:00&")
    assert server.sent == ["Bearer abc"] * 3
    assert smoke(API_URL="", STAGING_API_URL=server.url)[0] == 0


@pytest.mark.parametrize(
    ("path", "answer", "code", "words"),
    [
        (OVERVIEW, (404, '{"code":"FEATURE_DISABLED"}'), 1, "VRA_ENABLED=true"),
        (OVERVIEW, (401, ""), 1, "AUTH_TOKEN"),
        (OVERVIEW, (302, ""), 1, "answered 302"),
        (OVERVIEW, (500, "broken"), 1, "broken"),
        (CSV, (503, ""), 2, "answered 503"),
        (CSV, (200, ""), 2, "first line"),
        (CSV, (200, HEADER + ",more\n"), 2, "first line"),
        (CSV, (200, "\ufeff" + HEADER), 2, "first line"),
        ("/metrics", (500, ""), 3, "answered 500"),
        ("/metrics", (200, HELP.replace("HELP vra_variance", "HELP vra_other")), 3, "vra_variance_percent"),
        ("/metrics", (200, HELP.replace("# HELP", "#HELP")), 3, "vra_coverage_percent and vra_variance_percent"),
    ],
)
def test_each_failure_has_its_exit_code_and_says_what_to_do(smoke, server, path, answer, code, words):
    server.answers[path] = answer
    ended, said = smoke()
    assert (ended, words in said) == (code, True), said


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (("--nope",), {}),
        (("extra",), {}),
        (("--from",), {}),
        ((), {"API_URL": "localhost:3000"}),
        ((), {"TO": "yesterday"}),
        ((), {"AUTH_TOKEN": "ä"}),
    ],
)
def test_a_usage_error_is_4(smoke, server, words, environ):
    assert smoke(*words, **environ)[0] == 4
    assert server.asked == []


def test_nobody_there_is_a_failed_overview(smoke):
    code, said = smoke(API_URL="http://127.0.0.1:9")
    assert code == 1
    assert "does not answer" in said


def test_a_window_is_the_last_24_hours_of_what_is_given():
    now = datetime(2025, 11, 2, 12, 30, 5, 99, UTC)
    assert smoke_window("", "", now) == ("2025-11-01T12:30:05Z", "2025-11-02T12:30:05Z")
    assert smoke_window("2025-11-01", "", now) == ("2025-11-01", "2025-11-02T12:30:05Z")
    assert smoke_window("", "2025-11-02T00:00:00+02:00", now) == ("2025-10-31T22:00:00Z", "2025-11-02T00:00:00+02:00")
    assert smoke_window("soon", "later", now) == ("soon", "later"), "whether that is a window, the API says"


def test_the_process_ends_with_the_code(forks, server):
    server.answers[CSV] = (500, "")
    ended = forks.run(["smoke"], env={**os.environ, "API_URL": server.url})
    assert ended.returncode == 2
    assert "answered 500" in ended.stderr
