"""What a file that repeats rows of earlier files adds to them: a file of its own, with the new rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from tieout.engine.loading import ColumnGone, as_text, source_types
from tieout.intake.reading import Direct
from tieout.intake.records import Records
from tieout.store.trees import call, column, named, sql_of, string

_KEY, _PLACE, _NTH, _COPIES = "__key", "__place", "__nth", "__copies"


def write_new_rows(
    con: duckdb.DuckDBPyConnection,
    former: Sequence[Direct | Records],
    added: Direct | Records,
    columns: Sequence[str],
    path: Path,
) -> None:
    """Write the rows of `added` that `former` does not have, as text and in file order, to a Parquet file.

    Rows are the same when all `columns` are, letter by letter; of equal rows as many are new as there are more of them
    than before. The same files give the same bytes. Raises ColumnGone.
    """
    types = source_types(con, added)
    gone = next((name for name in columns if name not in types), None)
    if gone is not None:
        raise ColumnGone(
            f"The plan names column {gone!r}, which the new file does not have.",
            subject=gone,
            remedy=f"It has: {', '.join(types)}. Give the file that the plan was made for.",
        )
    before: exp.Expr = _keys(con, former[0], columns)
    for source in former[1:]:
        before = exp.Union(this=before, expression=_keys(con, source, columns), distinct=False)
    con.execute(f"create or replace temp table arriving as {sql_of(_arriving(con, added, columns))}")
    con.execute(f"""
        create or replace temp table known as
        select {_KEY}, count(*) as {_COPIES} from ({sql_of(before)}) semi join arriving using ({_KEY}) group by all
    """)
    own = ", ".join(sql_of(column(name)) for name in columns)
    place = str(path).replace("'", "''")
    con.execute(f"""
        copy (
          select {own}
          from (select *, row_number() over (partition by {_KEY} order by {_PLACE}) as {_NTH} from arriving)
          left join known using ({_KEY})
          where {_NTH} > coalesce({_COPIES}, 0)
          order by {_PLACE}
        ) to '{place}' (format parquet)
    """)


def _key(columns: Sequence[str]) -> exp.Expr:
    cells = [call("coalesce", call("to_json", column(name)), string("null")) for name in columns]
    return named(call("concat_ws", string(","), *cells), _KEY)


def _keys(con: duckdb.DuckDBPyConnection, source: Direct | Records, columns: Sequence[str]) -> exp.Select:
    return exp.select(_key(columns)).from_(as_text(con, source, columns).subquery("f"))


def _arriving(con: duckdb.DuckDBPyConnection, source: Direct | Records, columns: Sequence[str]) -> exp.Select:
    number = exp.alias_(exp.Window(this=exp.func("row_number")), _PLACE)
    cells = [column(name) for name in columns]
    return exp.select(*cells, _key(columns), number).from_(as_text(con, source, columns).subquery("f"))
