"""The facts as relations for SQL that a person types: recon_* over the runs on record, read only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tieout.books.compare import BOOK
from tieout.books.compare.receiving import Received, open_sides, read_carefully
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.engine.loading import FastReadFailed, SideName, part_starts, source_relation
from tieout.engine.plan_file import plan_from_toml
from tieout.engine.run import load_sides
from tieout.intake.records import LINE, ROW_NO, Records
from tieout.store.duck import connect, connect_read_only_facts
from tieout.store.runs import Run
from tieout.store.trees import column, sql_of

FACT_TABLES = ("recon_match", "recon_match_review", "recon_deltas", "recon_why_not")
ENTRY_TABLES = ("recon_statements_raw", "recon_statements_norm", "recon_expected")
TABLES = (*ENTRY_TABLES, *FACT_TABLES)


class QueryFailed(TieoutError):
    """A query that a person typed cannot be run."""

    code = "query_failed"


class NoRuns(TieoutError):
    """There is no run to query."""

    code = "no_runs"
    http_status = 404


@dataclass(frozen=True)
class Facts:
    """An open connection on which the recon_* tables that were asked for exist."""

    con: duckdb.DuckDBPyConnection
    tables: frozenset[str]

    def query(self, text: str) -> duckdb.DuckDBPyRelation | None:
        """Run one statement. Raises QueryFailed with the engine's own words."""
        try:
            return self.con.sql(text)
        except duckdb.Error as error:
            raise QueryFailed(str(error), subject=text, remedy=f"Tables: {', '.join(TABLES)}.") from None


def tables_in(text: str) -> frozenset[str]:
    """Return the recon_* tables that a query names; all of them when it cannot be parsed."""
    try:
        named = {
            table.name.lower()
            for tree in sqlglot.parse(text, dialect="duckdb")
            if tree
            for table in tree.find_all(exp.Table)
        }
    except SqlglotError:
        return frozenset(TABLES)
    return frozenset(named & set(TABLES))


@contextmanager
def open_facts(workspace: Workspace, tables: Iterable[str], *, run_prefix: str | None = None) -> Iterator[Facts]:
    """Open the facts of one run, or of the current run of each window. Raises NoRuns and RunUnknown."""
    wanted = frozenset(tables)
    chosen = _chosen_runs(workspace, run_prefix)
    with tempfile.TemporaryDirectory(prefix="sql-", dir=workspace.store.folders.incoming) as folder:
        scratch = Path(folder)
        files: dict[str, Sequence[Path]] = {}
        for table in sorted(wanted & set(ENTRY_TABLES)):
            files[f"{table}_file"] = [_entry_file(workspace, run, table, scratch) for run in chosen]
        for position, run in enumerate(chosen):
            files[f"match_{position}"] = [workspace.store.runs.file_path(run, "match")]
            files[f"delta_{position}"] = [workspace.store.runs.file_path(run, "delta")]
            files[f"why_not_{position}"] = [workspace.store.runs.file_path(run, "why_not")]
        con = connect_read_only_facts(workspace.settings, files, scratch / "work")
        try:
            _make_views(con, chosen, wanted)
            yield Facts(con, wanted)
        finally:
            con.close()


def _chosen_runs(workspace: Workspace, prefix: str | None) -> list[Run]:
    runs = workspace.store.runs
    if prefix is not None:
        return [runs.find_run(prefix, book=BOOK)]
    current = (runs.current_run(window) for window in runs.list_windows() if window.book == BOOK)
    chosen = [run for run in current if run is not None and run.files_dropped_at is None]
    if not chosen:
        raise NoRuns("There is no run to query yet.", remedy="`tieout compare OURS THEIRS` makes one.")
    return chosen


def _make_views(con: duckdb.DuckDBPyConnection, chosen: Sequence[Run], wanted: frozenset[str]) -> None:
    for fact in ("match", "delta", "why_not"):
        parts = [
            exp.select(exp.alias_(exp.Literal.string(run.run_id), "run_id"), "*").from_(f"{fact}_{position}")
            for position, run in enumerate(chosen)
        ]
        tree: exp.Expr = parts[0]
        for part in parts[1:]:
            tree = exp.Union(this=tree, expression=part, distinct=False)
        con.execute(f"create view every_{fact} as {sql_of(tree)}")
    con.execute("create view recon_match as select * from every_match where outcome = 'auto'")
    con.execute("create view recon_match_review as select * from every_match where outcome = 'review'")
    con.execute(
        "create view recon_deltas as select run_id, delta_id, kind,"
        " amount_micros * cast(0.000001 as decimal(7, 6)) as amount, * exclude (run_id, delta_id, kind)"
        " from every_delta"
    )
    con.execute(
        "create view recon_why_not as select run_id, side, row_no, kind,"
        " amount_micros * cast(0.000001 as decimal(7, 6)) as amount, * exclude (run_id, side, row_no, kind)"
        " from every_why_not"
    )
    for table in wanted & set(ENTRY_TABLES):
        con.execute(f"create view {table} as from {table}_file")


