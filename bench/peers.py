"""Environments of the peers, whose pins do not fit beside ours: one for each lock `requirements-NAME.txt`."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / ".venvs"


def lock_of(name: str) -> Path:
    return HERE / f"requirements-{name}.txt"


def python_of(name: str) -> str:
    return str(FOLDER / name / "bin/python")


def make(name: str) -> None:
    """Make a peer's environment from its lock, unless it is there."""
    venv, lock = FOLDER / name, lock_of(name)
    stamp = venv / ".ready"
    if stamp.is_file() and stamp.read_text() == lock.read_text():
        return
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", venv / "bin/python"]
    subprocess.run([*install, "--no-deps", "-r", lock], check=True)
    stamp.write_text(lock.read_text())


def versions_of(name: str) -> dict[str, str]:
    """Return the versions in a peer's lock by package."""
    lines = (line.partition("==") for line in lock_of(name).read_text().splitlines())
    return {package.strip(): number.split(" ")[0] for package, mark, number in lines if mark}
