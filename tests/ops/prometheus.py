"""promtool, and what expressions and pages name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "ops/prometheus/vra-alerts.yml"
FUNCTIONS = {"histogram_quantile", "increase", "last_over_time", "max", "min", "rate", "sum"}


def promtool(*arguments: object) -> str:
    """Run it; fail with what it says if it does not succeed."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: install the package prometheus")
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, cwd=RULES.parent
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_expressions(expressions: list[str], folder: Path) -> None:
    """Let promtool parse expressions."""
    rules = [{"record": f"expression:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = folder / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that an expression asks for, as they are declared: buckets under their histogram's name."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|offset) *(?:\([^)]*\)|\w+)", " ", expression)
    names = set(re.findall(r"[a-z_]\w+", bare)) - FUNCTIONS
    return {re.sub(r"_(?:bucket|count|sum)$", "", name) for name in names}


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made where Markdown is shown: by its words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alerts() -> list[dict]:
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert group["name"] == "vra-alerts"
    return group["rules"]
