import shutil
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, Table, Text

from tieout.store.state import SCHEMA, Schema, connect_state, open_state

NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade():
    op.create_table("note", sa.Column("words", sa.Text()))
    {then}
"""


def schema_of(path):
    """Every object with its lines: columns in their order, then the constraints, whose order says nothing."""
    with sqlite3.connect(path) as raw:
        listed = raw.execute("select type, name, tbl_name, sql from sqlite_master order by type, name").fetchall()
        revision = raw.execute("select version_num from alembic_version").fetchall()
    return [(*named, _ordered(sql)) for *named, sql in listed], revision


def _ordered(sql):
    lines = [line.strip().rstrip(",").strip() for line in (sql or "").splitlines()]
    constraints = [line for line in lines if line.startswith("CONSTRAINT")]
    return [line for line in lines if line not in constraints], sorted(constraints)


def url_of(path):
    return f"sqlite:///{path}"


def a_next_schema(folder, then="pass"):
    """The schema of a version to come: one table more, and a migration that makes it."""
    migrations = folder / "migrations"
    shutil.copytree(SCHEMA.migrations, migrations)
    (migrations / "versions" / "next_note.py").write_text(NEXT_MIGRATION.format(then=then, head=SCHEMA.head))
    coming = MetaData(naming_convention=SCHEMA.tables.naming_convention)  # of its own: the code's stays as it is
    for table in SCHEMA.tables.sorted_tables:
        table.to_metadata(coming)
    Table("note", coming, Column("words", Text))
    return Schema(coming, migrations, (*SCHEMA.revisions, "next"))


@pytest.fixture
def migrated(tmp_path):
    """A database that went through every migration, from the very first."""
    path = tmp_path / "migrated.db"
    state = connect_state(url_of(path))
    state.write(SCHEMA.upgrade)
    state.close()
    return path


def test_a_fresh_schema_equals_a_migrated_one(tmp_path, migrated):
    open_state(url_of(tmp_path / "fresh.db")).close()
    fresh = schema_of(tmp_path / "fresh.db")
    assert fresh == schema_of(migrated)
    assert len(fresh[0]) > len(SCHEMA.tables.tables)


def test_the_tables_in_the_code_are_those_of_the_migrations(migrated):
    state = connect_state(url_of(migrated))
    with state.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SCHEMA.tables) == []
    state.close()


def test_the_revisions_that_the_code_knows_are_those_of_the_files():
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.migrations))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == SCHEMA.revisions
    assert scripts.get_heads() == [SCHEMA.head]


def test_a_migrated_database_opens_as_it_is(migrated):
    before = schema_of(migrated)
    open_state(url_of(migrated)).close()
    assert schema_of(migrated) == before


def test_a_database_of_an_older_version_is_upgraded_when_opened(tmp_path):
    coming = a_next_schema(tmp_path)
    open_state(url_of(tmp_path / "old.db")).close()
    open_state(url_of(tmp_path / "old.db"), coming).close()
    open_state(url_of(tmp_path / "fresh.db"), coming).close()
    upgraded = schema_of(tmp_path / "old.db")
    assert upgraded == schema_of(tmp_path / "fresh.db")
    assert upgraded[1] == [("next",)]


def test_a_migration_that_fails_half_way_leaves_the_schema_as_it_was(tmp_path):
    path = tmp_path / "state.db"
    open_state(url_of(path)).close()
    before = schema_of(path)
    with pytest.raises(ZeroDivisionError):
        open_state(url_of(path), a_next_schema(tmp_path, then="1 / 0"))
    assert schema_of(path) == before
