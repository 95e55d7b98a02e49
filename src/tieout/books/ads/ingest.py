"""Take statements in: receive, hold against the layout, type, set bad rows apart, publish; once for each load."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import duckdb
import orjson
import pyarrow as pa
import tomli_w

from tieout.books.ads.counting import NO_ROWS, count_loaded, count_parsed, count_refused_load, reason_of
from tieout.books.ads.identity import run_request
from tieout.books.ads.layout import CELLS, list_layouts
from tieout.books.ads.pieces import BOOK
from tieout.books.ads.staging import (
    SchemaDrift,
    StatementFile,
    locate_refused,
    read_statement,
    stage_statements,
)
from tieout.books.ads.steps import ads_step, sql_text
from tieout.books.workspace import Workspace
from tieout.core.errors import TieoutError
from tieout.engine.macros import add_macros
from tieout.engine.parse import CURRENCY_CODES
from tieout.engine.steps import Runner
from tieout.intake.csv_dialect import CsvHints
from tieout.intake.reading import ReadOptions
from tieout.store.artifacts import Artifact
from tieout.store.duck import connect, interrupts_told
from tieout.store.folders import storing
from tieout.store.publish import begin_run, fail_run, publish
from tieout.store.runs import Run, RunFile, RunInput, Window, measure_file

LEG = "statements"
STATEMENT = "statement"
"""The side under which a received statement is among the inputs of its run."""
EXIT_BLOCKED = 40
FACTS = ("statement_line", "quarantine")
SUMMARY = "summary.json"
MAX_ROWS = 2**62
_SHOWN_REFUSALS = 20

Separator = Literal["auto", "comma", "semicolon", "tab"]
SEPARATORS: Mapping[Separator, str] = {"auto": "", "comma": ",", "semicolon": ";", "tab": "\t"}

Outcome = Literal["loaded", "restated", "already_loaded", "dry_run", "parse_no_rows"]
"""What became of a load; `parse_no_rows`: no row could be taken, so nothing was loaded."""


class NetworkNotAllowed(TieoutError):
    """The statements of this network are not taken here."""

    code = "network_not_allowed"
    http_status = 403
    exit_code = EXIT_BLOCKED


class LoadDiffers(TieoutError):
    """The load of this name was loaded before, from other files or options; nothing was loaded."""

    code = "load_differs"
    http_status = 409


class BadLoad(TieoutError):
    """What was said of a load cannot be used: its name, its network, a cell given for all rows, or the file's name."""

    code = "bad_load"


@dataclass(frozen=True)
class IngestRequest:
    """Statement files to take in as one load. `given` are cells for all rows; a limit of None is the setting's."""

    network: str
    load_id: str
    report_id: str
    files: tuple[Path, ...]
    schema_ver: int = 1
    separator: Separator = "auto"
    given: Mapping[str, str] = field(default_factory=dict)
    is_strict_mime: bool = False
    is_dry_run: bool = False
    restates: bool = False
    max_bytes: int | None = None
    max_rows: int | None = None


@dataclass(frozen=True)
class Ingested:
    """What a load brought: `figures` by currency, refused rows by code in `reasons`, the first of them in `refused`."""

    outcome: Outcome
    window: Window
    run_id: str | None
    lines: int
    quarantined: int
    layouts: Mapping[str, str]
    reasons: Mapping[str, int]
    refused: tuple[Mapping[str, Any], ...]
    figures: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "window": str(self.window)}


def ingest(workspace: Workspace, request: IngestRequest, on_step: Callable[[str], None] = lambda _: None) -> Ingested:
    """Take the files in as one load of one network.

    A repeat of the same load changes nothing. Raises NetworkNotAllowed, SchemaDrift, ReportIncomplete, LoadDiffers,
    BadLoad and what the readers and the store raise; after each of them nothing was loaded.
    """
    _check_words(request)
    try:
        return _ingest(workspace, request, on_step)
    except Exception as error:
        rows = error.row_count if isinstance(error, SchemaDrift) else 0
        count_refused_load(request.network, reason_of(error), rows)
        raise


