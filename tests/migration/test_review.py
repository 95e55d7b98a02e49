from sqlalchemy import inspect, text

from tests.store.builders import a_published_run, a_request, a_store
from tests.store.test_review import SCOPE, a_draft, decide, rulings
from tieout.store.state import SCHEMA, Schema, connect_state
from tieout.store.tables import metadata

BEFORE = "0002"


def test_a_database_from_before_reviews_keeps_its_files_and_takes_decisions(tmp_path):
    from alembic import command
    from alembic.config import Config

    class UpToBefore(Schema):
        def upgrade(self, connection):
            config = Config()
            config.set_main_option("script_location", str(self.migrations))
            config.attributes["connection"] = connection
            command.upgrade(config, BEFORE)

    old = connect_state(f"sqlite:///{tmp_path / 'data' / 'state.db'}")
    old.write(UpToBefore(metadata, SCHEMA.migrations, ("0001", BEFORE)).upgrade)
    old.write(
        lambda connection: connection.execute(
            text("insert into artifact (tenant, artifact_id, byte_count) values ('default', 'abc', 3)")
        )
    )
    with old.reading() as connection:
        assert "review_decision" not in inspect(connection).get_table_names()
    old.close()

    with a_store(tmp_path / "data") as store:
        with store.state.reading() as connection:
            assert connection.scalar(text("select byte_count from artifact where artifact_id = 'abc'")) == 3
        run_id = a_published_run(store, a_request(store)).run.run_id
        decide(store, a_draft(run_id, 1, 2))
        assert list(rulings(store).values()) == ["accepted"]
        assert store.reviews.standing(SCOPE)[0].seq == 1
