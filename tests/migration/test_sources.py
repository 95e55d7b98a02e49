from sqlalchemy import inspect, text

from tests.intake.source_builders import Desk, statement
from tieout.store.state import SCHEMA, Schema, connect_state, open_state
from tieout.store.tables import metadata

FIRST = "0001"


def test_a_database_from_before_sources_keeps_its_runs_and_takes_sources(tmp_path):
    from alembic import command
    from alembic.config import Config

    url = f"sqlite:///{tmp_path / 'data' / 'state.db'}"

    class UpToTheFirst(Schema):
        def upgrade(self, connection):
            config = Config()
            config.set_main_option("script_location", str(self.migrations))
            config.attributes["connection"] = connection
            command.upgrade(config, FIRST)

    old = connect_state(url)
    old.write(UpToTheFirst(metadata, SCHEMA.migrations, (FIRST,)).upgrade)
    old.write(
        lambda connection: connection.execute(
            text("insert into artifact (tenant, artifact_id, byte_count) values ('default', 'abc', 3)")
        )
    )
    with old.reading() as connection:
        assert "source" not in inspect(connection).get_table_names()
    old.close()

    state = open_state(url)
    with state.reading() as connection:
        assert {"source", "source_load"} <= set(inspect(connection).get_table_names())
        assert connection.execute(text("select artifact_id, byte_count from artifact")).all() == [("abc", 3)]
    state.close()

    desk = Desk(tmp_path / "data")
    desk.load(statement("2024-01-01,coffee,3"))
    assert desk.rows() == ["2024-01-01,coffee,3"]
    desk.store.close()
