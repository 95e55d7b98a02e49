from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tieout.api.app import create_app
from tieout.control.platform import Platform
from tieout.core.settings import Settings
from tieout.store.state import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_time(self, **amount: float) -> None:
        self.at += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def platform(state: State, state_url: str, clock: Clock, tmp_path: Path) -> Platform:
    settings = Settings.from_environment(
        {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_STATE": state_url, "TIEOUT_ACTOR": "ann"}
    )
    settings.data_dir.mkdir(exist_ok=True)
    return Platform(settings, state, clock)


@pytest.fixture
def client(platform: Platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), raise_server_exceptions=False) as opened:
        yield opened
