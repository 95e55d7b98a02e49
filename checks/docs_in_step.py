"""docs/reference says what the code says: every command and option, error code, metric and setting.

The pages are written from the code by `--write`; without it they are compared. What has no words of its own
in the code (a command without help, an error without docstring, a setting without a description) is a fault.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

import tieout
from tieout.core.errors import TieoutError

APP = "tieout.cli.app:app"
"""Where the Typer app is."""
SETTINGS = "tieout.core.settings:Settings"
"""Where the settings are: a frozen dataclass whose fields carry a docstring below them."""
METRICS = "tieout.core.metrics:list_declared"
"""What lists the metrics."""
ENV_PREFIX = "TIEOUT_"
PROGRAM = "tieout"
NOTICE = "<!-- written by `make docs` from the code; edit there -->"


@dataclass(frozen=True)
class Page:
    """One page of docs/reference, and what the code fails to say about it."""

    name: str
    text: str
    faults: tuple[str, ...]


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines] + [""]


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield from _commands(child, f"{path} {name}")


def _spelt(param: Any) -> str:
    if param.opts == [param.name]:  # an argument has its own name only
        return f"`{param.name.upper()}`" + ("…" if param.nargs != 1 else "")
    return ", ".join(f"`{opt}`" for opt in [*param.opts, *param.secondary_opts])


def _default(param: Any) -> str:
    if param.required:
        return "required"
    value = param.default() if callable(param.default) else param.default
    if value in (None, (), [], False, ""):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _help_of(param: Any) -> str:
    words = (param.help or "").strip()
    return f"{words} (environment: `{param.envvar}`)" if param.envvar else words


def cli_page(app: typer.Typer, program: str = PROGRAM) -> Page:
    """Return the page of commands, one section a command, hidden ones left out."""
    lines = [f"# {program}: commands", "", NOTICE, ""]
    faults: list[str] = []
    for path, command in _commands(get_command(app), program):
        words = inspect.cleandoc(command.help or "")
        if not words:
            faults.append(f"`{path}` has no help text")
        lines += [f"## {path}", "", words.partition("\f")[0].strip(), ""]
        params = [one for one in command.params if not getattr(one, "hidden", False)]
        faults += [f"`{path}`: {_spelt(one)} has no help text" for one in params if not _help_of(one)]
        if params:
            rows = [(_spelt(one), _help_of(one), _default(one)) for one in params]
            lines += _table(("option", "meaning", "default"), rows)
        if command.epilog:
            lines += ["```text", re.sub(r"\[/?bold\]", "", inspect.cleandoc(command.epilog)), "```", ""]
    return Page("cli.md", "\n".join(lines).rstrip() + "\n", tuple(faults))


def _import_everything() -> None:
    """Import every module of the package; migrations are scripts that only the migration tool can run."""
    root = Path(str(tieout.__file__)).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if parts[-1] != "__main__" and "migrations" not in parts:
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def _descendants(kind: type[TieoutError]) -> Iterator[type[TieoutError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def list_errors() -> list[type[TieoutError]]:
    """Return every error class of the package, by code."""
    _import_everything()
    inside = {kind for kind in _descendants(TieoutError) if kind.__module__.startswith("tieout.")}
    return sorted(inside, key=lambda kind: (kind.code, kind.__name__))


def errors_page(kinds: Sequence[type[TieoutError]]) -> Page:
    """Return the page of error codes."""
    faults: list[str] = []
    seen: dict[str, str] = {}
    rows: list[tuple[object, ...]] = []
    for kind in kinds:
        words = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
        if not words:
            faults.append(f"{kind.__name__} has no docstring")
        if "code" not in kind.__dict__:
            faults.append(f"{kind.__name__} has no code of its own")
        elif kind.code in seen:
            faults.append(f"{kind.__name__} and {seen[kind.code]} share the code {kind.code}")
        seen.setdefault(kind.code, kind.__name__)
        rows.append((f"`{kind.code}`", words, kind.exit_code, kind.http_status))
    lines = ["# Error codes", "", NOTICE, ""]
    lines += ["A message says what happened, to which object, and what to do next; the code stays the same.", ""]
    lines += _table(("code", "meaning", "exit code", "HTTP status"), rows)
    return Page("errors.md", "\n".join(lines).rstrip() + "\n", tuple(faults))


def _described_fields(kind: type[Any]) -> dict[str, str]:
    """Return the docstring below each field of a class, as written in its source."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 (the source of a class is one)
    words: dict[str, str] = {}
    for field, after in zip(definition.body, definition.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(after, ast.Expr):
            continue
        if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            words[ast.unparse(field.target)] = inspect.cleandoc(after.value.value)
    return words


def settings_page(kind: type[Any]) -> Page:
    """Return the page of settings of a dataclass, each by its environment variable."""
    words = _described_fields(kind)
    faults: list[str] = []
    rows: list[tuple[object, ...]] = []
    for field in dataclasses.fields(kind):
        meaning = str(field.metadata.get("help", "")) or words.get(field.name, "")
        if not meaning:
            faults.append(f"setting {field.name} has no description")
        default = "" if field.default in (dataclasses.MISSING, None, "") else f"`{field.default}`"
        variable = field.metadata.get("environment", f"{ENV_PREFIX}{field.name.upper()}")
        rows.append((f"`{variable}`", meaning, default))
    lines = ["# Settings", "", NOTICE, "", inspect.cleandoc(kind.__doc__ or ""), ""]
    lines += _table(("variable", "meaning", "default"), rows)
    return Page("settings.md", "\n".join(lines).rstrip() + "\n", tuple(faults))


def metrics_page(declared: Sequence[Any]) -> Page:
    """Return the page of metrics, by name."""
    faults = [f"metric {one.name} has no description" for one in declared if not one.meaning]
    rows = [
        (f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.meaning) for one in declared
    ]
    lines = ["# Metrics", "", NOTICE, ""]
    lines += ["At `/metrics`, in the text format of Prometheus.", ""]
    lines += _table(("metric", "kind", "labels", "meaning"), rows)
    return Page("metrics.md", "\n".join(lines).rstrip() + "\n", tuple(faults))


def build_pages() -> list[Page]:
    """Return every page of docs/reference as the code has it now."""
    return [
        cli_page(_named(APP)),
        errors_page(list_errors()),
        metrics_page(_named(METRICS)()),
        settings_page(_named(SETTINGS)),
    ]


def compare(pages: Sequence[Page], folder: Path) -> list[str]:
    """Return every fault: what the code does not say, and which page of `folder` says something else."""
    faults = [fault for page in pages for fault in page.faults]
    for page in pages:
        path = folder / page.name
        if not path.is_file():
            faults.append(f"{path} is missing; run: make docs")
        elif path.read_text(encoding="utf-8") != page.text:
            faults.append(f"{path} is not what the code says; run: make docs")
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare docs/reference with the code, or write it; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the pages instead of comparing them")
    parser.add_argument("--folder", type=Path, default=Path("docs/reference"))
    chosen = parser.parse_args(arguments)
    pages = build_pages()
    if chosen.write:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        for page in pages:
            (chosen.folder / page.name).write_text(page.text, encoding="utf-8")
    faults = compare(pages, chosen.folder)
    for fault in faults:
        print(fault)
    print(f"docs in step: {len(faults)} faults" if faults else "docs in step: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
