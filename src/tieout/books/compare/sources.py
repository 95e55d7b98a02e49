"""Back to the received files: where a row stands, and the rows of a run as relations for SQL."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from tieout.books.compare.receiving import Received, open_sides
from tieout.books.workspace import Workspace
from tieout.engine.loading import part_starts, source_relation, source_types
from tieout.intake.csv_careful import locate_rows
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Records
from tieout.store.runs import Run
from tieout.store.trees import column, sql_of


def locate_source_rows(
    workspace: Workspace, run: Run, wanted: Mapping[str, Sequence[int]]
) -> dict[str, list[dict[str, Any]]]:
    """Return for each side the rows asked for: file, row, physical line (None where there is none) and raw text."""
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="tieout-explain-") as folder:
        sides = open_sides(workspace, run, Path(folder))
        for side, given in sides.items():
            found[side] = _rows_of(given, list(wanted.get(side, ())))
    return found


def _rows_of(given: Received, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows asked for: `row` counts through all files of the side, `file_row` in the row's own file."""
    if not numbers:
        return []
    starts = [0]
    if given.more:
        con = duckdb.connect()
        starts = part_starts(con, [part.source for part in given.parts])
        con.close()
    found: list[dict[str, Any]] = []
    for part, start, end in zip(given.parts, starts, [*starts[1:], None], strict=True):
        own = [number - start for number in numbers if number > start and (end is None or number <= end)]
        places = _places(part.source, own) if own else {}
        for number in own:
            line, raw = places.get(number, (None, ""))
            found.append({"file": part.name, "row": number + start, "file_row": number, "line": line, "raw": raw})
    return found


def _places(source: Direct | Records, numbers: list[int]) -> dict[int, tuple[int | None, str]]:
    if isinstance(source, Direct) and source.dialect is not None:
        return dict(locate_rows(source.path, source.dialect, numbers))
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    names = source_types(con, source)
    number: exp.Expr
    line: exp.Expr
    if isinstance(source, Records):
        number, line = column(ROW_NO), column(LINE)
    else:
        number = exp.Add(this=column("file_row_number"), expression=exp.Literal.number(1))
        line = exp.null()
    own = [exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=column(name)) for name in names]
    record = exp.Anonymous(this="to_json", expressions=[exp.Struct(expressions=own)])
    query = exp.select(exp.alias_(number, "n"), exp.alias_(line, "l"), exp.alias_(record, "s"))
    rows = con.execute(
        f"from ({sql_of(query.from_(source_relation(source)))}) where n in (select unnest(?::bigint[]))", [numbers]
    ).fetchall()
    con.close()
    return {row_no: (at_line, str(record)[:2000]) for row_no, at_line, record in rows}
