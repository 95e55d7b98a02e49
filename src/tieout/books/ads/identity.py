"""Which code makes a run of this book: the engine's, and all that stands in its own folder."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import duckdb

from tieout import __version__
from tieout.engine.identity import code_digest
from tieout.store.runs import RunInput, RunRequest, Window

BOOK = "ads"
_KINDS = (".py", ".sql", ".toml", ".csv")


def run_request(leg: str, window: str, inputs: tuple[RunInput, ...], config: str) -> RunRequest:
    """Return the request for a run of this book; `config` is TOML."""
    return RunRequest(
        Window(BOOK, leg, window), inputs, config, __version__, ads_digest(), {"duckdb": duckdb.__version__}
    )


@cache
def ads_digest() -> str:
    """Return the SHA-256 of the sources that decide what a run of this book yields."""
    digest = hashlib.sha256(code_digest().encode())
    for name, file in sorted(_sources(files("tieout.books.ads"), "ads")):
        digest.update(f"\0{name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources(folder: Traversable, name: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(_KINDS):
            found.append((f"{name}/{entry.name}", entry))
    return found
