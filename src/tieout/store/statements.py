"""SQL texts that a process parses once and executes often, on any connection: each takes about a millisecond."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

import duckdb

MOST_KEPT = 1024
"""How many texts are kept parsed, those used last; the engine has some three hundred of its own."""

_kept: OrderedDict[str, list[duckdb.Statement]] = OrderedDict()
_lock = Lock()


def parse(con: duckdb.DuckDBPyConnection, text: str) -> list[duckdb.Statement]:
    """Return the statements of a text; `con` only lends its parser. Raises duckdb.ParserException."""
    with _lock:
        if text in _kept:
            _kept.move_to_end(text)
            return _kept[text]
    statements = con.extract_statements(text)
    with _lock:
        _kept[text] = statements
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return statements


def execute(
    con: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute a text that will be executed again, as `con.execute` does; the result is that of its last statement."""
    for statement in parse(con, text):
        con.execute(statement, values)
    return con
