"""Imports point one way: a room may import what stands left of it in ORDER, never what stands beside or right of it."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "tieout"
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"store"}),
    frozenset({"work"}),
    frozenset({"control"}),
    frozenset({"intake"}),
    frozenset({"engine"}),
    frozenset({"proofs", "kpi"}),
    frozenset({"watch"}),
    frozenset({"books"}),
    frozenset({"report"}),
    frozenset({"api", "console", "cli"}),
    frozenset({"process"}),
    frozenset({"compose"}),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
DATA = frozenset({"sample"})
"""Folders that hold files to ship and no code."""
OPEN_NAMES = frozenset({"__version__"})
"""What any room may take from the package itself."""


@dataclass(frozen=True)
class Import:
    """One import statement, resolved to the dotted name it reaches."""

    target: str
    line: int
    is_lazy: bool


@dataclass(frozen=True)
class Breach:
    """An import against the direction."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def _resolve(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute module that `from ... import` names, seen from `package`."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _targets(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = _resolve(node, package)
        # `from tieout import store` reaches the room, not the package.
        yield from (f"{module}.{alias.name}" if module == PACKAGE else module for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func)
        name = node.args[0].value
        if called in {"importlib.import_module", "import_module", "__import__"} and isinstance(name, str):
            yield name


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def list_imports(source: str, package: str) -> list[Import]:
    """Return every import of `source`, a module inside `package`, in order of line.

    An import is lazy when it runs later than the module does: inside a function, or never (TYPE_CHECKING).
    """
    found: list[Import] = []

    def walk(node: ast.AST, *, is_lazy: bool) -> None:
        found.extend(Import(target, getattr(node, "lineno", 0), is_lazy) for target in _targets(node, package))
        inner = is_lazy or _is_type_checking(node) or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            walk(child, is_lazy=inner)

    walk(ast.parse(source), is_lazy=False)
    return sorted(set(found), key=lambda one: (one.line, one.target))


def _judge(room: str, one: Import) -> str | None:
    """Return what is wrong with an import made in `room`, or None."""
    package, _, rest = one.target.partition(".")
    reached = rest.split(".")[0]
    if package != PACKAGE or reached in OPEN_NAMES or room in {reached, "__main__"}:
        return None
    complaint = None
    if room == "":
        if not one.is_lazy:
            complaint = f"{PACKAGE}/__init__ imports {one.target} at once; import it inside the function that needs it"
    elif reached not in RANK:
        complaint = f"{room} imports {one.target}, which is no room; name the room that holds it"
    elif RANK[reached] == RANK[room]:
        complaint = f"{room} imports {one.target}; rooms side by side do not know each other"
    elif RANK[reached] > RANK[room]:
        complaint = f"{room} imports {one.target}, which stands right of it"
    return complaint


def find_breaches(source_root: Path) -> list[Breach]:
    """Return every import below `source_root`/tieout that goes against ORDER, sorted by place."""
    root = source_root / PACKAGE
    breaches: list[Breach] = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        room = inside.parts[0].removesuffix(".py")
        room = "" if room == "__init__" else room
        if room not in RANK and room not in {"", "__main__"}:
            why = "holds data, not code" if room in DATA else "is no room; give it a place in ORDER"
            breaches.append(Breach(path, 1, f"{room} {why}"))
            continue
        package = ".".join([PACKAGE, *inside.parts[:-1]])
        for one in list_imports(path.read_text(encoding="utf-8"), package):
            message = _judge(room, one)
            if message:
                breaches.append(Breach(path, one.line, message))
    return breaches


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every breach; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source_root", nargs="?", type=Path, default=Path("src"))
    breaches = find_breaches(parser.parse_args(arguments).source_root)
    for breach in breaches:
        print(breach)
    print(f"import direction: {len(breaches)} breaches" if breaches else "import direction: ok")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
