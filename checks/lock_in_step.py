"""The lock names every dependency of pyproject.toml at a version it allows, and nothing of the machine that made it."""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINE = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+]+)(?: ; (?P<marker>.+))?$")


def list_wanted(project_text: str) -> list[Requirement]:
    """Return what pyproject.toml asks for: to run and to develop."""
    project = tomllib.loads(project_text)
    wanted = [*project["project"].get("dependencies", []), *project.get("dependency-groups", {}).get("dev", [])]
    return [Requirement(text) for text in wanted]


def list_faults(project_text: str, lock_text: str) -> list[str]:
    """Return what keeps the lock from standing for the project, one sentence a fault."""
    faults: list[str] = []
    locked: dict[str, set[str]] = {}
    for number, line in enumerate(lock_text.splitlines(), start=1):
        found = LINE.match(line)
        if found is None:
            faults.append(f"requirements.lock:{number}: {line!r} is not name==version; a lock holds nothing else")
            continue
        locked.setdefault(canonicalize_name(found["name"]), set()).add(found["version"])
    for requirement in list_wanted(project_text):
        versions = locked.get(canonicalize_name(requirement.name), set())
        if not versions:
            faults.append(f"{requirement} is not in requirements.lock; run: make lock")
        faults.extend(
            f"requirements.lock has {requirement.name}=={version}, pyproject.toml wants {requirement}; run: make lock"
            for version in sorted(versions)
            if not requirement.specifier.contains(version, prereleases=True)
        )
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every fault; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path())
    root = parser.parse_args(arguments).root
    faults = list_faults((root / "pyproject.toml").read_text(), (root / "requirements.lock").read_text())
    for fault in faults:
        print(fault)
    print(f"lock in step: {len(faults)} faults" if faults else "lock in step: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
