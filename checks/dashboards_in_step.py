"""ops/grafana holds the dashboards that its boards make, and no other."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.grafana.dashboards import FOLDER, build_all


def list_faults(folder: Path = FOLDER) -> list[str]:
    """Return every file that is missing, says something else, or is no board's."""
    wanted = build_all()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    faults = [f"{folder / name} is missing; run: make dashboards" for name in sorted(wanted.keys() - found.keys())]
    faults += [f"{folder / name} is no board's" for name in sorted(found.keys() - wanted.keys())]
    changed = [name for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]]
    return [*faults, *(f"{folder / name} is not what its board says; run: make dashboards" for name in changed)]


def main() -> int:
    """Print every fault; return 1 if there is one."""
    faults = list_faults()
    for fault in faults:
        print(fault)
    print(f"dashboards in step: {len(faults)} faults" if faults else "dashboards in step: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
