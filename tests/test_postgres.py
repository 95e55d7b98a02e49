"""The databases that tests are lent."""

import pytest
from sqlalchemy import insert, select

from tieout.store.guards import EVERY_TENANT
from tieout.store.state import open_state
from tieout.store.tables import artifact, publication, receipt


@pytest.mark.parametrize("change", ["drop trigger only_grows on audit_events", "create schema more", None])
def test_a_database_that_is_lent_again_is_as_new(postgres, postgres_template, change):
    url = postgres.lend(postgres_template)
    state = open_state(url).of(EVERY_TENANT)
    state.write(lambda c: c.execute(insert(artifact).values(tenant="a", artifact_id="x", byte_count=1)))
    if change:
        postgres.run(change, url.rsplit("/", 1)[1])
    postgres.take_back(url, postgres_template)
    again = postgres.lend(postgres_template)
    assert (again == url) is (change is None)
    state = open_state(again).of(EVERY_TENANT)
    with state.reading() as connection:
        for table in (artifact, receipt, publication):
            assert connection.execute(select(table)).all() == []
    state.close()
    postgres.take_back(again, postgres_template)
