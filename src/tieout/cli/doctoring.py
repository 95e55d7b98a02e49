"""What `tieout doctor` prints."""

from __future__ import annotations

from datetime import UTC, datetime

from tieout.core.errors import EXIT_DIFFERENCES, EXIT_ERROR, EXIT_OK
from tieout.core.settings import Settings

_EXITS = {"ok": EXIT_OK, "warn": EXIT_DIFFERENCES, "fail": EXIT_ERROR}
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine(settings: Settings, *, as_json: bool) -> int:
    """Print every finding and return the exit code."""
    from tieout.cli.app import print_json  # noqa: PLC0415 - the app mounts this module's commands
    from tieout.control.examination import examine_installation  # noqa: PLC0415 - help answers without it

    findings = list(examine_installation(settings, lambda: datetime.now(UTC)))
    worst = max(_EXITS[finding.verdict] for finding in findings)
    if as_json:
        verdict = next(name for name, code in _EXITS.items() if code == worst)
        print_json({"verdict": verdict, "findings": [vars(finding) for finding in findings]})
        return worst
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    for finding in findings:
        line = Text(f"{finding.verdict:<5}", style=_STYLES[finding.verdict]) + Text(f"{finding.check}: {finding.says}")
        if finding.remedy:
            line += Text(f"\n     → {finding.remedy}")
        console.print(line, soft_wrap=True)
    return worst
