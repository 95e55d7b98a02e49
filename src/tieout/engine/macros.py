"""The macros that the engine's steps share, defined on a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import duckdb

from tieout.store.statements import execute

_MACRO = re.compile(r"^create or replace macro (\w+)\(.*?;$", re.MULTILINE | re.DOTALL)


@cache
def macro_texts() -> Mapping[str, str]:
    """Return the statement that defines each macro of the engine, in the order of the file."""
    return {found[1]: found[0] for found in _MACRO.finditer(_text("macros"))}


def add_macros(con: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Define the macros of every pass, all or those named: to define all takes as long as to read 40,000 lines."""
    texts = macro_texts()
    execute(con, "\n".join(texts[name] for name in names or texts))


def add_likeness_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros that the scored pass has beside those of every pass."""
    execute(con, _text("likeness_macros"))


@cache
def _text(name: str) -> str:
    return (files("tieout.engine") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
