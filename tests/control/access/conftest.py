from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from tests.api.conftest import client, clock
from tests.api.conftest import platform as whole_platform
from tests.control.access.people import hash_of_password
from tieout.control.access import passwords

__all__ = ["client", "clock", "platform", "whole_platform"]


@pytest.fixture
def platform(whole_platform, monkeypatch):
    """An installation that hashes passwords cheaply: what they cost in earnest is tested without one."""
    cheap = PasswordHasher.from_parameters(CHEAPEST)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)
    passwords._of_nobody.cache_clear()
    hash_of_password.cache_clear()
    yield whole_platform
    passwords._of_nobody.cache_clear()