def _entry_file(workspace: Workspace, run: Run, table: str, scratch: Path) -> Path:
    """Write one entry table of one run: a pure function of the received file and the plan, so it is not kept."""
    target = scratch / f"{table}-{run.run_id}.parquet"
    folder = scratch / run.run_id
    folder.mkdir(exist_ok=True)
    sides = open_sides(workspace, run, folder)

    def write() -> None:
        con = connect(workspace.settings, folder / "work")
        try:
            if table == "recon_statements_raw":
                _write_raw(con, run, sides["theirs"], target)
            else:
                _write_entries(con, run, sides, table, target, tenant=workspace.settings.tenant)
        finally:
            con.close()

    _carefully(sides, folder, write)
    return target


def _carefully(sides: dict[SideName, Received], folder: Path, action: Callable[[], None]) -> None:
    while True:
        try:
            action()
        except FastReadFailed as failed:
            sides[failed.side] = read_carefully(sides[failed.side], folder / failed.side)
        else:
            return


def _write_raw(con: duckdb.DuckDBPyConnection, run: Run, given: Received, target: Path) -> None:
    starts = _starts(con, given)
    tree: exp.Expr = _raw_rows(run, given.parts[0], starts[0])
    for part, start in zip(given.more, starts[1:], strict=True):
        tree = exp.Union(this=tree, expression=_raw_rows(run, part, start), distinct=False)
    con.execute(f"copy ({sql_of(tree)}) to '{_quoted(target)}' (format parquet)")


def _starts(con: duckdb.DuckDBPyConnection, given: Received) -> list[int]:
    return part_starts(con, [part.source for part in given.parts]) if given.more else [0]


def _raw_rows(run: Run, given: Received, start: int) -> exp.Select:
    """Return the rows of a file as received, numbered on from `start`."""
    source = given.source
    number: exp.Expr
    line: exp.Expr
    if isinstance(source, Records):
        number, line = column(ROW_NO), column(LINE)
    else:
        number = exp.Window(this=exp.func("row_number"))
        line = exp.cast(exp.null(), "BIGINT", dialect="duckdb")
    if start:
        number = exp.Add(this=number, expression=exp.Literal.number(start))
    return exp.select(
        exp.alias_(exp.Literal.string(run.run_id), "run_id"),
        exp.alias_(exp.Literal.string(given.name), "file"),
        exp.alias_(exp.Literal.string(given.artifact.artifact_id), "artifact_id"),
        exp.alias_(number, "row_no"),
        exp.alias_(line, "line"),
        exp.alias_(exp.func("to_json", exp.column("s")), "record"),
    ).from_(exp.select("*").from_(source_relation(source)).subquery("s"))


def _of_part(number: str, starts: Sequence[int], values: Sequence[str]) -> exp.Expr:
    """Return the value of the file in which the row of that number stands."""
    found: exp.Expr = exp.Literal.string(values[0])
    if len(values) == 1:
        return found
    case = exp.Case()
    for start, value in reversed(list(zip(starts[1:], values[1:], strict=True))):
        case = case.when(exp.maybe_parse(f"{number} > {start}"), exp.Literal.string(value))
    return case.else_(found)


def _write_entries(
    con: duckdb.DuckDBPyConnection, run: Run, sides: dict[SideName, Received], table: str, target: Path, *, tenant: str
) -> None:
    is_ours = table == "recon_expected"
    view: str = "expected" if is_ours else "reported"
    side: SideName = "ours" if is_ours else "theirs"
    loaded = load_sides(con, sides["ours"].as_input(), sides["theirs"].as_input(), plan_from_toml(run.config))
    offset = {one.side: one.offset for one in loaded}[side]
    given = sides[side]
    number, starts = f"entry_no + {offset}", _starts(con, given)
    artifact = _of_part(number, starts, [part.artifact.artifact_id for part in given.parts])
    start = _of_part(number, starts, [str(start) for start in starts])
    query = exp.select(
        exp.alias_(exp.Literal.string(run.run_id), "run_id"),
        exp.alias_(exp.Literal.string(tenant), "tenant"),
        exp.alias_(exp.Literal.string(run.window.book), "book"),
        exp.alias_(exp.Literal.string(run.window.leg), "leg"),
        exp.alias_(exp.Literal.string(view), "side"),
        exp.alias_(
            exp.maybe_parse(
                f"left({sql_of(artifact)}, 16) || '-' || ({number} - ({sql_of(start)})::bigint)", dialect="duckdb"
            ),
            "entry_id",
        ),
        exp.alias_(_of_part(number, starts, [part.name for part in given.parts]), "source"),
        *("day", "occurred_us", "ref", "group_ref", "currency", "amount_micros"),
        exp.alias_(exp.maybe_parse("amount_micros * cast(0.000001 as decimal(7, 6))", dialect="duckdb"), "amount"),
        *("quantity_micros", "fee_micros", "fx_rate_nanos", "text"),
        *(f"unit_{i}" for i in range(1, 7)),
        exp.alias_(artifact, "artifact_id"),
        exp.alias_(exp.maybe_parse(number), "row_no"),
    ).from_(view)
    con.execute(f"copy ({sql_of(query)}) to '{_quoted(target)}' (format parquet)")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
