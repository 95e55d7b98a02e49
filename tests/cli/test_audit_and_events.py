from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.control.audit.trails import NOW, a_trail, note, tamper
from tests.work.outbox.builders import Clock, a_courier, an_endpoint, deliveries, tell
from tieout.cli.agreement import AgreementNeeded
from tieout.cli.app import build
from tieout.cli.auditing import BadAnchor
from tieout.compose import open_platform, open_workspace
from tieout.control.audit.reading import AuditEventUnknown
from tieout.control.webhooks.rules import DeliveryUnknown, NothingToRetry
from tieout.core.errors import TieoutError
from tieout.core.settings import BadSetting
from tieout.work.outbox.delivery import deliver_due
from tieout.work.outbox.rules import RETRY_AFTER
from tieout.work.outbox.sending import Answer


@pytest.fixture
def tieout(state_url, tmp_path, monkeypatch):
    """Run a command line against the state of the test; return its exit code and what it printed."""
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TIEOUT_STATE", state_url)
    monkeypatch.setenv("TIEOUT_ACTOR", "ann")
    monkeypatch.setenv("TIEOUT_TENANT", "a")
    monkeypatch.chdir(tmp_path)

    def invoke(*words):
        result = CliRunner().invoke(build(open_workspace, open_platform), list(words), env={"COLUMNS": "250"})
        if isinstance(result.exception, TieoutError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.stdout

    return invoke


def dead_letter(state):
    """An event that was given up, and one of the same entity that waits for it."""
    an_endpoint(state)
    event_id, clock = tell(state), Clock()
    for wait in (timedelta(0), *RETRY_AFTER):
        clock.at += wait * 1.1
        deliver_due(a_courier(state, clock, post=lambda *_: Answer("failed", 500, "It answered 500.")))
    tell(state, now=clock.at)
    return event_id, deliveries(state)[0].delivery_id


def test_events_of_the_trail_are_listed_and_shown(tieout, state):
    a_trail(state, 3)
    a_trail(state, 1, tenant="b")
    code, found = tieout("audit", "list", "--json")
    assert code == 0
    assert [event["delta"]["number"] for event in found] == [3, 2, 1]
    window = ("--from", "2026-03-01T12:02:00", "--to", "2026-03-01T12:03:00")
    assert [event["seq"] for event in tieout("audit", "list", *window, "--json")[1]] == [2]
    assert len(tieout("audit", "list", "--all-tenants", "--module", "m", "--json")[1]) == 4
    assert "thing 3" in tieout("audit", "list")[1]
    assert tieout("audit", "show", found[0]["id"], "--json")[1] == found[0]
    assert '"number": 3' in tieout("audit", "show", found[0]["id"])[1]
    assert "No event" in tieout("audit", "list", "--action", "m.other")[1]
    with pytest.raises(AuditEventUnknown):
        tieout("audit", "show", "nothing")
    with pytest.raises(BadSetting):
        tieout("audit", "list", "--tenant", "../b")


def test_verify_says_by_its_exit_code_whether_the_chain_holds(tieout, state, state_url):
    a_trail(state, 3)
    a_trail(state, 2, tenant="b")
    assert tieout("audit", "verify")[0] == 0
    code, said = tieout("audit", "verify", "--tenant", "a")
    assert code == 0
    assert "a: intact, 3 events." in said
    end = said.split()[-1]
    note(state)
    assert tieout("audit", "verify", "--seen", end)[0] == 0
    tamper(state_url, "update audit_events set actor = 'user:bob' where tenant = 'b' and seq = 2")
    assert tieout("audit", "verify", "--tenant", "a")[0] == 0
    assert tieout("audit", "verify")[0] == 10
    code, answers = tieout("audit", "verify", "--all-tenants", "--json")
    assert code == 10
    assert [(one["tenant"], one["is_intact"]) for one in answers] == [("a", True), ("b", False)]
    assert (answers[1]["seq"], answers[1]["problem"]) == (2, "changed")
    assert "b: BROKEN at event 2." in tieout("audit", "verify", "--tenant", "b")[1]
    assert tieout("audit", "verify", "--seen", f"3:{'0' * 64}")[0] == 10
    with pytest.raises(BadAnchor):
        tieout("audit", "verify", "--seen", "3")


def test_the_trail_is_exported_whole_or_not_at_all_and_that_is_noted(tieout, state, tmp_path):
    a_trail(state, 3)
    note(state, delta={"mail": "eve@example.com"}, now=NOW + timedelta(minutes=4))
    code, text = tieout("audit", "export", "--module", "m")
    assert code == 0
    assert [row["seq"] for row in csv.DictReader(io.StringIO(text))] == ["1", "2", "3", "4"]
    assert "eve@example.com" not in text
    code, _ = tieout("audit", "export", "--format", "ndjson", "--as-recorded", "--out", "trail.ndjson", "--module", "m")
    lines = (tmp_path / "trail.ndjson").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4]
    assert "eve@example.com" in lines[3]
    assert not (tmp_path / "trail.ndjson.part").exists()
    assert tieout("audit", "list", "--module", "audit", "--json")[1][0]["delta"]["format"] == "ndjson"


def test_dead_letters_are_listed_and_retried(tieout, state):
    event_id, delivery_id = dead_letter(state)
    code, dead = tieout("events", "dead", "--json")
    assert (code, [(one["delivery_id"], one["event_id"]) for one in dead]) == (0, [(delivery_id, event_id)])
    assert "It answered 500." in tieout("events", "dead", "--tenant", "a")[1]
    assert tieout("events", "dead", "--tenant", "b")[1] == "No dead letter.\n"
    assert len(tieout("events", "list", "--status", "pending", "--json")[1]) == 1
    assert tieout("events", "retry", event_id, "--json")[1] == {"retried": [delivery_id]}
    clock = Clock(datetime.now(UTC) + timedelta(days=1))  # the command line has the clock of the system
    deliver_due(a_courier(state, clock, post=lambda *_: Answer("delivered", 204)))
    assert [one.status for one in deliveries(state)] == ["dispatched", "dispatched"]
    with pytest.raises(NothingToRetry):
        tieout("events", "retry", delivery_id)
    with pytest.raises(DeliveryUnknown):
        tieout("events", "retry", "nothing")
    assert tieout("audit", "list", "--module", "webhooks", "--json")[1][0]["actor"] == "account:ann"


def test_a_dead_letter_is_skipped_only_after_a_yes(tieout, state):
    _, delivery_id = dead_letter(state)
    assert tieout("events", "skip", delivery_id, "--dry-run")[0] == 10
    with pytest.raises(AgreementNeeded):
        tieout("events", "skip", delivery_id)
    assert deliveries(state)[0].status == "failed"
    assert tieout("events", "skip", delivery_id, "--yes", "--json") == (0, {"skipped": [delivery_id]})
    clock = Clock(datetime.now(UTC) + timedelta(days=1))  # the command line has the clock of the system
    deliver_due(a_courier(state, clock, post=lambda *_: Answer("delivered", 204)))
    assert [one.status for one in deliveries(state)] == ["canceled", "dispatched"]
