"""From received statement files to one relation of cells as text, each file by the layout that it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from tieout.books.ads.layout import CELLS, Fit, best_fit, plain
from tieout.core.errors import TieoutError
from tieout.engine.loading import FILE_ROW_NUMBER, NOT_PLAIN, source_relation, source_types
from tieout.engine.projection import as_received
from tieout.intake.csv_bare_row import assert_no_bare_row
from tieout.intake.csv_careful import locate_rows, read_csv_carefully
from tieout.intake.formats import NoTableFound
from tieout.intake.reading import Direct, ReadOptions, read
from tieout.intake.records import LINE, ROW_NO, Records
from tieout.intake.records_file import too_many_rows
from tieout.intake.text_encoding import chunks_of
from tieout.store.artifacts import Artifact
from tieout.store.trees import call, cast, column, integer, is_present, named, sql_of, string

EXIT_SCHEMA_DRIFT = 30
_BLANKS = " \t\r\n\u00a0\u2009\u202f"
_MOST_LISTED = 40


class SchemaDrift(TieoutError):
    """The header of a statement is not that of any layout of its network; nothing was loaded."""

    code = "schema_drift"
    http_status = 422
    exit_code = EXIT_SCHEMA_DRIFT

    def __init__(self, name: str, fit: Fit, row_count: int) -> None:
        super().__init__(
            f"{name} does not fit the layout {fit.layout.name!r}: {told_drift(fit)}. Nothing was loaded.",
            subject=name,
            remedy="Check that it is the right file and network; a column that the file does not have can be given for "
            "all rows with --set, a header that changed belongs into the layout.",
        )
        self.fit = fit
        self.row_count = row_count


class ReportIncomplete(TieoutError):
    """A report counts its rows itself, and has another number of them; nothing was loaded."""

    code = "report_incomplete"
    http_status = 422


@dataclass(frozen=True)
class StatementFile:
    """A file of a load: what was received, how it is read, and how it fits its layout."""

    artifact: Artifact
    source: Direct | Records
    fit: Fit


def told_drift(fit: Fit) -> str:
    """Return the difference between a file's header and its layout in words."""
    parts = []
    if fit.missing:
        spelt = [f"{cell} ({', '.join(fit.layout.names_of(cell))})" for cell in fit.missing]
        parts.append(f"missing {'; '.join(spelt)}")
    if fit.unknown:
        parts.append(f"unknown {', '.join(map(repr, fit.unknown[:_MOST_LISTED]))}")
    parts += [f"{cell} could be any of {', '.join(map(repr, found))}" for cell, found in fit.doubtful.items()]
    return "; ".join(parts)


