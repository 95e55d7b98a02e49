"""The full result as files: Parquet and CSV hold every row, JSON and XLSX the most important ones of large tables."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tieout.report.facts import Facts, open_facts
from tieout.report.formulas import neutralised
from tieout.report.html import render_page
from tieout.report.saving import ResultNotWritten, explain_failure
from tieout.report.verdict import tell_verdict
from tieout.report.words import currency_name
from tieout.report.workbook import MAX_COLUMNS, Cover, Sheet, write_workbook

SHEET_ROWS = 50_000
SHEET_CELLS = 1_500_000
JSON_ROWS = 100_000

_JSON_TYPES = frozenset({"boolean", "tinyint", "smallint", "integer", "bigint", "varchar", "double"})
_SHEET_TYPES = frozenset({*_JSON_TYPES, "float", "utinyint", "usmallint", "uinteger", "date", "decimal"})


@dataclass(frozen=True)
class ExportedTable:
    """A table of the result: its name, the fact it is made of, and its order in files and in the sheet.

    Files are in file order. A sheet has what matters most first, because it is where a long table is cut; matches have
    a query of their own for that. `csv_query` gives lines that need no quotes and no guard against formulas.
    """

    name: str
    fact: str
    sheet: str
    order: str
    sheet_order: str
    csv_query: str = ""


TABLES = (
    ExportedTable(
        "deltas",
        "delta",
        "Differences",
        "ours_row nulls last, theirs_row nulls last, currency, kind, delta_id",
        "abs(amount) desc nulls last, ours_row nulls last, theirs_row nulls last, currency, kind, delta_id",
    ),
    ExportedTable(
        "differences",
        "difference",
        "Values that differ",
        'ours_row, theirs_row, "column"',
        'abs(difference) desc nulls last, ours_row, theirs_row, "column"',
    ),
    ExportedTable(
        "unmatched_ours", "unmatched_ours", "Unmatched ours", "ours_row", "abs(amount) desc nulls last, ours_row"
    ),
    ExportedTable(
        "unmatched_theirs",
        "unmatched_theirs",
        "Unmatched theirs",
        "theirs_row",
        "abs(amount) desc nulls last, theirs_row",
    ),
    ExportedTable(
        "why_not",
        "why_not",
        "Why not",
        "side, row_no",
        "abs(amount) desc nulls last, side, row_no",
    ),
    ExportedTable(
        "matches",
        "match",
        "Matches",
        "ours_row, theirs_row",
        "",
        csv_query="csv_matches",
    ),
    ExportedTable(
        "applications",
        "application",
        "Applications",
        "ours_row, theirs_row",
        "outcome desc, abs(applied) desc, ours_row, theirs_row",
    ),
    ExportedTable(
        "quarantine",
        "quarantine",
        "Quarantine",
        'side, file, line nulls last, row_no nulls last, "column", reason_code, raw',
        'side, file, line nulls last, row_no nulls last, "column", reason_code, raw',
    ),
    ExportedTable(
        "checks",
        "check",
        "Checks",
        "side, file, name, subject, currency, stated, computed, message",
        "ok, side, file, name, subject, currency, stated, computed, message",
    ),
)

FILE_NAMES = (
    "summary.json",
    "report.html",
    "plan.toml",
    *(f"{table.name}.{ending}" for table in TABLES for ending in ("parquet", "csv", "json")),
    "tieout.xlsx",
)


def write_out(
    run_dir: Path,
    summary: Mapping[str, Any],
    plan_toml: str,
    out_dir: Path,
    *,
    as_of: date | None = None,
    threads: int = 2,
    memory_limit: str = "1GB",
    on_file: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write the full result of a run into `out_dir` and return its files, named as in FILE_NAMES.

    Every file is made in a folder beside them and moved into place when all are there; files that are not ours are
    never touched. The same run gives the same bytes. `on_file` is told the name of each file before it is made.
    Tables are written while the page and the workbook are made, each side within `threads` and `memory_limit`.
    Raises ResultNotWritten, and RunFolderIncomplete or FactUnreadable when the run itself is damaged.
    """
    _refuse_obstacles(out_dir)
    part_dir = out_dir / f".tieout-{secrets.token_hex(4)}.part"
    with explain_failure(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
        part_dir.mkdir()
    try:
        _write_all(_Export(run_dir, part_dir, summary, plan_toml, as_of, on_file, threads, memory_limit))
        for name in FILE_NAMES:
            with explain_failure(out_dir / name):
                (part_dir / name).replace(out_dir / name)
    finally:
        shutil.rmtree(part_dir, ignore_errors=True)
    return [out_dir / name for name in FILE_NAMES]


def fact_table(run_dir: Path, fact: str) -> pa.Table:
    """Return a fact as an Arrow table with the columns and the order of its exported file; no text is changed.

    `fact` is one of match, application, delta, difference, unmatched_ours, unmatched_theirs, why_not, quarantine and
    check.
    """
    table = next(table for table in TABLES if table.fact == fact)
    with open_facts(run_dir) as facts:
        return _whole(facts, table).to_arrow_table()


def _refuse_obstacles(out_dir: Path) -> None:
    """Find what stands in the way before anything is written."""
    if out_dir.exists() and not out_dir.is_dir():
        raise ResultNotWritten(
            f"{out_dir} is a file, and the result needs a folder.",
            subject=str(out_dir),
            remedy="Choose another place with --out, or move the file away.",
        )
    for name in FILE_NAMES:
        if (out_dir / name).is_dir():
            raise ResultNotWritten(
                f"{out_dir / name} is a folder, and the result has a file of that name.",
                subject=str(out_dir / name),
                remedy="Choose another place with --out, or move the folder away.",
            )


@dataclass(frozen=True)
class _Export:
    """What is exported, and the folder that its files are made in."""

    run_dir: Path
    part_dir: Path
    summary: Mapping[str, Any]
    plan_toml: str
    as_of: date | None
    on_file: Callable[[str], None]
    threads: int
    memory_limit: str

    def open(self, purpose: str) -> AbstractContextManager[Facts]:
        spill_dir = self.part_dir / purpose
        return open_facts(self.run_dir, threads=self.threads, memory_limit=self.memory_limit, spill_dir=spill_dir)

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Announce a file, give the path to make it at, and explain what goes wrong."""
        self.on_file(name)
        with explain_failure(self.part_dir.parent / name):
            yield self.part_dir / name


def _write_all(export: _Export) -> None:
    """Write the tables on one thread, and on another what people open: most of the time is spent outside Python."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        works = [pool.submit(_write_tables, export), pool.submit(_write_page_and_workbook, export)]
        for work in works:
            work.result()


def _write_tables(export: _Export) -> None:
    with export.open("tables") as facts:
        for table in TABLES:
            _write_table(facts, table, export)


def _write_page_and_workbook(export: _Export) -> None:
    summary = export.summary
    with export.open("page") as facts:
        texts: dict[str, Callable[[], str]] = {
            "summary.json": lambda: json.dumps(summary, indent=2, ensure_ascii=False, default=str) + "\n",
            "report.html": lambda: render_page(facts, summary, as_of=export.as_of),
            "plan.toml": lambda: export.plan_toml,
        }
        for name, make in texts.items():
            with export.making(name) as path:
                # A file name may hold bytes that are no text; in JSON the escape that this leaves is the right one.
                path.write_bytes(make().encode("utf-8", "backslashreplace"))
        with export.making("tieout.xlsx") as path:
            sheets = [_sheet(facts, table) for table in TABLES]
            write_workbook(path, _cover(summary, sheets), sheets)


def _whole(facts: Facts, table: ExportedTable) -> duckdb.DuckDBPyRelation:
    rows = facts.select(f"export_{table.name}")
    return rows if _is_ready(facts, table) else rows.order(table.order)


def _is_ready(facts: Facts, table: ExportedTable) -> bool:
    """Say whether the fact is the exported table as it stands: only the matches, which are the many, can be."""
    return table.fact == "match" and not facts.ask("is_out_of_order")[0]["found"]


def _write_table(facts: Facts, table: ExportedTable, export: _Export) -> None:
    whole = _whole(facts, table)

    def write_parquet(path: Path) -> None:
        if _is_ready(facts, table):
            shutil.copyfile(facts.run_dir / f"{table.fact}.parquet", path)
        else:
            whole.write_parquet(str(path), compression="zstd")

    writers: dict[str, Callable[[Path], None]] = {
        "parquet": write_parquet,
        "csv": lambda path: _write_csv(facts, table, whole, path),
        "json": lambda path: _write_json(facts, table, whole, path),
    }
    for ending, write in writers.items():
        with export.making(f"{table.name}.{ending}") as path:
            write(path)


def _write_csv(facts: Facts, table: ExportedTable, whole: duckdb.DuckDBPyRelation, path: Path) -> None:
    if table.csv_query:
        lines = facts.select(table.csv_query)
        lines = lines if _is_ready(facts, table) else lines.order(table.order)
        lines.write_csv(str(path), header=True, quotechar="", escapechar="")
        return
    shown = (
        neutralised(name) if kind == "varchar" else duckdb.ColumnExpression(name) for name, kind in _columns(whole)
    )
    whole.select(*shown).write_csv(str(path), header=True)


def _write_json(facts: Facts, table: ExportedTable, whole: duckdb.DuckDBPyRelation, path: Path) -> None:
    """Write rows as one object that says how many there are, how many of them it holds, and whether that is all."""
    total = _count(facts, table)
    held = whole.select(*(_json_column(name, kind) for name, kind in _columns(whole))).limit(JSON_ROWS)
    items = path.with_suffix(".items")
    held.create_view("json_row", replace=True)
    facts.con.execute("copy json_row to $path (format json, array true)", {"path": str(items)})
    head = {"table": table.name, "rows": total, "included": min(total, JSON_ROWS), "complete": total <= JSON_ROWS}
    with path.open("wb") as target, items.open("rb") as source:
        target.write(json.dumps(head)[:-1].encode() + b', "items": ')
        shutil.copyfileobj(source, target, 1 << 20)
        target.write(b"}\n")
    items.unlink()


def _json_column(name: str, kind: str) -> duckdb.Expression:
    """Numbers that JSON cannot hold exactly are text: money, very long integers; what is no number is null."""
    column = duckdb.ColumnExpression(name)
    if kind in {"double", "float"}:
        finite = duckdb.FunctionExpression("isfinite", column)
        return duckdb.CaseExpression(finite, column).otherwise(duckdb.ConstantExpression(None)).alias(name)
    return column if kind in _JSON_TYPES else column.cast("VARCHAR").alias(name)


def _sheet(facts: Facts, table: ExportedTable) -> Sheet:
    rows = facts.select(f"export_{table.name}")
    columns = _columns(rows)[:MAX_COLUMNS]
    most = max(1, min(SHEET_ROWS, SHEET_CELLS // len(columns)))
    first = (
        rows.order(table.sheet_order).limit(most)
        if table.sheet_order
        else facts.select("least_sure_matches", limit=most)
    )
    shown = first.select(*(_sheet_column(name, kind) for name, kind in columns))
    return Sheet(table.sheet, shown.to_arrow_table(), _count(facts, table), f"{table.name}.csv, {table.name}.parquet")


def _sheet_column(name: str, kind: str) -> duckdb.Expression:
    if kind == "varchar":
        return neutralised(name)
    column = duckdb.ColumnExpression(name)
    return column if kind in _SHEET_TYPES else column.cast("VARCHAR").alias(name)


def _columns(rows: duckdb.DuckDBPyRelation) -> list[tuple[str, str]]:
    """Return each column with the name of its type in small letters, `decimal` without its digits."""
    return [(name, str(kind).lower().partition("(")[0]) for name, kind in zip(rows.columns, rows.types, strict=True)]


def _count(facts: Facts, table: ExportedTable) -> int:
    return int(facts.con.view(table.fact).aggregate("count(*)").fetchall()[0][0])


def _cover(summary: Mapping[str, Any], sheets: Sequence[Sheet]) -> Cover:
    ties = summary["result"] == "ties_out"
    money: list[list[str | int | Decimal | None]] = [
        [currency_name(item["currency"]), *(Decimal(item[name]) for name in ("expected", "reported", "difference"))]
        for item in summary["currencies"]
    ]
    shown: list[list[str | int | Decimal | None]] = [
        [
            sheet.name,
            sheet.total,
            sheet.rows.num_rows,
            "all rows" if sheet.rows.num_rows == sheet.total else "the most important rows only",
            sheet.whole,
        ]
        for sheet in sheets
    ]
    facts = [
        ("Ours", str(summary["ours"]["name"])),
        ("Theirs", str(summary["theirs"]["name"])),
        ("Result", " ".join(tell_verdict(summary))),
        ("Run", str(summary["run_id"])),
        ("Sign", "Difference is expected (ours) less reported (theirs): plus is reported too little."),
        ("Digits", "A spreadsheet keeps 15 digits of a number; the CSV and Parquet files beside this one are exact."),
        ("Apostrophe", "A text that a spreadsheet could run as a formula has an apostrophe before it."),
    ]
    return Cover(
        "The two sides tie out" if ties else "Differences found",
        facts,
        [
            ("Money", ["Currency", "Expected", "Reported", "Difference"], money),
            ("Sheets", ["Sheet", "Rows in all", "Rows here", "", "Every row is in"], shown),
        ],
    )
