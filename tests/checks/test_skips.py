import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
HOOKS = Path(__file__).parents[1] / "skips.py"


@pytest.fixture
def suite(pytester):
    shutil.copy(HOOKS, pytester.path / "conftest.py")
    pytester.makepyfile("import pytest\ndef test_one(): pass\ndef test_two(): pytest.skip('no browser here')\n")
    return pytester


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_skipped_test_fails_a_run_in_ci_and_is_said_aloud_everywhere(suite, monkeypatch, ci, code):
    monkeypatch.setenv("CI", ci)
    result = suite.runpytest_subprocess()
    assert result.ret == code
    result.stdout.fnmatch_lines(["*1 SKIPPED*", "*test_two: Skipped: no browser here"])


def test_a_run_without_skips_passes_in_ci(pytester, monkeypatch):
    shutil.copy(HOOKS, pytester.path / "conftest.py")
    pytester.makepyfile("def test_one(): pass\n")
    monkeypatch.setenv("CI", "true")
    assert pytester.runpytest_subprocess().ret == 0
