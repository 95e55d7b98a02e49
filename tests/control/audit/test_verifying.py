from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.control.audit.trails import ANN, NOW, a_trail, note, tamper
from tieout.control.audit import verifying
from tieout.control.audit.actions import Entry, record
from tieout.control.audit.rules import START, Anchor, Broken, Verified, hash_of
from tieout.control.audit.store import chain_after
from tieout.control.audit.verifying import verify, verify_all

OF_A = "tenant = 'a'"
COPIED = (
    "tenant, id, seq, user_id, actor, module, action, entity_type, entity_id, delta, ip_address, user_agent, "
    "request_id, created_at, prev_hash, hash"
)


def found(state, anchor=None):
    answer = verify(state, "a", anchor)
    return (answer.seq, answer.problem) if isinstance(answer, Broken) else answer


def test_a_trail_that_nobody_touched_holds(state):
    assert verify(state, "a") == Verified(0, START)
    a_trail(state)
    a_trail(state, 2, tenant="b")
    answer = verify(state, "a")
    assert (answer.events, len(answer.head)) == (5, 64)
    assert [(tenant, answer.events) for tenant, answer in verify_all(state)] == [("a", 5), ("b", 2)]


CHANGES = [
    ("actor", "'user:bob'"),
    ("user_id", "null"),
    ("module", "'n'"),
    ("action", "'m.undone'"),
    ("entity_type", "'person'"),
    ("entity_id", "'8'"),
    ("delta", "'{\"number\":4}'"),
    ("delta", "'null'"),
    ("delta", "'[1]'"),
    ("ip_address", "'198.51.100.1'"),
    ("user_agent", "null"),
    ("request_id", "'r-2'"),
    ("created_at", "created_at + 1"),
    ("id", "'another'"),
    ("hash", f"'{'0' * 64}'"),
    ("prev_hash", f"'{'0' * 64}'"),
]


def test_an_event_that_was_changed_is_found_whatever_was_changed(state, state_url):
    tenants = [f"t{number}" for number in range(len(CHANGES))]
    for tenant in tenants:
        a_trail(state, 4, tenant)
    tamper(
        state_url,
        *(
            f"update audit_events set {column} = {value} where tenant = '{tenant}' and seq = 3"
            for tenant, (column, value) in zip(tenants, CHANGES, strict=True)
        ),
    )
    for tenant, change in zip(tenants, CHANGES, strict=True):
        answer = verify(state, tenant)
        assert isinstance(answer, Broken), change
        assert (answer.seq, answer.problem) == (3, "changed"), change


def test_an_event_changed_together_with_its_hash_is_found_by_the_next(state, state_url):
    a_trail(state)
    with state.of("a").reading() as connection:
        (third,) = chain_after(connection, "a", 2, limit=1)
    forged = hash_of(replace(third, actor="user:bob"))
    tamper(state_url, f"update audit_events set actor = 'user:bob', hash = '{forged}' where {OF_A} and seq = 3")
    assert found(state) == (4, "unlinked")


def test_an_event_that_was_removed_is_found(state, state_url):
    a_trail(state)
    tamper(state_url, f"delete from audit_events where {OF_A} and seq = 3")
    assert found(state) == (3, "missing")
    assert "There is no event 3; the next is 4." in verify(state, "a").why


def test_the_first_event_removed_is_found(state, state_url):
    a_trail(state)
    tamper(state_url, f"delete from audit_events where {OF_A} and seq <= 2")
    assert found(state) == (1, "missing")
    assert "events 1 to 2" in verify(state, "a").why


def test_a_gap_closed_by_new_numbers_is_found(state, state_url):
    a_trail(state)
    tamper(
        state_url,
        f"delete from audit_events where {OF_A} and seq = 3",
        f"update audit_events set seq = 3 where {OF_A} and seq = 4",
        f"update audit_events set seq = 4 where {OF_A} and seq = 5",
        f"update audit_heads set seq = 4 where {OF_A}",
    )
    assert found(state) == (3, "changed")


def test_events_that_changed_places_are_found(state, state_url):
    a_trail(state)
    tamper(
        state_url,
        f"update audit_events set seq = 99 where {OF_A} and seq = 2",
        f"update audit_events set seq = 2 where {OF_A} and seq = 4",
        f"update audit_events set seq = 4 where {OF_A} and seq = 99",
    )
    assert found(state) == (2, "changed")


def test_an_event_that_was_inserted_is_found(state, state_url):
    a_trail(state)
    moved = [f"update audit_events set seq = {seq + 1} where {OF_A} and seq = {seq}" for seq in (5, 4, 3)]
    copied = COPIED.replace("id,", "'copy',", 1).replace("seq", "3", 1)
    tamper(
        state_url,
        *moved,
        f"insert into audit_events ({COPIED}) select {copied} from audit_events where {OF_A} and seq = 2",
    )
    assert found(state) == (3, "changed")


