"""What identifies a run of this book: its leg and window, its inputs, its settings, and the code of the book."""

from __future__ import annotations

import duckdb

from tieout import __version__
from tieout.books.ads.pieces import BOOK
from tieout.engine.identity import code_digest
from tieout.store.runs import RunInput, RunRequest, Window


def run_request(leg: str, window: str, inputs: tuple[RunInput, ...], config: str) -> RunRequest:
    """Return the request for a run of this book; `config` is TOML."""
    return RunRequest(
        Window(BOOK, leg, window), inputs, config, __version__, code_digest(BOOK), {"duckdb": duckdb.__version__}
    )