def _ingest(workspace: Workspace, request: IngestRequest, on_step: Callable[[str], None]) -> Ingested:
    _check_network(workspace, request)
    on_step("receive")
    artifacts = [_receive(workspace, request, path) for path in request.files]
    config = _config(request)
    current = workspace.store.runs.current_run(window_of(request))
    if current is not None and not request.restates:
        return _known(request, current, artifacts, config)
    with workspace.store.folders.scratch("ads") as scratch:
        found = _read_all(request, artifacts, scratch, on_step)
        if request.is_dry_run:
            return _try(workspace, request, found, scratch, on_step)
        return _load(workspace, request, found, config, scratch, on_step)


def window_of(request: IngestRequest) -> Window:
    """Return the window that a load is."""
    return Window(BOOK, LEG, f"{request.network}/{request.load_id}")


def _check_words(request: IngestRequest) -> None:
    for option, text in (
        ("--network", request.network),
        ("--load-id", request.load_id),
        ("--report-id", request.report_id),
    ):
        if not text.strip() or not text.isprintable() or len(text) > 200 or text != text.strip():
            raise BadLoad(f"{option} is {text[:50]!r}.", subject=option, remedy="Use 1 to 200 printable characters.")
    if "/" in request.network:
        raise BadLoad(f"--network is {request.network!r}.", subject="--network", remedy="Name a network without a /.")
    for cell in request.given:
        if cell not in CELLS:
            raise BadLoad(f"There is no cell {cell!r}.", subject="--set", remedy=f"There are {', '.join(CELLS)}.")
    for path in request.files:
        if request.is_strict_mime and path.suffix.lower() != ".csv":
            raise BadLoad(f"{path.name} is not called .csv.", subject=path.name, remedy="Leave out --strict-mime.")


def _check_network(workspace: Workspace, request: IngestRequest) -> None:
    allowed = workspace.settings.ads_networks
    if allowed and request.network.lower() not in allowed:
        raise NetworkNotAllowed(
            f"Statements of {request.network} are not taken here. Nothing was loaded.",
            subject=request.network,
            remedy=f"VRA_ALLOWED_NETWORKS names those that are: {', '.join(allowed)}.",
        )


def _receive(workspace: Workspace, request: IngestRequest, path: Path) -> Artifact:
    return workspace.store.artifacts.receive(
        path,
        received_by=workspace.settings.actor,
        received_at=workspace.now(),
        max_bytes=workspace.settings.ads_max_bytes if request.max_bytes is None else request.max_bytes,
    )


def _config(request: IngestRequest) -> str:
    """Return all that decides the result beside the files, as TOML."""
    return tomli_w.dumps(
        {
            "network": request.network,
            "load_id": request.load_id,
            "report_id": request.report_id,
            "schema_ver": request.schema_ver,
            "separator": request.separator,
            "given": dict(sorted(request.given.items())),
        }
    )


def _known(request: IngestRequest, current: Run, artifacts: Sequence[Artifact], config: str) -> Ingested:
    """Return the load on record if this is the same again. Raises LoadDiffers."""
    same_files = [given.artifact_id for given in current.inputs] == [artifact.artifact_id for artifact in artifacts]
    if not same_files or current.config != config:
        what = "other files" if not same_files else "other options"
        raise LoadDiffers(
            f"Load {request.load_id!r} of {request.network} was loaded before, from {what}. Nothing was loaded.",
            subject=request.load_id,
            remedy="Give it with --restate if it is the new version of that load, else another --load-id.",
        )
    return _ingested("already_loaded", request, current.run_id, current.summary or {})


