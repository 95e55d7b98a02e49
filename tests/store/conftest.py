from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.states import KINDS
from tests.store.builders import a_store
from tieout.store.opening import Store

ON_BOTH = ("test_artifacts", "test_publish", "test_review", "test_runs", "test_sources", "test_sweep")
"""Modules whose tests run with the state in SQLite and again with it in PostgreSQL."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        metafunc.fixturenames.append("state_kind")
        metafunc.parametrize("state_kind", KINDS, indirect=True)


@pytest.fixture
def state_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the stores of a test keep their state in this kind of database."""
    if request.param == "sqlite":
        monkeypatch.delenv("TIEOUT_STATE", raising=False)
        yield "sqlite"
        return
    server: Postgres = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_template")
    url = server.lend(template)
    monkeypatch.setenv("TIEOUT_STATE", url)
    yield "postgresql"
    server.take_back(url, template)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path / "data") as opened:
        yield opened
