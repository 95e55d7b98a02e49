"""The commands of `tieout`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tieout import __version__
from tieout.cli.ads_stages_app import expected, match, reconcile, tune
from tieout.cli.audit_app import audit
from tieout.cli.backfill_app import backfill
from tieout.cli.events_app import events
from tieout.cli.flags_app import flags
from tieout.cli.generate_app import generate
from tieout.cli.ingest_app import ingest
from tieout.cli.jobs_app import jobs
from tieout.cli.keys_app import keys
from tieout.cli.operating import (
    DOCTOR_EPILOG,
    INIT_EPILOG,
    MIGRATE_EPILOG,
    SERVE_EPILOG,
    doctor,
    init,
    migrate,
    serve,
)
from tieout.cli.pilot_app import pilot
from tieout.cli.proofs_app import proofs
from tieout.cli.retention_app import retention
from tieout.cli.review_app import review
from tieout.cli.schedule_app import schedule
from tieout.cli.smoke_app import SMOKE_EPILOG, Smoke, smoke
from tieout.cli.sources_app import LOAD_EPILOG, load, sources
from tieout.cli.state_app import state
from tieout.cli.tenants_app import tenants
from tieout.core.errors import EXIT_ERROR, TieoutError

if TYPE_CHECKING:
    from tieout.books.workspace import Workspace
    from tieout.control.platform import Platform
    from tieout.core.serving import ServeRequest
    from tieout.core.settings import Settings

OpenWorkspace = Callable[[], "Workspace"]
OpenPlatform = Callable[[], "Platform"]
Serve = Callable[["ServeRequest", "Settings", Callable[[str], None]], None]

INTERRUPTED = 130

_opener: list[OpenWorkspace] = []
_platform_opener: list[OpenPlatform] = []
_server: list[Serve] = []

app = typer.Typer(
    name="tieout",
    help="Reconcile what counterparties report with your own records, and explain every difference.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class UnexpectedFault(TieoutError):
    """A fault of the program; nothing was published."""

    code = "unexpected_fault"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"A fault of the program: {what}.",
            remedy="Nothing was published. TIEOUT_DEBUG=1 shows where it happened; please report it.",
        )


def build(
    open_workspace: OpenWorkspace, open_platform: OpenPlatform | None = None, serve: Serve | None = None
) -> typer.Typer:
    """Return the command line over the workspace and the platform, each opened when a command needs it."""
    _opener[:] = [open_workspace]
    _platform_opener[:] = [open_platform] if open_platform else []
    _server[:] = [serve] if serve else []
    return app


def run(open_workspace: OpenWorkspace, open_platform: OpenPlatform, serve: Serve) -> None:
    """Run the command line: one handler turns an expected failure into one message and its exit code."""
    gc.disable()  # until the workspace is open: to look for garbage among what was just imported took 0.1 s
    try:
        build(open_workspace, open_platform, serve)(standalone_mode=True)
    except TieoutError as error:
        show_error(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        raise SystemExit(EXIT_ERROR) from None
    except Exception as error:
        if os.environ.get("TIEOUT_DEBUG"):
            raise
        show_error(UnexpectedFault(f"{type(error).__name__}: {error}"))
        raise SystemExit(EXIT_ERROR) from None
    finally:
        gc.unfreeze()  # else what DuckDB made is taken for leaked at the end


def show_error(error: TieoutError) -> None:
    """Print what happened, to which object, and what to do next; as JSON where the command was asked for JSON."""
    if "--json" in sys.argv[1:]:
        import orjson

        shown = {"error": error.code, "message": error.what, "subject": error.subject, "remedy": error.remedy}
        sys.stdout.write(orjson.dumps(shown).decode() + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    message = Text("error: ", style="bold red") + Text(error.what, style="default")
    if error.remedy:
        message += Text("\n  → ", style="bold") + Text(error.remedy)
    Console(stderr=True).print(message, soft_wrap=True)


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Open the workspace for one command and close it afterwards."""
    opened = _opener[0]()
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    from tieout.store.duck import interrupts_told

    try:
        with interrupts_told():
            yield opened
    except KeyboardInterrupt:
        # Here, for Typer would end the process without a word.
        print("Interrupted. Nothing was published; the same command goes on where it stopped.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(INTERRUPTED) from None
    finally:
        opened.close()
        _hand_over_counts(opened.settings)


@contextmanager
def installation() -> Iterator[Platform]:
    """Open the platform for one command and close it afterwards."""
    _log_beside_the_answer()
    opened = _platform_opener[0]()
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    try:
        yield opened
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(INTERRUPTED) from None
    finally:
        opened.close()
        _hand_over_counts(opened.settings)


def _hand_over_counts(settings: Settings) -> None:
    from tieout.core.metrics_folder import FOLDER, hand_over

    hand_over(settings.data_dir / FOLDER)


def server() -> Serve:
    """Return what serves; the garbage collector, off until here, works again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return _server[0]


def _log_beside_the_answer() -> None:
    """Let log lines go to standard error, for standard output may be read as JSON."""
    import structlog

    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr))


def print_json(value: Any) -> None:
    """Print `value` as indented JSON; Decimals and dates as text."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"tieout {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reconcile what counterparties report with your own records, and explain every difference."""


@app.command(
    epilog="""
    [bold]Examples[/bold]

    tieout compare ledger.csv bank.mt940

    tieout compare orders.parquet statement.xlsx --on order_id --tolerance 0.01 --tolerance 0.5% --out result

    tieout compare payouts.csv transactions.csv --group-by id=payout_id --amount amount=net

    tieout compare - bank-tuesday.csv --after 3f9a1c2b

    Exit codes: 0 the two tie out, 10 differences found, 20 error.
    """
)
def compare(
    ours: Annotated[
        Path, typer.Argument(help="Our records: CSV, TSV, XLSX, ODS, JSON, NDJSON, Parquet, OFX, MT940, CAMT, BAI2.")
    ],
    theirs: Annotated[Path, typer.Argument(help="Their records, of any of the same formats.")],
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", help="Column that identifies a row; OURS=THEIRS where names differ. Repeat for a key of several."
        ),
    ] = None,
    amount: Annotated[
        str | None, typer.Option(help="Column of the amount (OURS=THEIRS); CREDIT-DEBIT for two columns; or none.")
    ] = None,
    date: Annotated[str | None, typer.Option(help="Column of the date (OURS=THEIRS).")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Column of the currency (OURS=THEIRS), a code for all rows, or none.")
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="What amounts are written in: units, cents, or a power of ten such as -2 (OURS=THEIRS)."),
    ] = None,
    fee: Annotated[
        str | None, typer.Option(help="Column of the fee that may explain a gap (OURS=THEIRS); or none.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            help="Column that says debit or credit where amounts have no sign (OURS=THEIRS); or none.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Column of the memo or name (OURS=THEIRS).")] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help="Columns that say what belongs together (OURS=THEIRS): a payout against its parts."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            help="Gap that is forgiven: 0.01 (absolute) or 0.5% (of ours). Repeat for both; the larger counts."
        ),
    ] = None,
    window_days: Annotated[
        int | None, typer.Option(min=0, max=3660, help="Days that two matching rows may lie apart.")
    ] = None,
    number_format: Annotated[
        str | None,
        typer.Option(help="How numbers are written, as 1,234.56 or 1.234,56, where a column leaves it open."),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(help="How dates are written, as DMY, MDY or a strptime pattern, where a column leaves it open."),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Column to leave out. Repeat for several.")] = None,
    advice: Annotated[
        Path | None,
        typer.Option(help="Third file: lines that say which of their payments goes with which of our invoices."),
    ] = None,
    advice_payment: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the advice that names their payment.")
    ] = None,
    advice_invoice: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the advice that names our invoice.")
    ] = None,
    advice_amount: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the advice with the amount of a line; or none.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Plan to use; where the file does not exist, the inferred plan is saved there.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report and the full result (HTML, CSV, XLSX, Parquet, JSON).")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="File for the HTML report alone.")] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Sheet of a workbook (OURS=THEIRS or OURS=THEIRS=ADVICE where they differ).")
    ] = None,
    records: Annotated[
        str | None, typer.Option(help="Dotted path of the array of records in a JSON file (OURS=THEIRS=ADVICE).")
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="How a file is written where its content leaves it open, such as csv or mt940 (OURS=THEIRS=ADVICE).",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of a text file, such as cp1252 (OURS=THEIRS=ADVICE).")
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="Delimiter of a CSV: a character, or comma, semicolon, tab, pipe, space (OURS=THEIRS=ADVICE)."
        ),
    ] = None,
    header_line: Annotated[
        str | None, typer.Option(metavar="LINE", help="Line of a CSV's header, 0 for none (OURS=THEIRS=ADVICE).")
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE=VALUE",
            help="Show what another rule would change in money and rows, without taking it: window=10, tolerance=1%,"
            " auto=0.9, review=0.3, form=plain (references without case, signs and zeros in front), form=digits, usual"
            " for those worth a try, or best for those that the result names. Repeat for several.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Add the rows of these files to those of a run: its plan is used, what it settled stays unless a new"
            " row could change it. - in place of a file: nothing new on that side.",
        ),
    ] = None,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="With --after: the files repeat rows of the run; add only what it lacks.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again even if the same run is on record.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Reconcile two files: what agrees, what differs, why, and how much money it is."""
    from tieout.cli.comparing import compare_files, infer_options, reading_of

    options = infer_options(
        on=on,
        amount=amount,
        date=date,
        currency=currency,
        scale=scale,
        fee=fee,
        direction=direction,
        text=text,
        group_by=group_by,
        tolerance=tolerance,
        window_days=window_days,
        number_format=number_format,
        date_format=date_format,
        ignore=ignore,
        advice_payment=advice_payment,
        advice_invoice=advice_invoice,
        advice_amount=advice_amount,
    )
    with workspace() as opened:
        code = compare_files(
            opened,
            ours,
            theirs,
            options,
            advice=advice,
            plan_file=plan,
            out=out,
            report=report,
            reading=reading_of(
                format=file_format,
                sheet=sheet,
                records=records,
                encoding=encoding,
                delimiter=delimiter,
                header_line=header_line,
            ),
            what_if=what_if or (),
            after=after,
            overlap=overlap,
            fresh=fresh,
            as_json=as_json,
        )
    raise typer.Exit(code)


@app.command(epilog="[bold]Example[/bold]\n\ntieout inspect statement.sta --json")
def inspect(
    file: Annotated[Path, typer.Argument(help="File to read.")],
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    records: Annotated[str | None, typer.Option(help="Dotted path of the array of records in a JSON file.")] = None,
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="How a file is written where its content leaves it open, such as csv or mt940."),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file, such as cp1252.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Delimiter of a CSV: a character, or comma, semicolon, tab, pipe, space.")
    ] = None,
    header_line: Annotated[str | None, typer.Option(metavar="LINE", help="Line of a CSV's header, 0 for none.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how a file is read: format, columns, first rows, what is refused and why, and whether its balances tie.

    Exit codes: 0 all is well, 10 rows were refused or a check failed, 20 error.
    """
    from tieout.cli.comparing import inspect_file, reading_of
    from tieout.intake.reading import ReadOptions

    reading = reading_of(
        format=file_format,
        sheet=sheet,
        records=records,
        encoding=encoding,
        delimiter=delimiter,
        header_line=header_line,
    ).get("ours", ReadOptions())

    with workspace() as opened:
        code = inspect_file(opened, file, reading, as_json=as_json)
    raise typer.Exit(code)


@app.command(epilog="[bold]Examples[/bold]\n\ntieout runs\n\ntieout runs --as-of 2026-01-31T18:00:00Z")
def runs(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list.")] = 20,
    as_of: Annotated[str | None, typer.Option(help="What each window showed at that instant (ISO 8601).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the runs, latest first; with --as-of the run that each window pointed to at that time."""
    from tieout.cli.listing import list_runs

    with workspace() as opened:
        list_runs(opened, limit=limit, as_of=as_of, as_json=as_json)


@app.command(
    epilog="[bold]Examples[/bold]\n\ntieout show 3f9a1c2b --out result\n\ntieout show 3f9a1c2b --report page.html"
)
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or the first characters of its id.")],
    out: Annotated[Path | None, typer.Option(help="Write the report and the full result there.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the HTML report alone there.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the result of a run, its steps and its digests."""
    from tieout.cli.showing import show_run

    with workspace() as opened:
        show_run(opened, run_id, out=out, report=report, as_json=as_json)


@app.command(
    epilog="[bold]Examples[/bold]\n\ntieout explain 3f9a1c2b-17\n\ntieout explain 3f9a1c2b --ours 204\n\n"
    "tieout explain 3f9a1c2b --theirs 31 --json"
)
def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="DELTA|RUN", help="Delta, as `tieout show` or deltas.csv name it; or a run, and a row of it."
        ),
    ],
    ours: Annotated[int | None, typer.Option(metavar="ROW", min=1, help="What became of this row of ours.")] = None,
    theirs: Annotated[int | None, typer.Option(metavar="ROW", min=1, help="What became of this row of theirs.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Explain one delta, or what became of one row: the rule, the parts, the candidates and what each evidence weighs.

    Names file and line of both sides.
    """
    from tieout.cli.explaining import explain_delta, explain_row_of

    if ours is not None and theirs is not None:
        raise typer.BadParameter("Give --ours or --theirs, not both.")
    with workspace() as opened:
        if ours is not None:
            explain_row_of(opened, subject, "ours", ours, as_json=as_json)
        elif theirs is not None:
            explain_row_of(opened, subject, "theirs", theirs, as_json=as_json)
        else:
            explain_delta(opened, subject, as_json=as_json)


@app.command(epilog="[bold]Example[/bold]\n\ntieout replay 3f9a1c2b")
def replay(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or the first characters of its id.")],
    as_json: JsonFlag = False,
) -> None:
    """Run it again from the files as received: the same digests, or which step differs.

    Exit codes: 0 the same, 10 a step or file differs, 20 error.
    """
    from tieout.cli.replaying import replay_run

    with workspace() as opened:
        code = replay_run(opened, run_id, as_json=as_json)
    raise typer.Exit(code)


@app.command(
    epilog="""
    [bold]Examples[/bold]

    tieout sql "select kind, sum(amount) from recon_deltas group by kind"

    tieout sql --run 3f9a1c2b "select * from recon_expected limit 5"

    Tables: recon_statements_raw, recon_statements_norm, recon_expected, recon_match, recon_match_review, recon_deltas,
    recon_why_not.
    """
)
def sql(
    query: Annotated[str | None, typer.Argument(help="Query; without one a prompt opens.")] = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Only this run; by default the current run of each window."),
    ] = None,
    as_json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Query the facts with SQL, read only."""
    from tieout.cli.query import query_facts

    with workspace() as opened:
        query_facts(opened, query, run_id=run_id, as_json=as_json, as_csv=as_csv)


@app.command(epilog="[bold]Examples[/bold]\n\ntieout sweep --dry-run\n\ntieout sweep --keep-days 90")
def sweep(
    keep_days: Annotated[
        int | None, typer.Option(min=0, help="Also drop the files of runs superseded for longer.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove what no run refers to: leftovers of killed runs, and files that retention no longer keeps."""
    from tieout.cli.sweeping import sweep_files

    with workspace() as opened:
        sweep_files(opened, keep_days=keep_days, dry_run=dry_run, as_json=as_json)


@app.command(epilog="[bold]Example[/bold]\n\ntieout demo --out demo-out")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("demo-out"),
    as_json: JsonFlag = False,
) -> None:
    """Reconcile the real sample data that comes with Tieout, with a report for each; then show the ads book at work."""
    from tieout.cli.demo import run_demo

    with workspace() as opened:
        run_demo(opened, out, as_json=as_json)


app.command(epilog=LOAD_EPILOG)(load)
app.command(cls=Smoke, epilog=SMOKE_EPILOG)(smoke)
for command, text in ((serve, SERVE_EPILOG), (init, INIT_EPILOG), (doctor, DOCTOR_EPILOG), (migrate, MIGRATE_EPILOG)):
    app.command(epilog=text)(command)
for group in (
    sources,
    review,
    generate,
    ingest,
    expected,
    match,
    reconcile,
    backfill,
    tune,
    pilot,
    tenants,
    keys,
    flags,
    jobs,
    schedule,
    events,
    audit,
    state,
    proofs,
    retention,
):
    app.add_typer(group)

RECONCILE, BOOKS, LOOK, OPERATE = "Reconcile", "Run a book, stage by stage", "Look into a result", "Operate"
PANELS = {
    RECONCILE: ("compare", "review", "inspect", "load", "sources", "demo"),
    BOOKS: ("generate", "ingest", "expected", "match", "reconcile", "backfill", "tune", "pilot"),
    LOOK: ("runs", "show", "explain", "replay", "sql", "proofs"),
    OPERATE: (
        "init",
        "serve",
        "doctor",
        "smoke",
        "migrate",
        "tenants",
        "keys",
        "flags",
        "jobs",
        "schedule",
        "events",
        "audit",
        "state",
        "sweep",
        "retention",
    ),
}
"""Under which heading `tieout --help` lists each command."""


def _put_under_headings() -> None:
    panel_of = {name: panel for panel, names in PANELS.items() for name in names}
    for known in app.registered_commands:
        known.rich_help_panel = panel_of[known.name or cast("Any", known.callback).__name__]
    for known_group in app.registered_groups:
        known_group.rich_help_panel = panel_of[known_group.name or cast("Any", known_group.typer_instance).info.name]


_put_under_headings()
