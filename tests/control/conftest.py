from tests.api.conftest import client, clock, platform

__all__ = ["client", "clock", "platform"]
