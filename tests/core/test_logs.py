import io
import json
import logging
import threading
from contextvars import copy_context

import pytest
import structlog

from tieout.core.logs import add_to_log, log_context, set_up_logs, write_plain


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    set_up_logs(form="json", salt=b"s", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_its_logger_level_and_time(lines):
    structlog.get_logger("tieout.part").info("Did it", rows=3)
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "Did it", "level": "info", "logger": "tieout.part", "rows": 3}


def test_lines_carry_what_the_request_and_the_job_said(lines):
    log = structlog.get_logger("tieout.part")
    with log_context(request_id="r1", tenant_id=None):
        with log_context(job_id="j1"):
            add_to_log(tenant_id="acme")
            log.info("inside")
        log.info("outside")
    add_to_log(lost=True)
    log.info("alone")
    inside, outside, alone = lines()
    assert (inside["request_id"], inside["job_id"], inside["tenant_id"]) == ("r1", "j1", "acme")
    assert outside["request_id"] == "r1"
    assert "job_id" not in outside
    assert not {"request_id", "lost"} & set(alone)


def test_what_a_thread_of_the_request_adds_its_other_lines_carry(lines):
    with log_context(request_id="r1"):
        thread = threading.Thread(target=copy_context().run, args=(lambda: add_to_log(tenant_id="acme"),))
        thread.start()
        thread.join()
        structlog.get_logger().info("after")
    assert lines()[0]["tenant_id"] == "acme"


def test_everything_is_redacted_also_what_libraries_and_faults_say(lines):
    structlog.get_logger().info("For joe@example.com", password="x", ip="10.1.2.3")  # noqa: S106
    logging.getLogger("uvicorn.error").warning("Bearer %s", "abc")
    try:
        int("sk_live_abc")
    except ValueError:
        structlog.get_logger().exception("Failed")
        logging.getLogger("other").exception("Failed too")
    first, second, third, fourth = lines()
    assert (first["event"], first["password"], first["ip"]) == ("For [REDACTED_EMAIL]", "[REDACTED]", "10.1.2.0/24")
    assert (second["event"], second["level"], second["logger"]) == ("Bearer [REDACTED]", "warning", "uvicorn.error")
    for one in (third, fourth):
        assert "sk_live_[REDACTED]" in one["exception"]
        assert "sk_live_abc" not in str(one)


def test_a_line_may_hold_anything(lines):
    structlog.get_logger().info("\ud800", big=10**30, odd=object(), nested={1: {"x"}})
    [ours] = [one for one in logging.getLogger().handlers if type(one).__module__ == set_up_logs.__module__]
    ours.handle(logging.LogRecord("x", logging.INFO, "", 0, "%d", ("not a number",), None))
    assert lines()[0]["big"] == str(10**30)
    assert lines()[1]["event"] == "%d"


def test_levels_below_are_left_out(lines):
    structlog.get_logger().debug("no")
    logging.getLogger("x").debug("no")
    write_plain("debug", {"event": "no"})
    with log_context(request_id="r1"):
        write_plain("info", {"event": "yes"})
    [line] = lines()
    assert (line["event"], line["request_id"]) == ("yes", "r1")


def test_a_terminal_gets_text():
    stream = io.StringIO()
    stream.isatty = lambda: True
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        set_up_logs(stream=stream)
        structlog.get_logger().info("Readable", rows=3)
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "Readable" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