def test_an_event_of_another_tenant_put_in_its_place_is_found(state, state_url):
    a_trail(state)
    a_trail(state, tenant="b")
    tamper(
        state_url,
        f"delete from audit_events where {OF_A} and seq = 3",
        "update audit_events set tenant = 'a' where tenant = 'b' and seq = 3",
    )
    assert found(state) == (3, "changed")


@pytest.mark.parametrize("kept", [4, 0])
def test_a_tail_that_was_cut_off_is_found(state, state_url, kept):
    a_trail(state)
    tamper(state_url, f"delete from audit_events where {OF_A} and seq > {kept}")
    assert found(state) == (kept + 1, "cut_off")


def test_an_event_put_after_the_end_is_found(state, state_url):
    a_trail(state)
    tamper(
        state_url, f"update audit_heads set seq = 4, hash = (select hash from audit_events where {OF_A} and seq = 4)"
    )
    assert found(state) == (5, "beyond_head")
    tamper(state_url, f"delete from audit_heads where {OF_A}")
    assert found(state) == (1, "beyond_head")


def test_a_head_that_is_not_the_last_event_is_found(state, state_url):
    a_trail(state)
    tamper(state_url, f"update audit_heads set hash = '{'1' * 64}' where {OF_A}")
    assert found(state) == (5, "head_changed")


def test_a_tail_cut_off_with_its_head_moved_is_found_by_who_kept_an_earlier_end(state, state_url):
    a_trail(state)
    seen = verify(state, "a")
    anchor = Anchor(seen.events, seen.head)
    tamper(
        state_url,
        f"delete from audit_events where {OF_A} and seq = 5",
        f"update audit_heads set seq = 4, hash = (select hash from audit_events where {OF_A} and seq = 4)",
    )
    assert found(state).events == 4
    assert found(state, anchor) == (5, "cut_off")


def test_a_trail_written_anew_is_found_by_who_kept_an_earlier_end(state, state_url):
    a_trail(state)
    seen = verify(state, "a")
    anchor = Anchor(seen.events, seen.head)
    note(state)
    assert verify(state, "a", anchor).events == 6
    tamper(state_url, f"delete from audit_events where {OF_A}", f"delete from audit_heads where {OF_A}")
    for _ in range(6):
        note(state)
    assert found(state).events == 6
    assert found(state, anchor) == (5, "not_as_seen")


def test_a_delta_that_is_no_json_is_found(state, state_url):
    if state_url.startswith("postgresql"):
        with pytest.raises(Exception, match="json"):
            tamper(state_url, "update audit_events set delta = 'no json'")
        return
    a_trail(state)
    tamper(state_url, f"update audit_events set delta = 'no json' where {OF_A} and seq = 3")
    assert found(state) == (3, "changed")
    tamper(state_url, f"update audit_events set actor = 'user:bob' where {OF_A} and seq = 2")
    assert found(state) == (2, "changed")


def test_a_fault_on_a_later_page_is_found(state, state_url, monkeypatch):
    monkeypatch.setattr(verifying, "PAGE", 3)
    a_trail(state, 20)
    assert verify(state, "a").events == 20
    tamper(state_url, f"update audit_events set actor = 'user:bob' where {OF_A} and seq = 17")
    assert found(state) == (17, "changed")


def test_who_writes_meanwhile_breaks_nothing(state, monkeypatch):
    """On SQLite a reader sees one instant; on PostgreSQL it meets what was written since it began."""
    monkeypatch.setattr(verifying, "PAGE", 3)
    a_trail(state, 4)
    read, to_write = verifying.chain_after, [1, 1]

    def read_and_write(*arguments, **options):
        page = read(*arguments, **options)
        if to_write and state.is_postgresql:
            to_write.pop()
            note(state)
        return page

    monkeypatch.setattr(verifying, "chain_after", read_and_write)
    answer = verify(state, "a")
    assert isinstance(answer, Verified)
    assert answer.events == (6 if state.is_postgresql else 4)


def test_memory_is_that_of_a_page(state, monkeypatch):
    monkeypatch.setattr(verifying, "PAGE", 10)

    def write(connection):
        for number in range(200):
            entry = Entry("m", "m.done", "thing", str(number), {"text": "x" * 20_000})
            record(connection, "a", ANN, entry, now=NOW + timedelta(seconds=number))

    state.of("a").write(write)
    tracemalloc.start()
    assert verify(state, "a").events == 200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000  # the trail is 4 MB


def test_a_break_is_told_to_a_person(state, state_url):
    a_trail(state)
    tamper(state_url, f"update audit_events set delta = '{json.dumps({'x': 1})}' where {OF_A} and seq = 2")
    assert "Event 2" in verify(state, "a").why
    assert "was changed" in verify(state, "a").why
