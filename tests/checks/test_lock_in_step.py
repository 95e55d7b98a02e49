from pathlib import Path

from checks.lock_in_step import list_faults, main

REPOSITORY = Path(__file__).parents[2]
PROJECT = """
[project]
dependencies = ["duckdb==2.0.0", "Mt_940>=5"]
[dependency-groups]
dev = ["pytest==9.2.0"]
"""
LOCK = "duckdb==2.0.0\nmt-940==5.1.1\npytest==9.2.0\nnumpy==2.4.6 ; python_full_version < '3.12'\n"


def test_a_lock_with_every_dependency_passes():
    assert list_faults(PROJECT, LOCK) == []


def test_a_missing_dependency_is_named():
    assert list_faults(PROJECT, LOCK.replace("pytest==9.2.0\n", "")) == [
        "pytest==9.2.0 is not in requirements.lock; run: make lock"
    ]


def test_a_version_that_the_project_does_not_allow_is_named():
    assert len(list_faults(PROJECT, LOCK.replace("mt-940==5.1.1", "mt-940==4.30.0"))) == 1


def test_a_line_that_names_a_place_is_refused():
    for line in (
        "--index-url https://packages.example/simple",
        "--find-links /opt/wheels",
        "pandas @ file:///opt/pandas.whl",
        "-e .",
        "pandas>=3",
    ):
        assert len(list_faults(PROJECT, f"{line}\n{LOCK}")) == 1, line


def test_this_repository_is_in_step(capsys):
    assert main([str(REPOSITORY)]) == 0, capsys.readouterr().out
