import sys

import pytest

from bench.measure import Limits, run

ROOMY = Limits(timeout_s=30, memory_mb=4_000)


def python(code):
    return [sys.executable, "-c", code]


def test_a_run_hands_back_what_the_contender_reported(tmp_path):
    code = "import json; print('noise'); print(json.dumps({'seconds': 1.5, 'matches': 7}))"
    sample = run(python(code), ROOMY, tmp_path / "log")
    assert (sample.seconds, sample.found, sample.exit_code, sample.stopped) == (1.5, {"matches": 7}, 0, "")


def test_peak_memory_is_that_of_the_process_and_not_of_the_bench(tmp_path):
    ballast = bytearray(b"x" * (400 << 20))
    sample = run(
        python("x = bytearray(b'x') * (200 << 20); del x; import time; time.sleep(0.1)"), ROOMY, tmp_path / "log"
    )
    assert 200 <= sample.peak_mb < 300 < len(ballast) >> 20


@pytest.mark.parametrize(
    ("code", "limits", "why"),
    [
        ("while True: pass", Limits(timeout_s=0.3, memory_mb=4_000), "stopped after 0.3 s"),
        (
            "x = bytearray(900 << 20)\nwhile True: pass",
            Limits(timeout_s=30, memory_mb=500),
            "stopped above 500 MiB",
        ),
    ],
)
def test_a_run_past_its_limits_is_stopped_and_says_so(tmp_path, code, limits, why):
    sample = run(python(code), limits, tmp_path / "log")
    assert sample.stopped == why
    assert sample.exit_code == -9
    assert sample.wall_s < 10


def test_a_failing_contender_keeps_its_exit_code(tmp_path):
    assert run(python("raise SystemExit(10)"), ROOMY, tmp_path / "log").exit_code == 10
