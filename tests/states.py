"""An empty state database of either kind for a test: parametrised, so that a suite that touches state runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tieout.store.state import State, open_state

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a database with the schema in it: copying it is quicker than making it."""
    url = postgres.new_database()
    open_state(url).close()
    return url.rsplit("/", 1)[1]


@pytest.fixture(params=KINDS)
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a state database of this test alone."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'state.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    url = server.lend(template)
    yield url
    server.take_back(url, template)


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """An open state database that sees no tenant's rows until `of` says whose."""
    opened = open_state(state_url)
    yield opened
    opened.close()
