from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from tieout.store.guards import EVERY_TENANT
from tieout.store.state import SCHEMA, connect_state, open_state
from tieout.store.tables import artifact, audit_events, is_of_a_tenant, metadata

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVENT = {
    "tenant": "a",
    "id": "1",
    "seq": 1,
    "actor": "user:ann",
    "module": "m",
    "action": "m.done",
    "entity_type": "thing",
    "entity_id": "7",
    "delta": {},
    "created_at": AT,
    "prev_hash": "0" * 64,
    "hash": "1" * 64,
}


def an_artifact(tenant):
    return insert(artifact).values(tenant=tenant, artifact_id="abc", byte_count=3)


def rows_seen(state):
    with state.reading() as connection:
        return sorted(connection.scalars(select(artifact.c.tenant)))


@pytest.fixture
def on_postgresql(postgres, postgres_template):
    url = postgres.new_database(postgres_template)
    state = open_state(url)
    yield state
    state.close()
    postgres.drop_database(url)


def test_a_query_that_forgets_the_tenant_still_sees_its_rows_alone(on_postgresql):
    for tenant in ("a", "b"):
        on_postgresql.of(tenant).write(lambda connection, tenant=tenant: connection.execute(an_artifact(tenant)))
    assert rows_seen(on_postgresql.of("a")) == ["a"]
    assert rows_seen(on_postgresql.of("b")) == ["b"]
    assert rows_seen(on_postgresql) == []
    assert rows_seen(on_postgresql.of(EVERY_TENANT)) == ["a", "b"]


def test_the_name_of_a_tenant_is_no_sql(on_postgresql):
    on_postgresql.of("a").write(lambda connection: connection.execute(an_artifact("a")))
    for name in ("x'; set local tieout.tenant = 'a", "'a'", "a\\", "*'", "x' or true --", "%s", "%(a)s"):
        assert rows_seen(on_postgresql.of(name)) == []
    on_postgresql.of("o'hara % é").write(lambda connection: connection.execute(an_artifact("o'hara % é")))
    assert rows_seen(on_postgresql.of("o'hara % é")) == ["o'hara % é"]


def test_a_connection_leaves_no_tenant_behind(on_postgresql):
    on_postgresql.of("a").write(lambda connection: connection.execute(an_artifact("a")))
    for _ in range(7):  # often enough for the driver to prepare what it is asked
        assert rows_seen(on_postgresql.of("a")) == ["a"]
        assert rows_seen(on_postgresql) == []
    with on_postgresql.engine.connect() as connection:
        assert connection.scalar(text("select current_setting('tieout.tenant', true)")) == ""


def test_connections_that_were_lost_while_they_waited_are_replaced(on_postgresql):
    together = Barrier(3)

    def hold(_):
        with on_postgresql.reading() as connection:
            connection.execute(text("select 1"))
            together.wait(30)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(hold, range(3)))
    other = connect_state(on_postgresql.engine.url.render_as_string(hide_password=False))
    end_others = text(
        "select count(*) from (select pg_terminate_backend(pid, 10000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()) as ended"
    )
    with other.reading() as connection:
        assert connection.scalar(end_others) >= 3
    other.close()
    assert rows_seen(on_postgresql.of("a")) == []
    on_postgresql.of("a").write(lambda connection: connection.execute(an_artifact("a")))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(hold, range(3)))
    assert rows_seen(on_postgresql.of("a")) == ["a"]


def test_a_snapshot_sees_one_moment(on_postgresql):
    everywhere = on_postgresql.of(EVERY_TENANT)
    with everywhere.snapshot() as connection:
        assert connection.scalar(select(func.count()).select_from(artifact)) == 0
        everywhere.write(lambda other: other.execute(an_artifact("a")))
        assert connection.scalar(select(func.count()).select_from(artifact)) == 0
    with everywhere.snapshot() as connection:
        assert connection.scalar(select(func.count()).select_from(artifact)) == 1


