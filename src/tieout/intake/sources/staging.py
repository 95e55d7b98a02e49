"""From one file to rows that can be held against a source: its cells as text, the identity and the day of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from tieout.core.errors import TieoutError
from tieout.intake.csv_bare_row import assert_no_bare_row
from tieout.intake.csv_careful import locate_rows, read_csv_carefully
from tieout.intake.reading import Direct, Limits, ReadOptions, read
from tieout.intake.records import LINE, REJECTED_SCHEMA, ROW_NO, Records
from tieout.intake.sources.days import (
    DayColumn,
    DayWish,
    SourceColumnMissing,
    day_expression,
    find_days,
    text_expression,
)
from tieout.intake.sources.projection import (
    CONTENT,
    KEY,
    POSITION,
    cells_query,
    check_columns,
    file_relation,
    parquet,
    same_name,
)
from tieout.intake.sources.steps import Steps, failures_told, write_parquet
from tieout.store.trees import call, cast, column, named, sql_of, string

_STAGED = "staged.parquet"
_LOCATED_SCHEMA = pa.schema([("row_no", pa.int64()), ("line", pa.int64()), ("raw", pa.string())])


class HeaderDiffers(TieoutError):
    """A file has no column in common with the source that it is to be loaded into."""

    code = "header_differs"
    http_status = 422


@dataclass(frozen=True)
class FileGiven:
    """A file to load: where its bytes are, its name, how it is to be read, and where to put what that makes."""

    path: Path
    name: str
    options: ReadOptions
    limits: Limits
    scratch: Path


@dataclass(frozen=True)
class Settled:
    """What earlier loads of a source settled: its columns in order, the key, and the column of days.

    `has_rows` tells that rows are there, so that a missing `day` means that the rows have none.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    day: DayColumn | None
    has_rows: bool


@dataclass(frozen=True)
class Staged:
    """A file under DuckDB, as the relations `staged_row`, `staged_cell`, `read_rejected` and `refused_text`.

    `columns` are spelt as the source spells them; `rows` counts what the reader took, `refused` those of them that
    loading refused, `rejected` what the reader refused.
    """

    columns: tuple[str, ...]
    new_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    day: DayColumn | None
    rows: int
    refused: int
    rejected: int
    notes: tuple[str, ...]


def stage(steps: Steps, given: FileGiven, settled: Settled, key: Sequence[str], wish: DayWish) -> Staged:
    """Read a file and bring it under DuckDB; memory stays bounded, for the cells go to a Parquet file.

    Raises what the readers raise, HeaderDiffers, SourceColumnMissing, ReservedColumn, and what `find_days` raises.
    """
    con = steps.con
    steps.on_step("read")
    source = read(given.path, given.name, given.scratch / "read", limits=given.limits, options=given.options)
    try:
        source, spelling = _write_cells(steps, source, given, settled, key)
        assert_no_bare_row(steps.con, parquet([given.scratch / _STAGED]), source, list(spelling.values()))
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        # A CSV that looked plain was not: the careful way takes what can be taken and says what cannot.
        if not isinstance(source, Direct) or source.dialect is None:
            raise
        steps.on_step("read carefully")
        source = read_csv_carefully(source.path, source.dialect, given.scratch / "read", name=given.name)
        source, spelling = _write_cells(steps, source, given, settled, key)
    columns = tuple(spelling.values())
    _view_cells(con, given.scratch / _STAGED, source, columns)
    steps.on_step("find days")
    steps.define_macros()
    day = find_days(steps, columns, _in_spelling(wish, columns), given.name)
    _view_rows(con, day, has_key=bool(key))
    _view_rejected(con, source)
    rows = int(con.sql("select count(*) from staged_row").fetchall()[0][0])
    refused = steps.run("refused_row")
    _view_refused(con, source, day)
    new = tuple(name for name in columns if settled.columns and name not in settled.columns)
    missing = tuple(name for name in settled.columns if name not in columns)
    rejected = source.rejected_count if isinstance(source, Records) else 0
    return Staged(columns, new, missing, day, rows, refused, rejected, _notes(source))


def _write_cells(
    steps: Steps, source: Direct | Records, given: FileGiven, settled: Settled, key: Sequence[str]
) -> tuple[Direct | Records, dict[str, str]]:
    relation = steps.con.sql(sql_of(exp.select("*").from_(file_relation(source)).limit(0)))
    types = dict(zip(relation.columns, [str(kind) for kind in relation.types], strict=True))
    if isinstance(source, Records):
        types = {name: kind for name, kind in types.items() if name not in (ROW_NO, LINE)}
    check_columns(list(types), given.name)
    spelling = _spelling(list(types), settled.columns, given.name)
    key_columns = [_named_column(name, list(spelling.values()), given.name) for name in key]
    steps.on_step("take rows")
    with failures_told("staged_cell"):
        write_parquet(
            steps.con,
            sql_of(cells_query(source, types, spelling, key_columns)),
            given.scratch / _STAGED,
            is_scratch=True,
        )
    return source, spelling


def _spelling(columns: Sequence[str], known: Sequence[str], file: str) -> dict[str, str]:
    """Return the source's spelling of each column of the file. Raises HeaderDiffers where they share none."""
    known_by_name = {same_name(name): name for name in known}
    spelling = {name: known_by_name.get(same_name(name), name) for name in columns}
    if known and not any(name in known for name in spelling.values()):
        raise HeaderDiffers(
            f"{file} has no column in common with the source. The source has {_listed(known)}; the file has "
            f"{_listed(columns)}.",
            subject=file,
            remedy="Load it into a source of its own, or check that it is the right file.",
        )
    return spelling


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _named_column(name: str, columns: Sequence[str], file: str) -> str:
    found = next((own for own in columns if same_name(own) == same_name(name)), None)
    if found is None:
        raise SourceColumnMissing(
            f"{file} has no column {name!r}, which identifies a row.",
            subject=name,
            remedy=f"It has: {', '.join(columns)}.",
        )
    return found


