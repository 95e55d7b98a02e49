import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from tests.store.filled import FIRST, fill
from tieout.store import copying
from tieout.store.copying import (
    CopyDiffers,
    NothingToCopyFrom,
    RowNotCopied,
    SameState,
    StateInUse,
    TargetNotEmpty,
    copy_state,
    plan_copy,
)
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import (
    SCHEMA,
    Schema,
    StateIncomplete,
    StateIsNewer,
    StateUnavailable,
    connect_state,
    open_state,
)
from tieout.store.tables import artifact, audit_events, event_outbox, job, metadata, worker

LATER = FIRST + timedelta(days=1)
KINDS = ("sqlite", "postgresql")


@pytest.fixture
def new_url(postgres, tmp_path):
    """Make the URL of a database that does not exist, or is new."""
    made, numbers = [], count()

    def make(kind):
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{next(numbers)}/state.db"
        made.append(postgres.new_database())
        return made[-1]

    yield make
    for url in made:
        postgres.drop_database(url)


def filled(url, rows=11):
    state = open_state(url)
    state.of(EVERY_TENANT).write(lambda connection: fill(connection, rows))
    state.close()
    return url


def everything(url):
    """Every row of every table, as Python sees it; SQLite keeps a JSON document that is 7.0 alone as 7."""
    state = open_state(url)
    with state.of(EVERY_TENANT).reading() as connection:
        rows = {
            t.name: sorted(repr(row).replace(" 7.0", " 7") for row in connection.execute(select(t)))
            for t in metadata.sorted_tables
        }
    state.close()
    return rows


def nulls(url):
    """Which documents of jobs are missing: the null of JSON is not the null of SQL."""
    state = open_state(url)
    with state.of(EVERY_TENANT).reading() as connection:
        rows = connection.execute(text("select payload is null, result is null from job order by created_us")).all()
    state.close()
    return rows


@pytest.mark.parametrize("there", KINDS)
@pytest.mark.parametrize("here", KINDS)
def test_a_copy_and_the_copy_of_it_hold_every_row_of_every_table(new_url, here, there):
    source, target, back = filled(new_url(here)), new_url(there), new_url(here)
    before = everything(source)
    assert all(before.values()), "a table is empty: tests/store/filled.py fills them all"
    active = [row for row in before.pop("job") if "'active'" in row]
    assert active

    copied = copy_state(source, target, now=LATER)
    after = everything(target)
    assert [row for row in after.pop("job") if "'active'" in row] == []
    assert after == before
    assert {one.name: one.rows for one in copied.tables} == {table.name: 11 for table in metadata.sorted_tables}
    assert copied.plan.active_jobs == len(active)
    assert nulls(target) == nulls(source)

    again = copy_state(target, back, now=LATER)
    assert [one.sha256 for one in again.tables] == [one.sha256 for one in copied.tables]
    assert everything(back) == everything(target)
    assert nulls(back) == nulls(source)


def test_the_digest_of_a_table_is_of_its_rows_in_canonical_json_in_the_order_of_the_key(new_url):
    source = new_url("sqlite")
    state = open_state(source)
    for tenant, key in (("b", "Z"), ("a", "ä"), ("a", "z"), ("a", "Z")):
        row = insert(artifact).values(tenant=tenant, artifact_id=key, byte_count=3)
        state.of(tenant).write(lambda connection, row=row: connection.execute(row))
    state.close()
    lines = '["a","Z",3,null]\n["a","z",3,null]\n["a","ä",3,null]\n["b","Z",3,null]\n'
    expected = hashlib.sha256(lines.encode()).hexdigest()
    for kind in KINDS:
        tables = copy_state(source, new_url(kind), now=LATER).tables
        assert next(one.sha256 for one in tables if one.name == "artifact") == expected


def test_a_job_under_way_waits_again_in_the_copy(new_url):
    source, target = filled(new_url("sqlite")), new_url("postgresql")
    copy_state(source, target, now=LATER)
    handed_back = connect_state(target)
    with connect_state(source).of(EVERY_TENANT).reading() as connection:
        was_active = connection.execute(select(job.c.job_id, job.c.attempts).where(job.c.status == "active")).all()
    with handed_back.of(EVERY_TENANT).reading() as connection:
        for job_id, attempts in was_active:
            found = connection.execute(select(job).where(job.c.job_id == job_id)).one()
            assert (found.status, found.attempts) == ("waiting", attempts)
            assert (found.claimed_by, found.batch_id, found.claimed_until_us) == (None, None, None)
    handed_back.close()