def test_nobody_writes_a_row_of_another_tenant(on_postgresql):
    with pytest.raises(DBAPIError, match="row-level security"):
        on_postgresql.of("a").write(lambda connection: connection.execute(an_artifact("b")))
    on_postgresql.of("b").write(lambda connection: connection.execute(an_artifact("b")))
    stolen = update(artifact).values(byte_count=9)
    assert on_postgresql.of("a").write(lambda connection: connection.execute(stolen).rowcount) == 0


def test_the_tenant_of_a_transaction_does_not_outlive_it(on_postgresql):
    on_postgresql.of("a").write(lambda connection: connection.execute(an_artifact("a")))
    assert rows_seen(on_postgresql.of("a")) == ["a"]
    with on_postgresql.engine.connect() as connection:  # the same pooled connection, without State
        assert connection.execute(select(artifact)).all() == []


def test_every_table_of_tenants_is_guarded(on_postgresql):
    guarded = text("select relname from pg_class where relrowsecurity and relforcerowsecurity")
    with on_postgresql.reading() as connection:
        assert set(connection.scalars(guarded)) == {t.name for t in metadata.sorted_tables if is_of_a_tenant(t)}


@pytest.mark.parametrize("change", [update(audit_events).values(actor="nobody"), audit_events.delete()])
def test_the_audit_trail_only_grows(state, change):
    own = state.of("a")
    own.write(lambda connection: connection.execute(insert(audit_events).values(EVENT)))
    with pytest.raises(DBAPIError, match="only added"):
        own.write(lambda connection: connection.execute(change))
    with own.reading() as connection:
        assert connection.scalar(select(audit_events.c.actor)) == "user:ann"


def shape_of(url, state):
    """Everything that the database says of its own schema."""
    queries = (
        (
            "select table_name, column_name, data_type, is_nullable, character_maximum_length "
            "from information_schema.columns where table_schema = 'public' order by 1, 2"
        ),
        "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2",
        (
            "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint "
            "where connamespace = 'public'::regnamespace order by 1, 2"
        ),
        "select tablename, policyname, cmd, qual, with_check from pg_policies order by 1, 2",
        (
            "select relname, relrowsecurity, relforcerowsecurity from pg_class "
            "where relnamespace = 'public'::regnamespace order by 1"
        ),
        (
            "select tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal "
            "order by 1, 2"
        ),
        "select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by 1",
        (
            "select c.relname, a.attname, d.description from pg_description d join pg_class c on c.oid = d.objoid "
            "left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0 "
            "where c.relnamespace = 'public'::regnamespace order by 1, 2"
        ),
        "select version_num from alembic_version",
    )
    with state.reading() as connection:
        return [connection.execute(text(query)).all() for query in queries]


def test_a_fresh_schema_equals_a_migrated_one_on_postgresql(postgres, on_postgresql):
    url = postgres.new_database()
    migrated = connect_state(url)
    migrated.of(EVERY_TENANT).write(SCHEMA.upgrade)
    for fresh, upgraded in zip(shape_of(url, on_postgresql), shape_of(url, migrated), strict=True):
        assert fresh == upgraded
    migrated.close()
    postgres.drop_database(url)


def test_a_transaction_that_another_waits_for_runs_again(on_postgresql):
    """Two that lock the same two rows in opposite order: PostgreSQL ends one of them, and its action runs again."""
    own = on_postgresql.of("a")
    for name in ("x", "y"):
        row = insert(artifact).values(tenant="a", artifact_id=name, byte_count=0)
        own.write(lambda connection, row=row: connection.execute(row))
    meet, tries = Barrier(2, timeout=30), []

    def touch(*names):
        def action(connection):
            tries.append(names)
            for number, name in enumerate(names):
                if number == 1 and tries.count(names) == 1:
                    meet.wait()
                one = artifact.c.artifact_id == name
                connection.execute(update(artifact).where(one).values(byte_count=artifact.c.byte_count + 1))

        own.write(action)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(touch, "x", "y"), pool.submit(touch, "y", "x")]:
            done.result(60)
    assert len(tries) >= 3  # the one that was ended may meet the other once more
    with own.reading() as connection:
        assert connection.scalars(select(artifact.c.byte_count)).all() == [2, 2]
