"""`tieout sql`: a query, or a prompt."""

from __future__ import annotations

import csv
import sys
from contextlib import ExitStack

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tieout.books.compare.facts_sql import TABLES, Facts, QueryFailed, open_facts, tables_in
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json

SHOWN_ROWS = 200
PROMPT = "tieout> "


def query_facts(workspace: Workspace, text: str | None, *, run_id: str | None, as_json: bool, as_csv: bool) -> None:
    """Run `text`, or without one read statements from the prompt until end of input."""
    if text is None:
        _prompt(workspace, run_id)
        return
    with open_facts(workspace, tables_in(text), run_prefix=run_id) as facts:
        _show(facts, text, as_json=as_json, as_csv=as_csv)


def _show(facts: Facts, text: str, *, as_json: bool, as_csv: bool) -> None:
    relation = facts.query(text)
    if relation is None:
        return
    names = relation.columns
    if as_json or as_csv:
        rows = relation.fetchall()
        if as_json:
            print_json([dict(zip(names, row, strict=True)) for row in rows])
            return
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows(rows)
        return
    rows = relation.limit(SHOWN_ROWS + 1).fetchall()
    table = Table(*[escape(name) for name in names], box=None, pad_edge=False)
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*[Text("" if cell is None else str(cell)) for cell in row])
    console = Console()
    console.print(table)
    if len(rows) > SHOWN_ROWS:
        console.print(f"The first {SHOWN_ROWS} rows; --csv or --json prints all.", style="dim")


def _prompt(workspace: Workspace, run_id: str | None) -> None:
    import readline  # noqa: F401, PLC0415 - gives input() its history and editing

    print(f"Tables: {', '.join(TABLES)}. End a statement with ; and the prompt with Ctrl-D.")  # noqa: T201
    with ExitStack() as stack:
        facts = stack.enter_context(open_facts(workspace, (), run_prefix=run_id))
        pending: list[str] = []
        while True:
            try:
                line = input(PROMPT if not pending else "   ...> ")
            except EOFError:
                print()  # noqa: T201
                return
            if not pending and line.strip() in {"exit", "quit", "\\q"}:
                return
            pending.append(line)
            text = "\n".join(pending).strip()
            if not text.endswith(";"):
                continue
            pending = []
            missing = tables_in(text) - facts.tables
            if missing:
                facts = stack.enter_context(open_facts(workspace, facts.tables | missing, run_prefix=run_id))
            try:
                _show(facts, text.rstrip(";"), as_json=False, as_csv=False)
            except QueryFailed as error:
                Console(stderr=True).print(Text(error.what, style="red"))
