from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient

from tests.tenancy import watch
from tieout.api.app import create_app
from tieout.control.platform import Platform
from tieout.core.logs import set_up_logs
from tieout.core.settings import Settings
from tieout.store.state import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[io.StringIO]:
    """What a test logs, as JSON lines."""
    lines = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    set_up_logs(level="debug", form="json", stream=lines)
    yield lines
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


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
    limits = {
        "TIEOUT_RATE_LIMIT_RPM": "1000000",
        "TIEOUT_RATE_LIMIT_TENANT_RPM": "1000000",
        "TIEOUT_RATE_LIMIT_LOGIN_RPM": "1000000",
    }
    settings = Settings.from_environment(
        {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_STATE": state_url, "TIEOUT_ACTOR": "ann", **limits}
    )
    settings.data_dir.mkdir(exist_ok=True)
    watch(state.engine)
    return Platform(settings, state, clock)


@pytest.fixture
def client(platform: Platform) -> Iterator[TestClient]:
    with TestClient(create_app(platform), raise_server_exceptions=False) as opened:
        yield opened
