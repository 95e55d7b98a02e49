"""What `tieout smoke` prints."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from tieout.books.ads.smoke import Answer, NoAnswer, SmokeMisused, smoke, smoke_window
from tieout.cli.app import print_json
from tieout.core.errors import EXIT_OK

SUCCESS = "SUCCESS: overview=200 csv=200 gauges=present"
TIMEOUT_S = 30.0


def run_smoke(api_url: str, *, token: str, start: str, end: str, as_json: bool) -> int:
    """Smoke a running installation and say how it went; return the exit code."""
    if not token.isascii() or not token.isprintable():  # else it would be no header
        raise SmokeMisused("AUTH_TOKEN holds characters that no token has.", subject="AUTH_TOKEN")
    window = smoke_window(start, end, datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(headers=headers, timeout=TIMEOUT_S) as client:

        def fetch(url: str) -> Answer:
            try:
                answer = client.get(url)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NoAnswer(str(error) or type(error).__name__) from error
            return Answer(answer.status_code, answer.text)

        done = smoke(fetch, api_url, window)
    if as_json:
        told = {"overview": done.overview, "csv": done.csv, "metrics": done.metrics}
        print_json({"ok": True, "window": {"from": window[0], "to": window[1]}, "asked": told})
    else:
        for url in (done.overview, done.csv, done.metrics):
            print(f"200 {url}")  # noqa: T201
        print(SUCCESS)  # noqa: T201
    return EXIT_OK
