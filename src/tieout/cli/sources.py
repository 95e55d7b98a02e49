"""`tieout load` and `tieout sources`: parse, call the action, show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tieout.books.workspace import Workspace
from tieout.cli.app import print_json
from tieout.cli.progress import stepping
from tieout.core.errors import EXIT_ERROR, EXIT_OK, TieoutError
from tieout.intake.reading import ReadOptions
from tieout.intake.sources.actions import FileLoad, Lacking, Loading, LoadRequest, load, undo
from tieout.intake.sources.current import (
    SomeRows,
    covered_days,
    list_quarantined,
    list_superseded,
    past_instant,
    source_columns,
)
from tieout.store.sources import LoadMode, SourceHistory, SourceLoad

EXIT_NOTHING_TO_DO = 10
_SHOWN_CHARACTERS = 200


class ContraryOptions(TieoutError):
    """Two options were given that exclude each other."""

    code = "contrary_options"


def load_request(
    source: str,
    files: Sequence[Path],
    *,
    restate: bool,
    add: bool,
    key: Sequence[str] | None,
    date: str | None,
    date_format: str | None,
    sheet: str | None,
    records: str | None,
    dry_run: bool,
) -> LoadRequest:
    """Return the request that the options make. Raises ContraryOptions."""
    if restate and add:
        raise ContraryOptions(
            "--restate and --add exclude each other.",
            subject="--restate",
            remedy="--restate supersedes the earlier rows that the file lacks, --add keeps them.",
        )
    mode: LoadMode = "restate" if restate else "add" if add else "plain"
    return LoadRequest(
        source,
        tuple(files),
        mode,
        tuple(key or ()),
        date,
        date_format,
        ReadOptions(sheet=sheet, records=records),
        is_dry_run=dry_run,
    )


def load_files(workspace: Workspace, request: LoadRequest, *, as_json: bool) -> int:
    """Load files and show what each brought; return the exit code."""
    console = Console()
    done: list[FileLoad] = []
    failure: TieoutError | None = None

    def tell(one: FileLoad) -> None:
        done.append(one)
        if not as_json:
            _show_load(console, request, one)

    with stepping() as on_step:
        try:
            load(Loading(workspace.store, workspace.settings, request, workspace.now, on_step), tell)
        except TieoutError as error:
            if not as_json:
                raise
            failure = error
    if as_json:
        answer = {"source": request.source, "dry_run": request.is_dry_run, "files": [_load_row(one) for one in done]}
        if failure is not None:
            answer |= {
                "error": failure.code,
                "message": failure.what,
                "subject": failure.subject,
                "remedy": failure.remedy,
            }
        print_json(answer)
    return failure.exit_code if failure is not None else _exit_code(request, done)


def _exit_code(request: LoadRequest, done: Sequence[FileLoad]) -> int:
    outcomes = {one.outcome for one in done}
    if "unsettled" in outcomes:
        return EXIT_ERROR
    return EXIT_OK if "loaded" in outcomes and not request.is_dry_run else EXIT_NOTHING_TO_DO


def _load_row(one: FileLoad) -> dict[str, Any]:
    counts = one.counts
    return {
        "file": one.file,
        "outcome": one.outcome,
        "load": one.seq,
        "rows": counts.rows,
        "added": counts.added,
        "kept": counts.known,
        "superseded": counts.superseded,
        "changed": one.changed,
        "quarantined": counts.quarantined,
        "first_day": one.first_day,
        "last_day": one.last_day,
        "undated": counts.undated,
        "date_column": one.day.name if one.day else None,
        "date_format": one.day.format if one.day else None,
        "supersedes": [vars(row) for row in one.superseded],
        "lacking": _lacking_row(one.lacking),
        "new_columns": one.new_columns,
        "missing_columns": one.missing_columns,
        "notes": one.notes,
    }


def _lacking_row(lacking: Lacking | None) -> dict[str, Any] | None:
    if lacking is None:
        return None
    return {
        "rows": lacking.rows,
        "days": lacking.day_count,
        "first_days": [{"day": day, "rows": rows} for day, rows in lacking.days],
        "loads": [{"load": seq, "file": name, "rows": rows} for seq, name, rows in lacking.loads],
    }


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)


def _show_load(console: Console, request: LoadRequest, one: FileLoad) -> None:
    if one.outcome == "already_loaded":
        _line(console, Text(f"{one.file}: was loaded before, as load {one.seq}; nothing to do."))
        return
    counts = one.counts
    would = "would be " if request.is_dry_run else ""
    words = [f"{counts.added:,} {would}added", f"{counts.known:,} kept as they are"]
    if counts.superseded:
        how = f" ({one.changed:,} changed by key)" if one.changed else ""
        whose = ", ".join(f"{row.rows:,} of load {row.load}" for row in one.superseded)
        words.append(f"{counts.superseded:,} {would}superseded{how}, {whose}")
    if counts.quarantined:
        words.append(f"{counts.quarantined:,} in quarantine")
    place = f"load {one.seq}, " if one.seq is not None and not request.is_dry_run else ""
    _line(console, Text(f"{one.file}: {place}{'; '.join(words)}", style="bold"))
    if one.outcome == "nothing_new":
        _line(console, Text("  Nothing new."))
    if one.lacking is not None and one.outcome == "unsettled":
        _line(console, Text(f"  It lacks {_lacking_words(one.lacking)} that the source has. It would be refused:"))
        _line(console, Text(f"  --restate would supersede these {one.lacking.rows:,}, --add would keep them."))
    _line(console, Text(f"  {_day_words(one)}", style="dim"))
    for what, names in (("New columns", one.new_columns), ("Columns that it lacks", one.missing_columns)):
        if names:
            _line(console, Text(f"  {what}: {', '.join(names)}", style="dim"))
    for note in one.notes:
        _line(console, Text(f"  {note}", style="dim"))


def _lacking_words(lacking: Lacking) -> str:
    days = ", ".join(f"{rows:,} {'without a day' if day is None else f'on {day}'}" for day, rows in lacking.days)
    more = lacking.day_count - len(lacking.days)
    return f"{_rows_of(lacking.rows)} ({days}{f' and on {more:,} more days' if more else ''})"


def _day_words(one: FileLoad) -> str:
    if one.day is None:
        return "No column says the day of a row; --date names one."
    written = "" if one.day.format == "ISO" else f", written {one.day.format}"
    covered = "no days" if one.first_day is None else f"{one.first_day} to {one.last_day}"
    undated = f", {one.counts.undated:,} rows without a day" if one.counts.undated else ""
    return f"Days: {covered}{undated} (column {one.day.name}{written}; --date and --date-format override)"


def list_sources(workspace: Workspace, *, as_json: bool) -> None:
    """List every source with its counts."""
    found = [_source_row(one, None) for one in workspace.store.sources.list_sources()]
    if as_json:
        print_json(found)
        return
    console = Console()
    if not found:
        console.print("No sources. `tieout load SOURCE FILE` makes one.")
        return
    table = Table("source", box=None, pad_edge=False)
    for name in ("rows", "superseded", "quarantined"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("days covered")
    table.add_column("loads", justify="right", no_wrap=True)
    for row in found:
        numbers = [f"{row[name]:,}" for name in ("rows", "superseded", "quarantined")]
        table.add_row(Text(row["name"]), *numbers, _covered_words(row), f"{row['loads']:,}")
    console.print(table)


def _source_row(history: SourceHistory, as_of: datetime | None) -> dict[str, Any]:
    loads = history.standing(as_of)
    stretches = covered_days(loads)
    superseded = sum(load.counts.superseded for load in loads)
    return {
        "name": history.name,
        "rows": sum(load.counts.added for load in loads) - superseded,
        "superseded": superseded,
        "quarantined": sum(load.counts.quarantined for load in loads),
        "first_day": stretches[0][0] if stretches else None,
        "last_day": stretches[-1][1] if stretches else None,
        "days_covered": sum((last - first).days + 1 for first, last in stretches),
        "gaps": len(stretches[1:]),
        "loads": len(loads),
    }


def _covered_words(row: dict[str, Any]) -> str:
    if row["first_day"] is None:
        return "none"
    gaps = f", {row['gaps']} gap{'s' if row['gaps'] > 1 else ''}" if row["gaps"] else ""
    return f"{row['first_day']} to {row['last_day']} ({row['days_covered']:,} days{gaps})"


def show_source(
    workspace: Workspace, name: str, *, everything: bool, limit: int, as_of: str | None, as_json: bool
) -> None:
    """Show the loads of a source, and with `everything` its superseded rows and its quarantine."""
    store, settings = workspace.store, workspace.settings
    instant = None if as_of is None else past_instant(as_of, workspace.now())
    history = store.sources.get_source(name)
    loads = [one for one in history.loads if instant is None or one.loaded_at <= instant]
    standing = history.standing(instant)
    superseded = quarantined = SomeRows((), 0)
    if everything:
        with store.folders.scratch("show") as scratch:
            superseded = list_superseded(settings, store.sources, standing, scratch, limit=limit)
            quarantined = list_quarantined(settings, store.sources, standing, scratch, limit=limit)
    summary = _source_row(history, instant)
    if as_json:
        answer = {
            **summary,
            "columns": source_columns(standing),
            "key": standing[0].draft.key_columns if standing else (),
            "as_of": instant,
            "history": [_history_row(one, instant) for one in loads],
        }
        if everything:
            answer["superseded_rows"] = {"total": superseded.total, "rows": superseded.rows}
            answer["quarantine"] = {"total": quarantined.total, "rows": quarantined.rows}
        print_json(answer)
        return
    console = Console()
    console.print(Text(f"{name}: {summary['rows']:,} rows, {_covered_words(summary)}", style="bold"))
    for one in loads:
        _show_history(console, one, instant)
    if everything:
        _show_rows(console, "superseded", superseded)
        _show_rows(console, "in quarantine", quarantined)


def _history_row(load: SourceLoad, instant: datetime | None) -> dict[str, Any]:
    draft, counts = load.draft, load.counts
    return {
        "load": load.seq,
        "file": load.name,
        "artifact": draft.artifact_id,
        "mode": draft.mode,
        "loaded_at": load.loaded_at,
        "loaded_by": load.loaded_by,
        "undone_at": None if load.counts_at(instant) else load.undone_at,
        "undone_by": None if load.counts_at(instant) else load.undone_by,
        "rows": counts.rows,
        "added": counts.added,
        "kept": counts.known,
        "superseded": counts.superseded,
        "quarantined": counts.quarantined,
        "first_day": draft.first_day,
        "last_day": draft.last_day,
        "undated": counts.undated,
        "date_column": draft.date_column,
        "date_format": draft.date_format,
        "columns": draft.columns,
        "supersedes": [vars(one) for one in draft.superseded],
    }


def _show_history(console: Console, load: SourceLoad, instant: datetime | None) -> None:
    row = _history_row(load, instant)
    style = "dim" if row["undone_at"] is not None else ""
    head = f"load {load.seq}: {load.name}, loaded {load.loaded_at:%Y-%m-%d %H:%M} UTC by {load.loaded_by}"
    days = "no days" if row["first_day"] is None else f"{row['first_day']} to {row['last_day']}"
    words = [days, f"{_rows_of(row['rows'])}, {row['added']:,} added"]
    if row["quarantined"]:
        words.append(f"{row['quarantined']:,} in quarantine")
    if row["mode"] != "plain":
        words.append(f"--{row['mode']}")
    words += [f"supersedes {_rows_of(part['rows'])} of load {part['load']}" for part in row["supersedes"]]
    if row["undone_at"] is not None:
        words.append(f"taken back {row['undone_at']:%Y-%m-%d %H:%M} UTC by {row['undone_by']}")
    _line(console, Text(head, style=style))
    _line(console, Text(f"  {'; '.join(words)}", style=style))


def _rows_of(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _show_rows(console: Console, title: str, some: SomeRows) -> None:
    if not some.total:
        console.print(f"No rows {title}.")
        return
    names = list(some.rows[0]) if some.rows else []
    table = Table(*names, title=f"{_rows_of(some.total)} {title}", title_justify="left", box=None, pad_edge=False)
    for row in some.rows:
        table.add_row(*[Text(_cell(value)) for value in row.values()])
    console.print(table)
    if len(some.rows) < some.total:
        console.print(f"… and {some.total - len(some.rows):,} more; --limit shows them.")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{name}: {cell}" for name, cell in value.items() if cell is not None)
    return "" if value is None else str(value)[:_SHOWN_CHARACTERS]


def undo_load(workspace: Workspace, name: str, *, as_json: bool) -> int:
    """Take back the latest load of a source and say what that did; return the exit code."""
    undone = undo(workspace.store, workspace.settings, name, now=workspace.now())
    if as_json:
        print_json({"source": name, "undone": None if undone is None else _history_row(undone, None)})
    elif undone is None:
        Console().print(Text(f"Source {name} has no load to take back."))
    else:
        counts = undone.counts
        Console().print(
            Text(
                f"Load {undone.seq} ({undone.name}) is taken back: {_rows_of(counts.added)} no longer current, "
                f"{counts.superseded:,} current again. It stays on record."
            ),
            soft_wrap=True,
        )
    return EXIT_NOTHING_TO_DO if undone is None else EXIT_OK