@pytest.mark.parametrize(("here", "there"), [KINDS, KINDS[::-1]])
def test_what_comes_after_a_copy_is_numbered_after_all_that_was(new_url, here, there):
    source, target = filled(new_url(here)), new_url(there)
    copy_state(source, target, now=LATER)
    state = open_state(target)
    added = insert(event_outbox).values(
        tenant="a", id="new", event_type="t", entity_id="e", version=1, payload={}, occurred_us=LATER
    )
    highest = select(event_outbox.c.seq).order_by(event_outbox.c.seq.desc()).limit(1)

    def add(connection):
        before = connection.scalar(highest)
        connection.execute(added)
        return before, connection.scalar(highest)

    before, after = state.of(EVERY_TENANT).write(add)
    assert after == before + 1
    state.close()


def test_a_number_whose_row_is_gone_is_not_given_again(new_url):
    source, target = new_url("postgresql"), new_url("postgresql")
    state = open_state(source)
    row = insert(event_outbox).values(
        tenant="a", id="1", event_type="t", entity_id="e", version=1, payload={}, occurred_us=LATER
    )
    for statement in (row, delete(event_outbox)):
        state.of("a").write(lambda connection, statement=statement: connection.execute(statement))
    copy_state(source, target, now=LATER)
    state.close()
    state = open_state(target)
    state.of("a").write(lambda connection: connection.execute(row))
    with state.of("a").reading() as connection:
        assert connection.scalar(select(event_outbox.c.seq)) == 2
    state.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_copy_is_guarded_as_a_new_database_is(new_url, kind):
    target = new_url(kind)
    copy_state(filled(new_url("sqlite")), target, now=LATER)
    state = open_state(target)
    with pytest.raises(DBAPIError, match="only added"):
        state.of(EVERY_TENANT).write(lambda connection: connection.execute(update(audit_events).values(actor="x")))
    if kind == "postgresql":
        with state.reading() as connection:
            assert connection.execute(select(artifact)).all() == []
    state.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_holds_rows_is_refused_and_left_as_it_is(new_url, kind):
    source, target = filled(new_url("sqlite")), filled(new_url(kind), 2)
    before = everything(target)
    with pytest.raises(TargetNotEmpty, match=f"{2 * len(metadata.tables)} rows"):
        copy_state(source, target, now=LATER)
    assert everything(target) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_holds_rows_is_replaced_where_that_is_asked_for(new_url, kind):
    source, target = filled(new_url("sqlite")), filled(new_url(kind), 2)
    copied = copy_state(source, target, is_replacing=True, now=LATER)
    assert copied.plan.standing == "filled"
    assert everything(target).keys() == everything(source).keys()
    assert everything(target)["users"] == everything(source)["users"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_made_but_never_used_is_a_target_like_a_new_one(new_url, kind):
    source, target = filled(new_url("sqlite")), new_url(kind)
    open_state(target).close()
    assert plan_copy(source, target).standing == "empty"
    copy_state(source, target, now=LATER)
    assert everything(target)["users"] == everything(source)["users"]


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from tieout.store import copying
from tieout.store.copying import copy_state
def die(table, done, total):
    if table == "users":
        os.kill(os.getpid(), signal.SIGKILL)
now = datetime(2026, 3, 2, tzinfo=UTC)
copy_state(sys.argv[1], sys.argv[2], is_replacing="replace" in sys.argv, now=now, on_progress=die)
"""


def kill_a_copy(*words):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_copy_says_that_it_is_incomplete_and_can_be_repeated(new_url, kind):
    source, target = filled(new_url("sqlite")), new_url(kind)
    kill_a_copy(source, target)
    with pytest.raises(StateIncomplete, match="not finished"):
        open_state(target)
    assert plan_copy(source, target).standing == "incomplete"
    copy_state(source, target, now=LATER)
    assert everything(target)["users"] == everything(source)["users"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_with_rows_keeps_them_where_the_copy_over_it_is_killed(new_url, kind):
    source, target = filled(new_url("sqlite")), filled(new_url(kind), 2)
    before = everything(target)
    kill_a_copy(source, target, "replace")
    assert everything(target) == before


def test_a_plan_says_what_would_be_copied_and_makes_nothing(new_url, tmp_path):
    source, target = filled(new_url("sqlite")), f"sqlite:///{tmp_path}/not/yet/state.db"
    plan = plan_copy(source, target)
    assert plan.rows == {table.name: 11 for table in metadata.sorted_tables}
    assert (plan.standing, plan.target_rows) == ("new", 0)
    assert plan.active_jobs == 2
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_not_copied_onto_itself(new_url, kind, tmp_path):
    url = filled(new_url(kind), 1)
    other_words = (
        url.replace("127.0.0.1", "localhost") if kind == "postgresql" else url.replace("/state.db", "/./state.db")
    )
    before = everything(url)
    for target in (url, other_words):
        with pytest.raises(SameState):
            copy_state(url, target, is_replacing=True, now=LATER)
    assert everything(url) == before


def test_a_state_that_a_process_works_on_is_not_copied(new_url):
    source = filled(new_url("sqlite"), 1)
    state = open_state(source)
    beat = insert(worker).values(
        slot="w", process="host:7", roles=[], version="1", started_us=FIRST, heartbeat_us=LATER - timedelta(seconds=30)
    )
    state.write(lambda connection: connection.execute(beat))
    state.close()
    with pytest.raises(StateInUse, match="host:7"):
        copy_state(source, new_url("sqlite"), now=LATER)
    copy_state(source, new_url("sqlite"), now=LATER + timedelta(minutes=1))
    with pytest.raises(StateInUse, match="host:7"):
        copy_state(filled(new_url("sqlite"), 2), source, is_replacing=True, now=LATER)


def test_what_is_no_state_of_this_version_is_not_copied(new_url, tmp_path):
    with pytest.raises(NothingToCopyFrom, match="no state database"):
        copy_state(f"sqlite:///{tmp_path}/none.db", new_url("sqlite"), now=LATER)
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(NothingToCopyFrom, match="revision none"):
        copy_state(f"sqlite:///{tmp_path}/empty.db", new_url("sqlite"), now=LATER)
    (tmp_path / "text.db").write_text("no database at all, but long enough for its header" * 50)
    with pytest.raises(StateUnavailable, match="not a database"):
        copy_state(f"sqlite:///{tmp_path}/text.db", new_url("sqlite"), now=LATER)


def test_a_target_of_a_newer_version_is_refused(new_url, tmp_path):
    source, target = filled(new_url("sqlite"), 1), f"sqlite:///{tmp_path}/newer.db"
    open_state(target).close()
    with sqlite3.connect(tmp_path / "newer.db") as raw:
        raw.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(StateIsNewer):
        copy_state(source, target, is_replacing=True, now=LATER)


def test_a_row_that_the_target_cannot_hold_is_named_and_nothing_is_copied(new_url):
    source, target = filled(new_url("sqlite")), new_url("postgresql")
    state = open_state(source)
    # SQLite holds any length and any number where PostgreSQL has limits.
    too_much = update(metadata.tables["users"]).where(metadata.tables["users"].c.email.like("Apple%"))
    state.of(EVERY_TENANT).write(lambda connection: connection.execute(too_much.values(failed_logins=2**31)))
    state.close()
    with pytest.raises(RowNotCopied, match="users with tenant 'Apple 2', user_id 'Apple 2': integer out of range"):
        copy_state(source, target, now=LATER)
    with pytest.raises(StateIncomplete):
        open_state(target)


def test_rows_that_a_target_changed_on_the_way_are_found(new_url, monkeypatch):
    class Forging(Schema):
        def create(self, connection):
            super().create(connection)
            connection.exec_driver_sql(
                "create trigger forge after insert on users begin "
                "update users set email = 'x' where user_id = new.user_id; end"
            )

    monkeypatch.setattr(copying, "SCHEMA", Forging(SCHEMA.tables, SCHEMA.migrations, SCHEMA.revisions))
    with pytest.raises(CopyDiffers, match="users"):
        copy_state(filled(new_url("sqlite"), 1), new_url("sqlite"), now=LATER)


@pytest.mark.parametrize(("here", "there"), [KINDS, KINDS[::-1]])
def test_memory_does_not_grow_with_the_rows(new_url, here, there):
    source = new_url(here)
    state = open_state(source)
    rows = [{"tenant": "a", "artifact_id": f"{n:064}", "byte_count": n} for n in range(6_000)]
    state.of("a").write(lambda connection: connection.execute(insert(artifact), rows))
    state.close()
    seen = []
    tracemalloc.start()
    copy_state(source, new_url(there), now=LATER, on_progress=lambda *words: seen.append(words))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen[0] == ("artifact", 500, 6_000)
    assert seen[-1] == ("artifact", 6_000, 6_000)
    assert peak < 5 * 1024**2, peak
