from pathlib import Path

import pytest

from checks.import_direction import ORDER, find_breaches, list_imports, main

REPOSITORY = Path(__file__).parents[2]


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write modules named like `engine/run` into a package below `root`."""
    for name, source in files.items():
        path = root / "tieout" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core/money", "from tieout.store import runs"),
        ("core/money", "import tieout.engine.plan"),
        ("core/money", "from tieout import store"),
        ("core/money", "from ..store.runs import Run"),
        ("engine/run", "def go():\n    from tieout.report.html import page"),
        ("engine/run", "import importlib\nimportlib.import_module('tieout.cli.app')"),
        (
            "engine/run",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tieout.books.compare import infer",
        ),
        ("books/compare/infer", "from tieout.report import console"),
        ("proofs/tree", "from tieout.kpi import registry"),
        ("cli/app", "from tieout.compose import main"),
        ("cli/app", "import tieout"),
    ],
)
def test_an_import_to_the_right_or_beside_is_a_breach(tmp_path, module, source):
    breaches = find_breaches(tree(tmp_path, {module: source}))
    assert len(breaches) == 1
    assert breaches[0].line == len(source.splitlines())


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("compose", "from tieout.cli import app\nfrom tieout.core import errors"),
        ("engine/run", "from tieout.intake.records import Records\nfrom tieout.engine.plan import Plan"),
        ("engine/run", "from .plan import Plan\nfrom . import steps"),
        ("report/html", "import tieout_extra\nimport json\nfrom tieout import __version__"),
        ("books/compare/infer", "from ...engine.plan import Plan"),
        ("__main__", "from tieout.compose import main"),
        ("core/settings", "name = 'tieout.compose'  # a text is no import"),
    ],
)
def test_an_import_to_the_left_passes(tmp_path, module, source):
    assert find_breaches(tree(tmp_path, {module: source})) == []


def test_the_package_itself_may_reach_compose_only_when_called(tmp_path):
    lazy = "def compare():\n    from tieout.compose import compare_files\n    return compare_files()"
    assert find_breaches(tree(tmp_path / "lazy", {"__init__": lazy})) == []
    eager = find_breaches(tree(tmp_path / "eager", {"__init__": "from tieout.compose import compare_files"}))
    assert [breach.line for breach in eager] == [1]


def test_a_folder_that_nobody_ranked_is_a_breach(tmp_path):
    breaches = find_breaches(tree(tmp_path, {"gadgets/thing": "x = 1", "sample/thing": "x = 1"}))
    assert ["gadgets is no room" in str(breaches[0]), "sample holds data" in str(breaches[1])] == [True, True]


def test_no_room_stands_twice_in_the_order():
    rooms = [room for rooms in ORDER for room in rooms]
    assert len(rooms) == len(set(rooms))


def test_imports_inside_functions_are_found_and_called_lazy():
    found = list_imports("import json\ndef f():\n    import tieout.core\n", "tieout.engine")
    assert [(one.target, one.is_lazy) for one in found] == [("json", False), ("tieout.core", True)]


def test_the_exit_code_says_whether_there_was_a_breach(tmp_path, capsys):
    assert main([str(tree(tmp_path, {"core/money": "from tieout.cli import app"}))]) == 1
    assert "core imports tieout.cli, which stands right of it" in capsys.readouterr().out


def test_this_repository_keeps_the_direction():
    assert find_breaches(REPOSITORY / "src") == []