def _in_spelling(wish: DayWish, columns: Sequence[str]) -> DayWish:
    if wish.column is None:
        return wish
    found = next((own for own in columns if same_name(own) == same_name(wish.column)), wish.column)
    return DayWish(found, wish.format, wish.settled)


def _view_cells(con: duckdb.DuckDBPyConnection, path: Path, source: Direct | Records, columns: Sequence[str]) -> None:
    """Make `staged_cell`: number and line of each row, then its cells; and `staged_digest` beside it."""
    if isinstance(source, Records):
        number: exp.Expr = column(ROW_NO)
        line: exp.Expr = column(LINE)
    else:
        number = exp.Add(this=column(POSITION), expression=exp.Literal.number(1))
        line = cast(exp.null(), "BIGINT")
    numbers = [named(number, ROW_NO), named(line, LINE)]
    relation = parquet([path], is_numbered=not isinstance(source, Records))
    for name, own in (("staged_cell", columns), ("staged_digest", (*columns, CONTENT, KEY))):
        query = exp.select(*[number.copy() for number in numbers], *[column(one) for one in own]).from_(relation.copy())
        con.execute(f"create or replace view {name} as {sql_of(query)}")


def _view_rows(con: duckdb.DuckDBPyConnection, day: DayColumn | None, *, has_key: bool) -> None:
    """Make `staged_row`: identity, day, and why a row is refused (null where it is taken).

    Days are parsed once for each text that says one (`said_day`), for they repeat.
    """
    text = cast(exp.null(), "VARCHAR") if day is None else text_expression(column(day.name), day.format)
    digests = exp.select(ROW_NO, LINE, CONTENT, KEY, named(text, "text")).from_("staged_digest").subquery("d")
    texts = exp.select("text").distinct().from_(exp.select(named(text.copy(), "text")).from_("staged_cell").subquery())
    parsed = cast(exp.null(), "DATE") if day is None else day_expression(exp.column("text"), day.format)
    said_day = exp.select("text", named(parsed, "day")).from_(texts.subquery("t")).where("text is not null")
    con.execute(f"create or replace table said_day as {sql_of(said_day)}")
    refusal = exp.Case()
    if has_key:
        refusal = refusal.when(exp.Is(this=column(KEY, "d"), expression=exp.null()), string("no_key"))
    is_bad = exp.condition("d.text is not null and s.day is null")
    query = (
        exp.select(
            named(column(ROW_NO, "d"), "row_no"),
            named(column(LINE, "d"), "line"),
            named(column(CONTENT, "d"), "content"),
            named(column(KEY, "d"), "key"),
            named(column("day", "s"), "day"),
            named(refusal.when(is_bad, string("bad_date")), "refusal"),
        )
        .from_(digests)
        .join(exp.alias_(exp.to_table("said_day"), "s", table=True), on="s.text = d.text", join_type="left")
    )
    con.execute(f"create or replace view staged_row as {sql_of(query)}")


def _view_rejected(con: duckdb.DuckDBPyConnection, source: Direct | Records) -> None:
    """Make `read_rejected`: what the reader refused."""
    if isinstance(source, Records) and source.rejected is not None:
        rejected = exp.select("*").from_(parquet([source.rejected]))
        con.execute(f"create or replace view read_rejected as {sql_of(rejected)}")
    else:
        con.register("read_rejected", REJECTED_SCHEMA.empty_table())


def _view_refused(con: duckdb.DuckDBPyConnection, source: Direct | Records, day: DayColumn | None) -> None:
    """Make `refused_text`: where the rows that loading refused stand in the file, and what they say."""
    located = _LOCATED_SCHEMA.empty_table()
    if isinstance(source, Direct) and source.dialect is not None:
        numbers = [number for (number,) in con.sql("select row_no from refused_row order by row_no").fetchall()]
        if numbers:
            found = sorted(locate_rows(source.path, source.dialect, numbers).items())
            arrays = [[n for n, _ in found], [line for _, (line, _) in found], [raw for _, (_, raw) in found]]
            located = pa.table(
                [pa.array(values, field.type) for values, field in zip(arrays, _LOCATED_SCHEMA, strict=True)],
                schema=_LOCATED_SCHEMA,
            )
    con.register("located", located)
    said = cast(exp.null(), "VARCHAR") if day is None else column(day.name, "s")
    query = (
        exp.select(
            named(column(ROW_NO, "s"), "row_no"),
            named(column("line", "l"), "line"),
            named(call("coalesce", column("raw", "l"), cast(call("to_json", exp.column("s")), "VARCHAR")), "raw"),
            named(said, "day_text"),
        )
        .from_(exp.alias_(exp.to_table("staged_cell"), "s", table=True))
        .join(
            exp.alias_(exp.to_table("refused_row"), "r", table=True),
            on=exp.EQ(this=column("row_no", "r"), expression=column(ROW_NO, "s")),
        )
        .join(
            exp.alias_(exp.to_table("located"), "l", table=True),
            on=exp.EQ(this=column("row_no", "l"), expression=column(ROW_NO, "s")),
            join_type="left",
        )
    )
    con.execute(f"create or replace table refused_text as {sql_of(query)}")


def _notes(source: Direct | Records) -> tuple[str, ...]:
    failed = [check.message for check in source.checks if not check.is_ok] if isinstance(source, Records) else []
    return (*source.notes, *failed)
