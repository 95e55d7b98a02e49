"""Which code makes a run: the same inputs, plan and code are the same run."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import duckdb

_ROOMS = ("core", "intake", "engine")


@cache
def code_digest(book: str = "") -> str:
    """Return the SHA-256 of the sources that decide a run's result, and of the engine's version.

    `book` is the folder of a book whose own steps and rules decide as well.
    """
    digest = hashlib.sha256(f"duckdb {duckdb.__version__}".encode())
    for room in (*_ROOMS, *([f"books/{book}"] if book else [])):
        for name, file in sorted(_sources(files("tieout") / room, room), key=lambda found: found[0]):
            digest.update(f"\0{name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith((".py", ".sql", ".toml", ".csv")):
            found.append((f"{name}/{entry.name}", entry))
    return found
