"""Plugins of the whole suite."""

pytest_plugins = ("tests.skips", "tests.postgres", "tests.states")
