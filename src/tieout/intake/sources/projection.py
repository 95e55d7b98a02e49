"""Projections over the columns of a user's file: expression trees, for the names are known only at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.intake.csv_dialect import duckdb_arguments
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Records
from tieout.store.trees import call, cast, column, named, string

CONTENT = "__content"
KEY = "__key"
LOAD = "__load"
DAY = "__day"
OCCURRENCE = "__occurrence"
REASON = "__reason"
BY = "__by"
POSITION = "file_row_number"
RESERVED = frozenset({ROW_NO, LINE, CONTENT, KEY, LOAD, DAY, OCCURRENCE, REASON, BY, POSITION})

WHITE_SPACE = " \t\r\n\u00a0\ufeff"


class ReservedColumn(TieoutError):
    """A column of a file has a name that every stored row needs."""

    code = "reserved_column"


def struct(fields: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return a STRUCT with quoted names."""
    pairs = [exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=fields[name]) for name in fields]
    return exp.Struct(expressions=pairs)


def same_name(name: str) -> str:
    """Return what two spellings of one column have in common; DuckDB tells names apart just so."""
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in name)


def parquet(paths: Sequence[Path], *, is_numbered: bool = False) -> exp.Expr:
    """Return the table function that reads Parquet files as one relation; a column that a file lacks is null."""
    options: dict[str, object] = {"union_by_name": True}
    if is_numbered:
        options[POSITION] = True
    return _read("read_parquet", exp.Array(expressions=[string(str(path)) for path in paths]), options)


def file_relation(source: Direct | Records) -> exp.Expr:
    """Return the table function that reads a file as it was received."""
    if isinstance(source, Records):
        return _read("read_parquet", string(str(source.rows)), {})
    if source.dialect is None:
        return _read("read_parquet", string(str(source.path)), {})
    return _read("read_csv", string(str(source.path)), duckdb_arguments(source.dialect))


def _read(function: str, path: exp.Expr, options: dict[str, object]) -> exp.Expr:
    pairs = [exp.EQ(this=exp.column(name), expression=_option(value)) for name, value in options.items()]
    return exp.Anonymous(this=function, expressions=[path, *pairs])


def _option(value: object) -> exp.Expr:
    if isinstance(value, dict):
        return struct({name: string(kind) for name, kind in value.items()})
    return exp.convert(value)


def check_columns(columns: Sequence[str], file: str) -> None:
    """Raise ReservedColumn where a file has a column that could not be told from ours."""
    taken = [name for name in columns if same_name(name) in RESERVED]
    if taken:
        raise ReservedColumn(
            f"{file} has a column {taken[0]!r}, which is a name that stored rows need.",
            subject=taken[0],
            remedy="Rename it in the file.",
        )


def cells_query(
    source: Direct | Records, types: dict[str, str], spelling: dict[str, str], key: Sequence[str]
) -> exp.Select:
    """Return the query of a file's cells as text, trimmed, empty ones null, with the digests of content and key.

    `spelling` maps the file's columns to the names that the source has for them.
    """
    numbers = [column(ROW_NO), column(LINE)] if isinstance(source, Records) else []
    cells = [named(_cell(column(name), types[name]), spelling[name]) for name in spelling]
    inner = exp.select(*[number.copy() for number in numbers], *cells).from_(file_relation(source))
    names = list(spelling.values())
    return exp.select(
        *numbers,
        *[column(name) for name in names],
        named(_digest(names), CONTENT),
        named(_key_digest(key), KEY),
    ).from_(inner.subquery("cell"))


def _cell(value: exp.Expr, source_type: str) -> exp.Expr:
    text = value
    if source_type in ("DOUBLE", "FLOAT"):
        whole = exp.TryCast(this=value.copy(), to=exp.DataType.build("HUGEINT", dialect="duckdb"))
        is_whole = exp.EQ(this=call("trunc", value.copy()), expression=value.copy())
        text = exp.Case().when(is_whole, call("coalesce", cast(whole, "VARCHAR"), cast(value.copy(), "VARCHAR")))
        text = text.else_(cast(value.copy(), "VARCHAR"))
    elif source_type != "VARCHAR":
        text = cast(value, "VARCHAR")
    return call("nullif", call("trim", text, string(WHITE_SPACE)), string(""))


def _digest(names: Sequence[str]) -> exp.Expr:
    """Return the SHA-256 of the cells that are not empty, each with its name, in order of name.

    Neither the order of the columns nor an empty one changes it. Lengths stand before names and values, so that no two
    rows run together.
    """
    parts: list[exp.Expr] = []
    for name in sorted(names, key=same_name):
        label = same_name(name)
        size = cast(call("strlen", column(name)), "VARCHAR")
        start = string(f"{len(label.encode())}:{label}")
        cell = exp.DPipe(
            this=exp.DPipe(this=exp.DPipe(this=start, expression=size), expression=string(":")), expression=column(name)
        )
        parts.append(call("coalesce", cell, string("")))
    return call("unhex", call("sha256", call("concat", *parts)))


def _key_digest(key: Sequence[str]) -> exp.Expr:
    """Return the SHA-256 of the key's cells; null where all of them are empty, or there is no key."""
    if not key:
        return cast(exp.null(), "BLOB")
    is_there = exp.or_(*[exp.Not(this=exp.Is(this=column(name), expression=exp.null())) for name in key])
    return exp.Case().when(is_there, _digest(key))
