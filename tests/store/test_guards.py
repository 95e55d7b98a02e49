from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import insert, select, text, update
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
    assert len(tries) == 3
    with own.reading() as connection:
        assert connection.scalars(select(artifact.c.byte_count)).all() == [2, 2]