def read_statement(
    artifact: Artifact, network: str, given: Mapping[str, str], folder: Path, options: ReadOptions
) -> StatementFile:
    """Read a received file and find the layout that it fits. Raises what the readers raise, and SchemaDrift.

    A file in whose rows the readers found another header than its first line is held against that one too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tries = [options]
    if options.csv.header_line is None:
        tries.append(replace(options, csv=replace(options.csv, header_line=1)))
    found: StatementFile | None = None
    for position, one in enumerate(tries):
        try:
            source = read(artifact.path, artifact.name, folder / str(position), options=one)
        except NoTableFound:
            if one is tries[-1]:
                raise
            continue
        fit = best_fit(network, source.columns, given)
        if found is None or fit.distance < found.fit.distance:
            found = StatementFile(artifact, source, fit)
        is_text = isinstance(source, Direct) and source.format == "csv"
        if not found.fit.is_drifted or not is_text:
            break
    if found is None:
        raise NoTableFound(f"{artifact.name} holds no table.", subject=artifact.name)
    if found.fit.is_drifted:
        raise SchemaDrift(artifact.name, found.fit, _row_count(found.source))
    return found


def _row_count(source: Direct | Records) -> int:
    """Return how many rows there are; in a file that only reading would tell of, the lines after the first."""
    if source.row_count is not None:
        return source.row_count
    with source.path.open("rb") as file:
        return max(0, sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1)


def stage_statements(
    con: duckdb.DuckDBPyConnection, files: Sequence[StatementFile], scratch: Path, max_rows: int
) -> tuple[StatementFile, ...]:
    """Make `received_file`, `received_row` and `reader_refusal` of the files; return them as they were read.

    Raises ReportIncomplete, and TooManyRows for a file with more than `max_rows`: the engine counts them in a tenth of
    the time that it takes to count them while reading.
    """
    con.execute("create or replace table received_file (file_no integer, artifact_id varchar, name varchar)")
    con.execute(
        'create or replace table reader_refusal (file_no integer, row_no bigint, line bigint, "column" varchar,'
        " reason_code varchar, reason varchar, raw varchar)"
    )
    staged = []
    for number, file in enumerate(files, start=1):
        con.execute(
            "insert into received_file values (?, ?, ?)", [number, file.artifact.artifact_id, file.artifact.name]
        )
        staged.append(_stage_file(con, number, file, scratch))
        query = (
            "select (select count(*) from received_row where file_no = $number)"
            " + (select count(*) from reader_refusal where file_no = $number)"
        )
        if con.execute(query, {"number": number}).fetchall()[0][0] > max_rows:
            raise too_many_rows(file.artifact.name, max_rows)
    return tuple(staged)


def _stage_file(con: duckdb.DuckDBPyConnection, number: int, file: StatementFile, scratch: Path) -> StatementFile:
    try:
        _add_rows(con, number, file)
    except NOT_PLAIN:
        # A CSV that looked plain was not: the careful way takes what can be taken and says what cannot.
        if not isinstance(file.source, Direct) or file.source.dialect is None:
            raise
        folder = scratch / f"careful-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        careful = read_csv_carefully(file.source.path, file.source.dialect, folder, name=file.artifact.name)
        file = replace(file, source=careful)
        _add_rows(con, number, file)
    if isinstance(file.source, Records) and file.source.rejected is not None:
        con.execute(
            'insert into reader_refusal select ?, row_no, line, "column", reason_code, reason, raw'
            " from read_parquet(?)",
            [number, str(file.source.rejected)],
        )
    _check_row_count(con, file)
    return file


def _add_rows(con: duckdb.DuckDBPyConnection, number: int, file: StatementFile) -> None:
    source = file.source
    types = source_types(con, source)
    query = sql_of(_cells_query(number, file, types))
    if number == 1:
        con.execute(f"create or replace table received_row as {query}")
    else:
        con.execute(f"delete from received_row where file_no = {number}")
        con.execute(f"insert into received_row {query}")
    plain_rows = exp.select("*").from_("received_row").where(exp.EQ(this=column("file_no"), expression=integer(number)))
    assert_no_bare_row(con, plain_rows.subquery("r"), source, [cell for cell in CELLS if cell in file.fit.columns])


def _cells_query(number: int, file: StatementFile, types: Mapping[str, str]) -> exp.Select:
    layout, source = file.fit.layout, file.source
    row_no, line = _numbers(source)
    is_bare = _is_bare(source)
    cells = [named(_cell(cell, file, types, is_bare=is_bare), cell) for cell in CELLS]
    query = exp.select(
        named(cast(integer(number), "INTEGER"), "file_no"),
        named(row_no, "row_no"),
        named(line, "line"),
        named(string(layout.name), "layout"),
        named(exp.true() if "paid" in layout.micros else exp.false(), "is_paid_micros"),
        *cells,
    ).from_(source_relation(source))
    around = [name for name in types if plain(name).startswith(layout.around)] if layout.around else []
    if around:
        query = query.where(exp.not_(exp.or_(*[is_present(column(name)) for name in around])))
    return query


def _numbers(source: Direct | Records) -> tuple[exp.Expr, exp.Expr]:
    no_line = cast(exp.null(), "BIGINT")
    if isinstance(source, Records):
        return column(ROW_NO), column(LINE)
    if source.format == "parquet":
        return exp.Add(this=column(FILE_ROW_NUMBER), expression=exp.Literal.number(1)), no_line
    return exp.Window(this=exp.func("row_number")), no_line


def _cell(cell: str, file: StatementFile, types: Mapping[str, str], *, is_bare: bool) -> exp.Expr:
    fit = file.fit
    if cell in fit.columns:
        name = fit.columns[cell]
        return column(name) if is_bare else _stripped(name, types[name])
    if cell in fit.document:
        said = exp.select(call("max", column(fit.document[cell]))).from_(source_relation(file.source))
        return said.subquery()
    if cell in fit.constants:
        return string(fit.constants[cell])
    return cast(exp.null(), "VARCHAR")


def _stripped(name: str, source_type: str) -> exp.Expr:
    """Return the text of a column without blanks around it, null where nothing is left."""
    stripped = call("nullif", call("trim", as_received(name, source_type), string(_BLANKS)), string(""))
    return call("if_bare", column(name), stripped) if source_type == "VARCHAR" else stripped


def _is_bare(source: Direct | Records) -> bool:
    """Say whether the rows are a CSV's without any blank or quote, and ASCII: then no cell has blanks around it.

    To look for them takes a tenth of the time that it takes to look at the ends of each cell.
    """
    if isinstance(source, Records) or source.dialect is None or source.dialect.newline == "\r":
        return False
    dialect = source.dialect
    signs = {" ", "\t", dialect.quote} - {"", dialect.delimiter}
    with source.path.open("rb") as file:
        for _ in range(dialect.skip_lines):
            file.readline()
        first_row = file.tell()
    return all(
        chunk.isascii() and not any(sign.encode() in chunk for sign in signs)
        for chunk in chunks_of(source.path, first_row)
    )


def _check_row_count(con: duckdb.DuckDBPyConnection, file: StatementFile) -> None:
    """Hold the number of rows against the one that the file says. Raises ReportIncomplete."""
    layout = file.fit.layout
    if not layout.row_count:
        return
    counter = next(name for name in file.source.columns if plain(name) == layout.row_count)
    around = [name for name in file.source.columns if plain(name).startswith(layout.around)]
    is_row = exp.not_(exp.or_(*[is_present(column(name)) for name in around]))
    rows = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=is_row))
    query = exp.select(rows, call("max", column(counter))).from_(source_relation(file.source))
    found, said = con.sql(sql_of(query)).fetchall()[0]
    if said is None or not said.isascii() or not said.isdecimal() or int(said) != found:
        raise ReportIncomplete(
            f"{file.artifact.name} has {found:,} rows and says itself that there are {said}. Nothing was loaded.",
            subject=file.artifact.name,
            remedy="Ask for the report again, without a limit on its rows.",
        )


LOCATED = pa.schema([("file_no", pa.int32()), ("row_no", pa.int64()), ("line", pa.int64()), ("raw", pa.string())])


def locate_refused(con: duckdb.DuckDBPyConnection, files: Sequence[StatementFile]) -> None:
    """Make `located_row`: line and text of each refused row, which the fast way of reading does not keep."""
    parts = []
    for number, file in enumerate(files, start=1):
        asked = con.execute("select row_no from refused_row where file_no = ? order by row_no", [number])
        row_nos = [row_no for (row_no,) in asked.fetchall()]
        if row_nos:
            parts.append(_located(con, number, file, row_nos))
    located = pa.concat_tables(parts) if parts else LOCATED.empty_table()
    con.register("located", located)
    con.execute("create or replace table located_row as from located")
    con.unregister("located")


def _located(con: duckdb.DuckDBPyConnection, number: int, file: StatementFile, row_nos: list[int]) -> pa.Table:
    source = file.source
    if isinstance(source, Direct) and source.dialect is not None:
        found = locate_rows(source.path, source.dialect, row_nos)
        places = [found.get(row_no, (None, "")) for row_no in row_nos]
        columns = [[number] * len(row_nos), row_nos, [line for line, _ in places], [raw for _, raw in places]]
        return pa.table(dict(zip(LOCATED.names, columns, strict=True)), schema=LOCATED)
    row_no, line = _numbers(source)
    names = [name for name in source.columns if name not in (ROW_NO, LINE, FILE_ROW_NUMBER)]
    types = source_types(con, source)
    raw = call("concat_ws", string(" | "), *[as_received(name, types[name]) for name in names])
    cells = exp.select(
        named(row_no, "row_no"), named(line, "line"), named(call("left", raw, integer(1000)), "raw")
    ).from_(source_relation(source))
    con.execute(f"create or replace temp view source_text as {sql_of(cells)}")
    query = (
        "select r.file_no, r.row_no, t.line, t.raw from refused_row r join source_text t using (row_no)"
        f" where r.file_no = {number} order by r.row_no"
    )
    return con.sql(query).to_arrow_table().cast(LOCATED)
