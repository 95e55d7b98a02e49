"""`tieout ingest ads`: parse, call the action, show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.ads.ingest import BadLoad, Ingested, IngestRequest, Separator, ingest
from tieout.books.ads.own import OwnRequest, register_own
from tieout.books.ads.own_relation import OwnKind
from tieout.books.ads.staging import SchemaDrift
from tieout.books.ads.uploading import exit_code_of
from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_OK
from tieout.core.money import format_micros

_WORDS = {
    "loaded": "loaded",
    "restated": "loaded in the place of the version before",
    "already_loaded": "already loaded; nothing was changed",
    "dry_run": "dry run; nothing was loaded",
    "parse_no_rows": "no row could be taken; nothing was loaded",
}


def named_files(by_option: Sequence[Path] | None, others: Sequence[Path] | None) -> list[Path]:
    """Return the files that a command line names, in their order. Raises BadLoad where it names none."""
    named = [*(by_option or ()), *(others or ())]
    if not named:
        raise BadLoad("No file is named.", subject="FILE", remedy="Name the files of the load, or give --file.")
    return named


def ingest_request(
    files: Sequence[Path],
    *,
    network: str,
    load_id: str,
    report_id: str,
    schema_ver: int,
    sep: str,
    given: Sequence[str],
    strict_mime: bool,
    max_bytes: int | None,
    max_rows: int | None,
    restate: bool,
    dry_run: bool,
) -> IngestRequest:
    """Return the request that the options make. Raises BadLoad."""
    separators: dict[str, Separator] = {separator: separator for separator in get_args(Separator)}
    if sep not in separators:
        raise BadLoad(f"--sep is {sep!r}.", subject="--sep", remedy=f"Use one of {', '.join(separators)}.")
    return IngestRequest(
        network=network,
        load_id=load_id,
        report_id=report_id,
        files=tuple(files),
        schema_ver=schema_ver,
        separator=separators[sep],
        given=dict(map(_cell, given)),
        is_strict_mime=strict_mime,
        is_dry_run=dry_run,
        restates=restate,
        max_bytes=max_bytes,
        max_rows=max_rows,
    )


def own_request(kind: str, given: Sequence[Path], *, query: str, database: str, dry_run: bool) -> OwnRequest:
    """Return the request that the options make; the first of `given` is the name of the source. Raises BadLoad."""
    kinds: dict[str, OwnKind] = {one: one for one in get_args(OwnKind)}
    if kind not in kinds:
        raise BadLoad(f"--own is {kind!r}.", subject="--own", remedy=f"Use one of {', '.join(kinds)}.")
    name, *files = given
    return OwnRequest(kinds[kind], str(name), tuple(files), query, database, is_dry_run=dry_run)


def register_source(workspace: Workspace, request: OwnRequest, *, as_json: bool) -> int:
    """Register a source of our own records and show it; return the exit code."""
    with stepping() as on_step:
        done = register_own(workspace, request, on_step)
    if as_json:
        print_json(done.as_dict())
        return EXIT_OK
    source, console = done.source, Console()
    console.print(Text(f"{source.kind} {source.name}: {done.outcome.replace('_', ' ')}"))
    instants = [_instant(us) for us in (source.first_us, source.last_us)]
    console.print(Text(f"{source.records:,} records, {instants[0]} to {instants[1]}, in {len(source.files)} files"))
    return EXIT_OK


def _instant(us: int | None) -> str:
    return "none" if us is None else (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat()


def _cell(text: str) -> tuple[str, str]:
    cell, sign, said = text.partition("=")
    if not sign or not said.strip():
        raise BadLoad(f"--set is {text!r}.", subject="--set", remedy="Write CELL=TEXT, such as app_id=com.example.app.")
    return cell.strip(), said.strip()


def ingest_statements(workspace: Workspace, request: IngestRequest, *, as_json: bool) -> int:
    """Take statements in and show what they brought; return the exit code."""
    with stepping() as on_step:
        try:
            done = ingest(workspace, request, on_step)
        except SchemaDrift as drift:
            if not as_json:
                raise
            print_json(_drift_row(drift))
            return drift.exit_code
    if as_json:
        print_json(done.as_dict())
    else:
        _show(Console(), done)
    return exit_code_of(done)


def _drift_row(drift: SchemaDrift) -> dict[str, Any]:
    return {
        "error": drift.code,
        "message": drift.what,
        "subject": drift.subject,
        "remedy": drift.remedy,
        "layout": drift.fit.layout.name,
        "missing": {cell: drift.fit.layout.names_of(cell) for cell in drift.fit.missing},
        "unknown": drift.fit.unknown,
        "doubtful": drift.fit.doubtful,
    }


def _show(console: Console, done: Ingested) -> None:
    console.print(Text(str(done.window), style="bold") + Text(f": {_WORDS[done.outcome]}", style="not bold"))
    if done.run_id:
        console.print(f"run {done.run_id[:12]}", highlight=False)
    for name, layout in done.layouts.items():
        console.print(f"{name}, read as {layout}", highlight=False, markup=False)
    if done.figures:
        table = Table("currency", "days", "lines", "impressions", "paid")
        for row in done.figures:
            days = f"{row['first_day']} to {row['last_day']}"
            paid = format_micros(int(row["paid_micros"]))
            table.add_row(row["currency"], days, f"{row['lines']:,}", f"{row['impressions']:,}", paid)
        console.print(table)
    for row in done.figures:
        if row["rounded_rows"]:
            told = f"{row['rounded_rows']:,} amounts in {row['currency']} have more than six decimals;"
            console.print(f"{told} rounding them took away {row['rounded_away']} in all", highlight=False)
    if done.quarantined:
        reasons = ", ".join(f"{code} {count:,}" for code, count in sorted(done.reasons.items()))
        console.print(f"{done.quarantined:,} rows in quarantine: {reasons}", highlight=False)
        table = Table("file", "line", "reason")
        for row in done.refused:
            table.add_row(Text(row["file"]), str(row["line"] or f"row {row['row_no']}"), Text(row["reason"]))
        console.print(table)