def _read_all(
    request: IngestRequest,
    artifacts: Sequence[Artifact],
    scratch: Path,
    on_step: Callable[[str], None],
) -> list[StatementFile]:
    on_step("read")
    options = ReadOptions(csv=CsvHints(delimiter=SEPARATORS[request.separator]))
    found = []
    for number, artifact in enumerate(artifacts):
        folder = scratch / f"file-{number}"
        found.append(read_statement(artifact, request.network, request.given, folder, options))
    return found


def _try(
    workspace: Workspace,
    request: IngestRequest,
    found: Sequence[StatementFile],
    scratch: Path,
    on_step: Callable[[str], None],
) -> Ingested:
    (scratch / "facts").mkdir()
    summary, _ = _run_steps(workspace, request, found, scratch, scratch / "facts", on_step)
    count_parsed(request.network, taken=summary["lines"], refused=summary["quarantined"])
    return _ingested("dry_run", request, None, summary)


def _load(
    workspace: Workspace,
    request: IngestRequest,
    found: Sequence[StatementFile],
    config: str,
    scratch: Path,
    on_step: Callable[[str], None],
) -> Ingested:
    runs = workspace.store.runs
    inputs = tuple(RunInput(STATEMENT, file.artifact.name, file.artifact.artifact_id) for file in found)
    window = window_of(request)
    asked = run_request(LEG, window.window, inputs, config)
    before = runs.current_run(window)
    with begin_run(runs, asked, now=workspace.now(), on_wait=lambda: on_step("wait")) as active:
        try:
            summary, steps = _run_steps(workspace, request, found, scratch, active.out_dir, on_step)
            count_parsed(request.network, taken=summary["lines"], refused=summary["quarantined"])
            if not summary["lines"]:
                active.discard()
                fail_run(runs, active, reason="No row could be taken.", now=workspace.now())
                count_refused_load(request.network, NO_ROWS, summary["quarantined"])
                return _ingested("parse_no_rows", request, None, summary)
            files = _outputs(active.out_dir, summary)
            on_step("publish")
            done = publish(runs, active, files, steps=steps, summary=summary, now=workspace.now())
        except Exception as error:
            active.discard()
            fail_run(runs, active, reason=str(error)[:1000], now=workspace.now())
            raise
    count_loaded(request.network, taken=summary["lines"], refused=summary["quarantined"])
    outcome: Outcome = "loaded" if before is None else "restated"
    if before is not None and before.run_id == done.run.run_id:
        outcome = "already_loaded"
    return _ingested(outcome, request, done.run.run_id, summary)


def load_again(
    workspace: Workspace, run: Run, scratch: Path, on_step: Callable[[str], None] = lambda _: None
) -> tuple[list[dict[str, Any]], list[RunFile]]:
    """Do a load again from its statements as received, storing nothing; return its steps and files.

    Raises ArtifactRemoved and ArtifactDamaged.
    """
    told = tomllib.loads(run.config)
    artifacts = [replace(workspace.store.artifacts.verify(one.artifact_id), name=one.name) for one in run.inputs]
    request = IngestRequest(**told, files=(), max_rows=MAX_ROWS)  # they were few enough once
    facts = scratch / "facts"
    facts.mkdir()
    found = _read_all(request, artifacts, scratch, on_step)
    summary, steps = _run_steps(workspace, request, found, scratch, facts, on_step)
    return steps, _outputs(facts, summary)


