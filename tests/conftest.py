"""Plugins of the whole suite."""

pytest_plugins = ("tests.forks", "tests.skips", "tests.postgres", "tests.states", "tests.sealed_worlds")
