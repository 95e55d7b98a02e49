import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, InternalError

from tests.store.builders import DIGEST, NOW
from tieout.store import tables
from tieout.store.state import SCHEMA, StateIsNewer, StateUnavailable, open_state

OPEN_MANY_TIMES = """
import sys
from tieout.store.state import open_state
sys.stdin.readline()
open_state(sys.argv[1]).close()
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


def an_artifact(artifact_id=DIGEST, tenant="acme"):
    return insert(tables.artifact).values(tenant=tenant, artifact_id=artifact_id, byte_count=1)


def test_a_new_database_is_made_at_the_latest_revision(url, tmp_path):
    open_state(url).close()
    with sqlite3.connect(tmp_path / "state.db") as raw:
        assert raw.execute("select version_num from alembic_version").fetchall() == [(SCHEMA.head,)]
        assert raw.execute("pragma journal_mode").fetchone() == ("wal",)


def test_folders_on_the_way_to_the_database_are_made(tmp_path):
    open_state(f"sqlite:///{tmp_path}/a/b/state.db").close()
    assert (tmp_path / "a/b/state.db").is_file()


def test_a_path_is_taken_literally_even_where_an_address_would_mean_something_else(tmp_path):
    open_state(f"sqlite:///{tmp_path}/a?b=c %20/state.db").close()
    assert (tmp_path / "a?b=c %20/state.db").is_file()


def test_opening_a_database_in_step_takes_less_than_50_ms_and_does_not_import_alembic(url):
    open_state(url).close()
    code = (
        "import sys, time, sqlalchemy.dialects.sqlite\n"
        "from tieout.store.state import open_state\n"
        "times = []\n"
        "for _ in range(5):\n"
        "    start = time.perf_counter(); open_state(sys.argv[1]).close(); times.append(time.perf_counter() - start)\n"
        "print(min(times) < 0.05, 'alembic' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code, url], text=True) == "True False\n"


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(url, tmp_path):
    open_state(url).close()
    with sqlite3.connect(tmp_path / "state.db") as raw:
        raw.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(StateIsNewer, match="9999"):
        open_state(url)
    with sqlite3.connect(tmp_path / "state.db") as raw:
        assert raw.execute("select version_num from alembic_version").fetchall() == [("9999",)]


def test_a_file_that_is_no_database_is_refused_in_plain_words(url, tmp_path):
    (tmp_path / "state.db").write_text("these are not the rows you are looking for" * 100)
    with pytest.raises(StateUnavailable, match="not a database"):
        open_state(url)


def test_a_folder_in_the_place_of_the_database_is_refused_in_plain_words(url, tmp_path):
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StateUnavailable, match="unable to open"):
        open_state(url)


def test_a_file_in_the_place_of_the_folder_is_refused_in_plain_words(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StateUnavailable, match=r"Not a directory|File exists"):
        open_state(f"sqlite:///{tmp_path}/a/state.db")


@pytest.mark.parametrize("url", ["mysql://ann:secret@db/x", "nonsense secret", "postgresql+asyncpg_secret"])
def test_another_kind_of_database_is_refused_without_repeating_its_address(url):
    with pytest.raises(StateUnavailable) as caught:
        open_state(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(StateUnavailable) as caught:
        open_state("postgresql://ann:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


def test_a_transaction_that_raises_leaves_nothing(url):
    state = open_state(url)

    def fail(connection):
        connection.execute(an_artifact())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        state.write(fail)
    with state.reading() as connection:
        assert connection.execute(select(tables.artifact)).all() == []


def test_foreign_keys_are_enforced(url):
    orphan = insert(tables.receipt).values(
        tenant="acme", artifact_id=DIGEST, name="x", byte_count=1, received_us=NOW, received_by="ann"
    )
    with pytest.raises(IntegrityError):
        open_state(url).write(lambda connection: connection.execute(orphan))


def test_the_database_refuses_two_current_runs_of_one_window(url):
    state = open_state(url)
    with pytest.raises(IntegrityError, match="publication"):
        state.write(
            lambda connection: [
                connection.execute(text("pragma defer_foreign_keys = on")),
                *(
                    connection.execute(
                        insert(tables.publication).values(
                            tenant="acme", book="b", leg="l", window="w", run_id=run_id, published_us=NOW
                        )
                    )
                    for run_id in ("1", "2")
                ),
            ]
        )


def test_a_write_that_lost_a_race_is_done_again(url):
    state = open_state(url)
    tries = []

    def insert_first(connection):
        tries.append(len(tries))
        connection.execute(an_artifact(f"{tries[-1]}"))
        if len(tries) < 3:
            connection.execute(an_artifact(f"{tries[-1]}"))

    state.write(insert_first)
    with state.reading() as connection:
        assert connection.scalars(select(tables.artifact.c.artifact_id)).all() == ["2"]


def test_writers_that_read_first_wait_for_each_other_instead_of_failing(url):
    state = open_state(url)
    state.write(lambda connection: connection.execute(an_artifact()))

    def add_one(_):
        def action(connection):
            count = connection.scalar(select(tables.artifact.c.byte_count))
            connection.execute(tables.artifact.update().values(byte_count=count + 1))

        state.write(action)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_one, range(40)))
    with state.reading() as connection:
        assert connection.scalar(select(tables.artifact.c.byte_count)) == 41


def test_many_processes_may_make_the_same_database_at_once(url):
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN_MANY_TIMES, url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=120)[1].decode() for child in children]
    assert [child.returncode for child in children] == [0] * 6, errors
    open_state(url).close()


def test_an_instant_is_kept_to_the_microsecond_whatever_its_zone(url):
    state = open_state(url)
    instant = datetime(2026, 3, 29, 3, 0, 0, 123457, tzinfo=timezone(timedelta(hours=2)))
    state.write(
        lambda connection: connection.execute(insert(tables.data_folder).values(folder_id="x", first_used_us=instant))
    )
    with state.reading() as connection:
        kept = connection.scalar(select(tables.data_folder.c.first_used_us))
        raw = connection.scalar(text("select first_used_us from data_folder"))
    assert kept == instant
    assert kept.tzinfo is UTC
    assert raw == 1774746000123457


def test_a_time_without_zone_is_no_instant():
    with pytest.raises(ValueError, match="no time zone"):
        tables.Instant().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


OF_THE_PLATFORM = {
    "breaker",
    "data_folder",
    "platform_flags",
    "platform_secrets",
    "queue_start",
    "schedule",
    "schedule_tick",
    "tenant_registration",
    "worker",
}


def test_every_row_belongs_to_a_tenant_but_those_of_the_platform():
    apart = {table.name for table in tables.metadata.sorted_tables if tables.is_of_a_tenant(table)}
    assert set(tables.metadata.tables) - apart == OF_THE_PLATFORM
    assert not [name for name in apart if tables.metadata.tables[name].c.tenant.nullable]


def test_a_writer_that_stands_still_in_the_midst_holds_up_others_no_longer_than_a_bound(
    postgres, postgres_template, monkeypatch
):
    """A worker that is stopped (its machine sleeps) keeps the connection open, and the locks that it had."""
    monkeypatch.setattr("tieout.store.state.IDLE_TIMEOUT_S", 1)
    url = postgres.lend(postgres_template)
    standing, other = open_state(url), open_state(url)
    lock = text("select pg_advisory_xact_lock(7)")
    went_on = []

    def stand_still(connection):
        connection.execute(lock)
        other.write(lambda waiting: went_on.append(waiting.execute(lock)))  # meanwhile nothing comes from the first
        connection.execute(text("select 1"))

    with pytest.raises(StateUnavailable, match="idle"):
        standing.write(stand_still)
    assert went_on
    standing.write(lambda connection: connection.execute(lock))  # with a connection of its own again
    standing.close()
    other.close()
    postgres.take_back(url, postgres_template)


def test_going_on_in_a_transaction_that_failed_is_not_taken_for_a_database_out_of_reach(postgres, postgres_template):
    url = postgres.lend(postgres_template)
    state = open_state(url)

    def go_on(connection):
        with pytest.raises(IntegrityError):
            connection.execute(text("insert into alembic_version select version_num from alembic_version"))
        connection.execute(text("select 1"))

    with pytest.raises(InternalError):
        state.write(go_on)
    state.close()
    postgres.take_back(url, postgres_template)