def _run_steps(
    workspace: Workspace,
    request: IngestRequest,
    found: Sequence[StatementFile],
    scratch: Path,
    fact_dir: Path,
    on_step: Callable[[str], None],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the steps into `fact_dir`; return the summary and what each step did."""
    con = connect(workspace.settings, scratch / "duckdb")
    try:
        with interrupts_told(), storing(f"load {request.load_id}"):
            add_macros(con, "to_micros")
            con.execute(sql_text("statements", "macros"))
            max_rows = workspace.settings.ads_max_rows if request.max_rows is None else request.max_rows
            staged = stage_statements(con, found, scratch, max_rows)
            _make_words(con, request)
            runner = Runner(con, fact_dir, on_step)
            for name in ("read_cell", "statement_line", "refused_row"):
                runner.run(ads_step("statements", name))
            locate_refused(con, staged)
            for name in ("quarantine", "every_row_ends_once", "load_figures"):
                runner.run(ads_step("statements", name))
            summary = _summary(con, request, staged)
    finally:
        con.close()
    return summary, [asdict(record) for record in runner.records]


def _make_words(con: duckdb.DuckDBPyConnection, request: IngestRequest) -> None:
    """Make what cells are looked up in: countries, formats, currencies, and the load itself."""
    _make_table(con, "country_name", ("said", "alpha_2"), _country_names())
    _make_table(con, "format_word", ("layout", "said", "format"), _format_words())
    con.execute("create or replace table currency_code as select unnest(?) as code", [sorted(CURRENCY_CODES)])
    con.execute(
        "create or replace table load (network varchar, load_id varchar, report_id varchar, schema_ver integer)"
    )
    con.execute(
        "insert into load values (?, ?, ?, ?)",
        [request.network, request.load_id, request.report_id, request.schema_ver],
    )


def _make_table(
    con: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    words = pa.table({column: [row[at] for row in rows] for at, column in enumerate(columns)})
    con.register("words", words)
    con.execute(f"create or replace table {name} as from words")
    con.unregister("words")


def _words(name: str) -> list[dict[str, str]]:
    text = (files("tieout.books.ads") / "words" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _country_names() -> list[tuple[str, str]]:
    """Return for each way to say a country (two letters, three letters, the standard's name) its two letters."""
    rows = _words("countries")
    return [(row[said].lower(), row["alpha_2"]) for said in ("alpha_2", "alpha_3", "name") for row in rows]


def _format_words() -> list[tuple[str, str, str]]:
    shared = {row["said"]: row["format"] for row in _words("formats")}
    return [
        (layout.name, said, word)
        for layout in list_layouts()
        for said, word in {**(shared if layout.shares_formats else {}), **layout.formats}.items()
    ]


def _summary(con: duckdb.DuckDBPyConnection, request: IngestRequest, staged: Sequence[StatementFile]) -> dict[str, Any]:
    figures = con.sql("from load_figures")
    rows = [dict(zip(figures.columns, row, strict=True)) for row in figures.fetchall()]
    reasons = con.sql("select reason_code, count(*) from quarantine group by all order by all").fetchall()
    first = con.sql(f"from quarantine limit {_SHOWN_REFUSALS}")
    return {
        "network": request.network,
        "load_id": request.load_id,
        "report_id": request.report_id,
        "schema_ver": request.schema_ver,
        "layouts": {file.artifact.name: file.fit.layout.name for file in staged},
        "lines": sum(row["lines"] for row in rows),
        "quarantined": sum(count for _, count in reasons),
        "reasons": dict(reasons),
        "refused": [dict(zip(first.columns, row, strict=True)) for row in first.fetchall()],
        "figures": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value if value is None or isinstance(value, (int, str)) else str(value)


def _outputs(out_dir: Path, summary: Mapping[str, Any]) -> list[RunFile]:
    rows = {"statement_line": summary["lines"], "quarantine": summary["quarantined"]}
    (out_dir / SUMMARY).write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n")
    facts = [measure_file(out_dir, f"{fact}.parquet", row_count=rows[fact]) for fact in FACTS]
    return [*facts, measure_file(out_dir, SUMMARY, name=SUMMARY)]


def _ingested(outcome: Outcome, request: IngestRequest, run_id: str | None, summary: Mapping[str, Any]) -> Ingested:
    return Ingested(
        outcome=outcome,
        window=window_of(request),
        run_id=run_id,
        lines=summary.get("lines", 0),
        quarantined=summary.get("quarantined", 0),
        layouts=summary.get("layouts", {}),
        reasons=summary.get("reasons", {}),
        refused=tuple(summary.get("refused", ())),
        figures=tuple(summary.get("figures", ())),
    )
